"""Divides the records of one subject into occasions, each with its own start and clock.

An occasion begins at the drug-free baseline, or at a steady state (SS). TIME may restart at a reset (EVID 3 or 4), so
that the occasion of a record follows from the order of the rows and not from TIME.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ketamech.core import InputError
from ketamech.dosing.dose_events import AdherenceFunction
from ketamech.dosing.dose_records import DoseRecord, duration, mass_unit, route_of, salt_of
from ketamech.dosing.drugs import Drug
from ketamech.dosing.drugs import drug as known_drug
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import MAX_DOSES
from ketamech.nonmem.csv_cells import DoseRow


def dose_record(row: DoseRow, drug: str | None, *, visit: bool = False) -> tuple[DoseRecord, bool]:
    """The dose of a row with EVID 1 or 4 (or a `visit` without a dose: EVID 2), and whether it is a constant infusion.

    A constant infusion at steady state ends at its TIME (AMT 0 with RATE and SS); its amount is that of one hour, see
    `constant_infusion`. Raises InputError with file, line and column.
    """
    try:
        name = row.text("DRUG") or drug
        if not name:
            expected = "a column DRUG, or one drug for all"
            raise row.error("no drug is stated", "DRUG", expected, type_this="--drug esketamine")
        drug_entry = known_drug(name)
        if row.number("AMT") == 0 and row.number("RATE") and not drug_entry.is_session:
            return _constant_infusion(row, drug_entry), True
        return _record(row, drug_entry, visit), False
    except InputError as problem:
        raise row.with_location(problem) from None


def constant_infusion(hourly: DoseRecord, length: float) -> DoseRecord:
    """A constant infusion (amount per hour) as consecutive infusions of `length` h."""
    assert hourly.amount is not None
    return replace(hourly, amount=hourly.amount * length, duration=length, ii=length)


def _record(row: DoseRow, drug_entry: Drug, visit: bool) -> DoseRecord:
    bioavailability = row.number("F", 1.0)
    if not bioavailability > 0:
        raise row.error(f"F of {bioavailability:g}", "F", "a share above 0")
    amount = None
    if not drug_entry.is_session:
        if not row.number("AMT") > 0:
            raise row.error(f"a dose with AMT of {row.number('AMT'):g}", "AMT", "an amount above 0")
        amount = row.number("AMT") * bioavailability
    route, unit = _route(row, drug_entry), "" if drug_entry.is_session else mass_unit(row.text("UNIT", "mg"))
    duration_h = 0.0 if visit else duration(
        bioavailability if drug_entry.is_session else amount, row.number("RATE"), row.number("DUR"), route,
        modelled_rate=row.number("R"), modelled_duration=row.number("D"), share=bioavailability,
    )  # fmt: skip
    return DoseRecord(
        row.number("TIME"), drug_entry.name, amount, unit, route, duration_h,
        row.integer("ADDL", range(MAX_DOSES + 1)), row.number("II"), row.integer("SS", range(3)) > 0, row.number("LAG"),
        salt_of(row.text("SALT", "base")), row.number("MISSING"),
    )  # fmt: skip


def _constant_infusion(row: DoseRow, drug_entry: Drug) -> DoseRecord:
    """A constant infusion at steady state that ends at its TIME."""
    if not row.integer("SS", range(3)):
        message = "AMT of 0 with a RATE: an infusion without an end"
        raise row.error(message, "AMT", "an infusion that ends: its amount is RATE times its hours; or SS of 1")
    for column in ("II", "ADDL", "DUR", "LAG", "MISSING"):
        if row.number(column):
            message = f"AMT of 0 with RATE, SS and {column} of {row.number(column):g}"
            raise row.error(message, column, "0: a constant infusion at steady state has no doses; or an amount in AMT")
    rate = row.number("RATE")
    hourly = row.number("R") if rate == -1 else rate
    if not hourly > 0:
        raise row.error(f"RATE of {rate:g} with AMT of 0", "RATE", "a rate above 0, or -1 with a rate in column R")
    unit, salt = mass_unit(row.text("UNIT", "mg")), salt_of(row.text("SALT", "base"))
    route = _route(row, drug_entry)
    return DoseRecord(row.number("TIME"), drug_entry.name, hourly, unit, route, 1.0, 0, 1.0, True, salt=salt)


def _route(row: DoseRow, drug_entry: Drug) -> str:
    """ROUTE, else CMT. Raises InputError where both are missing and the drug needs a route."""
    for column in ("ROUTE", "CMT"):
        if column in row.cells:
            return route_of(row.text(column))
    if "" not in drug_entry.routes:
        message = f"no route is stated for {drug_entry.name}"
        routes = ", ".join(drug_entry.routes)
        raise row.error(message, "CMT", f"a column CMT (or ROUTE) with one of {routes}", type_this=drug_entry.routes[0])
    return ""


OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)
RESETS = (RESET, RESET_AND_DOSE)
UNDOSED = {OBSERVATION: "an observation", OTHER: "an event other than a dose", RESET: "a reset"}
VISIT_DRUG = "placebo"  # a record with EVID 2 and this drug is a visit without a dose
SAME_TIME = 1e-9  # h
CYCLE = 24.0  # h; cycle length of a constant infusion without other dosing intervals


@dataclass(frozen=True)
class ObservationRecord:
    """An observation: TIME as in the table, `before` or after the doses of that time."""

    row: DoseRow
    time: float
    before: bool


@dataclass(frozen=True)
class Occasion:
    """The records from one start (baseline or steady state) to the next; `begin` is its TIME in the table.

    Times of `records` (with their `rows`) count from `begin`. The steady state is that of all records with SS, of
    `past` schedules that ended before `begin`, and of `constant` infusions (amount per hour) that end at `begin`.
    `every` has all rows of the occasion in order, those of doses as observations after the doses of their time.
    `values`: covariates (canonical units) that differ from those of the first occasion; `changes`: those that change
    later, as (h from `begin`, values). `adherence`: which doses are taken (default: all).
    """

    begin: float
    records: tuple[DoseRecord, ...]
    rows: tuple[DoseRow, ...]
    observations: tuple[ObservationRecord, ...]
    past: tuple[DoseRecord, ...] = ()
    constant: tuple[DoseRecord, ...] = ()
    start: DoseRow | None = None
    every: tuple[ObservationRecord, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    adherence: AdherenceFunction | None = None
    changes: tuple[tuple[float, Mapping[str, float]], ...] = ()

    @property
    def regimen(self) -> Regimen:
        """The regimen. Raises InputError with the line of an impossible dose."""
        treatments = []
        for record, row in zip(self.records, self.rows, strict=True):
            try:
                treatments.append(record.treatment())
            except InputError as problem:
                raise row.with_location(problem) from None
        return Regimen(tuple(treatments))

    @property
    def is_scenario(self) -> bool:
        """Whether a scenario can express it: the doses define the whole steady state, and no covariate changes."""
        return not (self.past or self.constant or self.changes)

    @property
    def last_observation(self) -> float | None:
        """The last observation, in h from `begin`."""
        return max((observation.time - self.begin for observation in self.observations), default=None)

    def cycle(self, visit_gap: float) -> tuple[Regimen, Regimen, float]:
        """Schedules and constant infusions that define the initial steady state, and the cycle length (h).

        The length is 0 for a start at baseline. Raises InputError, at the first record, for schedules without a common
        steady state.
        """
        try:
            steady_treatments = tuple(record.treatment() for record in (*self.records, *self.past) if record.ss)
            schedules, length = Regimen(steady_treatments).steady_state_cycle(visit_gap)
            length = length or (CYCLE if self.constant else 0.0)
            infusions = tuple(constant_infusion(record, length).treatment() for record in self.constant)
        except InputError as problem:
            raise (self.start.with_location(problem) if self.start else problem) from None
        return schedules, Regimen(infusions), length

    @property
    def description(self) -> str:
        """The regimen as sentences."""
        earlier = [f"after {record.amount:g} {record.unit}/h {record.drug} {record.route}" for record in self.constant]
        earlier += [f"after {Regimen((record.treatment(),)).sentence()}" for record in self.past]
        return "; ".join([*earlier, self.regimen.sentence()] if self.records else earlier) or "nothing is given"


@dataclass(frozen=True)
class _Event:
    """A record with its kind and dose, TIME as in the table; `constant`: an infusion that ends at TIME."""

    row: DoseRow
    kind: int
    time: float
    ss: int = 0
    dose: DoseRecord | None = None
    constant: bool = False


@dataclass
class _OccasionRecords:
    """The records of one occasion, and the earlier schedules at steady state that continue.

    `absorbed`: earlier records that belong to its steady state.
    """

    events: list[_Event]
    carried: list[_Event]
    begin: float
    absorbed: list[_Event] = field(default_factory=list)

    @property
    def starts_at_steady_state(self) -> bool:
        """Whether it starts at steady state."""
        return self.events[0].ss > 0

    @property
    def is_observed(self) -> bool:
        """Whether any record is an observation."""
        return any(event.dose is None for event in self.events)


def occasions_of(rows: Sequence[DoseRow], drug: str | None) -> tuple[Occasion, ...]:
    """The rows of one subject, divided at resets (EVID 3, 4) and at the start (SS 1) or addition (SS 2) of a steady
    state.

    Records without observation before an added steady state belong to that steady state.
    """
    groups: list[_OccasionRecords] = []
    for event in (_event(row, drug) for row in rows):
        previous = groups[-1] if groups else None
        if previous is not None and event.kind not in RESETS:
            _refuse_disorder(previous.events[-1], event)
        if previous is not None and not _starts_occasion(event, previous):
            previous.events.append(event)
            continue
        added = event.ss == 2 and event.kind == DOSE
        continued = _schedules_before(previous, event) if added else []
        absorbed: list[_Event] = []
        if added and previous is not None and not previous.is_observed:
            absorbed = [*previous.absorbed, *previous.events]
            groups.pop()
        begin = event.time if previous is not None or event.ss else min(0.0, event.time)
        groups.append(_OccasionRecords([event], continued, begin, absorbed))
    return tuple(_occasion(group) for group in groups)


def _starts_occasion(event: _Event, previous: _OccasionRecords) -> bool:
    """Whether a record begins an occasion. Raises InputError for a second SS of 1 at one time."""
    if event.kind in RESETS:
        return True
    is_at_start = previous.starts_at_steady_state and abs(event.time - previous.begin) < SAME_TIME
    if event.ss == 1 and is_at_start and any(earlier.ss == 1 for earlier in previous.events):
        message = "a second SS of 1 at one time would undo the first"
        raise event.row.error(message, "SS", "SS of 2 for what is added to a steady state", type_this="2")
    return event.ss == 1 or (event.ss == 2 and (not is_at_start or previous.is_observed))


def _schedules_before(previous: _OccasionRecords | None, event: _Event) -> list[_Event]:
    """The schedules to which an SS of 2 adds one. Raises InputError without a steady state."""
    if previous is None or not previous.starts_at_steady_state:
        message = "SS of 2 without a start at steady state before it"
        raise event.row.error(message, "SS", "a record with SS 1 before it, in the same frequency")
    schedules = [*previous.carried, *(e for e in previous.events if e.dose is not None)]
    invalid = next((e for e in schedules if not e.ss or e.constant or _ended(e, event.time)), None)
    if invalid is not None:
        message = f"SS of 2 at TIME {event.time:g}, when the dose of {invalid.row.place} is not at steady state"
        raise event.row.error(
            message, "SS", "only frequencies at steady state since the SS of 1, the last dose within one II"
        )
    return schedules


def _ended(event: _Event, time: float) -> bool:
    """Whether a schedule has ended: more than one interval since its last dose."""
    dose = event.dose
    return dose is None or time > dose.time + (dose.addl + 1) * dose.ii + SAME_TIME


def _event(row: DoseRow, drug: str | None) -> _Event:
    kind, time, ss = _kind(row), row.number("TIME"), row.integer("SS", range(3))
    if kind not in (DOSE, RESET_AND_DOSE):
        if ss:
            raise row.error(f"SS of {ss} in a record without a dose", "SS", "SS of 0, or EVID 1")
        return _Event(row, kind, time)
    record, constant = dose_record(row, drug, visit=row.number("EVID") == OTHER)
    return _Event(row, kind, time, ss, record, constant)


def _kind(row: DoseRow) -> int:
    """EVID; without the column a record with an amount is a dose, any other an observation."""
    has_amount = row.number("AMT") != 0
    if "EVID" not in row.cells:
        return DOSE if has_amount else OBSERVATION
    kind = row.number("EVID")
    if kind not in range(5):
        expected = "0 observation, 1 dose, 2 other, 3 reset, 4 reset and dose; no other is supported"
        raise row.error(f"EVID of {kind:g}", "EVID", expected)
    if kind == OTHER and row.text("CMT").startswith("-"):
        message = f"CMT {row.text('CMT')} switches a compartment off"
        raise row.error(message, "CMT", "a route; compartments cannot be switched off")
    if kind == OTHER and row.text("DRUG").lower() == VISIT_DRUG:
        return DOSE
    if has_amount and kind in UNDOSED:
        dose = f"EVID {RESET_AND_DOSE if kind == RESET else DOSE}"
        raise row.error(f"{UNDOSED[int(kind)]} with an amount", "AMT", f"{dose}, or AMT of 0", type_this=dose)
    return int(kind)


def _refuse_disorder(previous: _Event, event: _Event) -> None:
    if event.time < previous.time:
        message = f"TIME goes back from {previous.time:g} to {event.time:g}"
        hint = "" if "ID" in event.row.cells else ", or a column ID for several persons"
        raise event.row.error(message, "TIME", f"times that do not fall, except at a reset (EVID 3 or 4){hint}")


def _occasion(group: _OccasionRecords) -> Occasion:
    begin = group.begin
    continued_doses = [(event.row, *_from_begin(event, begin)) for event in group.carried]
    dose_rows = [(row, dose) for row, dose, continues in continued_doses if continues]
    past = [dose for _, dose, continues in continued_doses if not continues]
    constant: list[DoseRecord] = []
    for event in group.events:
        if event.dose is not None and event.constant:
            constant.append(replace(event.dose, time=0.0))
        elif event.dose is not None:
            dose_rows.append((event.row, replace(event.dose, time=event.time - begin)))
    start = group.events[0].row if group.starts_at_steady_state else None
    rows, records = tuple(row for row, _ in dose_rows), tuple(dose for _, dose in dose_rows)
    observations = tuple(_observations(group))
    remaining_observations = iter(observations)
    every = tuple(
        next(remaining_observations) if event.dose is None else ObservationRecord(event.row, event.time, before=False)
        for event in (*group.absorbed, *group.events)
    )
    return Occasion(begin, records, rows, observations, tuple(past), tuple(constant), start, every)


def _from_begin(event: _Event, begin: float) -> tuple[DoseRecord, bool]:
    """A schedule from its first dose at or after `begin`, in h from `begin`; False where it has no such dose."""
    dose = event.dose
    assert dose is not None
    n_past = math.ceil((begin - dose.time) / dose.ii - SAME_TIME)
    first_time = max(0.0, dose.time + n_past * dose.ii - begin)
    return replace(dose, time=first_time, addl=max(0, dose.addl - n_past)), n_past <= dose.addl


def _observations(group: _OccasionRecords) -> Iterator[ObservationRecord]:
    """Observations; before a dose of the same time in a later row."""
    doses: list[DoseRecord] = [event.dose for event in group.carried if event.dose is not None]
    for event in group.events:
        if event.dose is not None:
            doses.append(event.dose)
        else:
            yield ObservationRecord(event.row, event.time, not any(_falls_on(dose, event.time) for dose in doses))


def _falls_on(dose: DoseRecord, time: float) -> bool:
    """Whether a dose, or one implied by ADDL, has this TIME."""
    number = round((time - dose.time) / dose.ii) if dose.ii else 0
    return 0 <= number <= dose.addl and abs(dose.time + number * dose.ii - time) < SAME_TIME
