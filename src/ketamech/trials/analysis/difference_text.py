"""The difference between arms as a sentence, with its direction in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ketamech.trials.analysis.analyse import TrialAnalysis
from ketamech.trials.analysis.power import SuccessCriterion
from ketamech.trials.design import Trial

if TYPE_CHECKING:
    import pandas as pd

SMALLEST_P = 1e-4  # smaller ones are not printed


def difference_sentences(found: TrialAnalysis, trial: Trial, criterion: SuccessCriterion) -> list[str]:
    """One sentence for each arm that is compared with the reference arm; empty for a trial of one arm."""
    scale, visit = trial.primary
    sentences = []
    for arm in (arm.name for arm in trial.arms):
        part = found.primary[found.primary["arm"] == arm] if len(found.primary) else found.primary
        if len(part):
            sentences.append(f"{scale} at {visit}: {_sentence(part, arm, found.reference, criterion)}")
    return sentences


def _sentence(part: pd.DataFrame, arm: str, reference: str, criterion: SuccessCriterion) -> str:
    mean, low, high = mean_difference(part)
    if not math.isfinite(mean):
        return f"the difference between {arm} and {reference} cannot be estimated ({part['reason'].iloc[0]})."
    beginning = f"{directed(mean)} on {arm} than on {reference}"
    met = criterion.is_met(part)
    if len(part) == 1:
        line = part.iloc[0]
        if not math.isfinite(line["p"]):
            return f"{beginning}; not tested ({line['reason']})."
        margin = f"; {'' if met[0] else 'not shown to be '}{criterion.text}" if criterion.margin is not None else ""
        return f"{beginning}, 95 % interval {interval_text(low, high)}, {_p_text(float(line['p']))}{margin}."
    p = float(part["p"].median())
    middle = f", median {_p_text(p)}" if criterion.margin is None and math.isfinite(p) else ""
    estimated = int(part["difference"].notna().sum())
    return (
        f"{beginning}, mean of {estimated} trials; 95 % of the trials: {interval_text(low, high)}; "
        f"{criterion.text} in {int(met.sum())} of {len(part)} trials{middle}."
    )


def mean_difference(part: pd.DataFrame) -> tuple[float, float, float]:
    """Mean difference over the trials of one arm, and the range of 95 % of them; of a single trial its own interval.

    NaN where no trial gives a difference.
    """
    known = part.loc[np.isfinite(part["difference"]), "difference"]
    if known.empty:
        return math.nan, math.nan, math.nan
    edges = part[["low", "high"]].iloc[0] if len(part) == 1 else np.percentile(known, [2.5, 97.5])
    low, high = (float(edge) for edge in edges)
    return float(known.mean()), low, high


def directed(difference: float) -> str:
    """A difference in points with its direction: 4.1 points lower."""
    return f"{abs(difference):.1f} points {'lower' if difference < 0 else 'higher'}"


def interval_text(low: float, high: float) -> str:
    """The limits of an interval with their directions: 6.2 to 2.0 lower; 3.1 lower to 0.4 higher."""
    words = ["lower" if limit < 0 else "higher" for limit in (low, high)]
    if words[0] == words[1]:
        return f"{abs(low):.1f} to {abs(high):.1f} {words[0]}"
    return f"{abs(low):.1f} lower to {abs(high):.1f} higher"


def p_value(p: float) -> str:
    """A p value as text, e.g. 0.034, < 0.0001; empty if missing."""
    if not math.isfinite(p):
        return ""
    return "< 0.0001" if p < SMALLEST_P else f"{p:.2g}"


def _p_text(p: float) -> str:
    return f"p {p_value(p)}" if p < SMALLEST_P else f"p = {p_value(p)}"
