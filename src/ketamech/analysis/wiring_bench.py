"""Every protocol that wirings are judged by, simulated for many sets of values at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ketamech.analysis.expression import names_in
from ketamech.analysis.measure import Curves
from ketamech.analysis.protocols import Protocol, given_micromoles
from ketamech.analysis.reduction import moments
from ketamech.analysis.wiring_evidence import EvidenceRow, load_rows
from ketamech.engine import events, rest, solve
from ketamech.engine.events import joined
from ketamech.study import Entry, Model, story_times
from ketamech.study.cohort import event_table

TOLERANCE, BYTES = 1e-5, 2**27
PER_DOSE = 40
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Bench:
    """The rows, and the model that is to meet them."""

    model: Model
    threads: int = 1

    @cached_property
    def rows(self) -> tuple[EvidenceRow, ...]:
        """Published rows: fitted ones and predicted ones."""
        return load_rows(dict(self.model.layout.units))[0]

    @cached_property
    def protocols(self) -> dict[str, Protocol]:
        """Protocols that a row reads or compares with."""
        known = load_rows(dict(self.model.layout.units))[1]
        named = {row.target.protocol for row in self.rows}
        named |= {known[name].control for name in named} - {""}
        return {name: protocol for name, protocol in known.items() if name in named}

    def predict(self, points: Sequence[Mapping[str, float]], tell: Tell | None = None) -> np.ndarray:
        """What each row reads [point, row] at each set of canonical values, in printed units; NaN where unsolved."""
        found = np.full((len(points), len(self.rows)), np.nan)
        horizons = sorted({protocol.horizon for protocol in self.protocols.values()})
        done, total = 0, len(points) * len(self.protocols)
        for horizon in horizons:
            batch = [p for p in self.protocols.values() if p.horizon == horizon]
            for part in self._parts(points, horizon, batch):
                self._read(found, part, self._solved([points[i] for i in part], horizon, batch), batch)
                done += len(part) * len(batch)
                if tell:
                    tell(done, total)
        return found

    def deviances(self, predicted: np.ndarray) -> np.ndarray:
        """-2 log likelihood of each row [point, row]; rows that are only predicted too."""
        return np.stack([row.deviance(predicted[:, j]) for j, row in enumerate(self.rows)], axis=-1)

    @cached_property
    def fitted(self) -> np.ndarray:
        """Which rows are fitted [row]."""
        return np.array([row.fitted for row in self.rows])

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Outputs that the rows name."""
        texts = [text for row in self.rows for text in row.target.measure.output.split("|")]
        texts += [row.target.measure.when for row in self.rows if ">" in row.target.measure.when]
        return tuple(dict.fromkeys(name for text in texts for name in names_in(text.split(">")[0])))

    def _times(self, horizon: float, batch: Sequence[Protocol]) -> np.ndarray:
        given = [entry for p in batch for entry in p.entries(self.model.parameters)]
        starts = sorted({e.time for e in given} | {e.time + e.duration for e in given})
        named = [row.target.measure.when for row in self.rows if ">" not in row.target.measure.when]
        exact = {float(h) for when in named if when for h in moments(when, np.zeros(2), {})}
        close = [*exact, *story_times(horizon, starts, per_dose=PER_DOSE)]
        return np.unique(np.round([h for h in close if h <= horizon], 6))

    def _parts(self, points: Sequence[object], horizon: float, batch: Sequence[Protocol]) -> Iterator[Sequence[int]]:
        each = 8 * len(batch) * len(self._times(horizon, batch)) * len(self.outputs)
        together = max(1, BYTES // each)
        for first in range(0, len(points), together):
            yield range(first, min(first + together, len(points)))

    def _solved(
        self, points: Sequence[Mapping[str, float]], horizon: float, batch: Sequence[Protocol]
    ) -> list[dict[str, Curves]]:
        """Curves of every protocol, by id, for every point."""
        table, layout, kernel = self.model.parameters, self.model.layout, self.model.kernel
        usual = {name: table[name].canonical for name in layout.parameter_names}
        people = [{**usual, **point, **p.values(table)} for point in points for p in batch]
        inputs = np.array([[*(q[name] for name in usual), *([0.0] * len(layout.rested))] for q in people])
        given = [p.entries(table) for p in batch]
        each = [_as_events(self.model, entries) for entries in given]
        times = self._times(horizon, batch)
        start, rested = rest(kernel, inputs, threads=self.threads)
        nothing = joined([events([])] * len(people))
        drug_free = solve(kernel, start, inputs, nothing, times[:1], outputs=self.outputs).values
        solution = solve(
            kernel, start, inputs, joined(each * len(points)), times,
            outputs=self.outputs, tolerance=TOLERANCE, threads=self.threads,
        )  # fmt: skip
        solution.values[~rested] = np.nan
        doses = [given_micromoles(entries) for entries in given]

        def curves(k: int, j: int) -> Curves:
            own = {name: solution.values[k, :, i] for i, name in enumerate(self.outputs)}
            return Curves(times, own, dict(zip(self.outputs, drug_free[k, 0], strict=True)), doses[j])

        return [{p.id: curves(i * len(batch) + j, j) for j, p in enumerate(batch)} for i in range(len(points))]

    def _read(
        self, found: np.ndarray, part: Sequence[int], curves: list[dict[str, Curves]], batch: Sequence[Protocol]
    ) -> None:
        here = {p.id: p for p in batch}
        for j, row in enumerate(self.rows):
            protocol = here.get(row.target.protocol)
            if protocol is None:
                continue
            for i, mine in zip(part, curves, strict=True):
                found[i, j] = row.read(mine[protocol.id], mine.get(protocol.control))


def _as_events(model: Model, given: Sequence[Entry]) -> object:
    table = event_table(model, given, 1)
    rows = zip(table.time, table.kind, table.state, table.size, strict=True)
    return events([(float(t), int(k), int(s), float(x)) for t, k, s, x in rows])
