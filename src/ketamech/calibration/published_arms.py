"""Published arms as targets of weights: baseline, score or change with their SDs, and the share of responders.

The numbers are the evidence rows of data/calibration/rows.csv and spreads.csv, all from one publication. The weights of
the virtual patients of an arm are those of `ketamech.population.weights`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from ketamech.calibration.clinical_targets import ClinicalTarget, load_clinical_targets, load_spread_targets
from ketamech.core import InputError
from ketamech.evidence import standard_error
from ketamech.population.weights import effective_size, tilted_weights, weighted_mean_and_sd
from ketamech.trials.analysis.treatment_effects import scores, visit_names
from ketamech.trials.trial_reader import shipped_trial

SD_OF_MOMENT = {"baseline mean": "baseline SD", "mean": "SD", "change": "SD of change"}
RESPONSE = "response (%)"
MOMENTS = (*(name for pair in SD_OF_MOMENT.items() for name in pair), RESPONSE)  # as they are shown
MIN_EFFECTIVE_PATIENTS = 10.0  # an arm with fewer counts as not met


@dataclass(frozen=True)
class PublishedArm:
    """The published `moments` {name: number} of an arm at a visit, and the evidence rows that hold them."""

    trial: str
    arm: str
    scale: str
    visit: str
    moments: Mapping[str, float]
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class WeightedArm:
    """Weights [patient], mean 1, of the `patients` of an arm that are rated at a visit; `reason`: why there are none.

    `simulated` and `weighted` {moment: number}: without and with the weights.
    """

    arm: PublishedArm
    replicate: int
    patients: np.ndarray
    weights: np.ndarray
    simulated: Mapping[str, float]
    weighted: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    @property
    def effective_size(self) -> float:
        """Effective number of patients; 0 without weights."""
        return effective_size(self.weights) if self.weights.size else 0.0


def published_arms(trial: str | None = None) -> list[PublishedArm]:
    """Every arm at every visit with a published mean (of score or change) and its SD; of one trial or of all."""
    targets = [t for t in load_clinical_targets() if t.row.has_public_source and not t.control_arm]
    spreads = {(t.row.id, t.statistic): t.published for t in load_spread_targets()}
    arms = []
    for target in targets:
        moments = _moments(target, spreads)
        if len(moments) < 2 or target.visit == "baseline" or trial not in (None, target.trial):
            continue
        beside = [other for other in targets if other is not target and _belongs(other, target)]
        used = [other for other in beside if other.visit == "baseline" or other.statistic == "response"]
        for other in used:
            moments |= _moments(other, spreads)
        ids = (target.row.id, *(other.row.id for other in used))
        arms.append(PublishedArm(target.trial, target.arm, target.scale, target.visit, moments, ids))
    return arms


def _belongs(other: ClinicalTarget, target: ClinicalTarget) -> bool:
    """Whether a row is of the same publication, arm and scale, at the same visit or at baseline."""
    keys = [(row.row.reference, row.trial, row.arm, row.scale) for row in (other, target)]
    return keys[0] == keys[1] and other.visit in (target.visit, "baseline")


def _moments(target: ClinicalTarget, spreads: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """The mean with its SD, or the share, of a row; empty for other statistics."""
    if target.statistic == "response":
        return {RESPONSE: target.published}
    name = {"mean": "mean", "change": "change", "fall": "change"}.get(target.statistic)
    if name is None:
        return {}
    name = "baseline mean" if target.visit == "baseline" else name
    sign = -1 if target.statistic == "fall" else 1
    of_spread = "spread of change" if name == "change" else "spread"
    printed = standard_error(target.row) * np.sqrt(target.row.n or np.nan)
    sd = spreads.get((target.row.id, of_spread), float(printed))
    return {name: sign * target.published} | ({SD_OF_MOMENT[name]: sd} if np.isfinite(sd) else {})


def weigh_arms(dataset: xr.Dataset, arms: list[PublishedArm]) -> Iterator[WeightedArm]:
    """Weights for each published arm in each replicate of a simulated trial."""
    for arm in arms:
        for place in range(dataset.sizes["replicate"]):
            yield weigh_arm(dataset, arm, place)


def weigh_arm(dataset: xr.Dataset, arm: PublishedArm, place: int = 0) -> WeightedArm:
    """Weights of the patients of an arm in one replicate, by its index."""
    values, bases, groups = scores(dataset, arm.scale)
    visit = visit_names(dataset).index(arm.visit)
    score, base = values[place, :, visit], bases[place, :, visit]
    rated = np.isfinite(score) & np.isfinite(base) & (groups[place, :, visit] == arm.arm)
    patients = np.flatnonzero(rated)
    threshold = 1 - shipped_trial(arm.trial).scales[arm.scale].response
    known = _Ratings(score[rated], base[rated], threshold)
    simulated = known.moments(arm.moments, np.ones(len(patients)))
    features, goals = known.features(arm.moments)
    number = int(dataset["replicate"].values[place])
    try:
        weights = tilted_weights(features, goals, least_effective=MIN_EFFECTIVE_PATIENTS)
    except InputError as problem:
        return WeightedArm(arm, number, patients, np.array([]), simulated, reason=problem.what)
    return WeightedArm(arm, number, patients, weights, simulated, known.moments(arm.moments, weights))


@dataclass(frozen=True)
class _Ratings:
    """Scores and baselines [patient]; a patient whose score is at most `threshold` of the baseline responds."""

    score: np.ndarray
    base: np.ndarray
    threshold: float

    def _of(self, name: str) -> np.ndarray:
        return {"baseline mean": self.base, "mean": self.score, "change": self.score - self.base}[name]

    @property
    def _response(self) -> np.ndarray:
        return 100.0 * (self.score <= self.threshold * self.base)

    def features(self, moments: Mapping[str, float]) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """What each patient contributes to each moment, and the target of its mean.

        For an SD it is the squared deviation from the published mean, divided by that SD.
        """
        columns, goals = {}, {}
        for name, sd in SD_OF_MOMENT.items():
            if name in moments:
                columns[name], goals[name] = self._of(name), moments[name]
            if name in moments and sd in moments:
                columns[sd], goals[sd] = (self._of(name) - moments[name]) ** 2 / moments[sd], moments[sd]
        if RESPONSE in moments:
            columns[RESPONSE], goals[RESPONSE] = self._response, moments[RESPONSE]
        return columns, goals

    def moments(self, wanted: Mapping[str, float], weights: np.ndarray) -> dict[str, float]:
        """The moments that are `wanted`, with weights [patient]."""
        simulated = {}
        for name, sd in SD_OF_MOMENT.items():
            if name in wanted:
                simulated[name], simulated[sd] = weighted_mean_and_sd(self._of(name), weights)
        if RESPONSE in wanted:
            simulated[RESPONSE] = float(np.average(self._response, weights=weights))
        return {name: simulated[name] for name in wanted}
