"""Output times: spaced logarithmically after the first treatment, and denser after every dose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ketamech.core.units import MONTH

FIRST_MINUTE = 1 / 60
ALONG, MOST, EVENLY = 150, 900, 60
AFTER_A_DOSE = np.array([0.0, 0.05, 0.15, 0.35, 0.67, 1.0, 1.5, 2.5, 4.0, 8.0, 16.0])


def output_times(horizon: float, starts: Sequence[float], *, along: int = ALONG, most: int = MOST) -> np.ndarray:
    """Output times (h): `along` of them spaced logarithmically from the first start, more after each dose."""
    first = min(starts, default=0.0)
    grid = [np.array([0.0, first, horizon]), first + np.geomspace(FIRST_MINUTE, max(horizon - first, 0.1), along)]
    if horizon - first > MONTH:  # evenly spaced times for long horizons
        grid.append(np.linspace(first, horizon, EVENLY))
    doses = sorted({start for start in starts if start < horizon})
    each = max(2, min(len(AFTER_A_DOSE), (most - along) // max(1, len(doses))))
    places = np.unique(np.linspace(0, len(AFTER_A_DOSE) - 1, each).astype(int))
    shown = doses[: (most - along) // each]
    if len(shown) > 1:
        grid.append((np.array(shown)[:, None] + AFTER_A_DOSE[places]).ravel())
    found = np.unique(np.round(np.concatenate(grid), 6))
    return found[found <= horizon]
