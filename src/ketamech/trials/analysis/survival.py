"""Time to relapse: Kaplan-Meier, log-rank test and Cox hazard ratio, through lifelines."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core.progress import check_interrupt
from ketamech.core.statistics import interval
from ketamech.core.units import DAY

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

    @cached_property
    def hazard_ratios(self) -> pd.DataFrame:
        """The hazard ratio of every replicate with patients at risk: hazard_ratio, low, high, p, reason."""
        rows = []
        for _, part in self.events.groupby("replicate"):
            check_interrupt()
            ratio, reason = _ratio(part, list(self.compared))
            rows.append({**ratio, "reason": reason})
        return pd.DataFrame(rows)


def time_to_relapse(dataset: xr.Dataset, *, order: Sequence[str] = ()) -> RelapseAnalysis:
    """Time to relapse of the patients at risk, from the variables that `run_trial` adds where relapse is defined.

    Groups are the decisions about patients, or arms where there was none; those of `order` come first, in this order,
    and the first two groups are compared. A patient who leaves or is not rated again is censored at the last rating.
    """
    events = _events(dataset)
    seen = [str(g) for g in dict.fromkeys(events["group"])]
    groups = [*(name for name in order if name in seen), *(name for name in seen if name not in order)]
    curves = pd.concat([_curve(events[events.group == g], g) for g in groups]) if groups else pd.DataFrame()
    medians = pd.DataFrame([median_times(events[events.group == g], g) for g in groups], columns=MEDIAN_COLUMNS)
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


def median_times(events: pd.DataFrame, group: str) -> dict[str, Any]:
    """Median days to relapse (Kaplan-Meier) of one group: of all patients, and 95 % (low, high) over the replicates.

    Of one replicate low and high are where its 95 % band crosses a half. `events`: replicate, days, relapsed. `n`:
    patients of a replicate. A median or limit that is not reached is infinite.
    """
    from lifelines import KaplanMeierFitter
    from lifelines.utils import median_survival_times

    def fitted(part: pd.DataFrame) -> KaplanMeierFitter:
        check_interrupt()
        return KaplanMeierFitter().fit(part["days"], part["relapsed"])

    each = [float(fitted(part).median_survival_time_) for _, part in events.groupby("replicate")]
    low, high = interval(each, nearest=True)
    if len(each) == 1:
        low, high = sorted(median_survival_times(fitted(events).confidence_interval_).to_numpy(float).ravel().tolist())
    median = float(fitted(events).median_survival_time_)
    return {"group": group, "n": len(events) / len(each), "median_days": median, "low": low, "high": high}


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
