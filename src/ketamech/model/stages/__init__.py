"""The biology, one file a stage, in the order the story is told."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from ketamech.core.lazy import lazy_getattr, listing

if TYPE_CHECKING:
    from ketamech.model.stage import Stage as Stage

STAGES = (
    "antagonists",
    "pharmacokinetics",
    "brain",
    "second_blocker",
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
    "areas",
    "comparators",
    "expectancy",
    "mood",
    "behaviour",
    "suicidality",
    "dissociation",
    "sedation",
    "haemodynamics",
    "pain",
    "cognition",
)


def all_stages() -> tuple[Callable[[Stage], None], ...]:
    """Every stage function in story order; a new stage is its file plus one name in `STORY`."""
    return tuple(getattr(importlib.import_module(f"ketamech.model.stages.{name}"), name) for name in STAGES)


__all__ = ["STAGES", "Stage", "all_stages"]
__getattr__ = lazy_getattr(__name__, {"Stage": "declaration"})
__dir__ = listing(__name__, __all__)
