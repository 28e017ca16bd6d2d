"""KetaMech: from a dose of ketamine to the mood weeks later, computed from published numbers.

For research and education only: not treatment or dosing advice.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ketamech.analysis.model_checks import check as check
    from ketamech.analysis.scorecard import scorecard as scorecard
    from ketamech.dosing.dose_records import ev as ev
    from ketamech.dosing.regimen import Regimen as Regimen
    from ketamech.evidence import load_evidence as load_evidence
    from ketamech.exchange.simulate_any import simulate as simulate
    from ketamech.model.assemble import build_system as build_system
    from ketamech.parameters import load_connectome as load_connectome
    from ketamech.parameters import load_parameters as load_parameters
    from ketamech.report.bibliography import cite as cite
    from ketamech.simulation.load_scenario import load_scenario as load_scenario

__version__ = "0.2.0"

_MODULES = {
    "Regimen": "dosing.regimen",
    "build_system": "model.assemble",
    "check": "analysis.model_checks",
    "cite": "report.bibliography",
    "ev": "dosing.dose_records",
    "load_connectome": "parameters.connectome",
    "load_evidence": "evidence.load_evidence",
    "load_parameters": "parameters.load_parameters",
    "load_scenario": "simulation.load_scenario",
    "scorecard": "analysis.scorecard",
    "simulate": "exchange.simulate_any",
}

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: `import ketamech` itself stays quick."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"ketamech.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'ketamech' has no attribute '{name}'")


def __dir__() -> list[str]:
    """The public names, loaded or not, and what Python itself keeps in a module."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
