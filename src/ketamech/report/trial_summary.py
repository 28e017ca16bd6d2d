"""The result of a trial as table rows with sentences: differences between arms, then each arm by visit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ketamech.report.number_format import number

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.trials.analysis.analyse import TrialAnalysis
    from ketamech.trials.design import Trial

SIGNIFICANT = 0.05  # two-sided
TITLE = "Difference in change from baseline, adjusted for baseline"
Row = dict[str, object]


def difference_rows(found: TrialAnalysis, trial: Trial) -> list[Row]:
    """The primary comparison, one row per arm: difference from the reference arm with 95 % interval, p, and text.

    For several replicates: mean difference, its 95 % range, and the number of replicates with p below 0.05.
    """
    rows = []
    scale, visit = trial.primary
    words = _Words(found.reference, falls=trial.scales[scale].response > 0)
    period = ", first period" if trial.washout else ""
    for arm in (arm.name for arm in trial.arms):
        part = found.primary[found.primary["arm"] == arm] if len(found.primary) else found.primary
        if not len(part):
            continue
        row: Row = {"comparison": f"{scale} at {visit}{period}, {arm} minus {found.reference}"}
        rows.append(row | (words.one(arm, part.iloc[0]) if len(part) == 1 else words.several(arm, part)))
    return rows


def relapse_rows(found: TrialAnalysis) -> list[Row]:
    """The hazard ratio of relapse with 95 % interval, p, and text; empty without two groups."""
    if found.relapse is None or len(found.relapse.compared) < 2:
        return []
    first, second = found.relapse.compared
    ratio = found.relapse.hazard_ratio
    words = f"no hazard ratio: {found.relapse.reason}"
    if not found.relapse.reason:
        sooner = second if ratio["hazard_ratio"] > 1 else first
        words = f"{sooner} relapses earlier" if ratio["p"] < SIGNIFICANT else "no significant difference"
    numbers = {name.replace("_", " "): ratio[name] for name in ("hazard_ratio", "low", "high")}
    return [{"comparison": f"{second} against {first}", **numbers, "p": p_value(ratio["p"]), "in words": words}]


def p_value(p: float) -> str:
    """A p value as text, e.g. 0.034, < 0.0001; empty if missing."""
    if not math.isfinite(p):
        return ""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def summary_of(found: TrialAnalysis) -> list[Row]:
    """Change and response of each arm at each visit, of the first scale that has responses."""
    scale = next(iter(found.shares), next(iter(found.means)))
    means = found.means[scale]
    shares = found.shares.get(scale)
    lines = []
    for row in means[means["hour"] > 0].to_dict("records"):
        line = {k: row[k] for k in ("arm", "visit", "n", "mean", "change", "sd", "low", "high")}
        if shares is not None:
            match = shares[(shares["arm"] == row["arm"]) & (shares["visit"] == row["visit"])]
            line |= {k: float(match[k].iloc[0]) if len(match) else float("nan") for k in ("response", "remission")}
        lines.append({"scale": scale, **line})
    return lines


def rows_as_text(rows: list[Row]) -> list[Mapping[str, str]]:
    """Rows with their numbers as text, for a page."""
    return [{k: number(float(v)) if isinstance(v, float | int) else str(v) for k, v in row.items()} for row in rows]


@dataclass(frozen=True)
class _Words:
    """Text of a comparison; on a scale that `falls` with improvement, lower is better."""

    reference: str
    falls: bool

    def one(self, arm: str, line: pd.Series) -> Row:
        """The row of a single replicate."""
        numbers: Row = {name: float(line[name]) for name in ("difference", "low", "high")}
        words = self._ahead(arm, line["difference"]) if line["p"] < SIGNIFICANT else "no significant difference"
        if line["reason"]:
            words = f"not tested: {line['reason']}"
        return {**numbers, "p": p_value(float(line["p"])), "in words": words}

    def several(self, arm: str, part: pd.DataFrame) -> Row:
        """The row of many replicates; some of them may have no difference."""
        differences = part["difference"][np.isfinite(part["difference"])].to_numpy()
        hits = f"{int((part['p'] < SIGNIFICANT).sum())} of {len(part)}"
        unknown = "; ".join(dict.fromkeys(str(text) for text in part["reason"] if text))
        if not len(differences):
            nothing = dict.fromkeys(("difference", "low", "high"), float("nan"))
            return {**nothing, "p < 0.05 in": hits, "in words": f"not tested: {unknown}"}
        low, high = np.percentile(differences, [2.5, 97.5])
        mean = float(differences.mean())
        ahead = int((np.sign(differences) == np.sign(mean)).sum())
        words = f"{self._ahead(arm, mean)} in {ahead} of {len(part)} trials"
        words += f"; not tested in {int((part['reason'] != '').sum())}: {unknown}" if unknown else ""
        return {"difference": mean, "low": float(low), "high": float(high), "p < 0.05 in": hits, "in words": words}

    def _ahead(self, arm: str, difference: float) -> str:
        lower, higher = (arm, self.reference) if difference < 0 else (self.reference, arm)
        return f"{lower} is better" if self.falls else f"{higher} is higher"
