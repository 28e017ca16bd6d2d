"""Rival wirings: named sets of parameter rows, each with the values that were estimated for it.

A wiring is what is assumed about the roads (`data/wirings/settings.csv`) and what follows from fitting it to the same
evidence as the others (`fitted.csv`). A scenario that names one takes both; what the scenario itself sets wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ketamech.core import UnknownNameError, closest_match, unit
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.paths import DATA
from ketamech.parameters import ParameterTable

DIRECTORY = DATA / "wirings"
COLUMNS = ("wiring", "question", "says", "for", "against")
SETTINGS = ("wiring", "parameter", "value", "status", "why")
FITTED = ("wiring", "parameter", "value", "unit", "low", "high", "status", "place")


@dataclass(frozen=True)
class ModelVariant:
    """A wiring by name: the `question` it answers, what it `says`, evidence for and against, values in canonical units.

    `settings` are its assumptions; `fitted` the values estimated under them.
    """

    name: str
    question: str
    description: str
    supported_by: tuple[str, ...]
    opposed_by: tuple[str, ...]
    settings: Mapping[str, float]
    fitted: Mapping[str, float]

    @property
    def parameter_values(self) -> dict[str, float]:
        """Everything in which this wiring differs from the tables, canonical."""
        return {**self.settings, **self.fitted}

    @property
    def notes(self) -> tuple[str, ...]:
        """What a run has to say of it."""
        if not self.name:
            return ()
        return (f"wiring '{self.name}': {self.description}; {len(self.fitted)} values fitted under it",)


def load_model_variants(table: ParameterTable, directory: Path = DIRECTORY) -> dict[str, ModelVariant]:
    """Every wiring by name. Raises BadInput naming the line of a parameter or wiring that does not exist."""
    rows = read_table(directory / "wirings.csv", COLUMNS)
    names = [row.required("wiring", "a name") for row in rows]
    settings = _values(read_table(directory / "settings.csv", SETTINGS), names, table)
    written = directory / "fitted.csv"
    fitted = _values(read_table(written, FITTED), names, table) if written.exists() else {}
    return {name: _wiring(name, row, settings, fitted) for name, row in zip(names, rows, strict=True)}


def model_variant(name: str, table: ParameterTable) -> ModelVariant:
    """One wiring by name; without a name the tables as they are. Raises UnknownName with the nearest."""
    if not name:
        return ModelVariant("", "", "", (), (), {}, {})
    known = load_model_variants(table)
    if name not in known:
        raise UnknownNameError(
            f"there is no wiring '{name}'", key="wiring", expected=", ".join(known), nearest=closest_match(name, known),
            type_this="ketamech variants",
        )  # fmt: skip
    return known[name]


def _wiring(
    name: str, row: CsvRow, settings: Mapping[str, dict[str, float]], fitted: Mapping[str, dict[str, float]]
) -> ModelVariant:
    pro, contra = (tuple(part for part in row[column].split(";") if part) for column in ("for", "against"))
    return ModelVariant(name, row["question"], row["says"], pro, contra, settings.get(name, {}), fitted.get(name, {}))


def _values(rows: list[CsvRow], names: list[str], table: ParameterTable) -> dict[str, dict[str, float]]:
    """{wiring: {parameter: canonical value}} of rows in the units of the parameter tables."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        row.one_of("wiring", names)
        name = row["parameter"]
        if name not in table:
            raise row.error(
                "parameter", f"no parameter '{name}'", expected="stage.thing", near=closest_match(name, table)
            )
        mine = found.setdefault(row["wiring"], {})
        if name in mine:
            raise row.error("parameter", f"'{name}' is already set for this wiring", expected="each parameter once")
        mine[name] = row.number("value") * unit(table[name].unit).factor
    return found
