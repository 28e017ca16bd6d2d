"""Simulation of a table of dose records: one row for each record, or curves of every occasion."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core import InputError, SolverError
from ketamech.core.data_frames import DataFrame
from ketamech.dosing.dose_events import AdherenceFunction
from ketamech.nonmem.csv_cells import DoseRow
from ketamech.nonmem.occasions import ObservationRecord, Occasion
from ketamech.nonmem.read import DoseTable, DoseTableSubject, read_doses
from ketamech.nonmem.subjects import (
    checked_subject_of,
    dosing_end,
    observation_times,
    pre_dose_delay,
    scenario_of,
)
from ketamech.parameters.concentration_units import shown
from ketamech.population.cohort import drawn_values
from ketamech.population.random_draws import adherence
from ketamech.simulation.ensemble import OK, Ensemble, Trajectories
from ketamech.simulation.model import Model, load_model
from ketamech.simulation.output_ranges import exists_in, group_of
from ketamech.simulation.simulate import DEFAULT_OUTPUTS, simulate_scenario

STATUS, LINE = "solve_status", "LINE"
BAND = (5, 50, 95)  # percentiles
MAX_VALUES = 200_000_000  # in one Dataset, 8 bytes each
DOSING = (
    "AMT", "RATE", "DUR", "II", "ADDL", "SS", "LAG", "F", "R", "D", "MISSING", "DRUG", "ROUTE", "UNIT", "SALT", "C",
)  # fmt: skip
LEADING_ZERO = re.compile(r"-?0\d")
TableOccasion = tuple[DoseTableSubject, Occasion]


@dataclass(frozen=True)
class Replicates:
    """Each subject solved `count` times with parameters drawn from their spreads; columns of the table stay.

    Doses are missed by chance (MISSING). `vary`: parameters or stages that vary (default: all with a spread).
    """

    count: int
    seed: int = 1
    vary: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            message = f"{self.count} replicates"
            raise InputError(message, key="replicates", expected="at least 1", type_this="--replicates 100")


@dataclass(frozen=True)
class RecordTimes:
    """The records at which outputs are computed: the index of the occasion, the record and the hour of each."""

    occasion: np.ndarray
    records: tuple[ObservationRecord, ...]
    hours: np.ndarray

    @classmethod
    def of(cls, occasions: Sequence[TableOccasion], *, every_record: bool) -> RecordTimes:
        """The observations of each occasion, or all its records."""
        chosen = [o.every if every_record else o.observations for _, o in occasions]
        hours = [observation_times(o, records) for (_, o), records in zip(occasions, chosen, strict=True)]
        index = np.repeat(np.arange(len(occasions)), [len(records) for records in chosen])
        return cls(index, tuple(one for records in chosen for one in records), np.concatenate(hours))

    def solve(
        self, occasions: Sequence[TableOccasion], model: Model, names: tuple[str, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Outputs [record, output], and the status of the solve of each record.

        A record before the begin of its occasion is NaN.
        """
        counts = np.bincount(self.occasion, minlength=len(occasions))
        place = np.concatenate([np.arange(count) for count in counts])
        times = np.empty((len(occasions), max(counts)))
        times[:] = self.hours[np.cumsum(counts) - 1][:, None]  # the last hour of each occasion, repeated
        times[self.occasion, place] = self.hours
        solved = _solve(occasions, model, names, times)
        values = solved.values[self.occasion, place]
        begin = np.array([occasion.begin for _, occasion in occasions])[self.occasion]
        values[np.array([record.time for record in self.records]) < begin] = np.nan
        return values, solved.reasons[self.occasion]


def solve_table(
    table: DoseTable, model: Model, outputs: Sequence[str], *, replicates: Replicates | None = None,
    every_record: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """The outputs at each observation, one row per observation record (EVID 0, 2 or 3), or at `every_record`.

    Columns: REP (the replicate, from 1, if there are `replicates`), ID, TIME, the other columns of the table (those of
    doses only with `every_record`), the outputs in their own units, the status of each solve, and LINE, the line of the
    record in the file. Rows in the order of the table; outputs of a failed subject are NaN. A record of
    a dose has the values after all doses of its time. Raises InputError for a table without observations.
    """
    names = model.known_outputs(outputs)
    once = [(s, o) for s in table.subjects for o in s.occasions] if every_record else observed_occasions(table)
    occasions = _replicated(table, once, model, replicates) if replicates else once
    times = RecordTimes.of(occasions, every_record=every_record)
    values, status = times.solve(occasions, model, names)
    replicate: dict[str, Any] = {"REP": times.occasion // len(once) + 1} if replicates else {}
    rows = [record.row for record in times.records]
    columns: dict[str, Any] = {
        **replicate,
        "ID": [occasions[i][0].name for i in times.occasion],
        "TIME": [record.time for record in times.records],
        **_carried_columns(table, rows, {*names, *replicate, STATUS, LINE}, every_record),
        **{name: values[:, n] for n, name in enumerate(names)},
        STATUS: status,
        LINE: [row.line for row in rows],
    }
    return pd.DataFrame(columns)


def _replicated(
    table: DoseTable, occasions: Sequence[TableOccasion], model: Model, replicates: Replicates
) -> list[TableOccasion]:
    """The occasions of every replicate, one replicate after the other; the values of the table replace drawn ones."""
    order = {id(occasion): n for n, occasion in enumerate(o for subject in table.subjects for o in subject.occasions)}

    def doses_taken(occasion: Occasion, replicate: int) -> AdherenceFunction:
        patient, end = order[id(occasion)], dosing_end(occasion)
        taken = adherence(occasion.regimen, end, replicates.seed, [patient], replicate)
        return lambda i, k: float(taken[i, k][0]) if (i, k) in taken else 1.0

    replicated = []
    for number in range(1, replicates.count + 1):
        ids = range(len(table.subjects))
        drawn = drawn_values(model, model.parameters, replicates.seed, ids, replicate=number, vary=replicates.vary)
        people = {
            subject.name: replace(
                subject, values={**{name: float(values[i]) for name, values in drawn.items()}, **subject.values}
            )
            for i, subject in enumerate(table.subjects)
        }
        for subject, occasion in occasions:
            replicated.append((people[subject.name], replace(occasion, adherence=doses_taken(occasion, number))))
    return replicated


def bands_of(records: pd.DataFrame, outputs: Sequence[str]) -> pd.DataFrame:
    """Percentiles over replicates (BAND) of each output at each record: LINE, ID, TIME, "OUTPUT p5" ..."""
    groups = records.groupby(LINE, sort=False)
    table = groups[["ID", "TIME"]].first().reset_index()
    for name in outputs:
        for share in BAND:
            table[f"{name} p{share}"] = groups[name].quantile(share / 100).to_numpy()
    return table


def observed_occasions(table: DoseTable) -> list[TableOccasion]:
    """Every occasion with an observation. Raises InputError where there is none."""
    occasions = [(s, o) for s in table.subjects for o in s.occasions if o.observations]
    if not occasions:
        message = "the table has no observation record"
        raise InputError(message, file=table.path, key="EVID", expected="records with EVID 0 for times to compute")
    return occasions


def _solve(occasions: Sequence[TableOccasion], model: Model, names: tuple[str, ...], times: np.ndarray) -> Trajectories:
    """Outputs of each occasion at `times` [occasion, time] (h from the begin); NaN for ratings of animals."""
    subjects = [checked_subject_of(subject, occasion, model) for subject, occasion in occasions]
    solved = Ensemble.of_subjects(model, subjects).solve(times, names)
    values = solved.values.copy()
    for i, (subject, occasion) in enumerate(occasions):
        values[
            i, :, [not exists_in(group_of(subject.species, subject.values_in(occasion)), name) for name in names]
        ] = np.nan
    return replace(solved, values=values)


def _carried_columns(
    table: DoseTable, rows: Sequence[DoseRow], taken: set[str], with_doses: bool
) -> dict[str, pd.Series]:
    """Columns of the table as named in the file, those that describe doses only `with_doses`."""
    left_out = {"ID", "TIME", "C", *(() if with_doses else DOSING)}
    carried = {n: w for n, w in table.columns.items() if n not in left_out and w not in taken}
    return {written: _column([row.cells.get(name) for row in rows]) for name, written in carried.items()}


def _column(words: Sequence[str | None]) -> pd.Series:
    """Numeric where all cells are numbers; codes with leading zeros and text are unchanged."""
    column = pd.Series(list(words), dtype=object)
    with suppress(ValueError):
        if not any(LEADING_ZERO.match(word) for word in words if word):
            return pd.to_numeric(column)
    return column


def simulate_records(
    source: str | Path | DataFrame, *, model: Model | None = None, drug: str | None = None,
    outputs: Sequence[str] = DEFAULT_OUTPUTS, replicates: Replicates | int | None = None, every_record: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """A table of dose records with the outputs of each ID at each observation record; see `solve_table`."""
    chosen = model or load_model()
    several = Replicates(replicates) if isinstance(replicates, int) else replicates
    table = read_doses(source, chosen.parameters, drug=drug)
    return solve_table(table, chosen, outputs, replicates=several, every_record=every_record)


def simulate_table(
    source: str | Path | DataFrame, model: Model, *, drug: str | None = None, outputs: Sequence[str] | None = None
) -> xr.Dataset:
    """Curves of dose records (a .csv file and the like, or a DataFrame; columns as in NONMEM), dims (patient, time).

    Each occasion of each ID at every observation TIME, after the doses of that time; NaN outside the first to last TIME
    of that ID; coordinates `ID` and `occasion`. A single ID without observations is simulated as a scenario. `drug` is
    given where the table has no column DRUG. Raises InputError, UnknownNameError, SolverError.
    """
    table = read_doses(source, model.parameters, drug=drug)
    if len(table.subjects) > 1 or any(occasion.observations for occasion in table.subjects[0].occasions):
        return curves_of(table, model, DEFAULT_OUTPUTS if outputs is None else outputs)
    return simulate_scenario(scenario_of(table, table.subjects[0], model.parameters), model, outputs=outputs)


def curves_of(table: DoseTable, model: Model, outputs: Sequence[str]) -> xr.Dataset:
    """Outputs of every occasion at every TIME of the table, dims (patient, time); see `simulate_table`.

    Raises InputError for a table without observations, or with too many times for one Dataset.
    """
    names = model.known_outputs(outputs)
    occasions = observed_occasions(table)
    observed = [[one.time for one in occasion.observations] for _, occasion in occasions]
    hours = np.unique(np.concatenate(observed))
    if len(occasions) * len(hours) * len(names) > MAX_VALUES:
        message = f"{len(occasions):,} occasions at {len(hours):,} times"
        raise InputError(
            message, file=table.path, expected="fewer outputs or times, or simulate_records: a row a record"
        )
    begin = np.array([[occasion.begin] for _, occasion in occasions])
    first, last = (np.array([[of(times)] for times in observed]) for of in (min, max))
    delay = np.array([[pre_dose_delay(occasion)] for _, occasion in occasions])
    solved = _solve(occasions, model, names, np.clip(hours - begin, 0.0, last - begin) + delay)
    if all(reason != OK for reason in solved.reasons):
        raise SolverError(f"the table could not be solved: {solved.reasons[0]}")
    values = solved.values.copy()
    values[(hours < first) | (hours > last)] = np.nan
    labels, numbers = [], []
    for subject in table.subjects:
        for number, occasion in enumerate(subject.occasions, 1):
            if occasion.observations:
                several = len(subject.occasions) > 1
                labels.append(f"{subject.name}, occasion {number}" if several else subject.name)
                numbers.append(number)
    curves = replace(solved, times=hours, values=values).dataset(labels)
    curves["time"].attrs["long_name"] = "TIME of the table"
    names_of_subjects = [subject.name for subject, _ in occasions]
    return (
        curves.drop_vars(["solve_steps", "output", "baseline"], errors="ignore")
        .assign_coords(ID=("patient", names_of_subjects), occasion=("patient", numbers))
        .assign_attrs(title=table.path.stem, assumed="; ".join(table.notes))
    )


def shown_records(records: pd.DataFrame, model: Model) -> tuple[pd.DataFrame, dict[str, str]]:
    """Records with concentrations in ng/mL, and the unit of every column that has one."""
    units = {"TIME": "h"}
    table = records.copy()
    for name in (column for column in records.columns if column in model.layout.units):
        factor, units[name] = shown(name, model.layout.units[name])
        table[name] *= factor
    return table, units
