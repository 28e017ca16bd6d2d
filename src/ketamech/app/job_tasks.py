"""The long jobs themselves: a trial, the scorecard, attribution. Each tells how far it is and returns plain values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ketamech.analysis.scorecard import scorecard as compare_all
from ketamech.app.app_state import AppState
from ketamech.app.cancellation import LimitExceeded
from ketamech.app.features import feature_module
from ketamech.app.jobs import Progress
from ketamech.app.request_models import AttributionRequest, TrialRequest
from ketamech.app.scenarios import scenario_of
from ketamech.app.trial_yaml import equivalent_command, trial_keys, total_patients
from ketamech.core import InputError
from ketamech.estimation.clinical_targets import TRIALS, shipped_trial
from ketamech.estimation.posterior import load_posterior
from ketamech.trials.analysis.analyse import analyse
from ketamech.trials.analysis.power import power
from ketamech.trials.design import Trial
from ketamech.trials.trial_reader import load_trial

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.trials.design import Arm

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


def trial_work(engine: AppState, asked: TrialRequest) -> tuple[str, Work]:
    """Title and work of a trial. Raises BadInput, TooMuch before anything runs."""
    trial = shipped_trial(asked.shipped) if asked.shipped else load_trial(trial_keys(asked), engine.model.parameters)
    people, most = asked.patients_per_arm * len(trial.arms) * asked.replicates, engine.limits.trial_people
    if people > most:
        raise LimitExceeded(f"{people:,} virtual patients", f"at most {most:,}: fewer patients or replicates")

    def work(tell: Progress) -> Any:
        return _trial(engine, trial, asked, tell)

    return trial.title, work


def _trial(engine: AppState, trial: Trial, asked: TrialRequest, tell: Progress) -> dict[str, Any]:
    import xarray as xr

    from ketamech.trials.run_trial import run_trial

    draws = load_posterior(table=engine.model.parameters)
    patients = total_patients(asked, trial)
    step = max(1, math.ceil(asked.replicates / PARTS))
    found = []
    for first in range(0, asked.replicates, step):
        tell(0.9 * first / asked.replicates, f"trial {first + 1} of {asked.replicates}")
        found.append(
            run_trial(
                trial, engine.model, replicates=min(step, asked.replicates - first), patients=patients,
                seed=asked.seed, threads=THREADS, posterior=draws, first=first,
            )
        )  # fmt: skip
    data = found[0] if len(found) == 1 else xr.concat(
        found, "replicate", data_vars="all", coords="minimal", compat="override"
    )  # fmt: skip
    tell(0.92, "analysing")
    return _told(trial, analyse(data.assign_attrs(found[0].attrs), trial), _power(data, trial, asked), asked)


def _power(data: Any, trial: Trial, asked: TrialRequest) -> pd.DataFrame | None:
    """Power at the sizes that were simulated; none for one arm or a crossover."""
    from ketamech.trials.analysis.analyse import reference_arm

    sizes = [n for n in SIZES if n < asked.patients_per_arm] + [asked.patients_per_arm]
    if len(trial.arms) < 2 or trial.washout or asked.patients_per_arm < 4:
        return None
    try:
        return power(data, *trial.primary, reference_arm(trial), sizes)
    except InputError:  # an arm got fewer than planned, as a decision on the way may do
        return None


def _told(trial: Trial, found: Any, sizes: pd.DataFrame | None, asked: TrialRequest) -> dict[str, Any]:
    ratio = found.relapse.hazard_ratio if found.relapse is not None else {}
    return {
        "title": trial.title,
        "assumed": list(trial.assumptions),
        "arms": [{"name": arm.name, "n": asked.patients_per_arm, "given": _given(arm)} for arm in trial.arms],
        "replicates": asked.replicates,
        "primary": " at ".join(trial.primary),
        "reference": found.reference,
        "means": {scale: records(table) for scale, table in found.means.items()},
        "shares": {scale: records(table) for scale, table in found.shares.items()},
        "comparison": records(found.primary),
        "survival": [] if found.relapse is None else records(_thinned(found.relapse.curves)),
        "relapse": [] if found.relapse is None else records(found.relapse.median),
        "hazard_ratio": {name: value for name, value in ratio.items() if math.isfinite(value)},
        "power": [] if sizes is None else records(sizes),
        "left_percent": {name: plain(value) for name, value in found.left.items()},
        "not_estimated": found.not_estimated,
        "failed_percent": round(100 * found.failed, 3),
        "typed": equivalent_command(asked, trial),
    }


def _given(arm: Arm) -> str:
    """What an arm gets, in the words of the reports."""
    return arm.regimen.sentence(exact=False) or "nothing"


def _thinned(table: pd.DataFrame, most: int = 400) -> pd.DataFrame:
    """A step curve with no more steps than can be seen."""
    return table.iloc[:: max(1, len(table) // most)]


def scorecard_work(engine: AppState) -> Work:
    """Every published row beside its simulation; kept, since the answer does not change."""

    def work(tell: Progress) -> Any:
        seen = [0]

        def line(words: str) -> None:
            seen[0] += 1
            tell(min(0.95, seen[0] / 40), words)

        return engine.answers.get("scorecard", lambda: _scorecard(engine, line))

    return work


def _scorecard(engine: AppState, line: Callable[[str], None]) -> dict[str, Any]:
    found = compare_all(engine.model, line)
    columns = ["id", "stage", "citation", "quantity", "protocol", "unit", "simulated", "published", "spread",
               "expected", "verdict", "fitted", "off"]  # fmt: skip
    rows = found.rows.sort_values("off", ascending=False, na_position="first")[columns]
    return {"rows": records(rows), "goals": records(found.goals), "uncovered": len(found.uncovered)}


def attribution_work(engine: AppState, asked: AttributionRequest) -> Work:
    """Who carries what. Raises NotHere in a version without attribution, BadInput for a bad scenario."""
    from ketamech.app.attribution_responses import attribution_of

    feature_module("attribution")
    scenario = scenario_of(asked.scenario, engine.model)
    return lambda tell: attribution_of(engine, scenario, asked.draws, tell)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as plain rows; what is not a finite number is null."""
    return [{str(k): plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def plain(value: Any) -> Any:
    """One cell as JSON holds it."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value if isinstance(value, bool | int | str) or value is None else str(value)
