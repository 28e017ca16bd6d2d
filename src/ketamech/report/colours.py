"""Colours that readers with colour blindness can distinguish."""

from __future__ import annotations

from ketamech.report.tracks import load_groups

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
SECONDARY = ("#D55E00", "#444444", "#CC79A7", "#56B4E9", "#E69F00", "#009E73")


def series_colours(group: str, count: int) -> list[str]:
    """Colours of `count` curves: the colour of the group, then colours that differ from it."""
    own = load_groups()[group]
    return [own.colour, *(colour for colour in SECONDARY if colour != own.similar_colour)][:count]
