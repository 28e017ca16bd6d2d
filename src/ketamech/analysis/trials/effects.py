"""Change from baseline: by arm, by analysis of covariance at one visit, and by a repeated-measures model over all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ketamech.core import BadInput

if TYPE_CHECKING:
    import pandas as pd

Z95 = 1.959964


def scores(dataset: xr.Dataset, scale: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores [replicate, patient, visit], each person's baseline of the same period, and which arm he is then in."""
    values = dataset[scale].values
    bases = baselines(dataset)
    return values, values[:, :, bases], dataset["arm"].values


def baselines(dataset: xr.Dataset) -> np.ndarray:
    """For each visit the place of the baseline of its period."""
    names = dataset["visit"].values.astype(str)
    places = np.flatnonzero([name.endswith("baseline") for name in names])
    return places[np.searchsorted(places, np.arange(len(names)), side="right") - 1]


def by_arm(dataset: xr.Dataset, scale: str) -> pd.DataFrame:
    """Mean and SD of scores and changes of each arm at each visit, over all replicates.

    Columns: arm, visit, hour, n (per replicate), mean, change, sd (of the change), low, high: 95 % of the means of
    single replicates, or the confidence interval where there is one replicate.
    """
    import pandas as pd

    values, base, arm = scores(dataset, scale)
    lines = []
    for name in dict.fromkeys(arm.ravel()):
        inside = arm == name
        change = np.where(inside, values - base, np.nan)
        for k, (visit, hour) in enumerate(zip(dataset["visit"].values, dataset["hour"].values, strict=True)):
            if not np.isfinite(change[:, :, k]).any():
                continue
            low, high = _interval(change[:, :, k])
            lines.append(
                {
                    "arm": name,
                    "visit": str(visit),
                    "hour": float(hour),
                    "n": float(np.isfinite(change[:, :, k]).sum(axis=1).mean()),
                    "mean": float(np.nanmean(np.where(inside, values, np.nan)[:, :, k])),
                    "change": float(np.nanmean(change[:, :, k])),
                    "sd": float(np.nanstd(change[:, :, k], ddof=1)),
                    "low": low,
                    "high": high,
                }
            )
    return pd.DataFrame(lines)


def _interval(change: np.ndarray) -> tuple[float, float]:
    with np.errstate(all="ignore"):
        means = np.array([np.nanmean(row) if np.isfinite(row).any() else np.nan for row in change])
    if len(means) > 1:
        low, high = np.nanpercentile(means, [2.5, 97.5])
        return float(low), float(high)
    error = Z95 * np.nanstd(change, ddof=1) / np.sqrt(np.isfinite(change).sum())
    return float(means[0] - error), float(means[0] + error)


def ancova(dataset: xr.Dataset, scale: str, visit: str, reference: str) -> pd.DataFrame:
    """Difference in change from a reference arm, adjusted for baseline, in every replicate.

    Ordinary least squares of change on baseline and arm, as `statsmodels` OLS gives, in closed form for speed. Columns:
    replicate, arm, difference, se, p, low, high (95 %), n. Raises BadInput for an arm or visit that is not there.
    """
    import pandas as pd

    values, base, arm = scores(dataset, scale)
    place = _place(dataset, visit)
    others = [str(name) for name in dict.fromkeys(arm.ravel()) if name != reference]
    if reference not in arm:
        raise BadInput(f"there is no arm '{reference}'", key="reference", expected=", ".join(others))
    lines = []
    for r in range(len(values)):
        change, start, here = values[r, :, place] - base[r, :, place], base[r, :, place], arm[r, :, place]
        known = np.isfinite(change) & np.isfinite(start)
        columns = [np.ones(known.sum()), start[known] - start[known].mean()]
        columns += [(here[known] == name).astype(float) for name in others]
        for name, fit in zip(others, _fit(np.column_stack(columns), change[known], len(others)), strict=True):
            lines.append({"replicate": int(dataset["replicate"].values[r]), "arm": name, **fit, "n": int(known.sum())})
    return pd.DataFrame(lines)


def _fit(design: np.ndarray, outcome: np.ndarray, last: int) -> list[dict[str, float]]:
    """The last coefficients of a least-squares fit with their errors, t tests and intervals."""
    from scipy.stats import t

    inverse = np.linalg.pinv(design.T @ design)
    beta = inverse @ design.T @ outcome
    free = len(outcome) - design.shape[1]
    variance = np.sum((outcome - design @ beta) ** 2) / max(free, 1)
    errors = np.sqrt(np.maximum(variance * np.diag(inverse), 0))
    reach = t.ppf(0.975, max(free, 1))
    found = []
    for b, se in zip(beta[-last:], errors[-last:], strict=True):
        p = float(2 * t.sf(abs(b / se), max(free, 1))) if se > 0 else float("nan")
        found.append({"difference": b, "se": se, "p": p, "low": b - reach * se, "high": b + reach * se})
    return found


def mmrm(dataset: xr.Dataset, scale: str, reference: str, replicate: int = 0) -> pd.DataFrame:
    """Difference from a reference arm at every visit from all visits together.

    A Gaussian marginal model of change on visit, baseline by visit and arm by visit with an unstructured working
    correlation within a person and robust errors (`statsmodels` GEE): the estimating-equation form of the mixed model
    for repeated measures, valid where who leaves depends on nothing unobserved. Columns: arm, visit, difference, se, p,
    low, high.
    """
    import pandas as pd
    from statsmodels.genmod.cov_struct import Independence, Unstructured
    from statsmodels.genmod.generalized_estimating_equations import GEE

    values, base, arm = (part[replicate] for part in scores(dataset, scale))
    places = [k for k in range(values.shape[1]) if k not in set(baselines(dataset)) and np.isfinite(values[:, k]).any()]
    others = [str(name) for name in dict.fromkeys(arm.ravel()) if name != reference]
    rows, times, people, outcome = [], [], [], []
    for j, k in enumerate(places):
        for i in np.flatnonzero(np.isfinite(values[:, k]) & np.isfinite(base[:, k])):
            row = np.zeros(len(places) * (2 + len(others)))
            row[j], row[len(places) + j] = 1.0, base[i, k] - np.nanmean(base)
            for a, name in enumerate(others):
                row[(2 + a) * len(places) + j] = arm[i, k] == name
            rows.append(row)
            times.append(j)
            people.append(i)
            outcome.append(values[i, k] - base[i, k])
    order = np.lexsort((np.array(times), np.array(people)))
    within = Unstructured() if len(places) > 1 else Independence()
    model = GEE(
        np.array(outcome)[order], np.array(rows)[order], groups=np.array(people)[order],
        time=np.array(times)[order], cov_struct=within,
    )  # fmt: skip
    fit = model.fit()
    interval = fit.conf_int()
    lines = []
    for a, name in enumerate(others):
        for j, k in enumerate(places):
            c = (2 + a) * len(places) + j
            lines.append(
                {
                    "arm": name,
                    "visit": str(dataset["visit"].values[k]),
                    "difference": fit.params[c],
                    "se": fit.bse[c],
                    "p": fit.pvalues[c],
                    "low": interval[c][0],
                    "high": interval[c][1],
                }
            )
    return pd.DataFrame(lines)


def responders(dataset: xr.Dataset, scale: str, response: float, remission: float) -> pd.DataFrame:
    """Percent of each arm with response (fall of at least that share of baseline) and remission at each visit.

    Intention to treat: who was not rated is no responder; `completers` leaves them out. Low and high are 95 % over
    replicates (Wilson interval where there is one).
    """
    import pandas as pd

    values, base, arm = scores(dataset, scale)
    lines = []
    for name in dict.fromkeys(arm.ravel()):
        for k, visit in enumerate(dataset["visit"].values):
            if k in set(baselines(dataset)) or not np.isfinite(values[:, :, k]).any():
                continue
            inside, rated = arm[:, :, k] == name, np.isfinite(values[:, :, k])
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
                    f"{kind}_completers": 100 * float(counts.sum() / max(1, (inside & rated).sum())),
                }
            lines.append(line)
    return pd.DataFrame(lines)


def share_interval(counts: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """95 % interval of a share in percent: over replicates, or Wilson's for one."""
    if len(counts) > 1:
        low, high = np.percentile(100 * counts / n, [2.5, 97.5])
        return float(low), float(high)
    p, m = counts[0] / n[0], n[0]
    middle = (p + Z95**2 / (2 * m)) / (1 + Z95**2 / m)
    half = Z95 * np.sqrt(p * (1 - p) / m + Z95**2 / (4 * m * m)) / (1 + Z95**2 / m)
    return 100 * float(middle - half), 100 * float(middle + half)


def _place(dataset: xr.Dataset, visit: str) -> int:
    names = [str(name) for name in dataset["visit"].values]
    if visit not in names:
        raise BadInput(f"there is no visit '{visit}'", key="visit", expected=", ".join(names))
    return names.index(visit)
