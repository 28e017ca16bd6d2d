"""Scenarios from sentences, regimens and YAML files; an error in a file names file, line and key."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, SupportsFloat

from ketamech.core import InputError
from ketamech.core.data_frames import DataFrame
from ketamech.core.errors import FRAME
from ketamech.core.yaml_lines import YAML_SUFFIXES, Path_, YamlSource, read_yaml, read_yaml_text
from ketamech.dosing.drugs import drug, route
from ketamech.dosing.lexicon import MAX_TEXT_LENGTH
from ketamech.dosing.parse import parse_duration
from ketamech.dosing.parse_errors import shorten_text
from ketamech.dosing.perturbations import (
    AppliedPerturbation,
    read_added_perturbations,
    read_perturbation,
    read_perturbations,
)
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.regimen_reader import Sentence, first_day, parse_sentence
from ketamech.dosing.treatment import MAX_HORIZON_H, Treatment
from ketamech.parameters import HUMAN, ParameterTable, Species, load_parameters, load_species
from ketamech.simulation.model_variants import ModelVariant, model_variant
from ketamech.simulation.parameter_overrides import OverrideReader, OwnSettings
from ketamech.simulation.scenario import (
    Scenario,
    check_no_early_events,
    is_weight_based,
    notes_on_every_patient,
    notes_on_the_typical_patient,
    perturbation_parameters,
    validate,
)

if TYPE_CHECKING:
    from ketamech.simulation.scenario_schema import ScenarioFile, TreatmentKeys

Settings = Mapping[str, float | str]
NO_SETTINGS: Settings = {}
NO_FILE = YamlSource(None, {})
TABLE_SUFFIXES = (".csv", ".tsv", ".dat", ".prn", ".nm", ".tab", ".txt")


def scenario_from_file(
    path: Path, table: ParameterTable, species: str | None = None, added: tuple[str, ...] = (),
    variant: str | None = None, person: Settings = NO_SETTINGS, parameter_values: Settings = NO_SETTINGS,
) -> Scenario:  # fmt: skip
    """The scenario of a YAML file, with `added` perturbations and an optional model variant.

    `person` and `parameter_values` replace values of the keys `person` and `parameters` of the file. Raises InputError
    with file, line and key.
    """
    content, lines = read_yaml(path)
    parsed = _validated(content, YamlSource(path, lines))
    text = path.read_text(encoding="utf-8-sig")
    if person or parameter_values:
        OverrideReader(NO_FILE, table, species or parsed.species).all(settings_only(person, parameter_values))
        changed = {"person": {**parsed.person, **person}, "parameters": {**parsed.parameters, **parameter_values}}
        parsed, text = parsed.model_copy(update=changed), ""
    return scenario_from_keys(parsed, table, path, lines, source=text, species=species, added=added, variant=variant)


def keys_from_text(text: str, name: str) -> ScenarioFile:
    """The keys of a scenario in YAML text; `name` replaces the file name in errors. Raises InputError."""
    return _keys_and_source(text, name)[0]


def scenario_from_text(text: str, table: ParameterTable, name: str) -> Scenario:
    """The scenario of a YAML text; `name` replaces the file name in errors. Raises InputError with line and key."""
    keys, source = _keys_and_source(text, name)
    return scenario_from_keys(keys, table, Path(name), source.lines, source=text)


def _keys_and_source(text: str, name: str) -> tuple[ScenarioFile, YamlSource]:
    content, lines = read_yaml_text(text, Path(name))
    source = YamlSource(Path(name), lines)
    return _validated(content, source), source


def _validated(content: Mapping[str, object], source: YamlSource) -> ScenarioFile:
    from ketamech.simulation.scenario_schema import SCENARIO_FILE, validated

    keys: ScenarioFile = validated(content, source, SCENARIO_FILE)
    return keys


def scenario_from_keys(
    parsed: ScenarioFile, table: ParameterTable, path: Path, lines: Mapping[Path_, int], *, source: str = "",
    species: str | None = None, added: tuple[str, ...] = (), variant: str | None = None,
) -> Scenario:  # fmt: skip
    """The checked scenario of valid keys. `lines` may be empty where there is no file. Raises InputError."""
    file = YamlSource(path, lines)
    sentences = [_sentence(item, i, file) for i, item in enumerate(parsed.treatments)]
    first = first_day(sentences)
    listed = [
        (i, treatment)
        for i, (item, sentence) in enumerate(zip(parsed.treatments, sentences, strict=True))
        for treatment in _treatments(item, sentence, first, i, file)
    ]
    regimen = Regimen(tuple(treatment for _, treatment in listed))
    animal = file.with_location(("species",), partial(load_species, species or parsed.species))
    perturbations = _perturbations(parsed, sentences, added, file)
    name = parsed.variant if variant is None else variant
    hypothesis = file.with_location(("variant",), partial(model_variant, name, table))
    own = {**hypothesis.parameter_values, **OverrideReader(file, table, animal.name).all(parsed)}
    values = perturbation_parameters(table, animal, own, perturbations)
    if is_weight_based(regimen) and "person.weight" not in values:
        line, weight = file.line(("person", "weight"), ("treatments",)), "person:\n          weight: 70 kg"
        raise InputError("a dose per kilogram needs a body weight", file=path, line=line, key="person.weight",
                         expected="the weight of this patient", type_this=weight)  # fmt: skip
    horizon = _horizon(parsed.horizon, file) if parsed.horizon else min(regimen.horizon(), MAX_HORIZON_H)
    try:
        validate(regimen, table, values, horizon, animal)
        check_no_early_events(regimen, perturbations)
    except InputError as problem:
        place = ("treatments", listed[_offending_treatment(regimen, table, values, horizon, animal)][0])
        raise problem.replace(file=path, line=file.line(place)) from None
    text = _source_text(source or parsed.text(), parsed, species, added, hypothesis.name)
    notes = (*notes_on_every_patient(regimen, horizon, table, values, own, animal.name), *hypothesis.notes)
    return Scenario(
        parsed.title, parsed.description, regimen, values, horizon, parsed.control, parsed.seed, text, notes,
        animal.name, perturbations, hypothesis.name, notes_on_the_typical_patient(regimen, table, own, animal),
    )  # fmt: skip


def _source_text(text: str, parsed: ScenarioFile, species: str | None, added: tuple[str, ...], variant: str) -> str:
    """The text of the file with options that were given outside it, where the file has no such key."""
    text = text.rstrip("\n") + "\n"
    if species and "species" not in parsed.model_fields_set:
        text += f"species: {species}\n"
    if variant and "variant" not in parsed.model_fields_set:
        text += f"variant: {variant}\n"
    if added and not parsed.perturbations:
        text += "perturbations:\n" + "".join(f"  - {json.dumps(phrase)}\n" for phrase in added)
    return text


def _perturbations(
    parsed: ScenarioFile, sentences: list[Sentence], added: tuple[str, ...], file: YamlSource
) -> tuple[AppliedPerturbation, ...]:
    """Perturbations of sentences ("... with ..."), of the list in the file, and those added."""
    in_sentences = [phrase for sentence in sentences for phrase in sentence.perturbations]
    phrases = parsed.perturbations if isinstance(parsed.perturbations, list) else []
    listed = [
        file.with_location(("perturbations", i), partial(read_perturbation, one)) for i, one in enumerate(phrases)
    ]
    extra = read_added_perturbations(added)
    try:
        return read_perturbations([*in_sentences, *listed, *extra])
    except InputError as problem:
        raise problem.replace(file=file.path, line=file.line(("perturbations",), ("treatments",))) from None


def _sentence(treatment_keys: str | TreatmentKeys, i: int, file: YamlSource) -> Sentence:
    try:
        if not isinstance(treatment_keys, str):
            named = drug(treatment_keys.drug)
            if treatment_keys.route:
                route(named, treatment_keys.route)
        return parse_sentence(treatment_keys if isinstance(treatment_keys, str) else treatment_keys.sentence())
    except InputError as problem:
        raise _treatment_error(problem, treatment_keys, i, file) from None


def _treatments(
    treatment_keys: str | TreatmentKeys, sentence: Sentence, first_day: int, i: int, file: YamlSource
) -> tuple[Treatment, ...]:
    try:
        return sentence.treatments(first_day)
    except InputError as problem:
        raise _treatment_error(problem, treatment_keys, i, file) from None


def _treatment_error(problem: InputError, treatment_keys: str | TreatmentKeys, i: int, file: YamlSource) -> InputError:
    """The error about a treatment of the list, at its line and key."""
    key = problem.key if isinstance(treatment_keys, str) else _field(treatment_keys, problem)
    where: Path_ = ("treatments", i, key) if key else ("treatments", i)
    return file.error(where, problem.what, problem.expected, problem.nearest, problem.type_this)


def _field(treatment_keys: TreatmentKeys, problem: InputError) -> str | None:
    """The key of a spelled-out treatment that an error is about: the one it names, or whose text it quotes."""
    if problem.key in type(treatment_keys).model_fields:
        return problem.key
    quoted = problem.what.split(" in '")[0]
    texts_by_key = treatment_keys.model_dump(exclude_none=True)
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


def _horizon(text: str, file: YamlSource) -> float:
    try:
        hours = parse_duration(text)
    except InputError:
        hours = math.nan
    if not 1.0 <= hours <= MAX_HORIZON_H:
        expected = "between 1 h and 2 years, e.g. 28 days, 3 months, 1 year"
        raise file.error(("horizon",), f"'{shorten_text(text)}' is not a valid horizon", expected)
    return hours


def load_scenario(
    source: str | Path | Regimen, table: ParameterTable | None = None, *, species: str | None = None,
    perturbations: str | Iterable[str] = (), variant: str | None = None, person: Settings | None = None,
    parameter_values: Settings | None = None,
) -> Scenario:  # fmt: skip
    """A scenario from a YAML file, a sentence or a regimen, perhaps in another `species`, with `perturbations` added.

    A model `variant` (data/variants) sets its parameters; values of the scenario itself take precedence. `person` and
    `parameter_values` are the keys `person` and `parameters` of a scenario file: {"weight": "90 kg"} and
    {"plasticity.calcium_rate_constant": 8};
    a number without a unit is in the unit of the parameter table.

    Raises InputError with file, line, key, expectation, nearest valid name and a correction to type.
    """
    _check_source(source)
    table = load_parameters() if table is None else table
    added = (perturbations,) if isinstance(perturbations, str) else tuple(perturbations)
    if not isinstance(source, Regimen) and (isinstance(source, Path) or _names_a_file(source)):
        return scenario_from_file(Path(source), table, species, added, variant, person or {}, parameter_values or {})
    regimen, applied = _regimen_and_perturbations(source, added)
    animal, hypothesis = load_species(species or HUMAN), model_variant(variant or "", table)
    return _scenario_of_regimen(regimen, applied, table, animal, hypothesis, settings_only(person, parameter_values))


def _regimen_and_perturbations(
    source: str | Regimen, added: tuple[str, ...]
) -> tuple[Regimen, tuple[AppliedPerturbation, ...]]:
    """The regimen, and the perturbations of the sentence followed by the `added` ones."""
    if isinstance(source, Regimen):
        if not source.treatments:
            raise InputError("the regimen is empty", expected="at least one treatment")
        return source, read_added_perturbations(added)
    try:
        sentence = parse_sentence(source)
    except InputError as problem:
        raise _folder_error(source) or problem from None
    extra = read_added_perturbations(added)
    return Regimen(sentence.treatments()), read_perturbations((*sentence.perturbations, *extra))


def _scenario_of_regimen(
    regimen: Regimen, perturbations: tuple[AppliedPerturbation, ...], table: ParameterTable, species: Species,
    variant: ModelVariant, settings: OwnSettings,
) -> Scenario:  # fmt: skip
    horizon = min(regimen.horizon(), MAX_HORIZON_H)
    own = OverrideReader(NO_FILE, table, species.name).all(settings)
    values = perturbation_parameters(table, species, {**variant.parameter_values, **own}, perturbations)
    validate(regimen, table, values, horizon, species)
    check_no_early_events(regimen, perturbations)
    texts = [perturbation.text for perturbation in perturbations]
    title = " with ".join((regimen.sentence(exact=False), *texts))
    title += "" if species.name == HUMAN else f" ({species.name})"
    title += f" (variant: {variant.name})" if variant.name else ""
    written = " with ".join((regimen.sentence(), *texts))
    if species.name != HUMAN or variant.name or own or len(written) > MAX_TEXT_LENGTH:
        written = _scenario_text(regimen, species, perturbations, variant.name, settings)
    notes = (*notes_on_every_patient(regimen, horizon, table, values, own, species.name), *variant.notes)
    return Scenario(
        title, "", regimen, values, horizon, True, 1, written, notes, species.name, perturbations, variant.name,
        notes_on_the_typical_patient(regimen, table, own, species),
    )  # fmt: skip


def _scenario_text(
    regimen: Regimen, species: Species, perturbations: Iterable[AppliedPerturbation], variant: str,
    settings: OwnSettings,
) -> str:  # fmt: skip
    """A regimen and its perturbations as the text of a scenario file, so that a run can be repeated."""
    from ketamech.simulation.scenario_schema import ScenarioFile

    weight = {"weight": "70 kg"} if species.name == HUMAN and is_weight_based(regimen) else {}
    keys = {
        "treatments": list(regimen.sentences()), "person": {**weight, **settings.person}, "species": species.name,
        "variant": variant, "perturbations": [perturbation.text for perturbation in perturbations],
    }  # fmt: skip
    return ScenarioFile.model_validate({**keys, "parameters": settings.parameters}).text()


def settings_only(person: Settings | None, parameter_values: Settings | None) -> OwnSettings:
    """The keys `person` and `parameters` of a scenario file without treatments. Raises InputError."""
    for key, settings in (("person", person), ("parameter_values", parameter_values)):
        if settings is not None and not isinstance(settings, Mapping):
            what, example = f"{key} of type {type(settings).__name__}", f'{key}={{"weight": "90 kg"}}'
            raise InputError(what, key=key, expected="names and values", type_this=example if key == "person" else None)
        for name, value in (settings or {}).items():
            if not isinstance(value, str | SupportsFloat):
                what, expected = f"{name} of type {type(value).__name__}", 'a number, or a text such as "90 kg"'
                raise InputError(what, key=key, expected=expected)
    plain = [
        {n: v if isinstance(v, str) else float(v) for n, v in (part or {}).items()}
        for part in (person, parameter_values)
    ]
    return OwnSettings(person=plain[0], parameters=plain[1])


def is_table(source: object) -> bool:
    """Whether an argument is a dose table: the name of a file, or a DataFrame."""
    if isinstance(source, str | Path):
        return Path(source).suffix.lower() in TABLE_SUFFIXES
    return isinstance(source, DataFrame)


def _check_source(source: object) -> None:
    if is_table(source):
        file, example = (source, repr(str(source))) if isinstance(source, str | Path) else (FRAME, "table")
        raise InputError("this is a dose table, not a scenario", file=file, type_this=f"ketamech.simulate({example})")
    if not isinstance(source, str | Path | Regimen):
        what = f"a scenario of type {type(source).__name__}"
        expected = "a sentence, a file, a Regimen or a Scenario"
        raise InputError(what, key="scenario", expected=expected, type_this='"racemic 0.5 mg/kg IV over 40 min"')


def _folder_error(text: str) -> InputError | None:
    """The error about a text that is no sentence but names a folder; None if there is no such folder."""
    folder = Path(text) if text.strip() else None
    try:
        if folder is None or not folder.is_dir():
            return None
    except (OSError, ValueError):  # a sentence longer than a file name may be
        return None
    inside = folder / "scenario.yaml"
    expected = "a regimen in words, a scenario file or a dose table"
    return InputError(f"'{text}' is a folder", expected=expected, type_this=str(inside) if inside.is_file() else None)


def _names_a_file(text: str) -> bool:
    if text.lower().endswith(YAML_SUFFIXES):
        return True
    try:
        return Path(text).is_file()
    except OSError:  # a sentence longer than a file name may be
        return False
