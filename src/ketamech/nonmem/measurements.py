"""Measurements in the records of a table: value, censoring, analyte and unit.

A value below the limit of quantification (BLQ) is marked by CENS 1 (DV holds the limit, LIMIT a lower bound), by BLQ 1
(LLOQ or DV holds the limit), by a word such as "BLQ" (the limit is in LLOQ), or by DV such as "<0.5". CENS -1 marks a
value above DV.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from ketamech.core import InputError, unit
from ketamech.nonmem.csv_cells import ANALYTES, UNIT_COLUMNS, DoseRow
from ketamech.simulation.nca_tables import PER_KG

DV = "DV"
CENSORING_COLUMNS = ("EVID", "MDV", "CENS", "LIMIT", "BLQ", "LLOQ")
NUMBER = r"(?:\d+[.,]?\d*|[.,]\d+)(?:e[-+]?\d+)?"
BELOW = re.compile(rf"<\s*(?P<limit>{NUMBER})|(?:<\s*)?(?:blq|bql|bloq|bdl|blod|lloq|loq|lod|nd)", re.I)
NOT_CENSORED, LEFT, RIGHT = 0, 1, -1


@dataclass(frozen=True)
class Measurement:
    """A value in the unit of the table; for a censored one its limit (NaN: not stated), above `lower` if below it."""

    value: float
    censored: int = NOT_CENSORED
    lower: float = -math.inf


def measurement_of(row: DoseRow, column: str = DV) -> Measurement | None:
    """The measurement of a record, None without one: no value, MDV 1, or an EVID that is not 0.

    EVID, MDV, CENS, LIMIT, BLQ and LLOQ are about DV: for another `column` they do not count. Raises InputError for
    text that is neither a number nor a mark of BLQ.
    """
    relevant_row = (
        row if column == DV else replace(row, cells={k: v for k, v in row.cells.items() if k not in CENSORING_COLUMNS})
    )
    if relevant_row.number("EVID") != 0 or relevant_row.number("MDV") == 1:
        return None
    text, code = relevant_row.text(column), relevant_row.integer("CENS", range(-1, 2))
    below_match = BELOW.fullmatch(text)
    if code == LEFT or below_match or relevant_row.number("BLQ") == 1:
        if not text and "LLOQ" not in relevant_row.cells and relevant_row.number("BLQ") != 1:
            return None
        return Measurement(_limit(relevant_row, column, below_match), LEFT, relevant_row.number("LIMIT", -math.inf))
    if not text:
        return None
    return Measurement(_number(relevant_row, column), code)


def _limit(row: DoseRow, column: str, below_match: re.Match[str] | None) -> float:
    """The limit of quantification of a record, NaN if it is not stated."""
    if below_match and below_match["limit"]:
        return float(below_match["limit"].replace(",", "."))
    lloq = row.number("LLOQ", math.nan)
    dv = math.nan if below_match or column not in row.cells else _number(row, column)
    if below_match or row.number("BLQ") == 1 or not dv > 0:
        return dv if math.isnan(lloq) else lloq
    return dv


def _number(row: DoseRow, column: str) -> float:
    text = row.text(column)
    if text.startswith("<"):
        message = f"'{text}' is not a limit of quantification"
        raise row.error(message, column, "< and a number, such as <0.5, or BLQ")
    return row.number(column)


def analyte_of(row: DoseRow) -> str:
    """The analyte or DVID of a record, "" if it states none."""
    return next((row.text(column) for column in ANALYTES if column in row.cells), "")


def unit_of(row: DoseRow, kind: str) -> str | None:
    """The unit of the measurement in a record, None if it states none; `kind`: a unit that is expected.

    A UNIT of a dose, such as mg in every record of a table, is not that of the measurement (unless `kind` is one, too).
    """
    stated = next((row.text(column) for column in UNIT_COLUMNS if column in row.cells), None)
    if stated is not None:
        return stated
    text = row.text("UNIT")
    is_dose = _same_kind(text.removesuffix(PER_KG), "mg") and not _same_kind(text, kind)
    return None if not text or is_dose else text


def _same_kind(first: str, second: str) -> bool:
    """Whether two texts are units of one kind."""
    try:
        return unit(first).same_kind(unit(second))
    except InputError:
        return False
