"""Acceptance criteria of the model, from data/scorecard/goals.csv, and whether each is reached."""

from __future__ import annotations

import fnmatch
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ketamech.analysis.reference_protocols import DIRECTORY, Protocol
from ketamech.analysis.scorecard_targets import MEASURE_COLUMNS, bounds, known, measure
from ketamech.analysis.verdict import inside
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.evidence import Evidence
from ketamech.evidence.published_units import analyte, canonical_unit
from ketamech.simulation.ensemble import Subject, output_times, run_subjects
from ketamech.simulation.model import Model
from ketamech.simulation.observable import Observable, TimeCourse

COLUMNS = ("goal", *MEASURE_COLUMNS, "rows", "unit", "low", "high", "why")
SOLVE_TIME = "solve time"
_FOUR_WEEKS = 672.0


@dataclass(frozen=True)
class AcceptanceCriterion:
    """One criterion: a value read from a protocol, or the mean fold error of the rows that match a pattern."""

    name: str
    protocol: str
    measure: Observable | None
    rows: str
    unit: str
    factor: float
    low: float
    high: float
    why: str


def load_acceptance_criteria(
    evidence: Evidence, protocols: Mapping[str, object], path: Path = DIRECTORY / "goals.csv"
) -> tuple[AcceptanceCriterion, ...]:
    """Every criterion. Raises InputError for an unknown protocol or a pattern without a row."""
    return tuple(_goal(row, evidence, protocols) for row in read_table(path, COLUMNS))


def _goal(row: CsvRow, evidence: Evidence, protocols: Mapping[str, object]) -> AcceptanceCriterion:
    pattern = row["rows"]
    if pattern and not any(_matches(pattern, name) for name in evidence.observations):
        raise row.error("rows", f"'{pattern}' matches no evidence row", expected="a pattern such as kamp20-a-*")
    free = bool(pattern) or row["output"] == SOLVE_TIME
    protocol = "" if free else known(row, "protocol", protocols, "an id of protocols.csv")
    return AcceptanceCriterion(
        row.required("goal", "the name of the criterion"),
        protocol or (row["protocol"] if row["output"] == SOLVE_TIME else ""),
        None if free else measure(row),
        pattern,
        row["unit"],
        _factor(row, evidence),
        *bounds(row),
        row["why"],
    )


def _factor(row: CsvRow, evidence: Evidence) -> float:
    """The unit of the criterion in canonical units; a mass of drug becomes umol."""
    masses = {found.drug: found.value for found in evidence.observations.values() if found.unit == "g/mol"}
    substance = analyte(row["output"], "")
    return canonical_unit(row.required("unit", "a unit, or 1"), masses.get(substance) if substance else None)[0]


def criteria_table(
    goals: tuple[AcceptanceCriterion, ...],
    rows: pd.DataFrame,
    protocols: Mapping[str, Protocol],
    curves: Mapping[str, TimeCourse],
    model: Model,
) -> pd.DataFrame:
    """goal, simulated, unit, low, high, reached (True or False; empty for a criterion without limits)."""
    lines = []
    for goal in goals:
        simulated = _simulated(goal, rows, protocols, curves, model)
        lines.append(
            {
                "goal": goal.name,
                "simulated": simulated,
                "unit": goal.unit,
                "low": goal.low,
                "high": goal.high,
                "reached": _is_reached(simulated, goal),
                "why": goal.why,
            }
        )
    return pd.DataFrame(lines)


def _is_reached(simulated: float, goal: AcceptanceCriterion) -> bool | None:
    if math.isnan(goal.low) and math.isnan(goal.high):
        return None
    return not math.isnan(simulated) and inside(simulated, goal.low, goal.high).verdict == "inside"


def _simulated(
    goal: AcceptanceCriterion,
    rows: pd.DataFrame,
    protocols: Mapping[str, Protocol],
    curves: Mapping[str, TimeCourse],
    model: Model,
) -> float:
    if goal.rows:
        return mean_fold_error(rows, goal.rows)
    if goal.measure is None:
        return solve_milliseconds(model, protocols[goal.protocol])
    return goal.measure.read(curves[goal.protocol], curves.get(protocols[goal.protocol].control)) / goal.factor


def mean_fold_error(rows: pd.DataFrame, pattern: str) -> float:
    """Geometric mean of the fold errors of the rows whose id matches; NaN when one has no result."""
    chosen = rows[[_matches(pattern, name) for name in rows["id"]]]
    return float(np.exp(chosen["log_fold"].abs().mean(skipna=False)))


def _matches(pattern: str, name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, part.strip()) for part in pattern.split(";"))


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
