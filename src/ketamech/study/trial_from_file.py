"""A trial file -> a checked trial; every complaint names file, line and key."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ketamech.core import BadInput, UnknownName, nearest
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.study.people import load_population
from ketamech.study.reading import Path_, read_yaml, spelled
from ketamech.study.regimen import Regimen
from ketamech.study.scales import Scale, scale
from ketamech.study.scenario import check
from ketamech.study.trial import Arm, Leaving, Step, Trial, Visit
from ketamech.study.trial_complaint import complaint
from ketamech.study.trial_file import ArmKeys, StepKeys, TrialFile
from ketamech.study.trial_words import condition, relapse, share, time, treatment

MOST_DROPOUT, MOST_LEAVING, MOST_MISSED = 0.5, 0.9, 0.9
T = TypeVar("T")


def load_trial(source: str | Path | Mapping[str, Any], table: ParameterTable | None = None) -> Trial:
    """The trial that a YAML file, or a mapping of the same keys, holds. Raises BadInput with file, line and key."""
    table = load_parameters() if table is None else table
    path = None if isinstance(source, Mapping) else Path(source)
    content, lines = read_yaml(path) if path else (dict(source), {})  # type: ignore[arg-type]
    try:
        keys = TrialFile.model_validate({key: value for key, value in content.items() if value is not None})
    except ValidationError as problem:
        raise complaint(problem, path, lines) from None
    text = path.read_text(encoding="utf-8-sig") if path else json.dumps(content)
    return _Reader(path, lines, table, keys).trial(text)


@dataclass(frozen=True)
class _Reader:
    """Turns the keys of a file into a trial; `at` gives errors their place."""

    path: Path | None
    lines: Mapping[Path_, int]
    table: ParameterTable
    keys: TrialFile

    def trial(self, source: str) -> Trial:
        keys = self.keys
        scales = {name: self.at(("visits", name), lambda name=name: scale(name)) for name in keys.visits}
        visits = self._visits()
        primary = self._primary(visits, next(iter(keys.visits)))
        made = Trial(
            title=keys.title,
            description=keys.description,
            references=tuple(keys.references),
            population=keys.population,
            people=self._people(),
            values=self._values(),
            arms=self._arms(scales, primary[0]),
            visits=visits,
            scales=scales,
            primary=primary,
            blinding=keys.blinding,
            assumed=tuple(keys.assumed),
            window=self._time(("window",), keys.window) if keys.window else 0.0,
            washout=self._time(("crossover",), keys.crossover) if keys.crossover else 0.0,
            dropout=self._share(("dropout",), keys.dropout, MOST_DROPOUT),
            leaving=self._leaving(scales),
            missed=self._share(("missed_visits",), keys.missed_visits, MOST_MISSED),
            adherence=self._share(("adherence",), keys.adherence),
            block=keys.allocation.block,
            strata=self._strata(),
            add_on=self._regimen(("add_on",), keys.add_on) if keys.add_on else None,
            steps=self._steps("steps", scales, visits) + self._steps("rescue", scales, visits),
            seed=keys.seed,
            relapse=self._relapse(scales, visits),
            source=source,
        )
        self._refuse_impossible(made)
        return made

    def at(self, where: Path_, make: Callable[[], T]) -> T:
        """What `make` makes; its complaint gets this place of the file."""
        try:
            return make()
        except BadInput as problem:
            raise self.bad(where, problem.what, problem.expected, problem.nearest, problem.type_this) from None

    def bad(
        self, where: Path_, what: str, expected: str | None = None, near: str | None = None, type_: str | None = None
    ) -> BadInput:
        line = next((self.lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in self.lines), None)
        kind = UnknownName if near else BadInput
        return kind(
            what, file=self.path, line=line, key=spelled(where), expected=expected, nearest=near, type_this=type_
        )

    def _time(self, where: Path_, text: str) -> float:
        return self.at(where, lambda: time(text))

    def _share(self, where: Path_, text: str, most: float = 1.0) -> float:
        return self.at(where, lambda: share(text, most))

    def _regimen(self, where: Path_, text: str) -> Regimen:
        def checked() -> Regimen:
            found = Regimen.parse(text)
            check(found, self.table, {}, max((t.start for t in found.treatments), default=0.0) + 1.0)
            return found

        return self.at(where, checked)

    def _visits(self) -> tuple[Visit, ...]:
        found: dict[float, tuple[str, set[str]]] = {0.0: ("baseline", set(self.keys.visits))}
        for name, times in self.keys.visits.items():
            for i, text in enumerate(times):
                if text.strip().lower() != "baseline":
                    at = self._time(("visits", name, i), text)
                    found.setdefault(at, (text.strip(), set()))[1].add(name)
        if len(found) == 1:
            raise self.bad(("visits",), "nothing is rated after baseline", "times", type_="MADRS: [24 h, day 8]")
        return tuple(
            Visit(found[t][0], t, tuple(s for s in self.keys.visits if s in found[t][1])) for t in sorted(found)
        )

    def _arms(self, scales: Mapping[str, Scale], first: str) -> tuple[Arm, ...]:
        shares = {name: arm.share for name, arm in self.keys.arms.items() if arm.share is not None}
        if shares:
            self._refuse_shares(("arms",), shares, len(self.keys.arms))
            if self.keys.patients is None:
                raise self.bad(("arms",), "shares of how many patients?", "patients: in all", type_="patients: 200")
        return tuple(self._arm(name, arm, scales, first) for name, arm in self.keys.arms.items())

    def _arm(self, name: str, arm: ArmKeys, scales: Mapping[str, Scale], first: str) -> Arm:
        where: Path_ = ("arms", name, "treatment")
        sentences = [arm.treatment] if isinstance(arm.treatment, str) else list(arm.treatment)
        regimen, adapting = self.at(where, lambda: treatment(sentences, scales, first))
        self._regimen(where, regimen.sentence())
        number = arm.n
        if number is None:
            if arm.share is None:
                raise self.bad(("arms", name), f"how many patients in arm '{name}'?", "n: or share:", type_="n: 30")
            number = max(1, round(arm.share * (self.keys.patients or 0)))
        return Arm(name, regimen, number, arm.belief or self._usual_belief, adapting)

    @property
    def _usual_belief(self) -> str:
        return "open" if self.keys.blinding == "open" else "blinded"

    def _refuse_shares(self, where: Path_, shares: Mapping[str, float], count: int) -> None:
        total = sum(shares.values())
        if len(shares) != count or min(shares.values()) <= 0 or abs(total - 1) > 1e-6:
            what = f"the shares of {', '.join(shares)} add up to {total:g}"
            fair = ", ".join(f"{value / total:.3g}" for value in shares.values()) if total > 0 else None
            raise self.bad(where, what, "positive shares, one for each, that add up to 1", type_=fair)

    def _strata(self) -> Mapping[str, Mapping[str, float]]:
        for name, levels in self.keys.allocation.strata.items():
            self._refuse_shares(("allocation", "strata", name), levels, max(1, len(levels)))
        return self.keys.allocation.strata

    def _people(self) -> dict[str, str]:
        population = self.at(("population",), lambda: load_population(self.keys.population))
        words = {}
        for name, text in self.keys.people.items():
            words[name] = f"fixed {text:g}" if isinstance(text, int | float) else text
            self.at(("people", name), lambda n=name, t=words[name]: population.with_distributions({n: t}, self.table))
        return words

    def _values(self) -> dict[str, float]:
        found = {}
        for name, given in self.keys.parameters.items():
            if name not in self.table:
                raise self.bad(("parameters", name), f"there is no parameter '{name}'", near=nearest(name, self.table))
            found[name] = self.at(("parameters", name), lambda n=name, g=given: self._value(n, g))
        return found

    def _value(self, name: str, given: float | str) -> float:
        row = self.table[name]
        return row.with_value(given if isinstance(given, str) else f"{given} {row.unit}").canonical

    def _primary(self, visits: Sequence[Visit], first: str) -> tuple[str, str]:
        if self.keys.primary is None:
            return first, [visit.name for visit in visits if first in visit.scales][-1]
        name, _, at = self.keys.primary.partition(" at ")
        match = [v.name for v in visits if name.strip() in v.scales and v.name == at.strip()]
        if not match:
            known = [f"{s} at {v.name}" for v in visits for s in v.scales if v.time]
            near = nearest(self.keys.primary, known)
            raise self.bad(("primary",), f"'{self.keys.primary}' is no visit", "a scale at a visit", near)
        return name.strip(), match[0]

    def _leaving(self, scales: Mapping[str, Scale]) -> tuple[Leaving, ...]:
        found = []
        for i, keys in enumerate(self.keys.leave):
            where: Path_ = ("leave", i)
            asked = self.at((*where, "when"), lambda keys=keys: condition(keys.when, scales))
            chance = self._share((*where, "chance"), keys.chance, MOST_LEAVING)
            found.append(Leaving(asked, chance, self._time((*where, "since"), keys.since), keys.reason or keys.when))
        return tuple(found)

    def _steps(self, key: str, scales: Mapping[str, Scale], visits: Sequence[Visit]) -> tuple[Step, ...]:
        listed = enumerate(getattr(self.keys, key))
        return tuple(self._step((key, i), step, scales, visits) for i, step in listed)

    def _step(self, where: Path_, step: StepKeys, scales: Mapping[str, Scale], visits: Sequence[Visit]) -> Step:
        texts = [step.at] if isinstance(step.at, str) else step.at
        times = tuple(self._time((*where, "at"), text) for text in texts)
        asked = self.at((*where, "when"), lambda: condition(step.when, scales))
        known = {visit.time for visit in visits if asked.scale in visit.scales}
        for at, text in zip(times, texts, strict=True):
            if at not in known or not at:
                raise self.bad((*where, "at"), f"'{text}' is no visit", f"a time at which {asked.scale} is rated")
        given = {"": step.give} if isinstance(step.give, str) else step.give
        shares = step.shares or {name: 1 / len(given) for name in given}
        self._refuse_shares((*where, "shares"), shares, len(given))
        if set(shares) != set(given):
            raise self.bad((*where, "shares"), "shares of other names than give has", ", ".join(given))
        return Step(
            times,
            asked,
            tuple(self._regimen((*where, "give"), text) for text in given.values()),
            tuple(given),
            tuple(shares[name] for name in given),
            self._regimen((*where, "otherwise"), step.otherwise) if step.otherwise else None,
            step.belief or self._usual_belief,
            where[0] == "rescue",
        )

    def _relapse(self, scales: Mapping[str, Scale], visits: Sequence[Visit]) -> tuple[str, str, float] | None:
        text = self.keys.relapse
        if text is None:
            return None
        name, part, since = self.at(("relapse",), lambda: relapse(text, scales))
        visit = next((visit.name for visit in visits if visit.time == since and name in visit.scales), None)
        if visit is None:
            raise self.bad(("relapse",), f"{name} is not rated when relapses begin to count", "a visit at which it is")
        return name, visit, part

    def _refuse_impossible(self, made: Trial) -> None:
        for arm in made.arms:
            first = min(treatment.start for treatment in arm.regimen.treatments)
            early = [visit for visit in made.visits if 0 < visit.time < first]
            if early:
                what = f"visit '{early[0].name}' lies before the first dose of arm '{arm.name}' at {first:g} h"
                raise self.bad(("visits",), what, "visits after the first dose; baseline is rated by itself")
            if arm.adapting and arm.adapting.again and arm.adapting.again.test == "relapse" and not made.relapse:
                raise self.bad(
                    ("arms", arm.name, "treatment"), "what is a relapse?", "a relapse: key",
                    type_="relapse: MADRS > 50 % of baseline from day 29",
                )  # fmt: skip
        sizes = [arm.n * made.block / made.patients for arm in made.arms]
        if made.block and not made.washout and any(abs(size - round(size)) > 1e-9 or size < 1 for size in sizes):
            whole = [b for b in range(1, made.patients + 1) if all(arm.n * b % made.patients == 0 for arm in made.arms)]
            near = min(whole, key=lambda b: abs(b - made.block))
            what = f"blocks of {made.block} cannot hold arms of {', '.join(str(arm.n) for arm in made.arms)} patients"
            raise self.bad(("allocation", "block"), what, "whole patients of each arm", str(near), f"block: {near}")
        if made.washout and (made.steps or any(arm.adapting for arm in made.arms)):
            raise self.bad(("crossover",), "a crossover in which doses are decided on the way", "one or the other")
