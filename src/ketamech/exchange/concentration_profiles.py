"""Reads doses and measured levels (DV) of a data table into concentration profiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from ketamech.core import InputError, closest_match, convert, require_known, unit
from ketamech.core.data_frames import DataFrame
from ketamech.core.errors import FRAME
from ketamech.dosing.dose_events import body_size
from ketamech.dosing.dose_records import DoseRecord, cmt_text, route_of
from ketamech.dosing.drugs import Drug, spellings
from ketamech.exchange.nca_profiles import FEWEST, SAME_TIME, GivenDose, Profiles, Samples, split_by_dose
from ketamech.exchange.result_metadata import read_csv_metadata
from ketamech.nonmem.csv_cells import COLUMNS, CsvTable, DoseRow, cells_of_source, header_line
from ketamech.nonmem.measurements import DV, LEFT, RIGHT, analyte_of, measurement_of, unit_of
from ketamech.nonmem.occasions import Occasion, occasions_of
from ketamech.nonmem.read import suspicions
from ketamech.parameters import ParameterTable
from ketamech.simulation.nca_tables import PER_KG, ConcentrationProfile, litres_per_dose

CONCENTRATIONS = ("ng/mL", "umol/L")
DEFAULT_DRUG = "racemic ketamine"  # all routes; for tables whose drug the model does not know


@dataclass(frozen=True)
class TableSettings:
    """How to read a data table: the `unit` and `column` of the levels, a `route` and a `drug` for all doses.

    `molar_mass` (g/mol) where levels are molar and the drug is not known; `interval` (h) between doses where the table
    does not state it; `steady_state`: profiles after the first dose, or after the only one, are at steady state;
    `analytes`: those to read (default: all).
    """

    unit: str | None = None
    column: str = DV
    route: str | None = None
    drug: str | None = None
    molar_mass: float | None = None
    interval: float | None = None
    steady_state: bool = False
    analytes: tuple[str, ...] = ()


def profiles_of_table(
    source: Path | str | DataFrame, parameters: ParameterTable, settings: TableSettings | None = None
) -> Profiles:
    """A profile for each ID, occasion, analyte (DVID) and dose of a table with columns ID, TIME, AMT, DV ...

    Negative levels and censored ones (CENS 1, BLQ 1, "BLQ", "<0.5") count as below the limit of quantification. Records
    with MDV 1 are left out. Raises InputError with file, line and column: no unit, two levels at one time, text that is
    no number.
    """
    file, options = Path(source) if isinstance(source, str | Path) else FRAME, settings or TableSettings()
    table = cells_of_source(source, "a data table")
    _check_route(options.route)
    reader = _TableReader(file, table, parameters, options, _level_column(table, file, options.column))
    used_columns = (*COLUMNS, reader.column, "WEIGHT")
    for suspicion in suspicions(table, used_columns, parameters):
        reader.result.note(suspicion)
    for name, rows in groupby(table.rows, key=lambda row: row.text("ID", "1")):
        reader.read_subject(name, list(rows))
    for analyte in options.analytes:
        what, expected = f"there is no analyte '{analyte}'", ", ".join(sorted(reader.analytes))
        require_known(analyte, reader.analytes, what, file=file, key="--analytes", expected=expected)
    if not reader.result.profiles:
        message = f"no subject has a dose and a level in column {options.column}"
        raise InputError(
            message, file=file, key=options.column, expected="records of doses (AMT) and levels (DV, MDV 0)"
        )
    return reader.result


def _check_route(name: str | None) -> None:
    """Raise InputError for a stated route that does not exist."""
    if name is None:
        return
    try:
        route_of(name)
    except InputError as problem:
        message, expected = f"there is no route '{name}'", "IV, oral, nasal, IM, SC, sublingual, IP, rectal ..."
        raise InputError(message, key="--route", expected=expected, nearest=problem.nearest) from None


def _level_column(table: CsvTable, file: Path, column: str) -> str:
    name = column.strip().upper()
    if name not in table.columns:
        other_columns = [word for column_name, word in table.columns.items() if column_name not in COLUMNS]
        closest_name = closest_match(column, other_columns)
        message = f"no column '{column}' with levels"
        expected = f"a column with levels, named by --dv (other columns: {', '.join(other_columns) or 'none'})"
        raise InputError(
            message, file=file, line=header_line(file), key=column, expected=expected, nearest=closest_name
        )
    return name


@dataclass
class _Levels:
    """Levels of one analyte in one unit: (h, level, whether before a dose of that time)."""

    unit: str
    rows: list[tuple[float, float, bool]] = field(default_factory=list)

    @property
    def samples(self) -> Samples:
        """The levels as arrays."""
        time, level, before = zip(*self.rows, strict=True)
        return Samples(np.array(time), np.array(level), np.array(before))


@dataclass
class _TableReader:
    """Reads the subjects of a data table one after the other."""

    file: Path
    table: CsvTable
    parameters: ParameterTable
    settings: TableSettings
    column: str
    result: Profiles = field(default_factory=Profiles)
    names_read: set[str] = field(default_factory=set)
    analytes: set[str] = field(default_factory=set)

    def read_subject(self, name: str, rows: list[DoseRow]) -> None:
        """Add the profiles of one ID."""
        if name in self.names_read:
            raise rows[0].error(f"ID {name} comes back", "ID", "all records of one person together")
        self.names_read.add(name)
        drug, prepared = self._prepared(rows)
        for number, occasion in enumerate(occasions_of(prepared, drug.name if drug else DEFAULT_DRUG), 1):
            doses, levels_by_analyte = list(self._doses(occasion)), self._levels(name, occasion)
            if levels_by_analyte and not doses:
                self.result.note(f"levels of ID {name} without a dose before them are left out")
                continue
            for time in {dose.time for dose in doses}:
                if len(routes := dict.fromkeys(dose.route for dose in doses if dose.time == time)) > 1:
                    routes_text = f"the doses {' and '.join(routes)} of ID {name} at one time"
                    self.result.note(f"{routes_text} count as one dose {next(iter(routes))}")
            for analyte, levels in levels_by_analyte.items():
                self._add(name, number, analyte, drug, doses, levels)

    def _add(
        self, name: str, occasion: int, analyte: str, drug: Drug | None, doses: list[GivenDose], levels: _Levels
    ) -> None:
        molar_mass = self.settings.molar_mass
        if molar_mass is None and drug is not None and drug.molar_mass:
            molar_mass = self.parameters[drug.molar_mass].value
        splits = split_by_dose(doses, levels.samples, self.settings.interval, steady_state=self.settings.steady_state)
        for dose_number, nca_dose, dose_given, time, level in splits:
            self.result.profiles.append(ConcentrationProfile(
                name, analyte, time, level, levels.unit,
                replace(nca_dose, litres=litres_per_dose(dose_given.unit, levels.unit, molar_mass)),
                dose_given.unit, dose_number, occasion, dose_given.time,
            ))  # fmt: skip
        if len(splits) < len({nca_dose.time for nca_dose in doses}):
            self.result.note(f"dosing intervals with fewer than {FEWEST} levels are left out")

    def _prepared(self, rows: list[DoseRow]) -> tuple[Drug | None, list[DoseRow]]:
        """The drug, if the model knows it, and the rows of its doses and of levels, with the stated route."""
        dose_rows = [row for row in rows if row.number("AMT") and "DRUG" in row.cells]
        drug_name = self.settings.drug or (dose_rows[0].text("DRUG") if dose_rows else "")
        other = next((row for row in dose_rows if not _same_drug(row.text("DRUG"), drug_name)), None)
        if other is not None and self.settings.drug is None:
            message = f"ID {other.text('ID', '1')} is given {drug_name} and {other.text('DRUG')}"
            raise other.error(message, "DRUG", "the drug whose levels are analysed", type_this=f"--drug {drug_name}")
        unrouted = next((row for row in rows if row.number("AMT") and not {"ROUTE", "CMT"} & set(row.cells)), None)
        if unrouted is not None and self.settings.route is None:
            message, expected = (
                "the route of the dose is not stated",
                "a column ROUTE or CMT, or one route for all doses",
            )
            raise unrouted.error(message, "ROUTE", expected, type_this="--route IV")
        if any("ROUTE" not in row.cells and row.text("CMT")[:1].isdigit() for row in rows) and not self.settings.route:
            self.result.note(f"CMT by number is {cmt_text()}; --route states another route")
        drug_entry = spellings().get(drug_name.strip().lower())
        if drug_name and drug_entry is None:
            self.result.note(f"{drug_name} is no drug of the model: its amounts and routes are taken as they stand")
        prepared = []
        for row in rows:
            if row.number("AMT") and not _same_drug(row.text("DRUG", drug_name), drug_name):
                continue
            cells = {column: text for column, text in row.cells.items() if column != "DRUG"}
            prepared.append(replace(row, cells=cells | ({"ROUTE": self.settings.route} if self.settings.route else {})))
        return drug_entry[0] if drug_entry else None, prepared

    def _doses(self, occasion: Occasion) -> Iterator[GivenDose]:
        factor = self.parameters["drug.hydrochloride_factor"].value
        for record, row in zip(occasion.records, occasion.rows, strict=True):
            if record.amount is None:
                continue
            amount, unit_text = _milligrams(record, row, factor)
            for k in range(record.addl + 1):
                yield GivenDose(
                    record.time + k * record.ii, amount, unit_text, record.route, record.duration,
                    record.ii or None, record.ss,
                )  # fmt: skip

    def _levels(self, name: str, occasion: Occasion) -> dict[str, _Levels]:
        """The levels of an occasion by analyte."""
        levels: dict[str, _Levels] = {}
        lines: dict[tuple[str, float, bool], tuple[DoseRow, float, str]] = {}
        for seen in occasion.observations:
            analyte, time = self._analyte(seen.row), seen.time - occasion.begin
            self.analytes.add(analyte)
            if self.settings.analytes and analyte not in self.settings.analytes:
                continue
            level = self._level(name, seen.row)
            if level is None:
                continue
            key = (analyte, seen.time, seen.before)
            unit_text = self._unit(seen.row)
            row, *first_values = lines.setdefault(key, (seen.row, level, unit_text))
            if row is not seen.row:
                lines_of = row.places(seen.row)
                if first_values == [level, unit_text]:
                    self.result.note(
                        f"{lines_of} have the same level of {analyte} of ID {name}; the second is left out"
                    )
                    continue
                message = f"two levels of {analyte} of ID {name} at TIME {seen.time:g} ({lines_of})"
                raise seen.row.error(message, self.column, "one level at a time; a C in a column C leaves a record out")
            levels_of_analyte = levels.setdefault(analyte, _Levels(unit_text))
            if levels_of_analyte.unit != unit_text:
                message = f"the unit of {analyte} changes from {levels_of_analyte.unit} to {unit_text}"
                raise seen.row.error(message, "DVU", "one unit for each analyte of a subject")
            levels_of_analyte.rows.append((time, level, seen.before or _is_implied(occasion, time)))
        return levels

    def _level(self, name: str, row: DoseRow) -> float | None:
        """The level of a record, 0 below the limit of quantification; None without one."""
        measurement = measurement_of(row, self.column)
        if measurement is None:
            return None
        if measurement.censored == LEFT:
            return 0.0
        message = f"{self.column} of {measurement.value:g} (ID {name}, {row.place})"
        if measurement.censored == RIGHT:
            self.result.note(f"{message} is a lower bound (CENS -1) and counts as the level")
        elif measurement.value < 0:
            self.result.note(f"{message} counts as below the limit of quantification")
        return measurement.value

    def _analyte(self, row: DoseRow) -> str:
        return analyte_of(row) or self.table.columns[self.column]

    def _unit(self, row: DoseRow) -> str:
        """The unit of the level of a record. Raises InputError without one, or where record and option differ."""
        own = unit_of(row, CONCENTRATIONS[0]) if self.column == DV else None
        used = self.settings.unit or own or self._stated_unit()
        if used is None:
            message = f"the levels in column {self.column} have no unit"
            expected = "their unit, or a column DVU"
            raise row.error(message, self.column, expected, type_this="--unit ng/mL")
        if own and _is_concentration(own) and _is_concentration(used) and not unit(own).equals(unit(used)):
            message, expected = f"the level is in {own}, --unit says {used}", f"levels in {used}, or no --unit"
            raise row.error(message, self.column, expected)
        if not _is_concentration(used):
            message = f"'{used}' is not a unit of a concentration"
            raise row.error(message, self.column, "a mass or an amount per volume", type_this="--unit ng/mL")
        return used

    def _stated_unit(self) -> str | None:
        """The unit in the header lines of a table that KetaMech wrote."""
        metadata = {} if self.file == FRAME else read_csv_metadata(self.file)
        unit_text = metadata.get(f"units {self.table.columns[self.column]}")
        return str(unit_text) if unit_text else None


def _is_concentration(text: str) -> bool:
    try:
        return any(unit(text).same_kind(unit(concentration)) for concentration in CONCENTRATIONS)
    except InputError:
        return False


def _is_implied(occasion: Occasion, time: float) -> bool:
    """Whether ADDL implies a dose at a time (h): a level at that time was taken before the dose."""
    numbers = [((time - dose.time) / dose.ii, dose.addl) for dose in occasion.records if dose.addl]
    return any(abs(k - round(k)) < SAME_TIME and 1 <= round(k) <= addl for k, addl in numbers)


def _same_drug(a: str, b: str) -> bool:
    """Whether two words name one drug."""
    first, second = (spellings().get(word.strip().lower(), (word.strip().lower(), ""))[0] for word in (a, b))
    return first == second


def _milligrams(record: DoseRecord, row: DoseRow, hydrochloride_factor: float) -> tuple[float, str]:
    """The amount of free base in mg; in mg/kg where a dose is per body weight and the weight is not known.

    Raises InputError for a dose per body surface without a weight.
    """
    assert record.amount is not None
    mass, _, body = record.unit.partition("/")
    amount = convert(record.amount, mass, "mg")
    amount *= hydrochloride_factor if record.salt == "hydrochloride" else 1.0
    if "WEIGHT" in row.cells or not body:
        return amount * (body_size(record.unit, row.number("WEIGHT")) if body else 1.0), "mg"
    if f"/{body}" != PER_KG:
        raise row.error("a dose per body surface needs a weight", "UNIT", "a column WT, or doses in mg")
    return amount, f"mg{PER_KG}"
