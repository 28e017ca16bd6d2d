"""Output times of runs: dense after every dose, sorted, each once. Each function suits one kind of result.

Times, horizons, and starts and ends of doses are in h; the results are arrays [time].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ketamech.core.units import DAY, MINUTE, MONTH

CURVE_HOURS = np.array([0.0, 0.05, 0.15, 0.35, 0.67, 1.0, 1.5, 2.5, 4.0, 8.0, 16.0])  # after each dose of a curve
LONG_HORIZON_TIMES = 60  # evenly spaced, of a curve longer than a month
TABLE_HOURS, MAX_TABLE_DOSES = (0, 0.25, 0.5, 2 / 3, 1, 1.5, 2, 4, 8, 16), 40  # after each of the first doses
DAILY_HOURS, MAX_DAILY_TIMES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0), 48  # after each dose, beside every day
FIRST_HOUR = np.round(np.geomspace(MINUTE, 1.0, 12), 4)  # before those of `daily_times`, on a page
PEAK_HOURS = (0.1, 48.0, 40)  # first, last and number of times after each dose that resolve every peak


def output_times(horizon: float, starts: Sequence[float] = (0.0,), *, per_dose: int = 60) -> np.ndarray:
    """Times that resolve every curve: geometric after each start, from one minute on, and daily to the horizon."""
    grid = [np.array([0.0, horizon])]
    ordered = sorted({s for s in starts if s < horizon}) or [0.0]
    per_start = max(12, min(per_dose, 4000 // len(ordered)))
    for begin, end in zip(ordered, [*ordered[1:], horizon], strict=True):
        if end - begin > MINUTE:
            grid.append(begin + np.geomspace(MINUTE, end - begin, per_start)[:-1])
        grid.append(np.array([begin]))
    grid.append(np.arange(0.0, horizon, DAY))
    return np.unique(np.round(np.concatenate(grid), 6))


def curve_times(
    horizon: float, starts: Sequence[float], ends: Sequence[float] = (), *, count: int = 150, most: int = 900
) -> np.ndarray:
    """Times of a drawn curve: `count` geometric ones from the first start, more after each dose, about `most` in all.

    `ends` of infusions are times as well: levels have their peak there, which no line between neighbours shows.

    `static/engine/output-times.js` gives the same times.
    """
    first = min(starts, default=0.0)
    grid = [np.array([0.0, first, horizon, *ends]), first + np.geomspace(MINUTE, max(horizon - first, 0.1), count)]
    if horizon - first > MONTH:
        grid.append(np.linspace(first, horizon, LONG_HORIZON_TIMES))
    doses = sorted({start for start in starts if start < horizon})
    n_each = max(2, min(len(CURVE_HOURS), (most - count) // max(1, len(doses))))
    places = np.unique(np.linspace(0, len(CURVE_HOURS) - 1, n_each).astype(int))
    shown = doses[: (most - count) // n_each]
    if len(shown) > 1:
        grid.append(_after(shown, CURVE_HOURS[places]))
    times = np.unique(np.round(np.concatenate(grid), 6))
    return times[times <= horizon]


def table_times(horizon: float, starts: Sequence[float], ends: Sequence[float]) -> np.ndarray:
    """Times of a table: every day, several on the day of each of the first doses, and `ends` h after each of these."""
    around = _after(starts[:MAX_TABLE_DOSES], [*TABLE_HOURS, *ends])
    times = np.concatenate([np.arange(0.0, horizon, DAY), around, [horizon]])
    return np.unique(times[times <= horizon])


def daily_times(horizon: float, starts: Sequence[float]) -> np.ndarray:
    """Times of a decomposition from 1 h on: geometric after one dose; daily, and denser after each, for several."""
    grid = np.geomspace(1.0, horizon, MAX_DAILY_TIMES)
    if len(starts) > 1:
        after = _after(starts[:MAX_DAILY_TIMES], DAILY_HOURS)
        grid = np.concatenate([[1.0], np.arange(DAY, horizon, DAY), after, [horizon]])
    return np.unique(np.round(grid[(grid >= 1.0) & (grid <= horizon)], 4))


def peak_times(until: float, starts: Sequence[float]) -> np.ndarray:
    """Times before `until` that resolve every peak: dense after 0 h and after every dose, and daily."""
    begins = np.unique([0.0, *starts])
    close = np.round(_after(begins, np.geomspace(*PEAK_HOURS)), 4)
    return np.unique(np.concatenate([begins, close[close < until], np.arange(DAY, until, DAY)]))


def _after(starts: Sequence[float] | np.ndarray, hours: Sequence[float] | np.ndarray) -> np.ndarray:
    """Every time that is one of `hours` after one of `starts`."""
    return np.add.outer(np.asarray(starts, dtype=float), np.asarray(hours, dtype=float)).ravel()
