"""Writes a system out as a compiled kernel and moves patients through time."""

from ketamech.core import cache_folder
from ketamech.engine.kernel import Kernel, load_kernel
from ketamech.engine.solve import Events, Solution, events, jacobian, refuse_failure, rest, solve

__all__ = [
    "Events",
    "Kernel",
    "Solution",
    "cache_folder",
    "events",
    "jacobian",
    "load_kernel",
    "refuse_failure",
    "rest",
    "solve",
]
