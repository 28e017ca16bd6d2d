"""A trial file -> a checked trial; every complaint names file, line and key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ketamech.core import closest_match
from ketamech.core.renamed import current_name
from ketamech.core.yaml_lines import Path_, read_yaml
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.population.virtual_population import load_population
from ketamech.trials.design import Arm, Condition, DropoutRule, Trial, Visit
from ketamech.trials.rating_scales import scale
from ketamech.trials.source_location import SourceFile
from ketamech.trials.trial_decision_keys import MAX_DROPOUT_RULES, Scales, dropout_rules, relapse_rule, step
from ketamech.trials.trial_schema import ArmKeys, TrialFile
from ketamech.trials.trial_text import treatment
from ketamech.trials.validation_errors import complaint

MAX_DROPOUT, MAX_MISSED_VISITS, DEFAULT_WINDOW_SHARE = 0.5, 0.9, 0.2


def load_trial(source: str | Path | Mapping[str, Any], table: ParameterTable | None = None) -> Trial:
    """The trial that a YAML file, or a mapping of the same keys, holds. Raises BadInput with file, line and key."""
    table = load_parameters() if table is None else table
    path = None if isinstance(source, Mapping) else Path(source)
    content, lines, text = _read(source)
    try:
        keys = TrialFile.model_validate({key: value for key, value in content.items() if value is not None})
    except ValidationError as problem:
        raise complaint(problem, path, lines) from None
    return _trial(SourceFile(path, lines, table), keys, text)


def _read(source: str | Path | Mapping[str, Any]) -> tuple[dict[str, Any], dict[Path_, int], str]:
    """Content, the line of each key, and the text."""
    if isinstance(source, Mapping):
        return dict(source), {}, json.dumps(source)
    content, lines = read_yaml(Path(source))
    return content, lines, Path(source).read_text(encoding="utf-8-sig")


def _trial(file: SourceFile, keys: TrialFile, source: str) -> Trial:
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
        assumptions=tuple(keys.assumed),
        window=file.time(("window",), keys.window) if keys.window else 0.0,
        washout=file.time(("crossover",), keys.crossover) if keys.crossover else 0.0,
        dropout=file.share(("dropout",), keys.dropout, MAX_DROPOUT),
        dropout_rules=dropout_rules(file, keys.leave, scales, _lack_of_efficacy_rule(file, keys, primary[0])),
        missed_visit_rate=file.share(("missed_visits",), keys.missed_visits, MAX_MISSED_VISITS),
        adherence=file.share(("adherence",), keys.adherence),
        block=keys.allocation.block,
        strata=_strata(file, keys),
        add_on=file.regimen(("add_on",), keys.add_on) if keys.add_on else None,
        steps=tuple(step(file, where, found, scales, visits, belief) for where, found in listed),
        seed=keys.seed,
        relapse=relapse_rule(file, keys.relapse, scales, visits),
        source=source,
    )
    _check_no_early_events(file, made)
    _check_decisions(file, made)
    _check_blocks(file, made)
    return made


def _visits(file: SourceFile, keys: TrialFile) -> tuple[Visit, ...]:
    found: dict[float, tuple[str, set[str]]] = {0.0: ("baseline", set(keys.visits))}
    for name, times in keys.visits.items():
        for i, text in enumerate(times):
            if text.strip().lower() != "baseline":
                at = file.time(("visits", name, i), text)
                found.setdefault(at, (text.strip(), set()))[1].add(name)
    if len(found) == 1:
        raise file.error(("visits",), "nothing is rated after baseline", "times", type_="MADRS: [24 h, day 8]")
    return tuple(Visit(found[t][0], t, tuple(s for s in keys.visits if s in found[t][1])) for t in sorted(found))


def _primary(file: SourceFile, keys: TrialFile, visits: Sequence[Visit]) -> tuple[str, str]:
    if keys.primary is None:
        first = next(iter(keys.visits))
        return first, [visit.name for visit in visits if first in visit.scales][-1]
    name, _, at = keys.primary.partition(" at ")
    match = [v.name for v in visits if name.strip() in v.scales and v.name == at.strip()]
    if not match:
        near = closest_match(keys.primary, [f"{s} at {v.name}" for v in visits for s in v.scales if v.time])
        raise file.error(("primary",), f"'{keys.primary}' is no visit", "a scale at a visit", near)
    return name.strip(), match[0]


def _arms(file: SourceFile, keys: TrialFile, scales: Scales, first: str, belief: str) -> tuple[Arm, ...]:
    shares = {name: arm.share for name, arm in keys.arms.items() if arm.share is not None}
    if shares:
        file.check_shares(("arms",), shares, len(keys.arms))
        if keys.patients is None:
            raise file.error(("arms",), "shares of how many patients?", "patients: in all", type_="patients: 200")
    return tuple(_arm(file, keys, name, arm, scales, first, belief) for name, arm in keys.arms.items())


def _arm(file: SourceFile, keys: TrialFile, name: str, arm: ArmKeys, scales: Scales, first: str, belief: str) -> Arm:
    where: Path_ = ("arms", name, "treatment")
    sentences = [arm.treatment] if isinstance(arm.treatment, str) else list(arm.treatment)
    regimen, adapting, perturbations = file.at(where, partial(treatment, sentences, scales, first))
    file.one_of(where, regimen)
    number = arm.n
    if number is None:
        if arm.share is None:
            raise file.error(("arms", name), f"how many patients in arm '{name}'?", "n: or share:", type_="n: 30")
        number = max(1, round(arm.share * (keys.patients or 0)))
    return Arm(name, regimen, number, arm.belief or belief, adapting, perturbations)


def _lack_of_efficacy_rule(file: SourceFile, keys: TrialFile, scale: str) -> DropoutRule:
    chance = file.share(("dropout_without_effect",), keys.dropout_without_effect, MAX_DROPOUT_RULES)
    return DropoutRule(Condition(scale, "falls less than", DEFAULT_WINDOW_SHARE), chance, reason="no effect")


def _strata(file: SourceFile, keys: TrialFile) -> Mapping[str, Mapping[str, float]]:
    for name, levels in keys.allocation.strata.items():
        file.check_shares(("allocation", "strata", name), levels, max(1, len(levels)))
    return keys.allocation.strata


def _people(file: SourceFile, keys: TrialFile) -> dict[str, str]:
    population = file.at(("population",), partial(load_population, keys.population))
    words = {}
    for name, text in keys.people.items():
        new, stated = current_name(name), f"fixed {text:g}" if isinstance(text, int | float) else text
        words[new] = stated
        file.at(("people", name), partial(population.with_marginals, {new: stated}, file.table))
    return words


def _values(file: SourceFile, keys: TrialFile) -> dict[str, float]:
    found = {}
    for name, given in keys.parameters.items():
        new = current_name(name)
        if new not in file.table:
            near = closest_match(name, file.table)
            raise file.error(("parameters", name), f"there is no parameter '{name}'", near=near)
        row = file.table[new]
        words = given if isinstance(given, str) else f"{given} {row.unit}"
        found[new] = file.at(("parameters", name), partial(row.with_value, words)).canonical
    return found


def _check_no_early_events(file: SourceFile, made: Trial) -> None:
    for arm in made.arms:
        first = min(treatment.start for treatment in arm.regimen.treatments)
        early = [visit for visit in made.visits if 0 < visit.time < first]
        if early:
            what = f"visit '{early[0].name}' lies before the first dose of arm '{arm.name}' at {first:g} h"
            raise file.error(("visits",), what, "visits after the first dose; baseline is rated by itself")


def _check_decisions(file: SourceFile, made: Trial) -> None:
    for arm in made.arms:
        if (
            arm.adaptive_dosing
            and arm.adaptive_dosing.reinduction_rule
            and arm.adaptive_dosing.reinduction_rule.test == "relapse"
            and not made.relapse
        ):
            like = f"relapse: {made.primary[0]} > 50 % of baseline from {made.primary[1]}"
            raise file.error(("arms", arm.name, "treatment"), "what is a relapse?", "a relapse: key", type_=like)
    if made.washout and (made.steps or any(arm.adaptive_dosing for arm in made.arms)):
        raise file.error(("crossover",), "a crossover in which doses are decided on the way", "one or the other")
    lasting = [(arm.name, one) for arm in made.arms for one in arm.perturbations if one.values(file.table)]
    if made.washout and lasting:
        name, one = lasting[0]
        what = f"'{one.text}' sets values for good, and everybody passes through every arm of a crossover"
        raise file.error(("arms", name, "treatment"), what, "parallel arms, or something that is given at a time")


def _check_blocks(file: SourceFile, made: Trial) -> None:
    if not made.block or made.washout:
        return
    total = made.patients
    whole = [b for b in range(1, total + 1) if all(arm.n * b % total == 0 for arm in made.arms)]
    if made.block not in whole:
        near = str(min(whole, key=lambda b: abs(b - made.block)))
        what = f"blocks of {made.block} cannot hold arms of {', '.join(str(arm.n) for arm in made.arms)} patients"
        raise file.error(("allocation", "block"), what, "whole patients of each arm", near, f"block: {near}")
