"""Which published clinical number is which statistic of which simulated trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import xarray as xr

from ketamech.analysis.comparison import standard_error
from ketamech.analysis.trials.effects import baselines, scores
from ketamech.core import BadInput, nearest
from ketamech.evidence import Evidence, Observation, Row, load_evidence, read_table
from ketamech.study import Trial, load_trial

DIRECTORY = Path(__file__).parents[1] / "data" / "calibration"
TRIALS = Path(__file__).parents[1] / "data" / "trials"
COLUMNS = ("evidence", "trial", "arm", "scale", "visit", "statistic", "against", "se", "fitted", "why")
SHARES = ("response", "remission", "still well", "above")  # statistics in percent of patients
DAY = 24.0


@dataclass(frozen=True)
class Clinical:
    """One published row and the statistic it is: of an arm, on a scale, at a visit, perhaps `against` another arm."""

    row: Observation
    trial: str
    arm: str
    scale: str
    visit: str
    statistic: str
    against: str
    se: float
    fitted: bool

    @property
    def published(self) -> float:
        """The printed number; a fall counts as positive."""
        return self.row.value

    @property
    def is_share(self) -> bool:
        """Whether it is a percentage of patients."""
        return self.statistic.startswith(SHARES)


@cache
def load_clinical() -> tuple[Clinical, ...]:
    """Every mapped row. Raises BadInput for an unknown evidence id, a context row marked fitted, and the like."""
    evidence = load_evidence()
    return tuple(_clinical(row, evidence) for row in read_table(DIRECTORY / "rows.csv", COLUMNS))


@cache
def shipped_trial(name: str) -> Trial:
    """A trial file of the package by name. Raises UnknownName."""
    found = {path.stem: path for path in sorted(TRIALS.glob("*.yaml"))}
    if name not in found:
        raise BadInput(f"no trial '{name}' is shipped", expected=", ".join(found), nearest=nearest(name, found))
    return load_trial(found[name])


def statistic(row: Clinical, dataset: xr.Dataset) -> np.ndarray:
    """The statistic in every replicate [replicate], signed and scaled as it was printed; NaN where nobody was rated."""
    values, base, arm = scores(dataset, row.scale)
    relapse = shipped_trial(row.trial).relapse
    if row.statistic in ("median relapse", "still well"):
        assert relapse is not None
        return _relapse(dataset, row, relapse)
    places = _places(dataset, row)
    mine, theirs = (_of(values, base, arm, places, name) for name in (row.arm, row.against or row.arm))
    return np.array([_number(row, a, b) for a, b in zip(mine, theirs, strict=True)])


def errors(row: Clinical) -> float:
    """Standard error of the printed number: given, printed, or that of a share of n patients."""
    if row.se > 0:
        return row.se
    if row.is_share:
        n = row.row.n or 20
        p = min(max(row.published / 100, 0.5 / n), 1 - 0.5 / n)
        return float(100 * np.sqrt(p * (1 - p) / n))
    found = standard_error(row.row)
    return found if np.isfinite(found) else float("nan")


def _of(values: np.ndarray, base: np.ndarray, arm: np.ndarray, places: list[int], name: str) -> list[np.ndarray]:
    """For each replicate scores and baselines [2, patient, visit] of the people then in an arm."""
    found = []
    for r in range(len(values)):
        inside = arm[r][:, places] == name
        pair = np.stack([np.where(inside, values[r][:, places], np.nan), np.where(inside, base[r][:, places], np.nan)])
        found.append(pair)
    return found


def _number(row: Clinical, mine: np.ndarray, theirs: np.ndarray) -> float:
    kind = row.statistic
    if kind == "mean":
        return float(np.nanmean(mine[0]))
    change, other = mine[0] - mine[1], theirs[0] - theirs[1]
    if kind in ("change", "fall"):
        return float(np.nanmean(change)) * (-1 if kind == "fall" else 1)
    if kind in ("difference", "extra fall"):
        return float(np.nanmean(change) - np.nanmean(other)) * (-1 if kind == "extra fall" else 1)
    if kind == "effect size":
        spread = np.sqrt((np.nanvar(mine[0], ddof=1) + np.nanvar(theirs[0], ddof=1)) / 2)
        size = (np.nanmean(mine[0]) - np.nanmean(theirs[0])) / spread
        return float(size if row.published < 0 else -size)
    shares = [_share(kind if row.is_share else "response", row, part) for part in (mine, theirs)]
    if kind == "share difference":
        return shares[0] - shares[1]
    if kind == "odds ratio":
        odds = [(s + 0.5) / (100.5 - s) for s in shares]
        return odds[0] / odds[1]
    return shares[0]


def _share(kind: str, row: Clinical, part: np.ndarray) -> float:
    """Percent of an arm that responds (at any of the visits), remits, or lies above a number."""
    scale = shipped_trial(row.trial).scales[row.scale]
    score, base = part
    with np.errstate(invalid="ignore"):
        if kind.startswith("above"):
            hit = score > float(kind.removeprefix("above"))
        elif kind == "remission":
            hit = score <= scale.remission
        else:
            hit = score <= (1 - scale.response) * base
    there = np.isfinite(base).any(axis=1)
    return float(100 * hit[there].any(axis=1).mean()) if there.any() else float("nan")


def _places(dataset: xr.Dataset, row: Clinical) -> list[int]:
    names = [str(v).split(": ")[-1] for v in dataset["visit"].values]
    if row.visit == "any":
        return [k for k in range(len(names)) if k not in set(baselines(dataset))]
    return [k for k, name in enumerate(names) if name == row.visit]


def _relapse(dataset: xr.Dataset, row: Clinical, relapse: tuple[str, str, float]) -> np.ndarray:
    """Median days to the first of two ratings in a row above the limit among responders, or percent without."""
    scale, visit, share = relapse
    values, base, _ = scores(dataset, scale)
    start = [str(v) for v in dataset["visit"].values].index(visit)
    later, hours = values[:, :, start + 1 :], dataset["visit_time"].values
    responded = values[:, :, start] <= (1 - shipped_trial(row.trial).scales[scale].response) * base[:, :, start]
    above = later > share * base[:, :, start + 1 :]
    back = above[:, :, :-1] & above[:, :, 1:]  # confirmed at the next visit
    days = (hours[:, :, start + 1 : -1] - hours[:, :, start : start + 1]) / DAY
    first = np.where(back.any(axis=2), np.take_along_axis(days, back.argmax(axis=2)[:, :, None], 2)[:, :, 0], np.inf)
    found = []
    for r in range(len(values)):
        times = first[r][responded[r]]
        if row.statistic == "still well":
            found.append(100 * float(np.mean(np.isinf(times))) if times.size else np.nan)
        else:
            found.append(float(min(np.median(times), days[r].max())) if times.size else 0.0)
    return np.array(found)


def _clinical(row: Row, evidence: Evidence) -> Clinical:
    name = row.required("evidence", "an evidence id")
    known = evidence.observations
    if name not in known:
        raise row.bad("evidence", f"no row '{name}'", expected="an evidence id", near=nearest(name, known))
    fitted = row.choice("fitted", ("yes", "no")) == "yes"
    if fitted and known[name].use != "calibrate":
        raise row.bad("fitted", f"'{name}' is kept for comparison", expected="no: only calibrate rows are fitted")
    trial = shipped_trial(row["trial"])
    columns: Mapping[str, list[str]] = {
        "arm": [arm.name for arm in trial.arms],
        "scale": list(trial.scales),
        "visit": [*(v.name for v in trial.visits), "any"],
        "against": [*(arm.name for arm in trial.arms), ""],
    }
    for column, choices in columns.items():
        row.choice(column, choices)
    se = row.number("se") if row["se"] else float("nan")
    parts = (row["trial"], row["arm"], row["scale"], row["visit"], row["statistic"], row["against"])
    return Clinical(known[name], *parts, se, fitted)
