"""Physiological ranges of outputs, and the outputs that exist for humans only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from ketamech.core import InputError
from ketamech.core.csv_table import read_table, rows_by
from ketamech.core.environment import DATA
from ketamech.core.units import YEAR
from ketamech.parameters import HUMAN
from ketamech.simulation.curves import Curves

TABLE = DATA / "ranges" / "ranges.csv"
ALL_SPECIES, CHILD = "all", "child"
YOUNGEST_RATED = 13 * YEAR  # h; the youngest patients with ratings after ketamine: adolescents of 13 to 17 years


@dataclass(frozen=True)
class OutputRange:
    """The range (unit of the output) that an output cannot leave; infinite where a bound is open."""

    output: str
    lower: float
    upper: float
    species: str
    source: str


@cache
def load_ranges() -> dict[str, OutputRange]:
    """Ranges by output. Raises InputError naming file, line and column of the first bad cell."""
    ranges: dict[str, OutputRange] = {}
    rows = read_table(TABLE, ("output", "lower", "upper", "species", "source"))
    for name, row in rows_by(rows, "output", "stage.thing").items():
        one = OutputRange(
            output=name,
            lower=row.number_or("lower", -math.inf),
            upper=row.number_or("upper", math.inf),
            species=row.one_of("species", (HUMAN, ALL_SPECIES)),
            source=row.required("source", "where the bound comes from"),
        )
        if not one.lower < one.upper:
            raise row.error("upper", f"a range from {one.lower:g} to {one.upper:g}", expected="lower below upper")
        ranges[name] = one
    return ranges


def group_of(species: str, values: Mapping[str, float]) -> str:
    """The species, or `child` for a human below the age of any rating; `values` in canonical units."""
    return CHILD if species == HUMAN and values.get("person.age", math.inf) < YOUNGEST_RATED else species


def exists_in(group: str, output: str) -> bool:
    """Whether an output exists in a species or in a `child`: ratings, beliefs and moods do for rated humans only."""
    one = load_ranges().get(output)
    return group == HUMAN or one is None or one.species != HUMAN


def without_human_outputs(curves: Curves, group: str) -> Curves:
    """Curves of a group (see `group_of`), without the outputs that exist for rated humans only."""
    return curves.drop_vars([str(name) for name in curves.data_vars if not exists_in(group, str(name))])


def require_outputs(group: str, outputs: Sequence[str]) -> None:
    """Raise InputError unless all outputs exist in this group (see `group_of`)."""
    missing = [name for name in outputs if not exists_in(group, name)]
    if missing and group == CHILD:
        what = f"{missing[0]} has no data in patients below {YOUNGEST_RATED / YEAR:g} years"
        raise InputError(what, key="outputs", expected="kinetics or mechanism", type_this="venous.ketamine")
    if missing:
        raise InputError(
            f"{missing[0]} exists for humans only: a {group} has no rating",
            key="outputs",
            expected="an output that is measured in animals",
            type_this="forced_swim.immobility",
        )
