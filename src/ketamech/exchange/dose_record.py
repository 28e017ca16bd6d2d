"""One dose of a table -> a dose record."""

from __future__ import annotations

from ketamech.core import BadInput
from ketamech.exchange.dose_cells import Row
from ketamech.study import DoseRecord
from ketamech.study.compartments import route_of
from ketamech.study.dosing import duration, mass_unit, salt_of
from ketamech.study.drugs import Drug
from ketamech.study.drugs import drug as known_drug
from ketamech.study.regimen import MOST_DOSES


def dose_record(row: Row, drug: str | None, *, visit: bool = False) -> DoseRecord:
    """The dose that a row with EVID 1 or 4 stands for (a `visit`: EVID 2, nothing is given), its time as in the table.

    Raises BadInput with file, line and column.
    """
    try:
        return _record(row, _drug(row, drug), visit)
    except BadInput as problem:
        raise problem if problem.file else row.placed(problem) from None


def _record(row: Row, given: Drug, visit: bool) -> DoseRecord:
    share = row.number("F", 1.0)
    if not share > 0:
        raise row.bad(f"F of {share:g}", "F", "a share above 0")
    amount = None if given.sessions else _amount(row) * share
    route, unit = _route(row), "" if given.sessions else mass_unit(row.word("UNIT", "mg"))
    lasting = 0.0 if visit else duration(
        share if given.sessions else amount, row.number("RATE"), row.number("DUR"), route,
        modelled_rate=row.number("R"), modelled_duration=row.number("D"), share=share,
    )  # fmt: skip
    return DoseRecord(
        row.number("TIME"), given.name, amount, unit, route, lasting,
        row.whole("ADDL", range(MOST_DOSES + 1)), row.number("II"), row.whole("SS", range(3)) > 0, row.number("LAG"),
        salt_of(row.word("SALT", "base")), row.number("MISSING"),
    )  # fmt: skip


def _drug(row: Row, otherwise: str | None) -> Drug:
    name = row.word("DRUG") or otherwise
    if not name:
        what = "which drug is given?"
        raise row.bad(what, "DRUG", "a column DRUG, or one drug for all", type_this="--drug esketamine")
    return known_drug(name)


def _amount(row: Row) -> float:
    amount = row.number("AMT")
    if amount == 0 and row.number("RATE") > 0:
        what = "AMT of 0 with a RATE: an infusion without an end"
        raise row.bad(what, "AMT", "an infusion that ends: its amount is RATE times its hours")
    if not amount > 0:
        raise row.bad(f"a dose with AMT of {amount:g}", "AMT", "an amount above 0")
    return amount


def _route(row: Row) -> str:
    """ROUTE where there is one, else CMT."""
    if "ROUTE" in row.cells:
        return route_of(row.word("ROUTE"))
    return route_of(row.word("CMT")) if "CMT" in row.cells else ""
