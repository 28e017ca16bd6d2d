"""What the options of a cohort mean: names joined by commas, times in hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ketamech.core import InputError

if TYPE_CHECKING:
    from ketamech.simulation.scenario import Scenario

SOON, LATER, MOST_SHOWN = 2 / 3, 2.0, 40  # h after a dose that are always shown; for how many doses
MOST_TIMES = 1_000_000


def names(text: str) -> tuple[str, ...]:
    """Names joined by commas, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def times(text: str | None, every: float | None, scenario: Scenario) -> np.ndarray:
    """Hours from text such as '0, 2, 24' or `every` so many to the horizon; default: every day and around doses.

    Raises BadInput for both at once, for text that holds no hours, and for an `every` that leads nowhere.
    """
    if text is None and every is None:
        return _usual_times(scenario)
    if every is not None:
        return _every(every, scenario.horizon, text)
    try:
        return np.array([float(word) for word in str(text).split(",") if word.strip()])
    except ValueError:
        raise InputError(
            f"times '{text}'", key="times", expected="hours", type_this="--times '0, 2, 24, 672'"
        ) from None


def _every(every: float, horizon: float, text: str | None) -> np.ndarray:
    if text is not None:
        raise InputError("--times and --every", key="every", expected="one of them", type_this="--every 24")
    if not horizon / MOST_TIMES < every < np.inf:
        expected = f"hours, more than {horizon / MOST_TIMES:.2g}"
        raise InputError(f"a value every {every:g} h", key="every", expected=expected, type_this="--every 24")
    return np.unique(np.append(np.arange(0.0, horizon, every), horizon))


def _usual_times(scenario: Scenario) -> np.ndarray:
    """Every day, and just before and after each of the first doses."""
    horizon = scenario.horizon
    starts = sorted({at for treatment in scenario.regimen.treatments for at in treatment.starts(horizon)})[:MOST_SHOWN]
    around = np.array([[at, at + SOON, at + LATER] for at in starts]).ravel()
    every = np.concatenate([np.arange(0.0, horizon, 24.0), around, [horizon]])
    return np.unique(every[every <= horizon])
