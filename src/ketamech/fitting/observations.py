"""Measurements of a dose table: which output each DV measures, in which unit, and what is wrong with it.

DVID (or ANALYTE) holds names of outputs or codes of an observation map such as "1=venous.ketamine [ng/mL]".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ketamech.core import InputError, UnknownNameError, closest_match, convert
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.exchange.nonmem.csv_cells import COLUMNS, DoseRow
from ketamech.exchange.nonmem.measurements import (
    DV,
    LEFT,
    NOT_CENSORED,
    Measurement,
    analyte_of,
    measurement_of,
    unit_of,
)
from ketamech.exchange.nonmem.occasions import Occasion
from ketamech.exchange.nonmem.read import DoseTable, DoseTableSubject, person_columns, read_doses
from ketamech.parameters.concentration_units import DISPLAY_UNIT, MODEL_UNIT, molar_masses
from ketamech.simulation.model import Model
from ketamech.simulation.output_ranges import load_ranges, require_outputs

OBSERVE = re.compile(r"(?:(?P<dvid>[^=\[\]]+)=)?\s*(?P<output>[^=\[\]]+?)\s*(?:\[(?P<unit>[^\[\]]*)\])?\s*")
PERIOD = "OCC"  # column of the period
EXAMPLE = '--observe "1=venous.ketamine [ng/mL]"'


@dataclass(frozen=True)
class ObservedOutput:
    """An output of the model that a DVID measures; `factor`: units of DV in one unit of the output."""

    dvid: str
    output: str
    unit: str
    factor: float

    @property
    def is_concentration(self) -> bool:
        """Whether it is a concentration, which is 0 before any dose."""
        return self.output in molar_masses() or self.output.startswith("brain.")

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and highest possible value, in the unit of DV."""
        if self.is_concentration:
            return 0.0, np.inf
        found = load_ranges().get(self.output)
        return (found.lower * self.factor, found.upper * self.factor) if found else (-np.inf, np.inf)


@dataclass(frozen=True)
class Flag:
    """A doubtful record or person: the `subject`, the `line` in the table (0: none), and what is doubtful."""

    subject: str
    line: int
    text: str


@dataclass(frozen=True)
class MeasuredValue:
    """One DV: the output by `number`, its place in `occasion` and among the times of that occasion (`slot`)."""

    row: DoseRow
    person: int
    occasion: int
    slot: int
    number: int
    time: float
    value: float
    censored: int = NOT_CENSORED
    limit: float = -np.inf


@dataclass(frozen=True)
class FitData:
    """The measurements of a table as arrays [measurement], with persons and occasions by index."""

    table: DoseTable
    outputs: tuple[ObservedOutput, ...]
    occasions: tuple[tuple[DoseTableSubject, Occasion], ...]
    measurements: tuple[MeasuredValue, ...]
    flags: tuple[Flag, ...]

    @cached_property
    def persons(self) -> tuple[DoseTableSubject, ...]:
        """The persons, in the order of the table."""
        return self.table.subjects

    @cached_property
    def person_of_occasion(self) -> np.ndarray:
        """Index of the person of each occasion."""
        place = {subject.name: i for i, subject in enumerate(self.persons)}
        return np.array([place[subject.name] for subject, _ in self.occasions])

    @cached_property
    def periods(self) -> tuple[tuple[tuple[float, int], ...], ...]:
        """The periods of each occasion between which parameters of a person may differ: (h from its begin, number).

        Numbers count those of a person. A period is a value of the column OCC if there is one, else an occasion.
        """
        numbers: list[dict[object, int]] = [{} for _ in self.persons]
        found = []
        for place, (_, occasion) in enumerate(self.occasions):
            known, own = numbers[self.person_of_occasion[place]], []
            for begin, label in _period_labels(occasion, place):
                own.append((begin, known.setdefault(label, len(known))))
            found.append(tuple(own))
        return tuple(found)

    def column(self, name: str) -> np.ndarray:
        """One field of all measurements."""
        return np.array([getattr(one, name) for one in self.measurements])

    @cached_property
    def person(self) -> np.ndarray:
        """Index of the person of each measurement."""
        return self.column("person")

    @cached_property
    def value(self) -> np.ndarray:
        """DV of each measurement."""
        return self.column("value").astype(float)

    @cached_property
    def number(self) -> np.ndarray:
        """Index of the output of each measurement."""
        return self.column("number")

    @cached_property
    def censored(self) -> np.ndarray:
        """1: below DV (and above `limit`), -1: above DV, 0: equal to DV."""
        return self.column("censored")

    @cached_property
    def limit(self) -> np.ndarray:
        """Lower bound of each measurement that is left-censored."""
        return self.column("limit").astype(float)

    @property
    def notes(self) -> tuple[str, ...]:
        """The assumptions of the reader that concern doses."""
        return tuple(note for note in self.table.notes if "not used" not in note)


def _period_labels(occasion: Occasion, place: int) -> Iterator[tuple[float, object]]:
    """Begin and label of each period of an occasion."""
    now: object = None
    for seen in occasion.every:
        label = seen.row.text(PERIOD) or now or place
        if label != now:
            yield (0.0 if now is None else seen.time - occasion.begin), label
        now = label


def parse_observe(text: str) -> tuple[str | None, str, str | None]:
    """DVID, output and unit of an entry such as "1=venous.ketamine [ng/mL]". Raises InputError."""
    match = OBSERVE.fullmatch(text.strip())
    if match is None:
        raise InputError(f"'{text}' is not an observed output", key="--observe", expected="DVID=output [unit]",
                         type_this=EXAMPLE)  # fmt: skip
    dvid, unit = match["dvid"], match["unit"]
    return dvid and _code(dvid), match["output"], unit and unit.strip()


def observed_output(dvid: str, output: str, unit: str | None, model: Model) -> ObservedOutput:
    """An output of the model, with the unit of DV. Raises UnknownNameError; InputError for a wrong or missing unit."""
    if output not in model.layout.output_names:
        nearest = _suggestion(output, model.layout.output_names)
        raise UnknownNameError(f"there is no output '{output}'", key="--observe", nearest=nearest)
    own = model.layout.units[output]
    if not unit:
        if own in (MODEL_UNIT, "umol"):
            shown = DISPLAY_UNIT if output in molar_masses() else own
            raise InputError(f"DV of {output} has no unit", key="--observe", expected=f"a unit such as {shown}",
                             type_this=f'--observe "{dvid}={output} [{shown}]"')  # fmt: skip
        return ObservedOutput(dvid, output, own, 1.0)
    mass = molar_masses().get(output)
    try:
        factor = convert(1.0, own, unit, molar_mass=model.parameters[mass].value if mass else None)
    except InputError:
        alternatives = f"{DISPLAY_UNIT} or {own}" if mass else own
        raise InputError(f"{output} cannot be measured in {unit}", key="--observe", expected=alternatives,
                         type_this=f'--observe "{dvid}={output} [{alternatives.split()[0]}]"') from None  # fmt: skip
    return ObservedOutput(dvid, output, unit, factor)


def _suggestion(name: str, outputs: Sequence[str]) -> str | None:
    """The output with the same last words ("plasma.venous.ketamine": venous.ketamine), or the most similar one."""
    name = ".".join(name.split())  # "plasma ketamine" as "plasma.ketamine"
    ends = [output for output in outputs if name.lower().endswith("." + output.lower())]
    same = [output for output in outputs if output.split(".")[-1].lower() == name.split(".")[-1].lower()]
    preferred = [output for output in same if output.startswith("venous.")] or same
    return next(iter(ends or preferred), None) or closest_match(name, outputs)


def _code(text: str) -> str:
    """A DVID code; "1.0" and "1" are the same."""
    try:
        return f"{float(text):g}"
    except ValueError:
        return text.strip()


def read_measurements(
    path: Path | str, model: Model, *, observe: Sequence[str] = (), drug: str | None = None, lloq: Sequence[str] = ()
) -> FitData:
    """The measurements of a table. Raises InputError with file, line and column."""
    return measurements_of(read_doses(path, model.parameters, drug=drug), model, observe, lloq)


def measurements_of(table: DoseTable, model: Model, observe: Sequence[str] = (), lloq: Sequence[str] = ()) -> FitData:
    """The same for a table that has been read; `observe` as in `parse_observe`.

    `lloq`: limits of quantification in the unit of DV, of all concentrations ("0.5") or of one output or DVID
    ("venous.ketamine: 0.5"). Lower values are below the limit, and so are records marked so without a limit.
    """
    reader = _Reader(table, model, [parse_observe(text) for text in observe], limits_of(lloq))
    occasions = tuple((s, o) for s in table.subjects for o in s.occasions)
    found = list(reader.measurements(occasions))
    reader.refuse_unused_limits()
    if DV not in table.columns:
        unused = [word for name, word in table.columns.items() if name not in COLUMNS]
        expected = f"measurements in a column DV (other columns: {', '.join(unused) or 'none'})"
        raise InputError("there is no column DV", file=table.path, line=1, key=DV, expected=expected)
    if not found:
        what = "the table has no measurement"
        raise InputError(what, file=table.path, key="DV", expected="records with EVID 0, MDV 0 and a number in DV")
    found, flags = _without_duplicates(found, table)
    early = [one for one in found if _is_before_any_dose(one, occasions[one.occasion][1], reader.outputs[one.number])]
    flags += [Flag(_name(table, one), one.row.line,
                   "a level before any dose: the model predicts 0; left out") for one in early if one.value > 0
              and not one.censored]  # fmt: skip
    kept = [one for one in found if one not in early]
    if not kept:
        row = found[0].row
        raise row.error("every level is before the first dose", "TIME", "doses before the levels, or SS of 1")
    data = _compact(FitData(table, tuple(reader.outputs), occasions, tuple(kept), ()))
    used = {subject.name for subject in data.persons}
    flags += [
        Flag(s.name, 0, "no measurement that can be used; left out") for s in table.subjects if s.name not in used
    ]
    flags += _missing_covariates(data.table, model)
    return replace(data, flags=tuple([*reader.flags, *flags]))


def limits_of(texts: Sequence[str]) -> dict[str, float]:
    """Limits of quantification by output or DVID, "" for all concentrations. Raises InputError."""
    found = {}
    for text in texts:
        name, _, words = text.rpartition(":")
        try:
            found[_code(name)] = float(words)
        except ValueError:
            found[_code(name)] = -1.0
        if not 0 < found[_code(name)] < np.inf:
            raise InputError(f"'{text}' is not a limit of quantification", key="--lloq",
                             expected="a number above 0 in the unit of DV",
                             type_this='--lloq "venous.ketamine: 0.5"')  # fmt: skip
    return found


def _compact(data: FitData) -> FitData:
    """The data with occasions that have measurements only."""
    used = sorted({one.occasion for one in data.measurements})
    place = {old: new for new, old in enumerate(used)}
    persons = {data.occasions[i][0].name for i in used}
    table = replace(data.table, subjects=tuple(s for s in data.table.subjects if s.name in persons))
    number = {subject.name: i for i, subject in enumerate(table.subjects)}
    moved = tuple(
        replace(one, occasion=place[one.occasion], person=number[data.occasions[one.occasion][0].name])
        for one in data.measurements
    )
    return replace(data, table=table, occasions=tuple(data.occasions[i] for i in used), measurements=moved)


class _Reader:
    """Reads the DV of every record; outputs are found as their DVID occurs."""

    def __init__(
        self, table: DoseTable, model: Model, named: Sequence[tuple[str | None, str, str | None]],
        limits: Mapping[str, float],
    ) -> None:  # fmt: skip
        self.table, self.model, self.limits = table, model, limits
        self.outputs: list[ObservedOutput] = []
        self.flags: list[Flag] = []
        self.known: dict[str, tuple[str, str | None]] = {}
        for dvid, output, unit in named:
            self.known[dvid if dvid is not None else output] = (output, unit)
        self.only = named[0] if len(named) == 1 and named[0][0] is None else None
        for dvid, output, unit in named:
            if unit or output not in model.layout.output_names:
                observed_output(dvid or output, output, unit, model)

    def measurements(self, occasions: Sequence[tuple[DoseTableSubject, Occasion]]) -> Iterator[MeasuredValue]:
        """Every DV that is not marked as missing."""
        for place, (subject, occasion) in enumerate(occasions):
            for slot, seen in enumerate(occasion.observations):
                row, measured = seen.row, measurement_of(seen.row)
                if measured is None:
                    if DV not in row.cells and row.number("MDV", 1) == 0 and row.number("EVID") == 0:
                        self.flags.append(Flag(subject.name, row.line, "MDV of 0 without a DV; left out"))
                    continue
                number = self._output(row)
                require_outputs(subject.species, [self.outputs[number].output])
                value, censored, limit = self._value(row, measured, self.outputs[number])
                yield MeasuredValue(row, 0, place, slot, number, seen.time, value, censored, limit)

    def refuse_unused_limits(self) -> None:
        """Raise InputError for a limit of quantification of an output that is not measured."""
        names = [name for one in self.outputs for name in (one.output, one.dvid)]
        unused = next((name for name in self.limits if name and name not in names), None)
        if unused is not None:
            what, known = f"no measurement is of '{unused}'", ", ".join(dict.fromkeys(names))
            raise InputError(what, key="--lloq", expected=known, nearest=closest_match(unused, names))

    def _lloq(self, output: ObservedOutput) -> float:
        """The limit of quantification of --lloq in the unit of DV; NaN without one."""
        usual = self.limits.get("", np.nan) if output.is_concentration else np.nan
        return self.limits.get(output.output, self.limits.get(output.dvid, usual))

    def _output(self, row: DoseRow) -> int:
        """The index of the output that a record measures."""
        written = analyte_of(row)
        if not written:
            if self.only is None:
                what = "which output does DV measure?"
                raise row.error(
                    what, "DVID", "a column DVID, or one observed output", type_this=EXAMPLE.replace("1=", "")
                )
            written = self.only[1]
        code = _code(written)
        index = next((i for i, one in enumerate(self.outputs) if one.dvid == code), None)
        if index is not None:
            return index
        output, unit = self._named(row, code)
        try:
            found = observed_output(code, output, unit or unit_of(row, self._own_unit(output)), self.model)
        except InputError as problem:
            raise row.with_location(problem) from None
        self.outputs.append(found)
        return len(self.outputs) - 1

    def _own_unit(self, output: str) -> str:
        return self.model.layout.units.get(output, "1")

    def _named(self, row: DoseRow, code: str) -> tuple[str, str | None]:
        if code in self.known:
            return self.known[code]
        if self.only is not None and code.replace(".", "").isdigit():
            return self.only[1], self.only[2]
        if code in self.model.layout.output_names:
            return code, None
        raise self._unknown(row, code)

    def _unknown(self, row: DoseRow, code: str) -> InputError:
        what = f"DVID {code} is not an output"
        if code.replace(".", "").isdigit():
            known = ", ".join(self.known) or "none"
            example = None if self.known else EXAMPLE.replace("1=", f"{code}=")
            return row.error(what, "DVID", f"a code that --observe maps to an output (mapped: {known})",
                             type_this=example)  # fmt: skip
        names = [*self.known, *self.model.layout.output_names]
        return row.error(
            what, "DVID", "the name of an output, or a code of --observe", nearest=_suggestion(code, names)
        )

    def _value(self, row: DoseRow, measured: Measurement, output: ObservedOutput) -> tuple[float, int, float]:
        """DV, or its limit, whether it is censored, and the lower bound of a censored DV, in the unit of the output."""
        scale, lloq, censored = self._scale(row, output), self._lloq(output), measured.censored
        value = scale * measured.value
        low, high = output.limits
        if censored == NOT_CENSORED and low <= value < lloq:
            value, censored = lloq, LEFT
        if censored == LEFT and not value > low:
            value = lloq
        if censored == LEFT and not value > low:
            what, expected = "a level below an unknown limit of quantification", "the limit in column LLOQ or DV"
            raise row.error(what, "LLOQ", expected, type_this="--lloq and the limit in the unit of DV")
        if not low <= value <= high:
            bounds = f"{low:g} or more" if np.isinf(high) else f"{low:g} to {high:g}"
            what = f"DV of {row.text(DV) or row.text('LLOQ')} {output.unit} for {output.output}"
            raise row.error(what, DV, f"{bounds} {output.unit}")
        if value == 0 and censored == NOT_CENSORED and output.is_concentration:
            text = "a level of 0: if it is below the limit of quantification, use CENS 1 and the limit in DV"
            self.flags.append(Flag(row.text("ID", "1"), row.line, text))
        return value, censored, scale * measured.lower

    def _scale(self, row: DoseRow, output: ObservedOutput) -> float:
        """The factor from the UNIT of the record to that of the output."""
        own = unit_of(row, output.unit)
        if own is None or own == output.unit:
            return 1.0
        mass = molar_masses().get(output.output)
        try:
            return convert(1.0, own, output.unit, molar_mass=self.model.parameters[mass].value if mass else None)
        except InputError as problem:
            raise row.with_location(problem) from None


def _name(table: DoseTable, one: MeasuredValue) -> str:
    return one.row.text("ID", "1")


def _without_duplicates(found: Iterable[MeasuredValue], table: DoseTable) -> tuple[list[MeasuredValue], list[Flag]]:
    """Each measurement once; of two different values at one time both are kept, with a flag."""
    kept: list[MeasuredValue] = []
    first: dict[tuple[int, float, int], MeasuredValue] = {}
    flags: list[Flag] = []
    for one in found:
        key = (one.occasion, one.time, one.number)
        before = first.setdefault(key, one)
        same = (before.value, before.censored) == (one.value, one.censored)
        if before is one:
            kept.append(one)
        elif same:
            flags.append(
                Flag(_name(table, one), one.row.line, f"the same level as in line {before.row.line}; left out")
            )
        else:
            flags.append(Flag(_name(table, one), one.row.line, f"a second level at the time of line {before.row.line}"))
            kept.append(one)
    return kept, flags


def _is_before_any_dose(one: MeasuredValue, occasion: Occasion, output: ObservedOutput) -> bool:
    """Whether a concentration was measured before the first dose of an occasion that starts drug-free."""
    if not output.is_concentration or occasion.start is not None:
        return False
    starts = [start for t in occasion.regimen.treatments for start in t.starts(MAX_HORIZON_H)[:1]]
    seen = occasion.observations[one.slot]
    hour, first = seen.time - occasion.begin, min(starts, default=np.inf)
    return hour < first or (hour == first and seen.before)


def _missing_covariates(table: DoseTable, model: Model) -> list[Flag]:
    """Flags of persons without a covariate that other persons have, and of the first record without a changing one."""
    columns: Mapping[str, str] = person_columns(table.columns, model.parameters)
    flags = []
    for column, name in columns.items():
        written, usual = table.columns[column], model.parameters[name]
        for subject in table.subjects:
            if name not in subject.values:
                flags.append(Flag(subject.name, 0, f"no {written}; {usual.value:g} {usual.unit} is used"))
                continue
            rows = [row for one in subject.occasions for row in (*one.rows, *(seen.row for seen in one.observations))]
            without = sorted(row.line for row in rows if column not in row.cells)
            if without and len({row.cells[column] for row in rows if column in row.cells}) > 1:
                flags.append(Flag(subject.name, without[0], f"no {written}; the value before is used"))
    return flags
