"""The records of one person of a dose table -> occasions, each with one start and its own clock.

An occasion begins at the drug-free rest state, or at a steady state (SS). TIME may start anew at a reset (EVID 3 or 4),
so times of two occasions are never compared: which occasion a record belongs to follows from the order of the rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ketamech.core import InputError
from ketamech.dosing.dose_records import DoseRecord
from ketamech.dosing.regimen import Regimen
from ketamech.exchange.nonmem.csv_cells import DoseRow
from ketamech.exchange.nonmem.dose_row import constant_infusion, dose_record

OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)
RESETS = (RESET, RESET_AND_DOSE)
UNDOSED = {OBSERVATION: "an observation", OTHER: "an event other than a dose", RESET: "a reset"}
VISIT = "placebo"  # a record with EVID 2 and this drug is a visit without a dose
SAME_TIME = 1e-9  # h
CYCLE = 24.0  # h: length of the cycle that stands for a constant infusion where no rhythm sets another one


@dataclass(frozen=True)
class Observation:
    """A time at which somebody is looked at: TIME as in the table; `before` the doses of that time, or after them."""

    row: DoseRow
    time: float
    before: bool


@dataclass(frozen=True)
class Occasion:
    """From one start at rest (or at a steady state) to the next; `begin` is its TIME in the table.

    `records` (with their `rows`) count their time from `begin`. The steady state is that of all records with `ss`, of
    `past` rhythms whose last dose was given before `begin`, and of `constant` infusions (amount a h) that end there.
    """

    begin: float
    records: tuple[DoseRecord, ...]
    rows: tuple[DoseRow, ...]
    observations: tuple[Observation, ...]
    past: tuple[DoseRecord, ...] = ()
    constant: tuple[DoseRecord, ...] = ()
    start: DoseRow | None = None

    @property
    def regimen(self) -> Regimen:
        """What is given. Raises BadInput with the line of a dose that cannot be given."""
        treatments = []
        for record, row in zip(self.records, self.rows, strict=True):
            try:
                treatments.append(record.treatment())
            except InputError as problem:
                raise row.with_location(problem) from None
        return Regimen(tuple(treatments))

    @property
    def plain(self) -> bool:
        """Whether a scenario can say it: the doses that are given say all of the steady state."""
        return not (self.past or self.constant)

    @property
    def last(self) -> float | None:
        """The last time asked for, in h from `begin`."""
        return max((seen.time - self.begin for seen in self.observations), default=None)

    def cycle(self, visit_gap: float) -> tuple[Regimen, Regimen, float]:
        """Rhythms and constant infusions that lead to the steady state of the start, and the length of a cycle (h).

        The length is 0 for a start at rest. Raises BadInput, at the record that starts it, for rhythms without a
        common steady state.
        """
        try:
            steady = tuple(record.treatment() for record in (*self.records, *self.past) if record.ss)
            repeated, length = Regimen(steady).steady_state_cycle(visit_gap)
            length = length or (CYCLE if self.constant else 0.0)
            running = tuple(constant_infusion(record, length).treatment() for record in self.constant)
        except InputError as problem:
            raise (self.start.with_location(problem) if self.start else problem) from None
        return repeated, Regimen(running), length

    @property
    def words(self) -> str:
        """What is given, as sentences."""
        before = [f"after {record.amount:g} {record.unit}/h {record.drug} {record.route}" for record in self.constant]
        before += [f"after {Regimen((record.treatment(),)).sentence()}" for record in self.past]
        return "; ".join([*before, self.regimen.sentence()] if self.records else before) or "nothing is given"


@dataclass(frozen=True)
class _Event:
    """A record, what kind it is, and its dose with TIME as in the table; `constant`: without an end, up to TIME."""

    row: DoseRow
    kind: int
    time: float
    ss: int = 0
    dose: DoseRecord | None = None
    constant: bool = False


@dataclass
class _Stretch:
    """The records of one occasion, and the rhythms that were at steady state before it and go on."""

    events: list[_Event]
    carried: list[_Event]
    begin: float

    @property
    def steady(self) -> bool:
        """Whether it starts at a steady state."""
        return self.events[0].ss > 0

    @property
    def looked_at(self) -> bool:
        """Whether any record asks for values."""
        return any(event.dose is None for event in self.events)


def occasions_of(rows: Sequence[DoseRow], drug: str | None) -> tuple[Occasion, ...]:
    """The rows of one person, cut at resets (EVID 3, 4) and where a steady state begins (SS 1) or is added (SS 2).

    What leads to an added steady state without ever being looked at is part of that steady state, not an occasion.
    """
    stretches: list[_Stretch] = []
    for event in (_event(row, drug) for row in rows):
        before = stretches[-1] if stretches else None
        if before is not None and event.kind not in RESETS:
            _refuse_disorder(before.events[-1], event)
        if before is not None and not _begins(event, before):
            before.events.append(event)
            continue
        added = event.ss == 2 and event.kind == DOSE
        carried = _rhythms(before, event) if added else []
        if added and before is not None and not before.looked_at:
            stretches.pop()
        begin = event.time if before is not None or event.ss else min(0.0, event.time)
        stretches.append(_Stretch([event], carried, begin))
    return tuple(_occasion(stretch) for stretch in stretches)


def _begins(event: _Event, before: _Stretch) -> bool:
    """Whether an occasion begins with a record. Raises BadInput for a second SS of 1 at one time."""
    if event.kind in RESETS:
        return True
    at_once = before.steady and abs(event.time - before.begin) < SAME_TIME
    if event.ss == 1 and at_once and any(other.ss == 1 for other in before.events):
        what = "a second SS of 1 at one time would undo the first"
        raise event.row.error(what, "SS", "SS of 2 for what is added to a steady state", type_this="2")
    return event.ss == 1 or (event.ss == 2 and (not at_once or before.looked_at))


def _rhythms(before: _Stretch | None, event: _Event) -> list[_Event]:
    """The rhythms to which an SS of 2 adds another one. Raises BadInput where there is no steady state."""
    if before is None or not before.steady:
        what = "SS of 2 without a start at steady state before it"
        raise event.row.error(what, "SS", "a record with SS 1 before it, in the same rhythm")
    given = [*before.carried, *(other for other in before.events if other.dose is not None)]
    lost = next((other for other in given if not other.ss or other.constant or _ended(other, event.time)), None)
    if lost is not None:
        what = f"SS of 2 at TIME {event.time:g}, when the dose of line {lost.row.line} is not at steady state"
        raise event.row.error(what, "SS", "only rhythms at steady state since the SS of 1, the last dose within one II")
    return given


def _ended(event: _Event, time: float) -> bool:
    """Whether a rhythm is over: more than one interval has passed since its last dose."""
    dose = event.dose
    return dose is None or time > dose.time + (dose.addl + 1) * dose.ii + SAME_TIME


def _event(row: DoseRow, drug: str | None) -> _Event:
    kind, time, ss = _kind(row), row.number("TIME"), row.whole("SS", range(3))
    if kind not in (DOSE, RESET_AND_DOSE):
        if ss:
            raise row.error(f"SS of {ss} in a record without a dose", "SS", "SS of 0, or EVID 1")
        return _Event(row, kind, time)
    record, constant = dose_record(row, drug, visit=row.number("EVID") == OTHER)
    return _Event(row, kind, time, ss, record, constant)


def _kind(row: DoseRow) -> int:
    """EVID, or what a record without one means: a dose where there is an amount, else an observation."""
    dosed = row.number("AMT") != 0
    if "EVID" not in row.cells:
        return DOSE if dosed else OBSERVATION
    kind = row.number("EVID")
    if kind not in range(5):
        what = f"EVID of {kind:g}"
        raise row.error(
            what, "EVID", "0 observation, 1 dose, 2 other, 3 reset, 4 reset and dose; no other is known here"
        )
    if kind == OTHER and row.word("CMT").startswith("-"):
        what = f"CMT {row.word('CMT')} switches a compartment off"
        raise row.error(what, "CMT", "a route: none is switched off here")
    if kind == OTHER and row.word("DRUG").lower() == VISIT:
        return DOSE
    if dosed and kind in UNDOSED:
        dose = f"EVID {RESET_AND_DOSE if kind == RESET else DOSE}"
        raise row.error(f"{UNDOSED[int(kind)]} with an amount", "AMT", f"{dose}, or AMT of 0", type_this=dose)
    return int(kind)


def _refuse_disorder(before: _Event, event: _Event) -> None:
    if event.time < before.time:
        what = f"TIME goes back from {before.time:g} to {event.time:g}"
        several = "" if "ID" in event.row.cells else ", or a column ID for several persons"
        raise event.row.error(what, "TIME", f"times that do not fall, except at a reset (EVID 3 or 4){several}")


def _occasion(stretch: _Stretch) -> Occasion:
    begin = stretch.begin
    records: list[DoseRecord] = []
    past: list[DoseRecord] = []
    rows, constant = [], []
    for event in stretch.carried:
        ahead, goes_on = _ahead(event, begin)
        (records if goes_on else past).append(ahead)
        rows += [event.row] * goes_on
    for event in stretch.events:
        if event.dose is None:
            continue
        if event.constant:
            constant.append(replace(event.dose, time=0.0))
        else:
            records.append(replace(event.dose, time=event.time - begin))
            rows.append(event.row)
    start = stretch.events[0].row if stretch.steady else None
    seen = tuple(_observations(stretch))
    return Occasion(begin, tuple(records), tuple(rows), seen, tuple(past), tuple(constant), start)


def _ahead(event: _Event, begin: float) -> tuple[DoseRecord, bool]:
    """A rhythm from its first dose at or after `begin` on, in h from there; False where that one is not given."""
    dose = event.dose
    assert dose is not None
    gone = math.ceil((begin - dose.time) / dose.ii - SAME_TIME)
    first = max(0.0, dose.time + gone * dose.ii - begin)
    return replace(dose, time=first, addl=max(0, dose.addl - gone)), gone <= dose.addl


def _observations(stretch: _Stretch) -> Iterator[Observation]:
    """Times to look at; where a dose of that time comes in a later row, before it."""
    given: list[DoseRecord] = [event.dose for event in stretch.carried if event.dose is not None]
    for event in stretch.events:
        if event.dose is not None:
            given.append(event.dose)
        else:
            yield Observation(event.row, event.time, not any(_falls_on(dose, event.time) for dose in given))


def _falls_on(dose: DoseRecord, time: float) -> bool:
    """Whether a dose, or one that ADDL implies, falls on a TIME."""
    number = round((time - dose.time) / dose.ii) if dose.ii else 0
    return 0 <= number <= dose.addl and abs(dose.time + number * dose.ii - time) < SAME_TIME
