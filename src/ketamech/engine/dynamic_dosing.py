"""Events decided on the way: at visits a rule looks at outputs of every patient and may add doses to come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ketamech.core import InputError
from ketamech.engine.events import Events, EventTable, merged, to_table
from ketamech.engine.kernel import Kernel
from ketamech.engine.lane_layout import OK
from ketamech.engine.solve import FIRST_STEP, IntegrationState, Solution, integrate, validate_outputs


@dataclass(frozen=True)
class Decision:
    """What a rule decides: events `added`, and patients [patient] whose doses still to come are `stopped`."""

    added: EventTable | None
    stopped: np.ndarray


Rule = Callable[[int, float, np.ndarray], EventTable | Decision | None]


def solve_with_visits(
    kernel: Kernel,
    start: np.ndarray,
    inputs: np.ndarray,
    given: Sequence[Events] | EventTable,
    times: np.ndarray,
    visits: np.ndarray,
    rule: Rule,
    *,
    watched: Sequence[str],
    outputs: Sequence[str] | None = None,
    **how: Any,
) -> Solution:
    """As `solve`, stopping at `visits` (h, rising, before the last of `times`, which are the same for all).

    At visit k `rule(k, time, values)` sees `values` [patient, watched output], NaN for a patient who failed, and
    returns the events it adds (none of them before the visit), a Decision that also stops what was planned, or None.
    It must treat each patient by his own row alone, so that nobody depends on who else is in the batch. `how`:
    tolerance, threads and so on, as for `solve`.
    """
    asked, stops = np.asarray(times, dtype=float), np.asarray(visits, dtype=float)
    _check(asked, stops)
    names = validate_outputs(kernel, outputs)
    seen = tuple(dict.fromkeys((*names, *watched)))
    table = to_table(given)
    begin = np.minimum(asked[0], np.minimum(stops[0] if stops.size else np.inf, table.earliest(len(start))))
    patients = IntegrationState.at(start, inputs, begin, how.get("first_step", FIRST_STEP))
    parts: list[Solution] = []
    for k, stop in enumerate([*stops, asked[-1]]):
        last = k == len(stops)
        before = stops[k - 1] if k else -np.inf
        grid = asked[(asked > before) & ((asked <= stop) | last)]
        part = integrate(kernel, patients, table, np.append(grid, stop), outputs=seen, **how)
        parts.append(part)
        patients.y[part.status != OK] = np.nan
        if not last:
            here = part.values[:, -1, [seen.index(name) for name in watched]]
            table = _decided(len(start), table.after(stop), rule(k, float(stop), here), stop)
    return _joined(asked, names, seen, parts)


def _decided(count: int, planned: EventTable, found: EventTable | Decision | None, stop: float) -> EventTable:
    """What is given from a visit on. Raises BadInput when someone is stopped in the middle of an infusion."""
    if not isinstance(found, Decision):
        return merged(count, planned, found, stop)
    gone = found.stopped[planned.owner]
    left = np.bincount(planned.owner, np.where(gone & (planned.kind == 1), planned.size, 0.0), count)
    if np.any(np.abs(left) > 1e-9 * max(1.0, np.abs(planned.size).max(initial=0.0))):
        raise InputError(f"the visit at {stop:g} h falls into an infusion", expected="decisions between two doses")
    return merged(count, planned.where(~gone), found.added, stop)


def _check(times: np.ndarray, visits: np.ndarray) -> None:
    if times.ndim != 1 or visits.ndim != 1 or np.any(np.diff(visits) <= 0) or (visits.size and visits[-1] > times[-1]):
        raise InputError("visits must rise and lie before the last output time", expected="hours, e.g. 24, 168, 336")


def _joined(times: np.ndarray, names: tuple[str, ...], seen: tuple[str, ...], parts: list[Solution]) -> Solution:
    """One solution of all stretches; a patient keeps the reason of the first that failed."""
    columns = [seen.index(name) for name in names]
    values = np.concatenate([part.values[:, :-1, columns] for part in parts], axis=1)
    status = np.array([part.status for part in parts])
    first = np.where(status.any(axis=0), (status != OK).argmax(axis=0), len(parts) - 1)
    patient = np.arange(status.shape[1])
    values[status.any(axis=0)] = np.nan
    return Solution(
        times,
        names,
        values,
        parts[-1].final_state,
        status[first, patient],
        np.sum([part.steps for part in parts], axis=0),
        np.max([part.tries for part in parts], axis=0),
        np.array([part.failed_at for part in parts])[first, patient],
        tuple(parts[f].state_at_fault[i] for i, f in enumerate(first)),
        lambda i: parts[first[i]].term_at_fault(i),
    )
