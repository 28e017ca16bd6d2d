"""Cases of the SBML Test Suite (semantic).

A case is a folder NNNNN with `NNNNN-settings.txt`, `NNNNN-results.csv` and models `NNNNN-sbml-lXvY.xml`; the newest
level is used. A value passes within `absolute` + `relative` times the expected value, as the suite defines.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ketamech.core import InputError
from ketamech.core.csv_table import parts
from ketamech.exchange.sbml.importer import import_sbml
from ketamech.exchange.sbml.simulate import simulate_imported

LEVELS = ("l3v2", "l3v1", "l2v5", "l2v4", "l2v3", "l2v2", "l2v1", "l1v2")


@dataclass(frozen=True)
class Settings:
    """The settings of a case."""

    start: float
    duration: float
    steps: int
    variables: tuple[str, ...]
    absolute: float
    relative: float
    amounts: frozenset[str]
    concentrations: frozenset[str]

    @property
    def times(self) -> np.ndarray:
        """Output times."""
        return np.linspace(self.start, self.start + self.duration, self.steps + 1)


def is_flux_balance(folder: Path) -> bool:
    """Whether a case has no times, as the cases of the package fbc."""
    lines = (folder / f"{folder.name}-settings.txt").read_text(encoding="utf-8").splitlines()
    return any(line.partition(":")[0].strip() == "duration" and not line.partition(":")[2].strip() for line in lines)


def run_case(folder: Path) -> str:
    """The first value that differs from what a case expects; empty where it passes."""
    settings = read_settings(folder / f"{folder.name}-settings.txt")
    expected = read_results(folder / f"{folder.name}-results.csv")
    tolerance = float(np.clip(settings.relative * 1e-4, 1e-11, 1e-8))
    simulated = simulate_imported(import_sbml(_newest(folder)), settings.times, tolerance=tolerance)
    for variable in settings.variables:
        theirs = expected.get(variable)
        key = f"amount({variable})" if variable in settings.amounts else variable
        key = f"concentration({variable})" if variable in settings.concentrations else key
        ours = simulated.get(f"value({variable})", simulated.get(key, simulated.get(variable)))  # an id may be `time`
        if theirs is None or ours is None:
            raise InputError(f"'{variable}' is not among the values that are computed")
        with np.errstate(invalid="ignore"):
            excess = np.abs(ours - theirs) - settings.absolute - settings.relative * np.abs(theirs)
        equal = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs)) | (excess <= 0)
        if not equal.all():
            row = int(np.argmin(equal))
            return f"{variable} is {ours[row]:.6g}, expected {theirs[row]:.6g}, row {row}"
    return ""


def _newest(folder: Path) -> Path:
    paths = [path for level in LEVELS if (path := folder / f"{folder.name}-sbml-{level}.xml").is_file()]
    if not paths:
        raise InputError("no model of this case", file=folder, expected=f"{folder.name}-sbml-l3v1.xml")
    return paths[0]


def read_settings(path: Path) -> Settings:
    """The settings of a case. Raises InputError for another file."""
    try:
        lines = [line.partition(":") for line in path.read_text(encoding="utf-8").splitlines() if ":" in line]
        cells = {name.strip().lower(): value.strip() for name, _, value in lines}
        return Settings(
            float(cells["start"]), float(cells["duration"]), int(cells["steps"]), parts(cells["variables"], ","),
            float(cells["absolute"]), float(cells["relative"]), frozenset(parts(cells.get("amount", ""), ",")),
            frozenset(parts(cells.get("concentration", ""), ",")),
        )  # fmt: skip
    except (OSError, KeyError, ValueError) as problem:
        message = f"settings that cannot be read: {problem}"
        raise InputError(message, file=path, expected="start:, duration:, ...") from None


def read_results(path: Path) -> dict[str, np.ndarray]:
    """The expected values by variable. Raises InputError for another file."""
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        names = [name.strip().rpartition("`")[2] for name in _cells(rows[0])]
        table = np.array([[float(cell) for cell in _cells(row)] for row in rows[1:] if row])
        return dict(zip(names, table.T, strict=True))
    except (OSError, ValueError, IndexError) as problem:
        raise InputError(f"results that cannot be read: {problem}", file=path, expected="time and variables") from None


def _cells(row: list[str]) -> list[str]:
    """The cells of a line; a trailing comma starts no cell."""
    return row[:-1] if row and not row[-1].strip() else row
