"""Doses and the visits at which hope enters: lags, and visits at which nothing is taken."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from ketamech.dosing.treatment import MAX_LAG_H, Treatment
from ketamech.exchange.dose_inference.input_profile import TIME_TOLERANCE

VISIT = "placebo"
MINUTE = 1 / 60
MAX_SESSION_DELAY_H = 2.0  # h: a visit so long before a dose is that of the dose, which enters with a lag


def infer_visits(doses: Sequence[Treatment], beliefs: Sequence[float], gap: float) -> list[Treatment]:
    """Doses (at the hours at which they enter) with the lags that put their visits where hope enters.

    Hope enters at most once in `gap` h. A visit without a dose in the day after it is one of placebo.
    """
    found, lags, open_visits = list[Treatment](), dict[tuple[str, str], float](), list(beliefs)
    for dose in doses:
        lag = 0.0
        if dose.substance.carries_expectancy:
            key = (dose.drug, dose.route)
            lags[key] = lag = _lag(dose.start, lags.get(key, 0.0), beliefs, open_visits, gap)
            open_visits = [at for at in open_visits if abs(at - (dose.start - lag)) > TIME_TOLERANCE]
        found.append(replace(dose, start=dose.start - lag, lag=lag))
    found += [Treatment(VISIT, route="", start=at) for at in open_visits]
    return sorted(found, key=lambda one: one.start)


def _lag(entering: float, usual: float, beliefs: Sequence[float], open_visits: Sequence[float], gap: float) -> float:
    """From giving to entering (h): none where hope enters with the dose, else as before, else since an open visit."""
    if _near(beliefs, entering):
        return 0.0
    if usual and _fits(entering - usual, beliefs, gap):
        return usual
    visit, hope = _last(open_visits, entering), _last(beliefs, entering)
    needed = not _fits(entering, beliefs, gap)
    if visit is not None and entering - visit <= (MAX_LAG_H if needed else MAX_SESSION_DELAY_H):
        return entering - visit
    if needed and hope is not None and entering - hope - gap < MAX_LAG_H - MINUTE:  # a visit of which nothing is left
        return entering - hope - gap + MINUTE
    return 0.0


def _near(times: Sequence[float], at: float) -> bool:
    i = bisect_left(times, at - TIME_TOLERANCE)
    return i < len(times) and times[i] <= at + TIME_TOLERANCE


def _last(times: Sequence[float], at: float) -> float | None:
    i = bisect_left(times, at)
    return times[i - 1] if i else None


def _fits(visit: float, beliefs: Sequence[float], gap: float) -> bool:
    """Whether a visit at this time adds no hope of its own: hope enters just then, or did less than a gap ago."""
    before = _last(beliefs, visit - TIME_TOLERANCE)
    return _near(beliefs, visit) or (before is not None and visit < before + gap - 1e-9)
