"""The subjects of a dose table as patients to be solved: dose events of an occasion, its checks, its scenario."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from ketamech.core import InputError
from ketamech.dosing.dose_events import DoseEvent, Quantity, dose_events, is_expectancy, without_expectancy
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.nonmem.occasions import ObservationRecord, Occasion
from ketamech.nonmem.read import DoseTable, DoseTableSubject
from ketamech.parameters import ParameterTable, load_species
from ketamech.parameters.species_tables import own_values
from ketamech.simulation.ensemble import Subject
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario, notes_on_every_patient, notes_on_the_typical_patient, validate
from ketamech.simulation.scenario_yaml import scenario_yaml
from ketamech.simulation.simulate import species_events

OBSERVATION_EPSILON = 1e-9  # an observation before a dose is shifted by this fraction of its time


def scenario_of(table: DoseTable, subject: DoseTableSubject, parameters: ParameterTable) -> Scenario:
    """The scenario of a subject with one occasion. Raises InputError for a subject with several."""
    first, *others = subject.occasions
    if others:
        row = others[0].rows[0] if others[0].rows else others[0].observations[0].row
        message = f"ID {subject.name} is reset at TIME {others[0].begin:g}"
        raise row.error(message, "EVID", "a subject without resets; several occasions are solved as a table")
    if first.changes:
        message = f"covariates of ID {subject.name} change with time"
        expected = "constant covariates; those that change are solved as a table, with observation records"
        raise first.every[0].row.error(message, "ID", expected)
    if not first.is_scenario:
        assert first.start is not None
        message = f"ID {subject.name} starts at the steady state of doses that are not given again"
        raise first.start.error(message, "SS", "doses that go on (ADDL); other starts are solved as a table")
    regimen = first.regimen
    horizon = _horizon(first, regimen)
    check_solvable(regimen, parameters, subject, first, horizon)
    own = own_values(subject.values, subject.species)
    notes = notes_on_every_patient(regimen, horizon, parameters, subject.values, own, subject.species)
    title = table.path.stem if len(table.subjects) == 1 else f"{table.path.stem}, ID {subject.name}"
    typical = notes_on_the_typical_patient(regimen, parameters, subject.values, load_species(subject.species))
    scenario = Scenario(
        title, f"Doses of {table.path.name}.", regimen, subject.values, horizon, True, 1, "",
        (*table.notes, *notes), subject.species, typical_patient_notes=typical,
    )  # fmt: skip
    return replace(scenario, source=scenario_yaml(scenario, parameters))


def _horizon(occasion: Occasion, regimen: Regimen) -> float:
    """The last observation; the horizon of the regimen where there is none, or where doses follow it."""
    usual, last = min(regimen.horizon(), MAX_HORIZON_H), occasion.last_observation
    if not last or any(start >= last for t in regimen.treatments for start in t.starts(usual)):
        return usual
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
    late = next((one for one in occasion.observations if one.time - occasion.begin > MAX_HORIZON_H), None)
    if late is not None:
        what = f"TIME {late.time:g} is {late.time - occasion.begin:g} h after the first record"
        longest = f"at most {MAX_HORIZON_H:g} h (two years) up to a reset"
        raise late.row.with_location(InputError(what, key="TIME", expected=longest))
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
        repeated = species_events(subject.species, dose_events(frequencies, parameters, values, length))
        running = without_expectancy(dose_events(constant, parameters, values, length))
    except InputError as problem:
        raise occasion.start.with_location(problem) from None
    return (*repeated, *running), length


def checked_subject_of(subject: DoseTableSubject, occasion: Occasion, model: Model) -> Subject:
    """One occasion as a patient to be solved. Raises InputError, at the offending record, for an impossible regimen."""
    check_solvable(occasion.regimen, model.parameters, subject, occasion, MAX_HORIZON_H)
    return subject_of(subject, occasion, model)


def subject_of(subject: DoseTableSubject, occasion: Occasion, model: Model) -> Subject:
    """The same without checks; with parameter values that are arrays [copy], the dose events hold arrays too."""
    regimen, parameters, values = occasion.regimen, model.parameters, subject.values_in(occasion)
    repeated, length = _cycle(subject, occasion, parameters)
    wait = pre_dose_delay(occasion)
    given = _dose_events(regimen, parameters, values, occasion)
    entering = species_events(subject.species, given)
    delayed = tuple(replace(entry, time=entry.time + wait) for entry in entering)
    changes = tuple((hour + wait, own) for hour, own in occasion.changes)
    return Subject(subject.name, delayed, values, repeated, length, changes)


def _dose_events(
    regimen: Regimen, parameters: ParameterTable, values: Mapping[str, Any], occasion: Occasion
) -> tuple[DoseEvent, ...]:  # fmt: skip
    """Dose events of an occasion; a dose depends on the covariates at its start."""
    horizon, taken = dosing_end(occasion), occasion.adherence
    whole = dose_events(regimen, parameters, values, horizon, taken)
    if not occasion.changes:
        return whole
    starts = [treatment.starts(horizon) for treatment in regimen.treatments]
    edges = [-np.inf, *(hour for hour, _ in occasion.changes), np.inf]
    events = [event for event in whole if is_expectancy(event)]
    current = dict(values)
    for number, (begin, end) in enumerate(pairwise(edges)):
        current |= occasion.changes[number - 1][1] if number else {}

        def share(i: int, k: int, begin: float = begin, end: float = end) -> Quantity:
            is_within = begin <= starts[i][k] < end
            return (taken(i, k) if taken else 1.0) if is_within else 0.0

        events += without_expectancy(dose_events(regimen, parameters, current, horizon, share))
    return tuple(sorted(events, key=lambda event: float(np.min(event.time))))


def dosing_end(occasion: Occasion) -> float:
    """Time (h from the begin) before which doses are given: just after the last record."""
    return max((one.time - occasion.begin for one in occasion.every), default=0.0) + 1e-6


def observation_times(occasion: Occasion, records: Sequence[ObservationRecord] | None = None) -> list[float]:
    """Times of some records (h from the begin; default: its observations), slightly earlier for one before a dose of
    the same time."""
    starts = {start for t in occasion.regimen.treatments for start in t.starts(MAX_HORIZON_H)}
    chosen = occasion.observations if records is None else records
    hours = [max(0.0, record.time - occasion.begin) for record in chosen]
    at_dose = [any(abs(hour - start) < OBSERVATION_EPSILON for start in starts) for hour in hours]
    early = [record.before and dosed for record, dosed in zip(chosen, at_dose, strict=True)]
    wait = pre_dose_delay(occasion)
    return [h * (1 - OBSERVATION_EPSILON) if sooner else h + wait for h, sooner in zip(hours, early, strict=True)]


def pre_dose_delay(occasion: Occasion) -> float:
    """The delay of all doses (h) that allows an observation before a dose at the begin."""
    return (
        OBSERVATION_EPSILON
        if any(seen.before and seen.time == occasion.begin for seen in occasion.observations)
        else 0.0
    )
