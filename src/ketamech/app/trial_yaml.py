"""A requested trial as a trial file, and the equivalent command and Python script."""

from __future__ import annotations

import json
import shlex
from typing import Any

from ketamech.app.request_models import TrialRequest
from ketamech.core import InputError
from ketamech.trials.design import Trial

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
