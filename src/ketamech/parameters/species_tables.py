"""Rat and mouse: tables of values that replace human values, and the drugs and routes with known kinetics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ketamech.core import UnknownNameError, closest_match
from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.evidence import load_evidence
from ketamech.parameters.load_parameters import COLUMNS, OPTIONAL_COLUMNS, Parameter, load_parameters, parameter_of

DIRECTORY = DATA / "species"
HUMAN = "human"
ANIMALS = ("rat", "mouse")
SPECIES = (HUMAN, *ANIMALS)
SPECIES_ALIASES = {"rats": "rat", "mice": "mouse", "person": HUMAN, "people": HUMAN, "humans": HUMAN, "man": HUMAN}


@dataclass(frozen=True)
class Species:
    """One species: `values` that replace those of the main tables, and the known `routes` of each drug.

    For humans the main tables contain everything, so both are empty.
    """

    name: str
    values: dict[str, Parameter]
    routes: dict[str, tuple[str, ...]]

    @property
    def canonical(self) -> dict[str, float]:
        """The values in canonical units, by name."""
        return {name: row.canonical for name, row in self.values.items()}


def load_species(word: str) -> Species:
    """The species of a word such as rat, mice or human. Raises UnknownNameError with the nearest one."""
    name = SPECIES_ALIASES.get(word.strip().lower(), word.strip().lower())
    if name not in SPECIES:
        what, near = f"there are no tables for the species '{word}'", closest_match(word, [*SPECIES, *SPECIES_ALIASES])
        expected = ", ".join(SPECIES)
        raise UnknownNameError(what, key="species", expected=expected, nearest=near, type_this="species: rat")
    return _shipped(name)


def own_values(values: Mapping[str, float], species: str) -> dict[str, float]:
    """The values (canonical units) that differ from those of the species tables."""
    usual = load_species(species).canonical
    return {name: value for name, value in values.items() if usual.get(name) != value}


@cache
def _shipped(name: str) -> Species:
    if name == HUMAN:
        return Species(name, {}, {})
    known, evidence = load_parameters(), load_evidence()
    rows = read_table(DIRECTORY / f"{name}.csv", COLUMNS, OPTIONAL_COLUMNS)
    values = {}
    for row in rows:
        key = row.known("name", known, "a name of data/parameters", what="no parameter")
        values[key] = parameter_of(row, evidence, key)
    return Species(name, values, _routes(name))


def _routes(name: str) -> dict[str, tuple[str, ...]]:
    table = read_table(DIRECTORY / "kinetics.csv", ("species", "drug", "routes", "why"))
    return {row["drug"]: row.listed("routes") for row in table if row.one_of("species", ANIMALS) == name}
