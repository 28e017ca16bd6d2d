"""Colours that survive colour blindness."""

from __future__ import annotations

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
GROUP_COLOURS = ("#0072B2", "#009E73", "#B07800", "#A8508A", "#C04A00")
SECONDARY = ("#D55E00", "#444444", "#CC79A7", "#56B4E9", "#E69F00", "#009E73")


def series_colours(group: int, count: int) -> list[str]:
    """The group's colour for the main curve, then others that differ from it."""
    first = GROUP_COLOURS[group]
    near = {
        "#0072B2": "#56B4E9",
        "#009E73": "#009E73",
        "#B07800": "#E69F00",
        "#A8508A": "#CC79A7",
        "#C04A00": "#D55E00",
    }
    return [first, *(colour for colour in SECONDARY if colour != near[first])][:count]
