"""Many patients on one treatment: drawn, dosed by their own bodies, solved, and handed on in chunks.

Patient i is the same person with the same doses missed whatever the size of the cohort, the chunks or the number of
threads, and his numbers are the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np
import xarray as xr

from ketamech.core import BadInput
from ketamech.core.pieces import Arrays
from ketamech.core.work import Cluster
from ketamech.engine import EventTable, Solution, events, rest, solve
from ketamech.engine.events import joined
from ketamech.engine.solve import TOLERANCE, checked_outputs, checked_times
from ketamech.study.chance import generators
from ketamech.study.giving import entries
from ketamech.study.packing import packed, unpacked
from ketamech.study.population import draw
from ketamech.study.regimen import Regimen
from ketamech.study.running import Entry, Model, Quantity
from ketamech.study.scenario import Scenario
from ketamech.study.steady import steady_state

CHUNK, CHUNK_BYTES = 4096, 2**27


@dataclass(frozen=True)
class _People:
    """Some patients before they are solved: numbers, inputs [patient, input], what is given, and what is repeated."""

    who: Sequence[int]
    inputs: np.ndarray
    given: EventTable
    cycle: EventTable | None
    gap: float


@dataclass(frozen=True)
class Cohort:
    """What is asked of a cohort: `times` (h), `outputs` by name, what varies between patients, how carefully."""

    model: Model
    scenario: Scenario
    patients: int
    outputs: tuple[str, ...]
    times: np.ndarray
    seed: int = 1
    replicate: int = 0
    vary: tuple[str, ...] | None = None
    tolerance: float = TOLERANCE
    threads: int = 1
    chunk: int = CHUNK
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.patients < 1:
            raise BadInput(
                f"{self.patients} patients", key="patients", expected="at least 1", type_this="--patients 1000"
            )
        if self.chunk < 1:
            raise BadInput(f"chunks of {self.chunk} patients", key="chunk", expected="at least 1")
        if not self.outputs:
            raise BadInput("no output to keep", key="outputs", expected="a name", type_this="--outputs mood.madrs")
        checked_outputs(self.model.kernel, self.outputs)
        checked_times(self.times, self.patients)
        self.scenario.from_zero()

    @property
    def together(self) -> int:
        """Patients in a chunk: `chunk`, or as many as leave memory flat when many outputs at many times are kept."""
        return max(1, min(self.chunk, CHUNK_BYTES // (8 * len(self.outputs) * len(self.times))))

    @property
    def until(self) -> float:
        """How long doses are given (h): as long as is looked."""
        return max(self.scenario.horizon, float(np.max(self.times)))

    @property
    def size(self) -> int:
        """Bytes of the results."""
        return 8 * self.patients * (len(self.outputs) * len(self.times) + 2)

    @property
    def firsts(self) -> range:
        """The first patient of each chunk."""
        return range(0, self.patients, self.together)

    def chunks(
        self,
        progress: Callable[[int], None] | None = None,
        firsts: Sequence[int] | None = None,
        cluster: Cluster | None = None,
    ) -> Iterator[xr.Dataset]:
        """Datasets with dims (patient, time) beginning with `firsts` (all), in that order unless done on a cluster.

        `progress` is told how many patients have been begun. They are solved on a `cluster`, or here while the next
        patients are drawn. A failed patient is NaN with the reason in `solve_status`.
        """
        asked = list(self.firsts if firsts is None else firsts)
        if not asked:
            return
        if cluster:
            for done, (_, arrays) in enumerate(cluster.map(self.chunk_at, asked)):
                yield unpacked(arrays)
                if progress:
                    progress(self.patients - (len(asked) - done - 1) * self.together)
            return
        with ThreadPoolExecutor(1) as ahead:
            following = ahead.submit(self._drawn, self._who(asked[0]))
            for first, after in zip_longest(asked, asked[1:]):
                people = following.result()
                if after is not None:
                    following = ahead.submit(self._drawn, self._who(after))
                yield self._solved(people, partial(_begun, progress, first) if progress else None)

    def chunk_at(self, first: int) -> Arrays:
        """The chunk that begins with a patient, packed."""
        return packed(self.some(self._who(first)))

    def some(self, who: Sequence[int], progress: Callable[[int], None] | None = None) -> xr.Dataset:
        """Any patients of the cohort, by number."""
        return self._solved(self._drawn(who), progress)

    def _who(self, first: int) -> Sequence[int]:
        return range(first, min(first + self.together, self.patients))

    def _drawn(self, who: Sequence[int]) -> _People:
        """Who they are and what each is given: what enters their equations, and what only decides on doses."""
        layout, table = self.model.layout, self.model.parameters.with_values(dict(self.scenario.values))
        doses = tuple(name for name in table if name not in set(layout.parameter_names))
        how: dict[str, Any] = {"replicate": self.replicate, "vary": self.vary}
        values = draw(table, layout.parameter_names, self.seed, who, **how)
        others = draw(table, doses, self.seed, who, block=1, **how)
        drawn = dict(zip((*layout.parameter_names, *doses), (*values.T, *others.T), strict=True))
        own = {name: numbers for name, numbers in drawn.items() if table[name].spread.kind != "fixed"}
        person = {**self.scenario.values, **own}
        repeated, gap = self.scenario.cycle(self.model.parameters)
        return _People(
            who,
            np.column_stack([values, np.zeros((len(who), len(layout.rested)))]),
            self._events(self.scenario.regimen, self.until, person, who),
            self._events(repeated, gap, person, who) if gap else None,
            gap,
        )

    def _events(
        self, regimen: Regimen, horizon: float, person: Mapping[str, Quantity], who: Sequence[int]
    ) -> EventTable:
        skipped = adherence(regimen, horizon, self.seed, who, self.replicate)
        given = entries(regimen, self.model.parameters, person, horizon, lambda i, k: skipped.get((i, k), 1.0))
        beside = self.scenario.from_zero() if regimen is self.scenario.regimen else ()
        return event_table(self.model, (*given, *beside), len(who))

    def _solved(self, people: _People, progress: Callable[[int], None] | None) -> xr.Dataset:
        kernel, inputs = self.model.kernel, people.inputs
        how: dict[str, Any] = {"threads": self.threads, "device": self.device}
        start, rested = rest(kernel, inputs, **how)
        steady = np.ones(len(inputs), dtype=bool)
        if people.cycle:
            start, steady = steady_state(
                kernel, start, inputs, people.cycle, people.gap, tolerance=self.tolerance, **how
            )
        solution = solve(
            kernel, start, inputs, people.given, self.times,
            outputs=self.outputs, tolerance=self.tolerance, progress=progress, **how,
        )  # fmt: skip
        return self._dataset(people.who, solution, rested, steady)

    def _dataset(self, who: Sequence[int], solution: Solution, rested: np.ndarray, steady: np.ndarray) -> xr.Dataset:
        status = np.full(len(who), "ok", dtype=object)
        for i in np.flatnonzero(solution.status):
            status[i] = solution.reason(int(i))
        status[~steady] = "no periodic steady state"
        status[~rested] = "no rest state"
        values = solution.values
        values[~(rested & steady)] = np.nan
        layout = self.model.layout
        variables = {
            name: (("patient", "time"), values[:, :, i], {"units": layout.units[name], "long_name": layout.about[name]})
            for i, name in enumerate(self.outputs)
        }
        coordinates = {
            "patient": ("patient", np.asarray(who)),
            "time": ("time", self.times, {"units": "h", "long_name": "time since the start"}),
            "solve_status": ("patient", status),
            "solve_steps": ("patient", solution.steps),
        }
        return xr.Dataset(variables, coordinates)


def _begun(progress: Callable[[int], None], before: int, here: int) -> None:
    progress(before + here)


def adherence(
    regimen: Regimen, horizon: float, seed: int, who: Sequence[int], replicate: int
) -> dict[tuple[int, int], np.ndarray]:
    """{(treatment, dose): 1 where a patient takes it, 0 where not} for treatments of which doses may be missed.

    Looking longer changes no dose that was there before, nor does another treatment.
    """
    found: dict[tuple[int, int], np.ndarray] = {}
    for i, treatment in enumerate(regimen.treatments):
        count = len(treatment.starts(horizon)) if treatment.missing else 0
        if count:
            chances = generators(seed, who, "adherence", replicate=replicate, block=i)
            took = np.array([chance.random(count) for chance in chances]) >= treatment.missing
            found |= {(i, k): took[:, k].astype(float) for k in range(count)}
    return found


def event_table(model: Model, given: Sequence[Entry], count: int) -> EventTable:
    """Entries whose numbers may be arrays [patient] as the events of each patient."""
    place = model.places
    times, kinds, states, sizes = [], [], [], []

    def add(time: object, kind: int, state: int, size: object) -> None:
        times.append(np.broadcast_to(np.asarray(time, dtype=float), count))
        sizes.append(np.broadcast_to(np.asarray(size, dtype=float), count))
        kinds.append(kind)
        states.append(state)

    for entry in given:
        if np.any(np.asarray(entry.duration) > 0):
            speed = entry.amount / entry.duration
            add(entry.time, 1, place[entry.state], speed)
            add(entry.time + entry.duration, 1, place[entry.state], -speed)
        else:
            add(entry.time, 0, place[entry.state], entry.amount)
    if not times:
        return joined([events([])] * count)
    time, size = np.array(times).T, np.array(sizes).T
    order = np.argsort(time, axis=1, kind="stable")
    kept = np.take_along_axis(size, order, axis=1) != 0
    first = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int64)
    return EventTable(
        first,
        np.take_along_axis(time, order, axis=1)[kept],
        np.array(kinds, dtype=np.int64)[order][kept],
        np.array(states, dtype=np.int64)[order][kept],
        np.take_along_axis(size, order, axis=1)[kept],
    )
