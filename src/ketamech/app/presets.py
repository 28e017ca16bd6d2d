"""Preset scenarios of the workbench, from data/presets/presets.csv."""

from __future__ import annotations

from typing import Any

from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.paths import DATA

TABLE = DATA / "presets" / "presets.csv"
COLUMNS = ("title", "treatments", "person", "pathways_off", "horizon")


def load_presets() -> list[dict[str, Any]]:
    """Every preset as the keys of a scenario file. Raises InputError naming file, line and column of a bad cell."""
    return [_scenario(row) for row in read_table(TABLE, COLUMNS)]


def _scenario(row: CsvRow) -> dict[str, Any]:
    found: dict[str, Any] = {
        "title": row.required("title", "a name"),
        "treatments": _list(row.required("treatments", "at least one treatment")),
        "person": dict(_pair(row, cell) for cell in _list(row["person"])),
    }
    if row["pathways_off"]:
        found["pathways"] = dict.fromkeys(_list(row["pathways_off"]), False)
    return found | ({"horizon": row["horizon"]} if row["horizon"] else {})


def _pair(row: CsvRow, cell: str) -> tuple[str, str]:
    name, colon, value = cell.partition(":")
    if not colon or not value.strip():
        raise row.error("person", f"'{cell}' is not a setting", expected="name: value, e.g. weight: 70 kg")
    return name.strip(), value.strip()


def _list(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(";") if part.strip()]
