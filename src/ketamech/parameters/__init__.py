"""Named values with unit, spread, status and sources."""

from ketamech.parameters.areas import Area, load_areas
from ketamech.parameters.connectome import load_connectome
from ketamech.parameters.load import load_parameters
from ketamech.parameters.parameter import Distribution, Parameter
from ketamech.parameters.species import HUMAN, SPECIES, Species, load_species
from ketamech.parameters.table import ParameterTable

__all__ = [
    "HUMAN",
    "SPECIES",
    "Area",
    "Distribution",
    "Parameter",
    "ParameterTable",
    "Species",
    "load_areas",
    "load_connectome",
    "load_parameters",
    "load_species",
]
