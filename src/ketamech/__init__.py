"""KetaMech: a quantitative systems pharmacology model of ketamine, from a dose to mood weeks later.

For research and education only: not treatment or dosing advice.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ketamech.analysis.scorecard import scorecard as scorecard
    from ketamech.core.errors import KetaMechError as KetaMechError
    from ketamech.dosing.dose_records import ev as ev
    from ketamech.dosing.regimen import Regimen as Regimen
    from ketamech.evidence import load_evidence as load_evidence
    from ketamech.interface import attribute as attribute
    from ketamech.interface import calibrate as calibrate
    from ketamech.interface import check as check
    from ketamech.interface import export as export
    from ketamech.interface import fit as fit
    from ketamech.interface import sample_parameters as sample_parameters
    from ketamech.interface import sensitivity as sensitivity
    from ketamech.interface import simulate as simulate
    from ketamech.parameters import load_connectome as load_connectome
    from ketamech.parameters import load_parameters as load_parameters
    from ketamech.population.virtual_population import Population as Population
    from ketamech.report.bibliography import cite as cite
    from ketamech.simulation.model import Model as Model
    from ketamech.simulation.scenario import Scenario as Scenario
    from ketamech.trials.design import Trial as Trial

__version__ = "0.2.0"

_MODULES = {
    "KetaMechError": "core.errors",
    "Model": "simulation.model",
    "Population": "population.virtual_population",
    "Regimen": "dosing.regimen",
    "Scenario": "simulation.scenario",
    "Trial": "trials.design",
    "attribute": "interface",
    "calibrate": "interface",
    "check": "interface",
    "cite": "report.bibliography",
    "ev": "dosing.dose_records",
    "export": "interface",
    "fit": "interface",
    "load_connectome": "parameters.connectome",
    "load_evidence": "evidence.load_evidence",
    "load_parameters": "parameters.load_parameters",
    "sample_parameters": "interface",
    "scorecard": "analysis.scorecard",
    "sensitivity": "interface",
    "simulate": "interface",
}

_WITH_RESULTS = ("Model", "Trial")  # their results have the accessor `dataset.ketamech`, which interface.py registers

__all__ = sorted(_MODULES)


def __getattr__(name: str) -> Any:
    """Import the module of a public name on first use, so that `import ketamech` loads no library."""
    if name in _WITH_RESULTS:
        importlib.import_module("ketamech.interface")
    if name in _MODULES:
        return getattr(importlib.import_module(f"ketamech.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'ketamech' has no attribute '{name}'")


def __dir__() -> list[str]:
    """The public names, loaded or not, and the attributes that every module has."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
