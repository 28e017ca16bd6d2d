"""Writes a system out as machine code and moves many patients through time."""

from ketamech.engine.events import Events, EventTable, events, table
from ketamech.engine.kernel import Kernel, load_kernel
from ketamech.engine.solve import Patients, Solution, move, refuse_failure, rest, solve

__all__ = [
    "EventTable",
    "Events",
    "Kernel",
    "Patients",
    "Solution",
    "events",
    "load_kernel",
    "move",
    "refuse_failure",
    "rest",
    "solve",
    "table",
]
