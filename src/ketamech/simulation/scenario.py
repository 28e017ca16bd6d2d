"""A scenario: who is given what, which pathways are off, how long to look. A YAML file or one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ketamech.core import InputError
from ketamech.core.time_units import duration_text
from ketamech.dosing.applied_perturbation import AppliedPerturbation
from ketamech.dosing.dose_event import DoseEvent
from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.species_routes import require_species_kinetics
from ketamech.parameters import HUMAN, ParameterTable, Species, load_connectome, load_species

_SUFFIXES = (".yaml", ".yml")
TABLES = (".csv", ".tsv", ".dat", ".prn", ".nm", ".tab", ".txt")  # of tables of doses


@dataclass(frozen=True)
class Scenario:
    """A checked scenario. `values`: parameters that differ (species, person, perturbations), canonical units.

    `horizon` in h. `perturbations` are what is done beside the treatment; those before 0 h start the look early.
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

    @property
    def perturbation_events(self) -> tuple[DoseEvent, ...]:
        """What the perturbations put into which state, in order of time."""
        found = [entry for given in self.perturbations for entry in given.events()]
        return tuple(sorted(found, key=lambda entry: float(entry.time)))

    def with_connectome(self, connectome: Path | None, receptors: Path | None) -> Scenario:
        """The same scenario over a connectome, a receptor map or both from files; what it sets itself stays."""
        named = [path for path in (connectome, receptors) if path]
        if not named:
            return self
        note = f"brain areas are joined, or hold receptors, as {' and '.join(path.name for path in named)} says"
        values = {**load_connectome(connectome, receptors=receptors), **self.values}
        return replace(self, values=values, assumptions=(*self.assumptions, note))

    def steady_state_cycle(self, parameters: ParameterTable) -> tuple[Regimen, float]:
        """What repeats itself before the start, and after how many hours (0: the start is drug-free)."""
        name = "expectancy.visit_gap"
        return self.regimen.cycle(self.values.get(name, parameters[name].canonical))


def perturbation_parameters(
    table: ParameterTable, species: Species, own: Mapping[str, float], given: Iterable[AppliedPerturbation]
) -> dict[str, float]:
    """What differs from the tables: first the species, then what the scenario sets, then each perturbation."""
    values = {**species.canonical, **own}
    for one in given:
        values.update(one.values(table))
    return values


def check_no_early_events(regimen: Regimen, given: Iterable[AppliedPerturbation]) -> None:
    """A steady state has no time before its start at which anything could be given."""
    early = [one for one in given if one.time < 0 and one.events()]
    if early and any(treatment.at_steady_state for treatment in regimen.treatments):
        what = f"'{early[0].text}' comes before the start of a regimen at steady state"
        raise InputError(
            what, key="with", expected="a time of 0 h or later", type_this=f"{early[0].perturbation.name} at 0 h"
        )


def validate(
    regimen: Regimen,
    table: ParameterTable,
    values: Mapping[str, float],
    horizon: float,
    species: Species | None = None,
) -> None:
    """Refuse now, before anything is simulated or written, what cannot be given or would never be given."""
    require_species_kinetics(regimen, species or load_species(HUMAN))
    regimen.cycle(table["expectancy.visit_gap"].canonical)
    dose_events(regimen, table, values, horizon)
    for treatment in regimen.treatments:
        if treatment.start >= horizon:
            raise InputError(
                f"{treatment.drug} would start at {treatment.start:g} h, after the {horizon:g} h that are looked at",
                key="horizon",
                expected="doses that start before the horizon",
                type_this=f"horizon: {treatment.start / 24 + 28:.0f} days",
            )


def per_kilogram(regimen: Regimen) -> bool:
    """Whether a dose goes by body weight."""
    return any("/kg" in treatment.unit for treatment in regimen.treatments)


def assumption_about_salt(regimen: Regimen) -> tuple[str, ...]:
    """What each mass is taken to be a mass of."""
    weighed = [treatment for treatment in regimen.treatments if treatment.amount is not None]
    named = dict.fromkeys((treatment.drug, treatment.salt) for treatment in weighed)
    words = {"base": "free base, no salt was named", "hydrochloride": "hydrochloride, as named"}
    return tuple(f"doses of {drug} are masses of {words[salt]}" for drug, salt in named)


def assumption_about_adherence(regimen: Regimen) -> tuple[str, ...]:
    """What the typical person is spared and each of many is not."""
    by_chance = any(treatment.miss_probability for treatment in regimen.treatments)
    return ("the typical person misses no dose by chance; --patients draws who does",) if by_chance else ()


def cut_short(regimen: Regimen, horizon: float) -> tuple[str, ...]:
    """Infusions that are still running where the look ends."""
    found = []
    for treatment in regimen.treatments:
        starts = treatment.starts(horizon) if treatment.duration else []
        if starts and starts[-1] + treatment.lag + treatment.duration > horizon:
            end = duration_text(starts[-1] + treatment.lag + treatment.duration, exact=False)
            look = duration_text(horizon, exact=False)
            found.append(f"an infusion of {treatment.drug} that ends after {end} is looked at for {look} only")
    return tuple(found)
