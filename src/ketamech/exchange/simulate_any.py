"""Simulation of a sentence, a scenario, a regimen or a table of dose records by ID."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core import InputError, SolverError
from ketamech.dosing.regimen import Regimen
from ketamech.engine.solve import validate_outputs
from ketamech.exchange.nonmem.read import DoseTable, read_doses
from ketamech.exchange.nonmem.simulate_table import (
    STATUS,
    observed_occasions,
    pre_dose_delay,
    scenario_of,
    solve_occasions,
    solve_table,
)
from ketamech.parameters import HUMAN
from ketamech.parameters.concentration_units import shown
from ketamech.population.cohort import simulate_sample
from ketamech.population.virtual_population import VirtualPatients
from ketamech.simulation.load_scenario import is_table
from ketamech.simulation.model import Model, load_model
from ketamech.simulation.output_ranges import exists_in, require_outputs
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import as_scenario
from ketamech.simulation.simulate import simulate as simulate_scenario

OUTPUTS = ("mood.madrs", "dissociation.cadss", "venous.ketamine", "venous.norketamine", "venous.esketamine")
MOST_VALUES = 200_000_000  # in one Dataset, 8 bytes each


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
) -> xr.Dataset:
    """Simulate a scenario (sentence, YAML file, Regimen, Scenario) or a table of dose records.

    `people`: virtual patients, as `Population.sample` draws them, in place of the typical patient. `species`,
    `perturb` ("NBQX 10 mg/kg IP at -30 min") and the model `variant` are added to a sentence or a file. `outputs`:
    names such as "mood.madrs" (default: every state and output of a scenario; of people and tables, ratings and venous
    concentrations). `times` (h, rising) replace the usual output times of a scenario. `drug` is given where a table has
    no column DRUG. `announce` receives one line before each slow step.

    Returns a Dataset with dims (patient, time): time in h, and on every variable `units` and `long_name`. Patients are

    - of a scenario: 'treated' and, unless switched off, 'control' (same expectancy, no drug);
    - of a scenario with `people`: their numbers;
    - of a table (.csv and the like, columns as in NONMEM): each occasion of each ID, at every observation TIME, after
      the doses of that time; NaN outside the first to last TIME of that ID. Coordinates `ID` and `occasion`. A single
      ID without observations is simulated as a scenario. `simulate_records` returns records instead.

    A patient that could not be solved is NaN, with the reason in the coordinate `solve_status`. Raises InputError for
    what cannot be read or given, UnknownNameError for an output that does not exist, SolverError if nothing could be
    solved.
    """
    chosen = model or load_model(announce=announce)
    if isinstance(scenario, str | Path) and is_table(scenario):
        added = {"people": people, "species": species, "perturb": perturb, "variant": variant, "times": times}
        for key, given in added.items():
            if given is not None and len(given):
                expected = "a column SPECIES" if key == "species" else "a sentence or a scenario file"
                raise InputError(f"{key} is not for a table of doses", key=key, expected=expected)
        return _simulate_table(scenario, chosen, drug, outputs)
    if drug is not None:
        raise InputError("drug is for a table of doses", key="drug", expected="a file such as doses.csv")
    asked = as_scenario(scenario, chosen, species, perturb, variant, times)
    if people is not None:
        names = [name for name in OUTPUTS if exists_in(asked.species, name)] if outputs is None else outputs
        return simulate_sample(chosen, people, asked, names, times=times)
    return select_outputs(simulate_scenario(asked, model=chosen, times=times), chosen, outputs)


def _simulate_table(source: str | Path, model: Model, drug: str | None, outputs: Sequence[str] | None) -> xr.Dataset:
    table = read_doses(source, model.parameters, drug=drug)
    if len(table.subjects) == 1 and not any(stay.observations for stay in table.subjects[0].occasions):
        scenario = scenario_of(table, table.subjects[0], model.parameters)
        return select_outputs(simulate_scenario(scenario, model=model), model, outputs)
    return curves_of(table, model, OUTPUTS if outputs is None else outputs)


def select_outputs(curves: xr.Dataset, model: Model, outputs: Sequence[str] | None) -> xr.Dataset:
    """The variables of these outputs; all for None. Raises UnknownNameError, InputError for a rating of an animal."""
    if outputs is None:
        return curves
    names = validate_outputs(model.kernel, tuple(outputs))
    require_outputs(str(curves.attrs.get("species", HUMAN)), names)
    return curves[list(names)]


def simulate_records(
    source: str | Path, *, model: Model | None = None, drug: str | None = None, outputs: Sequence[str] = OUTPUTS
) -> pd.DataFrame:
    """A table of dose records with the outputs of each ID at each observation record; see `solve_table`."""
    chosen = model or load_model()
    return solve_table(read_doses(source, chosen.parameters, drug=drug), chosen, outputs)


def curves_of(table: DoseTable, model: Model, outputs: Sequence[str]) -> xr.Dataset:
    """Outputs of every occasion at every TIME of the table, dims (patient, time); see `simulate`.

    Raises InputError for a table without observations, or with too many times for one Dataset.
    """
    names = validate_outputs(model.kernel, tuple(outputs))
    stays = observed_occasions(table)
    hours = np.unique([look.time for _, stay in stays for look in stay.observations])
    if len(stays) * len(hours) * len(names) > MOST_VALUES:
        what = f"{len(stays):,} occasions at {len(hours):,} times"
        raise InputError(what, file=table.path, expected="fewer outputs or times, or simulate_records: a row a record")
    begin, last = (
        np.array([getattr(stay, name) for _, stay in stays])[:, None] for name in ("begin", "last_observation")
    )
    first = np.array([[min(look.time for look in stay.observations)] for _, stay in stays])
    own = np.clip(hours - begin, 0.0, last) + np.array([[pre_dose_delay(stay)] for _, stay in stays])
    values, reasons = solve_occasions(stays, model, names, own)
    values[(hours < first) | (hours - begin > last)] = np.nan
    if all(reason != "ok" for reason in reasons):
        raise SolverError(f"the table could not be solved: {reasons[0]}")
    return _dataset(table, _labels(table), hours, values, names, reasons, model)


def _labels(table: DoseTable) -> list[tuple[str, str, int]]:
    """Label, ID and number of every occasion with observations."""
    found = []
    for subject in table.subjects:
        for number, stay in enumerate(subject.occasions, 1):
            label = subject.name if len(subject.occasions) == 1 else f"{subject.name}, occasion {number}"
            if stay.observations:
                found.append((label, subject.name, number))
    return found


def _dataset(
    table: DoseTable, labels: list[tuple[str, str, int]], hours: np.ndarray, values: np.ndarray,
    names: tuple[str, ...], reasons: list[str], model: Model,
) -> xr.Dataset:  # fmt: skip
    layout = model.layout
    variables = {
        name: (
            ("patient", "time"),
            values[:, :, i],
            {"units": layout.units[name], "long_name": layout.descriptions[name]},
        )
        for i, name in enumerate(names)
    }
    label, who, number = (list(column) for column in zip(*labels, strict=True))
    coordinates = {
        "patient": label,
        "time": ("time", hours, {"units": "h", "long_name": "TIME of the table"}),
        "ID": ("patient", who),
        "occasion": ("patient", number),
        STATUS: ("patient", reasons),
    }
    said = {"title": table.path.stem, "assumed": "; ".join(table.notes)}
    return xr.Dataset(variables, coords=coordinates, attrs=said)


def shown_records(found: pd.DataFrame, model: Model) -> tuple[pd.DataFrame, dict[str, str]]:
    """Records with concentrations in ng/mL, and the unit of every column that has one."""
    units = {"TIME": "h"}
    table = found.copy()
    for name in (column for column in found.columns if column in model.layout.units):
        factor, units[name] = shown(name, model.layout.units[name])
        table[name] *= factor
    return table, units
