"""Simulation of one scenario: dose events, the treated patient and its control, or virtual patients, and curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from ketamech.core import InputError, SolverError
from ketamech.core.csv_table import parts
from ketamech.core.environment import available_threads
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
from ketamech.simulation.curves import Curves
from ketamech.simulation.ensemble import OK, Ensemble, Subject, curves_of_subjects, require_solved
from ketamech.simulation.load_scenario import Settings, load_scenario
from ketamech.simulation.model import Model
from ketamech.simulation.output_ranges import exists_in, require_outputs, without_human_outputs
from ketamech.simulation.output_times import output_times
from ketamech.simulation.scenario import Scenario

if TYPE_CHECKING:
    import xarray as xr

DoseChange = Callable[[tuple[DoseEvent, ...]], Sequence[DoseEvent]]
DEFAULT_OUTPUTS = ("mood.madrs", "dissociation.cadss", "venous.ketamine", "venous.norketamine", "venous.esketamine")


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

    def with_doses(self, change: DoseChange) -> ScenarioEvents:
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
    adherence: AdherenceFunction | None = None, change: DoseChange | None = None,
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


@runtime_checkable
class Patients(Protocol):
    """Virtual patients as a simulation reads them; see `population.virtual_population.VirtualPatients`."""

    @property
    def patient_ids(self) -> np.ndarray:
        """The number of each patient [patient]."""

    def __len__(self) -> int: ...

    def values_in(self, parameters: ParameterTable, own: Mapping[str, float]) -> Mapping[str, np.ndarray]:
        """Values [patient] about `parameters` in a scenario that sets the values `own` (canonical units)."""

    def adherence(self, regimen: Regimen, until: float) -> AdherenceFunction:
        """The doses before `until` (h) that each patient takes."""


def ensemble_of_patients(
    model: Model, people: Patients, scenario: Scenario, until: float, *, change: DoseChange | None = None
) -> Ensemble:
    """Virtual patients on a scenario, with the doses before `until` (h) that they do not miss by chance."""
    values = people.values_in(model.parameters, scenario.values)
    taken = people.adherence(scenario.regimen, until)
    return ensemble_of_scenario(model, scenario, values, len(people), until, adherence=taken, change=change)


def species_events(species: str, events: tuple[DoseEvent, ...]) -> tuple[DoseEvent, ...]:
    """Dose events of a species: without expectancy events, which apply to humans only."""
    return events if species == HUMAN else without_expectancy(events)


def as_scenario(
    source: Scenario | Regimen | str | Path, model: Model, *, species: str | None = None,
    perturb: str | Sequence[str] = (), variant: str | None = None, person: Settings | None = None,
    parameter_values: Settings | None = None,
) -> Scenario:  # fmt: skip
    """The scenario of a sentence, a file or a regimen, with what is added, as in `load_scenario`.

    Raises InputError for additions to a Scenario, which states them itself.
    """
    if not isinstance(source, Scenario):
        return load_scenario(
            source, model.parameters, species=species, perturbations=perturb, variant=variant, person=person,
            parameter_values=parameter_values,
        )  # fmt: skip
    added = {"species": species, "perturb": perturb, "variant": variant, "person": person,
             "parameter_values": parameter_values}  # fmt: skip
    for key, option in added.items():
        if option:
            what = f"{key} cannot be added to a Scenario"
            raise InputError(what, key=key, expected="a sentence or a scenario file")
    return source


def output_names(outputs: str | Sequence[str] | None) -> Sequence[str] | None:
    """Names of outputs; a text holds one name, or several joined by commas."""
    return list(parts(outputs, ",")) if isinstance(outputs, str) else outputs


def check_people_and_times(people: object, times: Any) -> None:
    """Raise InputError for parameter values in place of patients, and for times that are not a list of numbers."""
    if people is not None and not isinstance(people, Patients):
        what, example = f"people of type {type(people).__name__}", 'Population.named("trd").sample(100)'
        if isinstance(people, Mapping):
            example = 'person={"weight": 90} or parameter_values={"person.weight": 90}'
        raise InputError(what, key="people", expected="virtual patients", type_this=example)
    numbers = np.ndim(times) == 1 and np.issubdtype(np.asarray(times).dtype, np.number) if times is not None else True
    if not numbers:
        raise InputError(f"times of {times!r}", key="times", expected="a list of hours", type_this="times=[0, 2, 24]")


def subjects(scenario: Scenario, model: Model) -> list[Subject]:
    """The treated patient and, unless switched off, its control: same visits and challenges, no drug."""
    treated = events_of_scenario(scenario, model.parameters, {}, scenario.horizon)
    pairs = [("treated", treated)]
    if scenario.control:
        pairs.append(("control", treated.with_doses(control_events)))
    return [
        Subject(name, scenario_events.events, scenario.values, scenario_events.cycle, scenario_events.length)
        for name, scenario_events in pairs
    ]


def simulate_scenario(
    scenario: Scenario, model: Model, people: Patients | None = None, *, outputs: Sequence[str] | None = None,
    times: Sequence[float] | None = None,
) -> xr.Dataset:  # fmt: skip
    """Curves of one scenario: of the typical patient with its control, or of virtual patients.

    `outputs`: names (default: every state and output; of `people` those of DEFAULT_OUTPUTS that exist). `times` as in
    `curves_of_scenario`.

    Returns a Dataset with dims (patient, time): 'treated' and, unless switched off, 'control', or the numbers of
    `people`; `units` and `long_name` on every variable; time in h. Ratings, which exist for humans only, are missing
    for animals. Raises InputError for what cannot be read or given, UnknownNameError for an output that does not exist,
    SolverError if the scenario, or every one of the `people`, could not be solved.
    """
    if people is None:
        return select_outputs(curves_of_scenario(scenario, model, times).dataset(), model, outputs)
    lasting, _, grid = _planned(scenario, model, times)
    return _curves_of_patients(people, lasting, model, grid, outputs).assign_attrs(
        scenario_attributes(lasting.of_people())
    )


def curves_of_scenario(scenario: Scenario, model: Model, times: Sequence[float] | None = None) -> Curves:
    """Curves of every output of the typical patient with its control, see `simulate_scenario`.

    `times` (h, rising) replace the usual output times; doses are given until the last of them.
    """
    lasting, both, grid = _planned(scenario, model, times)
    curves = curves_of_subjects(model, both, grid)
    require_solved(curves)
    return without_human_outputs(curves, lasting.group).assign_attrs(scenario_attributes(lasting))


def _planned(
    scenario: Scenario, model: Model, times: Sequence[float] | None
) -> tuple[Scenario, list[Subject], np.ndarray]:
    """The scenario until the last of `times`, its subjects and its output times (h)."""
    lasting = scenario if times is None or not len(times) else scenario.lasting_until(float(max(times)))
    both = subjects(lasting, model)
    return lasting, both, times_of_scenario(lasting, both[0]) if times is None else np.array(times, dtype=float)


def _curves_of_patients(
    people: Patients, scenario: Scenario, model: Model, grid: np.ndarray, outputs: Sequence[str] | None
) -> xr.Dataset:
    if not len(people):
        raise InputError("the sample is empty", key="people", expected="at least one patient")
    present = [name for name in DEFAULT_OUTPUTS if exists_in(scenario.group, name)]
    names = model.known_outputs(present if outputs is None else outputs)
    require_outputs(scenario.group, names)
    ensemble = ensemble_of_patients(model, people, scenario, scenario.horizon)
    curves = ensemble.solve(grid, names, threads=available_threads())
    if (curves.reasons != OK).all():
        raise SolverError(f"no patient could be solved: {curves.reasons[0]}")
    return curves.dataset(people.patient_ids.tolist())


def select_outputs(curves: xr.Dataset, model: Model, outputs: Sequence[str] | None) -> xr.Dataset:
    """The variables of these outputs; all for None. Raises UnknownNameError, InputError for a rating of an animal."""
    if outputs is None:
        return curves
    names = model.known_outputs(outputs)
    require_outputs(str(curves.attrs.get("group", HUMAN)), names)
    return curves[list(names)]


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
