"""Identifies the term of an equation that made a solve fail; slow, used only after a failure."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ketamech.engine.kernel import Kernel

Evaluate = Callable[[np.ndarray, np.ndarray], np.ndarray]


@lru_cache(maxsize=32)
def _terms(kernel: Kernel, state: str) -> tuple[list[str], Evaluate]:
    from ketamech.model.reference_rhs import plain_values

    system = kernel.build_system()
    fluxes = [flux for flux in system.fluxes if flux.state == state]
    return [flux.because for flux in fluxes], plain_values(system, [flux.term for flux in fluxes])


def failing_term(kernel: Kernel, state: str, y: np.ndarray, inputs: np.ndarray) -> str:
    """The reason of the flux of `state` that is not finite at state vector `y`, or of the largest flux."""
    reasons, evaluate = _terms(kernel, state)
    with np.errstate(all="ignore"):
        sizes = np.abs(evaluate(y, inputs))
    return reasons[int(np.argmax(np.where(np.isfinite(sizes), sizes, np.inf)))]
