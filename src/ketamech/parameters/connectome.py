"""Brain areas and their couplings: those of the model, and a connectome and receptor map of the user in their place.

No connectome is shipped: published ones have licences of their own (many forbid redistribution or commercial use).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from ketamech.core import InputError, UnknownNameError, closest_match
from ketamech.core.atomic_files import read_text
from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.parameters.load_parameters import load_parameters

TABLE = DATA / "brain_areas" / "areas.csv"
COLUMNS = ("area", "label", "network", "short")


@dataclass(frozen=True)
class BrainArea:
    """One area: its name in parameters and outputs, its label, its network, its abbreviation."""

    area: str
    label: str
    network: str
    short: str


@cache
def load_brain_areas() -> tuple[BrainArea, ...]:
    """Every area, in the order used in the names of couplings."""
    return tuple(BrainArea(**row.cells) for row in read_table(TABLE, COLUMNS))


def coupling_name(one: str, other: str) -> str:
    """The parameter that couples two areas, in either order."""
    order = [area.area for area in load_brain_areas()]
    first, second = sorted((one, other), key=order.index)
    return f"coupling.{first}_and_{second}"


RECEPTORS = ("nmda", "glun2b", "ampa")
FRACTION_RECEPTOR = "glun2b"  # a fraction from 0 to 1, not scaled; the others are densities, scaled
SYMMETRY_TOLERANCE = 1e-6  # relative
ConnectomeWeights = str | Path | Sequence[Sequence[float]] | np.ndarray


@dataclass(frozen=True)
class _Table:
    """Numbers [row, column] with the names of rows and columns, and the file they were read from."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: np.ndarray
    file: Path | None = None

    def error(self, what: str, expected: str, *, row: int | None = None) -> InputError:
        return InputError(what, file=self.file, line=self._line(row), expected=expected)

    def unknown(self, kind: str, name: str, known: Sequence[str], *, row: int | None = None) -> UnknownNameError:
        what, near = f"'{name}' is not {kind}", closest_match(name, known)
        in_header = self.file is not None and (row is None or self.rows is self.columns)
        return UnknownNameError(
            what, file=self.file, line=1 if in_header else self._line(row), expected=", ".join(known), nearest=near
        )

    def _line(self, row: int | None) -> int | None:
        return None if row is None or self.file is None else row + 2


def load_connectome(
    weights: ConnectomeWeights | None = None, names: Sequence[str] | None = None, *, receptors: str | Path | None = None
) -> dict[str, float]:
    """Parameter overrides that replace the shipped couplings, receptor densities, or both.

    `weights`: an array [area, area] with `names`, or a CSV file whose header names the areas (rows in the same order,
    with or without their names in the first column). Symmetric, not negative; the diagonal is ignored. Any two or more
    areas may be given: couplings between them are replaced, others stay. Weights are in any unit: they are scaled to
    the mean of the couplings they replace. `receptors`: a CSV file with a column `area` and any of nmda, ampa
    (relative densities, scaled in the same way) and glun2b (fraction, 0 to 1).

    Use the result as `parameters` of a scenario, or name the files there: `connectome: mine.csv`. Raises InputError
    for a wrong shape, asymmetry or a negative weight, and UnknownNameError with the nearest name for an unknown area.
    """
    if weights is None and receptors is None:
        raise InputError("neither a connectome nor a receptor map", expected="at least one of weights, receptors")
    couplings = {} if weights is None else _couplings(_matrix(weights, names))
    return couplings if receptors is None else couplings | _densities(_read(Path(receptors)))


def _matrix(weights: ConnectomeWeights, names: Sequence[str] | None) -> _Table:
    if isinstance(weights, str | Path):
        return _read(Path(weights))
    try:
        values = np.array(weights, dtype=float)
    except (TypeError, ValueError):
        raise InputError("the connectome is not a matrix of numbers", expected="rows of equal length") from None
    if names is None:
        raise InputError("the connectome has no names", key="names", expected="the area of each row")
    return _Table(tuple(names), tuple(names), values)


def _read(path: Path) -> _Table:
    """A CSV file: a header of names, then numbers; the first cell of each row may be the name of the row."""
    text = read_text(path, "a CSV file")
    try:
        records = [[cell.strip() for cell in cells] for cells in csv.reader(StringIO(text)) if any(cells)]
    except csv.Error as problem:
        raise InputError(f"the table cannot be read: {problem}", file=path, expected="a CSV file") from None
    if len(records) < 2:
        raise InputError("the table is empty", file=path, line=1, expected="a header of areas, then one row per area")
    header, body = records[0], records[1:]
    named = header[0] in ("", "area")
    columns = tuple(header[1:] if named else header)
    rows = tuple(cells[0] for cells in body) if named else columns
    return _Table(rows, columns, _numbers(path, [cells[1:] if named else cells for cells in body], columns), path)


def _numbers(path: Path, body: list[list[str]], columns: Sequence[str]) -> np.ndarray:
    numbers = np.empty((len(body), len(columns)))
    for i, cells in enumerate(body):
        if len(cells) != len(columns):
            what = f"{len(cells)} numbers under {len(columns)} names"
            raise InputError(what, file=path, line=i + 2, expected=f"{len(columns)} numbers")
        for j, cell in enumerate(cells):
            try:
                numbers[i, j] = float(cell)
            except ValueError:
                raise InputError(f"'{cell}' is not a number", file=path, line=i + 2, expected="numbers") from None
    return numbers


def _couplings(table: _Table) -> dict[str, float]:
    _check_matrix(table)
    pairs = list(combinations(range(len(table.rows)), 2))
    names = [coupling_name(table.rows[i], table.rows[j]) for i, j in pairs]
    weights = np.array([table.values[i, j] for i, j in pairs])
    return dict(zip(names, _scaled(table, weights, names), strict=True))


def _check_matrix(table: _Table) -> None:
    count = len(table.columns)
    if table.values.shape != (count, count) or len(table.rows) != count:
        shape = " x ".join(map(str, table.values.shape))
        raise table.error(f"the connectome is {shape} for {count} names", f"{count} rows of {count} numbers")
    _check_areas(table, table.rows, [area.area for area in load_brain_areas()])
    if table.rows != table.columns:
        raise table.error("rows and columns name the areas in different orders", "the same order")
    for i, j in _matrix_error(~np.isfinite(table.values)):
        raise table.error(f"{_between(table, i, j)} is not a finite number", "finite weights", row=i)
    for i, j in _matrix_error(table.values < 0):
        raise table.error(f"{_between(table, i, j)} is negative", "weights of 0 or more", row=i)
    asymmetric = np.abs(table.values - table.values.T) > SYMMETRY_TOLERANCE * np.maximum(table.values, table.values.T)
    for i, j in _matrix_error(asymmetric):
        text = f"{table.values[i, j]:g} one way and {table.values[j, i]:g} the other"
        raise table.error(f"{_between(table, i, j)} is asymmetric: {text}", "the same weight both ways", row=i)


def _matrix_error(mask: np.ndarray) -> Iterator[tuple[int, int]]:
    return ((int(i), int(j)) for i, j in np.argwhere(mask & ~np.eye(len(mask), dtype=bool)))


def _between(table: _Table, i: int, j: int) -> str:
    return f"the coupling of {table.rows[i]} and {table.rows[j]}"


def _check_areas(table: _Table, names: Sequence[str], known: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if name not in known:
            raise table.unknown("an area", name, known, row=i)
        if name in names[:i]:
            raise table.error(f"'{name}' appears twice", "each area once", row=i)
    if len(names) < 2:
        raise table.error(f"{len(names)} area", "two areas or more")


def _densities(table: _Table) -> dict[str, float]:
    shipped = load_parameters()
    _check_areas(table, table.rows, [a.area for a in load_brain_areas() if f"brain_network.{a.area}_nmda" in shipped])
    densities: dict[str, float] = {}
    for column, values in zip(table.columns, table.values.T, strict=True):
        if column not in RECEPTORS:
            raise table.unknown("a receptor", column, RECEPTORS)
        names = [f"brain_network.{area}_{column}" for area in table.rows]
        for i in np.flatnonzero(~np.isfinite(values) | (values < 0) | ((values > 1) & (column == FRACTION_RECEPTOR))):
            wanted = "a share from 0 to 1" if column == FRACTION_RECEPTOR else "a density of 0 or more"
            raise table.error(f"{column} of {table.rows[i]} is {values[i]:g}", wanted, row=int(i))
        densities |= dict(
            zip(names, values if column == FRACTION_RECEPTOR else _scaled(table, values, names), strict=True)
        )
    return {name: float(value) for name, value in densities.items()}


def _scaled(table: _Table, values: np.ndarray, names: Sequence[str]) -> list[float]:
    """The same pattern with the mean of the values that it replaces."""
    shipped: Mapping[str, Any] = load_parameters()
    if not values.any():
        raise table.error("all values are 0", "at least one above 0")
    return list(map(float, values * np.mean([shipped[name].canonical for name in names]) / values.mean()))
