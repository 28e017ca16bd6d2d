"""Named values with unit, spread, status and sources."""

from ketamech.parameters.load import load_parameters
from ketamech.parameters.parameter import Distribution, Parameter
from ketamech.parameters.species import HUMAN, SPECIES, Species, load_species
from ketamech.parameters.table import ParameterTable

__all__ = [
    "HUMAN",
    "SPECIES",
    "Distribution",
    "Parameter",
    "ParameterTable",
    "Species",
    "load_parameters",
    "load_species",
]
