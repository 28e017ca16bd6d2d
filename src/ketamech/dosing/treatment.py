"""Treatments: one drug by one route on a schedule of phases."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ketamech.core import InputError
from ketamech.core.units import DAY, WEEK, YEAR
from ketamech.dosing.drugs import Drug, drug, route, routes_without_visit, timed_routes

MAX_HORIZON_H = 2 * YEAR
MAX_DOSES = 5000
MAX_LAG_H = 24.0
INFUSION_ROUTE, INFUSION_REASON = "IV", "IV, because an infusion was named"


@dataclass(frozen=True)
class Phase:
    """A phase of a schedule: `times_a_week` doses, or one every `interval` h, for `duration` h (None: no end)."""

    interval: float | None = None
    times_a_week: int | None = None
    duration: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.mean_interval < math.inf or self.duration == math.inf:
            what = f"a dose every {self.mean_interval:g} h" + (f" for {self.duration:g} h" if self.duration else "")
            raise InputError(what, key="schedule", expected="a frequency such as every 12 h for 2 weeks")
        if self.duration is not None and self.duration < self.mean_interval:
            what = f"for {self.duration:g} h is shorter than the {self.mean_interval:g} h between two doses"
            expected = "'over' for how long an infusion runs, 'for' how long doses are repeated"
            raise InputError(what, key="schedule", expected=expected, type_this="over 1 h daily for 2 weeks")

    @property
    def mean_interval(self) -> float:
        """Shortest time between two doses (h)."""
        return self.interval if self.interval is not None else 7 // (self.times_a_week or 1) * DAY

    @property
    def period(self) -> float:
        """Time after which the frequency repeats (h): a week for a number of doses a week."""
        return self.interval if self.interval is not None else WEEK

    def after(self, doses: int) -> float:
        """Time (h) from the first dose to the time at which dose number `doses` + 1 would be due."""
        if self.interval is not None:
            return doses * self.interval
        weeks, rest = divmod(doses, self.times_a_week or 1)
        return weeks * WEEK + rest * self.mean_interval

    def starts(self, begin: float, end: float) -> Iterator[float]:
        """Times (h) at which doses are due from `begin`, before `end`."""
        stop = end if self.duration is None else min(end, begin + self.duration)
        if self.interval is not None:
            due = (begin + i * self.interval for i in range(MAX_DOSES + 1))
        else:
            n = self.times_a_week or 1
            due = (begin + w * WEEK + i * self.mean_interval for w in range(MAX_DOSES) for i in range(n))
        for start in due:
            if start >= stop - 1e-9:
                return
            yield start


PER_BODY = ("/kg", "/m^2")


@dataclass(frozen=True)
class Treatment:
    """One drug by one route on one schedule. `amount` in `unit` per dose; sessions have no amount.

    `duration` (h) of an infusion, 0 for a bolus; `start` (h); without a `schedule` the dose is given once. `lag` (h)
    from administration to entry. `skipped_doses` are the numbers (from 1) of doses that are not taken,
    `miss_probability` is the probability that any other dose is not taken. `at_steady_state`: the first dose is given
    at the periodic steady state of the first phase, with every dose taken (SS of NONMEM). `route_reason` says why a
    route that was not named was chosen.
    """

    drug: str
    amount: float | None = None
    unit: str = ""
    route: str = ""
    duration: float = 0.0
    start: float = 0.0
    schedule: tuple[Phase, ...] = ()
    salt: str = "base"
    lag: float = 0.0
    skipped_doses: tuple[int, ...] = ()
    miss_probability: float = 0.0
    at_steady_state: bool = False
    route_reason: str = field(default="", compare=False)

    @property
    def substance(self) -> Drug:
        """The drug."""
        return drug(self.drug)

    @property
    def is_weight_based(self) -> bool:
        """Whether the dose is per body weight or body surface."""
        return any(per in self.unit for per in PER_BODY)

    @property
    def is_procedure(self) -> bool:
        """Whether a visit raises expectancy at once: not for tablets and psychotherapy."""
        return self.substance.is_procedure and self.route not in routes_without_visit()

    def starts(self, horizon: float) -> list[float]:
        """Times (h) at which doses start, before `horizon` (h). Raises InputError above MAX_DOSES doses."""
        if not self.schedule:
            return [self.start] if self.start < horizon else []
        times: list[float] = []
        begin = self.start
        for phase in self.schedule:
            times += phase.starts(begin, horizon)
            if len(times) > MAX_DOSES:
                what = f"more than {MAX_DOSES} doses"
                raise InputError(what, key="schedule", expected="a shorter or sparser schedule")
            begin += phase.duration or 0.0
        return times

    def taken(self, horizon: float) -> dict[int, float]:
        """{index of a dose from 0: its start (h)} of the doses before `horizon` (h) that are not skipped."""
        return {k: at for k, at in enumerate(self.starts(horizon)) if k + 1 not in self.skipped_doses}

    def end(self) -> float | None:
        """Time (h) at which the schedule ends; None if it continues to the horizon."""
        if not self.schedule:
            return self.start
        lengths = [phase.duration for phase in self.schedule]
        return None if lengths[-1] is None else self.start + sum(length or 0.0 for length in lengths)

    def repeated(self, period: float, length: float) -> Treatment:
        """The first frequency, every dose taken, for `length` h.

        Raises InputError if the first doses do not all come before `period` (h).
        """
        first = list(self.schedule[0].starts(self.start, self.start + period))
        if first[-1] > period - 1e-9:
            what = f"a first dose at {self.start:g} h, or the last of a period, comes after {period:g} h"
            raise InputError(what, key="schedule", expected="a start within the first round of a steady frequency")
        once = replace(self.schedule[0], duration=length)
        return replace(self, schedule=(once,), at_steady_state=False, skipped_doses=(), miss_probability=0.0)

    def __post_init__(self) -> None:
        substance = self.substance
        route(substance, self.route)
        self._check_dose_count()
        self._check_adherence()
        if substance.is_session:
            return
        if self.amount is None:
            what, example = f"no dose given for {substance.name}", f"{substance.name} 0.5 mg/kg ..."
            raise InputError(what, key="dose", expected="an amount", type_this=example)
        if not 0 < self.amount < float("inf"):
            what = f"a dose of {self.amount:g} {self.unit} cannot be given"
            raise InputError(what, key="dose", expected="a positive number")
        if self.unit.endswith("/h") and not self.duration:
            raise InputError("a rate needs a duration", key="dose", type_this=f"{self.amount:g} {self.unit} IV for 1 h")
        if self.duration > 0 and self.route not in timed_routes():
            expected = "IV or SC for an infusion, prolonged release for a tablet"
            raise InputError(f"an infusion by route {self.route}", key="route", expected=expected)

    def _check_adherence(self) -> None:
        if not 0 <= self.lag <= MAX_LAG_H:
            raise InputError(f"a lag of {self.lag:g} h", key="lag", expected=f"from 0 to {MAX_LAG_H:g} h")
        if not 0 <= self.miss_probability < 1:
            what = f"missing {100 * self.miss_probability:g} % of doses"
            raise InputError(what, key="missing", expected="from 0 % to less than 100 %", type_this="missing 10 %")
        if any(number < 1 for number in self.skipped_doses):
            what = "a dose number below 1: doses are counted from 1"
            raise InputError(what, key="missing", type_this="missing doses 2 and 3")
        if not self.at_steady_state:
            return
        if not self.schedule:
            what = "a single dose has no steady state"
            raise InputError(what, key="schedule", expected="a frequency", type_this="every 12 h at steady state")
        if self.duration + self.lag > MAX_DOSES * self.schedule[0].mean_interval:
            what = f"more than {MAX_DOSES} infusions of {self.duration:g} h at a time"
            raise InputError(what, key="schedule", expected="a shorter infusion, or more time between two doses")

    def _check_dose_count(self) -> None:
        if not (0 <= self.duration <= MAX_HORIZON_H and 0 <= self.start <= MAX_HORIZON_H):
            what = f"a time of {self.duration or self.start:g} h"
            raise InputError(what, key="time", expected="from 0 h (day 1) to 2 years")
        if any(phase.duration is None for phase in self.schedule[:-1]):
            what, example = "the phase before 'then' has no duration", "twice weekly for 4 weeks, then weekly"
            raise InputError(what, key="schedule", expected="'for' how long before each 'then'", type_this=example)
