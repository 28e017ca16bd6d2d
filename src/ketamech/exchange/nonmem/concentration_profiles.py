"""Reads doses and measured levels (DV) of a data table into concentration profiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from ketamech.core import InputError, closest_match, convert, unit
from ketamech.core.atomic_files import read_text
from ketamech.dosing.dose_events import body_size
from ketamech.dosing.dose_records import DoseRecord, cmt_text, route_of
from ketamech.dosing.drugs import Drug, spellings
from ketamech.exchange.nca_profiles import FEWEST, SAME_TIME, GivenDose, Profiles, Samples, split_by_dose
from ketamech.exchange.nonmem.csv_cells import COLUMNS, CsvTable, DoseRow, cells_of
from ketamech.exchange.nonmem.measurements import DV, LEFT, RIGHT, analyte_of, measurement_of, unit_of
from ketamech.exchange.nonmem.occasions import Occasion, occasions_of
from ketamech.exchange.nonmem.read import suspicions
from ketamech.exchange.result_metadata import read_csv_metadata
from ketamech.parameters import ParameterTable
from ketamech.simulation.nca_tables import PER_KG, ConcentrationProfile, litres_per_dose

CONCENTRATIONS = ("ng/mL", "umol/L")
DEFAULT_DRUG = "racemic ketamine"  # all routes; for tables whose drug the model does not know


@dataclass(frozen=True)
class TableSettings:
    """How a data table is read: the `unit` of the levels and their `column`, a `route` and a `drug` for all doses.

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


def profiles_of_table(path: Path | str, parameters: ParameterTable, settings: TableSettings | None = None) -> Profiles:
    """A profile for each ID, occasion, analyte (DVID) and dose of a table with columns ID, TIME, AMT, DV ...

    Negative levels and censored ones (CENS 1, BLQ 1, "BLQ", "<0.5") count as below the limit of quantification. Records
    with MDV 1 are left out. Raises InputError with file, line and column: no unit, two levels at one time, text that is
    no number.
    """
    place, chosen = Path(path), settings or TableSettings()
    table = cells_of(read_text(place, "a data table"), place)
    _check_route(chosen.route)
    reader = _TableReader(place, table, parameters, chosen, _level_column(table, place, chosen.column))
    used = (*COLUMNS, reader.column, "WEIGHT")
    for text in suspicions(table, used, parameters):
        reader.found.note(text)
    for name, rows in groupby(table.rows, key=lambda row: row.text("ID", "1")):
        reader.read_subject(name, list(rows))
    for wanted in chosen.analytes:
        if wanted not in reader.analytes:
            known = sorted(reader.analytes)
            what, near = f"there is no analyte '{wanted}'", closest_match(wanted, known)
            raise InputError(what, file=place, key="--analytes", expected=", ".join(known), nearest=near)
    if not reader.found.profiles:
        what = f"no subject has a dose and a level in column {chosen.column}"
        raise InputError(what, file=place, key=chosen.column, expected="records of doses (AMT) and levels (DV, MDV 0)")
    return reader.found


def _check_route(name: str | None) -> None:
    """Raise InputError for a stated route that does not exist."""
    if name is None:
        return
    try:
        route_of(name)
    except InputError as problem:
        what, expected = f"there is no route '{name}'", "IV, oral, nasal, IM, SC, sublingual, IP, rectal ..."
        raise InputError(what, key="--route", expected=expected, nearest=problem.nearest) from None


def _level_column(table: CsvTable, place: Path, column: str) -> str:
    name = column.strip().upper()
    if name not in table.columns:
        others = [word for known, word in table.columns.items() if known not in COLUMNS]
        near = closest_match(column, others)
        what = f"no column '{column}' with levels"
        expected = f"a column with levels, named by --dv (other columns: {', '.join(others) or 'none'})"
        raise InputError(what, file=place, line=1, key=column, expected=expected, nearest=near)
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

    place: Path
    table: CsvTable
    parameters: ParameterTable
    settings: TableSettings
    column: str
    found: Profiles = field(default_factory=Profiles)
    seen: set[str] = field(default_factory=set)
    analytes: set[str] = field(default_factory=set)

    def read_subject(self, name: str, rows: list[DoseRow]) -> None:
        """Add the profiles of one ID."""
        if name in self.seen:
            raise rows[0].error(f"ID {name} comes back", "ID", "all records of one person together")
        self.seen.add(name)
        drug, prepared = self._prepared(rows)
        for number, occasion in enumerate(occasions_of(prepared, drug.name if drug else DEFAULT_DRUG), 1):
            doses, found = list(self._doses(occasion)), self._levels(name, occasion)
            if found and not doses:
                self.found.note(f"levels of ID {name} without a dose before them are left out")
                continue
            for time in {dose.time for dose in doses}:
                if len(routes := dict.fromkeys(dose.route for dose in doses if dose.time == time)) > 1:
                    both = f"the doses {' and '.join(routes)} of ID {name} at one time"
                    self.found.note(f"{both} count as one dose {next(iter(routes))}")
            for analyte, levels in found.items():
                self._add(name, number, analyte, drug, doses, levels)

    def _add(
        self, name: str, occasion: int, analyte: str, drug: Drug | None, doses: list[GivenDose], levels: _Levels
    ) -> None:
        molar_mass = self.settings.molar_mass
        if molar_mass is None and drug is not None and drug.molar_mass:
            molar_mass = self.parameters[drug.molar_mass].value
        made = split_by_dose(doses, levels.samples, self.settings.interval, steady_state=self.settings.steady_state)
        for number, dose, given, time, level in made:
            self.found.profiles.append(ConcentrationProfile(
                name, analyte, time, level, levels.unit,
                replace(dose, litres=litres_per_dose(given.unit, levels.unit, molar_mass)),
                given.unit, number, occasion, given.time,
            ))  # fmt: skip
        if len(made) < len({dose.time for dose in doses}):
            self.found.note(f"dosing intervals with fewer than {FEWEST} levels are left out")

    def _prepared(self, rows: list[DoseRow]) -> tuple[Drug | None, list[DoseRow]]:
        """The drug, if the model knows it, and the rows of its doses and of levels, with the stated route."""
        dosed = [row for row in rows if row.number("AMT") and "DRUG" in row.cells]
        named = self.settings.drug or (dosed[0].text("DRUG") if dosed else "")
        other = next((row for row in dosed if not _same_drug(row.text("DRUG"), named)), None)
        if other is not None and self.settings.drug is None:
            what = f"ID {other.text('ID', '1')} is given {named} and {other.text('DRUG')}"
            raise other.error(what, "DRUG", "the drug whose levels are analysed", type_this=f"--drug {named}")
        unrouted = next((row for row in rows if row.number("AMT") and not {"ROUTE", "CMT"} & set(row.cells)), None)
        if unrouted is not None and self.settings.route is None:
            what, expected = "the route of the dose is not stated", "a column ROUTE or CMT, or one route for all doses"
            raise unrouted.error(what, "ROUTE", expected, type_this="--route IV")
        if any("ROUTE" not in row.cells and row.text("CMT")[:1].isdigit() for row in rows) and not self.settings.route:
            self.found.note(f"CMT by number is {cmt_text()}; --route states another route")
        known = spellings().get(named.strip().lower())
        if named and known is None:
            self.found.note(f"{named} is no drug of the model: its amounts and routes are taken as they stand")
        changed = []
        for row in rows:
            if row.number("AMT") and not _same_drug(row.text("DRUG", named), named):
                continue
            cells = {column: text for column, text in row.cells.items() if column != "DRUG"}
            changed.append(replace(row, cells=cells | ({"ROUTE": self.settings.route} if self.settings.route else {})))
        return known[0] if known else None, changed

    def _doses(self, occasion: Occasion) -> Iterator[GivenDose]:
        factor = self.parameters["drug.hydrochloride_factor"].value
        for record, row in zip(occasion.records, occasion.rows, strict=True):
            if record.amount is None:
                continue
            amount, printed = _milligrams(record, row, factor)
            for k in range(record.addl + 1):
                yield GivenDose(
                    record.time + k * record.ii, amount, printed, record.route, record.duration,
                    record.ii or None, record.ss,
                )  # fmt: skip

    def _levels(self, name: str, occasion: Occasion) -> dict[str, _Levels]:
        """The levels of an occasion by analyte."""
        found: dict[str, _Levels] = {}
        lines: dict[tuple[str, float, bool], tuple[DoseRow, float, str]] = {}
        for one in occasion.observations:
            analyte, time = self._analyte(one.row), one.time - occasion.begin
            self.analytes.add(analyte)
            if self.settings.analytes and analyte not in self.settings.analytes:
                continue
            level = self._level(name, one.row)
            if level is None:
                continue
            key = (analyte, one.time, one.before)
            printed = self._unit(one.row)
            row, *before = lines.setdefault(key, (one.row, level, printed))
            if row is not one.row:
                both = f"lines {row.line} and {one.row.line}"
                if before == [level, printed]:
                    self.found.note(f"{both} have the same level of {analyte} of ID {name}; the second is left out")
                    continue
                what = f"two levels of {analyte} of ID {name} at TIME {one.time:g} ({both})"
                raise one.row.error(what, self.column, "one level at a time; a C in a column C leaves a record out")
            own = found.setdefault(analyte, _Levels(printed))
            if own.unit != printed:
                what = f"the unit of {analyte} changes from {own.unit} to {printed}"
                raise one.row.error(what, "DVU", "one unit for each analyte of a subject")
            own.rows.append((time, level, one.before or _is_implied(occasion, time)))
        return found

    def _level(self, name: str, row: DoseRow) -> float | None:
        """The level of a record, 0 below the limit of quantification; None without one."""
        found = measurement_of(row, self.column)
        if found is None:
            return None
        if found.censored == LEFT:
            return 0.0
        what = f"{self.column} of {found.value:g} (ID {name}, line {row.line})"
        if found.censored == RIGHT:
            self.found.note(f"{what} is a lower bound (CENS -1) and counts as the level")
        elif found.value < 0:
            self.found.note(f"{what} counts as below the limit of quantification")
        return found.value

    def _analyte(self, row: DoseRow) -> str:
        return analyte_of(row) or self.table.columns[self.column]

    def _unit(self, row: DoseRow) -> str:
        """The unit of the level of a record. Raises InputError without one, or where record and option differ."""
        own = unit_of(row, CONCENTRATIONS[0]) if self.column == DV else None
        printed = self.settings.unit or own or self._stated_unit()
        if printed is None:
            what = f"the levels in column {self.column} have no unit"
            expected = "their unit, or a column DVU"
            raise row.error(what, self.column, expected, type_this="--unit ng/mL")
        if own and _is_concentration(own) and _is_concentration(printed) and not unit(own).equals(unit(printed)):
            what, expected = f"the level is in {own}, --unit says {printed}", f"levels in {printed}, or no --unit"
            raise row.error(what, self.column, expected)
        if not _is_concentration(printed):
            what = f"'{printed}' is not a unit of a concentration"
            raise row.error(what, self.column, "a mass or an amount per volume", type_this="--unit ng/mL")
        return printed

    def _stated_unit(self) -> str | None:
        """The unit in the header lines of a table that KetaMech wrote."""
        facts = read_csv_metadata(self.place)
        found = facts.get(f"units {self.table.columns[self.column]}")
        return str(found) if found else None


def _is_concentration(text: str) -> bool:
    try:
        return any(unit(text).same_kind(unit(one)) for one in CONCENTRATIONS)
    except InputError:
        return False


def _is_implied(occasion: Occasion, time: float) -> bool:
    """Whether ADDL implies a dose at a time (h): a level at that time was taken before the dose."""
    numbers = [((time - dose.time) / dose.ii, dose.addl) for dose in occasion.records if dose.addl]
    return any(abs(k - round(k)) < SAME_TIME and 1 <= round(k) <= addl for k, addl in numbers)


def _same_drug(one: str, other: str) -> bool:
    """Whether two words name one drug."""
    first, second = (spellings().get(word.strip().lower(), (word.strip().lower(), ""))[0] for word in (one, other))
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
