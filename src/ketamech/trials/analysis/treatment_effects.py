"""Change from baseline by arm and by analysis of covariance, response and remission. NaN where not estimable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core import InputError
from ketamech.core.constants import Z95
from ketamech.core.progress import check_interrupt
from ketamech.core.statistics import interval

ROUNDING = 1e-9  # relative


def scores(dataset: xr.Dataset, scale: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, baselines of the same period and arms, each [replicate, patient, visit]."""
    values = dataset[scale].values
    bases = baselines(dataset)
    return values, values[:, :, bases], dataset["arm"].values


def baselines(dataset: xr.Dataset) -> np.ndarray:
    """Index of the baseline visit of the period of each visit [visit]."""
    names = dataset["visit"].values.astype(str)
    places = np.flatnonzero([name.endswith("baseline") for name in names])
    return places[np.searchsorted(places, np.arange(len(names)), side="right") - 1]


def arm_names(arm: np.ndarray, order: Sequence[str] = ()) -> list[str]:
    """Names in `arm`, an array of any shape: those of `order` first, in this order, the others as they appear."""
    names, others = list[str](), arm.ravel()
    while others.size:  # a pass for each arm: a loop over a million names in Python takes a second
        names.append(str(others[0]))
        others = others[others != others[0]]
    return [*(name for name in order if name in names), *(name for name in names if name not in order)]


def arms_of(dataset: xr.Dataset) -> list[str]:
    """Names of the arms that have patients, in the order of the trial file."""
    return arm_names(dataset["arm"].values, dataset.attrs.get("arms", ()))


def mean_change_by_arm(dataset: xr.Dataset, scale: str) -> pd.DataFrame:
    """Mean and SD of scores and changes of each arm at each visit, over all replicates.

    Columns: arm, visit, hour, n (per replicate), mean, change, sd (of the change), low, high: 95 % of the means of
    single replicates, or the confidence interval where there is one replicate.
    """
    values, base, arm = scores(dataset, scale)
    lines = []
    for name in arms_of(dataset):
        inside = arm == name
        for k, (visit, hour) in enumerate(zip(dataset["visit"].values, dataset["hour"].values, strict=True)):
            if not inside[:, :, k].any() or not np.isfinite(values[:, :, k]).any():
                continue
            score = np.where(inside[:, :, k], values[:, :, k], np.nan)
            change = score - base[:, :, k]
            n = float(np.isfinite(change).sum(axis=1).mean())
            numbers = (_mean(score), _mean(change), _sd(change), *_interval(change))
            lines.append((name, str(visit), float(hour), n, *numbers))
    return pd.DataFrame(lines, columns=["arm", "visit", "hour", "n", "mean", "change", "sd", "low", "high"])


def _mean(values: np.ndarray) -> float:
    """Mean of the finite values; NaN if there is none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _sd(values: np.ndarray) -> float:
    """Standard deviation of the finite values; NaN for fewer than two."""
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if known.size > 1 else float("nan")


def _interval(change: np.ndarray) -> tuple[float, float]:
    means = np.array([_mean(row) for row in change])
    if len(means) > 1:
        return interval(means)
    from scipy.stats import t

    n = int(np.isfinite(change).sum())
    error = float(t.ppf(0.975, n - 1)) * _sd(change) / np.sqrt(n) if n > 1 else float("nan")
    return float(means[0] - error), float(means[0] + error)


def ancova(dataset: xr.Dataset, scale: str, visit: str, reference: str) -> pd.DataFrame:
    """Difference in change from a reference arm, adjusted for baseline, in every replicate.

    Ordinary least squares of change on baseline and arm, as `statsmodels` OLS gives, in closed form for speed. Columns:
    replicate, arm, difference, se, df, p, low, high (95 %), residual_sd (points), n (rated patients of both arms),
    reason. What the rated patients do not determine is NaN, with a `reason`. Raises InputError for an arm or visit that
    is not there.
    """
    values, base, arm = scores(dataset, scale)
    place = visit_index(dataset, visit)
    return covariance_table(
        dataset, values[:, :, place] - base[:, :, place], base[:, :, place], arm[:, :, place], reference
    )


def covariance_table(
    dataset: xr.Dataset, change: np.ndarray, start: np.ndarray, arm: np.ndarray, reference: str
) -> pd.DataFrame:
    """The table of `ancova` of changes, starts and arms, each [replicate, patient]."""
    others = compared_arms(dataset, reference)  # a small crossover begins with one of its arms only
    rows = []
    for r in range(len(change)):
        known = np.isfinite(change[r]) & np.isfinite(start[r])
        fits = _differences(change[r, known], start[r, known], arm[r, known], reference, others)
        counts = [int((known & np.isin(arm[r], (name, reference))).sum()) for name in others]
        rows += comparison_rows(dataset, r, others, fits, counts)
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


COMPARISON_COLUMNS = ["replicate", "arm", "difference", "se", "df", "p", "low", "high", "residual_sd", "n", "reason"]


def compared_arms(dataset: xr.Dataset, reference: str) -> list[str]:
    """The arms other than `reference`. Raises InputError if it is no arm."""
    names = arms_of(dataset)
    others = [name for name in names if name != reference]
    if reference not in names:
        raise InputError(f"there is no arm '{reference}'", key="reference", expected=", ".join(others))
    return others


def comparison_rows(
    dataset: xr.Dataset, replicate: int, others: list[str], fits: list[dict[str, Any]], counts: list[int]
) -> list[dict[str, Any]]:
    """Rows of a comparison of one replicate: those of `fits` with the arm and the number of patients."""
    number = int(dataset["replicate"].values[replicate])
    return [
        {"replicate": number, "arm": name, **fit, "n": n} for name, fit, n in zip(others, fits, counts, strict=True)
    ]


def _differences(
    change: np.ndarray, start: np.ndarray, arm: np.ndarray, reference: str, others: list[str]
) -> list[dict[str, Any]]:
    """Difference of each other arm from the reference among rated patients [patient], or why there is none."""
    columns = [np.ones(len(arm)), start - start.mean() if len(start) else start]
    columns += [(arm == name).astype(float) for name in others]
    return least_squares(np.column_stack(columns), change, arm, reference, others, of="arm and baseline")


def least_squares(
    design: np.ndarray, change: np.ndarray, arm: np.ndarray, reference: str, others: list[str], *, of: str,
    absorbed: int = 0,
) -> list[dict[str, Any]]:  # fmt: skip
    """Difference of each other arm, whose columns of `design` [row, coefficient] are the last ones, or why not.

    `change` (points) and `arm` are [row]. `of`: what the design consists of, for the reasons. `absorbed`: means of
    groups of rows that were subtracted before.
    """
    check_interrupt()
    if not (arm == reference).any():
        return [_not_estimable(f"no patient in '{reference}' is rated")] * len(others)
    inverse = np.linalg.pinv(design.T @ design)
    estimable = np.abs(design.T @ design @ inverse - np.eye(design.shape[1])).max(axis=0) < ROUNDING
    beta = inverse @ design.T @ change
    free = len(change) - absorbed - np.linalg.matrix_rank(design)
    residual = float(np.sum((change - design @ beta) ** 2))
    if residual <= ROUNDING**2 * float(np.sum(change**2)):
        residual = 0.0
    rows = []
    for i, name in enumerate(others, start=design.shape[1] - len(others)):
        if not (arm == name).any():
            rows.append(_not_estimable(f"no patient in '{name}' is rated"))
        elif not estimable[i]:
            rows.append(_not_estimable(f"{absorbed or len(change)} patients do not separate the effects of {of}"))
        else:
            rows.append(_tested(float(beta[i]), residual, float(inverse[i, i]), int(free), of))
    return rows


def _tested(difference: float, residual: float, inverse: float, free: int, of: str) -> dict[str, Any]:
    """A difference with standard error, t test and 95 % interval, given `free` degrees of freedom."""
    from scipy.stats import t

    if free < 1:
        return _not_estimable("no degrees of freedom are left to estimate the error", difference)
    if residual == 0:
        return _not_estimable(f"{of} explain every change, so that there is no error to estimate", difference)
    se = float(np.sqrt(residual / free * inverse))
    reach = float(t.ppf(0.975, free)) * se
    p = float(2 * t.sf(abs(difference / se), free))
    return {
        "difference": difference, "se": se, "df": free, "p": p, "low": difference - reach, "high": difference + reach,
        "residual_sd": float(np.sqrt(residual / free)), "reason": "",
    }  # fmt: skip


def difference_interval(line: pd.Series, alpha: float) -> tuple[float, float]:
    """Limits of the (1 - `alpha`) interval of one row of an `ancova` table."""
    from scipy.stats import t

    reach = float(t.ppf(1 - alpha / 2, line["df"]) * line["se"])
    return float(line["difference"]) - reach, float(line["difference"]) + reach


def _not_estimable(reason: str, difference: float = float("nan")) -> dict[str, Any]:
    """The row where nothing can be estimated."""
    missing = dict.fromkeys(("se", "df", "p", "low", "high"), float("nan"))
    return {"difference": difference, **missing, "reason": reason}


def responders(dataset: xr.Dataset, scale: str, response: float, remission: float) -> pd.DataFrame:
    """Share of each arm with response (fall of at least that share of baseline) and remission at each visit.

    Intention to treat: a patient who was not rated counts as a non-responder; `completers` leaves these out. Low and
    high are 95 % over replicates (Wilson interval where there is one).
    """
    values, base, arm = scores(dataset, scale)
    lines = []
    for name in arms_of(dataset):
        for k, visit in enumerate(dataset["visit"].values):
            if k in set(baselines(dataset)) or not np.isfinite(values[:, :, k]).any():
                continue
            inside, rated = arm[:, :, k] == name, np.isfinite(values[:, :, k])
            if not inside.any():
                continue
            fell = values[:, :, k] <= (1 - response) * base[:, :, k]
            well = values[:, :, k] <= remission
            line = {"arm": name, "visit": str(visit), "hour": float(dataset["hour"].values[k])}
            for kind, hit in (("response", fell), ("remission", well)):
                counts, n = (hit & inside & rated).sum(axis=1), inside.sum(axis=1)
                low, high = share_interval(counts, n)
                line |= {
                    kind: float(counts.sum() / n.sum()),
                    f"{kind}_low": low,
                    f"{kind}_high": high,
                    f"{kind}_completers": _share(counts.sum(), (inside & rated).sum()),
                }
            lines.append(line)
    kinds = [f"{kind}{part}" for kind in ("response", "remission") for part in ("", "_low", "_high", "_completers")]
    return pd.DataFrame(lines, columns=["arm", "visit", "hour", *kinds])


def response_differences(dataset: xr.Dataset, scale: str, visit: str, reference: str, response: float) -> pd.DataFrame:
    """Difference in the share of responders from a reference arm, in every replicate, unadjusted.

    Patients who were not rated count as non-responders. Newcombe's interval from two Wilson intervals, and Fisher's
    exact test. Columns: replicate, arm, difference (of fractions), low, high (95 %), p, n, reason.
    """
    from scipy.stats import fisher_exact

    values, base, arm = scores(dataset, scale)
    place = visit_index(dataset, visit)
    hit = values[:, :, place] <= (1 - response) * base[:, :, place]
    others = [name for name in arms_of(dataset) if name != reference]
    lines = []
    for r in range(len(values)):
        for name in others:
            counts = [(int((hit[r] & inside).sum()), int(inside.sum())) for inside in
                      (arm[r, :, place] == name, arm[r, :, place] == reference)]  # fmt: skip
            line = {"replicate": int(dataset["replicate"].values[r]), "arm": name, "n": counts[0][1] + counts[1][1]}
            if not (counts[0][1] and counts[1][1]):
                empty = name if not counts[0][1] else reference
                lines.append({**line, **_not_estimable(f"no patient is in '{empty}'")})
                continue
            table = [[hits, n - hits] for hits, n in counts]
            difference, low, high = newcombe_interval(counts[0], counts[1])
            numbers = {"difference": difference, "low": low, "high": high, "p": float(fisher_exact(table)[1])}
            lines.append({**line, **numbers, "reason": ""})
    return pd.DataFrame(lines, columns=["replicate", "arm", "difference", "low", "high", "p", "n", "reason"])


def newcombe_interval(one: tuple[int, int], other: tuple[int, int]) -> tuple[float, float, float]:
    """Difference of two proportions (count, n) with its 95 % interval (Newcombe 1998)."""
    shares, lows, highs = [], [], []
    for count, n in (one, other):
        low, high = share_interval(np.array([count]), np.array([n]))
        shares.append(count / n)
        lows.append(low)
        highs.append(high)
    difference = shares[0] - shares[1]
    below = float(np.hypot(shares[0] - lows[0], highs[1] - shares[1]))
    above = float(np.hypot(highs[0] - shares[0], shares[1] - lows[1]))
    return difference, difference - below, difference + above


def _share(count: int, of: int) -> float:
    """A proportion; NaN where `of` is 0."""
    return float(count / of) if of else float("nan")


def share_interval(counts: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """95 % interval of the proportion of `counts` of `n` [replicate]; of one replicate Wilson's interval.

    For the results of simulated trials, as trials report them: Wilson's interval holds the true share 95 % of the time
    on average and is narrower than the exact one of published data (`clinical_targets`).
    """
    counts, n = counts[n > 0], n[n > 0]
    if not len(n):
        return float("nan"), float("nan")
    if len(counts) > 1:
        return interval(counts / n)
    p, m = counts[0] / n[0], n[0]
    middle = (p + Z95**2 / (2 * m)) / (1 + Z95**2 / m)
    half = Z95 * np.sqrt(p * (1 - p) / m + Z95**2 / (4 * m * m)) / (1 + Z95**2 / m)
    return float(middle - half), float(middle + half)


def visit_names(dataset: xr.Dataset) -> list[str]:
    """Names of the visits as the trial file has them [visit]: in a crossover without the period before the colon."""
    return [str(name).split(": ")[-1] for name in dataset["visit"].values]


def visit_index(dataset: xr.Dataset, visit: str) -> int:
    """Index of a visit. Raises InputError."""
    names = [str(name) for name in dataset["visit"].values]
    if visit not in names:
        raise InputError(f"there is no visit '{visit}'", key="visit", expected=", ".join(names))
    return names.index(visit)
