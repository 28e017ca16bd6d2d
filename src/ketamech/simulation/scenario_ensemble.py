"""Dose events and ensembles of patients of a scenario."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ketamech.dosing.dose_event import DoseEvent, Quantity
from ketamech.dosing.dose_events import AdherenceFunction, dose_events
from ketamech.dosing.drugs import DRUGS
from ketamech.parameters import HUMAN, ParameterTable
from ketamech.simulation.ensemble import Ensemble
from ketamech.simulation.model import Model
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
    return ScenarioEvents(doses, scenario.perturbation_events, cycle, length)


def ensemble_of_scenario(
    model: Model, scenario: Scenario, values: Mapping[str, Quantity], size: int, until: float, *,
    adherence: AdherenceFunction | None = None, change: Change | None = None,
) -> Ensemble:  # fmt: skip
    """`size` patients of a scenario; arguments as in `events_of_scenario`.

    `change` transforms their doses, see `ScenarioEvents.with_doses`.
    """
    given = events_of_scenario(scenario, model.parameters, values, until, adherence)
    given = given.with_doses(change) if change else given
    own = {**scenario.values, **values}
    return Ensemble.of(model, own, given.events, size, cycle=given.cycle, length=given.length)


def species_events(species: str, events: tuple[DoseEvent, ...]) -> tuple[DoseEvent, ...]:
    """Dose events of a species: without expectancy events, which apply to humans only."""
    return events if species == HUMAN else without_expectancy(events)


def without_expectancy(events: Sequence[DoseEvent]) -> tuple[DoseEvent, ...]:
    """Dose events without expectancy events."""
    return tuple(entry for entry in events if not entry.compartment.startswith("expectancy."))


def control_events(events: Sequence[DoseEvent]) -> tuple[DoseEvent, ...]:
    """Dose events of the control: expectancy, and challenges such as an operation unless all events are challenges."""
    expectancy = tuple(entry for entry in events if entry.compartment.startswith("expectancy."))
    challenges = {drug.compartment for drug in DRUGS if not drug.carries_expectancy}
    control = tuple(entry for entry in events if entry in expectancy or entry.compartment in challenges)
    return expectancy if len(control) == len(events) else control
