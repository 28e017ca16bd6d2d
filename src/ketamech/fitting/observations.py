"""Measurements of a dose table: the output and unit of each DV, and flags of doubtful records.

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
from ketamech.core.data_frames import DataFrame
from ketamech.core.errors import nearest_names
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.nonmem.csv_cells import COLUMNS, DoseRow, header_line
from ketamech.nonmem.measurements import (
    DV,
    LEFT,
    NOT_CENSORED,
    Measurement,
    analyte_of,
    measurement_of,
    unit_of,
)
from ketamech.nonmem.occasions import Occasion
from ketamech.nonmem.read import DoseTable, DoseTableSubject, person_columns, read_doses
from ketamech.parameters.concentration_units import DISPLAY_UNIT, MODEL_UNIT, molar_masses
from ketamech.simulation.model import LISTED_OUTPUTS, Model
from ketamech.simulation.output_ranges import load_ranges, require_outputs

OBSERVE = re.compile(r"(?:(?P<dvid>[^=\[\]]+)=)?\s*(?P<output>[^=\[\]]+?)\s*(?:\[(?P<unit>[^\[\]]*)\])?\s*")
PERIOD = "OCC"  # column of the period
HIGHEST_CONCENTRATION = 1e7  # umol/L: no substance with the mass of ketamine has more molecules in a litre


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
        limits = load_ranges().get(self.output)
        return (limits.lower * self.factor, limits.upper * self.factor) if limits else (-np.inf, np.inf)


@dataclass(frozen=True)
class Flag:
    """A doubtful record or person: the `subject`, the `line` in the table (0: none), and the reason as `text`."""

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
        """Index of the person [occasion]."""
        index_of_person = {subject.name: i for i, subject in enumerate(self.persons)}
        return np.array([index_of_person[subject.name] for subject, _ in self.occasions])

    @cached_property
    def periods(self) -> tuple[tuple[tuple[float, int], ...], ...]:
        """The periods of each occasion between which parameters of a person may differ: (h from its begin, number).

        Numbers count those of a person. A period is a value of the column OCC if there is one, else an occasion.
        """
        numbers: list[dict[object, int]] = [{} for _ in self.persons]
        periods = []
        for i, (_, occasion) in enumerate(self.occasions):
            numbers_of_person, periods_of_occasion = numbers[self.person_of_occasion[i]], []
            for begin, label in _period_labels(occasion, i):
                periods_of_occasion.append((begin, numbers_of_person.setdefault(label, len(numbers_of_person))))
            periods.append(tuple(periods_of_occasion))
        return tuple(periods)

    def column(self, name: str) -> np.ndarray:
        """One field [measurement]."""
        return np.array([getattr(measurement, name) for measurement in self.measurements])

    @cached_property
    def person(self) -> np.ndarray:
        """Index of the person [measurement]."""
        return self.column("person")

    @cached_property
    def value(self) -> np.ndarray:
        """DV [measurement] in the unit of its output."""
        return self.column("value").astype(float)

    @cached_property
    def number(self) -> np.ndarray:
        """Index of the output [measurement]."""
        return self.column("number")

    @cached_property
    def censored(self) -> np.ndarray:
        """Censoring [measurement]: 1 below DV (and above `limit`), -1 above DV, 0 equal to DV."""
        return self.column("censored")

    @cached_property
    def limit(self) -> np.ndarray:
        """Lower bound [measurement] where it is left-censored, in the unit of DV."""
        return self.column("limit").astype(float)

    @property
    def notes(self) -> tuple[str, ...]:
        """The assumptions of the reader that concern doses."""
        return tuple(note for note in self.table.notes if "not used" not in note)


def _period_labels(occasion: Occasion, occasion_index: int) -> Iterator[tuple[float, object]]:
    """Begin and label of each period of an occasion."""
    current: object = None
    for record in occasion.every:
        label = record.row.text(PERIOD) or current or occasion_index
        if label != current:
            yield (0.0 if current is None else record.time - occasion.begin), label
        current = label


@dataclass(frozen=True)
class ObserveArgument:
    """Where an observed output is typed: the `key` of errors, and whether a code of DVID may stand before it."""

    key: str = "--observe"
    has_dvid: bool = True

    def example(self, dvid: str = "", output: str = "venous.ketamine", unit: str = DISPLAY_UNIT) -> str:
        """What to type for an output, with the code `dvid` if there is one."""
        if not self.has_dvid:
            return f'"{output} [{unit}]"'
        return f'{self.key} "{dvid}={output} [{unit}]"' if dvid else f'{self.key} "{output} [{unit}]"'


OBSERVE_OPTION = ObserveArgument()


def parse_observe(text: str, argument: ObserveArgument = OBSERVE_OPTION) -> tuple[str | None, str, str | None]:
    """DVID, output and unit of an entry such as "1=venous.ketamine [ng/mL]". Raises InputError."""
    match = OBSERVE.fullmatch(text.strip())
    if match is None or (match["dvid"] and not argument.has_dvid):
        expected = "DVID=output [unit]" if argument.has_dvid else "output [unit]"
        what, example = f"'{text}' is not an observed output", argument.example("1")
        raise InputError(what, key=argument.key, expected=expected, type_this=example)
    dvid, unit = match["dvid"], match["unit"]
    return dvid and _code(dvid), match["output"], unit and unit.strip()


def observed_output(
    dvid: str, output: str, unit: str | None, model: Model, argument: ObserveArgument = OBSERVE_OPTION
) -> ObservedOutput:
    """An output of the model, with the unit of DV. Raises UnknownNameError; InputError for a wrong or missing unit."""
    if output not in model.layout.output_names:
        nearest = _suggestion(output, model.layout.output_names)
        what = f"there is no output '{output}'"
        raise UnknownNameError(what, key=argument.key, expected=LISTED_OUTPUTS, nearest=nearest)
    model_unit = model.layout.units[output]
    if not unit:
        if model_unit in (MODEL_UNIT, "umol"):
            example = DISPLAY_UNIT if output in molar_masses() else model_unit
            raise InputError(f"{output} has no unit", key=argument.key, expected=f"a unit such as {example}",
                             type_this=argument.example(dvid, output, example))  # fmt: skip
        return ObservedOutput(dvid, output, model_unit, 1.0)
    mass = molar_masses().get(output)
    try:
        factor = convert(1.0, model_unit, unit, molar_mass=model.parameters[mass].value if mass else None)
    except InputError:
        alternatives = f"{DISPLAY_UNIT} or {model_unit}" if mass else model_unit
        raise InputError(f"{output} cannot be measured in {unit}", key=argument.key, expected=alternatives,
                         type_this=argument.example(dvid, output, alternatives.split()[0])) from None  # fmt: skip
    return ObservedOutput(dvid, output, unit, factor)


def _suggestion(name: str, outputs: Sequence[str]) -> str | None:
    """The output with the same last words ("plasma.venous.ketamine": venous.ketamine), or the most similar one."""
    name = ".".join(name.split())  # "plasma ketamine" as "plasma.ketamine"
    suffixes = [output for output in outputs if name.lower().endswith("." + output.lower())]
    same_last_word = [output for output in outputs if output.split(".")[-1].lower() == name.split(".")[-1].lower()]
    preferred = [output for output in same_last_word if output.startswith("venous.")] or same_last_word
    return next(iter(suffixes or preferred), None) or nearest_names(name, outputs)


def _is_number(code: str) -> bool:
    return code.replace(".", "").isdigit()


def _code(text: str) -> str:
    """A DVID code; "1.0" and "1" are the same."""
    try:
        return f"{float(text):g}"
    except ValueError:
        return text.strip()


def read_measurements(
    source: Path | str | DataFrame,
    model: Model,
    *,
    observe: Sequence[str] = (),
    drug: str | None = None,
    lloq: Sequence[str] = (),
) -> FitData:
    """The measurements of a table. Raises InputError with file, line and column."""
    return measurements_of(read_doses(source, model.parameters, drug=drug), model, observe, lloq)


def measurements_of(table: DoseTable, model: Model, observe: Sequence[str] = (), lloq: Sequence[str] = ()) -> FitData:
    """The measurements of a table that has been read; `observe` as in `parse_observe`.

    `lloq`: limits of quantification in the unit of DV, of all concentrations ("0.5") or of one output or DVID
    ("venous.ketamine: 0.5"). Lower values are below the limit, as are records marked as censored.
    """
    reader = _Reader(table, model, [parse_observe(text) for text in observe], limits_of(lloq))
    occasions = tuple((s, o) for s in table.subjects for o in s.occasions)
    measurements = list(reader.measurements(occasions))
    reader.refuse_unused_limits()
    if DV not in table.columns:
        unused = [header for name, header in table.columns.items() if name not in COLUMNS]
        expected = f"measurements in a column DV (other columns: {', '.join(unused) or 'none'})"
        raise InputError(
            "there is no column DV", file=table.path, line=header_line(table.path), key=DV, expected=expected
        )
    if not measurements:
        message = "the table has no measurement"
        raise InputError(message, file=table.path, key="DV", expected="records with EVID 0, MDV 0 and a number in DV")
    measurements, flags = _without_duplicates(measurements)
    before_dose = [
        m for m in measurements if _is_before_any_dose(m, occasions[m.occasion][1], reader.outputs[m.number])
    ]
    flags += [Flag(_subject_id(m), m.row.line,
                   "a level before any dose: the model predicts 0; left out") for m in before_dose if m.value > 0
              and not m.censored]  # fmt: skip
    used = [m for m in measurements if m not in before_dose]
    if not used:
        row = measurements[0].row
        raise row.error("every level is before the first dose", "TIME", "doses before the levels, or SS of 1")
    data = _drop_unused_occasions(FitData(table, tuple(reader.outputs), occasions, tuple(used), ()))
    used_ids = {subject.name for subject in data.persons}
    flags += [
        Flag(s.name, 0, "no measurement that can be used; left out") for s in table.subjects if s.name not in used_ids
    ]
    flags += _missing_covariates(data.table, model)
    return replace(data, flags=tuple([*reader.flags, *flags]))


def limits_of(texts: Sequence[str]) -> dict[str, float]:
    """Limits of quantification by output or DVID, "" for all concentrations. Raises InputError."""
    limits = {}
    for text in texts:
        name, _, number_text = text.rpartition(":")
        try:
            limits[_code(name)] = float(number_text)
        except ValueError:
            limits[_code(name)] = -1.0
        if not 0 < limits[_code(name)] < np.inf:
            raise InputError(f"'{text}' is not a limit of quantification", key="--lloq",
                             expected="a number above 0 in the unit of DV",
                             type_this='--lloq "venous.ketamine: 0.5"')  # fmt: skip
    return limits


def _drop_unused_occasions(data: FitData) -> FitData:
    """The data without occasions that have no measurement."""
    used = sorted({m.occasion for m in data.measurements})
    occasion = {index: new for new, index in enumerate(used)}
    persons = {data.occasions[i][0].name for i in used}
    table = replace(data.table, subjects=tuple(s for s in data.table.subjects if s.name in persons))
    person = {subject.name: i for i, subject in enumerate(table.subjects)}
    renumbered = tuple(
        replace(m, occasion=occasion[m.occasion], person=person[data.occasions[m.occasion][0].name])
        for m in data.measurements
    )
    return replace(data, table=table, occasions=tuple(data.occasions[i] for i in used), measurements=renumbered)


class _Reader:
    """Reads the DV of every record; `outputs` grows with each new DVID."""

    def __init__(
        self, table: DoseTable, model: Model, named: Sequence[tuple[str | None, str, str | None]],
        limits: Mapping[str, float],
    ) -> None:  # fmt: skip
        self.table, self.model, self.limits = table, model, limits
        self.outputs: list[ObservedOutput] = []
        self.flags: list[Flag] = []
        self.mapping: dict[str, tuple[str, str | None]] = {}
        for dvid, output, unit in named:
            code = dvid if dvid is not None else output
            if self.mapping.setdefault(code, (output, unit)) != (output, unit):
                message = f"'{code}' is mapped to {self.mapping[code][0]} and to {output}"
                raise InputError(message, key="--observe", expected="one output and unit for each DVID")
        self.single = named[0] if len(named) == 1 and named[0][0] is None else None
        for dvid, output, unit in named:
            if unit or output not in model.layout.output_names:
                observed_output(dvid or output, output, unit, model)

    def measurements(self, occasions: Sequence[tuple[DoseTableSubject, Occasion]]) -> Iterator[MeasuredValue]:
        """Every DV that is not marked as missing."""
        for occasion_index, (subject, occasion) in enumerate(occasions):
            for slot, record in enumerate(occasion.observations):
                row, measured = record.row, measurement_of(record.row)
                if measured is None:
                    if DV not in row.cells and row.number("MDV", 1) == 0 and row.number("EVID") == 0:
                        self.flags.append(Flag(subject.name, row.line, "MDV of 0 without a DV; left out"))
                    continue
                number = self._output(row)
                require_outputs(subject.species, [self.outputs[number].output])
                value, censored, limit = self._value(row, measured, self.outputs[number])
                yield MeasuredValue(row, 0, occasion_index, slot, number, record.time, value, censored, limit)

    def refuse_unused_limits(self) -> None:
        """Raise InputError for a limit of quantification of an output that is not measured."""
        names = [name for output in self.outputs for name in (output.output, output.dvid)]
        unused = next((name for name in self.limits if name and name not in names), None)
        if unused is not None:
            message, known = f"no measurement is of '{unused}'", ", ".join(dict.fromkeys(names))
            raise InputError(message, key="--lloq", expected=known, nearest=closest_match(unused, names))

    def _lloq(self, output: ObservedOutput) -> float:
        """The limit of quantification of --lloq in the unit of DV; NaN without one."""
        default = self.limits.get("", np.nan) if output.is_concentration else np.nan
        return self.limits.get(output.output, self.limits.get(output.dvid, default))

    def _output(self, row: DoseRow) -> int:
        """The index of the output that a record measures."""
        analyte = analyte_of(row)
        if not analyte:
            if self.single is None:
                message = "which output does DV measure?"
                raise row.error(
                    message, "DVID", "a column DVID, or one observed output", type_this=OBSERVE_OPTION.example()
                )
            analyte = self.single[1]
        code = _code(analyte)
        index = next((i for i, known_output in enumerate(self.outputs) if known_output.dvid == code), None)
        if index is not None:
            return index
        output, unit = self._mapped_output(row, code)
        try:
            new_output = observed_output(code, output, unit or unit_of(row, self._own_unit(output)), self.model)
        except InputError as problem:
            raise row.with_location(problem) from None
        self.outputs.append(new_output)
        return len(self.outputs) - 1

    def _own_unit(self, output: str) -> str:
        return self.model.layout.units.get(output, "1")

    def _mapped_output(self, row: DoseRow, code: str) -> tuple[str, str | None]:
        if code in self.mapping:
            return self.mapping[code]
        if self.single is not None and _is_number(code):
            self._refuse_second_code(row, code)
            return self.single[1], self.single[2]
        if code in self.model.layout.output_names:
            return code, None
        raise self._unknown_analyte(row, code)

    def _refuse_second_code(self, row: DoseRow, code: str) -> None:
        """Raise InputError where one observed output without a code stands beside two codes."""
        other = next((one.dvid for one in self.outputs if _is_number(one.dvid)), None)
        if other is not None and self.single is not None:
            output, unit = self.single[1:]
            named = f"{output} [{unit}]" if unit else output
            message = f"DVID {other} and {code} cannot both be {output}"
            raise row.error(message, "DVID", "an output for each code", type_this=f'--observe "{other}={named}"')

    def _unknown_analyte(self, row: DoseRow, code: str) -> InputError:
        message = f"DVID {code} is not an output"
        if _is_number(code):
            known = ", ".join(self.mapping) or "none"
            example = None if self.mapping else OBSERVE_OPTION.example(code)
            return row.error(message, "DVID", f"a code that --observe maps to an output (mapped: {known})",
                             type_this=example)  # fmt: skip
        names = [*self.mapping, *self.model.layout.output_names]
        return row.error(
            message, "DVID", "the name of an output, or a code of --observe", nearest=_suggestion(code, names)
        )

    def _value(self, row: DoseRow, measured: Measurement, output: ObservedOutput) -> tuple[float, int, float]:
        """DV, or its limit, whether it is censored, and the lower bound of a censored DV, in the unit of the output."""
        scale, lloq, censored = self._scale(row, output), self._lloq(output), measured.censored
        value = scale * measured.value
        low, high = output.limits
        if output.is_concentration:
            high = HIGHEST_CONCENTRATION * output.factor
        if censored == NOT_CENSORED and low <= value < lloq:
            value, censored = lloq, LEFT
        if censored == LEFT and not value > low:
            value = lloq
        if censored == LEFT and not value > low:
            message, expected = "a level below an unknown limit of quantification", "the limit in column LLOQ or DV"
            raise row.error(message, "LLOQ", expected, type_this="--lloq and the limit in the unit of DV")
        lowest = scale * measured.lower
        if censored == LEFT and lowest >= value:
            message = f"a value between LIMIT of {lowest:g} and DV of {value:g} {output.unit}"
            raise row.error(message, "LIMIT", "a LIMIT below the limit of quantification in DV")
        if not low <= value <= high:
            is_open = np.isinf(high) or (value < low and output.is_concentration)
            bounds = f"{low:g} or more" if is_open else f"{low:g} to {high:g}"
            message = f"DV of {row.text(DV) or row.text('LLOQ')} {output.unit} for {output.output}"
            raise row.error(message, DV, f"{bounds} {output.unit}")
        if value == 0 and censored == NOT_CENSORED and output.is_concentration:
            text = "a level of 0: if it is below the limit of quantification, use CENS 1 and the limit in DV"
            self.flags.append(Flag(row.text("ID", "1"), row.line, text))
        return value, censored, lowest

    def _scale(self, row: DoseRow, output: ObservedOutput) -> float:
        """The factor from the UNIT of the record to that of the output."""
        unit = unit_of(row, output.unit)
        if unit is None or unit == output.unit:
            return 1.0
        mass = molar_masses().get(output.output)
        try:
            return convert(1.0, unit, output.unit, molar_mass=self.model.parameters[mass].value if mass else None)
        except InputError as problem:
            raise row.with_location(problem) from None


def _subject_id(measurement: MeasuredValue) -> str:
    return measurement.row.text("ID", "1")


def _without_duplicates(measurements: Iterable[MeasuredValue]) -> tuple[list[MeasuredValue], list[Flag]]:
    """Each measurement once; of two different values at one time both are kept, with a flag."""
    unique: list[MeasuredValue] = []
    first: dict[tuple[int, float, int], MeasuredValue] = {}
    flags: list[Flag] = []
    for m in measurements:
        key = (m.occasion, m.time, m.number)
        earlier = first.setdefault(key, m)
        is_equal = (earlier.value, earlier.censored) == (m.value, m.censored)
        if earlier is m:
            unique.append(m)
        elif is_equal:
            flags.append(Flag(_subject_id(m), m.row.line, f"the same level as in {earlier.row.place}; left out"))
        else:
            flags.append(Flag(_subject_id(m), m.row.line, f"a second level at the time of {earlier.row.place}"))
            unique.append(m)
    return unique, flags


def _is_before_any_dose(measurement: MeasuredValue, occasion: Occasion, output: ObservedOutput) -> bool:
    """Whether a concentration was measured before the first dose of an occasion that starts drug-free."""
    if not output.is_concentration or occasion.start is not None:
        return False
    starts = [start for t in occasion.regimen.treatments for start in t.starts(MAX_HORIZON_H)[:1]]
    observation = occasion.observations[measurement.slot]
    time, first_dose = observation.time - occasion.begin, min(starts, default=np.inf)
    return time < first_dose or (time == first_dose and observation.before)


def _missing_covariates(table: DoseTable, model: Model) -> list[Flag]:
    """Flags of persons without a covariate that other persons have, and of the first record without a changing one."""
    columns: Mapping[str, str] = person_columns(table.columns, model.parameters)
    flags = []
    for column, name in columns.items():
        header, default = table.columns[column], model.parameters[name]
        for subject in table.subjects:
            if name not in subject.values:
                flags.append(Flag(subject.name, 0, f"no {header}; {default.value:g} {default.unit} is used"))
                continue
            rows = [
                row
                for occasion in subject.occasions
                for row in (*occasion.rows, *(seen.row for seen in occasion.observations))
            ]
            lines = sorted(row.line for row in rows if column not in row.cells)
            if lines and len({row.cells[column] for row in rows if column in row.cells}) > 1:
                flags.append(Flag(subject.name, lines[0], f"no {header}; the value before is used"))
    return flags
