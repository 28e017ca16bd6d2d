"""The scorecard of virtual trials: clinical rows, each simulated at the published sample size, with intervals.

Each replicate is a whole trial with other virtual patients and another draw of the posterior, so that the 95 %
prediction interval includes chance, variability between patients and parameter uncertainty. Fitted rows are no test of
the model and are counted separately.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ketamech.analysis.fitted_rows import fitted_rows, roles
from ketamech.core.execution import LOCAL, Executor
from ketamech.estimation.clinical_targets import (
    ClinicalTarget,
    load_clinical_targets,
    load_spread_targets,
    published_interval,
    shipped_trial,
    standard_error_of,
    statistic,
)
from ketamech.evidence import RATIOS, load_evidence, log_standard_error
from ketamech.simulation.model import Model
from ketamech.trials.run_trial import run_trial

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

REPLICATES = 60
ADDITIONAL_TRIALS = ("bowdle1998",)  # needed by a criterion, not by a row


@dataclass(frozen=True)
class TrialScorecard:
    """Comparison of virtual trials with published numbers.

    `rows`: id, stage, trial, statistic, published with its 95 % interval, simulated with its 95 % prediction interval,
    inside, overlaps, z, fold, width_ratio, use, fitted, role ("fitted", "same trial" as
    a fitted row, or "independent"). `spreads`: the same for standard deviations
    within an arm; `by_stage`: counts and coverage; `criteria`; `trials`: datasets.
    """

    rows: pd.DataFrame
    spreads: pd.DataFrame
    by_stage: pd.DataFrame
    criteria: pd.DataFrame
    trials: dict[str, xr.Dataset]


def trial_scorecard(
    model: Model, posterior: Sequence[dict[str, float]], *, replicates: int = REPLICATES, threads: int = 2,
    progress: Callable[[str], None] | None = None, work: Executor = LOCAL,
) -> TrialScorecard:  # fmt: skip
    """Run every required trial and compare; `progress` receives a message per trial, `work` stores checkpoints."""
    data: dict[str, xr.Dataset] = {}
    clinical = load_clinical_targets()
    for name in dict.fromkeys([*(row.trial for row in clinical), *ADDITIONAL_TRIALS]):
        if progress:
            progress(f"{replicates} trials: {name}")
        trial = shipped_trial(name)
        data[name] = run_trial(
            trial, model, replicates=replicates, posterior=posterior, first=1, threads=threads, executor=work
        )
    rows = _table(clinical, data, model)
    spreads = _table(load_spread_targets(), data, model)
    return TrialScorecard(rows, spreads, _by_stage(rows), _criteria(rows, data), data)


def _table(targets: Sequence[ClinicalTarget], data: dict[str, xr.Dataset], model: Model) -> pd.DataFrame:
    """One line per target, with `fitted` and `role` as in the scorecard of one patient."""
    import pandas as pd

    evidence = load_evidence()
    fitted = fitted_rows(evidence, model.parameters)
    table = pd.DataFrame([_line(row, statistic(row, data[row.trial])) for row in targets])
    table["fitted"] = [row.fitted or row.row.id in fitted for row in targets]
    table["role"] = roles([row.row.id for row in targets], evidence, fitted)
    return table


def _line(row: ClinicalTarget, values: np.ndarray) -> dict[str, object]:
    low, high = np.nanpercentile(values, [2.5, 97.5]) if np.isfinite(values).any() else (np.nan, np.nan)
    middle = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    published, (own_low, own_high) = row.published, published_interval(row)
    width = own_high - own_low
    inside = bool(low <= published <= high)
    touches = bool(low <= own_high and high >= own_low) if np.isfinite(width) else inside
    return {
        "id": row.row.id,
        "stage": row.row.stage,
        "quantity": row.row.quantity,
        "reference": row.row.reference,
        "trial": row.trial,
        "arm": row.arm,
        "scale": row.scale,
        "visit": row.visit,
        "hour": next((v.time for v in shipped_trial(row.trial).visits if v.name == row.visit), float("nan")),
        "statistic": row.statistic,
        "published": published,
        "low": own_low,
        "high": own_high,
        "simulated": middle,
        "sim_low": float(low),
        "sim_high": float(high),
        "inside": inside,
        "overlaps": touches,
        "z": _z(row, values),
        "fold": middle / published if published and middle / published > 0 else float("nan"),
        "width_ratio": (high - low) / width if width > 0 else float("nan"),
        "use": row.row.use,
    }


def _z(row: ClinicalTarget, values: np.ndarray) -> float:
    """Distance of the simulated mean in standard errors of both; of the logarithms where the number is a ratio."""
    published, error = row.published, standard_error_of(row)
    if row.row.unit in RATIOS:
        values, published, error = np.log(values[values > 0]), np.log(published), log_standard_error(row.row)
    if not np.isfinite(values).any():
        return float("nan")
    spread = np.hypot(error, np.nanstd(values)) if np.isfinite(error) else np.nanstd(values)
    return float((np.nanmean(values) - published) / spread) if spread > 0 else float("nan")


def _by_stage(rows: pd.DataFrame) -> pd.DataFrame:
    """One line per stage and role."""
    found = rows.groupby(["stage", "role"], sort=False)
    table = found.agg(n=("id", "size"), inside=("inside", "sum"), overlaps=("overlaps", "sum"))
    table["mean_abs_z"] = found["z"].agg(lambda z: z.abs().mean())
    return table.reset_index()


def _criteria(rows: pd.DataFrame, data: dict[str, xr.Dataset]) -> pd.DataFrame:
    """Acceptance criteria, whether reached or not."""
    import pandas as pd

    calibrate = rows[rows["use"] == "calibrate"]
    by_id = rows.set_index("id")
    named = {
        "relapse after six infusions, median days": ("murrough13b-relapse", 18.0),
        "response at 24 h to an infusion, %": ("murrough13-resp-ket", 64.0),
        "response at 24 h to midazolam, %": ("murrough13-resp-mdz", 28.0),
    }
    lines: list[dict[str, object]] = [
        _criterion(
            "calibrate rows inside their 95 % prediction interval, share", calibrate["inside"].mean(), 0.9, None
        ),
        _criterion("prediction interval over published interval, median", calibrate["width_ratio"].median(), None, 2.0),
    ]
    for name, (row, _) in named.items():
        line: Any = by_id.loc[row]
        goal = _criterion(name, line["published"], line["sim_low"], line["sim_high"])
        lines.append({**goal, "simulated": line["simulated"]})
    return pd.DataFrame([*lines, *_dissociation(data), _linearity(data)])


def _criterion(name: str, value: float, low: float | None, high: float | None) -> dict[str, object]:
    reached = (low is None or value >= low) and (high is None or value <= high)
    number = float(value)
    return {"goal": name, "value": number, "low": low, "high": high, "reached": bool(reached), "simulated": number}


def _dissociation(data: dict[str, xr.Dataset]) -> list[dict[str, object]]:
    """Percent of patients above 4 CADSS points at any session of nasal esketamine, and its decline; not fitted."""
    nasal = data["nasal_four_weeks"]
    drug: np.ndarray = np.asarray(nasal["arm"].values[:, :, 0] == "esketamine")
    scores = nasal["CADSS"].values
    felt: np.ndarray = np.asarray(scores > 4)
    rated = [k for k in range(scores.shape[2]) if k and np.isfinite(scores[:, :, k]).any()]
    ever: np.ndarray = np.asarray(felt[:, :, rated].any(axis=2))
    share = 100 * float(np.mean(ever[drug]))
    first, last = (100 * float(np.mean(felt[:, :, k][drug])) for k in (rated[0], rated[-1]))
    return [
        _criterion("label: dissociation (CADSS above 4) at any session, %", share, 61.0, 84.0),
        _criterion("dissociation at the first minus at the last session, % points", first - last, 0.0, None),
    ]


def _linearity(data: dict[str, xr.Dataset]) -> dict[str, object]:
    """Correlation of the mean hallucinogen rating with the venous concentration over the four steps."""
    steps = data["bowdle1998"]
    ratings = np.nanmean(steps["VAS-hallucinogen"].values, axis=(0, 1))[1:]
    levels = np.nanmean(steps["true_ketamine"].values, axis=(0, 1))[1:]
    return _criterion(
        "hallucinogen ratings against venous level, correlation", float(np.corrcoef(levels, ratings)[0, 1]), 0.93, None
    )
