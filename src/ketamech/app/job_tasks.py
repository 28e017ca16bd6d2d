"""The work of long jobs: a trial, the scorecard, an attribution. Each reports its progress and returns JSON values.

A trial comes with the trial file, the command and the Python script that give the same numbers.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ketamech.analysis.attribution import attribute
from ketamech.analysis.attribution_text import describe_attribution
from ketamech.analysis.scorecard import scorecard
from ketamech.app.app_state import AppState, LimitExceeded
from ketamech.app.curves import rounded
from ketamech.app.jobs import Progress
from ketamech.app.responses import rounded_number
from ketamech.app.scenarios import scenario_of
from ketamech.app.schemas import AttributionRequest, TrialRequest
from ketamech.core import InputError
from ketamech.estimation.clinical_targets import TRIALS, shipped_trial
from ketamech.estimation.posterior import load_posterior
from ketamech.trials.analysis.analyse import analyse, reference_arm
from ketamech.trials.analysis.power import power
from ketamech.trials.design import Trial
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial

if TYPE_CHECKING:
    import pandas as pd

Work = Callable[[Progress], Any]
FILE, LAST_DAY, MONTH = "trial.yaml", 730, 28
PARTS, THREADS = 12, 2
POWER_SIZES = (10, 20, 30, 40, 60, 80, 120, 160, 240, 320, 500, 1000, 2000)
MOST_SURVIVAL_STEPS = 400


# Trials


def shipped_trials() -> list[dict[str, Any]]:
    """The trials of the package."""
    found = {path.stem: shipped_trial(path.stem) for path in sorted(TRIALS.glob("*.yaml"))}
    return [
        {"name": name, "title": trial.title, "arms": [arm.name for arm in trial.arms], "patients": trial.patients}
        for name, trial in found.items()
    ]


def trial_keys(request: TrialRequest) -> dict[str, Any]:
    """The arms of a request as the keys of a trial file. Raises InputError with the field it is about."""
    if not request.arms:
        raise InputError("a trial without arms", key="arms", expected="a shipped trial or at least one arm")
    days = sorted(set(request.days))
    if not days or days[0] < 1 or days[-1] > LAST_DAY:
        what = f"invalid rating day {', '.join(map(str, days))}" if days else "no rating day"
        raise InputError(what, key="days", expected=f"days from 1 to {LAST_DAY}, e.g. 1, 7, 28")
    visits = [f"{day} d" for day in days]
    found = {
        "title": " or ".join(request.arms)[:200],
        "population": request.population,
        "arms": {name: {"treatment": text, "n": request.patients_per_arm} for name, text in request.arms.items()},
        "visits": {"MADRS": visits},
        "primary": f"MADRS at {visits[-1] if days[-1] <= MONTH else visits[0]}",
        "seed": request.seed,
    }
    return {**found, "relapse": f"MADRS > 50 % of baseline from {visits[0]}"} if len(visits) > 2 else found


def total_patients(request: TrialRequest, trial: Trial) -> int:
    """Total number of patients; in a crossover every patient receives every arm."""
    return request.patients_per_arm * (1 if trial.washout else len(trial.arms))


def reproduction(request: TrialRequest, trial: Trial) -> dict[str, str]:
    """The trial file (none for a shipped one), the command line and Python that give the same numbers."""
    text, python = "", "import ketamech\n\n"
    if not request.shipped:  # one key a line; JSON values are valid YAML
        keys = trial_keys(request)
        text = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items())
        python = f"from pathlib import Path\n\n{python}Path({FILE!r}).write_text({text!r}, encoding={'utf-8'!r})\n"
    name, patients = request.shipped or FILE, total_patients(request, trial)
    python += f"trial = ketamech.Trial({name!r}).replace(patients={patients})\n"
    python += f"result = trial.run(replicates={request.replicates}, seed={request.seed})\n"
    options = ["--replicates", request.replicates, "--patients", patients, "--seed", request.seed]
    return {
        "file": text,
        "command": shlex.join(["ketamech", "trial", name, *map(str, options)]),
        "python": f"{python}print(result.analyse().means)\n",
    }


def trial_work(app_state: AppState, request: TrialRequest) -> tuple[str, Work]:
    """Title and work of a trial. Raises InputError, LimitExceeded before anything runs."""
    if request.shipped:
        trial = shipped_trial(request.shipped)
    else:
        trial = load_trial(trial_keys(request), app_state.model.parameters)
    patients, most = request.patients_per_arm * len(trial.arms) * request.replicates, app_state.limits.trial_patients
    if patients > most:
        raise LimitExceeded(f"{patients:,} virtual patients", f"at most {most:,}: fewer patients or replicates")
    return trial.title, lambda progress: _run_trial(app_state, trial, request, progress)


def _run_trial(app_state: AppState, trial: Trial, request: TrialRequest, progress: Progress) -> dict[str, Any]:
    """The replicates in parts, so that the job can report its progress and be cancelled."""
    draws = load_posterior(table=app_state.model.parameters)
    step = max(1, math.ceil(request.replicates / PARTS))
    parts = []
    for first in range(0, request.replicates, step):
        progress(0.9 * first / request.replicates, f"trial {first + 1} of {request.replicates}")
        parts.append(
            run_trial(
                trial, app_state.model, replicates=min(step, request.replicates - first),
                patients=total_patients(request, trial), seed=request.seed, threads=THREADS, posterior=draws,
                first=first,
            )
        )  # fmt: skip
    data = parts[0]
    if len(parts) > 1:
        joined = xr.concat(parts, "replicate", data_vars="all", coords="minimal", compat="override")
        data = joined.assign_attrs(data.attrs)
    progress(0.92, "analysing")
    return _trial_response(data, trial, request)


def _trial_response(data: xr.Dataset, trial: Trial, request: TrialRequest) -> dict[str, Any]:
    found = analyse(data, trial)
    arms = [
        {"name": arm.name, "n": request.patients_per_arm, "treatment": arm.treatment or "nothing"} for arm in trial.arms
    ]
    relapse: dict[str, Any] = {"survival": [], "relapse": [], "hazard_ratio": {}}
    if found.relapse is not None:
        curves = found.relapse.curves
        relapse = {
            "survival": records(curves.iloc[:: max(1, len(curves) // MOST_SURVIVAL_STEPS)]),
            "relapse": records(found.relapse.median),
            "hazard_ratio": {name: x for name, x in found.relapse.hazard_ratio.items() if math.isfinite(x)},
        }
    return {
        "title": trial.title,
        "assumptions": list(trial.assumptions),
        "arms": arms,
        "replicates": request.replicates,
        "primary": " at ".join(trial.primary),
        "reference": found.reference,
        "means": {scale: records(table) for scale, table in found.means.items()},
        "response_rates": {scale: records(table) for scale, table in found.shares.items()},
        "comparison": records(found.primary),
        **relapse,
        "power": _power(data, trial, request),
        "dropout_percent": {name: plain(value) for name, value in found.dropout.items()},
        "not_estimated": found.not_estimated,
        "failed_percent": round(100 * found.failed, 3),
        "reproduction": reproduction(request, trial),
    }


def _power(data: xr.Dataset, trial: Trial, request: TrialRequest) -> list[dict[str, Any]]:
    """Power at the sizes that were simulated; none for one arm or a crossover."""
    if len(trial.arms) < 2 or trial.washout or request.patients_per_arm < 4:
        return []
    sizes = [n for n in POWER_SIZES if n < request.patients_per_arm] + [request.patients_per_arm]
    try:
        return records(power(data, *trial.primary, reference_arm(trial), sizes))
    except InputError:  # an interim decision may leave an arm with fewer patients than planned
        return []


# Scorecard and attribution

SCORECARD_COLUMNS = [
    "id", "stage", "citation", "quantity", "protocol", "unit", "simulated", "published", "spread", "expected",
    "verdict", "use", "fitted", "role", "distance",
]  # fmt: skip


def scorecard_work(app_state: AppState) -> Work:
    """The scorecard: every published row with its simulated value; computed once and cached."""

    def compare(progress: Progress) -> dict[str, Any]:
        messages: list[str] = []

        def report_line(message: str) -> None:
            messages.append(message)
            progress(min(0.95, len(messages) / 40), message)

        found = scorecard(app_state.model, report_line)
        rows = found.rows.sort_values("distance", ascending=False, na_position="first")[SCORECARD_COLUMNS]
        rows = rows.rename(columns={"distance": "deviation"})
        return {"rows": records(rows), "criteria": records(found.criteria), "uncovered": len(found.uncovered)}

    return lambda progress: app_state.cache.get("scorecard", lambda: compare(progress))


def attribution_work(app_state: AppState, request: AttributionRequest) -> Work:
    """Shapley values, loss when off, single effect, MADRS change over time by component, and sentences.

    Raises InputError for an invalid scenario.
    """
    model = app_state.model
    scenario = scenario_of(request.scenario, model)

    def work(progress: Progress) -> dict[str, Any]:
        def report_draws(done: int, total: int) -> None:
            progress(0.95 * done / total, f"{done} of {total} draws")

        found = attribute(model, scenario, draws=request.draws, threads=THREADS, tell=report_draws)
        progress(0.96, "writing sentences")
        layers = (draws[1:].mean(axis=0) if len(draws) > 1 else draws[0] for draws in found.madrs_decomposition)
        return {
            "table": records(found.table),
            "totals": records(found.totals),
            "components": list(found.components),
            "times": np.round(found.times, 4).tolist(),
            "contributions": [rounded(layer) for layer in layers],
            "sentences": list(describe_attribution(found, model.parameters)),
            "failed": int(found.failed),
            "skipped": list(found.skipped),
        }

    return work


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as a list of rows; non-finite numbers become null."""
    return [{str(k): plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def plain(value: Any) -> Any:
    """One cell as a JSON value."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return rounded_number(value)
    return value if isinstance(value, bool | int | str) or value is None else str(value)
