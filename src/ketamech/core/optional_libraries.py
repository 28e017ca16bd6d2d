"""Libraries that only some formats need: the module, or an error that says what to install."""

from __future__ import annotations

import importlib
from typing import Any

from ketamech.core import InputError

EXTRAS = {  # modules of the optional dependencies of pyproject.toml
    "trials": ("lifelines", "scoringrules"),
    "calibrate": ("emcee", "SALib", "arviz"),
    "exchange": ("libsbml", "libsedml", "libcombine", "petab", "h5netcdf", "h5py"),
    "bench": ("roadrunner", "pydiffsol", "COPASI"),
    "amici": ("amici",),
    "tellurium": ("tellurium",),
    "web": ("fastapi", "uvicorn"),
    "site": ("ziglang",),
    "distributed": ("distributed",),
}


def how_to_install(module: str) -> str:
    """The command that installs a module."""
    extra = next((extra for extra, names in EXTRAS.items() if module.split(".")[0] in names), None)
    return f'pip install "ketamech[{extra}]"' if extra else f"pip install {module}"


def import_optional(module: str, package: str, purpose: str) -> Any:
    """The module. Raises InputError, with the command that installs `package`, where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as problem:
        message = f"{purpose} needs {package}, which is not installed"
        raise InputError(message, type_this=how_to_install(module)) from problem
