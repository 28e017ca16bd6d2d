"""Libraries that only some commands need, and the extra that installs each of them."""

from __future__ import annotations

from importlib.util import find_spec

from ketamech.core import InputError

EXTRAS = {
    "trials": ("statsmodels", "lifelines"),
    "calibrate": ("emcee", "SALib"),
    "exchange": ("libsbml", "libsedml", "libcombine", "antimony", "petab", "h5netcdf"),
    "bench": ("roadrunner", "pydiffsol", "COPASI"),
    "web": ("fastapi", "uvicorn"),
    "distributed": ("distributed",),
}


def require_extra(extra: str) -> None:
    """Raise InputError if a library of an extra is not installed."""
    for name in EXTRAS[extra]:
        if find_spec(name) is None:
            raise missing(name)


def missing(name: str) -> InputError:
    """The error for a library that is not installed, with the command that installs it."""
    extra = next((extra for extra, names in EXTRAS.items() if name.split(".")[0] in names), None)
    what = f"this needs {name}, which is not installed"
    return InputError(what, type_this=f'pip install "ketamech[{extra}]"' if extra else f"pip install {name}")
