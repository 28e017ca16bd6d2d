"""Pathways that can be switched off, and the other components of an attribution: labels, colours, sources."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA

DIRECTORY = DATA / "pathways"
UNLISTED_COLOUR = "#8C564B"  # of a pathway that a user's own stage adds without a row in the table


@dataclass(frozen=True)
class Pathway:
    """A component of an attribution. `evidence` and `claims`: ids of rows in data/evidence and data/claims."""

    id: str
    label: str
    colour: str
    one_line: str = ""
    evidence: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()


def load_pathways() -> dict[str, Pathway]:
    """Pathways by id, in display order. Raises InputError naming file, line and column of a bad cell."""
    return _pathways(DIRECTORY)


def load_components() -> dict[str, Pathway]:
    """Pathways, then the components that are no pathway (expectancy, unattributed drug effect), by id."""
    return {**_pathways(DIRECTORY), **_other_components(DIRECTORY)}


def component(name: str) -> Pathway:
    """One component; a name that no table holds is its own label."""
    label = name.replace("_", " ")
    return load_components().get(name) or Pathway(name, label[:1].upper() + label[1:], UNLISTED_COLOUR)


def label_in_sentence(name: str) -> str:
    """The label inside a sentence: "Opioid system" becomes "opioid system", "TrkB" is unchanged."""
    label = component(name).label
    return label[0].lower() + label[1:] if label[1:2].islower() else label


@cache
def _pathways(folder: Path) -> dict[str, Pathway]:
    columns = ("id", "label", "colour", "one_line", "evidence", "claims")
    rows = read_table(folder / "pathways.csv", columns)
    return {row["id"]: _pathway(row, _list(row["evidence"]), _list(row["claims"])) for row in rows}


@cache
def _other_components(folder: Path) -> dict[str, Pathway]:
    rows = read_table(folder / "other_components.csv", ("id", "label", "colour", "one_line"))
    return {row["id"]: _pathway(row) for row in rows}


def _pathway(row: CsvRow, evidence: tuple[str, ...] = (), claims: tuple[str, ...] = ()) -> Pathway:
    colour = row["colour"]
    if len(colour) != 7 or colour[0] != "#" or set(colour[1:]) - set("0123456789ABCDEFabcdef"):
        raise row.error("colour", f"'{colour}' is not a colour", expected="#RRGGBB")
    label = row.required("label", "what a reader sees")
    return Pathway(row.required("id", "a short name"), label, colour, row["one_line"], evidence, claims)


def _list(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(";") if part.strip())
