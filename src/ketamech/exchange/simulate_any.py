"""Simulation from whatever says what is given: a sentence, a scenario, a regimen, or a table of doses by ID."""

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
from ketamech.parameters.concentration_units import shown
from ketamech.simulation.model import Model, load_model
from ketamech.simulation.scenario import Scenario, is_table
from ketamech.simulation.simulate import simulate as simulate_scenario

OUTPUTS = ("mood.madrs", "dissociation.cadss", "venous.ketamine", "venous.norketamine", "venous.esketamine")
MOST_VALUES = 200_000_000  # of a Dataset, 8 bytes each


def simulate(
    scenario: Scenario | Regimen | str | Path,
    *,
    model: Model | None = None,
    announce: Callable[[str], None] | None = None,
    species: str | None = None,
    perturbations: Sequence[str] = (),
    wiring: str | None = None,
    drug: str | None = None,
    outputs: Sequence[str] | None = None,
) -> xr.Dataset:
    """Curves of one scenario (a Scenario, a YAML file, a sentence, a Regimen as `ev` makes), or of a table of doses.

    `species`, `perturbations` ("NBQX 10 mg/kg IP at -30 min") and a rival `wiring` are added to a file or a sentence.
    Returns a Dataset with dims (patient, time), `units` and `long_name` on every variable, time in h. Of a scenario:
    every state and output of 'treated' and, unless switched off, 'control'.

    A table (.csv and the like) with the columns of NONMEM: `drug` is given where no column DRUG says it; `outputs`
    (default: ratings and venous levels) of every person at every TIME at which anyone is looked at, as it is after the
    doses of that time, from the first to the last TIME of that person (NaN elsewhere). Each occasion of a person who is
    reset is a patient of its own; coordinates `ID` and `occasion` say whose. One person without observations is run as
    a scenario. `simulate_records` gives the records instead.

    Raises InputError for what makes no sense, SolverError if a scenario cannot be solved.
    """
    if not isinstance(scenario, str | Path) or not is_table(scenario):
        if drug is not None or outputs is not None:
            key = "outputs" if drug is None else "drug"
            raise InputError(f"{key} is for a table of doses", key=key, expected="a file such as doses.csv")
        return simulate_scenario(
            scenario, model=model, progress=announce, species=species, perturbations=perturbations, wiring=wiring
        )
    for key, given in (("species", species), ("perturbations", perturbations), ("wiring", wiring)):
        if given:
            expected = "a column SPECIES" if key == "species" else "a sentence or a scenario file"
            raise InputError(f"{key} is not for a table of doses", key=key, expected=expected)
    chosen = model or load_model(announce=announce)
    table = read_doses(scenario, chosen.parameters, drug=drug)
    if len(table.subjects) == 1 and not any(stay.observations for stay in table.subjects[0].occasions):
        found = simulate_scenario(scenario_of(table, table.subjects[0], chosen.parameters), model=chosen)
        return found if outputs is None else found[list(validate_outputs(chosen.kernel, tuple(outputs)))]
    return curves_of(table, chosen, OUTPUTS if outputs is None else outputs)


def simulate_records(
    source: str | Path, *, model: Model | None = None, drug: str | None = None, outputs: Sequence[str] = OUTPUTS
) -> pd.DataFrame:
    """A table of doses with what each person shows at each record that is looked at: see `solve_table`."""
    chosen = model or load_model()
    return solve_table(read_doses(source, chosen.parameters, drug=drug), chosen, outputs)


def curves_of(table: DoseTable, model: Model, outputs: Sequence[str]) -> xr.Dataset:
    """Outputs of every occasion at every TIME of the table, dims (patient, time): see `simulate`.

    Raises InputError for a table in which nothing is looked at, or with too many times for one Dataset.
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
    """Label, ID and number of every occasion in which somebody is looked at."""
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
    """Records as a person reads them, levels in ng/mL, and the unit of every column that has one."""
    units = {"TIME": "h"}
    table = found.copy()
    for name in (column for column in found.columns if column in model.layout.units):
        factor, units[name] = shown(name, model.layout.units[name])
        table[name] *= factor
    return table, units
