"""Dose records as tables of NONMEM and mrgsolve hold them, turned into treatments."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real

from ketamech.core import InputError
from ketamech.dosing.cmt_codes import ABSORBED, route_of
from ketamech.dosing.drugs import drug as known_drug
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import MAX_DOSES, Phase, Treatment

MASSES = ("mg", "ug", "ng", "g", "mg/kg", "ug/kg", "ng/kg", "g/kg")
SALTS = ("base", "hydrochloride")


@dataclass(frozen=True)
class DoseRecord:
    """One record: a dose at `time` (h), given `addl` more times every `ii` h; `ss`: at the steady state of that rhythm.

    `amount` in `unit`, None for what is counted (sessions); `duration` (h) of an infusion, 0 for a bolus; `lag` (h)
    from giving to entering the body; `salt` that the mass is of; `missing`: the chance that a dose is not taken.
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
            raise InputError(f"ADDL of {self.addl}", key="addl", expected="how many more doses follow: 0, 1, 2, ...")
        if self.addl > MAX_DOSES:
            raise InputError(f"ADDL of {self.addl}", key="addl", expected=f"at most {MAX_DOSES} doses")
        if (self.addl or self.ss) and not self.ii > 0:
            what = "ADDL" if self.addl else "SS"
            raise InputError(f"{what} without II", key="ii", expected="hours between two doses", type_this="ii=12")

    def treatment(self) -> Treatment:
        """The treatment this record stands for. Raises BadInput for a dose that cannot be given."""
        phases = (Phase(interval=self.ii, duration=float((self.addl + 1) * self.ii)),) if self.addl or self.ss else ()
        return Treatment(
            known_drug(self.drug).name,
            self.amount,
            self.unit,
            self.route,
            self.duration,
            self.time,
            phases,
            self.salt,
            self.lag,
            miss_probability=self.missing,
            at_steady_state=self.ss,
        )


def regimen(*records: DoseRecord) -> Regimen:
    """The regimen of one person's records, in order of time."""
    return Regimen(tuple(record.treatment() for record in sorted(records, key=lambda record: record.time)))


def ev(
    amt: float | None = None,
    *,
    drug: str,
    cmt: str | int = "",
    unit: str = "mg",
    time: float = 0.0,
    ii: float = 0.0,
    addl: int = 0,
    until: float | None = None,
    total: int | None = None,
    rate: float = 0.0,
    dur: float = 0.0,
    ss: int = 0,
    lag: float = 0.0,
    f: float = 1.0,
    salt: str = "base",
) -> Regimen:
    """A regimen in the words of mrgsolve's `ev` and of NONMEM; several are joined by `+`. Times in hours.

    `amt` in `unit` (mg, mg/kg ...), none for what is counted (ECT, psychotherapy ...); `cmt` a route by name, or its
    number; `addl` more doses every `ii` h, or doses `until` a time (before it), or `total` doses; an infusion by
    `rate` (in `unit` per h) or `dur` (h); `ss=1` starts at the steady state of the rhythm; `f` the share of each dose
    that is given. Raises BadInput for a dose that cannot be given.
    """
    numbers = {"amt": amt, "time": time, "ii": ii, "addl": addl, "until": until, "total": total, "rate": rate}
    _refuse_types(numbers | {"dur": dur, "lag": lag, "f": f}, {"drug": drug, "unit": unit, "salt": salt})
    _check_record(amt, drug, unit, rate, {"addl": addl, "until": until, "total": total})
    if ss not in (0, 1):
        what = f"SS of {ss}: only a start at steady state is known here"
        raise InputError(what, key="ss", expected="0 or 1; doses that begin with it are joined by +")
    more = _additional_doses(ii, addl, until, total, time)
    counted = known_drug(drug).is_session
    taken = None if amt is None or counted else float(amt) * f
    route = route_of(cmt) if cmt != "" else ""
    lasting = float(duration(taken, rate, dur, route, share=f))
    named = "" if counted else mass_unit(unit.removesuffix("/h")) + ("/h" if unit.endswith("/h") else "")
    return regimen(
        DoseRecord(
            float(time), drug, taken, named, route, lasting, more, float(ii), bool(ss), float(lag), salt_of(salt)
        )
    )


def mass_unit(text: str) -> str:
    """The unit of a dose as treatments have it. Raises BadInput for anything but a mass, also per kg."""
    unit = text.strip().lower().replace("mcg", "ug").replace("\u00b5g", "ug").replace("\u03bcg", "ug")
    if unit not in MASSES:
        raise InputError(f"UNIT of '{text}'", key="UNIT", expected=f"one of {', '.join(MASSES)}")
    return unit


def salt_of(text: str) -> str:
    """What a mass is a mass of. Raises BadInput."""
    if text.lower() not in SALTS:
        raise InputError(f"SALT of '{text}'", key="SALT", expected=" or ".join(SALTS))
    return text.lower()


def _refuse_types(numbers: Mapping[str, object], words: Mapping[str, object]) -> None:
    """One number each, and words, so that what goes on is no surprise later."""
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
    """What `ev` would otherwise take for something else than was meant."""
    if amt is not None and known_drug(drug).is_session and amt != 1:
        raise InputError(
            f"amt of {amt:g} {drug}", key="amt", expected="none: it is counted", type_this=f'ev(drug="{drug}")'
        )
    if unit.endswith("/h") and rate:
        raise InputError(f"a rate of {rate:g} and an amount in {unit}", key="rate", expected="dur= beside such a unit")
    said = [name for name, number in numbers.items() if number]
    if len(said) > 1:
        raise InputError(f"{' and '.join(said)} at once", key=said[1], expected="one of addl, until, total")


def duration(
    amount: float | None,
    rate: float,
    dur: float,
    route: str,
    *,
    modelled_rate: float = 0.0,
    modelled_duration: float = 0.0,
    share: float = 1.0,
) -> float:
    """How long a dose of `amount` (after bioavailability `share`) enters (h), from RATE and DUR.

    RATE above 0: amount over rate; -1: over `modelled_rate`; -2: the `modelled_duration`, which for a swallowed or
    sprayed dose is the model's own and needs none. Raises BadInput for a RATE and DUR that do not fit one another.
    """
    if rate == -1:
        rate = _given(modelled_rate, "RATE of -1", "R", "the rate (amount per h)")
    elif rate == -2:
        if route in ABSORBED and not modelled_duration:
            return 0.0
        return _given(modelled_duration, "RATE of -2", "D", "the duration (h)")
    if rate < 0 or dur < 0:
        what = f"RATE of {rate:g}" if rate < 0 else f"DUR of {dur:g}"
        raise InputError(what, key="RATE", expected="0 (at once), a rate above 0, -1 (column R) or -2 (column D)")
    if not rate:
        return dur
    lasting = (1.0 if amount is None else amount) / rate
    if dur and abs(lasting / share - dur) > 1e-6 * dur:
        what = f"RATE {rate:g} gives {lasting:g} h and DUR says {dur:g} h"
        raise InputError(what, key="RATE", expected="one of them, or both alike")
    return lasting


def _given(value: float, what: str, column: str, meaning: str) -> float:
    if value > 0:
        return value
    raise InputError(f"{what} without {column}", key=column, expected=f"{meaning} in a column {column}")


def _additional_doses(ii: float, addl: int, until: float | None, total: int | None, time: float) -> int:
    """How many doses follow the first."""
    if total is not None:
        if total < 1:
            raise InputError(f"a total of {total} doses", key="total", expected="how many doses: 1, 2, ...")
        return total - 1
    if until is None:
        return addl
    if not ii > 0:
        raise InputError("until without ii", key="ii", expected="hours between two doses", type_this="ii=12")
    if not time < until:
        raise InputError(f"until {until:g} h, and a first dose at {time:g} h", key="until", expected="a later end")
    return math.ceil((until - time) / ii - 1e-9) - 1
