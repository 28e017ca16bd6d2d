"""Named values with unit, spread, status and sources."""

from ketamech.parameters.load import load_parameters
from ketamech.parameters.parameter import Distribution, Parameter
from ketamech.parameters.table import ParameterTable

__all__ = ["Distribution", "Parameter", "ParameterTable", "load_parameters"]
