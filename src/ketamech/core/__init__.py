"""Units, names and errors. Knows no pharmacology."""

from ketamech.core.errors import BadInput, BadModel, KetaMechError, SolveFailed, UnitClash, UnknownName
from ketamech.core.folders import cache_folder
from ketamech.core.names import nearest
from ketamech.core.units import Unit, convert, unit

__all__ = [
    "BadInput",
    "BadModel",
    "KetaMechError",
    "SolveFailed",
    "Unit",
    "UnitClash",
    "UnknownName",
    "cache_folder",
    "convert",
    "nearest",
    "unit",
]
