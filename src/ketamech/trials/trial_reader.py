"""Reads a trial file into a checked trial; every error names file, line and key."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from ketamech.core import closest_match, require_known
from ketamech.core.deprecated_names import current_name
from ketamech.core.environment import DATA
from ketamech.core.errors import nearest_names
from ketamech.core.yaml_lines import Path_, read_yaml
from ketamech.dosing.parse_errors import DoseRangeError
from ketamech.dosing.parsed_values import single_conditions
from ketamech.dosing.perturbations import AppliedPerturbation
from ketamech.dosing.regimen import Regimen
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.population.random_draws import number_of_name
from ketamech.simulation.scenario_schema import validated
from ketamech.trials.decision_reader import (
    MAX_DROPOUT_RULES,
    check_kinetics,
    crossover,
    dropout_rules,
    event_rules,
    relapse_rule,
    steps,
    titration,
)
from ketamech.trials.decision_rules import COMPARISON_OPERATORS
from ketamech.trials.design import (
    AdaptiveDosing,
    Arm,
    Condition,
    DropoutRule,
    Eligibility,
    Trial,
    Visit,
    arm_sizes,
)
from ketamech.trials.population_mixture import population_text, read_population
from ketamech.trials.rating_scales import RatingScale, scale, variable_name
from ketamech.trials.trial_schema import TRIAL_FILE, ArmKeys, EligibilityKeys, TrialFile, is_baseline
from ketamech.trials.trial_text import SourceFile, as_list, treatment

TRIALS = DATA / "trials"
MAX_DROPOUT, MAX_MISSED_VISITS = 0.5, 0.9
NO_EFFECT_SHARE = 0.2  # fall of the score, as a share of baseline


def load_trial(source: str | Path | Mapping[str, Any], table: ParameterTable | None = None) -> Trial:
    """The trial of a YAML file, or of a mapping with the same keys. Raises InputError with file, line and key."""
    if isinstance(source, Mapping):
        path, content, lines, text = None, dict(source), dict[Path_, int](), json.dumps(source)
    else:
        path = Path(source)
        (content, lines), text = read_yaml(path), path.read_text(encoding="utf-8-sig")
    file = SourceFile(path, lines, load_parameters() if table is None else table)
    return _trial(file, validated(content, file, TRIAL_FILE), text)


@cache
def shipped_trial(name: str) -> Trial:
    """A shipped trial by name. Raises InputError for an unknown one."""
    names = shipped_trial_names()
    require_known(name, names, f"no trial '{name}' is shipped", expected=", ".join(names))
    return load_trial(TRIALS / f"{name}.yaml")


def shipped_trial_names() -> list[str]:
    """Names of the shipped trials in alphabetical order."""
    return sorted(path.stem for path in TRIALS.glob("*.yaml"))


def _trial(file: SourceFile, keys: TrialFile, source: str) -> Trial:
    keys = _with_variable_names(file, keys)
    file = replace(file, scales={name: _scale(file, keys, name) for name in keys.visits})
    visits = _visits(file, keys)
    primary = _primary(file, keys, visits)
    belief = "open" if keys.blinding == "open" else "blinded"
    decisions = steps(file, keys, visits, belief)
    names = [*keys.arms, *(name for decision in decisions for name in decision.names)]
    crossover_rule, latest = crossover(file, keys, visits)
    add_on, beside = file.regimen_with_perturbations(("add_on",), keys.add_on) if keys.add_on else (None, ())
    if keys.reference is not None:
        file.check_known(("reference",), keys.reference, keys.arms, f"there is no arm '{keys.reference}'")
    trial = Trial(
        title=keys.title,
        description=keys.description,
        references=tuple(keys.references),
        population=population_text(keys.population),
        people=_people(file, keys),
        values=_values(file, keys),
        arms=_arms(file, keys, primary[0], belief),
        visits=visits,
        scales=file.scales,
        primary=primary,
        blinding=keys.blinding,
        assumptions=tuple(keys.assumed),
        window=file.time(("window",), keys.window) if keys.window else 0.0,
        washout=file.time(("crossover",), keys.crossover) if keys.crossover else 0.0,
        dropout=file.share(("dropout",), keys.dropout, MAX_DROPOUT),
        dropout_rules=dropout_rules(file, keys.leave, _lack_of_efficacy_rule(file, keys, primary[0])),
        missed_visit_rate=file.share(("missed_visits",), keys.missed_visits, MAX_MISSED_VISITS),
        adherence=file.share(("adherence",), keys.adherence),
        block=keys.allocation.block,
        strata=_strata(file, keys),
        add_on=add_on,
        added_perturbations=beside,
        steps=decisions,
        seed=number_of_name(file.path.stem if file.path else keys.title) if keys.seed is None else keys.seed,
        relapse=relapse_rule(file, keys.relapse, visits, names),
        events=event_rules(file, keys.events),
        eligibility=eligibility(file, keys.eligibility),
        crossover_rule=crossover_rule,
        latest_crossover=latest,
        reference=keys.reference or "",
        source=source,
    )
    _check_no_early_events(file, trial)
    _check_decisions(file, trial)
    check_kinetics(file, trial)
    _check_blocks(file, trial)
    return trial


def _with_variable_names(file: SourceFile, keys: TrialFile) -> TrialFile:
    """The keys, with names of scales that a variable of a data set may have."""

    def named(where: str) -> dict[str, Any]:
        stated = getattr(keys, where)
        return {file.with_location((where, name), partial(variable_name, name)): stated[name] for name in stated}

    return keys.model_copy(update={"visits": named("visits"), "thresholds": named("thresholds")})


def _scale(file: SourceFile, keys: TrialFile, name: str) -> RatingScale:
    """A scale with the thresholds of the trial."""
    usual = file.with_location(("visits", name), partial(scale, name))
    for other in keys.thresholds:
        file.check_known(("thresholds", other), other, keys.visits, f"'{other}' is not rated in this trial")
    if name not in keys.thresholds:
        return usual
    own, where = keys.thresholds[name], ("thresholds", name)
    response = usual.response if own.response is None else file.share((*where, "response"), own.response)
    remission = usual.remission if own.remission is None else own.remission
    if not usual.low <= remission <= usual.high:
        expected = f"{usual.low:g} to {usual.high:g} {usual.unit}"
        raise file.error((*where, "remission"), f"a score of {remission:g} does not exist on {name}", expected)
    return replace(usual, response=response, remission=remission)


def _visits(file: SourceFile, keys: TrialFile) -> tuple[Visit, ...]:
    visits: dict[float, tuple[list[str], set[str]]] = {0.0: (["baseline"], set(keys.visits))}
    for name, times in keys.visits.items():
        for i, text in enumerate(times):
            if not is_baseline(text):
                at = file.time(("visits", name, i), text)
                spellings, scales = visits.setdefault(at, ([], set()))
                spellings.append(text.strip())
                scales.add(name)
    if len(visits) == 1:
        raise file.error(("visits",), "nothing is rated after baseline", "times", type_="MADRS: [24 h, day 8]")
    return tuple(
        Visit(spellings[0], time, tuple(s for s in keys.visits if s in scales), tuple(spellings[1:]))
        for time, (spellings, scales) in sorted(visits.items())
    )


def _primary(file: SourceFile, keys: TrialFile, visits: Sequence[Visit]) -> tuple[str, str]:
    if keys.primary is None:
        first = next(iter(keys.visits))
        return first, [visit.name for visit in visits if first in visit.scales][-1]
    name, _, at = keys.primary.partition(" at ")
    name = name.strip() if "/" not in name else variable_name(name)
    match = [v.name for v in visits if name in v.scales and at.strip() in (v.name, *v.other_names)]
    if not match:
        near = closest_match(keys.primary, [f"{s} at {v.name}" for v in visits for s in v.scales if v.time])
        raise file.error(("primary",), f"'{keys.primary}' is not a visit", "a scale at a visit", near)
    return name, match[0]


def _arms(file: SourceFile, keys: TrialFile, first: str, belief: str) -> tuple[Arm, ...]:
    numbers = _numbers_of_patients(file, keys)
    return tuple(_arm(file, keys, name, arm, numbers[name], first, belief) for name, arm in keys.arms.items())


def _numbers_of_patients(file: SourceFile, keys: TrialFile) -> dict[str, int]:
    """Patients of each arm, from `n`, or from `patients` and shares; those of a crossover pass through all arms."""
    shares = {name: arm.share for name, arm in keys.arms.items() if arm.share is not None}
    stated = {name: arm.n for name, arm in keys.arms.items() if arm.n is not None}
    if keys.patients is not None and not shares and not stated:
        if keys.crossover:
            return dict.fromkeys(keys.arms, keys.patients)
        shares = dict.fromkeys(keys.arms, 1 / len(keys.arms))
    if keys.crossover:
        _check_crossover_numbers(file, keys, shares, stated)
    if shares:
        file.check_shares(("arms",), shares, len(keys.arms))
        if keys.patients is None:
            what, expected = "shares without a number of patients", "patients: the total number"
            raise file.error(("arms",), what, expected, type_="patients: 200")
        stated = dict(zip(shares, arm_sizes(list(shares.values()), keys.patients), strict=True)) | stated
    for name in keys.arms:
        if not stated.get(name):
            what = f"no {'patient' if name in stated else 'number of patients'} for arm '{name}'"
            raise file.error(("arms", name), what, "n:, share: or patients:", type_="n: 30")
    total = max(stated.values()) if keys.crossover else sum(stated.values())
    if keys.patients not in (None, total):
        what = f"{keys.patients} patients in all, and arms of {', '.join(str(stated[name]) for name in keys.arms)}"
        raise file.error(("patients",), what, "numbers that agree, or one of them", type_=f"patients: {total}")
    return stated


def _check_crossover_numbers(
    file: SourceFile, keys: TrialFile, shares: Mapping[str, float], stated: Mapping[str, int]
) -> None:
    """Every patient of a crossover is in every arm, so that arms have neither shares nor numbers of their own."""
    expected = "one number of patients, because every patient of a crossover passes through every arm"
    if shares:
        raise file.error(
            ("arms", next(iter(shares)), "share"), "a share in a crossover", expected, type_="patients: 20"
        )
    if len(set(stated.values())) > 1:
        what = f"arms of {', '.join(map(str, stated.values()))} patients in a crossover"
        raise file.error(("arms",), what, expected, type_=f"n: {max(stated.values())}")


def _arm(file: SourceFile, keys: TrialFile, name: str, arm: ArmKeys, number: int, first: str, belief: str) -> Arm:
    where: Path_ = ("arms", name, "treatment")
    regimen, adaptation, perturbations = file.with_location(where, partial(_treatment, file, keys, arm, first))
    file.check_regimen(where, regimen)
    changes = titration(file, keys, name, as_list(arm.treatment), regimen, first)
    return Arm(name, regimen, number, arm.belief or belief, adaptation, perturbations, changes)


def _treatment(
    file: SourceFile, keys: TrialFile, arm: ArmKeys, first: str
) -> tuple[Regimen, AdaptiveDosing | None, tuple[AppliedPerturbation, ...]]:
    """What `treatment` reads; several doses need the rule by which a patient changes between them."""
    sentences = as_list(arm.treatment)
    try:
        return treatment(sentences, file.scales, first)
    except DoseRangeError as problem:
        rule = f"{{at: {keys.first_visit(first)}, to: {problem.highest}, when: no response of {first}}}"
        what = f"{problem.what} of doses without a rule for their change"
        expected = "one dose, and its changes as titration: of the arm; or 'by response and tolerability' after them"
        lowest = json.dumps([problem.with_lowest if text == problem.text else text for text in sentences])
        size = f"n: {arm.n}" if arm.n else f"share: {arm.share}" if arm.share else ""
        example = f"{{treatment: {lowest}, {size + ', ' if size else ''}titration: [{rule}]}}"
        raise problem.replace(what=what, expected=expected, type_this=example) from None


def _lack_of_efficacy_rule(file: SourceFile, keys: TrialFile, scale: str) -> DropoutRule:
    chance = file.share(("dropout_without_effect",), keys.dropout_without_effect, MAX_DROPOUT_RULES)
    return DropoutRule(Condition(scale, "falls less than", NO_EFFECT_SHARE), chance, reason="no effect")


def _strata(file: SourceFile, keys: TrialFile) -> Mapping[str, Mapping[str, float]]:
    for name, levels in keys.allocation.strata.items():
        file.check_shares(("allocation", "strata", name), levels, max(1, len(levels)))
    return keys.allocation.strata


def _people(file: SourceFile, keys: TrialFile) -> dict[str, str]:
    population = read_population(file, keys.population)
    words = {}
    for name, text in keys.people.items():
        new, stated = current_name(name), f"fixed {text:g}" if isinstance(text, int | float) else text
        words[new] = stated
        file.with_location(("people", name), partial(population.with_marginals, {new: stated}, file.table))
    return words


def _values(file: SourceFile, keys: TrialFile) -> dict[str, float]:
    values = {}
    for name, value in keys.parameters.items():
        new = current_name(name)
        if new not in file.table:
            near = nearest_names(name, file.table)
            raise file.error(("parameters", name), f"there is no parameter '{name}'", near=near)
        row = file.table[new]
        words = value if isinstance(value, str) else f"{value} {row.unit}"
        values[new] = file.with_location(("parameters", name), partial(row.with_value, words)).canonical
    return values


def _check_no_early_events(file: SourceFile, trial: Trial) -> None:
    for arm in trial.arms:
        first = min(treatment.start for treatment in arm.regimen.treatments)
        early = [visit for visit in trial.visits if 0 < visit.time < first]
        if early:
            what = f"visit '{early[0].name}' lies before the first dose of arm '{arm.name}' at {first:g} h"
            raise file.error(("visits",), what, "visits after the first dose; baseline is rated by itself")


def _check_decisions(file: SourceFile, trial: Trial) -> None:
    for arm in trial.arms:
        rule = arm.adaptive_dosing and arm.adaptive_dosing.reinduction_rule
        if rule and not trial.relapse and any(condition.test == "relapse" for condition in single_conditions(rule)):
            like = f"relapse: {trial.primary[0]} > 50 % of baseline from {trial.primary[1]}"
            raise file.error(("arms", arm.name, "treatment"), "no definition of relapse", "a relapse: key", type_=like)
    adaptive = any(arm.adaptive_dosing or arm.titration for arm in trial.arms)
    for key, present in (("steps", trial.steps), ("adaptive dosing", adaptive), ("events", trial.events)):
        if trial.washout and present:
            raise file.error(("crossover",), f"a crossover with {key}", "one or the other")
    late = [visit for visit in trial.visits if visit.time > trial.washout]
    if trial.washout and late and trial.crossover_rule is None:
        what = f"visit '{late[0].name}' comes after the start of the next period at {trial.washout:g} h"
        raise file.error(("visits",), what, "earlier visits, or a longer time between periods")
    lasting = [
        (arm.name, perturbation)
        for arm in trial.arms
        for perturbation in arm.perturbations
        if perturbation.values(file.table)
    ]
    if trial.washout and lasting:
        name, one = lasting[0]
        what = f"'{one.text}' sets parameters permanently, and every patient passes through every arm of a crossover"
        raise file.error(("arms", name, "treatment"), what, "parallel arms, or a perturbation that is given at a time")


def _check_blocks(file: SourceFile, trial: Trial) -> None:
    if not trial.block or trial.washout:
        return
    total = trial.patients
    whole = [b for b in range(1, total + 1) if all(arm.n * b % total == 0 for arm in trial.arms)]
    if trial.block not in whole:
        near = str(min(whole, key=lambda b: abs(b - trial.block)))
        what = f"blocks of {trial.block} cannot hold arms of {', '.join(str(arm.n) for arm in trial.arms)} patients"
        raise file.error(("allocation", "block"), what, "whole patients of each arm", near, f"block: {near}")


def eligibility(file: SourceFile, keys: EligibilityKeys | None) -> Eligibility | None:
    """Criteria on the ratings of candidates."""
    if keys is None:
        return None
    here: Path_ = ("eligibility",)
    include = tuple(file.condition((*here, "include"), text) for text in as_list(keys.include))
    included = [condition for rule in include for condition in single_conditions(rule)]
    relative = next((one.scale for one in included if one.test not in COMPARISON_OPERATORS), None)
    if relative:
        like = f"{relative} >= 28"
        raise file.error((*here, "include"), "an inclusion relative to a baseline", "a limit of a score", type_=like)
    screening = file.time((*here, "screening"), keys.screening)
    exclude = file.condition((*here, "exclude"), keys.exclude) if keys.exclude else None
    if not screening and (keys.lead_in or keys.exclude):
        what = "a lead-in or exclusion without a time between screening and baseline"
        raise file.error(here, what, "screening: a duration", type_="screening: 4 weeks")
    if re.search(r"\bwith\s", keys.lead_in or ""):
        what, expected = "a compound 'with' the lead-in", "treatments only; compounds start with the first dose"
        raise file.error((*here, "lead_in"), what, f"{expected}, in an arm or add_on")
    lead_in = file.regimen((*here, "lead_in"), keys.lead_in) if keys.lead_in else None
    share = file.share((*here, "inflating_share"), keys.inflating_share)
    return Eligibility(
        include, screening, lead_in, keys.belief, exclude, keys.baseline_inflation, share, keys.raters == "independent"
    )
