"""Units, errors, files, checkpoints and execution. No pharmacology."""

from ketamech.core.atomic_files import cache_folder
from ketamech.core.errors import (
    InputError,
    KetaMechError,
    ModelError,
    SolverError,
    UnitError,
    UnknownNameError,
    closest_match,
    require_known,
)
from ketamech.core.units import Unit, convert, unit

__all__ = [
    "InputError", "KetaMechError", "ModelError", "SolverError", "Unit", "UnitError", "UnknownNameError", "cache_folder",
    "closest_match", "convert", "require_known", "unit",
]  # fmt: skip
