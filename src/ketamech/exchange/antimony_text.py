"""An exported model as Antimony: short text that a person reads, and that Tellurium runs."""

from __future__ import annotations

from typing import Any

from ketamech.core import InputError, ModelError


def antimony_text(sbml: str) -> str:
    """SBML text as Antimony text. Raises BadInput without the antimony package, BadModel for what it cannot read."""
    found = _antimony()
    found.clearPreviousLoads()
    if found.loadSBMLString(sbml) < 0:
        raise ModelError(f"Antimony cannot read the model: {found.getLastError()}")
    return str(found.getAntimonyString(found.getMainModuleName()))


def _antimony() -> Any:
    try:
        import antimony as found
    except ImportError as problem:
        what = "writing Antimony needs the antimony package, which is not installed"
        raise InputError(what, type_this='pip install "ketamech[exchange]"') from problem
    return found
