"""Stages joined into one checked system of equations."""

from ketamech.system.derivatives import Derivatives, derivatives
from ketamech.system.joining import amounts, build, check_units
from ketamech.system.plain import plain_function, plain_rates
from ketamech.system.system import System

__all__ = [
    "Derivatives",
    "System",
    "amounts",
    "build",
    "check_units",
    "derivatives",
    "plain_function",
    "plain_rates",
]
