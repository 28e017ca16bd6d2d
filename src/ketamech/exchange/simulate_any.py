"""Simulation of a sentence, a scenario, a regimen or a table of dose records, and the scenarios of such a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core import InputError, SolverError
from ketamech.dosing.dose_events import (
    AdherenceFunction,
    DoseEvent,
    Quantity,
    dose_events,
    is_expectancy,
    without_expectancy,
)
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.engine.solve import validate_outputs
from ketamech.exchange.nonmem.csv_cells import DoseRow
from ketamech.exchange.nonmem.occasions import Observation, Occasion
from ketamech.exchange.nonmem.read import DoseTable, DoseTableSubject, read_doses
from ketamech.exchange.scenario_yaml import scenario_yaml
from ketamech.parameters import HUMAN, ParameterTable, load_species
from ketamech.parameters.concentration_units import shown
from ketamech.parameters.species_tables import own_values
from ketamech.simulation.ensemble import Ensemble, Subject, Trajectories
from ketamech.simulation.load_scenario import Settings, is_table
from ketamech.simulation.model import Model, load_model
from ketamech.simulation.output_ranges import exists_in, group_of, require_outputs
from ketamech.simulation.scenario import (
    Scenario,
    assumptions,
    is_weight_based,
    validate,
)
from ketamech.simulation.simulate import as_scenario, species_events
from ketamech.simulation.simulate import simulate as simulate_scenario

if TYPE_CHECKING:
    from ketamech.population.virtual_population import VirtualPatients

STATUS, LINE = "solve_status", "LINE"
BAND = (5, 50, 95)  # percentiles over replicates
DOSING = (
    "AMT", "RATE", "DUR", "II", "ADDL", "SS", "LAG", "F", "R", "D", "MISSING", "DRUG", "ROUTE", "UNIT", "SALT", "C",
)  # fmt: skip
LEADING_ZERO = re.compile(r"-?0\d")
OBSERVATION_EPSILON = 1e-9  # an observation before a dose is shifted by this fraction of its time


def scenario_of(table: DoseTable, subject: DoseTableSubject, parameters: ParameterTable) -> Scenario:
    """The scenario of a subject with one occasion. Raises InputError for a subject with several."""
    occasion, *later_occasions = subject.occasions
    if later_occasions:
        row = later_occasions[0].rows[0] if later_occasions[0].rows else later_occasions[0].observations[0].row
        message = f"ID {subject.name} is reset at TIME {later_occasions[0].begin:g}"
        raise row.error(message, "EVID", "a subject without resets; several occasions are solved as a table")
    if occasion.changes:
        message = f"covariates of ID {subject.name} change with time"
        expected = "constant covariates; those that change are solved as a table, with observation records"
        raise occasion.every[0].row.error(message, "ID", expected)
    if not occasion.is_scenario:
        assert occasion.start is not None
        message = f"ID {subject.name} starts at the steady state of doses that are not given again"
        raise occasion.start.error(message, "SS", "doses that go on (ADDL); other starts are solved as a table")
    regimen = occasion.regimen
    horizon = _horizon(occasion, regimen)
    check_solvable(regimen, parameters, subject, occasion, horizon)
    weight = parameters["person.weight"]
    is_assumed = is_weight_based(regimen) and "person.weight" not in subject.values
    notes: tuple[str, ...] = (f"body weight {weight.value:g} {weight.unit}, none was given",) if is_assumed else ()
    overrides = own_values(subject.values, subject.species)
    notes += assumptions(regimen, horizon, parameters, subject.values, overrides, subject.species)
    title = table.path.stem if len(table.subjects) == 1 else f"{table.path.stem}, ID {subject.name}"
    scenario = Scenario(
        title, f"Doses of {table.path.name}.", regimen, subject.values, horizon, True, 1, "",
        (*table.notes, *notes), subject.species,
    )  # fmt: skip
    return replace(scenario, source=scenario_yaml(scenario, parameters))


def _horizon(occasion: Occasion, regimen: Regimen) -> float:
    """The last observation; the horizon of the regimen where there is none, or where doses follow it."""
    default, last = min(regimen.horizon(), MAX_HORIZON_H), occasion.last_observation
    if not last or any(start >= last for t in regimen.treatments for start in t.starts(default)):
        return default
    return max(last, 1.0)


def check_solvable(
    regimen: Regimen, parameters: ParameterTable, subject: DoseTableSubject, occasion: Occasion, horizon: float
) -> None:
    """Raise InputError, at the first offending record, for an impossible regimen."""
    species = load_species(subject.species)
    try:
        validate(regimen, parameters, subject.values_in(occasion), horizon, species)
    except InputError as problem:
        for n, row in enumerate(occasion.rows, 1):
            try:
                validate(Regimen(regimen.treatments[:n]), parameters, subject.values_in(occasion), horizon, species)
            except InputError:
                raise row.with_location(problem) from None
        raise
    _cycle(subject, occasion, parameters)


def _cycle(
    subject: DoseTableSubject, occasion: Occasion, parameters: ParameterTable
) -> tuple[tuple[DoseEvent, ...], float]:
    """The dose events of one cycle of the steady state, and its length (h; 0 for a start at baseline).

    A constant infusion has no visits. Raises InputError at the first record of the occasion.
    """
    values = subject.values_in(occasion)
    gap = values.get("expectancy.visit_gap", parameters["expectancy.visit_gap"].canonical)
    frequencies, constant, length = occasion.cycle(gap)
    if not length:
        return (), 0.0
    assert occasion.start is not None
    try:
        cycle_events = species_events(subject.species, dose_events(frequencies, parameters, values, length))
        infusion_events = without_expectancy(dose_events(constant, parameters, values, length))
    except InputError as problem:
        raise occasion.start.with_location(problem) from None
    return (*cycle_events, *infusion_events), length


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
    names = validate_outputs(model.kernel, tuple(outputs))
    selected = [(s, o) for s in table.subjects for o in s.occasions] if every_record else observed_occasions(table)
    occasions = _replicated(table, selected, model, replicates) if replicates else selected
    records_by_occasion = [occasion.every if every_record else occasion.observations for _, occasion in occasions]
    hours = [observation_times(o, records) for (_, o), records in zip(occasions, records_by_occasion, strict=True)]
    counts = [len(times) for times in hours]
    longest = max(counts)
    solved = _solve(occasions, model, names, np.array([np.pad(t, (0, longest - len(t)), "edge") for t in hours]))
    records = [record for records in records_by_occasion for record in records]
    index, slot = np.repeat(np.arange(len(counts)), counts), np.concatenate([np.arange(count) for count in counts])
    values = solved.values[index, slot]
    values[[record.time < occasions[i][1].begin for i, record in zip(index, records, strict=True)]] = np.nan
    numbered: dict[str, Any] = {"REP": index // len(selected) + 1} if replicates else {}
    columns: dict[str, Any] = {
        **numbered,
        "ID": [occasions[i][0].name for i in index],
        "TIME": [record.time for record in records],
        **_carried_columns(table, [record.row for record in records], {*names, *numbered, STATUS, LINE}, every_record),
        **{name: values[:, n] for n, name in enumerate(names)},
        STATUS: solved.reasons[index],
        LINE: [record.row.line for record in records],
    }
    return pd.DataFrame(columns)


def _replicated(
    table: DoseTable, occasions: Sequence[tuple[DoseTableSubject, Occasion]], model: Model, replicates: Replicates
) -> list[tuple[DoseTableSubject, Occasion]]:
    """The occasions of every replicate, one replicate after the other; the values of the table replace drawn ones."""
    from ketamech.population.cohort import adherence, drawn_values

    def doses_taken(occasion: Occasion, replicate: int) -> AdherenceFunction:
        patient, dosing_end = index[id(occasion)], _dosing_end(occasion)
        adherence_values = adherence(occasion.regimen, dosing_end, replicates.seed, [patient], replicate)
        return lambda i, k: float(adherence_values[i, k][0]) if (i, k) in adherence_values else 1.0

    replicated = []
    index = {id(occasion): n for n, occasion in enumerate(o for subject in table.subjects for o in subject.occasions)}
    for number in range(1, replicates.count + 1):
        patient_ids = range(len(table.subjects))
        drawn = drawn_values(
            model, model.parameters, replicates.seed, patient_ids, replicate=number, vary=replicates.vary
        )  # fmt: skip
        subjects = {
            subject.name: replace(
                subject, values={**{name: float(values[i]) for name, values in drawn.items()}, **subject.values}
            )
            for i, subject in enumerate(table.subjects)
        }
        for subject, occasion in occasions:
            replicated.append((subjects[subject.name], replace(occasion, adherence=doses_taken(occasion, number))))
    return replicated


def _dosing_end(occasion: Occasion) -> float:
    """Time (h from the begin) before which doses are given: just after the last record."""
    return max((record.time - occasion.begin for record in occasion.every), default=0.0) + 1e-6


def bands_of(records: pd.DataFrame, outputs: Sequence[str]) -> pd.DataFrame:
    """Percentiles over replicates (BAND) of each output at each record: LINE, ID, TIME, "OUTPUT p5" ..."""
    groups = records.groupby(LINE, sort=False)
    table = groups[["ID", "TIME"]].first().reset_index()
    for name in outputs:
        for percentile in BAND:
            table[f"{name} p{percentile}"] = groups[name].quantile(percentile / 100).to_numpy()
    return table


def observed_occasions(table: DoseTable) -> list[tuple[DoseTableSubject, Occasion]]:
    """Every occasion with an observation. Raises InputError where there is none."""
    occasions = [(s, o) for s in table.subjects for o in s.occasions if o.observations]
    if not occasions:
        message = "the table has no observation record"
        raise InputError(message, file=table.path, key="EVID", expected="records with EVID 0 for times to compute")
    return occasions


def _solve(
    occasions: Sequence[tuple[DoseTableSubject, Occasion]], model: Model, names: tuple[str, ...], times: np.ndarray
) -> Trajectories:
    """Outputs of each occasion at `times` [occasion, time] (h from the begin); NaN for ratings of animals."""
    solver_subjects = [checked_subject_of(subject, occasion, model) for subject, occasion in occasions]
    trajectories = Ensemble.of_subjects(model, solver_subjects).solve(times, names)
    values = trajectories.values.copy()
    for i, (subject, occasion) in enumerate(occasions):
        values[
            i, :, [not exists_in(group_of(subject.species, subject.values_in(occasion)), name) for name in names]
        ] = np.nan
    return replace(trajectories, values=values)


def _carried_columns(
    table: DoseTable, rows: Sequence[DoseRow], reserved: set[str], with_doses: bool
) -> dict[str, pd.Series]:
    """Columns of the table as named in the file, those that describe doses only `with_doses`."""
    left_out = {"ID", "TIME", "C", *(() if with_doses else DOSING)}
    carried_names = {
        name: header for name, header in table.columns.items() if name not in left_out and header not in reserved
    }
    return {written: _column([row.cells.get(name) for row in rows]) for name, written in carried_names.items()}


def _column(cells: Sequence[str | None]) -> pd.Series:
    """Numeric where all cells are numbers; codes with leading zeros and text are unchanged."""
    column = pd.Series(list(cells), dtype=object)
    with suppress(ValueError):
        if not any(LEADING_ZERO.match(cell) for cell in cells if cell):
            return pd.to_numeric(column)
    return column


def checked_subject_of(subject: DoseTableSubject, occasion: Occasion, model: Model) -> Subject:
    """One occasion as a patient to be solved. Raises InputError, at the offending record, for an impossible regimen."""
    check_solvable(occasion.regimen, model.parameters, subject, occasion, MAX_HORIZON_H)
    return subject_of(subject, occasion, model)


def subject_of(subject: DoseTableSubject, occasion: Occasion, model: Model) -> Subject:
    """As `checked_subject_of` without the checks; dose events are arrays [copy] where parameter values are."""
    regimen, parameters, values = occasion.regimen, model.parameters, subject.values_in(occasion)
    cycle_events, length = _cycle(subject, occasion, parameters)
    delay = pre_dose_delay(occasion)
    events = _dose_events(regimen, parameters, values, occasion)
    species_dose_events = species_events(subject.species, events)
    delayed = tuple(replace(entry, time=entry.time + delay) for entry in species_dose_events)
    changes = tuple((hour + delay, changed_values) for hour, changed_values in occasion.changes)
    return Subject(subject.name, delayed, values, cycle_events, length, changes)


def _dose_events(
    regimen: Regimen, parameters: ParameterTable, values: Mapping[str, Any], occasion: Occasion
) -> tuple[DoseEvent, ...]:  # fmt: skip
    """Dose events of an occasion; a dose depends on the covariates at its start."""
    horizon, adherence = _dosing_end(occasion), occasion.adherence
    all_events = dose_events(regimen, parameters, values, horizon, adherence)
    if not occasion.changes:
        return all_events
    starts = [treatment.starts(horizon) for treatment in regimen.treatments]
    change_times = [-np.inf, *(hour for hour, _ in occasion.changes), np.inf]
    events = [event for event in all_events if is_expectancy(event)]
    current_values = dict(values)
    for number, (begin, end) in enumerate(pairwise(change_times)):
        current_values |= occasion.changes[number - 1][1] if number else {}

        def share(i: int, k: int, begin: float = begin, end: float = end) -> Quantity:
            is_within = begin <= starts[i][k] < end
            return (adherence(i, k) if adherence else 1.0) if is_within else 0.0

        events += without_expectancy(dose_events(regimen, parameters, current_values, horizon, share))
    return tuple(sorted(events, key=lambda event: float(np.min(event.time))))


def observation_times(occasion: Occasion, observations: Sequence[Observation] | None = None) -> list[float]:
    """Times of some records (h from the begin; default: its observations), slightly earlier for one before a dose of
    the same time."""
    starts = {start for t in occasion.regimen.treatments for start in t.starts(MAX_HORIZON_H)}
    observations = occasion.observations if observations is None else observations
    hours = [max(0.0, observation.time - occasion.begin) for observation in observations]
    at_dose = [any(abs(hour - start) < OBSERVATION_EPSILON for start in starts) for hour in hours]
    is_early = [observation.before and dosed for observation, dosed in zip(observations, at_dose, strict=True)]
    delay = pre_dose_delay(occasion)
    return [h * (1 - OBSERVATION_EPSILON) if early else h + delay for h, early in zip(hours, is_early, strict=True)]


def pre_dose_delay(occasion: Occasion) -> float:
    """The delay of all doses (h) that allows an observation before a dose at the begin."""
    return (
        OBSERVATION_EPSILON
        if any(observation.before and observation.time == occasion.begin for observation in occasion.observations)
        else 0.0
    )


OUTPUTS = ("mood.madrs", "dissociation.cadss", "venous.ketamine", "venous.norketamine", "venous.esketamine")
MAX_VALUES = 200_000_000  # in one Dataset, 8 bytes each


def simulate(
    scenario: Scenario | Regimen | str | Path,
    people: VirtualPatients | None = None,
    *,
    model: Model | None = None,
    announce: Callable[[str], None] | None = None,
    species: str | None = None,
    perturb: Sequence[str] = (),
    variant: str | None = None,
    drug: str | None = None,
    outputs: Sequence[str] | None = None,
    times: Sequence[float] | None = None,
    person: Settings | None = None,
    parameters: Settings | None = None,
) -> xr.Dataset:
    """Simulate a scenario (sentence, YAML file, Regimen, Scenario) or a table of dose records.

    `people`: virtual patients, as `Population.sample` draws them, in place of the typical patient. `species`,
    `perturb` ("NBQX 10 mg/kg IP at -30 min") and the model `variant` are added to a sentence or a file. `outputs`:
    names such as "mood.madrs" (default: every state and output of a scenario; of people and tables, ratings and venous
    concentrations). `person` and `parameters` as in `load_scenario`.
    `times` (h, rising) replace the usual output times of a scenario. `drug` is given where a table has
    no column DRUG. `announce` receives one line before each slow step.

    Returns a Dataset with dims (patient, time): time in h, and on every variable `units` and `long_name`. Patients are

    - of a scenario: 'treated' and, unless switched off, 'control' (same expectancy, no drug);
    - of a scenario with `people`: their numbers;
    - of a table (.csv and the like, columns as in NONMEM): each occasion of each ID, at every observation TIME, after
      the doses of that time; NaN outside the first to last TIME of that ID. Coordinates `ID` and `occasion`. A single
      ID without observations is simulated as a scenario. `simulate_records` returns records instead.

    A patient that could not be solved is NaN, with the reason in the coordinate `solve_status`. Raises InputError for
    input that cannot be read or simulated, UnknownNameError for an output that does not exist, SolverError if no
    patient could be solved.
    """
    loaded_model = model or load_model(announce=announce)
    if isinstance(scenario, str | Path) and is_table(scenario):
        unsupported: dict[str, Any] = {"people": people, "species": species, "perturb": perturb, "variant": variant}
        unsupported |= {"times": times, "person": person, "parameters": parameters}
        for key, argument in unsupported.items():
            if argument is not None and len(argument):
                expected = "a column SPECIES" if key == "species" else "a sentence or a scenario file"
                raise InputError(f"{key} is not for a table of doses", key=key, expected=expected)
        table = read_doses(scenario, loaded_model.parameters, drug=drug)
        if len(table.subjects) > 1 or any(occasion.observations for occasion in table.subjects[0].occasions):
            return curves_of(table, loaded_model, OUTPUTS if outputs is None else outputs)
        scenario = scenario_of(table, table.subjects[0], loaded_model.parameters)
    elif drug is not None:
        raise InputError("drug is for a table of doses", key="drug", expected="a file such as doses.csv")
    prepared_scenario = as_scenario(scenario, loaded_model, species, perturb, variant, times, person, parameters)
    if people is not None:
        from ketamech.population.cohort import simulate_sample

        names = [name for name in OUTPUTS if exists_in(prepared_scenario.group, name)] if outputs is None else outputs
        return simulate_sample(loaded_model, people, prepared_scenario, names, times=times)
    return select_outputs(simulate_scenario(prepared_scenario, model=loaded_model, times=times), loaded_model, outputs)


def select_outputs(curves: xr.Dataset, model: Model, outputs: Sequence[str] | None) -> xr.Dataset:
    """The variables of these outputs; all for None. Raises UnknownNameError, InputError for a rating of an animal."""
    if outputs is None:
        return curves
    names = validate_outputs(model.kernel, tuple(outputs))
    require_outputs(str(curves.attrs.get("group", HUMAN)), names)
    return curves[list(names)]


def simulate_records(
    source: str | Path, *, model: Model | None = None, drug: str | None = None, outputs: Sequence[str] = OUTPUTS,
    replicates: Replicates | int | None = None, every_record: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """A table of dose records with the outputs of each ID at each observation record; see `solve_table`."""
    loaded_model = model or load_model()
    replicate_settings = Replicates(replicates) if isinstance(replicates, int) else replicates
    table = read_doses(source, loaded_model.parameters, drug=drug)
    return solve_table(table, loaded_model, outputs, replicates=replicate_settings, every_record=every_record)


def curves_of(table: DoseTable, model: Model, outputs: Sequence[str]) -> xr.Dataset:
    """Outputs of every occasion at every TIME of the table, dims (patient, time); see `simulate`.

    Raises InputError for a table without observations, or with too many times for one Dataset.
    """
    names = validate_outputs(model.kernel, tuple(outputs))
    occasions = observed_occasions(table)
    times_by_occasion = [[observation.time for observation in occasion.observations] for _, occasion in occasions]
    hours = np.unique(np.concatenate(times_by_occasion))
    if len(occasions) * len(hours) * len(names) > MAX_VALUES:
        message = f"{len(occasions):,} occasions at {len(hours):,} times"
        raise InputError(
            message, file=table.path, expected="fewer outputs or times, or simulate_records: a row a record"
        )
    begin = np.array([[occasion.begin] for _, occasion in occasions])
    first, last = (np.array([[extreme(times)] for times in times_by_occasion]) for extreme in (min, max))
    solver_times = np.clip(hours - begin, 0.0, last - begin) + np.array(
        [[pre_dose_delay(occasion)] for _, occasion in occasions]
    )
    solved = _solve(occasions, model, names, solver_times)
    if all(reason != "ok" for reason in solved.reasons):
        raise SolverError(f"the table could not be solved: {solved.reasons[0]}")
    values = solved.values.copy()
    values[(hours < first) | (hours > last)] = np.nan
    labels, occasion_numbers = [], []
    for subject in table.subjects:
        for number, occasion in enumerate(subject.occasions, 1):
            if occasion.observations:
                has_several = len(subject.occasions) > 1
                labels.append(f"{subject.name}, occasion {number}" if has_several else subject.name)
                occasion_numbers.append(number)
    dataset = replace(solved, times=hours, values=values).dataset(labels)
    dataset["time"].attrs["long_name"] = "TIME of the table"
    names_of_subjects = [subject.name for subject, _ in occasions]
    return (
        dataset.drop_vars(["solve_steps", "output", "baseline"], errors="ignore")
        .assign_coords(ID=("patient", names_of_subjects), occasion=("patient", occasion_numbers))
        .assign_attrs(title=table.path.stem, assumed="; ".join(table.notes))
    )


def shown_records(records: pd.DataFrame, model: Model) -> tuple[pd.DataFrame, dict[str, str]]:
    """Records with concentrations in ng/mL, and the unit of every column that has one."""
    units = {"TIME": "h"}
    converted = records.copy()
    for name in (column for column in records.columns if column in model.layout.units):
        factor, units[name] = shown(name, model.layout.units[name])
        converted[name] *= factor
    return converted, units
