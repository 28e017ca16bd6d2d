"""From parameter values and dose events to curves: the one path behind every runner."""

from ketamech.dosing.subject import DoseEvent, Quantity, Subject
from ketamech.simulation.baseline import baseline_of
from ketamech.simulation.ensemble import Cycle, Ensemble, InitialCondition, Integration, Trajectories
from ketamech.simulation.model import Model, load_model

__all__ = [
    "Cycle",
    "DoseEvent",
    "Ensemble",
    "InitialCondition",
    "Integration",
    "Model",
    "Quantity",
    "Subject",
    "Trajectories",
    "baseline_of",
    "load_model",
]
