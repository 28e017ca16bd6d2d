"""One dose of a table -> a dose record."""

from __future__ import annotations

from dataclasses import replace

from ketamech.core import InputError
from ketamech.dosing.cmt_codes import route_of
from ketamech.dosing.dose_records import DoseRecord, duration, mass_unit, salt_of
from ketamech.dosing.drugs import Drug
from ketamech.dosing.drugs import drug as known_drug
from ketamech.dosing.treatment import MAX_DOSES
from ketamech.exchange.nonmem.csv_cells import DoseRow


def dose_record(row: DoseRow, drug: str | None, *, visit: bool = False) -> tuple[DoseRecord, bool]:
    """The dose that a row with EVID 1 or 4 stands for (a `visit`: EVID 2, nothing is given), its time as in the table.

    True beside it for a constant infusion at steady state that ends at its time (AMT 0 with RATE and SS): its amount is
    that of one hour, see `constant_infusion`. Raises BadInput with file, line and column.
    """
    try:
        given = _drug(row, drug)
        if row.number("AMT") == 0 and row.number("RATE") and not given.is_session:
            return _constant(row, given), True
        return _record(row, given, visit), False
    except InputError as problem:
        raise problem if problem.file else row.with_location(problem) from None


def constant_infusion(hourly: DoseRecord, length: float) -> DoseRecord:
    """A constant infusion (its amount a h) as a rhythm of infusions of `length` h, one after the other."""
    assert hourly.amount is not None
    return replace(hourly, amount=hourly.amount * length, duration=length, ii=length)


def _record(row: DoseRow, given: Drug, visit: bool) -> DoseRecord:
    share = row.number("F", 1.0)
    if not share > 0:
        raise row.error(f"F of {share:g}", "F", "a share above 0")
    amount = None if given.is_session else _amount(row) * share
    route, unit = _route(row, given), "" if given.is_session else mass_unit(row.word("UNIT", "mg"))
    lasting = 0.0 if visit else duration(
        share if given.is_session else amount, row.number("RATE"), row.number("DUR"), route,
        modelled_rate=row.number("R"), modelled_duration=row.number("D"), share=share,
    )  # fmt: skip
    return DoseRecord(
        row.number("TIME"), given.name, amount, unit, route, lasting,
        row.whole("ADDL", range(MAX_DOSES + 1)), row.number("II"), row.whole("SS", range(3)) > 0, row.number("LAG"),
        salt_of(row.word("SALT", "base")), row.number("MISSING"),
    )  # fmt: skip


def _constant(row: DoseRow, given: Drug) -> DoseRecord:
    """An infusion that ran at one rate up to its TIME, long enough for a steady state."""
    if not row.whole("SS", range(3)):
        what = "AMT of 0 with a RATE: an infusion without an end"
        raise row.error(what, "AMT", "an infusion that ends: its amount is RATE times its hours; or SS of 1")
    for column in ("II", "ADDL", "DUR", "LAG", "MISSING"):
        if row.number(column):
            what = f"AMT of 0 with RATE, SS and {column} of {row.number(column):g}"
            raise row.error(what, column, "0: a constant infusion at steady state has no doses; or an amount in AMT")
    rate = row.number("RATE")
    hourly = row.number("R") if rate == -1 else rate
    if not hourly > 0:
        raise row.error(f"RATE of {rate:g} with AMT of 0", "RATE", "a rate above 0, or -1 with a rate in column R")
    unit, salt = mass_unit(row.word("UNIT", "mg")), salt_of(row.word("SALT", "base"))
    route = _route(row, given)
    return DoseRecord(row.number("TIME"), given.name, hourly, unit, route, 1.0, 0, 1.0, True, salt=salt)


def _drug(row: DoseRow, otherwise: str | None) -> Drug:
    name = row.word("DRUG") or otherwise
    if not name:
        what = "which drug is given?"
        raise row.error(what, "DRUG", "a column DRUG, or one drug for all", type_this="--drug esketamine")
    return known_drug(name)


def _amount(row: DoseRow) -> float:
    amount = row.number("AMT")
    if not amount > 0:
        raise row.error(f"a dose with AMT of {amount:g}", "AMT", "an amount above 0")
    return amount


def _route(row: DoseRow, given: Drug) -> str:
    """ROUTE where there is one, else CMT. Raises BadInput where both are missing and the drug needs one."""
    for column in ("ROUTE", "CMT"):
        if column in row.cells:
            return route_of(row.word(column))
    if "" not in given.routes:
        what = f"by which route is {given.name} given?"
        routes = ", ".join(given.routes)
        raise row.error(what, "CMT", f"a column CMT (or ROUTE) with one of {routes}", type_this=given.routes[0])
    return ""
