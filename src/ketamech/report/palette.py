"""Colours of figures: the palette of Okabe and Ito, which people with colour blindness can read, and greys."""

from __future__ import annotations

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
DARK_GREY, GREY, RULE_GREY, BAND_GREY = "#444444", "#888888", "#999999", "#DDDDDD"
OKABE_ITO = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE, DARK_GREY)
SECONDARY = (VERMILLION, DARK_GREY, PURPLE, SKY_BLUE, ORANGE, GREEN)
TEXT_COLOUR, MUTED_COLOUR, AXIS_COLOUR = "#1b1f24", "#6b7280", "#4b5563"
GRID_COLOUR, FINE_GRID_COLOUR, BACKGROUND = "#e3e6ea", "#EEEEEE", "#ffffff"
