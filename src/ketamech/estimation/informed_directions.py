"""Combinations of pathway gains that the clinical data determine, and those that they do not.

The gains convert connectivity, habenular activity, the acute experience and expectancy into mood. Eigenvectors of the
posterior covariance of their logarithms, in units of the prior, are independent directions from the best to the least
known one. All other parameters are integrated out. The SD of a direction is 1 if the data say nothing about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ketamech.estimation.calibration import EstimatedParameter
from ketamech.trials.analysis.treatment_effects import Z95

SMALL = 0.2  # loading below which a gain is left out of the words
KNOWN, PARTLY = 0.5, 0.8  # SD relative to the prior up to which a direction is determined, or informed


@dataclass(frozen=True)
class InformedDirection:
    """A direction of the gains: `loadings` {gain: loading in prior SD}, `exponents` {gain: exponent in the product}.

    `sd`: posterior SD relative to the prior. `factor`, `prior_factor`: the product lies within its median divided and
    multiplied by this factor with 95 % probability.
    """

    loadings: Mapping[str, float]
    exponents: Mapping[str, float]
    sd: float
    factor: float
    prior_factor: float

    @property
    def combination(self) -> str:
        """The product or ratio in words, without gains of small loading, e.g. "connectivity × habenula^0.6"."""
        used = {name: e for name, e in self.exponents.items() if abs(self.loadings[name]) >= SMALL}
        above = [_power(name, e) for name, e in used.items() if e > 0]
        below = [_power(name, -e) for name, e in used.items() if e < 0]
        divisor = f"({' × '.join(below)})" if len(below) > 1 else "".join(below)
        return " × ".join(above) + (f" / {divisor}" if divisor else "")

    @property
    def sentence(self) -> str:
        """What the data say about the direction."""
        verb = "determine" if self.sd <= KNOWN else "partly determine" if self.sd <= PARTLY else "hardly inform"
        return (
            f"The trials {verb} {self.combination}: it is known to within a factor of {self.factor:.2g}"
            f" (95 %), and from the prior alone to within {self.prior_factor:.2g}."
        )


def informed_directions(estimated: Sequence[EstimatedParameter], draws: np.ndarray) -> list[InformedDirection]:
    """Directions of the parameters with a `gain`, best known first; `draws` [draw, parameter] in SD of the prior."""
    places = [i for i, p in enumerate(estimated) if p.gain]
    names, priors = [estimated[i].gain for i in places], np.array([estimated[i].prior for i in places])
    variances, vectors = np.linalg.eigh(np.atleast_2d(np.cov(draws[:, places].T)))
    found = []
    for variance, vector in zip(variances, vectors.T, strict=True):
        largest = np.argmax(np.abs(vector))
        loadings = vector * np.sign(vector[largest])
        exponents = loadings / priors
        size = np.abs(exponents).max()
        sd = float(np.sqrt(variance))
        factors = (float(np.exp(Z95 * sd / size)), float(np.exp(Z95 / size)))
        parts = [dict(zip(names, map(float, each), strict=True)) for each in (loadings, exponents / size)]
        found.append(InformedDirection(parts[0], parts[1], sd, *factors))
    return found


def _power(name: str, exponent: float) -> str:
    text = f"{exponent:.1f}"
    return name if text == "1.0" else f"{name}^{text}"
