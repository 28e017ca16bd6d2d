"""A scenario file -> a checked scenario; every complaint names file, line and key."""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from ketamech.core import BadInput
from ketamech.dosing.parse_errors import shown
from ketamech.dosing.times import duration
from ketamech.parameters import ParameterTable, Species, load_species
from ketamech.study.complaints import complaint
from ketamech.study.drugs import drug, route
from ketamech.study.overrides import Overrides
from ketamech.study.perturbing import Given, read_perturbation, read_perturbations
from ketamech.study.read_regimen import Sentence, parse_sentence
from ketamech.study.reading import Path_, read_yaml, read_yaml_text
from ketamech.study.regimen import LONGEST, Regimen, Treatment
from ketamech.study.scenario import (
    Scenario,
    check,
    cut_short,
    luck,
    per_kilogram,
    perturbed_values,
    refuse_early,
    salts,
)
from ketamech.study.scenario_file import Dose, ScenarioFile
from ketamech.study.wirings import Wiring, wiring_of


def scenario_from_file(
    path: Path, table: ParameterTable, species: str | None = None, added: tuple[str, ...] = (),
    wiring: str | None = None,
) -> Scenario:  # fmt: skip
    """The scenario of a YAML file, with perturbations `added`, in a `wiring` perhaps.

    Raises BadInput with file, line and key.
    """
    content, lines = read_yaml(path)
    parsed = _validated(content, lines, path)
    source = path.read_text(encoding="utf-8-sig")
    return scenario_from_keys(
        parsed, table, path, lines, source=source, species=species, added=added, wiring=wiring
    )  # fmt: skip


def keys_from_text(text: str, name: str) -> ScenarioFile:
    """The keys of a scenario whose YAML text is at hand; `name` stands for the file in errors. Raises BadInput."""
    path = Path(name)
    content, lines = read_yaml_text(text, path)
    return _validated(content, lines, path)


def scenario_from_text(text: str, table: ParameterTable, name: str) -> Scenario:
    """The scenario of a YAML text. Raises BadInput with line and key."""
    path = Path(name)
    content, lines = read_yaml_text(text, path)
    return scenario_from_keys(_validated(content, lines, path), table, path, lines, source=text)


def _validated(content: Mapping[str, object], lines: Mapping[Path_, int], path: Path) -> ScenarioFile:
    try:
        return ScenarioFile.model_validate({key: value for key, value in content.items() if value is not None})
    except ValidationError as problem:
        raise complaint(problem.errors(), path, lines) from None


def scenario_from_keys(
    parsed: ScenarioFile, table: ParameterTable, path: Path, lines: Mapping[Path_, int], *, source: str = "",
    species: str | None = None, added: tuple[str, ...] = (), wiring: str | None = None,
) -> Scenario:  # fmt: skip
    """The checked scenario of keys that are well-formed. `lines` may be empty where there was no file."""
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
    wired = _wiring(parsed.wiring if wiring is None else wiring, table, path, lines)
    own = {**wired.values, **Overrides(path, lines, table, animal.name).all(parsed)}
    values = perturbed_values(table, animal, own, given)
    if per_kilogram(regimen) and "person.weight" not in values:
        raise _no_weight(path, lines)
    horizon = _horizon(parsed.horizon, path, lines) if parsed.horizon else min(regimen.horizon(), LONGEST)
    try:
        check(regimen, table, values, horizon, animal)
        refuse_early(regimen, given)
    except BadInput as problem:
        place = ("treatments", listed[_culprit(regimen, table, values, horizon, animal)][0])
        raise _placed(problem, path, lines.get(place), problem.key) from None
    return Scenario(
        parsed.title,
        parsed.description,
        regimen,
        values,
        horizon,
        parsed.control,
        parsed.seed,
        _written(source or parsed.text(), parsed, species, added, wired.name),
        (*salts(regimen), *luck(regimen), *cut_short(regimen, horizon), *wired.notes),
        animal.name,
        given,
        wired.name,
    )


def _written(text: str, parsed: ScenarioFile, species: str | None, added: tuple[str, ...], wiring: str) -> str:
    """The text of the file with what was added outside it, where the file has no such key of its own."""
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
    except BadInput as problem:
        raise _placed(problem, path, lines.get(("species",)), "species") from None


def _wiring(name: str, table: ParameterTable, path: Path, lines: Mapping[Path_, int]) -> Wiring:
    try:
        return wiring_of(name, table)
    except BadInput as problem:
        raise _placed(problem, path, lines.get(("wiring",)), "wiring") from None


def _perturbations(
    parsed: ScenarioFile, sentences: list[Sentence], added: tuple[str, ...], path: Path, lines: Mapping[Path_, int]
) -> tuple[Given, ...]:
    """What is done beside the treatment: in sentences "... with ...", in the list of the file, and what is added."""
    said = [phrase for sentence in sentences for phrase in sentence.beside]
    listed: list[Given] = []
    for i, phrase in enumerate(parsed.perturbations if isinstance(parsed.perturbations, list) else []):
        try:
            listed.append(read_perturbation(phrase))
        except BadInput as problem:
            line = lines.get(("perturbations", i)) or lines.get(("perturbations",))
            raise _placed(problem, path, line, f"perturbations[{i}]") from None
    try:
        return read_perturbations([*said, *listed, *added])
    except BadInput as problem:
        raise _placed(problem, path, lines.get(("perturbations",)) or lines.get(("treatments",)), problem.key) from None


def _sentence(given: str | Dose, i: int, path: Path, lines: Mapping[Path_, int]) -> Sentence:
    try:
        if isinstance(given, Dose):
            route(drug(given.drug), given.route)
        return parse_sentence(given if isinstance(given, str) else given.sentence())
    except BadInput as problem:
        raise _of_treatment(problem, given, i, path, lines) from None


def _treatments(
    given: str | Dose, sentence: Sentence, first_day: int, i: int, path: Path, lines: Mapping[Path_, int]
) -> tuple[Treatment, ...]:
    try:
        return sentence.treatments(first_day)
    except BadInput as problem:
        raise _of_treatment(problem, given, i, path, lines) from None


def _of_treatment(problem: BadInput, given: str | Dose, i: int, path: Path, lines: Mapping[Path_, int]) -> BadInput:
    """The error about a treatment of the list, at its line and key."""
    key = problem.key if isinstance(given, str) else _field(given, problem)
    line = lines.get(("treatments", i, key or "")) or lines.get(("treatments", i))
    return _placed(problem, path, line, f"treatments[{i}]" + (f".{key}" if key else ""))


def _field(given: Dose, problem: BadInput) -> str | None:
    """The key of a spelled-out dose that an error is about: the one it names, or whose words it quotes."""
    if problem.key in Dose.model_fields:
        return problem.key
    quoted = problem.what.split(" in '")[0]
    said = given.model_dump(exclude_none=True)
    return next((key for key, words in said.items() if words and words in quoted), problem.key)


def _culprit(
    regimen: Regimen, table: ParameterTable, values: Mapping[str, float], horizon: float, species: Species
) -> int:
    """The treatment with which the list first becomes impossible: every longer list is refused too."""

    def refused(n: int) -> bool:
        try:
            check(Regimen(regimen.treatments[:n]), table, values, horizon, species)
        except BadInput:
            return True
        return False

    return bisect_left(range(1, len(regimen.treatments)), True, key=refused)


def _placed(problem: BadInput, path: Path, line: int | None, key: str | None) -> BadInput:
    """The same error with file, line and key."""
    return BadInput(
        problem.what,
        file=path,
        line=line,
        key=key,
        expected=problem.expected,
        nearest=problem.nearest,
        type_this=problem.type_this,
    )


def _no_weight(path: Path, lines: Mapping[Path_, int]) -> BadInput:
    return BadInput(
        "a dose per kilogram needs a body weight",
        file=path,
        line=lines.get(("person", "weight")) or lines.get(("person",)) or lines.get(("treatments",)),
        key="person.weight",
        expected="the weight of this person",
        type_this="person:\n          weight: 70 kg",
    )


def _horizon(text: str, path: Path, lines: Mapping[Path_, int]) -> float:
    expected = "between 1 h and 2 years, e.g. 28 days, 3 months, 1 year"
    try:
        hours = duration(text)
    except BadInput:
        hours = math.nan
    if not 1.0 <= hours <= LONGEST:
        what = f"'{shown(text)}' is not a usable horizon"
        raise BadInput(what, file=path, line=lines.get(("horizon",)), key="horizon", expected=expected)
    return hours
