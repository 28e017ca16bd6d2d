"""Comparison of regimens: benefit, dissociation and blood pressure with their uncertainty, and the Pareto front.

Every regimen is simulated in the same virtual patients with the same draws (common random numbers): draws of the
posterior, and of the spreads of the parameters of dissociation, blood pressure and enantiomer potency, which no trial
of the calibration informs. Benefit is the MADRS of the same patients with expectancy alone minus their MADRS under
treatment, averaged over the days from 24 h on. Each regimen is also compared with those studied in depressed patients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from ketamech.core.checkpoint import Arrays
from ketamech.core.constants import SCORE_TOLERANCE
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.execution import LOCAL_EXECUTOR, Executor
from ketamech.core.statistics import interval
from ketamech.core.units import DAY
from ketamech.dosing.dose_events import control_events
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Treatment
from ketamech.evidence import evidence_ids, load_evidence
from ketamech.population.random_draws import adherence_function, draw_parameters
from ketamech.population.virtual_population import load_population
from ketamech.simulation.ensemble import Trajectories
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import STUDIED_COLUMNS, STUDIED_REGIMENS, Scenario
from ketamech.simulation.simulate import DoseChange, ensemble_of_scenario
from ketamech.trials.rating_scales import load_scales

SAME_DURATION, SAME_AMOUNT = 0.1, 1e-6  # h between two infusions of the same kind; relative difference of amounts
STUDIED, NO_CONTROL, OTHER_SCHEDULE = "controlled trial", "uncontrolled study", "dose studied, schedule not"
WITHOUT = "without evidence"
RESAMPLES, FEW_PATIENTS = 200, 100  # samples of the patients for the intervals; below this number a note is due


@dataclass(frozen=True)
class StudiedRegimen:
    """A regimen, whether the study had a control group, and its evidence rows."""

    treatment: Treatment
    has_control: bool
    evidence: tuple[str, ...]
    why: str

    def has_same_dose(self, other: Treatment) -> bool:
        """Whether drug, route, amount and duration of one dose are the same."""
        own = self.treatment
        same = (own.drug, own.route, own.unit) == (other.drug, other.route, other.unit)
        if not same or own.amount is None or other.amount is None:
            return False
        is_near = abs(own.amount - other.amount) <= SAME_AMOUNT * own.amount
        return is_near and abs(own.duration - other.duration) < SAME_DURATION

    def has_same_schedule(self, other: Treatment, until: float) -> bool:
        """Whether the doses up to `until` (h), or up to the end of the study, are given at the same times."""
        own_times, other_times = (list(one.taken(until).values()) for one in (self.treatment, other))
        common = min(len(own_times), len(other_times))
        is_single = len(own_times) == 1
        return is_single == (len(other_times) == 1) and own_times[:common] == other_times[:common]


@dataclass(frozen=True)
class RegimenEvidence:
    """What kind of evidence there is for a regimen, and the ids of its rows."""

    kind: str
    evidence: tuple[str, ...]


@cache
def load_studied_regimens() -> tuple[StudiedRegimen, ...]:
    """Every studied regimen. Raises InputError for an unknown evidence row or an unreadable regimen."""
    return tuple(_studied(row) for row in read_table(STUDIED_REGIMENS, STUDIED_COLUMNS))


def _studied(row: CsvRow) -> StudiedRegimen:
    row.required("evidence", "ids of data/evidence")
    ids = evidence_ids(row, load_evidence())
    (treatment,) = Regimen.parse(row.required("regimen", "a regimen")).treatments
    return StudiedRegimen(treatment, row.is_yes("control"), ids, row["why"])


def evidence_of_regimen(regimen: Regimen, until: float) -> RegimenEvidence:
    """The best evidence for the doses of a regimen before `until` (h); several treatments together were not studied."""
    if len(regimen.treatments) != 1:
        return RegimenEvidence(WITHOUT, ())
    studies = dict(reversed(list(_matches(regimen.treatments[0], until))))
    for kind in (STUDIED, NO_CONTROL, OTHER_SCHEDULE):
        if kind in studies:
            return RegimenEvidence(kind, studies[kind])
    return RegimenEvidence(WITHOUT, ())


def _matches(treatment: Treatment, until: float) -> Iterator[tuple[str, tuple[str, ...]]]:
    for regimen in load_studied_regimens():
        if regimen.has_same_dose(treatment):
            is_whole = regimen.has_same_schedule(treatment, until)
            kind = OTHER_SCHEDULE if not is_whole else STUDIED if regimen.has_control else NO_CONTROL
            yield kind, regimen.evidence


OUTPUTS = MADRS, CADSS, SYSTOLIC = "mood.madrs", "dissociation.cadss", "haemodynamics.systolic_rise"
UNFITTED_STAGES = ("dissociation", "haemodynamics", "nmda.enantiomer_ratio")  # not informed by the calibration
# h; peaks after intramuscular doses are sharp
DENSE_TIMES = np.round(np.concatenate([np.arange(0, 3, 0.05), np.arange(3, 8.1, 0.25)]), 4)


@dataclass(frozen=True)
class CandidateRegimen:
    """A regimen: its name and its sentence."""

    name: str
    sentence: str


def candidates(
    doses: Mapping[str, Sequence[float]], minutes: Sequence[float], frequencies: Sequence[str], weeks: int
) -> list[CandidateRegimen]:
    """All combinations of `doses` {template with {dose} and {over}: amounts}, infusion times and schedules."""
    regimens = []
    for words, amounts in doses.items():
        for amount in amounts:
            for over in minutes if "{over}" in words else (0.0,):
                for frequency in frequencies:
                    dose_words = words.format(dose=f"{amount:g}", over=f"{over:g} min")
                    regimens.append(
                        CandidateRegimen(f"{dose_words}, {frequency}", f"{dose_words} {frequency} for {weeks} weeks")
                    )
    return regimens


def compare_regimens(
    model: Model, regimens: Sequence[CandidateRegimen], *, weeks: int = 4, patients: int = 100, population: str = "trd",
    seed: int = 1, posterior: Sequence[Mapping[str, float]] = (), draws: int = 20, threads: int = 1,
    progress: Callable[[int], None] | None = None, work: Executor = LOCAL_EXECUTOR,
) -> pd.DataFrame:  # fmt: skip
    """One line per regimen, each number with a 95 % interval, and whether it is on the Pareto `front`.

    Benefit (points), cadss (mean peak), systolic (mean peak, mmHg), dissociating_share (above 4 CADSS points). The
    interval holds the uncertainty of the parameters (draws) and the sampling error of the patients, who are drawn with
    replacement. `front_share`: share of draws in which it is on the front. `evidence`:
    the kind of study of this dose and schedule in depressed patients, or "without evidence"; `rows`: its evidence rows.
    Raises InputError for an implausible dose.
    """
    times = np.unique(np.concatenate([DENSE_TIMES, np.arange(DAY, weeks * 168.0 + 1, DAY)]))
    scenarios = tuple(load_scenario(regimen.sentence, model.parameters) for regimen in regimens)
    some = list(posterior)[:draws] or [{}]
    trying = _RegimenEvaluator(model, scenarios, population, patients, seed, times, threads)
    numbers = np.full((len(regimens), len(some), 4), np.nan)
    by_patient = np.full((len(regimens), len(some), 4, patients), np.nan)
    spread = _spreads(model, seed, len(some))
    bases = {f"draw-{d}": {**spread[d], **drawn} for d, drawn in enumerate(some)}
    for d, evaluated in enumerate(work.map(bases, trying.evaluate)):
        numbers[:, d], by_patient[:, d] = evaluated["endpoints"], evaluated["by_patient"]
        if progress:
            progress((d + 1) * len(regimens))
    resampled = resampled_means(by_patient, seed)
    lines = []
    for k, regimen in enumerate(regimens):
        known = evidence_of_regimen(scenarios[k].regimen, weeks * 168.0)
        line: dict[str, object] = {"regimen": regimen.name, "sentence": regimen.sentence, "evidence": known.kind}
        for j, name in enumerate(("benefit", "cadss", "dissociating_share", "systolic")):
            low, high = interval(resampled[k, :, j])
            line |= {name: float(np.nanmean(numbers[k, :, j])), f"{name}_low": low, f"{name}_high": high}
        lines.append({**line, "rows": "; ".join(known.evidence)})
    table = pd.DataFrame(lines)
    aims, signs = [0, 1, 3], np.array([1, -1, -1])
    share = np.mean([pareto_front(numbers[:, d][:, aims] * signs) for d in range(len(some))], axis=0)
    return table.assign(front=pareto_front(np.nanmean(numbers[:, :, aims], axis=1) * signs), front_share=share)


def resampled_means(by_patient: np.ndarray, seed: int) -> np.ndarray:
    """Means [regimen, draw, aim, sample] of patients drawn with replacement, the same for every regimen and draw."""
    patients = by_patient.shape[-1]
    counts = np.random.default_rng(seed).multinomial(patients, np.full(patients, 1 / patients), RESAMPLES).astype(float)
    known = np.isfinite(by_patient)
    with np.errstate(invalid="ignore"):  # a sample without a solved patient
        means: np.ndarray = np.where(known, by_patient, 0.0) @ counts.T / (known.astype(float) @ counts.T)
    return means


def _spreads(model: Model, seed: int, draws: int) -> list[dict[str, float]]:
    """Parameter values that are not in the posterior, one dictionary per draw; empty for a single draw."""
    if draws == 1:
        return [{}]
    rows = [
        row for row in model.parameters.values() if row.name.startswith(UNFITTED_STAGES) and row.spread.kind != "fixed"
    ]
    names = [row.name for row in rows]
    values = draw_parameters(model.parameters, names, seed, range(draws))
    return [dict(zip(names, map(float, line), strict=True)) for line in values]


def pareto_front(points: np.ndarray) -> np.ndarray:
    """Mask of the points [point, aim] (more is better) that no other point dominates."""
    beaten = []
    for p in points:
        better = np.all(points >= p, axis=1) & np.any(points > p, axis=1)
        beaten.append(bool(better.any()) or not np.all(np.isfinite(p)))
    return ~np.array(beaten)


@dataclass(frozen=True)
class _RegimenEvaluator:
    """Simulates all regimens in the same virtual patients, one draw at a time."""

    model: Model
    regimens: tuple[Scenario, ...]
    population: str
    patients: int
    seed: int
    times: np.ndarray
    threads: int

    def evaluate(self, base: Mapping[str, float]) -> Arrays:
        """Endpoints [regimen, aim] under one draw of the posterior."""
        drawn = load_population(self.population)
        people = drawn.draw(self.model.parameters, self.seed, range(self.patients), replicate=0, base=base)
        values: dict[str, np.ndarray | float] = {**base, **people.values}
        evaluated = [self._endpoints(regimen, values) for regimen in self.regimens]
        by_aim, by_patient = (np.array(part) for part in zip(*evaluated, strict=True))
        return {"endpoints": by_aim, "by_patient": by_patient}

    def _endpoints(self, regimen: Scenario, values: Mapping[str, np.ndarray | float]) -> tuple[np.ndarray, np.ndarray]:
        """Benefit, mean peak CADSS, share above 4 points, and mean peak systolic rise: [aim] and [aim, patient]."""
        free = {name: value for name, value in values.items() if name not in regimen.values}
        treated = self._solved(regimen, free)
        untreated = self._solved(regimen, free, control_events)
        later = self.times >= DAY
        gain = untreated.of(MADRS)[:, later] - treated.of(MADRS)[:, later]
        peak, systolic = treated.of(CADSS).max(axis=1), treated.of(SYSTOLIC).max(axis=1)
        above = np.where(np.isfinite(peak), peak > load_scales()["CADSS"].remission, np.nan)
        means = [np.nanmean(gain), np.nanmean(peak), np.nanmean(above), np.nanmean(systolic)]
        return np.array(means), np.array([gain.mean(axis=1), peak, above, systolic])

    def _solved(
        self, regimen: Scenario, values: Mapping[str, np.ndarray | float], change: DoseChange | None = None
    ) -> Trajectories:
        until = float(self.times[-1])
        ensemble = ensemble_of_scenario(
            self.model, regimen, values, self.patients, until, change=change,
            adherence=adherence_function(regimen.regimen, until, self.seed, range(self.patients)),
        )  # fmt: skip
        return ensemble.solve(self.times, OUTPUTS, tolerance=SCORE_TOLERANCE, threads=self.threads)
