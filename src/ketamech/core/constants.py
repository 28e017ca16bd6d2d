"""Constants that several packages share."""

from __future__ import annotations

DISCLAIMER = "For research and education only: not treatment or dosing advice."
Z95 = 1.959964  # standard normal quantile: half-width of a 95 % interval in standard errors
MAX_PARETO_K = 0.7  # Pareto shape above which importance weights are not reliable (Vehtari 2017, Stat Comput 27:1413)
SCORE_TOLERANCE = 1e-4  # of the solver where ratings are read: a hundredth of a MADRS point, far below a rating error
PROTOCOL_TOLERANCE = 1e-5  # of the solver where published protocols are simulated, whose outputs are any of the model
PAPERS = "ketamech papers"  # attribute of a result: keys of the papers behind it, joined by blanks
