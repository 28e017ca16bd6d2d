"""Columns of a dose table that say who somebody is: SPECIES, WEIGHT (WT), AGE and other person.* parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ketamech.core import InputError, convert
from ketamech.exchange.nonmem.csv_cells import COLUMNS, DoseRow
from ketamech.parameters import HUMAN, ParameterTable, Species, load_species
from ketamech.simulation.parameter_overrides import bounds


def person_columns(header: Iterable[str], parameters: ParameterTable) -> dict[str, str]:
    """The parameter behind each column that has one."""
    found = {name: f"person.{name.lower()}" for name in header if name not in COLUMNS}
    return {name: parameter for name, parameter in found.items() if parameter in parameters}


def species_of(rows: Sequence[DoseRow]) -> Species:
    """The species that a column SPECIES names, people without one. Raises BadInput for two, or for an unknown one."""
    given = [row for row in rows if "SPECIES" in row.cells]
    try:
        found = load_species(given[0].word("SPECIES") if given else HUMAN)
    except InputError as problem:
        raise given[0].with_location(problem) from None
    changed = next((row for row in given if row.word("SPECIES") != given[0].word("SPECIES")), None)
    if changed is not None:
        raise changed.error("SPECIES changes", "SPECIES", "one species an ID")
    return found


def own_values(values: Mapping[str, float], species: str) -> dict[str, float]:
    """Those values (canonical units) that the tables of the species do not set alike."""
    usual = load_species(species).canonical
    return {name: value for name, value in values.items() if usual.get(name) != value}


def person_values(
    rows: Sequence[DoseRow], columns: dict[str, str], parameters: ParameterTable, species: str = HUMAN
) -> dict[str, float]:
    """This person's parameters in canonical units, from columns in the unit of the parameter tables.

    Raises BadInput for one out of bounds, and for one that changes with time: a person here has one value.
    """
    values = {}
    for column, name in columns.items():
        given = [row for row in rows if column in row.cells]
        if not given:
            continue
        value, row = parameters[name], given[0]
        changed = next((other for other in given if other.number(column) != row.number(column)), None)
        if changed is not None:
            what = f"{column} changes from {row.number(column):g} to {changed.number(column):g}"
            raise changed.error(what, column, "one value a person: no covariate changes with time here")
        values[name] = convert(row.number(column), value.unit, value.canonical_unit)
        low, high = bounds(value, species)
        if not low <= values[name] <= high:
            lowest, highest = (convert(edge, value.canonical_unit, value.unit) for edge in (low, high))
            raise row.error(f"{column} of {row.number(column):g}", column, f"{lowest:g} to {highest:g} {value.unit}")
    return values
