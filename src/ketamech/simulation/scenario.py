"""A scenario: who is given what, which pathways are off, how long to look. A YAML file or one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ketamech.core import InputError
from ketamech.core.time_units import duration_text
from ketamech.dosing.applied_perturbation import AppliedPerturbation, read_perturbations
from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.read_regimen import parse_sentence
from ketamech.dosing.regimen import MAX_HORIZON_H, Regimen
from ketamech.dosing.species_routes import require_species_kinetics
from ketamech.dosing.subject import DoseEvent
from ketamech.parameters import HUMAN, ParameterTable, Species, load_connectome, load_species
from ketamech.simulation.model_variants import ModelVariant, model_variant

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
        return self.regimen.steady_state_cycle(self.values.get(name, parameters[name].canonical))


def load_scenario(
    source: str | Path | Regimen,
    parameters: ParameterTable | None = None,
    *,
    species: str | None = None,
    perturbations: Iterable[str] = (),
    wiring: str | None = None,
) -> Scenario:
    """A scenario from a YAML file, a sentence or a regimen, perhaps in another `species`, with `perturbations` added.

    A `wiring` (data/wirings) brings its rows and what was fitted for them; what the scenario itself sets wins.

    Raises BadInput with file, line, key, expectation, nearest valid name and what to type.
    """
    _check_source(source)
    from ketamech.parameters import load_parameters

    table = load_parameters() if parameters is None else parameters
    if not isinstance(source, Regimen) and (isinstance(source, Path) or _names_a_file(source)):
        from ketamech.simulation.scenario_reader import scenario_from_file  # YAML and its checks, loaded when needed

        return scenario_from_file(Path(source), table, species, tuple(perturbations), wiring)
    regimen, given = _regimen_and_perturbations(source, tuple(perturbations))
    return _scenario_of_regimen(
        regimen, given, table, load_species(species or HUMAN), model_variant(wiring or "", table)
    )


def _regimen_and_perturbations(
    source: str | Regimen, added: tuple[str, ...]
) -> tuple[Regimen, tuple[AppliedPerturbation, ...]]:
    """What is given, and what is done beside it: in the sentence, then what was added."""
    if isinstance(source, Regimen):
        if not source.treatments:
            raise InputError("the regimen is empty", expected="at least one treatment")
        return source, read_perturbations(added)
    sentence = parse_sentence(source)
    return Regimen(sentence.treatments()), read_perturbations((*sentence.perturbations, *added))


def _scenario_of_regimen(
    regimen: Regimen,
    perturbations: tuple[AppliedPerturbation, ...],
    table: ParameterTable,
    species: Species,
    variant: ModelVariant,
) -> Scenario:
    horizon = min(regimen.horizon(), MAX_HORIZON_H)
    values = perturbation_parameters(table, species, variant.parameter_values, perturbations)
    validate(regimen, table, values, horizon, species)
    check_no_early_events(regimen, perturbations)
    weight = species.values.get("person.weight") or table["person.weight"]
    notes = (f"body weight {weight.value:g} {weight.unit}, none was given",) if is_weight_based(regimen) else ()
    beside = [one.text for one in perturbations]
    title = " with ".join((regimen.sentence(exact=False), *beside)) + (
        "" if species.name == HUMAN else f" ({species.name})"
    )
    title += f" (wiring: {variant.name})" if variant.name else ""
    assumptions = (
        *notes,
        *assumption_about_salt(regimen),
        *assumption_about_adherence(regimen),
        *truncated_infusions(regimen, horizon),
        *variant.notes,
    )
    plain = species.name == HUMAN and not variant.name
    written = (
        " with ".join((regimen.sentence(), *beside))
        if plain
        else _scenario_text(regimen, species, perturbations, variant.name)
    )
    return Scenario(
        title, "", regimen, values, horizon, True, 1, written, assumptions, species.name, perturbations, variant.name
    )


def _scenario_text(
    regimen: Regimen, species: Species, perturbations: Iterable[AppliedPerturbation], wiring: str
) -> str:
    """A regimen and what is done beside it as the text of a scenario file, so that a run can be repeated."""
    lines = ["treatments:", *(f"  - {json.dumps(words)}" for words in regimen.sentences())]
    lines += [f"species: {species.name}", *([f"wiring: {wiring}"] if wiring else [])]
    lines += ["person:", "  weight: 70 kg"] if species.name == HUMAN and is_weight_based(regimen) else []
    phrases = [one.text for one in perturbations]
    lines += ["perturbations:", *(f"  - {json.dumps(phrase)}" for phrase in phrases)] if phrases else []
    return "\n".join(lines) + "\n"


def perturbation_parameters(
    table: ParameterTable, species: Species, own: Mapping[str, float], perturbations: Iterable[AppliedPerturbation]
) -> dict[str, float]:
    """What differs from the tables: first the species, then what the scenario sets, then each perturbation."""
    values = {**species.canonical, **own}
    for one in perturbations:
        values.update(one.values(table))
    return values


def check_no_early_events(regimen: Regimen, perturbations: Iterable[AppliedPerturbation]) -> None:
    """A steady state has no time before its start at which anything could be given."""
    early = [one for one in perturbations if one.time < 0 and one.events()]
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
    regimen.steady_state_cycle(table["expectancy.visit_gap"].canonical)
    dose_events(regimen, table, values, horizon)
    for treatment in regimen.treatments:
        if treatment.start >= horizon:
            raise InputError(
                f"{treatment.drug} would start at {treatment.start:g} h, after the {horizon:g} h that are looked at",
                key="horizon",
                expected="doses that start before the horizon",
                type_this=f"horizon: {treatment.start / 24 + 28:.0f} days",
            )


def is_table(source: str | Path) -> bool:
    """Whether an argument names a table of doses."""
    return Path(source).suffix.lower() in TABLES


def _check_source(source: object) -> None:
    if not isinstance(source, str | Path | Regimen):
        what = f"a scenario of type {type(source).__name__}"
        expected = "a sentence, a file, a Regimen or a Scenario"
        raise InputError(what, key="scenario", expected=expected, type_this='"racemic 0.5 mg/kg IV over 40 min"')
    if isinstance(source, str | Path) and is_table(source):
        what = "this is a table of doses, not a scenario"
        raise InputError(what, file=source, type_this=f"ketamech.simulate({str(source)!r})")


def _names_a_file(text: str) -> bool:
    if text.lower().endswith(_SUFFIXES):
        return True
    try:
        return Path(text).is_file()
    except OSError:  # a sentence longer than a file name may be
        return False


def is_weight_based(regimen: Regimen) -> bool:
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


def truncated_infusions(regimen: Regimen, horizon: float) -> tuple[str, ...]:
    """Infusions that are still running where the look ends."""
    found = []
    for treatment in regimen.treatments:
        starts = treatment.starts(horizon) if treatment.duration else []
        if starts and starts[-1] + treatment.lag + treatment.duration > horizon:
            end = duration_text(starts[-1] + treatment.lag + treatment.duration, exact=False)
            look = duration_text(horizon, exact=False)
            found.append(f"an infusion of {treatment.drug} that ends after {end} is looked at for {look} only")
    return tuple(found)
