"""Change from baseline by arm and by analysis of covariance, response and remission. NaN where not estimable."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core import InputError
from ketamech.core.constants import Z95
from ketamech.core.units import DAY

ROUNDING = 1e-9  # relative: below it a number is the rounding error of another


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


def mean_change_by_arm(dataset: xr.Dataset, scale: str) -> pd.DataFrame:
    """Mean and SD of scores and changes of each arm at each visit, over all replicates.

    Columns: arm, visit, hour, n (per replicate), mean, change, sd (of the change), low, high: 95 % of the means of
    single replicates, or the confidence interval where there is one replicate.
    """
    values, base, arm = scores(dataset, scale)
    lines = []
    for name in dict.fromkeys(arm.ravel()):
        inside = arm == name
        for k, (visit, hour) in enumerate(zip(dataset["visit"].values, dataset["hour"].values, strict=True)):
            if not inside[:, :, k].any() or not np.isfinite(values[:, :, k]).any():
                continue
            change = np.where(inside, values - base, np.nan)[:, :, k]
            n = float(np.isfinite(change).sum(axis=1).mean())
            mean = _mean(np.where(inside, values, np.nan)[:, :, k])
            lines.append((name, str(visit), float(hour), n, mean, _mean(change), _sd(change), *_interval(change)))
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
        return _percentiles(means)
    from scipy.stats import t

    n = int(np.isfinite(change).sum())
    error = float(t.ppf(0.975, n - 1)) * _sd(change) / np.sqrt(n) if n > 1 else float("nan")
    return float(means[0] - error), float(means[0] + error)


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    """Limits between which 95 % of the finite values lie."""
    known = values[np.isfinite(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def ancova(dataset: xr.Dataset, scale: str, visit: str, reference: str) -> pd.DataFrame:
    """Difference in change from a reference arm, adjusted for baseline, in every replicate.

    Ordinary least squares of change on baseline and arm, as `statsmodels` OLS gives, in closed form for speed. Columns:
    replicate, arm, difference, se, df, p, low, high (95 %), n (rated patients of both arms), reason. What the rated
    patients do not determine is NaN, with a `reason`. Raises InputError for an arm or visit that is not there.
    """
    values, base, arm = scores(dataset, scale)
    place = _place(dataset, visit)
    others = [str(name) for name in dict.fromkeys(arm.ravel()) if name != reference]
    if reference not in arm:
        raise InputError(f"there is no arm '{reference}'", key="reference", expected=", ".join(others))
    lines = []
    for r in range(len(values)):
        change, start = values[r, :, place] - base[r, :, place], base[r, :, place]
        known = np.isfinite(change) & np.isfinite(start)
        fits = _differences(change[known], start[known], arm[r, known, place], reference, others)
        number = int(dataset["replicate"].values[r])
        for name, fit in zip(others, fits, strict=True):
            compared = known & np.isin(arm[r, :, place], (name, reference))
            lines.append({"replicate": number, "arm": name, **fit, "n": int(compared.sum())})
    columns = ["replicate", "arm", "difference", "se", "df", "p", "low", "high", "n", "reason"]
    return pd.DataFrame(lines, columns=columns)


def _differences(
    change: np.ndarray, start: np.ndarray, arm: np.ndarray, reference: str, others: list[str]
) -> list[dict[str, Any]]:
    """Difference of each other arm from the reference among rated patients [patient], or why there is none."""
    if not (arm == reference).any():
        return [_not_estimable(f"no patient in '{reference}' is rated")] * len(others)
    columns = [np.ones(len(arm)), start - start.mean(), *((arm == name).astype(float) for name in others)]
    design = np.column_stack(columns)
    inverse = np.linalg.pinv(design.T @ design)
    estimable = np.abs(design.T @ design @ inverse - np.eye(design.shape[1])).max(axis=0) < ROUNDING
    beta = inverse @ design.T @ change
    free = len(change) - np.linalg.matrix_rank(design)
    residual = float(np.sum((change - design @ beta) ** 2))
    if residual <= ROUNDING**2 * float(np.sum(change**2)):
        residual = 0.0
    rows = []
    for i, name in enumerate(others, start=2):
        if not (arm == name).any():
            rows.append(_not_estimable(f"no patient in '{name}' is rated"))
        elif not estimable[i]:
            rows.append(_not_estimable(f"{len(change)} patients do not separate the effects of arm and baseline"))
        else:
            rows.append(_tested(float(beta[i]), residual, float(inverse[i, i]), int(free)))
    return rows


def _tested(difference: float, residual: float, inverse: float, free: int) -> dict[str, Any]:
    """A difference with standard error, t test and 95 % interval, given `free` degrees of freedom."""
    from scipy.stats import t

    if free < 1:
        return _not_estimable("no degrees of freedom are left to estimate the error", difference)
    if residual == 0:
        return _not_estimable(
            "arm and baseline explain every change, so that there is no error to estimate", difference
        )
    se = float(np.sqrt(residual / free * inverse))
    reach = float(t.ppf(0.975, free)) * se
    p = float(2 * t.sf(abs(difference / se), free))
    return {
        "difference": difference, "se": se, "df": free, "p": p, "low": difference - reach, "high": difference + reach,
        "reason": "",
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
    """Percent of each arm with response (fall of at least that share of baseline) and remission at each visit.

    Intention to treat: a patient who was not rated counts as a non-responder; `completers` leaves these out. Low and
    high are 95 % over replicates (Wilson interval where there is one).
    """
    values, base, arm = scores(dataset, scale)
    lines = []
    for name in dict.fromkeys(arm.ravel()):
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
                    kind: 100 * float(counts.sum() / n.sum()),
                    f"{kind}_low": low,
                    f"{kind}_high": high,
                    f"{kind}_completers": _percent(counts.sum(), (inside & rated).sum()),
                }
            lines.append(line)
    kinds = [f"{kind}{part}" for kind in ("response", "remission") for part in ("", "_low", "_high", "_completers")]
    return pd.DataFrame(lines, columns=["arm", "visit", "hour", *kinds])


def response_differences(dataset: xr.Dataset, scale: str, visit: str, reference: str, response: float) -> pd.DataFrame:
    """Difference in the percentage of responders from a reference arm, in every replicate, unadjusted.

    Patients who were not rated count as non-responders. Newcombe's interval from two Wilson intervals, and Fisher's
    exact test. Columns: replicate, arm, difference (percentage points), low, high (95 %), p, n, reason.
    """
    from scipy.stats import fisher_exact

    values, base, arm = scores(dataset, scale)
    place = _place(dataset, visit)
    hit = values[:, :, place] <= (1 - response) * base[:, :, place]
    others = [str(name) for name in dict.fromkeys(arm.ravel()) if name != reference]
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
    """Difference of two proportions (count, n) in percentage points with its 95 % interval (Newcombe 1998)."""
    shares, lows, highs = [], [], []
    for count, n in (one, other):
        low, high = share_interval(np.array([count]), np.array([n]))
        shares.append(100 * count / n)
        lows.append(low)
        highs.append(high)
    difference = shares[0] - shares[1]
    below = float(np.hypot(shares[0] - lows[0], highs[1] - shares[1]))
    above = float(np.hypot(highs[0] - shares[0], shares[1] - lows[1]))
    return difference, difference - below, difference + above


def _percent(count: int, of: int) -> float:
    """A proportion in percent; NaN where `of` is 0."""
    return 100 * float(count / of) if of else float("nan")


def share_interval(counts: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """95 % interval of a proportion in percent: over replicates with patients; Wilson's interval for one."""
    counts, n = counts[n > 0], n[n > 0]
    if not len(n):
        return float("nan"), float("nan")
    if len(counts) > 1:
        return _percentiles(100 * counts / n)
    p, m = counts[0] / n[0], n[0]
    middle = (p + Z95**2 / (2 * m)) / (1 + Z95**2 / m)
    half = Z95 * np.sqrt(p * (1 - p) / m + Z95**2 / (4 * m * m)) / (1 + Z95**2 / m)
    return 100 * float(middle - half), 100 * float(middle + half)


def _place(dataset: xr.Dataset, visit: str) -> int:
    names = [str(name) for name in dataset["visit"].values]
    if visit not in names:
        raise InputError(f"there is no visit '{visit}'", key="visit", expected=", ".join(names))
    return names.index(visit)


MEDIAN_COLUMNS = ["group", "n", "median_days", "low", "high"]


@dataclass(frozen=True)
class RelapseAnalysis:
    """`events` (one row for each patient at risk: replicate, patient, group, days, relapsed), curves and tests.

    `curves`: group, day, without_relapse; `median` days by group with 95 % over replicates; `hazard_ratio` of the
    second group of `compared` against the first with interval and log-rank p (first replicate with patients at risk),
    where there are two groups. What cannot be estimated is NaN or missing, and `reason` says why.
    """

    events: pd.DataFrame
    curves: pd.DataFrame
    median: pd.DataFrame
    hazard_ratio: dict[str, float]
    compared: tuple[str, ...] = ()
    reason: str = ""


def time_to_relapse(dataset: xr.Dataset, *, order: Sequence[str] = ()) -> RelapseAnalysis:
    """Time to relapse of the patients at risk, from the variables that `run_trial` adds where relapse is defined.

    Groups are the decisions about patients, or arms where there was none; those of `order` come first, in this order,
    and the first two groups are compared. A patient who leaves or is not rated again is censored at the last rating.
    """
    events = _events(dataset)
    seen = [str(g) for g in dict.fromkeys(events["group"])]
    groups = [*(name for name in order if name in seen), *(name for name in seen if name not in order)]
    curves = pd.concat([_curve(events[events.group == g], g) for g in groups]) if groups else pd.DataFrame()
    medians = pd.DataFrame([_medians(events[events.group == g], g) for g in groups], columns=MEDIAN_COLUMNS)
    if not groups:
        reason = "no patient is at risk, so that none can relapse"
        return RelapseAnalysis(events, curves, medians, {}, (), reason)
    ratio, reason = _ratio(events, groups)
    return RelapseAnalysis(events, curves, medians, ratio, tuple(groups[:2]), reason)


def _events(dataset: xr.Dataset) -> pd.DataFrame:
    start, relapsed, until, decided = (
        dataset[name].values for name in ("at_risk_from", "relapsed_at", "observed_until", "decision")
    )
    arm, back = dataset["arm"].values[:, :, 0], np.isfinite(relapsed)
    days = (np.where(back, relapsed, until) - start) / DAY
    lines: list[dict[str, Any]] = []
    for r, i in np.argwhere(np.isfinite(start)):
        group = decided[r, i] or arm[r, i]
        line = {"replicate": int(r), "patient": int(i), "group": group, "days": days[r, i], "relapsed": back[r, i]}
        lines.append(line)
    return pd.DataFrame(lines, columns=["replicate", "patient", "group", "days", "relapsed"])


def _curve(events: pd.DataFrame, group: str) -> pd.DataFrame:
    from lifelines import KaplanMeierFitter

    fit = KaplanMeierFitter().fit(events["days"], events["relapsed"])
    interval = fit.confidence_interval_
    days, well = fit.survival_function_.index.to_numpy(), fit.survival_function_.iloc[:, 0].to_numpy()
    low, high = (interval.iloc[:, k].to_numpy() for k in (0, 1))
    return pd.DataFrame({"group": group, "day": days, "without_relapse": well, "low": low, "high": high})


def _medians(events: pd.DataFrame, group: str) -> dict[str, Any]:
    from lifelines import KaplanMeierFitter

    def median(part: pd.DataFrame) -> float:
        return float(KaplanMeierFitter().fit(part["days"], part["relapsed"]).median_survival_time_)

    each = [median(part) for _, part in events.groupby("replicate")]
    low, high = np.percentile(each, [2.5, 97.5], method="nearest")
    return {"group": group, "n": len(events) / len(each), "median_days": median(events), "low": low, "high": high}


def _ratio(events: pd.DataFrame, groups: list[str]) -> tuple[dict[str, float], str]:
    """Cox hazard ratio of the second group against the first with the log-rank p, and why a number is missing."""
    if len(groups) < 2:
        return {}, ""
    two = events[(events.group == groups[0]) | (events.group == groups[1])]
    first = two[two.replicate == two.replicate.min()]
    split = first.assign(second=(first.group == groups[1]).astype(float), relapsed=first.relapsed.astype(float))
    unknown = dict.fromkeys(("hazard_ratio", "low", "high", "p"), float("nan"))
    for name, place in zip(groups, (0.0, 1.0), strict=False):
        if not (split.second == place).any():
            return unknown, f"no patient in '{name}' is at risk"
    if not split.relapsed.sum():
        return unknown, "no patient relapses"
    unknown["p"] = _log_rank(split)
    for name, place in zip(groups, (0.0, 1.0), strict=False):
        if not split.relapsed[split.second == place].sum():
            return unknown, f"no patient in '{name}' relapses, so that the ratio is 0 or infinite"
    return _cox(split, unknown)


def _log_rank(split: pd.DataFrame) -> float:
    from lifelines.statistics import logrank_test

    a, b = (split[split.second == k] for k in (0.0, 1.0))
    with np.errstate(all="ignore"):
        return float(logrank_test(a["days"], b["days"], a["relapsed"], b["relapsed"]).p_value)


def _cox(split: pd.DataFrame, unknown: dict[str, float]) -> tuple[dict[str, float], str]:
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning, StatError

    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            fit = CoxPHFitter().fit(split[["days", "relapsed", "second"]], "days", "relapsed")
        except (ConvergenceError, ConvergenceWarning, StatError, ValueError, np.linalg.LinAlgError):
            return unknown, "the fit of the hazard ratio does not converge: one group relapses before all of the other"
    low, high = np.exp(fit.confidence_intervals_.iloc[0])
    return {**unknown, "hazard_ratio": float(fit.hazard_ratios_.iloc[0]), "low": float(low), "high": float(high)}, ""
