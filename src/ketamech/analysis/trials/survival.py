"""Time to relapse: Kaplan-Meier, log-rank test and Cox hazard ratio, through lifelines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ketamech.analysis.trials.effects import scores

if TYPE_CHECKING:
    import pandas as pd

DAY = 24.0


@dataclass(frozen=True)
class Relapse:
    """`events` (one line a person at risk: replicate, patient, group, days, relapsed), curves and tests.

    `curves`: group, day, still_well; `median` days by group with 95 % over replicates; `hazard_ratio` of the second
    group against the first with interval and log-rank p (replicate 0), where there are two groups.
    """

    events: pd.DataFrame
    curves: pd.DataFrame
    median: pd.DataFrame
    hazard_ratio: dict[str, float]


def time_to_relapse(dataset: xr.Dataset, scale: str, visit: str, share: float, response: float = 0.5) -> Relapse:
    """Relapse of those who had responded at `visit`: the first later rating above `share` of baseline.

    Groups are what was decided about people at that visit, or arms where nothing was. Who leaves or is not rated again
    is censored when last rated.
    """
    import pandas as pd

    events = _events(dataset, scale, visit, share, response)
    groups = [str(g) for g in dict.fromkeys(events["group"])] if len(events) else []
    curves = pd.concat([_curve(events[events.group == g], g) for g in groups]) if groups else pd.DataFrame()
    medians = pd.DataFrame([_medians(events[events.group == g], g) for g in groups])
    return Relapse(events, curves, medians, _ratio(events, groups))


def _events(dataset: xr.Dataset, scale: str, visit: str, share: float, response: float) -> pd.DataFrame:
    import pandas as pd

    values, base, arm = scores(dataset, scale)
    names = [str(name) for name in dataset["visit"].values]
    start, hours = names.index(visit), dataset["visit_time"].values
    decided = dataset["decision"].values
    lines: list[dict[str, Any]] = []
    for r, i in np.argwhere(values[:, :, start] <= (1 - response) * base[:, :, start]):
        later = np.arange(start + 1, values.shape[2])
        later = later[np.isfinite(values[r, i, later])]
        back = later[values[r, i, later] > share * base[r, i, later]]
        end = back[0] if len(back) else later[-1] if len(later) else start
        days = (hours[r, i, end] - hours[r, i, start]) / DAY
        group = decided[r, i] or arm[r, i, start]
        lines.append({"replicate": int(r), "patient": int(i), "group": group, "days": days, "relapsed": len(back) > 0})
    return pd.DataFrame(lines, columns=["replicate", "patient", "group", "days", "relapsed"])


def _curve(events: pd.DataFrame, group: str) -> pd.DataFrame:
    import pandas as pd
    from lifelines import KaplanMeierFitter

    fit = KaplanMeierFitter().fit(events["days"], events["relapsed"])
    interval = fit.confidence_interval_
    return pd.DataFrame(
        {
            "group": group,
            "day": fit.survival_function_.index.to_numpy(),
            "still_well": fit.survival_function_.iloc[:, 0].to_numpy(),
            "low": interval.iloc[:, 0].to_numpy(),
            "high": interval.iloc[:, 1].to_numpy(),
        }
    )


def _medians(events: pd.DataFrame, group: str) -> dict[str, Any]:
    from lifelines import KaplanMeierFitter

    def median(part: pd.DataFrame) -> float:
        return float(KaplanMeierFitter().fit(part["days"], part["relapsed"]).median_survival_time_)

    each = [median(part) for _, part in events.groupby("replicate")]
    low, high = np.percentile(each, [2.5, 97.5], method="nearest")
    return {"group": group, "n": len(events) / len(each), "median_days": median(events), "low": low, "high": high}


def _ratio(events: pd.DataFrame, groups: list[str]) -> dict[str, float]:
    """Cox hazard ratio of the second group against the first."""
    if len(groups) < 2:
        return {}
    from lifelines import CoxPHFitter
    from lifelines.statistics import logrank_test

    two = events[(events.group == groups[0]) | (events.group == groups[1])]
    first = two[two.replicate == two.replicate.min()]
    split = first.assign(second=(first.group == groups[1]).astype(float), relapsed=first.relapsed.astype(float))
    if split.second.nunique() < 2 or not split.relapsed.sum():
        return {}
    fit = CoxPHFitter().fit(split[["days", "relapsed", "second"]], "days", "relapsed")
    a, b = (split[split.second == k] for k in (0.0, 1.0))
    test = logrank_test(a["days"], b["days"], a["relapsed"], b["relapsed"])
    low, high = np.exp(fit.confidence_intervals_.iloc[0])
    return {"hazard_ratio": float(fit.hazard_ratios_.iloc[0]), "low": low, "high": high, "p": float(test.p_value)}
