"""Which term of an equation is to blame when a solve fails: slow, and asked only then."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ketamech.engine.kernel import Kernel
from ketamech.system import System, plain_values


@lru_cache(maxsize=32)
def _terms(system_of: Kernel, state: str) -> tuple:
    system: System = system_of.build_system()
    fluxes = [flux for flux in system.fluxes if flux.state == state]
    return [flux.because for flux in fluxes], plain_values(system, [flux.term for flux in fluxes])


def term_at_fault(kernel: Kernel, state: str, y: np.ndarray, inputs: np.ndarray) -> str:
    """The reason given for the flux of `state` that is not finite at state vector `y`, or for the largest."""
    reasons, evaluate = _terms(kernel, state)
    with np.errstate(all="ignore"):
        sizes = np.abs(evaluate(y, inputs))
    return reasons[int(np.argmax(np.where(np.isfinite(sizes), sizes, np.inf)))]
