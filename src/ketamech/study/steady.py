"""Moved: see ketamech.simulation.periodic_steady_state."""

from ketamech.simulation.periodic_steady_state import steady_state

__all__ = ["steady_state"]
