"""Published perturbations as simulations of the model, from data/experiments/rows.csv."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ketamech.analysis.scorecard_targets import bounds, known
from ketamech.core import closest_match, unit
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.paths import DATA
from ketamech.evidence import load_evidence
from ketamech.parameters import SPECIES, load_parameters
from ketamech.simulation.observable import Observable, TimeCourse

PATH = DATA / "experiments" / "rows.csv"
COLUMNS = (
    "evidence", "species", "regimen", "with", "settings", "output", "reduction", "when", "statistic", "observed",
    "low", "high", "band", "assumption", "undecided",
)  # fmt: skip
OBSERVED_VALUES = {
    "left": ("less", "same", "more"),
    "effect": ("present", "absent"),
    "effect now": ("present", "absent"),
    "harm left": ("less", "same", "more"),
    "ratio": ("down", "none", "up"),
    "points": ("less", "none", "more"),
    "responds": ("yes", "no"),
}


@dataclass(frozen=True)
class PerturbationTarget:
    """One published reading: species, treatment, perturbation, output, time, statistic, observed direction and band.

    `settings`: parameters of that animal or patient in canonical units. `reason_not_run`: why a row cannot be
    simulated;
    its other fields are then empty.
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
        _row(row, known(row, "evidence", ids, "an id of data/evidence/*.csv")) for row in read_table(path, COLUMNS)
    )


def _row(row: CsvRow, evidence: str) -> PerturbationTarget:
    species = row.one_of("species", SPECIES)
    if row["undecided"]:
        nothing = ("",) * 5
        return PerturbationTarget(evidence, species, "", "", (), *nothing, math.nan, math.nan, "", "", row["undecided"])
    statistic = row.one_of("statistic", OBSERVED_VALUES)
    _refuse_window(row)
    return PerturbationTarget(
        evidence, species, row["regimen"], row["with"], _settings(row), row.required("output", "stage.thing"),
        row["reduction"], row.required("when", "hours, such as 24 or 0-2"), statistic,
        row.one_of("observed", OBSERVED_VALUES[statistic]), *bounds(row), row["band"], row["assumption"], "",
    )  # fmt: skip


def _settings(row: CsvRow) -> tuple[tuple[str, float], ...]:
    """Parameters of this animal or patient in canonical units. Raises InputError."""
    table, found = load_parameters(), []
    for part in filter(None, (text.strip() for text in row["settings"].split(";"))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if name not in table:
            raise row.error(
                "settings", f"no parameter '{name}'", expected="stage.thing=number", near=closest_match(name, table)
            )
        try:
            found.append((name, float(number) * unit(table[name].unit).factor))
        except ValueError as problem:
            raise row.error("settings", f"cannot read '{part}'", expected="stage.thing=number") from problem
    return tuple(found)


def _refuse_window(row: CsvRow) -> None:
    try:
        [float(part) for part in row["when"].split("-")]
    except ValueError as problem:
        raise row.error("when", f"'{row['when']}' is not a time", expected="hours, such as 24 or 0-2") from problem
    if not (row["regimen"] or row["with"]):
        raise row.error(
            "with", "neither a regimen nor a perturbation is given", expected="a regimen, a perturbation, or both"
        )
