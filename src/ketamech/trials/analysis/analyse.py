"""The analysis of a simulated trial as its file specifies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ketamech.simulation.nca_tables import AnalysedProfile
from ketamech.trials.analysis.adam_tables import LEVELS
from ketamech.trials.analysis.event_shares import event_shares
from ketamech.trials.analysis.exposure import exposure_of_visits
from ketamech.trials.analysis.repeated_measures import mmrm
from ketamech.trials.analysis.survival import RelapseAnalysis, time_to_relapse
from ketamech.trials.analysis.treatment_effects import ancova, mean_change_by_arm, responders, response_differences
from ketamech.trials.design import Trial

if TYPE_CHECKING:
    import pandas as pd

CONTROLS = ("placebo", "saline", "midazolam", "sham", "control")


@dataclass(frozen=True)
class TrialAnalysis:
    """Tables of a trial.

    `means` and `shares` (percent with response and remission) by scale; the `primary` comparison in every replicate by
    analysis of covariance (ANCOVA), and the difference in `response` at the same visit;
    `repeated`: all visits of the first replicate, by a mixed model for repeated measures (MMRM); `relapse`;
    `exposure`: levels of the patients of the first replicate, analysed by NCA; `dropout`: percent of each arm;
    `failed`: fraction of patients that could not be solved; `events`: percent of each arm with each event. What cannot
    be estimated is NaN.
    """

    reference: str
    means: dict[str, pd.DataFrame]
    shares: dict[str, pd.DataFrame]
    primary: pd.DataFrame
    response: pd.DataFrame
    repeated: pd.DataFrame
    relapse: RelapseAnalysis | None
    exposure: list[AnalysedProfile]
    dropout: dict[str, float]
    failed: float
    events: tuple[dict[str, Any], ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def not_estimated(self) -> dict[str, str]:
        """What cannot be estimated from these patients, and why."""
        found = {}
        for name, table in (
            ("difference (ANCOVA)", self.primary),
            ("difference (MMRM)", self.repeated),
            ("difference in response", self.response),
        ):
            reasons = dict.fromkeys(text for text in table.get("reason", ()) if text)
            if reasons:
                found[name] = "; ".join(reasons)
        if self.relapse is not None and self.relapse.reason:
            found["time to relapse"] = self.relapse.reason
        return found


def analyse(dataset: xr.Dataset, trial: Trial) -> TrialAnalysis:
    """All tables of the report of a trial. Failed patients are missing; nothing is imputed."""
    import pandas as pd

    rated = [name for name in trial.scales if name not in LEVELS]
    falling = [name for name in rated if trial.scales[name].response > 0]
    reference = reference_arm(trial)
    scale, visit = trial.primary
    last = f"period 1: {visit}" if trial.washout else visit
    several = len(trial.arms) > 1 and scale in rated
    primary = ancova(dataset, scale, last, reference) if several else pd.DataFrame()
    return TrialAnalysis(
        reference,
        {name: mean_change_by_arm(dataset, name) for name in trial.scales},
        {n: responders(dataset, n, trial.scales[n].response, trial.scales[n].remission) for n in falling},
        primary,
        response_differences(dataset, scale, last, reference, trial.scales[scale].response)
        if several and trial.scales[scale].response > 0
        else pd.DataFrame(),
        mmrm(dataset, scale, reference) if several and not trial.washout else pd.DataFrame(),
        time_to_relapse(dataset, order=_groups(trial)) if trial.relapse else None,
        exposure_of_visits(dataset, LEVELS),
        _left(dataset),
        float((dataset["solve_status"].values != "ok").mean()),
        event_shares(dataset, trial.events),
    )


def reference_arm(trial: Trial) -> str:
    """The control arm: the first whose name contains one of CONTROLS, else the last arm."""
    return next((arm.name for arm in trial.arms if is_control(arm.name)), trial.arms[-1].name)


def is_control(arm: str) -> bool:
    """Whether the name of an arm contains one of CONTROLS."""
    return any(word in arm.lower() for word in CONTROLS)


def _groups(trial: Trial) -> list[str]:
    """Names of groups in the order of the file: options of randomised steps, then arms."""
    return [name for step in trial.steps for name in step.names] + [arm.name for arm in trial.arms]


def _left(dataset: xr.Dataset) -> dict[str, float]:
    """Percent of each arm that left early."""
    arm, left = dataset["arm"].values[:, :, 0], np.isfinite(dataset["left"].values)
    return {str(name): 100 * float(left[arm == name].mean()) for name in dict.fromkeys(arm.ravel())}
