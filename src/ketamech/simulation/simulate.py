"""Simulation of one scenario: its dose events and patients, the treated patient and its control."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from ketamech.core import InputError, SolverError
from ketamech.core.units import MINUTE
from ketamech.dosing.dose_events import (
    AdherenceFunction,
    DoseEvent,
    Quantity,
    control_events,
    dose_events,
    parameter_lookup,
    without_expectancy,
)
from ketamech.dosing.regimen import Regimen
from ketamech.parameters import HUMAN, ParameterTable
from ketamech.simulation.ensemble import Ensemble, Subject, run_subjects
from ketamech.simulation.load_scenario import Settings, load_scenario
from ketamech.simulation.model import Model, load_model
from ketamech.simulation.output_ranges import without_human_outputs
from ketamech.simulation.output_times import output_times
from ketamech.simulation.scenario import Scenario

Change = Callable[[tuple[DoseEvent, ...]], Sequence[DoseEvent]]


@dataclass(frozen=True)
class ScenarioEvents:
    """Dose events of patients of a scenario: `doses`, `perturbations`, and a `cycle` of `length` h before 0 h."""

    doses: tuple[DoseEvent, ...]
    perturbations: tuple[DoseEvent, ...]
    cycle: tuple[DoseEvent, ...]
    length: float

    @property
    def events(self) -> tuple[DoseEvent, ...]:
        """All dose events, also those before 0 h, in order of time."""
        return tuple(sorted((*self.doses, *self.perturbations), key=lambda entry: float(np.min(entry.time))))

    def with_doses(self, change: Change) -> ScenarioEvents:
        """The events with doses transformed by `change`, in the cycle too."""
        return replace(self, doses=tuple(change(self.doses)), cycle=tuple(change(self.cycle)))


def events_of_scenario(
    scenario: Scenario, parameters: ParameterTable, values: Mapping[str, Quantity], until: float,
    adherence: AdherenceFunction | None = None,
) -> ScenarioEvents:  # fmt: skip
    """Dose events before `until` (h) of patients; `values` {parameter: number or [patient], canonical units}.

    Expectancy events are among the doses for humans only. `adherence` as in `dose_events`, for doses from 0 h on.
    """
    person = {**scenario.values, **values}
    doses = species_events(scenario.species, dose_events(scenario.regimen, parameters, person, until, adherence))
    repeated, length = scenario.steady_state_cycle(parameters)
    cycle = species_events(scenario.species, dose_events(repeated, parameters, person, length)) if length else ()
    beside = scenario.perturbation_events(parameter_lookup(parameters, person))
    return ScenarioEvents(doses, beside, cycle, length)


def ensemble_of_scenario(
    model: Model, scenario: Scenario, values: Mapping[str, Quantity], size: int, until: float, *,
    adherence: AdherenceFunction | None = None, change: Change | None = None,
) -> Ensemble:  # fmt: skip
    """`size` patients of a scenario; arguments as in `events_of_scenario`.

    `change` transforms their doses, see `ScenarioEvents.with_doses`.
    """
    scenario_events = events_of_scenario(scenario, model.parameters, values, until, adherence)
    scenario_events = scenario_events.with_doses(change) if change else scenario_events
    own = {**scenario.values, **values}
    return Ensemble.of(
        model, own, scenario_events.events, size, cycle=scenario_events.cycle, length=scenario_events.length
    )


def species_events(species: str, events: tuple[DoseEvent, ...]) -> tuple[DoseEvent, ...]:
    """Dose events of a species: without expectancy events, which apply to humans only."""
    return events if species == HUMAN else without_expectancy(events)


__all__ = ["as_scenario", "scenario_attributes", "simulate", "species_events", "subjects", "times_of_scenario"]


def as_scenario(
    source: Scenario | Regimen | str | Path, model: Model, species: str | None = None,
    perturbations: Sequence[str] = (), variant: str | None = None, times: Sequence[float] | None = None,
    person: Settings | None = None, parameters: Settings | None = None,
) -> Scenario:  # fmt: skip
    """The scenario of a sentence, a file or a regimen, with what is added; it lasts at least until the last of `times`.

    `person` and `parameters` as in `load_scenario`.

    Raises InputError for additions to a Scenario, which states them itself.
    """
    if not isinstance(source, Scenario):
        loaded = load_scenario(
            source, model.parameters, species=species, perturbations=perturbations, variant=variant, person=person,
            parameters=parameters,
        )  # fmt: skip
    else:
        loaded = source
        added = {"species": species, "perturb": perturbations, "variant": variant}
        for key, option in {**added, "person": person, "parameters": parameters}.items():
            if option:
                what = f"{key} cannot be added to a Scenario"
                raise InputError(what, key=key, expected="a sentence or a scenario file")
    if times is None or not len(times):
        return loaded
    return replace(loaded, horizon=max(loaded.horizon, float(max(times))))


def subjects(scenario: Scenario, model: Model) -> list[Subject]:
    """The treated patient and, unless switched off, its control: same expectancy and challenges, no drug."""
    treated = events_of_scenario(scenario, model.parameters, {}, scenario.horizon)
    pairs = [("treated", treated)]
    if scenario.control:
        pairs.append(("control", treated.with_doses(control_events)))
    return [
        Subject(name, scenario_events.events, scenario.values, scenario_events.cycle, scenario_events.length)
        for name, scenario_events in pairs
    ]


def simulate(
    scenario: Scenario | Regimen | str | Path, *, model: Model | None = None,
    progress: Callable[[str], None] | None = None, species: str | None = None, perturbations: Sequence[str] = (),
    variant: str | None = None, times: Sequence[float] | None = None,
) -> xr.Dataset:  # fmt: skip
    """Curves of every state and output of one scenario (a Scenario, a YAML file, a sentence, a Regimen as `ev` makes).

    `species`, `perturbations` ("NBQX 10 mg/kg IP at -30 min") and the model `variant` are added to a file or a
    sentence. `times` (h, rising) replace the usual output times.

    Returns a Dataset with dims (patient, time): 'treated' and, unless switched off, 'control'; `units` and
    `long_name` on every variable; time in h. Ratings, which exist for humans only, are missing for animals. Raises
    InputError for a scenario that cannot be read or given, SolverError if it cannot be solved.
    """
    chosen = model or load_model(announce=progress)
    chosen_scenario = as_scenario(scenario, chosen, species, perturbations, variant, times)
    both = subjects(chosen_scenario, chosen)
    grid = times_of_scenario(chosen_scenario, both[0]) if times is None else np.array(times, dtype=float)
    curves = run_subjects(chosen, both, grid)
    bad = [str(reason) for reason in curves.solve_status.values if reason != "ok"]
    if bad:
        raise SolverError(f"the scenario could not be solved: {bad[0]}")
    return without_human_outputs(curves, chosen_scenario.group).assign_attrs(scenario_attributes(chosen_scenario))


def times_of_scenario(scenario: Scenario, treated: Subject) -> np.ndarray:
    """Output times (h), dense after the start and the end of each dose of `treated` and around early perturbations."""
    starts = {max(0.0, float(entry.time)) for entry in treated.events}
    ends = {entry.time + entry.duration for entry in treated.events if entry.duration and entry.time >= 0}
    early = sorted({entry.time for entry in treated.events if entry.time < 0})
    before = [early[0] - MINUTE, *early] if early else []  # an output at the time of an event shows what follows it
    return np.array([*before, *output_times(scenario.horizon, [*sorted(starts), *sorted(ends)])])


def scenario_attributes(scenario: Scenario) -> dict[str, object]:
    """Attributes of a Dataset of this scenario."""
    own = {"title": scenario.title, "horizon_h": scenario.horizon, "assumed": "; ".join(scenario.assumptions)}
    return {**own, "seed": scenario.seed, "species": scenario.species, "group": scenario.group}
