"""The scorecard: published numbers of a typical patient, each compared with its simulation, including those missed.

The acceptance criteria of the model are in data/scorecard/acceptance_criteria.csv.
"""

from __future__ import annotations

import fnmatch
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ketamech.analysis.reference_protocols import (
    DIRECTORY,
    Protocol,
    check_settings,
    load_protocols,
    simulate_protocols,
)
from ketamech.analysis.scorecard_targets import (
    MEASURE_COLUMNS,
    Target,
    bounds,
    compare_with_published,
    fitted_rows,
    inside,
    load_targets,
    load_uncovered,
    measure,
    roles,
)
from ketamech.core import InputError
from ketamech.core.csv_table import CsvRow, parts, read_table
from ketamech.core.progress import Progress, progress_by_line
from ketamech.core.units import WEEK
from ketamech.evidence import Evidence, load_evidence
from ketamech.evidence.load_evidence import analyte, canonical_unit
from ketamech.parameters import Parameter
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.model import Model, load_model, model_by_keyword
from ketamech.simulation.observable import Observable, TimeCourse
from ketamech.simulation.output_times import output_times

COLUMNS = ("goal", *MEASURE_COLUMNS, "rows", "unit", "low", "high", "reason")
SOLVE_TIME = "solve time"
_FOUR_WEEKS = 4 * WEEK
TESTS_OF = "tests of "  # in the column `rows`: the rows of a stage that can be opened and set no value


@dataclass(frozen=True)
class AcceptanceCriterion:
    """One criterion: a value read from a protocol, or the mean fold error of rows.

    `rows` is a pattern of ids, or "tests of" a stage: its rows that can be opened and set no value.
    """

    name: str
    protocol: str
    measure: Observable | None
    rows: str
    unit: str
    factor: float
    low: float
    high: float
    reason: str


def load_acceptance_criteria(
    evidence: Evidence, protocols: Mapping[str, object], path: Path = DIRECTORY / "acceptance_criteria.csv"
) -> tuple[AcceptanceCriterion, ...]:
    """Every criterion. Raises InputError for an unknown protocol or a pattern without a row."""
    return tuple(_goal(row, evidence, protocols) for row in read_table(path, COLUMNS))


def _goal(row: CsvRow, evidence: Evidence, protocols: Mapping[str, object]) -> AcceptanceCriterion:
    pattern = row["rows"]
    observations = evidence.observations
    stages = {observation.stage for observation in observations.values()}
    if pattern.startswith(TESTS_OF) and pattern.removeprefix(TESTS_OF) not in stages:
        raise row.error("rows", f"'{pattern}' names no stage of the evidence", expected=f"{TESTS_OF}pk")
    if pattern and not pattern.startswith(TESTS_OF) and not any(_matches(pattern, name) for name in observations):
        raise row.error("rows", f"'{pattern}' matches no evidence row", expected="a pattern such as kamp20-a-*")
    free = bool(pattern) or row["output"] == SOLVE_TIME
    protocol = "" if free else row.known("protocol", protocols, "an id of protocols.csv")
    return AcceptanceCriterion(
        row.required("goal", "the name of the criterion"),
        protocol or (row["protocol"] if row["output"] == SOLVE_TIME else ""),
        None if free else measure(row),
        pattern,
        row["unit"],
        _factor(row, evidence),
        *bounds(row),
        row["reason"],
    )


def _factor(row: CsvRow, evidence: Evidence) -> float:
    """The unit of the criterion in canonical units; a mass of drug becomes umol."""
    masses = {
        observation.drug: observation.value
        for observation in evidence.observations.values()
        if observation.unit == "g/mol"
    }
    substance = analyte(row["output"], "")
    return canonical_unit(row.required("unit", "a unit, or 1"), masses.get(substance) if substance else None)[0]


def criteria_table(
    goals: tuple[AcceptanceCriterion, ...], rows: pd.DataFrame, protocols: Mapping[str, Protocol],
    curves: Mapping[str, TimeCourse], model: Model,
) -> pd.DataFrame:  # fmt: skip
    """goal, simulated, unit, low, high, reached (True or False; empty for a criterion without limits)."""
    lines = []
    for goal in goals:
        simulated = _simulated(goal, rows, protocols, curves, model)
        lines.append({
            "goal": goal.name, "simulated": simulated, "unit": goal.unit, "low": goal.low, "high": goal.high,
            "reached": _is_reached(simulated, goal), "reason": goal.reason,
        })  # fmt: skip
    return pd.DataFrame(lines)


def _is_reached(simulated: float, goal: AcceptanceCriterion) -> bool | None:
    if math.isnan(goal.low) and math.isnan(goal.high):
        return None
    return not math.isnan(simulated) and inside(simulated, goal.low, goal.high).verdict == "inside"


def _simulated(
    goal: AcceptanceCriterion, rows: pd.DataFrame, protocols: Mapping[str, Protocol], curves: Mapping[str, TimeCourse],
    model: Model,
) -> float:  # fmt: skip
    if goal.rows:
        return mean_fold_error(rows, goal.rows)
    if goal.measure is None:
        return solve_milliseconds(model, protocols[goal.protocol])
    return goal.measure.read(curves[goal.protocol], curves.get(protocols[goal.protocol].control)) / goal.factor


def mean_fold_error(rows: pd.DataFrame, pattern: str) -> float:
    """Geometric mean of the fold errors of the rows that a criterion names; NaN when one has no result."""
    if pattern.startswith(TESTS_OF):
        tests = counted(rows)
        chosen = tests[(tests["stage"] == pattern.removeprefix(TESTS_OF)) & (tests["role"] != "fitted")]
    else:
        chosen = rows[[_matches(pattern, name) for name in rows["id"]]]
    return float(np.exp(chosen["log_fold"].abs().mean(skipna=False)))


def _matches(pattern: str, name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, part) for part in parts(pattern))


def solve_milliseconds(model: Model, protocol: Protocol) -> float:
    """Solve time (ms) of one typical patient over four weeks, best of three, after compilation."""
    course = Subject(protocol.id, protocol.events(model.parameters), protocol.values(model.parameters))
    times = output_times(_FOUR_WEEKS)
    spent = []
    for _ in range(3):
        began = time.perf_counter()
        run_subjects(model, [course], times, tolerance=1e-4)
        spent.append(time.perf_counter() - began)
    return 1000 * min(spent)


VERDICTS = ("inside", "near", "miss", "no result")


@dataclass(frozen=True)
class Scorecard:
    """Comparisons (`rows`), one line per paper (`by_source`), acceptance `criteria`, and rows not compared
    (`uncovered`).

    rows: id, stage, reference, trial, citation, protocol, output, unit, simulated, published, spread, comparison,
    expected, fold_error, log_fold, z, distance (in limits of "inside"), verdict, reading_source, use, translated,
    fitted, role ("fitted", "same trial" as a fitted row, or "independent"). Rows of use "context" have no address that
    can be opened: they are compared but not counted.
    `seconds`: duration of the simulations, including compilation on first use.
    """

    rows: pd.DataFrame
    by_source: pd.DataFrame
    criteria: pd.DataFrame
    uncovered: pd.DataFrame
    seconds: float


@model_by_keyword
def scorecard(*, model: Model | None = None, progress: Progress | None = None) -> Scorecard:
    """Simulate every protocol on `model` (default: the shipped one) and compare each published row with it."""
    report_line = progress_by_line(progress)
    model = model or load_model(announce=report_line)
    evidence, protocols = load_evidence(), load_protocols()
    check_settings(protocols, model.parameters)
    targets, goals = load_targets(evidence, protocols), load_acceptance_criteria(evidence, protocols)
    _check_units(targets, evidence, model)
    began = time.perf_counter()
    needed = _needed_outputs(protocols, targets, goals)
    measures = [target.measure for target in targets] + [goal.measure for goal in goals if goal.measure]
    hours = {hour for measure in measures for hour in measure.stated_hours}
    curves = simulate_protocols(model, needed, hours, report_line)
    seconds = time.perf_counter() - began
    rows = score_rows(targets, evidence, protocols, curves, model.layout.units, model.parameters)
    table = criteria_table(goals, rows, protocols, curves, model)
    return Scorecard(rows, summarise(rows), table, load_uncovered(evidence, targets), seconds)


@dataclass(frozen=True)
class DifferenceError:
    """Root mean square error (unit of the output) of simulated differences between published arms; `fitted` rows."""

    error: float
    rows: int
    fitted: int


def difference_error(model: Model, output: str) -> DifferenceError:
    """How far the typical patient is from the counted published differences between two arms in this output."""
    evidence, protocols = load_evidence(), load_protocols()
    targets = tuple(
        target
        for target in load_targets(evidence, protocols)
        if target.measure.output == output and target.measure.control_contrast == "difference" and not target.has_band
    )
    hours = {hour for target in targets for hour in target.measure.stated_hours}
    curves = simulate_protocols(model, _needed_outputs(protocols, targets, ()), hours)
    rows = counted(score_rows(targets, evidence, protocols, curves, model.layout.units, model.parameters))
    factors = {target.evidence: target.measure.factor for target in targets}
    errors = (rows["simulated"] - rows["published"]) / rows["id"].map(factors)
    return DifferenceError(float(np.sqrt(np.mean(np.square(errors)))), len(rows), int(rows["fitted"].sum()))


def _needed_outputs(
    protocols: Mapping[str, Protocol], targets: tuple[Target, ...], goals: tuple[AcceptanceCriterion, ...]
) -> list[Protocol]:
    named = {target.protocol for target in targets} | {goal.protocol for goal in goals if goal.protocol}
    named |= {protocols[name].control for name in named} - {""}
    return [protocol for name, protocol in protocols.items() if name in named]


def _check_units(targets: tuple[Target, ...], evidence: Evidence, model: Model) -> None:
    for target in targets:
        row = evidence[target.evidence]
        free = target.comparison == "sign" or target.has_band  # a band may be in the unit of the observable
        if not free and not target.measure.matches(row.canonical_unit, model.layout.units):
            result_unit = target.measure.unit(model.layout.units)
            what = f"{target.evidence} is printed in {row.unit}, but {target.measure.output} gives {result_unit}"
            raise InputError(what, key="output", expected=row.canonical_unit)


def score_rows(
    targets: tuple[Target, ...], evidence: Evidence, protocols: Mapping[str, Protocol],
    curves: Mapping[str, TimeCourse], units: Mapping[str, str], parameters: Mapping[str, Parameter],
) -> pd.DataFrame:  # fmt: skip
    """One line per target, in the printed unit of its row."""
    fitted = fitted_rows(evidence, parameters)
    table = pd.DataFrame([_line(t, evidence, protocols, curves, units) for t in targets])
    table["fitted"] = [name in fitted for name in table["id"]]
    table["role"] = roles(table["id"], evidence, fitted)
    return table


def _line(
    target: Target, evidence: Evidence, protocols: Mapping[str, Protocol], curves: Mapping[str, TimeCourse],
    units: Mapping[str, str],
) -> dict[str, object]:  # fmt: skip
    row = evidence[target.evidence]
    control = curves.get(protocols[target.protocol].control)
    simulated = target.measure.read(curves[target.protocol], control) / target.printed_factor(row, units)
    verdict = compare_with_published(target.comparison, simulated, row, target.low, target.high)
    return {
        "id": row.id, "stage": row.stage, "reference": row.reference, "trial": row.trial,
        "citation": evidence.references[row.reference].citation, "quantity": row.quantity, "protocol": target.protocol,
        "output": target.measure.output, "unit": row.unit, "simulated": simulated, "published": row.value,
        "expected": _expected(target), "spread": row.spread.text, "comparison": target.comparison,
        "fold_error": verdict.fold_error, "log_fold": np.log(verdict.fold) if verdict.fold > 0 else np.nan,
        "z": verdict.z, "distance": verdict.distance, "verdict": verdict.verdict, "reading_source": row.reading_source,
        "use": row.use,
        "translated": target.assumption,
    }  # fmt: skip


def _expected(target: Target) -> str:
    """The band of the table, where it replaces the printed number."""
    if target.comparison != "interval" or not target.has_band:
        return ""
    low, high = ("" if math.isnan(bound) else f"{bound:g}" for bound in (target.low, target.high))
    return f"{low} to {high}" if low and high else f"above {low}" if low else f"below {high}"


def counted(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows whose source has a public address."""
    return rows[rows["use"] == "calibrate"]


def summarise(rows: pd.DataFrame) -> pd.DataFrame:
    """One line per paper: number of rows, geometric mean fold error, mean |z|, numbers of verdicts."""
    lines = []
    for reference, part in rows.groupby("reference", sort=False):
        folds = part.loc[part.comparison == "fold", "log_fold"].abs()
        worst = part.sort_values("distance", ascending=False, na_position="first").iloc[0]
        lines.append(
            {
                "reference": reference,
                "n": len(part),
                **{word.replace(" ", "_"): int((part.verdict == word).sum()) for word in VERDICTS},
                "fold_error": float(np.exp(folds.mean())) if folds.notna().any() else np.nan,
                "mean_abs_z": part.loc[part.comparison != "fold", "z"].abs().mean(),
                "fitted": int(part.fitted.sum()),
                "worst": worst.id if worst.verdict != "inside" else "",
                "stages": ", ".join(dict.fromkeys(part.stage)),
                "citation": part.citation.iloc[0],
            }
        )
    return pd.DataFrame(lines).sort_values(["miss", "no_result", "near"], ascending=False, ignore_index=True)
