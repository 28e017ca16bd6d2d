"""A trial file -> a checked trial; every complaint names file, line and key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from ketamech.core import BadInput, UnknownName, nearest
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.study.people import load_population
from ketamech.study.reading import Path_, read_yaml, spelled
from ketamech.study.regimen import LONGEST, Regimen
from ketamech.study.scales import Scale, scale
from ketamech.study.sentence import hours
from ketamech.study.trial import Arm, Step, Trial, Visit
from ketamech.study.trial_file import ArmKeys, StepKeys, TrialFile

_TIME = re.compile(
    r"^\s*(?:(day|week)\s+(\d+(?:\.\d+)?)|(-?\d+(?:\.\d+)?)\s*(min|h|hours?|d|days?|weeks?|months?))\s*$", re.I
)
_SHARE = re.compile(r"^\s*(-?\d+(?:\.\d+)?)\s*%?\s*$")
_WHEN = re.compile(
    r"^\s*(?:(response|remission|no response|no remission)\s+of\s+(\S+)|(\S+)\s*(<=|>=|<|>)\s*([\d.]+))\s*$"
)
_RELAPSE = re.compile(r"^\s*(\S+)\s*>\s*([\d.]+)\s*%\s*of baseline from\s+(.+)$")
MONTH = 30.4 * 24
T = TypeVar("T")


def load_trial(path: str | Path, table: ParameterTable | None = None) -> Trial:
    """The trial that a YAML file holds. Raises BadInput with file, line and key."""
    path, table = Path(path), load_parameters() if table is None else table
    content, lines = read_yaml(path)
    try:
        keys = TrialFile.model_validate({key: value for key, value in content.items() if value is not None})
    except ValidationError as problem:
        raise _complaint(problem, path, lines) from None
    return _Reader(path, lines, table, keys).trial()


@dataclass(frozen=True)
class _Reader:
    """Turns the keys of a file into a trial; `at` gives errors their place."""

    path: Path
    lines: Mapping[Path_, int]
    table: ParameterTable
    keys: TrialFile

    def trial(self) -> Trial:
        keys = self.keys
        scales = {name: self.at(("visits", name), partial(scale, name)) for name in keys.visits}
        arms, washout = self._arms(), self._time(("crossover",), keys.crossover) if keys.crossover else 0.0
        visits = self._visits()
        self._refuse_early(arms, visits)
        first = next(iter(keys.visits))
        return Trial(
            keys.title,
            keys.description,
            tuple(keys.references),
            keys.population,
            self._people(),
            self._values(),
            arms,
            visits,
            scales,
            self._primary(visits, first),
            self._time(("window",), keys.window) if keys.window else 0.0,
            washout,
            self._share(("dropout",), keys.dropout, most=0.5),
            self._share(("dropout_without_effect",), keys.dropout_without_effect, most=0.9),
            self._share(("adherence",), keys.adherence),
            tuple(self._step(i, step, scales, visits) for i, step in enumerate(keys.steps)),
            keys.seed,
            self._relapse(scales, visits),
            self.path.read_text(encoding="utf-8-sig"),
        )

    def at(self, where: Path_, make: Callable[[], T]) -> T:
        """What `make` makes; its complaint gets this place of the file."""
        try:
            return make()
        except BadInput as problem:
            raise self.bad(where, problem.what, problem.expected, problem.nearest, problem.type_this) from None

    def bad(
        self,
        where: Path_,
        what: str,
        expected: str | None = None,
        near: str | None = None,
        type_this: str | None = None,
    ) -> BadInput:
        line = next((self.lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in self.lines), None)
        kind = UnknownName if near else BadInput
        return kind(
            what, file=self.path, line=line, key=spelled(where), expected=expected, nearest=near, type_this=type_this
        )

    def _arms(self) -> tuple[Arm, ...]:
        shares = [arm.share for arm in self.keys.arms.values()]
        if any(share is not None for share in shares):
            self._refuse_shares(shares)
        return tuple(self._arm(name, arm) for name, arm in self.keys.arms.items())

    def _refuse_shares(self, shares: list[float | None]) -> None:
        total = sum(share or 0.0 for share in shares)
        if None in shares or min(share or 0.0 for share in shares) <= 0 or abs(total - 1) > 1e-6:
            raise self.bad(("arms",), f"the shares of the arms add up to {total:g}", "positive shares that add up to 1")
        if self.keys.patients is None:
            raise self.bad(("arms",), "shares of how many patients?", "patients: in all", type_this="patients: 200")

    def _arm(self, name: str, arm: ArmKeys) -> Arm:
        sentences = [arm.treatment] if isinstance(arm.treatment, str) else list(arm.treatment)
        where: Path_ = ("arms", name, "treatment")
        if not any(text.strip() for text in sentences):
            raise self.bad(where, f"arm '{name}' is given nothing", "a regimen sentence", type_this="placebo IV")
        regimen = self.at(where, lambda: Regimen.parse("; ".join(sentences)))
        number = arm.n
        if number is None:
            if arm.share is None:
                raise self.bad(("arms", name), f"how many patients in arm '{name}'?", "n: or share:", type_this="n: 30")
            number = max(1, round(arm.share * (self.keys.patients or 0)))
        return Arm(name, regimen, number, arm.belief or ("open" if self.keys.blinding == "open" else "blinded"))

    def _visits(self) -> tuple[Visit, ...]:
        found: dict[float, tuple[str, set[str]]] = {0.0: ("baseline", set(self.keys.visits))}
        for name, times in self.keys.visits.items():
            for i, text in enumerate(times):
                if text.strip().lower() != "baseline":
                    time = self._time(("visits", name, i), text)
                    found.setdefault(time, (text.strip(), set()))[1].add(name)
        return tuple(
            Visit(found[t][0], t, tuple(s for s in self.keys.visits if s in found[t][1])) for t in sorted(found)
        )

    def _refuse_early(self, arms: tuple[Arm, ...], visits: tuple[Visit, ...]) -> None:
        for arm in arms:
            starts = arm.regimen.treatments
            first = min((t.start for t in starts), default=None)
            if first is None:
                raise self.bad(("arms", arm.name), f"arm '{arm.name}' has no doses", "a regimen sentence")
            early = [visit for visit in visits if 0 < visit.time < first]
            if early and first < LONGEST:
                what = f"visit '{early[0].name}' lies before the first dose of arm '{arm.name}' at {first:g} h"
                raise self.bad(("visits",), what, "visits after the first dose; baseline is rated by itself")

    def _people(self) -> dict[str, str]:
        words = {
            name: f"fixed {text:g}" if isinstance(text, int | float) else text
            for name, text in self.keys.people.items()
        }
        population = self.at(("population",), lambda: load_population(self.keys.population))
        for name, text in words.items():
            self.at(("people", name), partial(population.with_distributions, {name: text}, self.table))
        return words

    def _values(self) -> dict[str, float]:
        found = {}
        for name, given in self.keys.parameters.items():
            if name not in self.table:
                raise self.bad(("parameters", name), f"there is no parameter '{name}'", near=nearest(name, self.table))
            found[name] = self.at(("parameters", name), partial(self._value, name, given))
        return found

    def _value(self, name: str, given: float | str) -> float:
        row = self.table[name]
        return row.with_value(given if isinstance(given, str) else f"{given} {row.unit}").canonical

    def _primary(self, visits: tuple[Visit, ...], first: str) -> tuple[str, str]:
        if self.keys.primary is None:
            return first, [visit.name for visit in visits if first in visit.scales][-1]
        name, _, time = self.keys.primary.partition(" at ")
        match = [v.name for v in visits if name.strip() in v.scales and v.name == time.strip()]
        if not match:
            known = [f"{s} at {v.name}" for v in visits for s in v.scales if v.time]
            near = nearest(self.keys.primary, known)
            raise self.bad(("primary",), f"'{self.keys.primary}' is no visit", "a scale at a visit", near)
        return name.strip(), match[0]

    def _step(self, i: int, step: StepKeys, scales: Mapping[str, Scale], visits: tuple[Visit, ...]) -> Step:
        where: Path_ = ("steps", i)
        texts = [step.at] if isinstance(step.at, str) else step.at
        times = tuple(self._time((*where, "at"), text) for text in texts)
        for time, text in zip(times, texts, strict=True):
            if time not in {visit.time for visit in visits}:
                raise self.bad((*where, "at"), f"'{text}' is no visit", "a time at which something is rated")
        name, test, number = self._condition((*where, "when"), step.when, scales)
        given = {"": step.give} if isinstance(step.give, str) else step.give
        then = tuple(self.at((*where, "give"), partial(Regimen.parse, t)) for t in given.values())
        other = step.otherwise
        otherwise = self.at((*where, "otherwise"), lambda: Regimen.parse(other)) if other else None
        return Step(times, scales[name], test, number, then, tuple(given), otherwise)

    def _condition(self, where: Path_, text: str, scales: Mapping[str, Scale]) -> tuple[str, str, float]:
        match = _WHEN.match(text)
        if not match:
            raise self.bad(where, f"'{text}' was not understood", "a condition", type_this="remission of MADRS")
        name = match[2] or match[3]
        if name not in scales:
            raise self.bad(where, f"'{name}' is not rated in this trial", ", ".join(scales), nearest(name, scales))
        return name, match[1] or match[4], float(match[5] or 0)

    def _relapse(self, scales: Mapping[str, Scale], visits: tuple[Visit, ...]) -> tuple[str, str, float] | None:
        if self.keys.relapse is None:
            return None
        match = _RELAPSE.match(self.keys.relapse)
        if not match or match[1] not in scales:
            raise self.bad(
                ("relapse",), f"'{self.keys.relapse}' was not understood", "a scale of this trial and a visit",
                type_this="MADRS > 50 % of baseline from day 13",
            )  # fmt: skip
        time = self._time(("relapse",), match[3])
        name = next((visit.name for visit in visits if visit.time == time), None)
        if name is None:
            raise self.bad(("relapse",), f"'{match[3]}' is no visit", "a time at which something is rated")
        return match[1], name, float(match[2]) / 100

    def _time(self, where: Path_, text: str) -> float:
        match = _TIME.match(text)
        if not match:
            raise self.bad(where, f"'{text}' is not a time", "24 h, 3 d, day 8, 4 weeks, 3 months")
        if match[1]:
            found = (float(match[2]) - 1) * hours(match[1])
        else:
            found = float(match[3]) * (MONTH if match[4].lower().startswith("mon") else hours(match[4]))
        if not 0 <= found <= LONGEST:
            raise self.bad(where, f"'{text}' lies outside the trial", "a time from the first dose on, below two years")
        return found

    def _share(self, where: Path_, text: str, most: float = 1.0) -> float:
        match = _SHARE.match(text)
        share = float(match[1]) / 100 if match else -1.0
        if not 0 <= share <= most:
            raise self.bad(where, f"'{text}' is not possible", f"0 % to {100 * most:g} %")
        return share


def _complaint(problem: ValidationError, path: Path, lines: Mapping[Path_, int]) -> BadInput:
    """The first complaint of pydantic with file, line, key, expectation and nearest name."""
    error: Any = min(problem.errors(), key=lambda e: (e["type"] != "extra_forbidden", -len(e["loc"])))
    where = tuple(
        part
        for part in error["loc"]
        if part not in ("str", "float", "int") and not str(part).startswith(("list[", "dict["))
    )
    line = next((lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in lines), None)
    kind: Any = {"arms": ArmKeys, "steps": StepKeys}.get(str(where[0])) if len(where) > 1 else TrialFile
    fields = list((kind or TrialFile).model_fields)
    last = str(where[-1])
    if error["type"] == "extra_forbidden":
        what, near = f"'{last}' is not a key here", nearest(last, fields)
        return UnknownName(what, file=path, line=line, key=spelled(where), expected=", ".join(fields), nearest=near)
    what = f"'{last}' is missing" if error["type"] == "missing" else f"{error.get('input')!r} cannot stand here"
    return BadInput(
        what, file=path, line=line, key=spelled(where), expected=error["msg"].removeprefix("Input should be ")
    )
