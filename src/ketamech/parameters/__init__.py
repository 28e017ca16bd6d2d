"""Named values with unit, spread, status and sources."""

from ketamech.parameters.connectome import BrainArea, load_brain_areas, load_connectome
from ketamech.parameters.load_parameters import Bounds, Distribution, Parameter, ParameterTable, load_parameters
from ketamech.parameters.species_tables import HUMAN, SPECIES, Species, load_species

__all__ = [
    "HUMAN",
    "SPECIES",
    "Bounds",
    "BrainArea",
    "Distribution",
    "Parameter",
    "ParameterTable",
    "Species",
    "load_brain_areas",
    "load_connectome",
    "load_parameters",
    "load_species",
]
