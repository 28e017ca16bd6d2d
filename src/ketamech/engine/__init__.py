"""Writes a system out as machine code and moves many patients through time."""

from ketamech.core import cache_folder
from ketamech.engine.events import Events, EventTable, events, table
from ketamech.engine.kernel import Kernel, load_kernel
from ketamech.engine.solve import Solution, jacobian, refuse_failure, rest, solve
from ketamech.engine.visits import solve_with_visits

__all__ = [
    "EventTable",
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
    "solve_with_visits",
    "table",
]
