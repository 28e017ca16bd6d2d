"""A scenario from a sentence, a regimen or a YAML file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from ketamech.core import InputError
from ketamech.dosing.applied_perturbation import AppliedPerturbation, read_perturbations
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.sentence import parse_sentence
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.parameters import HUMAN, ParameterTable, Species, load_parameters, load_species
from ketamech.simulation.model_variants import ModelVariant, model_variant
from ketamech.simulation.scenario import (
    Scenario,
    assumption_about_adherence,
    assumption_about_salt,
    check_no_early_events,
    is_weight_based,
    perturbation_parameters,
    truncated_infusions,
    validate,
)

_SUFFIXES = (".yaml", ".yml")
TABLES = (".csv", ".tsv", ".dat", ".prn", ".nm", ".tab", ".txt")  # suffixes of dose tables


def load_scenario(
    source: str | Path | Regimen,
    parameters: ParameterTable | None = None,
    *,
    species: str | None = None,
    perturbations: Iterable[str] = (),
    wiring: str | None = None,
) -> Scenario:
    """A scenario from a YAML file, a sentence or a regimen, perhaps in another `species`, with `perturbations` added.

    A model variant (`wiring`, data/wirings) sets its parameters; values of the scenario itself take precedence.

    Raises InputError with file, line, key, expectation, nearest valid name and a correction to type.
    """
    _check_source(source)
    table = load_parameters() if parameters is None else parameters
    if not isinstance(source, Regimen) and (isinstance(source, Path) or _names_a_file(source)):
        from ketamech.simulation.scenario_reader import scenario_from_file  # pydantic and YAML are slow to import

        return scenario_from_file(Path(source), table, species, tuple(perturbations), wiring)
    regimen, given = _regimen_and_perturbations(source, tuple(perturbations))
    return _scenario_of_regimen(
        regimen, given, table, load_species(species or HUMAN), model_variant(wiring or "", table)
    )


def _regimen_and_perturbations(
    source: str | Regimen, added: tuple[str, ...]
) -> tuple[Regimen, tuple[AppliedPerturbation, ...]]:
    """The regimen, and the perturbations of the sentence followed by the `added` ones."""
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
    texts = [perturbation.text for perturbation in perturbations]
    title = " with ".join((regimen.sentence(exact=False), *texts)) + (
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
        " with ".join((regimen.sentence(), *texts))
        if plain
        else _scenario_text(regimen, species, perturbations, variant.name)
    )
    return Scenario(
        title, "", regimen, values, horizon, True, 1, written, assumptions, species.name, perturbations, variant.name
    )


def _scenario_text(
    regimen: Regimen, species: Species, perturbations: Iterable[AppliedPerturbation], wiring: str
) -> str:
    """A regimen and its perturbations as the text of a scenario file, so that a run can be repeated."""
    lines = ["treatments:", *(f"  - {json.dumps(words)}" for words in regimen.sentences())]
    lines += [f"species: {species.name}", *([f"wiring: {wiring}"] if wiring else [])]
    lines += ["person:", "  weight: 70 kg"] if species.name == HUMAN and is_weight_based(regimen) else []
    phrases = [one.text for one in perturbations]
    lines += ["perturbations:", *(f"  - {json.dumps(phrase)}" for phrase in phrases)] if phrases else []
    return "\n".join(lines) + "\n"


def is_table(source: str | Path) -> bool:
    """Whether an argument names a dose table."""
    return Path(source).suffix.lower() in TABLES


def _check_source(source: object) -> None:
    if not isinstance(source, str | Path | Regimen):
        what = f"a scenario of type {type(source).__name__}"
        expected = "a sentence, a file, a Regimen or a Scenario"
        raise InputError(what, key="scenario", expected=expected, type_this='"racemic 0.5 mg/kg IV over 40 min"')
    if isinstance(source, str | Path) and is_table(source):
        what = "this is a dose table, not a scenario"
        raise InputError(what, file=source, type_this=f"ketamech.simulate({str(source)!r})")


def _names_a_file(text: str) -> bool:
    if text.lower().endswith(_SUFFIXES):
        return True
    try:
        return Path(text).is_file()
    except OSError:  # a sentence longer than a file name may be
        return False
