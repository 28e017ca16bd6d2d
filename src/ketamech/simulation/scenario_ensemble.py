"""From a scenario and the values of patients to dose events, what was repeated before them, and an ensemble."""

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
        """Everything that enters from the lead time on, in order of time."""
        return tuple(sorted((*self.doses, *self.perturbations), key=lambda entry: float(np.min(entry.time))))

    def changed(self, change: Change) -> ScenarioEvents:
        """The same with other doses, in the cycle too."""
        return replace(self, doses=tuple(change(self.doses)), cycle=tuple(change(self.cycle)))


def events_of_scenario(
    scenario: Scenario, parameters: ParameterTable, values: Mapping[str, Quantity], until: float,
    taken: AdherenceFunction | None = None,
) -> ScenarioEvents:  # fmt: skip
    """What patients are given before `until` (h) whose parameters differ by `values` (canonical, also [patient]).

    Expectancy is among the doses unless the species has none. `taken` as in `entries`, for what is given from 0 h on.
    """
    person = {**scenario.values, **values}
    doses = felt(scenario.species, dose_events(scenario.regimen, parameters, person, until, taken))
    repeated, length = scenario.steady_state_cycle(parameters)
    cycle = felt(scenario.species, dose_events(repeated, parameters, person, length)) if length else ()
    return ScenarioEvents(doses, scenario.perturbation_events, cycle, length)


def ensemble_of_scenario(
    model: Model, scenario: Scenario, values: Mapping[str, Quantity], size: int, until: float, *,
    taken: AdherenceFunction | None = None, change: Change | None = None,
) -> Ensemble:  # fmt: skip
    """`size` patients of a scenario whose parameters differ by `values`; arguments as in `events_of_scenario`.

    `change` is done to their doses, see `ScenarioEvents.changed`.
    """
    given = events_of_scenario(scenario, model.parameters, values, until, taken)
    given = given.changed(change) if change else given
    own = {**scenario.values, **values}
    return Ensemble.of(model, own, given.events, size, cycle=given.cycle, length=given.length)


def felt(species: str, given: tuple[DoseEvent, ...]) -> tuple[DoseEvent, ...]:
    """What enters, without the hopes that no animal has."""
    return given if species == HUMAN else without_expectancy(given)


def without_expectancy(given: Sequence[DoseEvent]) -> tuple[DoseEvent, ...]:
    """What enters, without expectancy."""
    return tuple(entry for entry in given if not entry.compartment.startswith("expectancy."))


def untreated(given: Sequence[DoseEvent]) -> tuple[DoseEvent, ...]:
    """Hopes, and challenges such as an operation unless nothing but challenges is given."""
    hopes = tuple(entry for entry in given if entry.compartment.startswith("expectancy."))
    challenges = {drug.compartment for drug in DRUGS if not drug.carries_expectancy}
    kept = tuple(entry for entry in given if entry in hopes or entry.compartment in challenges)
    return hopes if len(kept) == len(given) else kept
