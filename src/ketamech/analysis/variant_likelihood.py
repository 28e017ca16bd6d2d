"""The likelihood of model variants: a term for every published row.

Clinical rows have standard errors; two MADRS points are added to them, because one typical patient is compared with a
trial mean. Perturbation rows are coded "0 abolished, 1 intact", which is significance and not a measured share. Their
likelihood is flat inside the pass band of data/perturbations/rows.csv (or on the side of the observed direction) and
falls as a normal density outside, with an SD of a quarter of the band (a tenth of the bound of an open band). Any row
may mislead (species, dose, chance, bias) with a probability of 1 in 20, so that no single row decides: a complete miss
costs log(20) at most. Every row is simulated for many parameter points at once.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from ketamech.analysis.perturbation_scorecard import (
    HORIZONS,
    STATISTICS,
    PerturbationArm,
    PerturbationTarget,
    direction,
    directions,
    load_perturbation_targets,
    required_arms,
    subject_of_arm,
)
from ketamech.analysis.reference_protocols import Protocol, dosed_micromoles, load_protocols
from ketamech.analysis.scorecard_targets import Target, limit, load_targets
from ketamech.core.constants import SCORE_TOLERANCE
from ketamech.core.csv_table import read_constants, read_table
from ketamech.core.environment import DATA
from ketamech.core.progress import ShareProgress
from ketamech.evidence import Observation, load_evidence, standard_error
from ketamech.simulation.ensemble import Ensemble, Subject, Trajectories
from ketamech.simulation.model import Model
from ketamech.simulation.model_variants import DIRECTORY
from ketamech.simulation.observable import TimeCourse, names_in
from ketamech.simulation.output_times import output_times

MAX_BATCH_BYTES, MAX_BATCH = 2**26, 64
ParameterPoint = Mapping[str, float]


@dataclass(frozen=True)
class Batch:
    """Subjects simulated at many parameter points; `fixed_values` [subject] override the values of a point."""

    ensemble: Ensemble
    fixed_values: Sequence[Mapping[str, float]]
    times: np.ndarray
    outputs: tuple[str, ...]
    threads: int

    @property
    def size(self) -> int:
        """Bytes of the curves of one point."""
        return 8 * self.ensemble.size * len(self.times) * len(self.outputs)

    def solve(self, points: Sequence[ParameterPoint]) -> Trajectories:
        """Every subject at every point, in the order point, subject."""
        names = dict.fromkeys(name for point in points for name in point)
        values = {name: np.concatenate([self._column(name, point) for point in points]) for name in names}
        every = self.ensemble.tiled(len(points), values)
        return every.solve(self.times, self.outputs, tolerance=SCORE_TOLERANCE, threads=self.threads)

    def _column(self, name: str, point: ParameterPoint) -> np.ndarray:
        """Values [subject] of one parameter at a point."""
        usual = self.ensemble.values.get(name, self.ensemble.model.default_values[name])
        own = np.broadcast_to(usual, self.ensemble.size)
        free = np.array([name not in fixed for fixed in self.fixed_values])
        return np.where(free, point.get(name, own), own)


@dataclass(frozen=True)
class VariantPredictor:
    """Predicts the rows of the scorecard, then the rows of the perturbations."""

    model: Model
    threads: int = 1

    @cached_property
    def likelihood_terms(self) -> tuple[LikelihoodTerm, ...]:
        """Every row, in the order of the columns of `predict`."""
        evidence = load_evidence()
        printed = [term_of_target(t, evidence[t.evidence], kind, weight) for t, kind, weight in self._targets]
        same = Counter(_reading(row) for row in self._perturbations)
        return (*printed, *(term_of_perturbation(row, 1 / same[_reading(row)]) for row in self._perturbations))

    @cached_property
    def fitted(self) -> np.ndarray:
        """Which rows are fitted [row]."""
        return np.array([judge.fitted for judge in self.likelihood_terms])

    def predict(self, points: Sequence[ParameterPoint], progress: ShareProgress | None = None) -> np.ndarray:
        """Predicted number [point, row] at each set of canonical values; NaN where a solve failed."""
        predicted = np.full((len(points), len(self.likelihood_terms)), np.nan)
        for first in range(0, len(points), self._points_per_batch):
            part = list(points[first : first + self._points_per_batch])
            here = slice(first, first + len(part))
            predicted[here, : len(self._targets)] = self._printed(part)
            predicted[here, len(self._targets) :] = self._perturbed(part)
            if progress:
                progress(first + len(part), len(points))
        return predicted

    def deviances(self, predicted: np.ndarray) -> np.ndarray:
        """-2 log likelihood [point, row], also of rows that are not fitted."""
        return np.stack([judge.deviance(predicted[:, j]) for j, judge in enumerate(self.likelihood_terms)], axis=-1)

    def distances(self, predicted: np.ndarray) -> np.ndarray:
        """Distance of each row [point, row] in standard errors."""
        return np.stack([judge.distance(predicted[:, j]) for j, judge in enumerate(self.likelihood_terms)], axis=-1)

    @cached_property
    def _points_per_batch(self) -> int:
        each = max(batch.size for batch, _ in (*self._by_horizon, *self._arms))
        return max(1, min(MAX_BATCH_BYTES // each, MAX_BATCH))

    @cached_property
    def _targets(self) -> tuple[tuple[Target, str, float], ...]:
        """Rows of the scorecard that data/variants/rows.csv names, with kind and weight."""
        targets: dict[str, list[Target]] = {}
        for target in load_targets(load_evidence(), self._protocols):
            targets.setdefault(target.evidence, []).append(target)
        values = []
        for row in read_table(DIRECTORY / "rows.csv", COLUMNS):
            name, kind = row.one_of("evidence", targets), row.one_of("kind", ("clinical", "unfitted"))
            values += [(target, kind, row.number("weight")) for target in targets[name]]
        return tuple(values)

    @cached_property
    def _protocols(self) -> dict[str, Protocol]:
        return load_protocols()

    @cached_property
    def _perturbations(self) -> tuple[PerturbationTarget, ...]:
        return tuple(row for row in load_perturbation_targets() if not row.reason_not_run)

    @cached_property
    def _by_horizon(self) -> list[tuple[Batch, list[Protocol]]]:
        """The required protocols and their controls, one batch per horizon."""
        named = {target.protocol for target, _, _ in self._targets}
        named |= {self._protocols[name].control for name in named} - {""}
        chosen = [p for name, p in self._protocols.items() if name in named]
        texts = [text for t, _, _ in self._targets for text in (*t.measure.output.split("|"), t.measure.time)]
        outputs = tuple(dict.fromkeys(name for text in texts if "." in text for name in _names(text)))
        batches = []
        for horizon in sorted({p.horizon for p in chosen}):
            batch = [p for p in chosen if p.horizon == horizon]
            table = self.model.parameters
            values = [p.values(table) for p in batch]
            courses = [Subject(p.id, p.events(table), own) for p, own in zip(batch, values, strict=True)]
            times = self._times(horizon, courses)
            batches.append((self._batch(courses, values, times, outputs), batch))
        return batches

    def _times(self, horizon: float, courses: Sequence[Subject]) -> np.ndarray:
        events = [entry for course in courses for entry in course.events]
        starts = sorted({float(e.time) for e in events} | {float(e.time + e.duration) for e in events})
        exact = {hour for target, _, _ in self._targets for hour in target.measure.stated_hours}
        close = [*exact, *output_times(horizon, starts, per_dose=40)]
        return np.unique(np.round([h for h in close if h <= horizon], 6))

    def _printed(self, points: Sequence[ParameterPoint]) -> np.ndarray:
        """Rows of the scorecard [point, row], in their printed units."""
        curves: list[dict[str, TimeCourse]] = [{} for _ in points]
        for courses, batch in self._by_horizon:
            solved = courses.solve(points)
            values, resting = _by_point(solved.values, len(points)), _by_point(solved.baseline, len(points))
            doses = [dosed_micromoles(p.events(self.model.parameters)) for p in batch]
            for i, patient_curves in enumerate(curves):
                for j, p in enumerate(batch):
                    own = {name: values[i, j, :, k] for k, name in enumerate(courses.outputs)}
                    still = dict(zip(courses.outputs, resting[i, j], strict=True))
                    patient_curves[p.id] = TimeCourse(courses.times, own, still, doses[j])
        return np.array(
            [[self._read(target, patient_curves) for target, _, _ in self._targets] for patient_curves in curves]
        )

    def _read(self, target: Target, curves: Mapping[str, TimeCourse]) -> float:
        control = curves.get(self._protocols[target.protocol].control)
        factor = target.printed_factor(load_evidence()[target.evidence], self.model.layout.units)
        return target.measure.read(curves[target.protocol], control) / factor

    @cached_property
    def _arms(self) -> list[tuple[Batch, list[PerturbationArm]]]:
        """The arms of the perturbations, one batch per horizon."""
        needed = required_arms(self._perturbations)
        outputs = tuple(dict.fromkeys(row.output for row in self._perturbations))
        exact = {row.until for row in self._perturbations} | {24.0}
        subjects = []
        for below, horizon in pairwise((0.0, *HORIZONS)):
            arms = [arm for arm, until in needed.items() if below < until <= horizon]
            parts = [subject_of_arm(arm, self.model.parameters) for arm in arms]
            courses = [course for course, _ in parts]
            close = [*output_times(horizon, per_dose=40), *np.linspace(0, 2, 41), *exact]
            times = np.unique([h for h in close if h <= horizon])
            fixed = [sets for _, sets in parts]
            if arms:
                subjects.append((self._batch(courses, fixed, times, outputs), arms))
        return subjects

    def _batch(
        self, courses: Sequence[Subject], fixed: Sequence[ParameterPoint], times: np.ndarray, outputs: tuple[str, ...]
    ) -> Batch:
        return Batch(Ensemble.of_subjects(self.model, courses), fixed, times, outputs, self.threads)

    def _perturbed(self, points: Sequence[ParameterPoint]) -> np.ndarray:
        """Rows of the perturbations [point, row]."""
        curves: list[dict[PerturbationArm, TimeCourse]] = [{} for _ in points]
        for courses, arms in self._arms:
            values = _by_point(courses.solve(points).values, len(points))
            for i, patient_curves in enumerate(curves):
                for j, arm in enumerate(arms):
                    own = {name: values[i, j, :, k] for k, name in enumerate(courses.outputs)}
                    patient_curves[arm] = TimeCourse(courses.times, own, {})
        rows = self._perturbations
        return np.array([[STATISTICS[row.statistic](row, patient_curves) for row in rows] for patient_curves in curves])


def _by_point(values: np.ndarray, points: int) -> np.ndarray:
    """Values [point, subject, ...] of values [point x subject, ...]."""
    return values.reshape(points, -1, *values.shape[1:])


def _names(text: str) -> tuple[str, ...]:
    """Outputs in an expression or a condition."""
    return names_in(text.split(">")[0].split("<")[0]) if not text[:1].isdigit() else ()


def _reading(row: PerturbationTarget) -> tuple[object, ...]:
    """Treatment and reading: rows with the same key are one simulated number and share its weight."""
    treatment = (row.species, row.regimen, row.perturbations, row.settings)
    return (*treatment, row.output, row.curve_statistic, row.time, row.statistic)


COLUMNS = ("evidence", "kind", "weight", "why")
CONSTANTS = DATA / "variants" / "likelihood.csv"


@dataclass(frozen=True)
class LikelihoodTerm:
    """The likelihood of one published row: a value with its error, or a band with soft edges.

    `kind`: clinical | perturbation | unfitted; `is_correct` tests the direction of a simulated number.
    """

    evidence: str
    kind: str
    description: str
    weight: float
    low: float
    high: float
    error: float
    is_correct: Callable[[float], bool]

    @property
    def fitted(self) -> bool:
        """Whether it is fitted, or only predicted."""
        return self.kind != "unfitted"

    def distance(self, simulated: np.ndarray) -> np.ndarray:
        """Signed distance of simulated numbers, of any shape, from the band in standard errors; 0 within the band."""
        beyond = np.maximum(simulated - self.high, 0.0) - np.maximum(self.low - simulated, 0.0)
        return np.asarray(beyond / self.error)

    def deviance(self, simulated: np.ndarray) -> np.ndarray:
        """-2 log likelihood of simulated numbers, of any shape, times the weight.

        0 when met, at most -2 log of the probability that a row misleads.
        """
        far = np.nan_to_num(self.distance(simulated), nan=np.inf, posinf=np.inf, neginf=np.inf)
        error = read_constants(CONSTANTS)["error_probability"]
        likelihood = (1 - error) * np.exp(-np.minimum(far**2, 1e3) / 2) + error
        return np.asarray(-2 * self.weight * np.log(likelihood))


def term_of_target(target: Target, row: Observation, kind: str, weight: float) -> LikelihoodTerm:
    """A row of the scorecard: in its printed unit."""
    words = f"{target.protocol}: {target.measure.output} {target.measure.time}".strip()
    if target.comparison in ("z", "fold"):
        own = standard_error(row)
        constants = read_constants(CONSTANTS)
        own = own if math.isfinite(own) else constants["fold_sd"] * abs(row.value)
        error = math.hypot(own, constants["typical_patient_sd"] * abs(target.measure.factor))
        value, low, high = row.value, row.value, row.value
        return LikelihoodTerm(
            row.id, kind, words, weight, low, high, error, lambda x: x * value > 0 or abs(x - value) < error
        )
    low, high = _printed_band(target, row)
    return LikelihoodTerm(row.id, kind, words, weight, low, high, _edge(low, high), lambda x: low <= x <= high)


def term_of_perturbation(row: PerturbationTarget, weight: float) -> LikelihoodTerm:
    """A row of data/perturbations/rows.csv: its pass band, or the side of the observed direction."""
    low, high = row.low, row.high
    if math.isnan(low) and math.isnan(high):
        low, high = directions()[row.statistic.split()[0]][row.observed]
    low, high = (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)
    words = f"{row.species}, {row.perturbations or row.regimen}: {row.output} at {row.time} h, {row.statistic}"
    return LikelihoodTerm(
        row.evidence, "perturbation", words, weight, low, high, _edge(low, high),
        lambda x: direction(row.statistic, x) == row.observed,
    )  # fmt: skip


def _printed_band(target: Target, row: Observation) -> tuple[float, float]:
    """The pass band of the scorecard, the printed range, or the side of the published sign."""
    if target.comparison == "sign":
        no_change = limit("no_change")
        sides = {1.0: (1 + no_change, math.inf), -1.0: (-math.inf, 1 - no_change)}
        return sides.get(row.value, (1 - no_change, 1 + no_change))
    low, high = (target.low, target.high) if target.has_band else row.spread.limits
    return (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)


def _edge(low: float, high: float) -> float:
    """SD of the edge of a band."""
    constants = read_constants(CONSTANTS)
    if math.isfinite(low) and math.isfinite(high):
        return max(constants["closed_band_edge"] * (high - low), constants["min_band_edge"])
    return max(constants["open_band_edge"] * abs(low if math.isfinite(low) else high), constants["min_band_edge"])
