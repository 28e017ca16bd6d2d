"""Published standard deviations of the change on a rating scale beside those of a simulated trial."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ketamech.calibration.clinical_targets import load_spread_targets
from ketamech.evidence import Observation, load_evidence
from ketamech.trials.analysis.analyse import TrialAnalysis, change_sd_by_arm, residual_sd
from ketamech.trials.design import Trial

SAME_TIME = 1.2  # largest ratio of two times of a rating that count as the same
LISTED = 3  # SDs of one paper that are listed one by one


@dataclass(frozen=True)
class PublishedSpread:
    """SDs of the change (points) of the arms of one paper, at `hour` after the start; `n` patients in each."""

    paper: str
    hour: float
    sds: tuple[float, ...]
    n: tuple[int, ...]
    evidence: tuple[str, ...]
    recalled: bool

    @property
    def pooled(self) -> float:
        """The SD over the arms, weighted by their patients."""
        return math.sqrt(float(np.average(np.square(self.sds), weights=self.n)))

    @property
    def text(self) -> str:
        """The paper with its SDs."""
        listed = [f"{sd:.1f}" for sd in self.sds]
        many = f"{min(self.sds):.1f} to {max(self.sds):.1f} in {len(self.sds)} groups"
        values = " and ".join(listed) if len(listed) <= LISTED else many
        return f"{self.paper} ({values}{', recalled' if self.recalled else ''})"


def published_spreads(scale: str, hour: float) -> list[PublishedSpread]:
    """Published SDs of the change on `scale` at about `hour` after the start, by paper; empty where there is none."""
    family = scale.split("-")[0]
    rows: dict[str, tuple[Observation, float]] = {}
    for row in load_evidence().observations.values():
        is_change = re.search(rf"\bchange in {re.escape(family)}\b", row.quantity) and row.canonical_unit == "points"
        if is_change and row.spread.kind == "sd" and row.species == "human" and row.spread.high is not None:
            rows[row.id] = (row, row.spread.high - row.value)
    for target in load_spread_targets():
        if target.statistic == "spread of change" and target.scale.split("-")[0] == family:
            rows[target.row.id] = (target.row, target.sd)
    papers: dict[str, list[tuple[Observation, float]]] = {}
    for row, sd in rows.values():
        time = row.time_h
        if row.n and time is not None and time > 0 and max(time / hour, hour / time) <= SAME_TIME:
            papers.setdefault(row.reference, []).append((row, sd))
    return [_spread(paper, found) for paper, found in sorted(papers.items())]


def _spread(paper: str, rows: Sequence[tuple[Observation, float]]) -> PublishedSpread:
    author, _, year = paper.rpartition("-")
    return PublishedSpread(
        f"{author.title()} {year}",
        float(np.median([row.time_h for row, _ in rows])),
        tuple(float(sd) for _, sd in rows),
        tuple(int(row.n or 0) for row, _ in rows),
        tuple(row.id for row, _ in rows),
        any(row.is_recalled for row, _ in rows),
    )


def spread_rows(scale: str, hour: float, simulated: Mapping[str, float]) -> list[dict[str, object]]:
    """One row a paper: text, pooled SD, and the number of patients with this SD relative to that of `simulated` arms.

    The number of patients that gives a power is proportional to the variance. `simulated`: SD of the change by arm.
    """
    if not simulated:
        return []
    variance = float(np.mean(np.square(list(simulated.values()))))
    return [
        {"text": one.text, "sd": one.pooled, "evidence": list(one.evidence), "patients_ratio": one.pooled**2 / variance}
        for one in published_spreads(scale, hour)
    ]


def simulated_spread_sentences(trial: Trial, analysis: TrialAnalysis, dataset: xr.Dataset) -> list[str]:
    """The SDs of the primary endpoint of a simulated trial beside published ones; empty for a crossover."""
    scale, visit = trial.primary
    hours = analysis.means[scale].set_index("visit")["hour"]
    if visit not in hours or trial.washout:
        return []
    spreads = change_sd_by_arm(dataset, scale, visit)
    return spread_sentences(scale, float(hours[[visit]].max()), spreads, residual_sd(analysis))


def spread_sentences(scale: str, hour: float, simulated: Mapping[str, float], residual: float) -> list[str]:
    """The SDs of a simulated trial and what published ones would make of its sample size."""
    if not simulated:
        return []
    arms = ", ".join(f"{sd:.1f} on {name}" for name, sd in simulated.items())
    adjusted = f"residual SD {residual:.1f} points; " if math.isfinite(residual) else ""
    rows = spread_rows(scale, hour, simulated)
    found = [f"Simulated spread: {adjusted}SD of the change {arms}."]
    if not rows:
        return [*found, "The tables of published values hold no SD of the change on this scale at about this time."]
    ratios = "; ".join(f"{row['text']}: {row['patients_ratio']:.1f}" for row in rows)
    published = "Published SD of the change at about this time, and how many times as many patients it needs"
    return [*found, f"{published}: {ratios}."]
