"""Published clinical numbers, the statistics of simulated trials that correspond to them, and their likelihood."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import xarray as xr

from ketamech.core.constants import Z95
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.core.units import DAY
from ketamech.evidence import Evidence, Observation, load_evidence, standard_error
from ketamech.trials.analysis.treatment_effects import baselines, scores, visit_names
from ketamech.trials.trial_reader import shipped_trial

DIRECTORY = DATA / "calibration"
COLUMNS = ("evidence", "trial", "arm", "scale", "visit", "statistic", "against", "se", "fitted", "why")
SPREADS = ("evidence", "trial", "arm", "scale", "visit", "statistic", "sd", "n", "fitted", "why")
FITTED_CODES = {
    "yes": True,
    "no": False,
    "population": False,
}  # population: the number defines the patients of the trial
RELAPSE_STATISTICS = ("median relapse", "still well", "relapse", "hazard ratio")  # statistics of the patients at risk
PERCENT_STATISTICS = ("response", "remission", "still well", "relapse", "above")


@dataclass(frozen=True)
class ClinicalTarget:
    """One published row and its statistic: arm, scale, visit, and the control arm where one is compared."""

    row: Observation
    trial: str
    arm: str
    scale: str
    visit: str
    statistic: str
    control_arm: str
    se: float
    fitted: bool
    sd: float = float("nan")  # of the patients of an arm, where it is compared instead of the printed number

    @property
    def published(self) -> float:
        """The published number, or the SD within the arm; a fall is positive."""
        return self.sd if np.isfinite(self.sd) else self.row.value

    @property
    def is_share(self) -> bool:
        """Whether it is a percentage of patients."""
        return self.statistic.startswith(PERCENT_STATISTICS)


@cache
def load_clinical_targets() -> tuple[ClinicalTarget, ...]:
    """Every row. Raises InputError, for example for an unknown evidence id or a fitted context row."""
    evidence = load_evidence()
    return tuple(_clinical(row, evidence) for row in read_table(DIRECTORY / "rows.csv", COLUMNS))


@cache
def load_spread_targets() -> tuple[ClinicalTarget, ...]:
    """Standard deviations of change or score within an arm, from printed errors. Raises InputError."""
    evidence, targets = load_evidence(), []
    for row in read_table(DIRECTORY / "spreads.csv", SPREADS):
        row.one_of("statistic", ("spread of change", "spread"))
        sd, n = row.number("sd"), row.number("n")
        error = float(sd / np.sqrt(2 * (n - 1)))  # of the SD of a normal sample
        cells = {**row.cells, "against": "", "se": repr(error)}
        targets.append(replace(_clinical(replace(row, cells=cells), evidence), sd=sd))
    return tuple(targets)


def standard_error_of(row: ClinicalTarget) -> float:
    """Standard error of the printed number: given, printed, or of a share of n patients; NaN if unknown."""
    if row.se > 0:
        return row.se
    n = row.row.n
    if row.is_share and n:
        p = min(max(row.published / 100, 0.5 / n), 1 - 0.5 / n)
        return float(100 * np.sqrt(p * (1 - p) / n))
    return standard_error(row.row)


def published_interval(row: ClinicalTarget) -> tuple[float, float]:
    """The published 95 % interval: as printed; exact (Clopper-Pearson) for a share of patients; else 1.96 standard
    errors around the number. NaN where none is known: a range of values or of trials is no interval.
    """
    spread, n = row.row.spread, row.row.n
    if not np.isfinite(row.sd):
        if spread.kind == "ci" and spread.low is not None and spread.high is not None:
            return spread.low, spread.high
        if row.is_share and n:
            return exact_share_interval(row.published, n)
    half = Z95 * standard_error_of(row)
    return row.published - half, row.published + half


def exact_share_interval(percent: float, n: int) -> tuple[float, float]:
    """Clopper-Pearson 95 % interval (percent) of a share of `n` patients.

    For published shares, which are data: it holds the true share at least 95 % of the time, however few the patients.
    """
    from scipy.stats import binomtest

    interval = binomtest(round(percent / 100 * n), n).proportion_ci(0.95, method="exact")
    return 100 * float(interval.low), 100 * float(interval.high)


def _clinical(row: CsvRow, evidence: Evidence) -> ClinicalTarget:
    known = evidence.observations
    name = row.known("evidence", known, "an evidence id", what="no row")
    fitted = FITTED_CODES[row.one_of("fitted", FITTED_CODES)]
    if fitted and known[name].use != "calibrate" and known[name].has_public_source:
        raise row.error("fitted", f"'{name}' is a context row", expected="no: only calibrate rows are fitted")
    trial = shipped_trial(row["trial"])
    groups = [arm.name for arm in trial.arms]
    if row["statistic"] in RELAPSE_STATISTICS:
        groups += [name for step in trial.steps for name in step.names]
    columns: Mapping[str, list[str]] = {
        "arm": groups,
        "scale": list(trial.scales),
        "visit": [*(v.name for v in trial.visits), "any"],
        "against": [*groups, ""],
    }
    for column, choices in columns.items():
        row.one_of(column, choices)
    parts = (row["trial"], row["arm"], row["scale"], row["visit"], row["statistic"], row["against"])
    return ClinicalTarget(known[name], *parts, row.number_or("se", float("nan")), fitted)


def statistic(row: ClinicalTarget, dataset: xr.Dataset) -> np.ndarray:
    """The statistic in every replicate [replicate], signed and scaled as it was printed; NaN where no patient was
    rated.
    """
    values, base, arm = scores(dataset, row.scale)
    if row.statistic in RELAPSE_STATISTICS:
        return _relapse(dataset, row)
    places = _visit_indices(dataset, row)
    treated, control = (_of(values, base, arm, places, name) for name in (row.arm, row.control_arm or row.arm))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of an empty group is NaN
        return np.array([_value(row, a, b) for a, b in zip(treated, control, strict=True)])


def _of(values: np.ndarray, base: np.ndarray, arm: np.ndarray, places: list[int], name: str) -> list[np.ndarray]:
    """Scores and baselines [2, patient, visit] of the patients in an arm at each visit, for each replicate."""
    statistics = []
    for r in range(len(values)):
        inside = arm[r][:, places] == name
        pair = np.stack([np.where(inside, values[r][:, places], np.nan), np.where(inside, base[r][:, places], np.nan)])
        statistics.append(pair)
    return statistics


def _value(row: ClinicalTarget, treated: np.ndarray, control: np.ndarray) -> float:
    kind = row.statistic
    if kind == "mean":
        return float(np.nanmean(treated[0]))
    if kind == "spread":
        return float(np.nanstd(treated[0], ddof=1))
    change, other = treated[0] - treated[1], control[0] - control[1]
    if kind == "spread of change":
        return float(np.nanstd(change, ddof=1))
    if kind in ("change", "fall"):
        return float(np.nanmean(change)) * (-1 if kind == "fall" else 1)
    if kind in ("difference", "extra fall"):
        return float(np.nanmean(change) - np.nanmean(other)) * (-1 if kind == "extra fall" else 1)
    if kind == "effect size":
        spread = np.sqrt((np.nanvar(treated[0], ddof=1) + np.nanvar(control[0], ddof=1)) / 2)
        size = (np.nanmean(treated[0]) - np.nanmean(control[0])) / spread
        return float(size if row.published < 0 else -size)
    shares = [_share(kind if row.is_share else "response", row, part) for part in (treated, control)]
    if kind == "share difference":
        return shares[0] - shares[1]
    if kind == "odds ratio":
        odds = [(s + 0.5) / (100.5 - s) for s in shares]
        return odds[0] / odds[1]
    return shares[0]


def _share(kind: str, row: ClinicalTarget, part: np.ndarray) -> float:
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


def _visit_indices(dataset: xr.Dataset, row: ClinicalTarget) -> list[int]:
    names = visit_names(dataset)
    if row.visit == "any":
        return [k for k in range(len(names)) if k not in set(baselines(dataset))]
    return [k for k, name in enumerate(names) if name == row.visit]


def _relapse(dataset: xr.Dataset, row: ClinicalTarget) -> np.ndarray:
    """Statistic of the patients at risk in an arm, or with a decision of that name [replicate].

    Median days to relapse (at most the days of follow-up), percent with or without relapse, or the ratio of the numbers
    of relapses per day to those of the control arm.
    """
    values = []
    for r in range(dataset.sizes["replicate"]):
        days, relapsed, longest = _times_at_risk(dataset, r, row.arm)
        if row.statistic == "median relapse":
            times = np.where(relapsed, days, np.inf)
            values.append(float(min(np.median(times), longest)) if times.size else 0.0)
        elif row.statistic == "hazard ratio":
            other_days, other_relapsed, _ = _times_at_risk(dataset, r, row.control_arm)
            rates = [(each.sum() + 0.5) / max(time.sum(), 1.0) for each, time in
                     ((relapsed, days), (other_relapsed, other_days))]  # fmt: skip
            values.append(float(rates[0] / rates[1]))
        else:
            share = 100 * float(np.mean(relapsed)) if days.size else np.nan
            values.append(share if row.statistic == "relapse" else 100 - share)
    return np.array(values)


def _times_at_risk(dataset: xr.Dataset, replicate: int, group: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Days at risk and relapse of the patients at risk in a group [patient], and the longest possible follow-up."""
    visits = dataset["visit_time"].values[replicate]
    of = {name: dataset[name].values[replicate] for name in ("at_risk_from", "relapsed_at")}
    of["observed_until"] = dataset["observed_until"].values[replicate] if "observed_until" in dataset else visits[:, -1]
    arm = dataset["arm"].values[replicate][:, 0]
    decision = dataset["decision"].values[replicate] if "decision" in dataset else np.full(arm.shape, "")
    inside = np.isfinite(of["at_risk_from"]) & (np.where(decision != "", decision, arm) == group)
    start, relapsed, until = (of[name][inside] for name in of)
    last = visits[inside, -2]  # a relapse at the last visit cannot be confirmed
    times = (np.where(np.isfinite(relapsed), relapsed, until) - start) / DAY
    return times, np.isfinite(relapsed), float((last - start).max() / DAY) if start.size else 0.0


@dataclass(frozen=True)
class TrialLikelihood:
    """Log likelihood of deviations [point, row] at SDs of the study effects [point, effect], up to a constant.

    `weight` [row]: inverse variance, 0 for a row that is not used; `loads` [effect of a trial, row]: weighted
    derivatives by the study effects; `inner` [trial, effect, effect]; `log_variance`: sum over the used rows.
    """

    weight: np.ndarray
    loads: np.ndarray
    inner: np.ndarray
    log_variance: float

    @classmethod
    def of(
        cls, variance: np.ndarray, gradients: np.ndarray, trials: Sequence[str], rows: np.ndarray | None = None
    ) -> TrialLikelihood:
        """`variance` [row], `gradients` [effect, row], the trial of each row, and a mask of the rows that are used."""
        chosen = np.ones(len(variance), dtype=bool) if rows is None else rows
        weight = np.where(chosen, 1 / variance, 0.0)
        of_trial = np.array([[trial == name for trial in trials] for name in dict.fromkeys(trials)])
        loads = gradients[None] * of_trial[:, None]  # [trial, effect, row]
        inner = np.einsum("ter,tfr,r->tef", loads, loads, weight)
        flat = (loads * weight).reshape(-1, gradients.shape[1])
        return cls(weight, flat, inner, float(np.log(variance[chosen]).sum()))

    def __call__(self, sds: np.ndarray, off: np.ndarray) -> np.ndarray:
        """Log likelihood [point] of the deviations `off` [point, row], which must be finite."""
        trials, effects, _ = self.inner.shape
        shifts = sds[:, None] * (off @ self.loads.T).reshape(len(sds), trials, effects)
        core = np.eye(effects) + sds[:, None, :, None] * self.inner * sds[:, None, None, :]
        explained = np.sum(shifts * np.linalg.solve(core, shifts[..., None])[..., 0], axis=(1, 2))
        log_determinant = self.log_variance + np.linalg.slogdet(core)[1].sum(axis=1)
        return -0.5 * (off**2 @ self.weight - explained + log_determinant)
