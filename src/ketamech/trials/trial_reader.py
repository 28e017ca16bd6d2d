"""Reads a trial file into a checked trial; every error names file, line and key."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ketamech.core import closest_match
from ketamech.core.deprecated_names import current_name
from ketamech.core.yaml_lines import Path_, YamlSource, read_yaml
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.population.virtual_population import load_population
from ketamech.simulation.scenario import validate
from ketamech.simulation.scenario_schema import validated
from ketamech.trials.decision_rules import COMPARISON_OPERATORS
from ketamech.trials.design import Arm, Condition, DecisionStep, DropoutRule, Eligibility, Trial, Visit
from ketamech.trials.rating_scales import RatingScale, scale
from ketamech.trials.trial_schema import TRIAL_FILE, ArmKeys, DropoutKeys, EligibilityKeys, StepKeys, TrialFile
from ketamech.trials.trial_text import condition, relapse, share, time, treatment

MAX_DROPOUT, MAX_MISSED_VISITS, MAX_DROPOUT_RULES, DEFAULT_WINDOW_SHARE = 0.5, 0.9, 0.9, 0.2
Scales = Mapping[str, RatingScale]


@dataclass(frozen=True)
class SourceFile(YamlSource):
    """A trial file, and the table of the parameters that it may name."""

    table: ParameterTable

    def time(self, where: Path_, text: str) -> float:
        """Time after the first dose (h)."""
        return self.with_location(where, partial(time, text))

    def share(self, where: Path_, text: str, most: float = 1.0) -> float:
        """A fraction up to `most`, from a percentage."""
        return self.with_location(where, partial(share, text, most))

    def regimen(self, where: Path_, text: str) -> Regimen:
        """A regimen that can be given to the typical patient."""
        return self.check_regimen(where, self.with_location(where, partial(Regimen.parse, text)))

    def check_regimen(self, where: Path_, regimen: Regimen) -> Regimen:
        """The regimen, if the typical patient can receive all of it from a drug-free start. Raises InputError."""
        if any(treatment.at_steady_state for treatment in regimen.treatments):
            what = "a start at steady state: all patients of a trial are drug-free at baseline"
            expected = "doses that lead there, and a visit after them"
            raise self.error(where, what, expected, type_="... daily for 4 weeks")
        self.with_location(where, lambda: validate(regimen, self.table, {}, min(regimen.horizon(), MAX_HORIZON_H)))
        return regimen

    def check_shares(self, where: Path_, shares: Mapping[str, float], count: int) -> None:
        """Raise InputError unless there are `count` positive fractions that add up to 1."""
        total = sum(shares.values())
        if len(shares) != count or min(shares.values(), default=0) <= 0 or abs(total - 1) > 1e-6:
            what = f"the shares of {', '.join(shares)} add up to {total:g}"
            fair = ", ".join(f"{value / total:.3g}" for value in shares.values()) if total > 0 else None
            raise self.error(where, what, "positive shares, one for each, that add up to 1", type_=fair)


def load_trial(source: str | Path | Mapping[str, Any], table: ParameterTable | None = None) -> Trial:
    """The trial of a YAML file, or of a mapping with the same keys. Raises InputError with file, line and key."""
    if isinstance(source, Mapping):
        path, content, lines, text = None, dict(source), dict[Path_, int](), json.dumps(source)
    else:
        path = Path(source)
        (content, lines), text = read_yaml(path), path.read_text(encoding="utf-8-sig")
    file = SourceFile(path, lines, load_parameters() if table is None else table)
    return _trial(file, validated(content, file, TRIAL_FILE), text)


def _trial(file: SourceFile, keys: TrialFile, source: str) -> Trial:
    scales = {name: file.with_location(("visits", name), partial(scale, name)) for name in keys.visits}
    visits = _visits(file, keys)
    primary = _primary(file, keys, visits)
    belief = "open" if keys.blinding == "open" else "blinded"
    listed = [((key, i), s) for key in ("steps", "rescue") for i, s in enumerate(getattr(keys, key))]
    trial = Trial(
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
        eligibility=eligibility(file, keys.eligibility, scales),
        source=source,
    )
    _check_no_early_events(file, trial)
    _check_decisions(file, trial)
    _check_blocks(file, trial)
    return trial


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
            what, expected = "shares without a number of patients", "patients: the total number"
            raise file.error(("arms",), what, expected, type_="patients: 200")
    return tuple(_arm(file, keys, name, arm, scales, first, belief) for name, arm in keys.arms.items())


def _arm(file: SourceFile, keys: TrialFile, name: str, arm: ArmKeys, scales: Scales, first: str, belief: str) -> Arm:
    where: Path_ = ("arms", name, "treatment")
    sentences = [arm.treatment] if isinstance(arm.treatment, str) else list(arm.treatment)
    regimen, adaptation, perturbations = file.with_location(where, partial(treatment, sentences, scales, first))
    file.check_regimen(where, regimen)
    number = arm.n
    if number is None:
        if arm.share is None:
            raise file.error(("arms", name), f"no number of patients for arm '{name}'", "n: or share:", type_="n: 30")
        number = max(1, round(arm.share * (keys.patients or 0)))
    return Arm(name, regimen, number, arm.belief or belief, adaptation, perturbations)


def _lack_of_efficacy_rule(file: SourceFile, keys: TrialFile, scale: str) -> DropoutRule:
    chance = file.share(("dropout_without_effect",), keys.dropout_without_effect, MAX_DROPOUT_RULES)
    return DropoutRule(Condition(scale, "falls less than", DEFAULT_WINDOW_SHARE), chance, reason="no effect")


def _strata(file: SourceFile, keys: TrialFile) -> Mapping[str, Mapping[str, float]]:
    for name, levels in keys.allocation.strata.items():
        file.check_shares(("allocation", "strata", name), levels, max(1, len(levels)))
    return keys.allocation.strata


def _people(file: SourceFile, keys: TrialFile) -> dict[str, str]:
    population = file.with_location(("population",), partial(load_population, keys.population))
    words = {}
    for name, text in keys.people.items():
        new, stated = current_name(name), f"fixed {text:g}" if isinstance(text, int | float) else text
        words[new] = stated
        file.with_location(("people", name), partial(population.with_marginals, {new: stated}, file.table))
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
        found[new] = file.with_location(("parameters", name), partial(row.with_value, words)).canonical
    return found


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
        if rule and rule.test == "relapse" and not trial.relapse:
            like = f"relapse: {trial.primary[0]} > 50 % of baseline from {trial.primary[1]}"
            raise file.error(("arms", arm.name, "treatment"), "no definition of relapse", "a relapse: key", type_=like)
    if trial.washout and (trial.steps or any(arm.adaptive_dosing for arm in trial.arms)):
        raise file.error(("crossover",), "a crossover with steps or adaptive dosing", "one or the other")
    lasting = [(arm.name, one) for arm in trial.arms for one in arm.perturbations if one.values(file.table)]
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


def step(
    file: SourceFile, where: Path_, keys: StepKeys, scales: Scales, visits: Sequence[Visit], belief: str
) -> DecisionStep:
    """One decision step; `belief` applies unless the step names another."""
    texts = [keys.at] if isinstance(keys.at, str) else keys.at
    times = tuple(file.time((*where, "at"), text) for text in texts)
    asked = file.with_location((*where, "when"), partial(condition, keys.when, scales))
    known = {visit.time for visit in visits if asked.scale in visit.scales}
    for at, text in zip(times, texts, strict=True):
        if at not in known or not at:
            raise file.error((*where, "at"), f"'{text}' is no visit", f"a time at which {asked.scale} is rated")
    given = {keys.give: keys.give} if isinstance(keys.give, str) else keys.give
    shares = keys.shares or {name: 1 / len(given) for name in given}
    file.check_shares((*where, "shares"), shares, len(given))
    if set(shares) != set(given):
        raise file.error((*where, "shares"), "the names of shares differ from those of give", ", ".join(given))
    regimens = tuple(file.regimen((*where, "give"), text) for text in given.values())
    otherwise = file.regimen((*where, "otherwise"), keys.otherwise) if keys.otherwise else None
    drawn = tuple(shares[name] for name in given)
    return DecisionStep(
        times, asked, regimens, tuple(given), drawn, otherwise, keys.belief or belief, where[0] == "rescue"
    )


def dropout_rules(
    file: SourceFile, listed: Sequence[DropoutKeys], scales: Scales, poor: DropoutRule
) -> tuple[DropoutRule, ...]:
    """Dropout rules for lack of effect (`poor`, and those of the file) and for side effects."""
    found = [poor] if poor.chance else []
    for i, keys in enumerate(listed):
        where: Path_ = ("leave", i)
        asked = file.with_location((*where, "when"), partial(condition, keys.when, scales))
        chance = file.share((*where, "chance"), keys.chance, MAX_DROPOUT_RULES)
        found.append(DropoutRule(asked, chance, file.time((*where, "since"), keys.since), keys.reason or keys.when))
    return tuple(found)


def eligibility(file: SourceFile, keys: EligibilityKeys | None, scales: Scales) -> Eligibility | None:
    """Criteria on the ratings of candidates."""
    if keys is None:
        return None
    here: Path_ = ("eligibility",)
    texts = [keys.include] if isinstance(keys.include, str) else keys.include
    include = tuple(file.with_location((*here, "include"), partial(condition, text, scales)) for text in texts)
    relative = next((one.scale for one in include if one.test not in COMPARISON_OPERATORS), None)
    if relative:
        like = f"{relative} >= 28"
        raise file.error((*here, "include"), "an inclusion relative to a baseline", "a limit of a score", type_=like)
    screening = file.time((*here, "screening"), keys.screening)
    exclude = None
    if keys.exclude:
        exclude = file.with_location((*here, "exclude"), partial(condition, keys.exclude, scales))
    if not screening and (keys.lead_in or keys.exclude):
        what = "a lead-in or exclusion without a time between screening and baseline"
        raise file.error(here, what, "screening: a duration", type_="screening: 4 weeks")
    lead_in = file.regimen((*here, "lead_in"), keys.lead_in) if keys.lead_in else None
    inflating = file.share((*here, "inflating"), keys.inflating)
    return Eligibility(
        include, screening, lead_in, keys.belief, exclude, keys.inflation, inflating, keys.raters == "independent"
    )


def relapse_rule(
    file: SourceFile, text: str | None, scales: Scales, visits: Sequence[Visit]
) -> tuple[str, str, float] | None:
    """Scale, first visit that counts, and fraction of baseline above which a rating is a relapse."""
    if text is None:
        return None
    name, part, since = file.with_location(("relapse",), partial(relapse, text, scales))
    visit = next((visit.name for visit in visits if visit.time == since and name in visit.scales), None)
    if visit is None:
        what = f"{name} is not rated when relapses begin to count"
        raise file.error(("relapse",), what, "a visit at which it is rated")
    return name, visit, part
