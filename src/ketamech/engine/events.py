"""Events of patients: amounts added to a state, and changes of constant inputs (infusions)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

AMOUNT, INPUT = 0, 1


@dataclass(frozen=True)
class Events:
    """Events of one patient, in order of time: amounts added to a state (kind 0), changes of a constant input (kind 1).

    Arrays of equal length: time (h), kind, state (index), size (state unit, or state unit per h).
    """

    time: np.ndarray
    kind: np.ndarray
    state: np.ndarray
    size: np.ndarray


@dataclass(frozen=True)
class EventTable:
    """Events of many patients in one table: those of patient i are rows first[i] to first[i + 1], in order of time."""

    first: np.ndarray
    time: np.ndarray
    kind: np.ndarray
    state: np.ndarray
    size: np.ndarray

    def earliest(self, count: int) -> np.ndarray:
        """Time of the first event of each patient (h); infinite where there is none."""
        first_times = np.full(count, np.inf)
        has_events = self.first[1:] > self.first[:-1]
        first_times[has_events] = self.time[self.first[:-1][has_events]]
        return first_times

    def patient(self, index: int) -> Events:
        """The events of one patient."""
        rows = slice(self.first[index], self.first[index + 1])
        return Events(self.time[rows], self.kind[rows], self.state[rows], self.size[rows])

    def of(self, indices: np.ndarray) -> EventTable:
        """The table of the patients with these indices, in that order."""
        counts = np.diff(self.first)[indices]
        first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = np.repeat(self.first[indices] - first[:-1], counts) + np.arange(first[-1])
        return EventTable(first, self.time[rows], self.kind[rows], self.state[rows], self.size[rows])

    def where(self, keep: np.ndarray) -> EventTable:
        """The rows to keep [row], for the same patients."""
        if keep.all():
            return self
        counts = np.bincount(self.owner[keep], minlength=len(self.first) - 1)
        first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return EventTable(first, self.time[keep], self.kind[keep], self.state[keep], self.size[keep])

    def within(self, states: np.ndarray) -> EventTable:
        """The rows of `states` (indices, rising), numbered by their places in it."""
        place = np.full(1 + max(states.max(initial=0), self.state.max(initial=0)), -1, dtype=np.int64)
        place[states] = np.arange(len(states))
        indices = place[self.state]
        return replace(self, state=indices).where(indices >= 0)

    @property
    def receivers(self) -> np.ndarray:
        """States (indices, rising) of all rows."""
        return np.flatnonzero(np.bincount(self.state))

    @property
    def owner(self) -> np.ndarray:
        """Patient index of each row."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))


def events(rows: Sequence[tuple[float, int, int, float]]) -> Events:
    """Events from (time, kind, state index, size) rows, sorted by time; rows at one time keep their order."""
    ordered = sorted(rows, key=lambda row: row[0])
    columns = list(zip(*ordered, strict=True)) if ordered else [(), (), (), ()]
    return Events(
        np.array(columns[0], dtype=float),
        np.array(columns[1], dtype=np.int64),
        np.array(columns[2], dtype=np.int64),
        np.array(columns[3], dtype=float),
    )


def to_table(events: Sequence[Events] | EventTable) -> EventTable:
    """Events of each patient as one table."""
    if isinstance(events, EventTable):
        return events
    counts = [patient_events.time.size for patient_events in events]
    columns = [
        np.concatenate([getattr(patient_events, field) for patient_events in events]) if events else np.empty(0)
        for field in ("time", "kind", "state", "size")
    ]
    first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return EventTable(first, columns[0], columns[1].astype(np.int64), columns[2].astype(np.int64), columns[3])


def table(
    count: int, owner: np.ndarray, time: np.ndarray, kind: np.ndarray, state: np.ndarray, size: np.ndarray
) -> EventTable:
    """A table from rows in any order; rows of one patient at one time keep their order."""
    order = np.lexsort((time, owner))
    first = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=count))]).astype(np.int64)
    return EventTable(
        first,
        np.ascontiguousarray(time[order], dtype=float),
        np.ascontiguousarray(kind[order], dtype=np.int64),
        np.ascontiguousarray(state[order], dtype=np.int64),
        np.ascontiguousarray(size[order], dtype=float),
    )
