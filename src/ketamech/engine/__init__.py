"""Compiles a system to machine code and integrates many patients."""

from ketamech.core.atomic_files import cache_folder
from ketamech.engine.events import Events, EventTable, events, table
from ketamech.engine.kernel import Kernel, load_kernel
from ketamech.engine.solve import Solution, drug_free_steady_state, jacobian, raise_on_failure, solve

__all__ = [
    "EventTable", "Events", "Kernel", "Solution", "cache_folder", "drug_free_steady_state", "events", "jacobian",
    "load_kernel", "raise_on_failure", "solve", "table",
]  # fmt: skip
