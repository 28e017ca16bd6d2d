"""A dose table with the basic columns of NONMEM -> a scenario: TIME, AMT, RATE or DUR, II, ADDL, SS, EVID, MDV, ID."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from ketamech.app.asked import AskedDoseTable
from ketamech.app.scenarios import scenario_of, shown_name
from ketamech.core import BadInput, nearest
from ketamech.study import DoseRecord, Model, Regimen
from ketamech.study.scenario_file import ScenarioFile

KNOWN = ("ID", "TIME", "AMT", "RATE", "DUR", "II", "ADDL", "SS", "EVID", "MDV", "CMT", "DV")
MOST_ROWS = 2000


def keys_of_table(asked: AskedDoseTable, model: Model) -> ScenarioFile:
    """The doses of the first person of a table as a scenario that can be run. Raises BadInput with its line."""
    name = shown_name(asked.name)
    records = [_record(line, row, asked, name) for line, row in _rows(asked.text, name)]
    if not records:
        raise BadInput("no dose in this table", file=name, expected="rows with AMT above 0 and EVID 1 or 4")
    found = Regimen(tuple(r.treatment() for r in sorted(records, key=lambda record: record.time)))
    written = {"title": f"Doses of {name}", "treatments": found.sentence().split("; "), "person": {"weight": "70 kg"}}
    keys = ScenarioFile.model_validate(written)
    scenario_of(keys, model)
    return keys


def _rows(text: str, name: str) -> list[tuple[int, Mapping[str, str]]]:
    """Dose rows of the first person, with their lines."""
    lines = text.splitlines()
    comma = "," if lines and "," in lines[0] else None
    read = csv.reader(io.StringIO(text)) if comma else (line.split() for line in lines)
    table = [(i, [cell.strip() for cell in row]) for i, row in enumerate(read, 1) if row]
    if not table:
        raise BadInput("the file is empty", file=name, expected="a header: ID,TIME,AMT,...")
    head = [cell.strip("#").upper() for cell in table[0][1]]
    for wanted in ("TIME", "AMT"):
        if wanted not in head:
            near = nearest(wanted, [cell for cell in head if cell])
            raise BadInput(f"no column {wanted}", file=name, line=1, expected=", ".join(KNOWN), nearest=near)
    found: list[tuple[int, Mapping[str, str]]] = []
    for line, cells in table[1 : MOST_ROWS + 1]:
        row = dict(zip(head, cells, strict=False))
        if found and row.get("ID") != found[0][1].get("ID"):
            break
        if _number(row, "EVID", line, name, 1.0) in (1.0, 4.0) and _number(row, "AMT", line, name):
            found.append((line, row))
    return found


def _record(line: int, row: Mapping[str, str], asked: AskedDoseTable, name: str) -> DoseRecord:
    def number(column: str) -> float:
        return _number(row, column, line, name)

    if number("RATE") < 0:
        raise BadInput("RATE -1 and -2 are not read here", file=name, line=line, expected="a rate above 0, or DUR")
    duration = number("AMT") / number("RATE") if number("RATE") else number("DUR")
    try:
        return DoseRecord(
            number("TIME"), asked.drug, number("AMT"), asked.unit, asked.route, duration, int(number("ADDL")),
            number("II"), bool(number("SS")),
        )  # fmt: skip
    except BadInput as problem:
        raise BadInput(problem.what, file=name, line=line, key=problem.key, expected=problem.expected) from None


def _number(row: Mapping[str, str], column: str, line: int, name: str, missing: float = 0.0) -> float:
    text = row.get(column, "") or "."
    if text == ".":
        return missing
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not abs(found) < 1e9:
        raise BadInput(f"'{text[:30]}' is no number", file=name, line=line, key=column, expected="a number, or .")
    return found
