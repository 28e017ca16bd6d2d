"""Simulation of one scenario: the treated patient and its control."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from ketamech.core import InputError, SolverError
from ketamech.dosing.regimen import Regimen
from ketamech.simulation.ensemble import Subject, output_times, run_subjects
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import Model, load_model
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.scenario_ensemble import control_events, events_of_scenario, species_events

__all__ = [
    "as_scenario",
    "control_events",
    "scenario_attributes",
    "simulate",
    "species_events",
    "subjects",
    "times_of_scenario",
]

MINUTE = 1 / 60


def as_scenario(
    source: Scenario | Regimen | str | Path, model: Model, species: str | None = None,
    perturbations: Sequence[str] = (), variant: str | None = None, times: Sequence[float] | None = None,
) -> Scenario:  # fmt: skip
    """The scenario of a sentence, a file or a regimen, with what is added; it lasts at least until the last of `times`.

    Raises InputError for additions to a Scenario, which states them itself.
    """
    if not isinstance(source, Scenario):
        found = load_scenario(source, model.parameters, species=species, perturbations=perturbations, wiring=variant)
    else:
        found = source
        for key, given in (("species", species), ("perturb", perturbations), ("variant", variant)):
            if given:
                what = f"{key} cannot be added to a Scenario"
                raise InputError(what, key=key, expected="a sentence or a scenario file")
    if times is None or not len(times):
        return found
    return replace(found, horizon=max(found.horizon, float(max(times))))


def subjects(scenario: Scenario, model: Model) -> list[Subject]:
    """The treated patient and, unless switched off, its control: same expectancy and challenges, no drug."""
    treated = events_of_scenario(scenario, model.parameters, {}, scenario.horizon)
    found = [("treated", treated)]
    if scenario.control:
        found.append(("control", treated.with_doses(control_events)))
    return [Subject(name, given.events, scenario.values, given.cycle, given.length) for name, given in found]


def simulate(
    scenario: Scenario | Regimen | str | Path,
    *,
    model: Model | None = None,
    progress: Callable[[str], None] | None = None,
    species: str | None = None,
    perturbations: Sequence[str] = (),
    wiring: str | None = None,
    times: Sequence[float] | None = None,
) -> xr.Dataset:
    """Curves of every state and output of one scenario (a Scenario, a YAML file, a sentence, a Regimen as `ev` makes).

    `species`, `perturbations` ("NBQX 10 mg/kg IP at -30 min") and the model variant `wiring` are added to a file or a
    sentence. `times` (h, rising) replace the usual output times.

    Returns a Dataset with dims (patient, time): 'treated' and, unless switched off, 'control'; `units` and
    `long_name` on every variable; time in h. Raises InputError for a scenario that cannot be read or given,
    SolverError if it cannot be solved.
    """
    chosen = model or load_model(announce=progress)
    asked = as_scenario(scenario, chosen, species, perturbations, wiring, times)
    both = subjects(asked, chosen)
    curves = run_subjects(
        chosen, both, times_of_scenario(asked, both[0]) if times is None else np.array(times, dtype=float)
    )
    bad = [str(reason) for reason in curves.solve_status.values if reason != "ok"]
    if bad:
        raise SolverError(f"the scenario could not be solved: {bad[0]}")
    return curves.assign_attrs(scenario_attributes(asked))


def times_of_scenario(scenario: Scenario, treated: Subject) -> np.ndarray:
    """Output times (h), dense after the start and the end of each dose of `treated` and around early perturbations."""
    starts = {max(0.0, float(entry.time)) for entry in treated.events}
    ends = {entry.time + entry.duration for entry in treated.events if entry.duration and entry.time >= 0}
    early = sorted({entry.time for entry in scenario.perturbation_events if entry.time < 0})
    before = [early[0] - MINUTE, *early] if early else []  # an output at the time of an event shows what follows it
    return np.array([*before, *output_times(scenario.horizon, [*sorted(starts), *sorted(ends)])])


def scenario_attributes(scenario: Scenario) -> dict[str, object]:
    """Attributes of a Dataset of this scenario."""
    return {
        "title": scenario.title,
        "horizon_h": scenario.horizon,
        "seed": scenario.seed,
        "species": scenario.species,
    }
