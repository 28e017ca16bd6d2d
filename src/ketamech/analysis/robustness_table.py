"""The stored result of the last robustness sweep (data/claims/robustness.csv) and the facts of that run."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.analysis.claims import DIRECTORY
from ketamech.core.atomic_files import atomic_write
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.simulation.model import Model

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.analysis.robustness import SetAnswers

ROBUST = 90.0  # percent of parameter sets below which a conclusion is the consequence of an assumption
TABLE, RUN = "robustness.csv", "robustness_run.csv"
TEXTS = ("kind", "conclusion", "statement", "finding", "separated_by")
NUMBERS = ("value", "holds", "calibrated", "results", "low", "median", "high")
COLUMNS = (
    "kind", "conclusion", "statement", "finding", "value", "holds", "calibrated", "results", "low", "median", "high",
    "separated_by",
)  # fmt: skip
CONSEQUENCE = "consequence of an assumption"


@dataclass(frozen=True)
class RobustnessRow:
    """One conclusion: its finding at the values of the tables and the percent of parameter sets in which it holds.

    `calibrated`: the same among the sets that keep the drug effect after a day within two-fold. `results`: sets with an
    answer. `low`, `median`, `high`: 5, 50, 95 % of its number. `separated_by`: "parameter lowest-highest; ...", percent
    of sets in which the conclusion holds in the lowest and in the highest fifth of that parameter.
    """

    kind: str
    conclusion: str
    statement: str
    finding: str
    value: float
    holds: float
    calibrated: float
    results: float
    low: float
    median: float
    high: float
    separated_by: str

    @property
    def is_consequence(self) -> bool:
        """Whether the conclusion is the consequence of an assumption."""
        return not self.holds >= ROBUST

    @property
    def text(self) -> str:
        """The percentage, and the mark below 90 %."""
        if math.isnan(self.holds):
            return "no result"
        return f"{percent(self.holds)} %" + (f", {CONSEQUENCE}" if self.is_consequence else "")

    @property
    def where_it_stops(self) -> str:
        """The separating parameters in words; empty if there is none."""
        found = []
        for part in filter(None, self.separated_by.split("; ")):
            name, _, shares = part.rpartition(" ")
            low, _, high = shares.partition("-")
            found.append(f"{name} ({low} % in its lowest fifth, {high} % in its highest)")
        return "; ".join(found)


def percent(holds: float) -> str:
    """A percentage without decimals, rounded down, so that 100 and 90 mean at least that."""
    return f"{math.floor(holds):d}"


@dataclass(frozen=True)
class StoredRobustness:
    """Rows by kind and conclusion, and the facts of the run: sets, seed, parameters, date, equations, values."""

    rows: Mapping[tuple[str, str], RobustnessRow]
    facts: Mapping[str, str]

    def claim(self, name: str) -> RobustnessRow | None:
        """The row of a claim."""
        return self.rows.get(("claim", name))

    def is_current(self, model: Model) -> bool:
        """Whether equations and parameter values are those of the run."""
        return {name: self.facts.get(name, "") for name in ("equations", "values")} == _identity(model)

    def note(self, model: Model | None = None) -> str:
        """How the shares were computed, and with `model` whether it has changed since."""
        if not self.facts:
            return "The robustness of these conclusions has not been computed."
        facts = self.facts
        said = (
            f"Robustness: {facts['sets']} sets of {facts['parameters']} assumed parameters, drawn jointly over their"
            f" spreads, seed {facts['seed']}, {facts['date']}."
        )
        changed = model is not None and not self.is_current(model)
        return said + (" The model has changed since; run ketamech claims --robust again." if changed else "")


@cache
def load_robustness(folder: Path = DIRECTORY) -> StoredRobustness:
    """The stored result; empty if there is none. Raises InputError for a bad cell."""
    if not (folder / TABLE).is_file() or not (folder / RUN).is_file():
        return StoredRobustness({}, {})
    rows = [_row(row) for row in read_table(folder / TABLE, COLUMNS)]
    facts = {row["name"]: row["value"] for row in read_table(folder / RUN, ("name", "value"))}
    return StoredRobustness({(row.kind, row.conclusion): row for row in rows}, facts)


def _row(row: CsvRow) -> RobustnessRow:
    numbers = {name: row.number(name) if row[name] else math.nan for name in NUMBERS}
    return RobustnessRow(**{name: row[name] for name in TEXTS}, **numbers)  # type: ignore[arg-type]


def _identity(model: Model) -> dict[str, str]:
    """Hashes of the equations and of the parameter rows."""
    text = "\n".join(f"{row.name}={row.canonical!r} {row.spread}" for row in model.parameters.values())
    return {"equations": model.layout.fingerprint, "values": hashlib.sha256(text.encode()).hexdigest()[:16]}


def write_robustness(folder: Path, found: SetAnswers) -> list[Path]:
    """Write the table and the facts of the run as CSV files; returns their paths."""
    problem = found.problem
    facts = {
        "sets": str(found.sets), "parameters": str(len(problem.parameters)), "seed": str(problem.seed),
        "date": date.today().isoformat(), "conclusions": str(len(problem.conclusions)),
        "sets_with_the_drug_effect": f"{100 * found.calibrated.mean():.1f}", **_identity(problem.model),
    }  # fmt: skip
    table, run = folder / TABLE, folder / RUN
    atomic_write(table, _csv(found.table()[list(COLUMNS)]).encode())
    atomic_write(run, ("name,value\n" + "".join(f"{name},{value}\n" for name, value in facts.items())).encode())
    return [table, run]


def _csv(table: pd.DataFrame) -> str:
    return str(table.to_csv(index=False, lineterminator="\n", float_format="%.4g"))
