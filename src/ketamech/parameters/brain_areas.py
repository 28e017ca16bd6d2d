"""The brain areas of the model: their labels, and the parameter that couples two of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ketamech.core.csv_table import read_table
from ketamech.core.paths import DATA

TABLE = DATA / "areas" / "areas.csv"
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
