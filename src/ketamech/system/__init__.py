"""Stages joined into one checked system of equations."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazily, listing

if TYPE_CHECKING:
    from ketamech.system.joining import amounts as amounts
    from ketamech.system.joining import build as build
    from ketamech.system.joining import check_units as check_units
    from ketamech.system.kept import kept_layout as kept_layout
    from ketamech.system.kept import kept_outline as kept_outline
    from ketamech.system.layout import Layout as Layout
    from ketamech.system.layout import OfferRow as OfferRow
    from ketamech.system.layout import StateRow as StateRow
    from ketamech.system.outline import Outline as Outline
    from ketamech.system.outline import names_left as names_left
    from ketamech.system.plain import plain_function as plain_function
    from ketamech.system.plain import plain_rates as plain_rates
    from ketamech.system.plain import plain_values as plain_values
    from ketamech.system.slopes import Derivatives as Derivatives
    from ketamech.system.slopes import derivatives as derivatives
    from ketamech.system.system import System as System
    from ketamech.system.trees import outline_of as outline_of

_WHERE = {
    "Derivatives": "slopes",
    "Layout": "layout",
    "OfferRow": "layout",
    "Outline": "outline",
    "StateRow": "layout",
    "System": "system",
    "amounts": "joining",
    "build": "joining",
    "check_units": "joining",
    "derivatives": "slopes",
    "kept_layout": "kept",
    "kept_outline": "kept",
    "names_left": "outline",
    "outline_of": "trees",
    "plain_function": "plain",
    "plain_rates": "plain",
    "plain_values": "plain",
}

__all__ = sorted(_WHERE)
__getattr__ = lazily(__name__, _WHERE)
__dir__ = listing(__name__, __all__)
