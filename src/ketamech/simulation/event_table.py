"""Dose events of patients as one table of the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ketamech.core import UnknownNameError, closest_match
from ketamech.dosing.dose_event import DoseEvent, Quantity
from ketamech.engine import EventTable, events, table
from ketamech.engine.events import AMOUNT, INPUT, to_table
from ketamech.simulation.model import Model

Row = tuple[Quantity, int, int, Quantity]  # time (h), kind, state, size (state unit, or state unit per h)


def event_table(model: Model, dose_events: Sequence[DoseEvent], count: int) -> EventTable:
    """Dose events, whose numbers may be arrays [patient], as the events of each of `count` patients.

    Events of size 0 are left out. Raises UnknownNameError for a state that does not accept doses.
    """
    rows = [row for entry in dose_events for row in _rows(model, entry)]
    if not rows:
        return no_events(count)
    time, size = (np.array([np.broadcast_to(np.asarray(row[i], dtype=float), count) for row in rows]).T for i in (0, 3))
    kind, state = (np.array([row[i] for row in rows], dtype=np.int64) for i in (1, 2))
    order = np.argsort(time, axis=1, kind="stable")
    nonzero = np.take_along_axis(size, order, axis=1) != 0
    first = np.concatenate([[0], np.cumsum(nonzero.sum(axis=1))]).astype(np.int64)
    time, size = (np.take_along_axis(values, order, axis=1)[nonzero] for values in (time, size))
    return EventTable(first, time, kind[order][nonzero], state[order][nonzero], size)


def table_of_each(model: Model, dose_events: Sequence[Sequence[DoseEvent]]) -> EventTable:
    """The same for patients with their own lists of dose events [patient]; all numbers are scalars."""
    return to_table(
        [events([row for entry in own for row in _rows(model, entry) if row[3] != 0]) for own in dose_events]
    )


def no_events(count: int) -> EventTable:
    """The table of patients to whom nothing happens."""
    return to_table([events([])] * count)


def tiled(given: EventTable, times: int) -> EventTable:
    """The table of the same patients, in the same order, so many times over."""
    count = np.tile(np.diff(given.first), times)
    first = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    return EventTable(first, *(np.tile(getattr(given, n), times) for n in ("time", "kind", "state", "size")))


def merged_tables(count: int, *parts: EventTable) -> EventTable:
    """Several tables of the same patients as one; at one time the rows of an earlier table come first."""
    names = ("owner", "time", "kind", "state", "size")
    return table(count, *(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _rows(model: Model, entry: DoseEvent) -> Iterator[Row]:
    place = model.compartment_index
    if entry.compartment not in place:
        raise UnknownNameError(
            f"there is no state '{entry.compartment}' for doses", nearest=closest_match(entry.compartment, place)
        )
    state, start = place[entry.compartment], entry.time
    infused = entry.duration > 0
    some, every = (bool(infused.any()), bool(infused.all())) if isinstance(infused, np.ndarray) else (infused, infused)
    if some:
        rate = entry.amount / (entry.duration if every else np.where(infused, entry.duration, np.inf))
        yield start, INPUT, state, rate
        yield start + entry.duration, INPUT, state, -rate
    if not every:
        yield start, AMOUNT, state, np.where(infused, 0.0, entry.amount) if some else entry.amount
