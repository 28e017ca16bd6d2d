"""Moved: see ketamech.simulation.periodic_steady_state."""

from ketamech.simulation.periodic_steady_state import periodic_steady_state

__all__ = ["periodic_steady_state"]
