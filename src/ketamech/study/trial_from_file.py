"""A trial file -> a checked trial; every complaint names file, line and key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ketamech.core import nearest
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.study.people import load_population
from ketamech.study.reading import Path_, read_yaml
from ketamech.study.scales import scale
from ketamech.study.trial import Arm, Condition, Leaving, Trial, Visit
from ketamech.study.trial_complaint import complaint
from ketamech.study.trial_file import ArmKeys, TrialFile
from ketamech.study.trial_place import File
from ketamech.study.trial_steps import MOST_LEAVING, Scales, leaving, relapse_of, step
from ketamech.study.trial_words import treatment

MOST_DROPOUT, MOST_MISSED, A_FIFTH = 0.5, 0.9, 0.2


def load_trial(source: str | Path | Mapping[str, Any], table: ParameterTable | None = None) -> Trial:
    """The trial that a YAML file, or a mapping of the same keys, holds. Raises BadInput with file, line and key."""
    table = load_parameters() if table is None else table
    path = None if isinstance(source, Mapping) else Path(source)
    content, lines, text = _read(source)
    try:
        keys = TrialFile.model_validate({key: value for key, value in content.items() if value is not None})
    except ValidationError as problem:
        raise complaint(problem, path, lines) from None
    return _trial(File(path, lines, table), keys, text)


def _read(source: str | Path | Mapping[str, Any]) -> tuple[dict[str, Any], dict[Path_, int], str]:
    """Content, the line of each key, and the text."""
    if isinstance(source, Mapping):
        return dict(source), {}, json.dumps(source)
    content, lines = read_yaml(Path(source))
    return content, lines, Path(source).read_text(encoding="utf-8-sig")


def _trial(file: File, keys: TrialFile, source: str) -> Trial:
    scales = {name: file.at(("visits", name), partial(scale, name)) for name in keys.visits}
    visits = _visits(file, keys)
    primary = _primary(file, keys, visits)
    belief = "open" if keys.blinding == "open" else "blinded"
    listed = [((key, i), s) for key in ("steps", "rescue") for i, s in enumerate(getattr(keys, key))]
    made = Trial(
        title=keys.title,
        description=keys.description,
        references=tuple(keys.references),
        population=keys.population,
        people=_people(file, keys),
        values=_values(file, keys),
        arms=_arms(file, keys, scales, primary[0], belief),
        visits=visits,
        scales=scales,
        primary=primary,
        blinding=keys.blinding,
        assumed=tuple(keys.assumed),
        window=file.time(("window",), keys.window) if keys.window else 0.0,
        washout=file.time(("crossover",), keys.crossover) if keys.crossover else 0.0,
        dropout=file.share(("dropout",), keys.dropout, MOST_DROPOUT),
        leaving=leaving(file, keys.leave, scales, _without_effect(file, keys, primary[0])),
        missed=file.share(("missed_visits",), keys.missed_visits, MOST_MISSED),
        adherence=file.share(("adherence",), keys.adherence),
        block=keys.allocation.block,
        strata=_strata(file, keys),
        add_on=file.regimen(("add_on",), keys.add_on) if keys.add_on else None,
        steps=tuple(step(file, where, found, scales, visits, belief) for where, found in listed),
        seed=keys.seed,
        relapse=relapse_of(file, keys.relapse, scales, visits),
        source=source,
    )
    _refuse_early(file, made)
    _refuse_undecidable(file, made)
    _refuse_blocks(file, made)
    return made


def _visits(file: File, keys: TrialFile) -> tuple[Visit, ...]:
    found: dict[float, tuple[str, set[str]]] = {0.0: ("baseline", set(keys.visits))}
    for name, times in keys.visits.items():
        for i, text in enumerate(times):
            if text.strip().lower() != "baseline":
                at = file.time(("visits", name, i), text)
                found.setdefault(at, (text.strip(), set()))[1].add(name)
    if len(found) == 1:
        raise file.bad(("visits",), "nothing is rated after baseline", "times", type_="MADRS: [24 h, day 8]")
    return tuple(Visit(found[t][0], t, tuple(s for s in keys.visits if s in found[t][1])) for t in sorted(found))


def _primary(file: File, keys: TrialFile, visits: Sequence[Visit]) -> tuple[str, str]:
    if keys.primary is None:
        first = next(iter(keys.visits))
        return first, [visit.name for visit in visits if first in visit.scales][-1]
    name, _, at = keys.primary.partition(" at ")
    match = [v.name for v in visits if name.strip() in v.scales and v.name == at.strip()]
    if not match:
        near = nearest(keys.primary, [f"{s} at {v.name}" for v in visits for s in v.scales if v.time])
        raise file.bad(("primary",), f"'{keys.primary}' is no visit", "a scale at a visit", near)
    return name.strip(), match[0]


def _arms(file: File, keys: TrialFile, scales: Scales, first: str, belief: str) -> tuple[Arm, ...]:
    shares = {name: arm.share for name, arm in keys.arms.items() if arm.share is not None}
    if shares:
        file.refuse_shares(("arms",), shares, len(keys.arms))
        if keys.patients is None:
            raise file.bad(("arms",), "shares of how many patients?", "patients: in all", type_="patients: 200")
    return tuple(_arm(file, keys, name, arm, scales, first, belief) for name, arm in keys.arms.items())


def _arm(file: File, keys: TrialFile, name: str, arm: ArmKeys, scales: Scales, first: str, belief: str) -> Arm:
    where: Path_ = ("arms", name, "treatment")
    sentences = [arm.treatment] if isinstance(arm.treatment, str) else list(arm.treatment)
    regimen, adapting, perturbations = file.at(where, partial(treatment, sentences, scales, first))
    file.possible(where, regimen)
    number = arm.n
    if number is None:
        if arm.share is None:
            raise file.bad(("arms", name), f"how many patients in arm '{name}'?", "n: or share:", type_="n: 30")
        number = max(1, round(arm.share * (keys.patients or 0)))
    return Arm(name, regimen, number, arm.belief or belief, adapting, perturbations)


def _without_effect(file: File, keys: TrialFile, scale: str) -> Leaving:
    chance = file.share(("dropout_without_effect",), keys.dropout_without_effect, MOST_LEAVING)
    return Leaving(Condition(scale, "falls less than", A_FIFTH), chance, reason="no effect")


def _strata(file: File, keys: TrialFile) -> Mapping[str, Mapping[str, float]]:
    for name, levels in keys.allocation.strata.items():
        file.refuse_shares(("allocation", "strata", name), levels, max(1, len(levels)))
    return keys.allocation.strata


def _people(file: File, keys: TrialFile) -> dict[str, str]:
    population = file.at(("population",), partial(load_population, keys.population))
    words = {}
    for name, text in keys.people.items():
        words[name] = f"fixed {text:g}" if isinstance(text, int | float) else text
        file.at(("people", name), partial(population.with_distributions, {name: words[name]}, file.table))
    return words


def _values(file: File, keys: TrialFile) -> dict[str, float]:
    found = {}
    for name, given in keys.parameters.items():
        if name not in file.table:
            near = nearest(name, file.table)
            raise file.bad(("parameters", name), f"there is no parameter '{name}'", near=near)
        row = file.table[name]
        words = given if isinstance(given, str) else f"{given} {row.unit}"
        found[name] = file.at(("parameters", name), partial(row.with_value, words)).canonical
    return found


def _refuse_early(file: File, made: Trial) -> None:
    for arm in made.arms:
        first = min(treatment.start for treatment in arm.regimen.treatments)
        early = [visit for visit in made.visits if 0 < visit.time < first]
        if early:
            what = f"visit '{early[0].name}' lies before the first dose of arm '{arm.name}' at {first:g} h"
            raise file.bad(("visits",), what, "visits after the first dose; baseline is rated by itself")


def _refuse_undecidable(file: File, made: Trial) -> None:
    for arm in made.arms:
        if arm.adapting and arm.adapting.again and arm.adapting.again.test == "relapse" and not made.relapse:
            like = f"relapse: {made.primary[0]} > 50 % of baseline from {made.primary[1]}"
            raise file.bad(("arms", arm.name, "treatment"), "what is a relapse?", "a relapse: key", type_=like)
    if made.washout and (made.steps or any(arm.adapting for arm in made.arms)):
        raise file.bad(("crossover",), "a crossover in which doses are decided on the way", "one or the other")
    lasting = [(arm.name, one) for arm in made.arms for one in arm.perturbations if one.values(file.table)]
    if made.washout and lasting:
        name, one = lasting[0]
        what = f"'{one.text}' sets values for good, and everybody passes through every arm of a crossover"
        raise file.bad(("arms", name, "treatment"), what, "parallel arms, or something that is given at a time")


def _refuse_blocks(file: File, made: Trial) -> None:
    if not made.block or made.washout:
        return
    total = made.patients
    whole = [b for b in range(1, total + 1) if all(arm.n * b % total == 0 for arm in made.arms)]
    if made.block not in whole:
        near = str(min(whole, key=lambda b: abs(b - made.block)))
        what = f"blocks of {made.block} cannot hold arms of {', '.join(str(arm.n) for arm in made.arms)} patients"
        raise file.bad(("allocation", "block"), what, "whole patients of each arm", near, f"block: {near}")
