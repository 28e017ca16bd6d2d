"""Equivalent dose in another species, by unbound drug in brain and, for comparison, by body surface area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ketamech.core import InputError, UnknownNameError, closest_match, convert
from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.dosing.dose_events import dose_events, micromoles
from ketamech.dosing.regimen import Regimen, require_species_kinetics
from ketamech.dosing.treatment import Treatment
from ketamech.parameters import HUMAN, Species, load_species
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.model import Model, load_model
from ketamech.simulation.output_times import output_times
from ketamech.simulation.scenario import perturbation_parameters

SURFACE = DATA / "species" / "surface.csv"
COLUMNS = ("species", "kilograms_per_square_metre", "place", "why")
MAX_HORIZON = 72.0  # h; no ketamine is left in any species after that
DEFAULT_ROUTE = {HUMAN: "IV over 40 min", "rat": "IP", "mouse": "IP"}
DRUGS = ("racemic ketamine", "esketamine", "arketamine")
PARENTS = ("brain.esketamine", "brain.arketamine")


@dataclass(frozen=True)
class Exposure:
    """Unbound ketamine in brain, both enantiomers: area (umol/L x h) and peak (umol/L)."""

    area: float
    peak: float


def equivalent_dose(
    sentence: str, source: str, target: str, *, route: str | None = None, model: Model | None = None
) -> pd.DataFrame:
    """The dose in `target` with the same exposure as `sentence` in `source`; `route`: route in the target species.

    One line per rule: rule, mg/kg, mg, matched quantity in umol/L (x h), source. Kinetics are linear in dose, so one
    simulation per species is sufficient. Raises InputError for anything but one dose of ketamine, for an unknown
    species, and for missing kinetics.
    """
    model = model or load_model()
    here, there = _species(source, "source"), _species(target, "target")
    dose = _in_species(_single(sentence), here)
    route_text = route or DEFAULT_ROUTE[there.name]
    unit_dose = _of_route(dose.drug, route_text, there)
    source_exposure, target_exposure = _exposure(model, here, dose), _exposure(model, there, unit_dose)
    weight = _weight(model, there)
    per_kilogram = _per_kilogram(model, here, dose)
    surface = _surface()
    by_surface = per_kilogram * surface[here.name] / surface[there.name]
    kinetics = f"tables of {here.name} and {there.name}; unbound share, partition and total ratio of the brain table"
    rules = (
        (
            "unbound brain area",
            source_exposure.area / target_exposure.area,
            f"{source_exposure.area:.3g} umol/L x h",
            kinetics,
        ),
        (
            "unbound brain peak",
            source_exposure.peak / target_exposure.peak,
            f"{source_exposure.peak:.3g} umol/L",
            kinetics,
        ),
        ("body surface", by_surface, "mg per square metre", "weight over surface, regulators' guidance (recalled)"),
    )
    columns = ["rule", "drug", "given", "mg/kg", "mg", "matched", "from"]
    lines = [
        (rule, dose.drug, route_text, float(x), float(x * weight), matched, where) for rule, x, matched, where in rules
    ]
    return pd.DataFrame(lines, columns=columns)


def _species(name: str, key: str) -> Species:
    """The species of the argument `key`. Raises UnknownNameError about it."""
    try:
        return load_species(name)
    except UnknownNameError as problem:
        raise problem.replace(key=key, type_this=None) from None


def _in_species(dose: Treatment, species: Species) -> Treatment:
    """A dose with kinetics in its species. Raises InputError about the argument `sentence`."""
    try:
        require_species_kinetics(Regimen((dose,)), species)
    except InputError as problem:
        raise problem.replace(key="dose", type_this=None) from None
    return dose


def _of_route(drug: str, route: str, species: Species) -> Treatment:
    """1 mg/kg by a route that the species has. Raises InputError about the argument `route`."""
    try:
        unit_dose = _single(f"{drug} 1 mg/kg {route}")
        require_species_kinetics(Regimen((unit_dose,)), species)
    except InputError as problem:
        if problem.key == "species":
            raise problem.replace(key="target", type_this=None) from None
        usual, what = DEFAULT_ROUTE[species.name], f"'{route}' is no route of {drug} in the {species.name}"
        raise InputError(what, key="route", expected=f"a route, perhaps 'over' a time, such as {usual}",
                         nearest=problem.nearest) from None  # fmt: skip
    return unit_dose


def _single(sentence: str) -> Treatment:
    treatments = Regimen.parse(sentence).treatments
    one = treatments[0]
    if len(treatments) > 1 or one.schedule or one.drug not in DRUGS:
        raise InputError(
            f"'{sentence}' is not one dose of ketamine",
            key="dose",
            expected=f"one dose of {', '.join(DRUGS)}",
            nearest=closest_match(one.drug, DRUGS),
            type_this='"ketamine 10 mg/kg IP"',
        )
    return one


def _exposure(model: Model, species: Species, dose: Treatment) -> Exposure:
    regimen = Regimen((dose,))
    values = perturbation_parameters(model.parameters, species, {}, ())
    events = dose_events(regimen, model.parameters, values, MAX_HORIZON)
    ends = [entry.time + entry.duration for entry in events]
    curves = run_subjects(
        model, [Subject("dose", events, values)], output_times(MAX_HORIZON, [dose.start, *ends], per_dose=200)
    )
    level = np.sum([curves[name].values[0] for name in PARENTS], axis=0)
    return Exposure(float(np.trapezoid(level, curves["time"].values)), float(level.max()))


def _weight(model: Model, species: Species) -> float:
    body_weight = species.values.get("person.weight") or model.parameters["person.weight"]
    return body_weight.canonical


def _per_kilogram(model: Model, species: Species, dose: Treatment) -> float:
    """Dose as mg/kg of free base."""
    values = perturbation_parameters(model.parameters, species, {}, ())

    def number(name: str) -> float:
        return values[name] if name in values else model.parameters[name].canonical

    molar_mass = model.parameters["drug.ketamine_molar_mass"].value
    milligrams = convert(float(micromoles(dose, number)), "umol", "mg", molar_mass=molar_mass)
    return milligrams / _weight(model, species)


def _surface() -> dict[str, float]:
    return {row["species"]: row.number("kilograms_per_square_metre") for row in read_table(SURFACE, COLUMNS)}
