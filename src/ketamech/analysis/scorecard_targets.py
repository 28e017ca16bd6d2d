"""The comparison of each published row with a protocol and an observable, and the rows without a comparison."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.analysis.reference_protocols import DIRECTORY
from ketamech.analysis.verdict import COMPARISONS
from ketamech.core import InputError, closest_match
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.evidence import Evidence
from ketamech.simulation.observable import Observable

if TYPE_CHECKING:
    import pandas as pd

MEASURE_COLUMNS = ("protocol", "output", "seen_as", "reduction", "when", "level", "against", "factor")
COLUMNS = ("evidence", *MEASURE_COLUMNS, "comparison", "low", "high", "assumption")
UNCOVERED_COLUMNS = ("evidence", "because", "note")
REASONS = (
    "needs a population",
    "in the table of experiments",
    "used as a parameter",
    "a parameter of another model",
    "needs an experiment the model has no handle for",
    "measured in a dish",
    "no such output",
    "the protocol is not known",
    "the same number as another row",
    "another person than the model describes",
)


@dataclass(frozen=True)
class Target:
    """A published row, the protocol and observable to compare it with, the kind of comparison, and the assumption."""

    evidence: str
    protocol: str
    measure: Observable
    comparison: str
    low: float
    high: float
    assumption: str


def load_targets(
    evidence: Evidence, protocols: Mapping[str, object], path: Path = DIRECTORY / "targets.csv"
) -> tuple[Target, ...]:
    """Every comparison. Raises InputError for an unknown id, protocol or word.

    A context row without an address that can be opened is compared and not counted; other context rows are refused.
    """
    found = []
    for row in read_table(path, COLUMNS):
        name = known(row, "evidence", evidence.observations, "an id of data/evidence/*.csv")
        if evidence[name].use != "calibrate" and evidence[name].openable:
            raise row.error("evidence", f"'{name}' is a context row", expected="a row to calibrate on")
        protocol = known(row, "protocol", protocols, "an id of protocols.csv")
        how = known(row, "comparison", COMPARISONS, " | ".join(COMPARISONS))
        found.append(Target(name, protocol, measure(row), how, *bounds(row), row["assumption"]))
    return tuple(found)


def measure(row: CsvRow) -> Observable:
    """The observable of a row; empty cells take the default."""
    default = Observable("stage.thing")
    try:
        return Observable(
            row.required("output", "stage.thing"),
            row["seen_as"] or default.relative_to,
            row["reduction"] or default.statistic,
            row["when"],
            row.number("level") if row["level"] else default.level,
            row["against"],
            row.number("factor") if row["factor"] else default.factor,
        )
    except InputError as problem:
        raise row.error("output", problem.what, expected=problem.expected or "", near=problem.nearest) from problem


def known(row: CsvRow, column: str, choices: Mapping[str, object], expected: str) -> str:
    """A cell that must be one of `choices`. Raises InputError with the nearest choice."""
    name = row.required(column, expected)
    if name not in choices:
        raise row.error(column, f"no '{name}'", expected=expected, near=closest_match(name, choices))
    return name


def bounds(row: CsvRow) -> tuple[float, float]:
    """The low and high columns; NaN where open."""
    low, high = (row.number(name) if row[name] else math.nan for name in ("low", "high"))
    return low, high


def load_uncovered(
    evidence: Evidence, targets: tuple[Target, ...], path: Path = DIRECTORY / "uncovered.csv"
) -> pd.DataFrame:
    """Calibration rows without a target, with the reason; "no reason given" where the table has none."""
    import pandas as pd

    reached = {target.evidence for target in targets}
    patterns = [
        (row["evidence"], row.one_of("because", REASONS), row["note"]) for row in read_table(path, UNCOVERED_COLUMNS)
    ]
    left = [row for row in evidence.select(use="calibrate") if row.id not in reached]
    lines = [(row.id, row.stage, row.quantity, row.reference, *_why(row.id, patterns)) for row in left]
    return pd.DataFrame(lines, columns=["id", "stage", "quantity", "reference", "because", "note"])


def _why(name: str, patterns: list[tuple[str, str, str]]) -> tuple[str, str]:
    for pattern, because, note in patterns:
        if fnmatch.fnmatchcase(name, pattern):
            return because, note
    return "no reason given", ""
