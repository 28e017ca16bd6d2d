"""The steps and rescues of a trial file, who leaves, and what a relapse is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from ketamech.study.reading import Path_
from ketamech.study.scales import Scale
from ketamech.study.trial import Leaving, Step, Visit
from ketamech.study.trial_file import LeaveKeys, StepKeys
from ketamech.study.trial_place import File
from ketamech.study.trial_words import condition, relapse

MOST_LEAVING = 0.9
Scales = Mapping[str, Scale]


def step(file: File, where: Path_, keys: StepKeys, scales: Scales, visits: Sequence[Visit], belief: str) -> Step:
    """One decision; `belief` is what people are told unless the step says otherwise."""
    texts = [keys.at] if isinstance(keys.at, str) else keys.at
    times = tuple(file.time((*where, "at"), text) for text in texts)
    asked = file.at((*where, "when"), partial(condition, keys.when, scales))
    known = {visit.time for visit in visits if asked.scale in visit.scales}
    for at, text in zip(times, texts, strict=True):
        if at not in known or not at:
            raise file.bad((*where, "at"), f"'{text}' is no visit", f"a time at which {asked.scale} is rated")
    given = {keys.give: keys.give} if isinstance(keys.give, str) else keys.give
    shares = keys.shares or {name: 1 / len(given) for name in given}
    file.refuse_shares((*where, "shares"), shares, len(given))
    if set(shares) != set(given):
        raise file.bad((*where, "shares"), "shares of other names than give has", ", ".join(given))
    return Step(
        times,
        asked,
        tuple(file.regimen((*where, "give"), text) for text in given.values()),
        tuple(given),
        tuple(shares[name] for name in given),
        file.regimen((*where, "otherwise"), keys.otherwise) if keys.otherwise else None,
        keys.belief or belief,
        where[0] == "rescue",
    )


def leaving(file: File, listed: Sequence[LeaveKeys], scales: Scales, poor: Leaving) -> tuple[Leaving, ...]:
    """Who leaves for lack of effect (`poor`, and by rules), for side effects."""
    found = [poor] if poor.chance else []
    for i, keys in enumerate(listed):
        where: Path_ = ("leave", i)
        asked = file.at((*where, "when"), partial(condition, keys.when, scales))
        chance = file.share((*where, "chance"), keys.chance, MOST_LEAVING)
        found.append(Leaving(asked, chance, file.time((*where, "since"), keys.since), keys.reason or keys.when))
    return tuple(found)


def relapse_of(file: File, text: str | None, scales: Scales, visits: Sequence[Visit]) -> tuple[str, str, float] | None:
    """Scale, visit from which it counts, share of baseline beyond which it is a relapse."""
    if text is None:
        return None
    name, part, since = file.at(("relapse",), partial(relapse, text, scales))
    visit = next((visit.name for visit in visits if visit.time == since and name in visit.scales), None)
    if visit is None:
        raise file.bad(("relapse",), f"{name} is not rated when relapses begin to count", "a visit at which it is")
    return name, visit, part
