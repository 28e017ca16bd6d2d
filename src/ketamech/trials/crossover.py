"""A crossover in which each patient waits for the second period until a condition is met, such as a relapse."""

from __future__ import annotations

import numpy as np

from ketamech.trials.decision_rules import is_met
from ketamech.trials.design import Trial
from ketamech.trials.trial_dataset import TrialState
from ketamech.trials.trial_dosing import second_period_course


def crossing_checks(trial: Trial) -> list[tuple[float, int]]:
    """Hours at which waiting patients may cross over, each with the index of the last visit by then.

    These are the end of the washout, the visits after it, and the latest time.
    """
    if trial.crossover_rule is None:
        return []
    visits = [visit.time for visit in trial.visits]
    later = {time for time in visits if trial.washout < time < trial.period_length}
    return [
        (time, int(np.searchsorted(visits, time + 1e-9)) - 1)
        for time in sorted({trial.washout, *later, trial.period_length})
    ]


def cross_over(state: TrialState, hour: float, visit: int) -> None:
    """Let the waiting patients who meet the condition at `hour` begin the second period; all at the latest time."""
    trial, waiting = state.trial, np.isnan(state.crossed_at)
    assert trial.crossover_rule is not None
    met = is_met(trial, trial.crossover_rule, state.scores(), visit)[0]
    moved = waiting & (met | (hour >= trial.period_length - 1e-9))
    state.crossed_at[moved] = hour
    count, visits, exposures = (
        state.hours.shape[1],
        len(trial.visits),
        (state.times.shape[1] - state.hours.shape[1]) // 2,
    )
    second = np.r_[visits : 2 * visits, count + exposures : count + 2 * exposures]
    left_out = np.flatnonzero(np.array([v.time for v in trial.visits]) > hour + 1e-9)
    state.times[np.ix_(moved, second)] += hour - trial.period_length
    state.times[np.ix_(moved, left_out)] = hour
    state.closed[np.ix_(moved, left_out)] = True
    state.hours[moved] = state.times[moved, :count]
    for number in np.unique(state.dosing.course[moved]):
        first = state.dosing.courses[number].name
        state.dosing.begin(second_period_course(first), moved & (state.dosing.course == number), hour)
