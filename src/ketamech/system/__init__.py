"""Stages joined into one checked system of equations."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ketamech.system.joining import amounts as amounts
    from ketamech.system.joining import build as build
    from ketamech.system.joining import check_units as check_units
    from ketamech.system.layout import Layout as Layout
    from ketamech.system.layout import OfferRow as OfferRow
    from ketamech.system.layout import StateRow as StateRow
    from ketamech.system.plain import plain_function as plain_function
    from ketamech.system.plain import plain_rates as plain_rates
    from ketamech.system.plain import plain_values as plain_values
    from ketamech.system.slopes import Derivatives as Derivatives
    from ketamech.system.slopes import derivatives as derivatives
    from ketamech.system.system import System as System

_WHERE = {
    "Derivatives": "slopes",
    "Layout": "layout",
    "OfferRow": "layout",
    "StateRow": "layout",
    "System": "system",
    "amounts": "joining",
    "build": "joining",
    "check_units": "joining",
    "derivatives": "slopes",
    "plain_function": "plain",
    "plain_rates": "plain",
    "plain_values": "plain",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    """Load a name when it is first used: a layout is read without SymPy."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"ketamech.system.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'ketamech.system' has no attribute '{name}'")
