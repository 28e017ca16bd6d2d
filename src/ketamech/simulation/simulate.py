"""Simulation of one scenario: the treated patient and its control, or a sample of virtual patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import xarray as xr

from ketamech.core import InputError, SolverError
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.subject import Subject
from ketamech.engine.solve import validate_outputs
from ketamech.simulation.ensemble import Trajectories
from ketamech.simulation.model import Model, load_model
from ketamech.simulation.run_subjects import output_times, run
from ketamech.simulation.scenario import Scenario, load_scenario
from ketamech.simulation.scenario_ensemble import ensemble_of_scenario, events_of_scenario, felt, untreated

__all__ = [
    "PatientSample", "as_scenario", "felt", "simulate", "simulate_patients", "simulate_sample", "subjects", "untreated",
]  # fmt: skip

MINUTE = 1 / 60


class PatientSample(Protocol):
    """Patients by number, with the parameter values in which they differ {name: [patient], canonical units}."""

    @property
    def patient_ids(self) -> np.ndarray:
        """Numbers of the patients."""

    @property
    def values(self) -> Mapping[str, np.ndarray]:
        """Parameter values [patient] by name."""


def as_scenario(
    source: Scenario | Regimen | str | Path, model: Model, species: str | None, perturbations: Sequence[str],
    variant: str | None,
) -> Scenario:  # fmt: skip
    """The scenario of a sentence, a file or a regimen, with what is added; a Scenario is returned as it is.

    Raises InputError for additions to a Scenario, which states them itself.
    """
    if not isinstance(source, Scenario):
        return load_scenario(
            source, model.parameters, species=species, perturbations=perturbations, wiring=variant
        )
    for key, given in (("species", species), ("perturb", perturbations), ("variant", variant)):
        if given:
            raise InputError(f"{key} cannot be added to a Scenario", key=key, expected="a sentence or a scenario file")
    return source


def subjects(scenario: Scenario, model: Model) -> list[Subject]:
    """The treated patient and, unless switched off, its control: same expectancy and challenges, no drug."""
    treated = events_of_scenario(scenario, model.parameters, {}, scenario.horizon)
    found = [("treated", treated)]
    if scenario.control:
        found.append(("control", treated.changed(untreated)))
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
    """Curves of every state and output of one scenario (a Scenario, a YAML file, a sentence, a Regimen as `ev` makes).

    `species`, `perturbations` ("NBQX 10 mg/kg IP at -30 min") and the model variant `wiring` are added to a file or a
    sentence.

    Returns a Dataset with dims (patient, time): 'treated' and, unless switched off, 'control'; `units` and
    `long_name` on every variable; time in h. Raises InputError for a scenario that cannot be read or given,
    SolverError if it cannot be solved.
    """
    chosen = model or load_model(announce=progress)
    asked = as_scenario(scenario, chosen, species, perturbations, wiring)
    both = subjects(asked, chosen)
    curves = run(chosen, both, times_of_scenario(asked, both[0]))
    bad = [str(reason) for reason in curves.solve_status.values if reason != "ok"]
    if bad:
        raise SolverError(f"the scenario could not be solved: {bad[0]}")
    return curves.assign_attrs(_attributes(asked))


def simulate_sample(model: Model, patients: PatientSample, scenario: Scenario, outputs: Sequence[str]) -> xr.Dataset:
    """Curves of `outputs` of virtual patients on a scenario, at the output times of the treated typical patient.

    Values that the scenario sets replace those of the patients. No dose is missed by chance. Returns a Dataset with
    dims (patient, time); a patient who could not be solved is NaN, with the reason in `solve_status`. Raises
    UnknownNameError for an output that does not exist, SolverError if no patient could be solved.
    """
    times = times_of_scenario(scenario, subjects(scenario, model)[0])
    curves = _solve(model, patients, scenario, times, outputs, scenario.horizon).dataset(list(patients.patient_ids))
    if not len(curves["patient"]) or (curves["solve_status"] != "ok").all():
        reason = str(curves["solve_status"].values[0]) if len(curves["patient"]) else "the sample is empty"
        raise SolverError(f"no patient could be solved: {reason}")
    return curves.assign_attrs(_attributes(scenario))


def simulate_patients(
    model: Model, people: PatientSample, sentence: str, wanted: Sequence[tuple[str, float]]
) -> list[np.ndarray]:
    """Values [patient] of virtual patients on a regimen for each (output, hour); NaN where a solve failed."""
    times = np.array(sorted({0.0, *(hour for _, hour in wanted)}))
    scenario = load_scenario(sentence, model.parameters)
    names = tuple(dict.fromkeys(name for name, _ in wanted))
    found = _solve(model, people, scenario, times, names, float(times[-1]) + 1.0)
    return [found.of(name)[:, int(np.searchsorted(times, hour))] for name, hour in wanted]


def times_of_scenario(scenario: Scenario, treated: Subject) -> np.ndarray:
    """Output times (h), dense after the start and the end of each dose of `treated` and around early perturbations."""
    starts = {max(0.0, float(entry.time)) for entry in treated.events}
    ends = {entry.time + entry.duration for entry in treated.events if entry.duration and entry.time >= 0}
    early = sorted({entry.time for entry in scenario.perturbation_events if entry.time < 0})
    before = [early[0] - MINUTE, *early] if early else []  # an output at the time of an event shows what follows it
    return np.array([*before, *output_times(scenario.horizon, [*sorted(starts), *sorted(ends)])])


def _solve(
    model: Model, patients: PatientSample, scenario: Scenario, times: np.ndarray, outputs: Sequence[str], until: float
) -> Trajectories:
    names = validate_outputs(model.kernel, tuple(outputs))
    values = {name: column for name, column in patients.values.items() if name not in scenario.values}
    ensemble = ensemble_of_scenario(model, scenario, values, len(patients.patient_ids), until)
    return ensemble.solve(times, names)


def _attributes(scenario: Scenario) -> dict[str, object]:
    return {
        "title": scenario.title,
        "horizon_h": scenario.horizon,
        "seed": scenario.seed,
        "species": scenario.species,
    }
