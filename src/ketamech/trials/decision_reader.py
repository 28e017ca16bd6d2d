"""Reads what a trial file says about decisions: steps, titration, dropout, relapse and events."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from ketamech.core.units import duration_text
from ketamech.core.yaml_lines import Path_
from ketamech.dosing.parsed_values import (
    CombinedCondition,
    Condition,
    LookBack,
    Rule,
    opposite,
    single_conditions,
    with_look_back,
)
from ketamech.dosing.perturbations import AppliedPerturbation
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Treatment
from ketamech.trials.design import DecisionStep, DropoutRule, RelapseRule, Titration, TitrationStep, Trial, Visit
from ketamech.trials.trial_schema import DropoutKeys, RelapseKeys, StepKeys, TitrationKeys, TrialFile
from ketamech.trials.trial_text import MAX_TRIAL_H, Scales, SourceFile, as_list, relapse, titrated_treatments

MAX_DROPOUT_RULES, MAX_ADMISSION = 0.9, 0.5
NO_DOSE_WORDS, NO_CHANGE = ("stop", "nothing"), "continue"  # words of a step instead of a regimen
TOOL_COMPOUNDS = "tool_compounds."  # the stage with the kinetics of drugs that are given beside the treatment
LAST_VISIT, ANY_VISIT = LookBack(1, 1), LookBack(1, None)
Doses = tuple[str, tuple[float, ...], str, list[TitrationStep]]  # drug, its doses and their unit, changes of dose


def steps(file: SourceFile, keys: TrialFile, visits: Sequence[Visit], belief: str) -> tuple[DecisionStep, ...]:
    """All decision steps and rescues; `belief` applies unless a step names another."""
    listed = [((key, i), s) for key in ("steps", "rescue") for i, s in enumerate(getattr(keys, key))]
    names, steps = list(keys.arms), []
    for where, one in listed:
        steps.append(_step(file, where, one, visits, belief, names))
        names += steps[-1].names
    return tuple(steps)


def _step(
    file: SourceFile, where: Path_, keys: StepKeys, visits: Sequence[Visit], belief: str, names: Sequence[str]
) -> DecisionStep:
    """One decision step; `names` are those of the arms and of the options of earlier steps."""
    times = file.times((*where, "at"), keys.at)
    rule = file.condition((*where, "when"), keys.when) if keys.when is not None else None
    _check_times(file, (*where, "at"), times, as_list(keys.at), rule, visits)
    options = {keys.give: keys.give} if isinstance(keys.give, str) else keys.give
    shares = keys.shares or {name: 1 / len(options) for name in options}
    file.check_shares((*where, "shares"), shares, len(options))
    if set(shares) != set(options):
        raise file.error((*where, "shares"), "the names of shares differ from those of give", ", ".join(options))
    given = [_option(file, (*where, "give"), text) for text in options.values()]
    rescue = where[0] == "rescue"
    if rescue and any(not (beside or (regimen and regimen.treatments)) for regimen, beside in given):
        raise file.error((*where, "give"), "a rescue that gives nothing", "a treatment that is added, or a step")
    if keys.otherwise and rule is None:
        raise file.error((*where, "otherwise"), "'otherwise' without a condition", "when: ...", type_="when: ...")
    otherwise, beside_others = _option(file, (*where, "otherwise"), keys.otherwise or NO_CHANGE)
    regimens, beside = zip(*given, strict=True)
    groups = _groups(file, (*where, "arms"), keys.arms, names)
    drawn = tuple(shares[name] for name in options)
    return DecisionStep(
        times, rule, regimens, tuple(options), drawn, otherwise, keys.belief or belief, rescue, groups,
        (*beside, beside_others),
    )  # fmt: skip


def _groups(file: SourceFile, where: Path_, stated: str | list[str], names: Sequence[str]) -> tuple[str, ...]:
    """Names of arms and of options of steps, each of which exists."""
    for name in as_list(stated):
        file.check_known(where, name, names, f"'{name}' is neither an arm nor an option of an earlier step")
    return tuple(as_list(stated))


def _option(
    file: SourceFile, where: Path_, text: str
) -> tuple[Regimen | None, tuple[AppliedPerturbation, ...]]:  # fmt: skip
    """Regimen and perturbations of a step: those of a sentence, or of a word and what follows it after "with".

    The regimen of the word for no change is None: the present one continues.
    """
    word, _, rest = text.strip().partition(" ")
    is_word = word.lower() in (NO_CHANGE, *NO_DOSE_WORDS) and (not rest or rest.lower().startswith("with "))
    regimen, beside = (
        file.regimen_with_perturbations(where, rest if is_word else text) if rest or not is_word else (Regimen(()), ())
    )
    for perturbation in beside:
        _check_given_later(file, where, perturbation, " ".join(text.split()))
    return (None if is_word and word.lower() == NO_CHANGE else regimen), beside


def _check_given_later(file: SourceFile, where: Path_, perturbation: AppliedPerturbation, option: str) -> None:
    """Raise InputError for what cannot begin with a decision: a dose before it, or a value that holds throughout.

    `option` is the text of the step with this perturbation.
    """
    text = perturbation.text
    lasting = [name for name in perturbation.values(file.table) if not name.startswith(TOOL_COMPOUNDS)]
    if lasting:
        what = f"'{text}' sets {lasting[0]} from the baseline on, before the decision about it"
        raise file.error(where, what, f"a drug in a dose; in an arm or add_on: ... with {text}")
    if perturbation.time < 0:
        what = f"'{text}' would be given {duration_text(-perturbation.time)} before the decision about it"
        late = re.sub(r"\s+(at\s+-.*|[\d.]+\s*\w+\s+before.*)$", "", text, flags=re.IGNORECASE)
        raise file.error(where, what, "a time from the decision on", type_=option.replace(text, f"{late} at 0 h"))


def check_kinetics(file: SourceFile, trial: Trial) -> None:
    """Raise InputError where two drugs share a level, differ in its kinetics, and a step decides who receives one.

    The kinetics of a level are those of a patient from the baseline on.
    """
    later = [one for step in trial.steps for beside in step.perturbations for one in beside]
    first = [one for arm in trial.arms for one in arm.perturbations]
    for one in later:
        for other in (*first, *trial.added_perturbations, *later):
            if set(one.target_states) & set(other.target_states) and one.values(file.table) != other.values(file.table):
                what = f"'{one.text}' and '{other.text}' are the same level in the model with other kinetics"
                raise file.error(("steps",), what, "one of the two in a trial with steps")


def _check_times(
    file: SourceFile, where: Path_, times: Sequence[float], texts: Sequence[str], rule: Rule | None,
    visits: Sequence[Visit],
) -> None:  # fmt: skip
    """Raise InputError unless every scale that a rule needs is rated at these times."""
    needed = {condition.scale for condition in single_conditions(rule) if not condition.look_back} if rule else set()
    for at, text in zip(times, texts, strict=True):
        rated = {name for visit in visits if visit.time == at for name in visit.scales}
        missing = sorted(needed - rated)
        if not at or missing:
            expected = f"a time at which {missing[0] if missing else 'a decision is possible'} is rated"
            expected = expected if missing else "a time after the start"
            raise file.error(where, f"'{text}' is no visit", expected)


def titration(
    file: SourceFile, keys: TrialFile, arm: str, sentences: Sequence[str], regimen: Regimen, first: str
) -> Titration | None:
    """The titration of an arm, by its sentence or its key `titration`; `first` is the scale of "by response"."""
    where: Path_ = ("arms", arm)
    low, high = file.with_location((*where, "treatment"), partial(titrated_treatments, tuple(sentences)))
    listed = keys.arms[arm].titration
    if low and listed:
        raise file.error((*where, "titration"), "a titration in the sentence and another as a key", "one of the two")
    if not low and not listed:
        return None
    drug, amounts, unit, titration_steps = (
        _titrated_by_key(file, (*where, "titration"), listed, regimen)
        if listed
        else _titrated_by_sentence(file, (*where, "treatment"), keys, low, high, first)
    )
    for amount in amounts:
        changed = tuple(
            replace(treatment, amount=amount) if treatment.drug == drug else treatment
            for treatment in regimen.treatments
        )
        file.check_regimen((*where, "titration" if listed else "treatment"), Regimen(changed))
    return Titration(drug, amounts, unit, tuple(titration_steps))


def _titrated_by_sentence(
    file: SourceFile, where: Path_, keys: TrialFile, low: Sequence[Treatment], high: Sequence[Treatment], first: str
) -> Doses:
    """A patient without response receives the higher dose while it is tolerated."""
    pairs = {(one.drug, one.amount, two.amount) for one, two in zip(low, high, strict=True)}
    if len(pairs) != 1:
        raise file.error(where, "two titrations in one arm", "one pair of doses of one drug")
    if keys.tolerability is None:
        what, like = "a titration by tolerability without its definition", f"tolerability: {_example(file.scales)}"
        raise file.error(where, what, "a tolerability: key", type_=like)
    tolerated = with_look_back(file.condition(("tolerability",), keys.tolerability), LAST_VISIT)
    wanted = Condition(first, "no response", look_back=LAST_VISIT)
    times = tuple(sorted({at for treatment in low for at in treatment.taken(MAX_TRIAL_H).values() if at > 0}))
    ((drug, lower, higher),) = pairs
    titration_steps = [
        TitrationStep(times, 0, 1, opposite(tolerated)),
        TitrationStep(times, 1, 0, CombinedCondition(True, (wanted, tolerated))),
    ]
    return drug, (lower or 0.0, higher or 0.0), low[0].unit, titration_steps


def _example(scales: Scales) -> str:
    known = {"CADSS": "CADSS <= 40", "SBP": "SBP < 160", "SBP-rise": "SBP-rise < 40"}
    return " and ".join(text for name, text in known.items() if name in scales) or "CADSS <= 40, which must be rated"


def _titrated_by_key(file: SourceFile, where: Path_, listed: Sequence[TitrationKeys], regimen: Regimen) -> Doses:
    start = next((treatment for treatment in regimen.treatments if treatment.amount is not None), None)
    if start is None or start.amount is None:
        raise file.error(where, "a titration without a dose", "an arm with a dose, such as esketamine 56 mg nasal")
    to = [_amount(file, (*where, i, "to"), keys.to, start) for i, keys in enumerate(listed)]
    amounts, titration_steps = list(dict.fromkeys([start.amount, *to])), []
    for i, keys in enumerate(listed):
        here, origin = (*where, i), -1
        if keys.origin is not None:
            level = _amount(file, (*here, "from"), keys.origin, start)
            if level not in amounts:
                what = f"no patient is ever on '{keys.origin}'"
                raise file.error((*here, "from"), what, ", ".join(f"{x:g} {start.unit}" for x in amounts))
            origin = amounts.index(level)
        rule = None if keys.when is None else file.condition((*here, "when"), keys.when)
        times = file.times((*here, "at"), keys.at)
        if min(times) <= 0:
            raise file.error((*here, "at"), "a change of dose at the start", "a time after the start, such as day 4")
        change = TitrationStep(times, amounts.index(to[i]), origin, rule and with_look_back(rule, LAST_VISIT))
        titration_steps.append(change)
    return start.drug, tuple(amounts), start.unit, titration_steps


def _amount(file: SourceFile, where: Path_, text: str, like: Treatment) -> float:
    """A dose of the same drug by the same route, in the same unit."""
    over = f" over {like.duration} h" if like.duration else ""
    treatments = file.regimen(where, f"{like.drug} {text} {like.route}{over}").treatments
    if len(treatments) != 1 or treatments[0].unit != like.unit or treatments[0].amount is None:
        raise file.error(where, f"'{text}' is not a dose in {like.unit}", f"such as {like.amount:g} {like.unit}")
    return treatments[0].amount


def dropout_rules(
    file: SourceFile, listed: Sequence[DropoutKeys], default_rule: DropoutRule
) -> tuple[DropoutRule, ...]:
    """Dropout rules for lack of effect (`default_rule`, and those of the file) and for side effects."""
    rules = [default_rule] if default_rule.chance else []
    for i, keys in enumerate(listed):
        where: Path_ = ("leave", i)
        rule = file.condition((*where, "when"), keys.when)
        chance = file.share((*where, "chance"), keys.chance, MAX_DROPOUT_RULES)
        rules.append(DropoutRule(rule, chance, file.time((*where, "since"), keys.since), keys.reason or keys.when))
    return tuple(rules)


def relapse_rule(
    file: SourceFile, keys: str | RelapseKeys | None, visits: Sequence[Visit], names: Sequence[str]
) -> RelapseRule | None:
    """The definition of relapse, of a text or of keys; `names` are those of arms and of options of steps."""
    if keys is None:
        return None
    if isinstance(keys, str):
        name, part, since = file.with_location(("relapse",), partial(relapse, keys, file.scales))
        at_risk = Condition(name, "response")
        return RelapseRule(Condition(name, "> of baseline", part), _first(file, since, at_risk, visits), at_risk)
    rule = file.condition(("relapse", "when"), keys.when)
    at_risk_rule: Rule = Condition(next(single_conditions(rule)).scale, "response")
    if keys.at_risk is not None:
        at_risk_rule = file.condition(("relapse", "at_risk"), keys.at_risk)
    admitted = None
    if keys.admission_when is not None:
        admitted = file.condition(("relapse", "admission_when"), keys.admission_when)
    return RelapseRule(
        rule,
        _first(file, file.time(("relapse", "since"), keys.since), at_risk_rule, visits),
        at_risk_rule,
        keys.confirmed,
        file.time(("relapse", "within"), keys.within) if keys.within else float("inf"),
        file.share(("relapse", "admission"), keys.admission, MAX_ADMISSION),
        admitted,
        keys.last_event,
        _groups(file, ("relapse", "arms"), keys.arms, names),
    )


def _first(file: SourceFile, since: float, at_risk: Rule, visits: Sequence[Visit]) -> str:
    """Name of the visit from which relapses count."""
    needed = {condition.scale for condition in single_conditions(at_risk) if not condition.look_back}
    visit = next((visit for visit in visits if visit.time == since and needed <= set(visit.scales)), None)
    if visit is None:
        what = f"{next(single_conditions(at_risk)).scale} is not rated when relapses begin to count"
        raise file.error(("relapse",), what, "a visit at which it is rated")
    return visit.name


def event_rules(file: SourceFile, texts: Mapping[str, str]) -> dict[str, Rule]:
    """Conditions that are counted by arm; without a look back they concern any visit."""
    rules = {}
    for name, text in texts.items():
        if not re.fullmatch(r"[\w .>=-]+", name):
            what, expected = f"'{name}' cannot be the name of an event", "letters, digits, blanks and . - > ="
            raise file.error(("events", name), what, expected, type_="dissociation: CADSS > 4")
        rules[name] = with_look_back(file.condition(("events", name), text), ANY_VISIT)
    return rules


def crossover(file: SourceFile, keys: TrialFile, visits: Sequence[Visit]) -> tuple[Rule | None, float]:
    """The condition on which a patient crosses over after the washout, and the latest time (h) for it."""
    if keys.crossover_when is None:
        if keys.crossover_latest is not None:
            what = "a latest time of the crossover without its condition"
            raise file.error(("crossover_latest",), what, "a crossover_when: key", type_="crossover_when: MADRS > 20")
        return None, 0.0
    where: Path_ = ("crossover_when",)
    if keys.crossover is None:
        raise file.error(where, "a condition of a crossover without a crossover", "a crossover: key", type_="7 days")
    if len(keys.arms) != 2 or keys.window or any(" with " in text for text in _sentences(keys)):
        what = "a crossover on a condition with a window, with perturbations, or not with exactly two arms"
        raise file.error(where, what, "two arms, visits at fixed times, no perturbations")
    rule = _crossover_rule(file, where, keys, keys.crossover_when)
    washout, last = file.time(("crossover",), keys.crossover), max(visit.time for visit in visits)
    latest = file.time(("crossover_latest",), keys.crossover_latest) if keys.crossover_latest else max(last, washout)
    if latest < max(washout, last):
        what = f"the latest time of the crossover, {latest:g} h, is before the end of the washout or the last visit"
        raise file.error(("crossover_latest",), what, "a later time", type_=f"{max(washout, last) / 24:g} days")
    return rule, latest


def _crossover_rule(file: SourceFile, where: Path_, keys: TrialFile, text: str) -> Rule:
    """The condition of a crossover: one on the last ratings, or the relapse that the trial defines."""
    words = text.split()
    if "relapse" not in words:
        return with_look_back(file.condition(where, text), LAST_VISIT)
    if words != ["relapse"]:
        what, expected = f"'{text}' is no condition of a crossover", "relapse alone, or a condition on ratings"
        raise file.error(where, what, expected, type_="crossover_when: relapse")
    if keys.relapse is None:
        first = next(iter(keys.visits))
        like = f"relapse: {first} > 50 % of baseline from {keys.first_visit(first)}"
        raise file.error(where, "no definition of relapse", "a relapse: key", type_=like)
    return Condition(next(iter(keys.visits)), "relapse")


def _sentences(keys: TrialFile) -> list[str]:
    return [text for arm in keys.arms.values() for text in as_list(arm.treatment)]
