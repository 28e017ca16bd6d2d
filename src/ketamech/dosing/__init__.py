"""The grammar of what is written about doses: regimens, perturbations, times, conditions, endpoints."""

from ketamech.dosing.lexicon import Lexicon
from ketamech.dosing.parse import parse

__all__ = ["Lexicon", "parse"]
