"""What is decided about each person at visits: who goes on how."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ketamech.engine import EventTable
from ketamech.engine.events import merged
from ketamech.engine.visits import Decision, Rule
from ketamech.study.chance import generators
from ketamech.study.people import People
from ketamech.study.regimen import Regimen
from ketamech.study.trial import Step, Trial

Doses = Callable[[Regimen, np.ndarray, float], EventTable]
SIGNS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip


class Decider:
    """Carries out the steps of a trial. `taken` holds what was decided about each person last, in words."""

    def __init__(self, trial: Trial, people: People, seed: int, replicate: int) -> None:
        self.trial, self.people, self.seed, self.replicate = trial, people, seed, replicate
        self.taken = np.full(len(people), "", dtype=object)
        self.outputs = tuple(dict.fromkeys(scale.output for scale in trial.scales.values()))
        self._baseline: np.ndarray | None = None

    def stops(self) -> np.ndarray:
        """Hours at which somebody is looked at, before that hour's dose: the start, and every visit of a step."""
        return np.array(sorted({0.0, *(time for step in self.trial.steps for time in step.times)}))

    def rule(self, doses: Doses) -> Rule:
        """The rule for `solve_with_visits`; `doses(regimen, members, hour)` are a regimen's events from an hour on."""

        def decide(_: int, hour: float, values: np.ndarray) -> Decision | None:
            if self._baseline is None:
                self._baseline = values.copy()
                return None
            added: EventTable | None = None
            stopped = np.zeros(len(values), dtype=bool)
            for number, step in enumerate(self.trial.steps):
                if hour in step.times:
                    for regimen, members, words in self._sorted(number, step, hour, values):
                        stopped[members] = True
                        self.taken[members] = words
                        new = doses(regimen, members, hour)
                        added = new if added is None else merged(len(values), added, new, hour)
            return Decision(added, stopped)

        return decide

    def _sorted(
        self, number: int, step: Step, hour: float, values: np.ndarray
    ) -> list[tuple[Regimen, np.ndarray, str]]:
        """Regimens with those who get them; a person whose score is unknown goes on as before."""
        z, u = self._chances(number, hour)
        assert self._baseline is not None
        column = self.outputs.index(step.scale.output)
        before = self._baseline[:, column]
        score = step.scale.observed(step.scale.truth(values[:, column], before), z)
        start = step.scale.observed(step.scale.truth(before, before), np.zeros_like(before))
        meets = _meets(step, score, start) & np.isfinite(score)
        drawn = np.minimum((u * len(step.then)).astype(int), len(step.then) - 1)
        found = [
            (regimen, np.flatnonzero(meets & (drawn == k)), step.names[k] or regimen.sentence())
            for k, regimen in enumerate(step.then)
        ]
        if step.otherwise is not None:
            found.append((step.otherwise, np.flatnonzero(~meets & np.isfinite(score)), step.otherwise.sentence()))
        return [(regimen, members, words) for regimen, members, words in found if len(members)]

    def _chances(self, number: int, hour: float) -> tuple[np.ndarray, np.ndarray]:
        """A rater's error and a lot for each person, his own for each step and visit."""
        block = 1 + number * 100_000 + round(hour)
        chances = generators(self.seed, self.people.who, "steps", replicate=self.replicate, block=block)
        drawn = np.array([(c.standard_normal(), c.random()) for c in chances])
        return drawn[:, 0], drawn[:, 1]


def _meets(step: Step, score: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    if step.test in SIGNS:
        return SIGNS[step.test](score, step.number)
    if step.test.endswith("remission"):
        found = score <= step.scale.remission
    else:
        found = score <= (1 - step.scale.response) * baseline
    return ~found if step.test.startswith("no ") else found
