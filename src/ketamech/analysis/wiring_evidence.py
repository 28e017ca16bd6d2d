"""What rival wirings are judged by: published rows, and how far a simulated number is from each.

Clinical rows have standard errors, to which two MADRS points are added for comparing one typical patient with the mean of a
trial. Perturbation rows are worded "0 abolished, 1 intact", which codes significance and not a measured share, so they
count by the pass band that the scorecard gives them: nothing inside the band, a bell beyond it that is a quarter of the
band wide (a tenth of an open bound). Any row may mislead (species, dose, chance, bias) with a probability of 1 in 20, so
that no single experiment decides: a row that is missed altogether costs log(20) and no more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ketamech.analysis.comparison import NO_CHANGE, compare, standard_error
from ketamech.analysis.measure import Curves
from ketamech.analysis.protocols import Protocol, load_protocols
from ketamech.analysis.targets import Target, load_targets
from ketamech.evidence import Observation, load_evidence, read_table

DIRECTORY = Path(__file__).parents[1] / "data" / "wirings"
COLUMNS = ("evidence", "kind", "weight", "why")
KINDS = ("clinical", "perturbation", "unfitted")
TYPICAL, FOLD_SD = 2.0, 0.13  # MADRS points; relative error where no standard error is printed (1.25-fold is 95 %)
CLOSED, OPEN, MISLEADS = 0.25, 0.1, 0.05
HALF, TOUCHED = 0.5, 0.1  # left of an effect: lost below a half, reduced when a tenth is gone and a tenth left


@dataclass(frozen=True)
class EvidenceRow:
    """One published number of one simulated protocol, in its printed unit."""

    target: Target
    published: Observation
    kind: str
    weight: float
    factor: float

    @property
    def fitted(self) -> bool:
        """Whether it is fitted, or only predicted."""
        return self.kind != "unfitted"

    @property
    def band(self) -> tuple[float, float]:
        """What counts as met (printed unit): the pass band, the printed range, or the side that a sign asks for."""
        low, high = self.target.low, self.target.high
        if self.target.comparison == "sign":
            sides = {1.0: (1 + NO_CHANGE, math.inf), -1.0: (-math.inf, 1 - NO_CHANGE)}
            return sides.get(self.published.value, (1 - NO_CHANGE, 1 + NO_CHANGE))
        if math.isnan(low) and math.isnan(high):
            spread = self.published.spread
            low, high = (math.nan if bound is None else bound for bound in (spread.low, spread.high))
        return (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)

    def read(self, mine: Curves, control: Curves | None) -> float:
        """The simulated number; NaN where there is none."""
        return self.target.measure.read(mine, control) / self.factor

    def distance(self, simulated: np.ndarray) -> np.ndarray:
        """How far simulated numbers are off, in standard errors or in edges of the band; signed."""
        if self.target.comparison in ("z", "fold"):
            return (simulated - self.published.value) / self._error()
        low, high = self.band
        beyond = np.maximum(simulated - high, 0.0) - np.maximum(low - simulated, 0.0)
        return beyond / self._edge(low, high)

    def deviance(self, simulated: np.ndarray) -> np.ndarray:
        """-2 log of the likelihood, 0 when met, at most -2 log of the chance that a row misleads; times its weight."""
        far = np.nan_to_num(self.distance(simulated), nan=np.inf, posinf=np.inf, neginf=np.inf)
        return -2 * self.weight * np.log((1 - MISLEADS) * np.exp(-np.minimum(far**2, 1e3) / 2) + MISLEADS)

    def right(self, simulated: float) -> bool:
        """Whether the direction is right: lost, reduced or kept for what is left of an effect; the side for a sign."""
        if not math.isfinite(simulated):
            return False
        low, high = self.band
        if self.target.comparison == "sign":
            return low <= simulated <= high
        if self.target.comparison in ("z", "fold"):
            return simulated * self.published.value > 0 or abs(self.distance(np.array(simulated))) < 1
        if self.target.measure.against != "fold":
            return low <= simulated <= high
        if high < 1 and low > 0:
            return TOUCHED < simulated < 1 - TOUCHED
        return simulated < HALF if high < 1 else simulated > HALF

    def verdict(self, simulated: float) -> str:
        """inside, near, miss or "no result", by the limits of the scorecard."""
        return compare(
            self.target.comparison, simulated, self.published, self.target.low, self.target.high
        ).word  # fmt: skip

    def _error(self) -> float:
        own = standard_error(self.published)
        own = own if math.isfinite(own) else FOLD_SD * abs(self.published.value)
        return math.hypot(own, TYPICAL * abs(self.target.measure.factor))

    @staticmethod
    def _edge(low: float, high: float) -> float:
        if math.isfinite(low) and math.isfinite(high):
            return CLOSED * (high - low)
        return OPEN * abs(low if math.isfinite(low) else high)


def load_rows(units: dict[str, str]) -> tuple[tuple[EvidenceRow, ...], dict[str, Protocol]]:
    """Rows that wirings are judged by, and every protocol by id. Raises BadInput for a row the scorecard cannot read."""
    evidence, protocols = load_evidence(), load_protocols()
    targets: dict[str, list[Target]] = {}
    for target in load_targets(evidence, protocols):
        targets.setdefault(target.evidence, []).append(target)
    found = []
    for row in read_table(DIRECTORY / "rows.csv", COLUMNS):
        name, kind = row.choice("evidence", targets), row.choice("kind", KINDS)
        for target in targets[name]:
            published = evidence[name]
            fits = target.measure.fits(published.canonical_unit, units) and target.comparison != "sign"
            found.append(EvidenceRow(target, published, kind, row.number("weight"), published.factor if fits else 1.0))
    return tuple(found), protocols
