"""Scenarios and simulations of the subjects of a dose table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ketamech.core import InputError
from ketamech.dosing.dose_events import DoseEvent, dose_events, without_expectancy
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.engine.solve import validate_outputs
from ketamech.exchange.nonmem.csv_cells import DoseRow
from ketamech.exchange.nonmem.occasions import Occasion
from ketamech.exchange.nonmem.read import DoseTable, DoseTableSubject
from ketamech.exchange.scenario_yaml import scenario_yaml
from ketamech.parameters import ParameterTable, load_species
from ketamech.simulation.ensemble import Ensemble, Subject
from ketamech.simulation.model import Model
from ketamech.simulation.output_ranges import exists_in
from ketamech.simulation.scenario import (
    Scenario,
    assumption_about_adherence,
    assumption_about_salt,
    is_weight_based,
    validate,
)
from ketamech.simulation.simulate import species_events

STATUS = "solve_status"
DOSING = (
    "AMT", "RATE", "DUR", "II", "ADDL", "SS", "LAG", "F", "R", "D", "MISSING", "DRUG", "ROUTE", "UNIT", "SALT", "C",
)  # fmt: skip
LEADING_ZERO = re.compile(r"-?0\d")
OBSERVATION_EPSILON = 1e-9  # an observation before a dose is shifted by this fraction of its time


def scenario_of(table: DoseTable, subject: DoseTableSubject, parameters: ParameterTable) -> Scenario:
    """The scenario of a subject with one occasion. Raises InputError for a subject with several."""
    first, *others = subject.occasions
    if others:
        row = others[0].rows[0] if others[0].rows else others[0].observations[0].row
        what = f"ID {subject.name} is reset at TIME {others[0].begin:g}"
        raise row.error(what, "EVID", "a subject without resets; several occasions are solved as a table")
    if not first.is_scenario:
        assert first.start is not None
        what = f"ID {subject.name} starts at the steady state of doses that are not given again"
        raise first.start.error(what, "SS", "doses that go on (ADDL); other starts are solved as a table")
    return _scenario(table, subject, first, parameters)


def _scenario(table: DoseTable, subject: DoseTableSubject, occasion: Occasion, parameters: ParameterTable) -> Scenario:
    regimen = occasion.regimen
    horizon = _horizon(occasion, regimen)
    check_solvable(regimen, parameters, subject, occasion, horizon)
    weight = parameters["person.weight"]
    assumed = is_weight_based(regimen) and "person.weight" not in subject.values
    notes = (f"body weight {weight.value:g} {weight.unit}, none was given",) if assumed else ()
    title = table.path.stem if len(table.subjects) == 1 else f"{table.path.stem}, ID {subject.name}"
    found = Scenario(
        title, f"Doses of {table.path.name}.", regimen, subject.values, horizon, True, 1, "",
        (*table.notes, *notes, *assumption_about_salt(regimen), *assumption_about_adherence(regimen)), subject.species,
    )  # fmt: skip
    return replace(found, source=scenario_yaml(found, parameters))


def _horizon(occasion: Occasion, regimen: Regimen) -> float:
    """The last observation; the horizon of the regimen where there is none, or where doses follow it."""
    usual = min(regimen.horizon(), MAX_HORIZON_H)
    if not occasion.last_observation or any(
        start >= occasion.last_observation for t in regimen.treatments for start in t.starts(usual)
    ):
        return usual
    return max(occasion.last_observation, 1.0)


def check_solvable(
    regimen: Regimen, parameters: ParameterTable, subject: DoseTableSubject, occasion: Occasion, horizon: float
) -> None:
    """Raise InputError, at the first offending record, for an impossible regimen."""
    species = load_species(subject.species)
    try:
        validate(regimen, parameters, subject.values, horizon, species)
    except InputError as problem:
        for n, row in enumerate(occasion.rows, 1):
            try:
                validate(Regimen(regimen.treatments[:n]), parameters, subject.values, horizon, species)
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
    values = subject.values
    gap = values.get("expectancy.visit_gap", parameters["expectancy.visit_gap"].canonical)
    rhythms, constant, length = occasion.cycle(gap)
    if not length:
        return (), 0.0
    assert occasion.start is not None
    try:
        repeated = species_events(subject.species, dose_events(rhythms, parameters, values, length))
        running = without_expectancy(dose_events(constant, parameters, values, length))
    except InputError as problem:
        raise occasion.start.with_location(problem) from None
    return (*repeated, *running), length


def solve_table(table: DoseTable, model: Model, outputs: Sequence[str]) -> pd.DataFrame:
    """The outputs at each observation, one row per observation record (EVID 0, 2 or 3).

    Columns: ID, TIME, the other columns of the table except those of doses (DV, EVID, MDV, covariates ...), the outputs
    in their own units, and the status of each solve. Rows in the order of the table; outputs of a failed subject are
    NaN. Raises InputError for a table without observations.
    """
    names = validate_outputs(model.kernel, tuple(outputs))
    stays = observed_occasions(table)
    values, reasons = solve_occasions(stays, model, names, _pad([_observation_times(stay) for _, stay in stays]))
    seen = [(i, k, look) for i, (_, stay) in enumerate(stays) for k, look in enumerate(stay.observations)]
    found: dict[str, Any] = {
        "ID": [stays[i][0].name for i, _, _ in seen],
        "TIME": [look.time for _, _, look in seen],
        **_carried_columns(table, [look.row for _, _, look in seen], {*names, STATUS}),
        **{name: [values[i, k, n] for i, k, _ in seen] for n, name in enumerate(names)},
        STATUS: [reasons[i] for i, _, _ in seen],
    }
    return pd.DataFrame(found)


def observed_occasions(table: DoseTable) -> list[tuple[DoseTableSubject, Occasion]]:
    """Every occasion with an observation. Raises InputError where there is none."""
    stays = [(s, o) for s in table.subjects for o in s.occasions if o.observations]
    if not stays:
        what = "the table has no observation record"
        raise InputError(what, file=table.path, key="EVID", expected="records with EVID 0 for times to compute")
    return stays


def solve_occasions(
    stays: Sequence[tuple[DoseTableSubject, Occasion]], model: Model, names: tuple[str, ...], times: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Outputs [occasion, time, output] at `times` [occasion, time] (h from the begin), and the status of each solve.

    Outputs that exist for humans only are NaN for animals.
    """
    courses = [_subject(subject, stay, model) for subject, stay in stays]
    found = Ensemble.of_subjects(model, courses).solve(times, names)
    values = found.values.copy()
    for i, (subject, _) in enumerate(stays):
        values[i, :, [not exists_in(subject.species, name) for name in names]] = np.nan
    return values, [str(reason) for reason in found.reasons]


def _carried_columns(table: DoseTable, rows: Sequence[DoseRow], taken: set[str]) -> dict[str, pd.Series]:
    """Columns of the table that do not describe doses, as named in the file."""
    kept = {n: w for n, w in table.columns.items() if n not in (*DOSING, "ID", "TIME") and w not in taken}
    return {written: _column([row.cells.get(name) for row in rows]) for name, written in kept.items()}


def _column(words: Sequence[str | None]) -> pd.Series:
    """Numeric where all cells are numbers; codes with leading zeros and text are unchanged."""
    column = pd.Series(list(words), dtype=object)
    if any(LEADING_ZERO.match(word) for word in words if word):
        return column
    try:
        return pd.to_numeric(column)
    except ValueError:
        return column


def _subject(subject: DoseTableSubject, stay: Occasion, model: Model) -> Subject:
    regimen, parameters = stay.regimen, model.parameters
    check_solvable(regimen, parameters, subject, stay, MAX_HORIZON_H)
    repeated, length = _cycle(subject, stay, parameters)
    wait = pre_dose_delay(stay)
    horizon = (stay.last_observation or 0.0) + 1e-6
    entering = species_events(subject.species, dose_events(regimen, parameters, subject.values, horizon))
    given = tuple(replace(entry, time=entry.time + wait) for entry in entering)
    return Subject(subject.name, given, subject.values, repeated, length)


def _observation_times(stay: Occasion) -> list[float]:
    """Observation times (h from the begin), slightly earlier for an observation before a dose of the same time."""
    starts = {start for t in stay.regimen.treatments for start in t.starts(MAX_HORIZON_H)}
    hours = [seen.time - stay.begin for seen in stay.observations]
    at_dose = [any(abs(hour - start) < OBSERVATION_EPSILON for start in starts) for hour in hours]
    early = [seen.before and dosed for seen, dosed in zip(stay.observations, at_dose, strict=True)]
    wait = pre_dose_delay(stay)
    return [h * (1 - OBSERVATION_EPSILON) if sooner else h + wait for h, sooner in zip(hours, early, strict=True)]


def pre_dose_delay(stay: Occasion) -> float:
    """The delay of all doses (h) that allows an observation before a dose at the begin."""
    return OBSERVATION_EPSILON if any(seen.before and seen.time == stay.begin for seen in stay.observations) else 0.0


def _pad(moments: list[list[float]]) -> np.ndarray:
    longest = max(map(len, moments))
    return np.array([[*own, *([own[-1]] * (longest - len(own)))] for own in moments])
