"""Courses that stay the same while parameter values vary: solved for many sets of values in one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ketamech.engine import Events, events, rest, solve
from ketamech.engine.events import joined
from ketamech.study.running import Course, Model, lead_of, prepare

TOLERANCE = 1e-4  # a finite difference of 0.05 SD of a prior moves the rows by far more


@dataclass(frozen=True)
class Courses:
    """Some courses ready for any values: their `inputs` [course, input], where values may act, what is given, `times`
    (h).

    `free` [course, input]: what the course itself sets (a species, a knock-out) is not free.
    """

    model: Model
    inputs: np.ndarray
    free: np.ndarray
    given: tuple[Events, ...]
    times: np.ndarray
    lead: float
    outputs: tuple[str, ...]
    threads: int

    @classmethod
    def of(
        cls, model: Model, courses: Sequence[Course], locked: Sequence[Mapping[str, float]], times: np.ndarray,
        outputs: Sequence[str], threads: int,
    ) -> Courses:  # fmt: skip
        """Courses of which each keeps the values in `locked` [course], whatever the point says."""
        lead = lead_of(courses)
        inputs, _, _, given = prepare(model, courses, lead)
        names = model.layout.parameter_names
        free = np.ones(inputs.shape, dtype=bool)
        for i, kept in enumerate(locked):
            free[i, : len(names)] = [name not in kept for name in names]
        return cls(model, inputs, free, tuple(given), times, lead, tuple(outputs), threads)

    def __len__(self) -> int:
        return len(self.inputs)

    def solved(self, points: Sequence[Mapping[str, float]]) -> tuple[np.ndarray, np.ndarray]:
        """Values [point, course, time, output] and drug-free values [point, course, output]; NaN where unsolved."""
        kernel, count = self.model.kernel, len(points)
        place = {name: i for i, name in enumerate(self.model.layout.parameter_names)}
        inputs = np.tile(self.inputs, (count, 1, 1))
        for inside, point in zip(inputs, points, strict=True):
            for name, value in point.items():
                if name in place:
                    column = place[name]
                    inside[self.free[:, column], column] = value
        flat = inputs.reshape(count * len(self), -1)
        start, rested = rest(kernel, flat, threads=self.threads)
        nothing = joined([events([])] * len(flat))
        before = solve(kernel, start, flat, nothing, self.times[:1], outputs=self.outputs).values
        found = solve(
            kernel, start, flat, joined(list(self.given) * count), self.times + self.lead,
            outputs=self.outputs, tolerance=TOLERANCE, threads=self.threads,
        ).values  # fmt: skip
        found[~rested] = np.nan
        shape = (count, len(self))
        return found.reshape(*shape, len(self.times), -1), before.reshape(*shape, -1)
