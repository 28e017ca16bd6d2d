"""The steps and rescues of a trial file, who leaves, and what a relapse is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from ketamech.core.yaml_lines import Path_
from ketamech.trials.design import DecisionStep, DropoutRule, Visit
from ketamech.trials.rating_scales import RatingScale
from ketamech.trials.source_location import SourceFile
from ketamech.trials.trial_schema import DropoutKeys, StepKeys
from ketamech.trials.trial_text import condition, relapse

MAX_DROPOUT_RULES = 0.9
Scales = Mapping[str, RatingScale]


def step(
    file: SourceFile, where: Path_, keys: StepKeys, scales: Scales, visits: Sequence[Visit], belief: str
) -> DecisionStep:
    """One decision; `belief` is what people are told unless the step says otherwise."""
    texts = [keys.at] if isinstance(keys.at, str) else keys.at
    times = tuple(file.time((*where, "at"), text) for text in texts)
    asked = file.at((*where, "when"), partial(condition, keys.when, scales))
    known = {visit.time for visit in visits if asked.scale in visit.scales}
    for at, text in zip(times, texts, strict=True):
        if at not in known or not at:
            raise file.error((*where, "at"), f"'{text}' is no visit", f"a time at which {asked.scale} is rated")
    given = {keys.give: keys.give} if isinstance(keys.give, str) else keys.give
    shares = keys.shares or {name: 1 / len(given) for name in given}
    file.check_shares((*where, "shares"), shares, len(given))
    if set(shares) != set(given):
        raise file.error((*where, "shares"), "shares of other names than give has", ", ".join(given))
    return DecisionStep(
        times,
        asked,
        tuple(file.regimen((*where, "give"), text) for text in given.values()),
        tuple(given),
        tuple(shares[name] for name in given),
        file.regimen((*where, "otherwise"), keys.otherwise) if keys.otherwise else None,
        keys.belief or belief,
        where[0] == "rescue",
    )


def dropout_rules(
    file: SourceFile, listed: Sequence[DropoutKeys], scales: Scales, poor: DropoutRule
) -> tuple[DropoutRule, ...]:
    """Who leaves for lack of effect (`poor`, and by rules), for side effects."""
    found = [poor] if poor.chance else []
    for i, keys in enumerate(listed):
        where: Path_ = ("leave", i)
        asked = file.at((*where, "when"), partial(condition, keys.when, scales))
        chance = file.share((*where, "chance"), keys.chance, MAX_DROPOUT_RULES)
        found.append(DropoutRule(asked, chance, file.time((*where, "since"), keys.since), keys.reason or keys.when))
    return tuple(found)


def relapse_rule(
    file: SourceFile, text: str | None, scales: Scales, visits: Sequence[Visit]
) -> tuple[str, str, float] | None:
    """Scale, visit from which it counts, share of baseline beyond which it is a relapse."""
    if text is None:
        return None
    name, part, since = file.at(("relapse",), partial(relapse, text, scales))
    visit = next((visit.name for visit in visits if visit.time == since and name in visit.scales), None)
    if visit is None:
        raise file.error(("relapse",), f"{name} is not rated when relapses begin to count", "a visit at which it is")
    return name, visit, part
