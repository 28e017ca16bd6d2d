"""Scorecard of published perturbations (data/perturbations/rows.csv, predictions.csv): direction of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from ketamech.analysis.scorecard_targets import bounds
from ketamech.core import InputError, require_known, unit
from ketamech.core.constants import PROTOCOL_TOLERANCE
from ketamech.core.csv_table import CsvRow, parts, read_table
from ketamech.core.environment import DATA
from ketamech.dosing.dose_events import without_expectancy
from ketamech.dosing.perturbations import DOSABLE_KINDS, read_perturbations
from ketamech.dosing.regimen import Regimen, require_species_kinetics
from ketamech.evidence import evidence_ids, load_evidence
from ketamech.parameters import HUMAN, SPECIES, ParameterTable, load_parameters, load_species
from ketamech.simulation.ensemble import Ensemble, Subject
from ketamech.simulation.model import Model, load_model
from ketamech.simulation.observable import Observable, TimeCourse
from ketamech.simulation.output_times import output_times
from ketamech.simulation.scenario import Scenario, perturbation_parameters
from ketamech.simulation.simulate import events_of_scenario

PATH = DATA / "perturbations" / "rows.csv"
PREDICTIONS = DATA / "perturbations" / "predictions.csv"
SINGLE_EXPERIMENT = DATA / "perturbations" / "single_experiment.csv"
COLUMNS = (
    "evidence", "species", "regimen", "with", "settings", "output", "reduction", "when", "statistic", "observed",
    "low", "high", "band", "assumption", "undecided",
)  # fmt: skip


@cache
def directions() -> Mapping[str, Mapping[str, tuple[float, float]]]:
    """{first word of a statistic: {direction: lowest and highest size}} of data/perturbations/directions.csv.

    A size on a limit has the direction named first.
    """
    bands: dict[str, dict[str, tuple[float, float]]] = {}
    for row in read_table(PATH.parent / "directions.csv", ("statistic", "direction", "low", "high", "status", "why")):
        row.one_of("status", ("assumed", "derived"))
        band = row.number_or("low", -math.inf), row.number_or("high", math.inf)
        bands.setdefault(row["statistic"], {})[row["direction"]] = band
    return bands


@cache
def _reference_regimens() -> Mapping[str, str]:
    """The regimen by species with whose effect others are compared."""
    rows = read_table(PATH.parent / "reference_regimens.csv", ("species", "regimen", "why"))
    return {row["species"]: row["regimen"] for row in rows}


def direction(statistic: str, size: float) -> str:
    """The direction of a size, such as "less"; empty for NaN."""
    bands = directions()[statistic.split()[0]]
    return next((word for word, (low, high) in bands.items() if low <= size <= high), "")


@dataclass(frozen=True)
class PerturbationTarget:
    """One published reading: species, treatment, perturbation, output, time, statistic, observed direction and band.

    `settings`: parameters of that animal or patient in canonical units. `reason_not_run`: why a row cannot be
    simulated; its other fields are then empty.
    """

    evidence: str
    species: str
    regimen: str
    perturbations: str
    settings: tuple[tuple[str, float], ...]
    output: str
    curve_statistic: str
    time: str
    statistic: str
    observed: str
    low: float
    high: float
    band: str
    assumption: str
    reason_not_run: str

    @property
    def has_compounds_only(self) -> bool:
        """Whether every perturbation is a compound given as a dose, rather than a property of the animal or patient."""
        phrases = read_perturbations(parts(self.perturbations))
        return bool(phrases) and all(phrase.perturbation.kind in DOSABLE_KINDS for phrase in phrases)

    @property
    def until(self) -> float:
        """The last time that is read (h)."""
        return float(self.time.split("-")[-1])

    def read(self, curves: TimeCourse, hour: float | None = None) -> float:
        """The value of the output in one simulation, at the row's time or at another hour; NaN for a failed solve."""
        if hour is not None and not self.curve_statistic:
            return Observable(self.output, time=f"{hour:g}").read(curves, None)
        return Observable(self.output, statistic=self.curve_statistic or "at", time=self.time).read(curves, None)


@cache
def load_perturbation_targets(path: Path = PATH) -> tuple[PerturbationTarget, ...]:
    """Every reading. Raises InputError with line and column of an unknown id, species or word."""
    ids = load_evidence().observations
    return tuple(
        _row(row, row.known("evidence", ids, "an id of data/evidence/*.csv")) for row in read_table(path, COLUMNS)
    )


def load_predictions(path: Path = PREDICTIONS) -> tuple[PerturbationTarget, ...]:
    """Every reading of data/perturbations/predictions.csv: written down before it was compared, and never fitted.

    Raises InputError for a row of the evidence that a parameter may be calibrated to.
    """
    rows, evidence = load_perturbation_targets(path), load_evidence()
    fitted = sorted({row.evidence for row in rows if evidence[row.evidence].use != "context"})
    if fitted:
        what = f"{', '.join(fitted)} may be used for calibration, so comparing it is no prediction"
        raise InputError(what, key="use", expected="context")
    return rows


def _row(row: CsvRow, evidence: str) -> PerturbationTarget:
    species = row.one_of("species", SPECIES)
    if row["undecided"]:
        nothing = ("",) * 5
        return PerturbationTarget(evidence, species, "", "", (), *nothing, math.nan, math.nan, "", "", row["undecided"])
    statistic = row.one_of("statistic", STATISTICS)
    _check_time_and_treatment(row)
    return PerturbationTarget(
        evidence, species, row["regimen"], row["with"], _settings(row), row.required("output", "stage.thing"),
        row["reduction"], row.required("when", "hours, such as 24 or 0-2"), statistic,
        row.one_of("observed", directions()[statistic.split()[0]]), *bounds(row), row["band"], row["assumption"], "",
    )  # fmt: skip


def _settings(row: CsvRow) -> tuple[tuple[str, float], ...]:
    """Parameters of this animal or patient in canonical units. Raises InputError."""
    table = load_parameters()
    return tuple((name, x * unit(table[name].unit).factor) for name, x in row.settings("settings", table).items())


def _check_time_and_treatment(row: CsvRow) -> None:
    """Raise InputError for a time that is none, and for a row without regimen and perturbation."""
    try:
        [float(part) for part in row["when"].split("-")]
    except ValueError as problem:
        raise row.error("when", f"'{row['when']}' is not a time", expected="hours, such as 24 or 0-2") from problem
    if not (row["regimen"] or row["with"]):
        what, expected = "neither a regimen nor a perturbation is given", "a regimen, a perturbation, or both"
        raise row.error("with", what, expected=expected)


HORIZONS = (8.0, 80.0, 400.0, 2000.0)  # h; arms of similar length are solved together
REFERENCE_HOUR = 24.0  # at which the effect of the reference dose is read, unless the statistic says now
PER_DOSE, FIRST_HOURS, N_FIRST = 60, 2.0, 41  # output times after each dose, and evenly over the first hours
PerturbationArm = tuple[str, str, str, tuple[tuple[str, float], ...]]  # species, regimen, perturbations, settings


@dataclass(frozen=True)
class FactorialArms:
    """The four arms of one row (both, perturbation alone, drug alone, none) and the arm with the reference dose."""

    both: PerturbationArm
    alone: PerturbationArm
    drug: PerturbationArm
    none: PerturbationArm
    reference: PerturbationArm


def score_perturbations(
    model: Model | None = None,
    overrides: Mapping[str, float] | None = None,
    *,
    rows: tuple[PerturbationTarget, ...] | None = None,
    threads: int = 2,
) -> pd.DataFrame:
    """Simulate `rows`, or every row of data/perturbations/rows.csv; `overrides`: values (canonical) used in every arm.

    An override replaces the values of the tables and of the species; a value set by a row replaces the override. One
    line per row: evidence, reference, species, regimen, with, output, when, statistic, observed, predicted (direction),
    size, low, high, band, verdict (right | wrong | undecided), inside (the band; None without one), why,
    reading_source. All arms of one horizon are solved in one batch. Raises UnknownNameError for an unknown parameter.
    """
    model = model or load_model()
    replaced_values = dict(overrides or {})
    for name in replaced_values:
        require_known(name, model.parameters, f"there is no parameter '{name}'", key=name)
    rows = load_perturbation_targets() if rows is None else rows
    curves = _curves(model, rows, replaced_values, threads)
    return pd.DataFrame([_line(row, curves) for row in rows])


def tally_by_evidence(lines: pd.DataFrame) -> pd.DataFrame:
    """One line per evidence row: right when all its readings are right, undecided when one is; the same for inside."""
    rows = []
    for name, part in lines.groupby("evidence", sort=False):
        words = set(part.verdict)
        verdict = "wrong" if "wrong" in words else "undecided" if "undecided" in words else "right"
        known = [value for value in part.inside if value is not None]
        inside = all(known) and verdict != "undecided" if known else None
        rows.append(
            {"evidence": name, "verdict": verdict, "inside": inside, "band": "; ".join(sorted(set(part.band) - {""}))}
        )
    return pd.DataFrame(rows)


def perturbation_counts(lines: pd.DataFrame) -> str:
    """A sentence with the numbers of right, wrong and undecided rows, of sizes inside their band, and the kappas.

    Rows of data/perturbations/predictions.csv are a group of their own and in no other.
    """
    tally, sentences = tally_by_evidence(lines), []
    predicted = tally.evidence.isin({row.evidence for row in load_predictions()})
    rows = tally[~predicted]
    perturbing = rows[rows.evidence.isin(_of_stage_perturbation(rows.evidence))]
    dedicated = {name for term in load_single_experiment_terms() for name in term.evidence}
    for word, part in (
        ("rows written down before they were compared", tally[predicted]),
        ("all other rows", rows),
        ("rows of stage perturbation", perturbing),
        ("of these, rows to which no parameter was calibrated", perturbing[~perturbing.evidence.isin(_calibrated())]),
        ("of these, rows without a term of their own", perturbing[~perturbing.evidence.isin(dedicated)]),
    ):
        if part.empty:
            continue
        counts = {name: int((part.verdict == name).sum()) for name in ("right", "wrong", "undecided")}
        sized = [value for value in part.inside if value is not None]
        readings = lines[lines.evidence.isin(part.evidence)]
        sentences.append(
            f"{word}: {counts['right']} of {len(part)} right ({counts['right'] / len(part):.0%}),"
            f" {counts['wrong']} wrong, {counts['undecided']} undecided; size inside in {sum(sized)} of {len(sized)};"
            f" kappa {cohens_kappa(readings):.2f}, against the most frequent observation {majority_kappa(readings):.2f}"
        )
    return ". ".join(sentences)


def _of_stage_perturbation(names: Iterable[str]) -> set[str]:
    stages = load_evidence().observations
    return {name for name in names if stages[name].stage == "perturbation"}


def cohens_kappa(lines: pd.DataFrame) -> float:
    """Agreement of predicted and observed directions beyond chance, pooled over statistics: 1 perfect, 0 chance.

    Chance is the agreement of two independent readers with the same frequencies of words within each statistic.
    """
    decided = lines[lines.verdict != "undecided"]
    chance = sum(
        (part.observed.value_counts() * part.predicted.value_counts()).sum() / len(part)
        for _, part in decided.groupby("statistic")
    )
    return _beyond(decided, chance)


def majority_kappa(lines: pd.DataFrame) -> float:
    """The same beyond a prediction that always gives the most frequent observed direction of a statistic."""
    decided = lines[lines.verdict != "undecided"]
    return _beyond(decided, sum(part.observed.value_counts().max() for _, part in decided.groupby("statistic")))


def _beyond(decided: pd.DataFrame, chance: float) -> float:
    agreed, total = float((decided.observed == decided.predicted).sum()), len(decided)
    return (agreed - chance) / (total - chance) if total > chance else math.nan


@dataclass(frozen=True)
class SingleExperimentTerm:
    """A parameter whose term changes the rows of one experiment only, and the value that leaves the term out."""

    parameter: str
    neutral: float
    evidence: tuple[str, ...]
    why: str


@cache
def load_single_experiment_terms() -> tuple[SingleExperimentTerm, ...]:
    """Every term of data/perturbations/single_experiment.csv. Raises InputError for an unknown parameter or row."""
    table, evidence = load_parameters(), load_evidence()
    terms = []
    for row in read_table(SINGLE_EXPERIMENT, ("parameter", "neutral", "evidence", "why")):
        name = row.known("parameter", table, "a parameter of the tables")
        neutral = row.number("neutral") * unit(table[name].unit).factor
        terms.append(SingleExperimentTerm(name, neutral, evidence_ids(row, evidence), row["why"]))
    return tuple(terms)


def without_single_experiment_terms() -> dict[str, float]:
    """Overrides {parameter: canonical value} that leave out every term that exists for one experiment."""
    return {term.parameter: term.neutral for term in load_single_experiment_terms()}


def _calibrated() -> set[str]:
    """Ids of the evidence to which values were set: of a calibrated value, or of one whose locator says "to ..."."""
    rows = load_parameters().values()
    chosen = [row for row in rows if row.status == "calibrated" or row.locator.startswith("to ")]
    return {name for row in chosen for name in row.evidence}


def factorial_arms(row: PerturbationTarget) -> FactorialArms:
    """The arms of a row. Without a perturbation `both` is the drug; without a drug `both` is the perturbation."""
    reference = _reference_regimens()[row.species]
    arms = ((row.regimen, row.perturbations), ("", row.perturbations), (row.regimen, ""), ("", ""), (reference, ""))
    return FactorialArms(*((row.species, regimen, perturbations, row.settings) for regimen, perturbations in arms))


def required_arms(rows: tuple[PerturbationTarget, ...]) -> dict[PerturbationArm, float]:
    """Every required arm with its duration (h)."""
    needed: dict[PerturbationArm, float] = {}
    for row in (row for row in rows if not row.reason_not_run):
        arms = factorial_arms(row)
        for arm in (arms.both, arms.alone, arms.drug, arms.none):
            needed[arm] = max(needed.get(arm, 0.0), row.until)
        if row.statistic.startswith("effect"):
            needed[arms.reference] = max(needed.get(arms.reference, 0.0), row.until, REFERENCE_HOUR)
    return needed


def scenario_of_arm(arm: PerturbationArm, table: ParameterTable) -> tuple[Scenario, dict[str, float]]:
    """The scenario of an arm, and the values set by the row itself (the others are those of the species)."""
    species_name, sentence, phrases, settings = arm
    species = load_species(species_name)
    perturbations = read_perturbations(parts(phrases))
    sets = perturbation_parameters(table, load_species(HUMAN), dict(settings), perturbations)
    regimen = Regimen.parse(sentence) if sentence else Regimen(())
    require_species_kinetics(regimen, species)
    scenario = Scenario(
        " | ".join(arm[:3]), "", regimen, {**species.canonical, **sets}, max(HORIZONS), False, 1, "",
        species=species_name, perturbations=perturbations,
    )  # fmt: skip
    return scenario, sets


def has_expectancy(arm: PerturbationArm) -> bool:
    """Whether the patient of an arm expects a benefit."""
    return dict(arm[3]).get("person.expectancy", 0.0) > 0


def subject_of_arm(arm: PerturbationArm, table: ParameterTable) -> tuple[Subject, dict[str, float]]:
    """The subject of an arm, and the values set by the row itself (the others are those of the species)."""
    scenario, sets = scenario_of_arm(arm, table)
    scenario_events = events_of_scenario(scenario, table, {}, scenario.horizon)
    if not has_expectancy(arm):
        scenario_events = scenario_events.with_doses(without_expectancy)
    return Subject(
        scenario.title, scenario_events.events, scenario.values, scenario_events.cycle, scenario_events.length
    ), sets


def _curves(
    model: Model, rows: tuple[PerturbationTarget, ...], overrides: Mapping[str, float], threads: int
) -> dict[PerturbationArm, TimeCourse]:
    longest = required_arms(rows)
    outputs = tuple(dict.fromkeys(row.output for row in rows if row.output))
    curves: dict[PerturbationArm, TimeCourse] = {}
    for below, horizon in pairwise((0.0, *HORIZONS)):
        arms = [arm for arm, until in longest.items() if below < until <= horizon]
        if arms:
            moments = {row.until for row in rows if not row.reason_not_run} | {REFERENCE_HOUR}
            curves |= solve_arms(model, arms, horizon, moments, outputs, overrides, threads)
    return curves


def solve_arms(
    model: Model, arms: list[PerturbationArm], horizon: float, moments: set[float], outputs: tuple[str, ...],
    overrides: Mapping[str, float], threads: int,
) -> dict[PerturbationArm, TimeCourse]:  # fmt: skip
    """Time courses of some arms up to one horizon, in one solve."""
    courses = []
    for arm in arms:
        course, sets = subject_of_arm(arm, model.parameters)
        courses.append(replace(course, parameters={**course.parameters, **overrides, **sets}))
    times = np.unique(
        np.r_[
            output_times(horizon, per_dose=PER_DOSE),
            np.linspace(0, FIRST_HOURS, N_FIRST),
            [m for m in moments if m <= horizon],
        ]
    )
    ensemble = Ensemble.of_subjects(model, courses)
    solved = ensemble.solve(times, outputs, tolerance=PROTOCOL_TOLERANCE, threads=threads)
    return {arm: TimeCourse(times, {name: solved.of(name)[i] for name in outputs}, {}) for i, arm in enumerate(arms)}


def _line(row: PerturbationTarget, curves: Mapping[PerturbationArm, TimeCourse]) -> dict[str, object]:
    evidence = load_evidence()[row.evidence]
    size = math.nan if row.reason_not_run else STATISTICS[row.statistic](row, curves)
    predicted = "" if row.reason_not_run else direction(row.statistic, size)
    reason = row.reason_not_run or ("" if predicted else "the simulation gave no number")
    verdict = "undecided" if reason else "right" if predicted == row.observed else "wrong"
    return {
        "evidence": row.evidence, "reference": evidence.reference, "species": row.species, "regimen": row.regimen,
        "with": row.perturbations, "output": row.output, "when": row.time, "statistic": row.statistic,
        "observed": row.observed, "predicted": predicted, "size": size, "low": row.low, "high": row.high,
        "band": row.band, "verdict": verdict, "inside": _inside(row, size), "why": reason or row.assumption,
        "reading_source": evidence.reading_source,
    }  # fmt: skip


def _inside(row: PerturbationTarget, size: float) -> bool | None:
    if math.isnan(row.low) and math.isnan(row.high):
        return None
    return bool(not math.isnan(size) and not size < row.low and not size > row.high)


def _residual_drug_effect(row: PerturbationTarget, curves: Mapping[PerturbationArm, TimeCourse]) -> float:
    """Drug effect with the perturbation divided by the drug effect without it.

    The control is the perturbation alone. Where that alone has an effect like the drug (a blocker that acts as an
    antidepressant), an animal with both behaves as after the drug, so the control is the vehicle.
    """
    arms = factorial_arms(row)
    both, alone, drug, none = (row.read(curves[arm]) for arm in (arms.both, arms.alone, arms.drug, arms.none))
    present, _ = directions()["effect"]["present"]
    acts_alone = row.has_compounds_only and _safe_ratio(alone - none, drug - none) >= present
    return _safe_ratio(both - (none if acts_alone else alone), drug - none)


def _effect(
    row: PerturbationTarget, curves: Mapping[PerturbationArm, TimeCourse], hour: float | None = REFERENCE_HOUR
) -> float:
    """Effect against the untreated arm (or the perturbation alone), divided by that of the reference dose."""
    arms = factorial_arms(row)
    other = arms.alone if row.regimen else arms.none
    reference, rest = (row.read(curves[arm], hour) for arm in (arms.reference, arms.none))
    return _safe_ratio(row.read(curves[arms.both]) - row.read(curves[other]), reference - rest)


def _residual_perturbation_effect(row: PerturbationTarget, curves: Mapping[PerturbationArm, TimeCourse]) -> float:
    """Effect of the perturbation with the drug divided by its effect alone."""
    arms = factorial_arms(row)
    both, alone, none = (row.read(curves[arm]) for arm in (arms.both, arms.alone, arms.none))
    return _safe_ratio(both - none, alone - none)


def _ratio(row: PerturbationTarget, curves: Mapping[PerturbationArm, TimeCourse]) -> float:
    """Reading divided by that without the drug, or, where no drug is given, by that without the perturbation."""
    arms = factorial_arms(row)
    other = arms.alone if row.regimen else arms.none
    return _safe_ratio(row.read(curves[arms.both]), row.read(curves[other]))


def _points(row: PerturbationTarget, curves: Mapping[PerturbationArm, TimeCourse]) -> float:
    arms = factorial_arms(row)
    return row.read(curves[arms.both]) - row.read(curves[arms.none])


def _has_response(row: PerturbationTarget, curves: Mapping[PerturbationArm, TimeCourse]) -> float:
    """Fall from baseline, as a share of the baseline."""
    arms = factorial_arms(row)
    return 1 - _safe_ratio(row.read(curves[arms.both]), row.read(curves[arms.none]))


def _safe_ratio(a: float, b: float) -> float:
    return a / b if b else math.nan


STATISTICS: Mapping[str, Callable[[PerturbationTarget, Mapping[PerturbationArm, TimeCourse]], float]] = {
    "left": _residual_drug_effect,
    "effect": _effect,
    "effect now": lambda row, curves: _effect(row, curves, None),
    "harm left": _residual_perturbation_effect,
    "ratio": _ratio,
    "points": _points,
    "responds": _has_response,
}
