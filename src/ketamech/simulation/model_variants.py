"""Model variants: alternative hypotheses as named sets of parameter values, each with the values estimated under it.

A variant sets parameters by assumption (`data/variants/settings.csv`) and others by fitting it to the same evidence as
the other variants (`fitted.csv`). A scenario that names a variant takes both; values of the scenario take precedence.
A variant with equations of its own has a folder in `data/variants`; `ketamech.simulation.model` loads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ketamech.core import InputError, require_known, unit
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.parameters import ParameterTable

DIRECTORY = DATA / "variants"
COLUMNS = ("variant", "question", "says", "for", "against")
SETTINGS = ("variant", "parameter", "value", "status", "why")
FITTED = ("variant", "parameter", "value", "unit", "low", "high", "status", "place")


@dataclass(frozen=True)
class ModelVariant:
    """One variant: the `question` it answers, its `description`, evidence ids for and against it, and its parameters.

    `settings` are assumed values, `fitted` the values estimated under them, both {parameter: canonical value}.
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
        """All parameters that differ from the tables, canonical units."""
        return {**self.settings, **self.fitted}

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the report of a run."""
        if not self.name:
            return ()
        return (f"model variant '{self.name}': {self.description}; {len(self.fitted)} values fitted under it",)


def load_model_variants(table: ParameterTable, directory: Path = DIRECTORY) -> dict[str, ModelVariant]:
    """Every variant by name. Raises InputError with the line of an unknown parameter or variant."""
    rows = read_table(directory / "variants.csv", COLUMNS)
    names = [row.required("variant", "a name") for row in rows]
    settings = _values(read_table(directory / "settings.csv", SETTINGS), names, table)
    written = directory / "fitted.csv"
    fitted = _values(read_table(written, FITTED), names, table) if written.exists() else {}
    return {name: _variant(name, row, settings, fitted) for name, row in zip(names, rows, strict=True)}


def model_variant(name: str, table: ParameterTable) -> ModelVariant:
    """One variant by name; the unchanged tables for "". Raises UnknownNameError with the nearest name."""
    if not name:
        return ModelVariant("", "", "", (), (), {}, {})
    if name in {path.name.replace("_", "-") for path in DIRECTORY.iterdir() if path.is_dir()}:
        what, expected = f"'{name}' has equations of its own", "a variant of the full model ('ketamech variants')"
        raise InputError(what, key="variant", expected=expected, type_this=f"ketamech trial NAME --variant {name}")
    known = load_model_variants(table)
    what, expected = f"there is no model variant '{name}'", ", ".join(known)
    require_known(name, known, what, key="variant", expected=expected, type_this="ketamech variants")
    return known[name]


def _variant(
    name: str, row: CsvRow, settings: Mapping[str, dict[str, float]], fitted: Mapping[str, dict[str, float]]
) -> ModelVariant:
    sides = row.listed("for"), row.listed("against")
    return ModelVariant(name, row["question"], row["says"], *sides, settings.get(name, {}), fitted.get(name, {}))


def _values(rows: list[CsvRow], names: list[str], table: ParameterTable) -> dict[str, dict[str, float]]:
    """{variant: {parameter: canonical value}} of rows in the units of the parameter tables."""
    by_variant: dict[str, dict[str, float]] = {}
    for row in rows:
        row.one_of("variant", names)
        name = row.known("parameter", table, "stage.thing", what="no parameter")
        values = by_variant.setdefault(row["variant"], {})
        if name in values:
            what = f"'{name}' is already set for this model variant"
            raise row.error("parameter", what, expected="each parameter once")
        values[name] = row.number("value") * unit(table[name].unit).factor
    return by_variant
