"""A scenario from a sentence, a regimen or a YAML file.

Reads a scenario file into a checked scenario; every error names file, line and key.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from ketamech.core import InputError
from ketamech.core.yaml_lines import Path_, read_yaml, read_yaml_text
from ketamech.dosing.drugs import drug, route
from ketamech.dosing.parse import parse_duration
from ketamech.dosing.parse_errors import shorten_text
from ketamech.dosing.perturbations import AppliedPerturbation, read_perturbation, read_perturbations
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.regimen_reader import Sentence, parse_sentence
from ketamech.dosing.treatment import MAX_HORIZON_H, Treatment
from ketamech.parameters import HUMAN, ParameterTable, Species, load_parameters, load_species
from ketamech.simulation.model_variants import ModelVariant, model_variant
from ketamech.simulation.parameter_overrides import OverrideReader
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
from ketamech.simulation.scenario_schema import SCENARIO_FILE, ScenarioFile, TreatmentKeys, to_input_error


def scenario_from_file(
    path: Path, table: ParameterTable, species: str | None = None, added: tuple[str, ...] = (),
    wiring: str | None = None,
) -> Scenario:  # fmt: skip
    """The scenario of a YAML file, with `added` perturbations and an optional model variant (`wiring`).

    Raises InputError with file, line and key.
    """
    content, lines = read_yaml(path)
    parsed = _validated(content, lines, path)
    source = path.read_text(encoding="utf-8-sig")
    return scenario_from_keys(
        parsed, table, path, lines, source=source, species=species, added=added, wiring=wiring
    )  # fmt: skip


def keys_from_text(text: str, name: str) -> ScenarioFile:
    """The keys of a scenario in YAML text; `name` replaces the file name in errors. Raises InputError."""
    path = Path(name)
    content, lines = read_yaml_text(text, path)
    return _validated(content, lines, path)


def scenario_from_text(text: str, table: ParameterTable, name: str) -> Scenario:
    """The scenario of a YAML text; `name` replaces the file name in errors. Raises InputError with line and key."""
    path = Path(name)
    content, lines = read_yaml_text(text, path)
    return scenario_from_keys(_validated(content, lines, path), table, path, lines, source=text)


def _validated(content: Mapping[str, object], lines: Mapping[Path_, int], path: Path) -> ScenarioFile:
    try:
        return ScenarioFile.model_validate({key: value for key, value in content.items() if value is not None})
    except ValidationError as problem:
        raise to_input_error(problem.errors(), path, lines, SCENARIO_FILE) from None


def scenario_from_keys(
    parsed: ScenarioFile, table: ParameterTable, path: Path, lines: Mapping[Path_, int], *, source: str = "",
    species: str | None = None, added: tuple[str, ...] = (), wiring: str | None = None,
) -> Scenario:  # fmt: skip
    """The checked scenario of valid keys. `lines` may be empty where there is no file. Raises InputError."""
    sentences = [_sentence(given, i, path, lines) for i, given in enumerate(parsed.treatments)]
    first_day = 0 if any(sentence.names_day_zero for sentence in sentences) else 1
    listed = [
        (i, treatment)
        for i, (given, sentence) in enumerate(zip(parsed.treatments, sentences, strict=True))
        for treatment in _treatments(given, sentence, first_day, i, path, lines)
    ]
    regimen = Regimen(tuple(treatment for _, treatment in listed))
    animal = _species(species or parsed.species, path, lines)
    given = _perturbations(parsed, sentences, added, path, lines)
    variant = _variant(parsed.wiring if wiring is None else wiring, table, path, lines)
    own = {**variant.parameter_values, **OverrideReader(path, lines, table, animal.name).all(parsed)}
    values = perturbation_parameters(table, animal, own, given)
    if is_weight_based(regimen) and "person.weight" not in values:
        raise _missing_weight_error(path, lines)
    horizon = _horizon(parsed.horizon, path, lines) if parsed.horizon else min(regimen.horizon(), MAX_HORIZON_H)
    try:
        validate(regimen, table, values, horizon, animal)
        check_no_early_events(regimen, given)
    except InputError as problem:
        place = ("treatments", listed[_offending_treatment(regimen, table, values, horizon, animal)][0])
        raise _with_location(problem, path, lines.get(place), problem.key) from None
    return Scenario(
        parsed.title,
        parsed.description,
        regimen,
        values,
        horizon,
        parsed.control,
        parsed.seed,
        _source_text(source or parsed.text(), parsed, species, added, variant.name),
        (
            *assumption_about_salt(regimen),
            *assumption_about_adherence(regimen),
            *truncated_infusions(regimen, horizon),
            *variant.notes,
        ),
        animal.name,
        given,
        variant.name,
    )


def _source_text(text: str, parsed: ScenarioFile, species: str | None, added: tuple[str, ...], wiring: str) -> str:
    """The text of the file with options that were given outside it, where the file has no such key."""
    text = text.rstrip("\n") + "\n"
    if species and "species" not in parsed.model_fields_set:
        text += f"species: {species}\n"
    if wiring and "wiring" not in parsed.model_fields_set:
        text += f"wiring: {wiring}\n"
    if added and not parsed.perturbations:
        text += "perturbations:\n" + "".join(f"  - {json.dumps(phrase)}\n" for phrase in added)
    return text


def _species(name: str, path: Path, lines: Mapping[Path_, int]) -> Species:
    try:
        return load_species(name)
    except InputError as problem:
        raise _with_location(problem, path, lines.get(("species",)), "species") from None


def _variant(name: str, table: ParameterTable, path: Path, lines: Mapping[Path_, int]) -> ModelVariant:
    try:
        return model_variant(name, table)
    except InputError as problem:
        raise _with_location(problem, path, lines.get(("wiring",)), "wiring") from None


def _perturbations(
    parsed: ScenarioFile, sentences: list[Sentence], added: tuple[str, ...], path: Path, lines: Mapping[Path_, int]
) -> tuple[AppliedPerturbation, ...]:
    """Perturbations of sentences ("... with ..."), of the list in the file, and those added."""
    in_sentences = [phrase for sentence in sentences for phrase in sentence.perturbations]
    listed: list[AppliedPerturbation] = []
    for i, phrase in enumerate(parsed.perturbations if isinstance(parsed.perturbations, list) else []):
        try:
            listed.append(read_perturbation(phrase))
        except InputError as problem:
            line = lines.get(("perturbations", i)) or lines.get(("perturbations",))
            raise _with_location(problem, path, line, f"perturbations[{i}]") from None
    try:
        return read_perturbations([*in_sentences, *listed, *added])
    except InputError as problem:
        raise _with_location(
            problem, path, lines.get(("perturbations",)) or lines.get(("treatments",)), problem.key
        ) from None


def _sentence(given: str | TreatmentKeys, i: int, path: Path, lines: Mapping[Path_, int]) -> Sentence:
    try:
        if isinstance(given, TreatmentKeys):
            named = drug(given.drug)
            if given.route:
                route(named, given.route)
        return parse_sentence(given if isinstance(given, str) else given.sentence())
    except InputError as problem:
        raise _treatment_error(problem, given, i, path, lines) from None


def _treatments(
    given: str | TreatmentKeys, sentence: Sentence, first_day: int, i: int, path: Path, lines: Mapping[Path_, int]
) -> tuple[Treatment, ...]:
    try:
        return sentence.treatments(first_day)
    except InputError as problem:
        raise _treatment_error(problem, given, i, path, lines) from None


def _treatment_error(
    problem: InputError, given: str | TreatmentKeys, i: int, path: Path, lines: Mapping[Path_, int]
) -> InputError:
    """The error about a treatment of the list, at its line and key."""
    key = problem.key if isinstance(given, str) else _field(given, problem)
    line = lines.get(("treatments", i, key or "")) or lines.get(("treatments", i))
    return _with_location(problem, path, line, f"treatments[{i}]" + (f".{key}" if key else ""))


def _field(given: TreatmentKeys, problem: InputError) -> str | None:
    """The key of a spelled-out treatment that an error is about: the one it names, or whose text it quotes."""
    if problem.key in TreatmentKeys.model_fields:
        return problem.key
    quoted = problem.what.split(" in '")[0]
    texts_by_key = given.model_dump(exclude_none=True)
    return next((key for key, words in texts_by_key.items() if words and words in quoted), problem.key)


def _offending_treatment(
    regimen: Regimen, table: ParameterTable, values: Mapping[str, float], horizon: float, species: Species
) -> int:
    """Index of the treatment with which the list becomes invalid: every longer list is invalid too."""

    def refused(n: int) -> bool:
        try:
            validate(Regimen(regimen.treatments[:n]), table, values, horizon, species)
        except InputError:
            return True
        return False

    return bisect_left(range(1, len(regimen.treatments)), True, key=refused)


def _with_location(problem: InputError, path: Path, line: int | None, key: str | None) -> InputError:
    """The same error with file, line and key."""
    return InputError(
        problem.what,
        file=path,
        line=line,
        key=key,
        expected=problem.expected,
        nearest=problem.nearest,
        type_this=problem.type_this,
    )


def _missing_weight_error(path: Path, lines: Mapping[Path_, int]) -> InputError:
    return InputError(
        "a dose per kilogram needs a body weight",
        file=path,
        line=lines.get(("person", "weight")) or lines.get(("person",)) or lines.get(("treatments",)),
        key="person.weight",
        expected="the weight of this patient",
        type_this="person:\n          weight: 70 kg",
    )


def _horizon(text: str, path: Path, lines: Mapping[Path_, int]) -> float:
    expected = "between 1 h and 2 years, e.g. 28 days, 3 months, 1 year"
    try:
        hours = parse_duration(text)
    except InputError:
        hours = math.nan
    if not 1.0 <= hours <= MAX_HORIZON_H:
        what = f"'{shorten_text(text)}' is not a valid horizon"
        raise InputError(what, file=path, line=lines.get(("horizon",)), key="horizon", expected=expected)
    return hours


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
        from ketamech.simulation.load_scenario import scenario_from_file  # pydantic and YAML are slow to import

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
