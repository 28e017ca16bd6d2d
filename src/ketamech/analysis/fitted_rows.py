"""Published rows that set a value of the model, and what follows from them: agreement with these rows is no test.

A row is fitted if a parameter, a population, a rating scale, a perturbation or the calibration names it, if another
row that reports the same number is fitted, or if it follows by arithmetic from a fitted row (`derived_from`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from ketamech.core.csv_table import CsvRow, read_records
from ketamech.core.environment import DATA
from ketamech.evidence import Evidence
from ketamech.parameters import Parameter
from ketamech.parameters.load_parameters import expanded_ids

NAMING_TABLES = (
    "parameters/*.csv",
    "species/*.csv",
    "people/*.csv",
    "scales/scales.csv",
    "perturbations/perturbations.csv",
)
CALIBRATION_TABLES = ("calibration/rows.csv", "calibration/spreads.csv")
SETS_A_VALUE = ("yes", "population")  # the column `fitted` of the calibration tables
ROLES = ("fitted", "same trial", "independent")


def named_rows(evidence: Evidence, parameters: Mapping[str, Parameter] | None = None) -> frozenset[str]:
    """Ids that a shipped table names as the source of a value, and those that `parameters` name."""
    found = {name for parameter in (parameters or {}).values() for name in parameter.evidence}
    for row in _records(NAMING_TABLES):
        found.update(expanded_ids(row.cells.get("evidence", ""), evidence))
    for row in _records(CALIBRATION_TABLES):
        if row["fitted"] in SETS_A_VALUE:
            found.add(row["evidence"])
    return frozenset(found & set(evidence.observations))


def rows_set_by_hand(
    evidence: Evidence, parameters: Mapping[str, Parameter], estimated: Collection[str]
) -> frozenset[str]:
    """Ids that set a value other than the `estimated` parameters: leaving their trial out of the posterior does not
    undo this."""
    found = {name for key, parameter in parameters.items() if key not in estimated for name in parameter.evidence}
    for row in _records(NAMING_TABLES[1:]):
        found.update(expanded_ids(row.cells.get("evidence", ""), evidence))
    return frozenset(found & set(evidence.observations))


def fitted_rows(evidence: Evidence, parameters: Mapping[str, Parameter] | None = None) -> frozenset[str]:
    """Ids of the rows that set a value, their duplicates, and the rows that follow from them by arithmetic."""
    following: dict[str, set[str]] = defaultdict(set)
    for row in evidence.observations.values():
        for source in row.derived_from:
            following[source].add(row.id)
        if row.duplicate_of:
            following[row.duplicate_of].add(row.id)
            following[row.id].add(row.duplicate_of)
    found: set[str] = set()
    waiting = set(named_rows(evidence, parameters))
    while waiting:
        found |= waiting
        waiting = {name for one in waiting for name in following[one]} - found
    return frozenset(found)


def roles(names: Iterable[str], evidence: Evidence, fitted: frozenset[str]) -> list[str]:
    """For each id: "fitted", "same trial" (another row of its trial is fitted) or "independent"."""
    trials = {evidence[name].trial for name in fitted}
    return [
        "fitted" if name in fitted else "same trial" if evidence[name].trial in trials else "independent"
        for name in names
    ]


def _records(patterns: Iterable[str]) -> Iterable[CsvRow]:
    for pattern in patterns:
        for path in sorted(DATA.glob(pattern)):
            yield from read_records(path)
