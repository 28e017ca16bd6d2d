"""Colours of figures: the palette of Okabe and Ito, which people with colour blindness can read, and greys.

`line_style` gives each of many lines a colour and dash of its own.
"""

from __future__ import annotations

from typing import Any

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
DARK_GREY, GREY, RULE_GREY, BAND_GREY = "#444444", "#888888", "#999999", "#DDDDDD"
OKABE_ITO = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE, DARK_GREY)
WINE, OLIVE, INDIGO = "#882255", "#999933", "#332288"  # of the palette "muted" of Tol, which they can read, too
SERIES_COLOURS = (*OKABE_ITO, WINE, OLIVE, INDIGO)
DASHES, HATCHES = ("-", "--", ":"), ("", "////", "....")  # one after another, each for as many series as OKABE_ITO
SECONDARY = (VERMILLION, DARK_GREY, PURPLE, SKY_BLUE, ORANGE, GREEN)
TEXT_COLOUR, MUTED_COLOUR, AXIS_COLOUR = "#1b1f24", "#6b7280", "#4b5563"
GRID_COLOUR, FINE_GRID_COLOUR, BACKGROUND = "#e3e6ea", "#EEEEEE", "#ffffff"
AXIS_GRID_COLOUR, PANEL_GRID_COLOUR, PAGE_GRID_COLOUR = "#eceff2", "#f0f2f4", "#eceef0"
BASELINE_COLOUR, STRIPE_COLOURS = "#b6bcc4", ("#eef1f5", "#e2e7ed")
ERROR_BAR_COLOUR, OUTLINE_COLOUR, CENSORED_COLOUR = "#c8ccd2", "#222222", "#666666"
WARNING_COLOUR, NOTE_COLOUR, CONTROL_COLOUR = "#7a2b00", "#55606c", "#6b7580"
UNSTUDIED_COLOUR = "#9aa0a8"


def line_style(k: int) -> dict[str, Any]:
    """Colour and dash of line `k` (from 0) of a figure; no two of the first 20 have both in common."""
    return {"color": SERIES_COLOURS[k % len(SERIES_COLOURS)], "ls": DASHES[_round(k)]}


def bar_style(k: int) -> dict[str, Any]:
    """Colour and hatch of the bars of series `k` (from 0) of a figure, in the colours of `line_style`."""
    return {"color": SERIES_COLOURS[k % len(SERIES_COLOURS)], "hatch": HATCHES[_round(k)]}


def _round(k: int) -> int:
    """How many times the colours of Okabe and Ito were used before series `k`, at most twice."""
    return min(k // len(OKABE_ITO), len(DASHES) - 1)
