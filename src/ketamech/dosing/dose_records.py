"""Dose records as in tables of NONMEM and mrgsolve, converted into treatments.

A compartment of a dose table (CMT, ADM), by name or number, stands for a route.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Real

from ketamech.core import InputError, closest_match
from ketamech.dosing.drugs import NO_ROUTE, load_absorption, load_routes, route_table
from ketamech.dosing.drugs import drug as known_drug
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import MAX_DOSES, Phase, Treatment


@cache
def cmt_routes() -> tuple[str, ...]:
    """Routes in the order of their CMT numbers, which count from 1, in tables that KetaMech writes.

    A name is safer, since other programs number compartments by their own model.
    """
    numbers = {route.number: route.name for route in route_table().values() if route.number is not None}
    return tuple(numbers[i + 1] for i in range(len(numbers)))


def cmt_text() -> str:
    """The CMT numbers with their routes, for errors: "1 IV, 2 oral, ..."."""
    return ", ".join(f"{i} {route or NO_ROUTE}" for i, route in enumerate(cmt_routes(), 1))


def compartment_number(route: str) -> int:
    """The CMT number of a route, from 1."""
    return cmt_routes().index(route) + 1


@cache
def compartments() -> dict[str, str]:
    """The route of every name of a compartment, lower case."""
    places = {name: route.name for route in route_table().values() for name in route.compartments}
    return {**load_routes(), **places}


@cache
def absorption_routes() -> tuple[str, ...]:
    """Routes of ketamine with a duration of absorption that belongs to the model (RATE -2)."""
    rows = {route: parts for (drug, route), parts in load_absorption().items() if not drug}
    return tuple(route for route, parts in rows.items() if any(part.duration for part in parts))


def route_of(compartment: str | int | float) -> str:
    """The route of a compartment name or number. Raises InputError with the nearest name."""
    word = str(compartment).strip().lower()
    try:
        number = float(word)
    except ValueError:
        number = None
    if number is not None and number < 0:
        what = f"CMT {compartment}: a negative compartment switches it off, which a route does not support"
        raise InputError(what, key="CMT", expected="a route")
    if number is not None and number.is_integer() and 1 <= number <= len(cmt_routes()):
        return cmt_routes()[int(number) - 1]
    names = compartments()
    if word in names:
        return names[word]
    what, expected = f"there is no compartment '{compartment}'", f"a route by name, or {cmt_text()}"
    raise InputError(what, key="CMT", expected=expected, nearest=closest_match(word, names))


MASSES = ("mg", "ug", "ng", "g", "mg/kg", "ug/kg", "ng/kg", "g/kg", "mg/m^2")
SALTS = ("base", "hydrochloride")


@dataclass(frozen=True)
class DoseRecord:
    """One record: a dose at `time` (h), given `addl` more times every `ii` h; `ss`: at their steady state.

    `amount` in `unit`, None for sessions, which are counted; `duration` (h) of an infusion, 0 for a bolus; `lag` (h)
    from administration to entry; `salt` to which the mass refers; `missing`: probability that a dose is not taken.
    """

    time: float
    drug: str
    amount: float | None
    unit: str
    route: str
    duration: float = 0.0
    addl: int = 0
    ii: float = 0.0
    ss: bool = False
    lag: float = 0.0
    salt: str = "base"
    missing: float = 0.0

    def __post_init__(self) -> None:
        if self.addl < 0 or int(self.addl) != self.addl:
            raise InputError(f"ADDL of {self.addl}", key="addl", expected="the number of further doses: 0, 1, 2, ...")
        if self.addl > MAX_DOSES:
            raise InputError(f"ADDL of {self.addl}", key="addl", expected=f"at most {MAX_DOSES} doses")
        if self.ii < 0:
            raise InputError(f"II of {self.ii:g}", key="ii", expected="hours between two doses", type_this="ii=12")
        if (self.addl or self.ss) and not self.ii > 0:
            what = "ADDL" if self.addl else "SS"
            raise InputError(f"{what} without II", key="ii", expected="hours between two doses", type_this="ii=12")

    def treatment(self) -> Treatment:
        """The treatment of this record. Raises InputError for a dose that cannot be given."""
        phases = (Phase(interval=self.ii, duration=float((self.addl + 1) * self.ii)),) if self.addl or self.ss else ()
        return Treatment(
            known_drug(self.drug).name, self.amount, self.unit, self.route, self.duration, self.time, phases, self.salt,
            self.lag, miss_probability=self.missing, at_steady_state=self.ss,
        )  # fmt: skip


def regimen(*records: DoseRecord) -> Regimen:
    """The regimen of the records of one patient, in order of time."""
    return Regimen(tuple(record.treatment() for record in sorted(records, key=lambda record: record.time)))


def ev(
    amt: float | None = None, *, drug: str, cmt: str | int = "", unit: str = "mg", time: float = 0.0, ii: float = 0.0,
    addl: int = 0, until: float | None = None, total: int | None = None, rate: float = 0.0, dur: float = 0.0,
    ss: int = 0, lag: float = 0.0, f: float = 1.0, salt: str = "base",
) -> Regimen:  # fmt: skip
    """A regimen with the arguments of mrgsolve's `ev` and of NONMEM; several are joined by `+`. Times in hours.

    `amt` in `unit` (mg, mg/kg ...), none for sessions (ECT, psychotherapy ...); `cmt` a route by name, or its number;
    `addl` more doses every `ii` h, or doses `until` a time (before it), or `total` doses; an infusion by `rate` (in
    `unit` per h) or `dur` (h); `ss=1` starts at the steady state; `f` the fraction of each dose that is
    given. Raises InputError for a dose that cannot be given.
    """
    numbers = {"amt": amt, "time": time, "ii": ii, "addl": addl, "until": until, "total": total, "rate": rate}
    _check_types(numbers | {"dur": dur, "lag": lag, "f": f}, {"drug": drug, "unit": unit, "salt": salt})
    _check_record(amt, drug, unit, rate, {"addl": addl, "until": until, "total": total})
    if ss not in (0, 1):
        what = f"SS of {ss}: only a start at steady state is supported"
        raise InputError(what, key="ss", expected="0 or 1; join doses of one frequency by +")
    more = _additional_doses(ii, addl, until, total, time)
    counted = known_drug(drug).is_session
    taken = None if amt is None or counted else float(amt) * f
    route = route_of(cmt) if cmt != "" else ""
    lasting = float(duration(taken, rate, dur, route, share=f))
    named = "" if counted else mass_unit(unit.removesuffix("/h")) + ("/h" if unit.endswith("/h") else "")
    when, every, delay = float(time), float(ii), float(lag)
    return regimen(
        DoseRecord(when, drug, taken, named, route, lasting, more, every, bool(ss), delay, salt_of(salt))
    )  # fmt: skip


def mass_unit(text: str) -> str:
    """The unit of a dose in the spelling of treatments. Raises InputError for a unit that is no mass or mass per kg."""
    unit = text.strip().lower()
    for written, usual in (("mcg", "ug"), ("\u00b5g", "ug"), ("\u03bcg", "ug"), ("/m2", "/m^2")):
        unit = unit.replace(written, usual)
    if unit not in MASSES:
        raise InputError(f"UNIT of '{text}'", key="UNIT", expected=f"one of {', '.join(MASSES)}")
    return unit


def salt_of(text: str) -> str:
    """The salt to which a mass refers. Raises InputError."""
    if text.lower() not in SALTS:
        raise InputError(f"SALT of '{text}'", key="SALT", expected=" or ".join(SALTS))
    return text.lower()


def _check_types(numbers: Mapping[str, object], words: Mapping[str, object]) -> None:
    """Raise InputError for an argument that is not one finite number, or not a text."""
    for name, value in numbers.items():
        if value is None or (isinstance(value, Real) and math.isfinite(value)):
            continue
        expected, typed = "one number", ""
        if name == "amt" and isinstance(value, str):
            expected, typed = "a number, and its unit", 'ev(0.5, unit="mg/kg", ...)'
        elif name == "amt" and isinstance(value, Iterable):
            expected, typed = "one number; several doses are joined by +", "ev(20, ...) + ev(30, ..., time=24)"
        raise InputError(f"{name} of {value!r}", key=name, expected=expected, type_this=typed or None)
    for name, value in words.items():
        if not isinstance(value, str):
            raise InputError(f"{name} of {value!r}", key=name, expected="a word", type_this=f'{name}="..."')


def _check_record(amt: float | None, drug: str, unit: str, rate: float, numbers: Mapping[str, float | None]) -> None:
    """Raise InputError for arguments of `ev` that contradict one another."""
    if amt is not None and known_drug(drug).is_session and amt != 1:
        what, expected = f"amt of {amt:g} {drug}", "no amount: sessions are counted"
        raise InputError(what, key="amt", expected=expected, type_this=f'ev(drug="{drug}")')
    if unit.endswith("/h") and rate:
        raise InputError(f"a rate of {rate:g} and an amount in {unit}", key="rate", expected="dur= with such a unit")
    named_ends = [name for name, number in numbers.items() if number]
    if len(named_ends) > 1:
        raise InputError(f"{' and '.join(named_ends)} at once", key=named_ends[1], expected="one of addl, until, total")


def duration(
    amount: float | None, rate: float, dur: float, route: str, *, modelled_rate: float = 0.0,
    modelled_duration: float = 0.0, share: float = 1.0,
) -> float:  # fmt: skip
    """Duration (h) of a dose of `amount` (after bioavailability `share`), from RATE and DUR.

    RATE above 0: amount over rate; -1: over `modelled_rate`; -2: the `modelled_duration`, which is that of
    the model for a swallowed, nasal, sublingual or rectal dose. Raises InputError for a RATE and DUR that contradict
    each other.
    """
    if rate == -1:
        rate = _require_positive(modelled_rate, "RATE of -1", "R", "the rate (amount per h)")
    elif rate == -2:
        if route in absorption_routes() and not modelled_duration:
            return 0.0
        return _require_positive(modelled_duration, "RATE of -2", "D", "the duration (h)")
    if rate < 0 or dur < 0:
        what = f"RATE of {rate:g}" if rate < 0 else f"DUR of {dur:g}"
        raise InputError(what, key="RATE", expected="0 (at once), a rate above 0, -1 (column R) or -2 (column D)")
    if not rate:
        return dur
    lasting = (1.0 if amount is None else amount) / rate
    if dur and abs(lasting / share - dur) > 1e-6 * dur:
        what = f"RATE {rate:g} gives {lasting:g} h and DUR says {dur:g} h"
        raise InputError(what, key="RATE", expected="one of them, or equal durations")
    return lasting


def _require_positive(value: float, what: str, column: str, meaning: str) -> float:
    if value > 0:
        return value
    raise InputError(f"{what} without {column}", key=column, expected=f"{meaning} in a column {column}")


def _additional_doses(ii: float, addl: int, until: float | None, total: int | None, time: float) -> int:
    """Number of doses after the first."""
    if total is not None:
        if total < 1:
            raise InputError(f"a total of {total} doses", key="total", expected="a number of doses: 1, 2, ...")
        return total - 1
    if until is None:
        return addl
    if not ii > 0:
        raise InputError("until without ii", key="ii", expected="hours between two doses", type_this="ii=12")
    if not time < until:
        raise InputError(f"until {until:g} h, and a first dose at {time:g} h", key="until", expected="a later end")
    return math.ceil((until - time) / ii - 1e-9) - 1
