"""From parameter values and dose events to curves: the one path behind every runner."""

from ketamech.simulation.baseline import baseline_of
from ketamech.simulation.ensemble import Cycle, Ensemble, InitialCondition, Integration, Trajectories
from ketamech.simulation.model import Model, load_model
from ketamech.simulation.subject import Course, Entry, Quantity

__all__ = [
    "Course",
    "Cycle",
    "Ensemble",
    "Entry",
    "InitialCondition",
    "Integration",
    "Model",
    "Quantity",
    "Trajectories",
    "baseline_of",
    "load_model",
]
