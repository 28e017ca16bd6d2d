"""A scenario: regimen, perturbations, parameter values and horizon of one patient, and its checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ketamech.core import InputError
from ketamech.core.units import duration_text
from ketamech.dosing.dose_events import DoseEvent, ParameterLookup, dose_events
from ketamech.dosing.perturbations import AppliedPerturbation
from ketamech.dosing.regimen import Regimen, require_species_kinetics
from ketamech.parameters import HUMAN, ParameterTable, Species, load_connectome, load_species


@dataclass(frozen=True)
class Scenario:
    """A checked scenario. `values` {parameter: value, canonical units} differ from the tables.

    `horizon` in h. `perturbations` are applied in addition to the treatment; those before 0 h start the simulation
    early. With `control` the same patient is also simulated without the drug.
    """

    title: str
    description: str
    regimen: Regimen
    values: Mapping[str, float]
    horizon: float
    control: bool
    seed: int
    source: str
    assumptions: tuple[str, ...] = ()
    species: str = HUMAN
    perturbations: tuple[AppliedPerturbation, ...] = ()
    model_variant: str = ""

    def perturbation_events(self, number: ParameterLookup) -> tuple[DoseEvent, ...]:
        """Dose events of the perturbations, in order of time; `number` looks up a parameter (canonical units)."""
        found = [entry for given in self.perturbations for entry in given.events(number)]
        return tuple(sorted(found, key=lambda entry: float(entry.time)))

    def with_connectome(self, connectome: Path | None, receptors: Path | None) -> Scenario:
        """The scenario with a connectome, a receptor map or both from files; its own values take precedence."""
        named = [path for path in (connectome, receptors) if path]
        if not named:
            return self
        note = f"connectivity or receptor densities of brain areas from {' and '.join(path.name for path in named)}"
        values = {**load_connectome(connectome, receptors=receptors), **self.values}
        return replace(self, values=values, assumptions=(*self.assumptions, note))

    def steady_state_cycle(self, parameters: ParameterTable) -> tuple[Regimen, float]:
        """Regimen of the cycle that is repeated before the start, and its length (h; 0: a drug-free start)."""
        name = "expectancy.visit_gap"
        return self.regimen.steady_state_cycle(self.values.get(name, parameters[name].canonical))


def perturbation_parameters(
    table: ParameterTable, species: Species, own: Mapping[str, float], perturbations: Iterable[AppliedPerturbation]
) -> dict[str, float]:
    """Values that differ from the tables: of the species, then of the scenario (`own`), then of each perturbation."""
    values = {**species.canonical, **own}
    for one in perturbations:
        values.update(one.values(table))
    return values


def check_no_early_events(regimen: Regimen, perturbations: Iterable[AppliedPerturbation]) -> None:
    """Raise InputError for a perturbation before the start of a regimen at steady state."""
    early = [one for one in perturbations if one.time < 0 and one.enters]
    if early and any(treatment.at_steady_state for treatment in regimen.treatments):
        what = f"'{early[0].text}' comes before the start of a regimen at steady state"
        expected, example = "a time of 0 h or later", f"{early[0].perturbation.name} at 0 h"
        raise InputError(what, key="with", expected=expected, type_this=example)


def validate(
    regimen: Regimen, table: ParameterTable, values: Mapping[str, float], horizon: float, species: Species | None = None
) -> None:
    """Raise InputError for a regimen that cannot be given to the typical patient, or starts after the horizon (h)."""
    require_species_kinetics(regimen, species or load_species(HUMAN))
    regimen.steady_state_cycle(table["expectancy.visit_gap"].canonical)
    dose_events(regimen, table, values, horizon)
    for treatment in regimen.treatments:
        if treatment.start >= horizon:
            what = f"{treatment.drug} would start at {treatment.start:g} h, after the horizon of {horizon:g} h"
            expected, later = "doses that start before the horizon", f"horizon: {treatment.start / 24 + 28:.0f} days"
            raise InputError(what, key="horizon", expected=expected, type_this=later)


def is_weight_based(regimen: Regimen) -> bool:
    """Whether a dose is per body weight."""
    return any("/kg" in treatment.unit for treatment in regimen.treatments)


def assumption_about_salt(regimen: Regimen) -> tuple[str, ...]:
    """Notes on the salt to which each mass refers."""
    weighed = [treatment for treatment in regimen.treatments if treatment.amount is not None]
    named = dict.fromkeys((treatment.drug, treatment.salt) for treatment in weighed)
    words = {"base": "free base, no salt was named", "hydrochloride": "hydrochloride, as named"}
    return tuple(f"doses of {drug} are masses of {words[salt]}" for drug, salt in named)


def assumption_about_adherence(regimen: Regimen) -> tuple[str, ...]:
    """Note on missed doses: they apply to virtual patients, but not to the typical patient."""
    by_chance = any(treatment.miss_probability for treatment in regimen.treatments)
    note = "the typical patient misses no dose at random; virtual patients (--patients, people) do"
    return (note,) if by_chance else ()


def truncated_infusions(regimen: Regimen, horizon: float) -> tuple[str, ...]:
    """Notes on infusions that end after the horizon (h)."""
    found = []
    for treatment in regimen.treatments:
        starts = treatment.starts(horizon) if treatment.duration else []
        if starts and starts[-1] + treatment.lag + treatment.duration > horizon:
            end = duration_text(starts[-1] + treatment.lag + treatment.duration, exact=False)
            simulated = duration_text(horizon, exact=False)
            found.append(f"an infusion of {treatment.drug} that ends after {end} is simulated for {simulated} only")
    return tuple(found)
