"""NONMEM-style tables of doses and observations -> who is given what, and when each is looked at.

Records of one person act in the order of their rows; at one time, a row above acts before a row below. A dose that
ADDL implies acts before the rows of its time. EVID 3 and 4, and SS 1, begin a new occasion: the person is put back to
the drug-free rest state (SS: to the steady state of that rhythm), and what was still to come is not given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from ketamech.core import BadInput
from ketamech.exchange.dose_cells import COLUMNS, Row, rows_of, text_of
from ketamech.exchange.dose_people import person_columns, person_values, species_of
from ketamech.exchange.dose_record import dose_record
from ketamech.parameters import HUMAN, ParameterTable
from ketamech.study import DoseRecord, Regimen

OBSERVATION, DOSE, OTHER, RESET, RESET_AND_DOSE = range(5)
VISIT = "placebo"  # a record with EVID 2 and this drug is a visit without a dose


@dataclass(frozen=True)
class Observation:
    """A time at which somebody is looked at: TIME as in the table; `before` the doses of that time, or after them."""

    row: Row
    time: float
    before: bool


@dataclass(frozen=True)
class Occasion:
    """From one start at rest (or at a steady state) to the next: `begin` and `end` as TIME in the table.

    `records` count their time from `begin`; what they imply from `end` on is not given.
    """

    begin: float
    end: float | None
    records: tuple[DoseRecord, ...]
    rows: tuple[Row, ...]
    observations: tuple[Observation, ...]

    @property
    def regimen(self) -> Regimen:
        """What is given. Raises BadInput with the line of a dose that cannot be given."""
        treatments = []
        for record, row in zip(self.records, self.rows, strict=True):
            try:
                treatments.append(record.treatment())
            except BadInput as problem:
                raise row.placed(problem) from None
        return Regimen(tuple(treatments))

    @property
    def last(self) -> float | None:
        """The last time asked for, in h from `begin`."""
        return max((seen.time - self.begin for seen in self.observations), default=None)


@dataclass(frozen=True)
class Subject:
    """One person of a table: name, parameters that differ (canonical units), occasions in order.

    An animal's parameters are those of its species and its own.
    """

    name: str
    values: dict[str, float]
    occasions: tuple[Occasion, ...]
    species: str = HUMAN


@dataclass(frozen=True)
class DoseTable:
    """A checked table, and what had to be assumed to read it."""

    path: Path
    subjects: tuple[Subject, ...]
    notes: tuple[str, ...]


def read_doses(path: Path | str, parameters: ParameterTable, *, drug: str | None = None) -> DoseTable:
    """The people of a dose table; `drug` is what is given where no column DRUG says it.

    Raises BadInput with file, line and column for what cannot be given or is not known here.
    """
    return doses_in(text_of(Path(path)), path, parameters, drug=drug)


def doses_in(text: str, path: Path | str, parameters: ParameterTable, *, drug: str | None = None) -> DoseTable:
    """The same of a table whose text is at hand; `path` names it in errors and is not opened."""
    rows, header = rows_of(text, Path(path))
    people = person_columns(header, parameters)
    subjects: list[Subject] = []
    for name, own in groupby(rows, key=lambda row: row.word("ID", "1")):
        records = list(own)
        if any(name == subject.name for subject in subjects):
            raise records[0].bad(f"ID {name} comes back", "ID", "all records of one person together")
        species = species_of(records)
        values = {**species.canonical, **person_values(records, people, parameters, species.name)}
        subjects.append(Subject(name, values, tuple(_occasions(records, drug)), species.name))
    if not subjects:
        raise BadInput("the table holds no record", file=path, line=1, expected="ID,TIME,AMT,... and records")
    return DoseTable(Path(path), tuple(subjects), tuple(_notes(rows, header, people, drug)))


def _occasions(rows: Sequence[Row], drug: str | None) -> Iterable[Occasion]:
    """The rows of one person, cut where a reset or a start at steady state begins anew."""
    stretches: list[list[tuple[Row, int]]] = [[]]
    steady: float | None = None  # TIME of the start at steady state that this stretch began with
    for row in rows:
        kind = _kind(row)
        time, ss = row.number("TIME"), row.whole("SS", range(3))
        anew = kind in (RESET, RESET_AND_DOSE)
        if ss == 1 and kind in (DOSE, RESET_AND_DOSE):
            if steady == time and not anew:
                what = "a second SS of 1 at one time would undo the first"
                raise row.bad(what, "SS", "SS of 2 for what is added to a steady state", type_this="2")
            anew, steady = True, time
        elif anew:
            steady = None
        elif ss == 2 and kind == DOSE:
            _refuse_lone_addition(row, steady, time)
        if anew and stretches[-1]:
            stretches.append([])
        _refuse_disorder(stretches[-1], row, time)
        stretches[-1].append((row, kind))
    for i, stretch in enumerate(stretches):
        origin = stretch[0][0].number("TIME") if i else min(0.0, stretch[0][0].number("TIME"))
        begin = _steady_begin(stretch, origin)
        after = stretches[i + 1][0][0].number("TIME") if i + 1 < len(stretches) else None
        yield _occasion(stretch, begin, after, drug)


def _steady_begin(stretch: list[tuple[Row, int]], origin: float) -> float:
    first = stretch[0][0]
    return first.number("TIME") if first.whole("SS", range(3)) == 1 else origin


def _occasion(stretch: list[tuple[Row, int]], begin: float, end: float | None, drug: str | None) -> Occasion:
    records, rows, observations = [], [], []
    given_at: set[float] = set()
    for row, kind in stretch:
        time = row.number("TIME")
        if kind in (DOSE, RESET_AND_DOSE):
            record = dose_record(row, drug, visit=row.number("EVID") == OTHER)
            records.append(replace(record, time=time - begin))
            rows.append(row)
            given_at.add(time)
        else:
            observations.append((row, time, time in given_at or _implied(records, time - begin)))
    seen = tuple(Observation(row, time, not after) for row, time, after in observations)
    return Occasion(begin, end, tuple(records), tuple(rows), seen)


def _implied(records: Sequence[DoseRecord], time: float) -> bool:
    """Whether a dose that ADDL implies falls on a time (h from the occasion's begin)."""
    for record in records:
        if record.addl and record.ii:
            number = round((time - record.time) / record.ii)
            if 1 <= number <= record.addl and abs(record.time + number * record.ii - time) < 1e-9:
                return True
    return False


def _kind(row: Row) -> int:
    """EVID, or what a record without one means: a dose where there is an amount, else an observation."""
    dosed = row.number("AMT") != 0
    if "EVID" not in row.cells:
        return DOSE if dosed else OBSERVATION
    kind = row.number("EVID")
    if kind not in range(5):
        what = f"EVID of {kind:g}"
        raise row.bad(what, "EVID", "0 observation, 1 dose, 2 other, 3 reset, 4 reset and dose; no other is known here")
    if kind == OBSERVATION and dosed:
        raise row.bad("an observation with an amount", "AMT", "EVID 1, or AMT of 0", type_this="EVID 1")
    if kind == OTHER and row.word("CMT").startswith("-"):
        what = f"CMT {row.word('CMT')} switches a compartment off"
        raise row.bad(what, "CMT", "a route: none is switched off here")
    return DOSE if kind == OTHER and row.word("DRUG").lower() == VISIT else int(kind)


def _refuse_disorder(stretch: list[tuple[Row, int]], row: Row, time: float) -> None:
    if stretch and time < stretch[-1][0].number("TIME"):
        what = f"TIME goes back from {stretch[-1][0].number('TIME'):g} to {time:g}"
        raise row.bad(what, "TIME", "times that do not fall, except at a reset (EVID 3 or 4)")


def _refuse_lone_addition(row: Row, steady: float | None, time: float) -> None:
    if steady is None or not steady <= time < steady + row.number("II") - 1e-9:
        what = "SS of 2 without a start at steady state before it"
        raise row.bad(what, "SS", "SS of 1, or of 2 within one II of it: a steady state is found for all at once")


def _notes(rows: Sequence[Row], header: Sequence[str], people: dict[str, str], drug: str | None) -> Iterable[str]:
    """What was taken for granted."""
    if any("DRUG" not in row.cells and row.number("AMT") for row in rows):
        yield f"every dose without a drug of its own is {drug}"
    if "UNIT" not in header and "AMT" in header:
        yield "AMT is in mg, TIME in hours"
    unused = [name for name in header if name not in COLUMNS and name not in people]
    if unused:
        yield f"columns that are not used: {', '.join(unused)}"
    if any("ROUTE" not in row.cells and row.word("CMT")[:1].isdigit() for row in rows):
        yield "CMT by number is 1 IV, 2 oral, 3 nasal, 4 IM, 5 SC, 6 sublingual, 7 none, 8 IP"
