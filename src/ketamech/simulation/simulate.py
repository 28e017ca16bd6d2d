"""The main job: one scenario, from the dose to the mood, as labelled curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from ketamech.core import SolverError
from ketamech.dosing.regimen import Regimen
from ketamech.simulation.ensemble import Subject, output_times, run_subjects
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import Model, load_model
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.scenario_ensemble import control_events, events_of_scenario, species_events

__all__ = ["control_events", "simulate", "species_events", "subjects"]

MINUTE = 1 / 60


def subjects(scenario: Scenario, model: Model) -> list[Subject]:
    """The treated course and, where asked for, the same person with the same hopes and challenges and no drug."""
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
) -> xr.Dataset:
    """Curves of every state and offer of one scenario (a Scenario, a YAML file, a sentence, a Regimen as `ev` makes).

    `species`, `perturbations` ("NBQX 10 mg/kg IP at -30 min") and a rival `wiring` are added to a file or a sentence.

    Returns a Dataset with dims (patient, time): 'treated' and, unless switched off, 'control'; `units` and
    `long_name` on every variable; time in h. Raises InputError for a scenario that makes no sense,
    SolverError if it cannot be solved.
    """
    chosen = model or load_model(announce=progress)
    asked = (
        scenario
        if isinstance(scenario, Scenario)
        else load_scenario(scenario, chosen.parameters, species=species, perturbations=perturbations, wiring=wiring)
    )
    both = subjects(asked, chosen)
    starts = sorted({max(0.0, entry.time) for entry in both[0].events})
    ends = sorted({entry.time + entry.duration for entry in both[0].events if entry.duration and entry.time >= 0})
    early = sorted({entry.time for entry in asked.perturbation_events if entry.time < 0})
    before = [early[0] - MINUTE, *early] if early else []  # an output at the time of an event shows what follows it
    curves = run_subjects(chosen, both, np.array([*before, *output_times(asked.horizon, [*starts, *ends])]))
    bad = [str(reason) for reason in curves.solve_status.values if reason != "ok"]
    if bad:
        raise SolverError(f"the scenario could not be solved: {bad[0]}")
    return curves.assign_attrs(title=asked.title, horizon_h=asked.horizon, seed=asked.seed, species=asked.species)
