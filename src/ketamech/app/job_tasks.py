"""The work of long jobs: a trial, the scorecard, an attribution. Each reports progress and returns plain values.

A requested trial as a trial file, and the equivalent command and Python script.

The response of an attribution job: tables, the MADRS change by component and sentences.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ketamech.analysis.scorecard import scorecard as compare_all
from ketamech.app.app_state import AppState
from ketamech.app.curve_responses import rounded
from ketamech.app.features import feature_module
from ketamech.app.jobs import LimitExceeded, Progress
from ketamech.app.request_models import AttributionRequest, TrialRequest
from ketamech.app.scenarios import scenario_of
from ketamech.core import InputError
from ketamech.estimation.clinical_targets import TRIALS, shipped_trial
from ketamech.estimation.posterior import load_posterior
from ketamech.simulation.scenario import Scenario
from ketamech.trials.analysis.analyse import analyse
from ketamech.trials.analysis.power import power
from ketamech.trials.design import Trial
from ketamech.trials.trial_reader import load_trial

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.trials.design import Arm


FILE, LAST_DAY, MONTH = "trial.yaml", 730, 28


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


def equivalent_command(request: TrialRequest, trial: Trial) -> dict[str, str]:
    """The trial file (none for a shipped one), the command line and Python that give the same numbers."""
    text = "" if request.shipped else _yaml(trial_keys(request))
    name, patients = request.shipped or FILE, total_patients(request, trial)
    options = ["--replicates", request.replicates, "--patients", patients, "--seed", request.seed]
    return {
        "file": text,
        "command": shlex.join(["ketamech", "trial", name, *map(str, options)]),
        "python": _python(request, text, patients),
    }


def _yaml(keys: dict[str, Any]) -> str:
    """The keys as YAML, one per line; JSON values are valid YAML."""
    return "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items())


def _python(request: TrialRequest, text: str, patients: int) -> str:
    imports = ("from pathlib import Path\n\n" if text else "") + "import ketamech\n\n"
    written = f"Path({FILE!r}).write_text({text!r}, encoding={'utf-8'!r})\n" if text else ""
    trial = f"trial = ketamech.Trial({(FILE if text else request.shipped)!r}).replace(patients={patients})\n"
    run = f"result = trial.run(replicates={request.replicates}, seed={request.seed})\nprint(result.analyse().means)\n"
    return f"{imports}{written}{trial}{run}"


def attribution_of(app_state: AppState, scenario: Scenario, draws: int, progress: Progress) -> dict[str, Any]:
    """Shapley values, effect lost when off, effect alone, MADRS change over time by component, and sentences."""
    module = feature_module("attribution")

    def report_draws(done: int, total: int) -> None:
        progress(0.95 * done / total, f"{done} of {total} draws")

    found = module.attribute(app_state.model, scenario, draws=draws, threads=2, tell=report_draws)
    progress(0.96, "writing sentences")
    return {
        "table": records(found.table),
        "totals": records(found.totals),
        "parts": list(found.components),
        "times": np.round(found.times, 4).tolist(),
        "course": [
            rounded(layer[1:].mean(axis=0) if len(layer) > 1 else layer[0]) for layer in found.madrs_decomposition
        ],
        "sentences": _sentences(found, app_state),
        "failed": int(found.failed),
        "skipped": list(found.skipped),
    }


def _sentences(found: Any, app_state: AppState) -> list[str]:
    from ketamech.analysis import attribution_text

    return list(attribution_text.describe_attribution(found, app_state.model.parameters))


Work = Callable[[Progress], Any]
PARTS, THREADS = 12, 2
SIZES = (10, 20, 30, 40, 60, 80, 120, 160, 240, 320, 500, 1000, 2000)


def shipped_trials() -> list[dict[str, Any]]:
    """The trials of the package."""
    found = [(path.stem, shipped_trial(path.stem)) for path in sorted(TRIALS.glob("*.yaml"))]
    return [
        {"name": name, "title": trial.title, "arms": [arm.name for arm in trial.arms], "patients": trial.patients}
        for name, trial in found
    ]


def trial_work(app_state: AppState, request: TrialRequest) -> tuple[str, Work]:
    """Title and work of a trial. Raises InputError, LimitExceeded before anything runs."""
    trial = (
        shipped_trial(request.shipped)
        if request.shipped
        else load_trial(trial_keys(request), app_state.model.parameters)
    )
    people, most = request.patients_per_arm * len(trial.arms) * request.replicates, app_state.limits.trial_people
    if people > most:
        raise LimitExceeded(f"{people:,} virtual patients", f"at most {most:,}: fewer patients or replicates")

    def work(progress: Progress) -> Any:
        return _trial(app_state, trial, request, progress)

    return trial.title, work


def _trial(app_state: AppState, trial: Trial, request: TrialRequest, progress: Progress) -> dict[str, Any]:
    import xarray as xr

    from ketamech.trials.run_trial import run_trial

    draws = load_posterior(table=app_state.model.parameters)
    patients = total_patients(request, trial)
    step = max(1, math.ceil(request.replicates / PARTS))
    found = []
    for first in range(0, request.replicates, step):
        progress(0.9 * first / request.replicates, f"trial {first + 1} of {request.replicates}")
        found.append(
            run_trial(
                trial, app_state.model, replicates=min(step, request.replicates - first), patients=patients,
                seed=request.seed, threads=THREADS, posterior=draws, first=first,
            )
        )  # fmt: skip
    data = found[0] if len(found) == 1 else xr.concat(
        found, "replicate", data_vars="all", coords="minimal", compat="override"
    )  # fmt: skip
    progress(0.92, "analysing")
    return _trial_response(
        trial, analyse(data.assign_attrs(found[0].attrs), trial), _power(data, trial, request), request
    )


def _power(data: Any, trial: Trial, request: TrialRequest) -> pd.DataFrame | None:
    """Power at the sizes that were simulated; none for one arm or a crossover."""
    from ketamech.trials.analysis.analyse import reference_arm

    sizes = [n for n in SIZES if n < request.patients_per_arm] + [request.patients_per_arm]
    if len(trial.arms) < 2 or trial.washout or request.patients_per_arm < 4:
        return None
    try:
        return power(data, *trial.primary, reference_arm(trial), sizes)
    except InputError:  # an interim decision may leave an arm with fewer patients than planned
        return None


def _trial_response(trial: Trial, found: Any, sizes: pd.DataFrame | None, request: TrialRequest) -> dict[str, Any]:
    ratio = found.relapse.hazard_ratio if found.relapse is not None else {}
    return {
        "title": trial.title,
        "assumed": list(trial.assumptions),
        "arms": [{"name": arm.name, "n": request.patients_per_arm, "given": _given(arm)} for arm in trial.arms],
        "replicates": request.replicates,
        "primary": " at ".join(trial.primary),
        "reference": found.reference,
        "means": {scale: records(table) for scale, table in found.means.items()},
        "shares": {scale: records(table) for scale, table in found.shares.items()},
        "comparison": records(found.primary),
        "survival": [] if found.relapse is None else records(_thinned(found.relapse.curves)),
        "relapse": [] if found.relapse is None else records(found.relapse.median),
        "hazard_ratio": {name: value for name, value in ratio.items() if math.isfinite(value)},
        "power": [] if sizes is None else records(sizes),
        "left_percent": {name: plain(value) for name, value in found.dropout.items()},
        "not_estimated": found.not_estimated,
        "failed_percent": round(100 * found.failed, 3),
        "typed": equivalent_command(request, trial),
    }


def _given(arm: Arm) -> str:
    """The treatment of an arm as text."""
    return arm.regimen.sentence(exact=False) or "nothing"


def _thinned(table: pd.DataFrame, most: int = 400) -> pd.DataFrame:
    """A step curve with at most about `most` steps."""
    return table.iloc[:: max(1, len(table) // most)]


def scorecard_work(app_state: AppState) -> Work:
    """The scorecard: every published row with its simulated value; computed once and cached."""

    def work(progress: Progress) -> Any:
        lines = [0]

        def line(words: str) -> None:
            lines[0] += 1
            progress(min(0.95, lines[0] / 40), words)

        return app_state.answers.get("scorecard", lambda: _scorecard(app_state, line))

    return work


def _scorecard(app_state: AppState, line: Callable[[str], None]) -> dict[str, Any]:
    found = compare_all(app_state.model, line)
    columns = ["id", "stage", "citation", "quantity", "protocol", "unit", "simulated", "published", "spread",
               "expected", "verdict", "use", "fitted", "role", "off"]  # fmt: skip
    rows = found.rows.sort_values("off", ascending=False, na_position="first")[columns]
    return {"rows": records(rows), "goals": records(found.criteria), "uncovered": len(found.uncovered)}


def attribution_work(app_state: AppState, request: AttributionRequest) -> Work:
    """The work of an attribution job. Raises NotFound if attribution is missing, InputError for a bad scenario."""
    from ketamech.app.job_tasks import attribution_of

    feature_module("attribution")
    scenario = scenario_of(request.scenario, app_state.model)
    return lambda progress: attribution_of(app_state, scenario, request.draws, progress)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as a list of rows; non-finite numbers become null."""
    return [{str(k): plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def plain(value: Any) -> Any:
    """One cell as a JSON value."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value if isinstance(value, bool | int | str) or value is None else str(value)
