"""The biology: one file per stage, from the drug in the body to mood, pain and side effects."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from ketamech.model.stage import Stage

STAGES = (
    "tool_compounds",
    "pharmacokinetics",
    "brain",
    "memantine",
    "nmda",
    "circuit",
    "glutamate",
    "ampa",
    "plasticity",
    "stress",
    "spines",
    "habenula",
    "inflammation",
    "opioid",
    "brain_network",
    "other_treatments",
    "expectancy",
    "course",
    "mood",
    "forced_swim",
    "suicidality",
    "dissociation",
    "sedation",
    "haemodynamics",
    "pain",
    "cognition",
)


def all_stages() -> tuple[Callable[[Stage], None], ...]:
    """Every stage function in causal order; a new stage needs its file and one name in `STAGES`."""
    return tuple(getattr(importlib.import_module(f"ketamech.model.stages.{name}"), name) for name in STAGES)
