"""The work of trials: a run, and the search for a sample size. Each reports its progress and returns JSON values.

A trial comes with the trial file, the command and the Python script that give the same numbers.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.app.app_state import AppState, LimitExceeded
from ketamech.app.job_tasks import THREADS, json_cell, json_rows
from ketamech.app.jobs import JobProgress, ResultWithFiles, Work
from ketamech.app.scenarios import MAX_OCCASIONS
from ketamech.app.schemas import SampleSizeRequest, TrialRequest
from ketamech.calibration.change_sd import simulated_spread_sentences
from ketamech.calibration.clinical_targets import (
    RELAPSE_STATISTICS,
    load_clinical_targets,
    published_interval,
    statistic,
)
from ketamech.core import InputError
from ketamech.core.statistics import interval
from ketamech.core.units import DAY
from ketamech.trials.analysis.analyse import (
    TrialAnalysis,
    analyse,
    method_sentences,
    reference_arm,
    residual_sd,
)
from ketamech.trials.analysis.power import (
    SuccessCriterion,
    difference_sentences,
    effect_table,
    error_table,
    is_withdrawal,
    power,
    relapse_sentence,
    size_text,
    smallest_arms,
    success_criterion,
)
from ketamech.trials.analysis.sample_size import (
    ASSURANCE,
    MAX_PATIENTS,
    SampleSize,
    SampleSizeSearch,
    check_sample_size,
    find_sample_size,
)
from ketamech.trials.design import PLACEBO, Arm, Trial, double_dummy, is_control, matched_placebo
from ketamech.trials.posterior_draws import load_posterior, posterior_hash
from ketamech.trials.run_trial import joined_replicates, run_trial
from ketamech.trials.trial_reader import load_trial, shipped_trial, shipped_trial_names

FILE, ARMS, LAST_DAY = "trial.yaml", "arms: ", 730
UNITS = {  # of statistics that are not in the unit of the scale
    "hazard ratio": "ratio", "odds ratio": "ratio", "median relapse": "days", "effect size": "SD",
    "share difference": "% of patients",
}  # fmt: skip
RELAPSE = "MADRS > 50 % of baseline from {day} d"  # of a trial that is written at the desk
LATEST_PRIMARY_DAY = 28  # of a course of doses, unless the request names a day
PARTS = 12
DOUBLE_DUMMY = "double-dummy"
MIN_TRIALS_OF_VERDICT = 20  # fewer give no range of 95 % of the trials
MIN_REPLICATES = 100  # of a search on the page, as in its form
POWER_SIZES = (10, 20, 30, 40, 60, 80, 120, 160, 240, 320, 500, 1000, 2000)
MOST_SURVIVAL_STEPS = 400
DAYS_WITHOUT_DOSE = 7  # between the last dose and the primary endpoint, from which it is said
TITRATION_WORD, TOLERABILITY, TOLERABILITY_VISITS = "tolerability", "CADSS <= 40", ("CADSS", ["40 min"])


def shipped_trials() -> list[dict[str, Any]]:
    """The trials of the package, sorted by author and year of their first paper; those without a paper come last."""
    trials = {name: shipped_trial(name) for name in shipped_trial_names()}
    rows = [
        {"name": name, "title": _cited(trial), "arms": [arm.name for arm in trial.arms], "patients": trial.patients}
        for name, trial in trials.items()
    ]
    return sorted(rows, key=lambda row: (not trials[row["name"]].references, row["title"]))


def _cited(trial: Trial) -> str:
    """The title with author and year of the first paper, e.g. `Berman 2000: The first crossover ...`."""
    if not trial.references:
        return trial.title
    author, _, year = trial.references[0].rpartition("-")
    paper = f"{author.title()} {year.rstrip('ab')}{' and others' if len(trial.references) > 1 else ''}"
    return f"{paper}: {trial.title.removesuffix(f' ({paper})')}"


# Design


def trial_keys(request: TrialRequest) -> dict[str, Any]:
    """The arms of a request as the keys of a trial file. Raises InputError with the field it is about."""
    if not request.arms:
        raise InputError("a trial without arms", key="arms", expected="a shipped trial or at least one arm")
    if request.patients_per_arm is None:
        raise InputError("no number of patients", key="patients_per_arm", expected="2 to 2000")
    days = sorted(set(request.days))
    if not days or days[0] < 1 or days[-1] > LAST_DAY:
        message = f"invalid rating day {', '.join(map(str, days))}" if days else "no rating day"
        raise InputError(message, key="days", expected=f"days from 1 to {LAST_DAY}, e.g. 1, 7, 28")
    visits = [f"{day} d" for day in days]
    arms = {name: [line.strip() for line in text.split("\n") if line.strip()] for name, text in request.arms.items()}
    keys: dict[str, Any] = {
        "title": " or ".join(arms)[:200],
        "population": request.population,
        "arms": {name: {"treatment": lines, "n": request.patients_per_arm} for name, lines in arms.items()},
        "visits": {"MADRS": visits},
        "blinding": request.blinding,
        "dropout": request.dropout,
        "primary": f"MADRS at {visits[0]}",
        "seed": request.seed,
    }
    if any(TITRATION_WORD in line.lower() for lines in arms.values() for line in lines):
        scale, times = TOLERABILITY_VISITS
        keys["visits"] = {**keys["visits"], scale: times}
        keys["tolerability"] = TOLERABILITY
    return {**keys, "relapse": RELAPSE.format(day=days[0])} if len(visits) > 2 else keys


def planned_trial(app_state: AppState, request: TrialRequest) -> tuple[Trial, str]:
    """The trial of a request and the text of its file (none for a shipped trial). Raises InputError."""
    if request.no_effect and (request.shipped or request.margin is not None):
        what = "no drug effect in a trial of the program" if request.shipped else "no drug effect with a margin"
        expected = "arms of your own" if request.shipped else "no margin: a non-inferiority trial errs at the margin"
        raise InputError(what, key="no_effect", expected=expected)
    if request.shipped:
        return shipped_trial(request.shipped), ""
    keys, table = trial_keys(request), app_state.model.parameters
    trial = load_trial(keys, table)
    keys["primary"] = f"MADRS at {_primary_day(request, trial)} d"
    controls = [arm.name for arm in trial.arms if is_control(arm.regimen)]
    if request.reference:
        keys["reference"] = request.reference
    if request.control != "none" and controls:
        keys["assumed"] = [f"no placebo arm is added, because '{name}' is a control arm" for name in controls[:1]]
    elif request.control != "none":
        _add_placebo(keys, trial, request)
        keys["title"] = " or ".join(keys["arms"])[:200]
    trial = load_trial(keys, table)
    if request.no_effect:
        trial = load_trial(_without_drugs(keys, trial), table)
    # one key a line; JSON values are valid YAML
    return trial, "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items())


def _add_placebo(keys: dict[str, Any], trial: Trial, request: TrialRequest) -> None:
    """Add an arm of placebo to the keys of a trial, and what is assumed about the visits of the arms."""
    most_visited = max(trial.arms, key=lambda arm: _dose_count(arm, trial))
    placebos = {arm.name: matched_placebo(arm.regimen) for arm in trial.arms}
    assumed = []
    if request.control == DOUBLE_DUMMY and len(set(placebos.values())) > 1:
        if refusal := _no_double_dummy(trial):
            assumed.append(refusal)
        else:
            filled = double_dummy([arm.regimen for arm in trial.arms])
            for arm, (regimen, placebo) in zip(trial.arms, filled, strict=True):
                keys["arms"][arm.name]["treatment"] = list(regimen.sentences())
                placebos[arm.name] = placebo
            assumed.append("double-dummy: every arm has the visits of all arms, with placebo where it has no drug")
    control = placebos[most_visited.name]
    differing = [name for name, one in placebos.items() if set(one.treatments) != set(control.treatments)]
    keys["arms"][PLACEBO] = {"treatment": list(control.sentences()), "n": request.patients_per_arm}
    keys["assumed"] = assumed + [
        f"{PLACEBO} copies the visits of '{most_visited.name}'; those of '{name}' differ, and so does expectancy"
        for name in differing
    ]


def _without_drugs(keys: dict[str, Any], trial: Trial) -> dict[str, Any]:
    """The keys of a trial with the matched placebo in every arm, for a check of the type I error."""
    for arm in trial.arms:
        if not is_control(arm.regimen):
            keys["arms"][arm.name]["treatment"] = list(matched_placebo(arm.regimen).sentences())
    keys["title"] = f"Placebo in every arm: {keys['title']}"[:200]
    keys["assumed"] = [*keys.get("assumed", []), "every arm has placebo in place of its drug (type I error)"]
    return keys


def _no_double_dummy(trial: Trial) -> str:
    """Why arms do not get the placebo visits of each other; empty where they do."""
    if trial.blinding == "open":
        return "no placebo visits are added to the arms, because the trial is open-label"
    adaptive = [arm.name for arm in trial.arms if arm.adaptive_dosing or arm.titration]
    if adaptive:
        return f"no placebo visits are added to the arms, because those of '{adaptive[0]}' depend on the patient"
    return ""


def _primary_day(request: TrialRequest, trial: Trial) -> int:
    """The day of the primary endpoint. Raises InputError for a day without a visit."""
    days = sorted(set(request.days))
    if request.primary_day is None:
        is_single = all(_dose_count(arm, trial) <= 1 for arm in trial.arms)
        return days[0] if is_single else max((day for day in days if day <= LATEST_PRIMARY_DAY), default=days[0])
    if request.primary_day not in days:
        message = f"no visit on day {request.primary_day}"
        raise InputError(message, key="primary_day", expected=f"a visit day: {', '.join(map(str, days))}")
    return request.primary_day


def _dose_count(arm: Arm, trial: Trial) -> int:
    return arm.regimen.dose_count(trial.horizon)


@dataclass(frozen=True)
class TrialTask:
    """One requested trial: its design, the text of its file, and the criterion of its primary comparison.

    `doses_per_patient` are those of the arm with the most.
    """

    app_state: AppState
    request: TrialRequest
    trial: Trial
    file: str
    criterion: SuccessCriterion
    doses_per_patient: int

    @classmethod
    def of(cls, app_state: AppState, request: TrialRequest) -> TrialTask:
        """The checked task of a request. Raises InputError, and LimitExceeded for too many doses."""
        trial, file = planned_trial(app_state, request)
        doses = 0
        for name, regimen in trial.regimens.items():
            n_doses = regimen.dose_count(trial.horizon) if regimen else 0
            if n_doses > MAX_OCCASIONS:
                raise LimitExceeded(f"{n_doses} doses of arm '{name}'", f"at most {MAX_OCCASIONS} until the last visit")
            doses = max(doses, n_doses)
        task = cls(app_state, request, trial, file, success_criterion(trial, request.alpha, request.margin), doses)
        if task.patients > task.max_patients:
            most = f"at most {app_state.limits.trial_doses:,} doses together: fewer patients or doses"
            raise LimitExceeded(f"{task.patients:,} patients with {doses} doses each", most)
        return task

    @property
    def patients(self) -> int:
        """Total number of patients; in a crossover every patient receives every arm."""
        if self.request.patients_per_arm is None:
            return self.trial.patients
        return self.request.patients_per_arm * (1 if self.trial.washout else len(self.trial.arms))

    @property
    def max_patients(self) -> int:
        """Most patients of one replicate, by the doses that they take together."""
        return self.app_state.limits.trial_doses // max(1, self.doses_per_patient)

    def simulate(self, progress: JobProgress, patients: int, label: str = "") -> xr.Dataset:
        """The replicates in parts, so that the job can report its progress and takes little memory."""
        replicates = self.request.replicates
        draws = load_posterior(table=self.app_state.model.parameters)
        step = max(1, min(math.ceil(replicates / PARTS), self.max_patients // patients))
        datasets = []
        for first in range(0, replicates, step):
            progress(0.9 * first / replicates, f"{label}trial {first + 1} of {replicates}")
            datasets.append(
                run_trial(
                    self.trial, self.app_state.model, replicates=min(step, replicates - first), patients=patients,
                    seed=self.request.seed, threads=THREADS, posterior=draws, first=first,
                )
            )  # fmt: skip
        data = joined_replicates(datasets)
        progress(0.92, "analysing")
        return data.assign_attrs(posterior=posterior_hash(draws))


def trial_work(app_state: AppState, request: TrialRequest) -> tuple[str, Work]:
    """Title and work of a trial. Raises InputError, LimitExceeded before anything runs."""
    task = TrialTask.of(app_state, request)
    patients = task.patients * (len(task.trial.arms) if task.trial.washout else 1) * request.replicates
    max_patients = app_state.limits.trial_patients
    if patients > max_patients:
        raise LimitExceeded(f"{patients:,} virtual patients", f"at most {max_patients:,}: fewer patients or replicates")
    return task.trial.title, lambda progress: run_planned_trial(task, progress)


def run_planned_trial(task: TrialTask, progress: JobProgress) -> ResultWithFiles:
    """Simulate and analyse the trial of a task."""
    data = task.simulate(progress, task.patients)
    is_resized = task.patients != task.trial.patients
    trial = task.trial.replace(patients=task.patients) if is_resized else task.trial
    return _result(task, trial, data, _power(data, task))


def sample_size_work(app_state: AppState, request: SampleSizeRequest) -> tuple[str, Work]:
    """Title and work of the search for a sample size. Raises InputError before anything runs."""
    if request.no_effect:
        raise InputError("a sample size without a drug effect", key="no_effect", expected="a run of the trial")
    task = TrialTask.of(app_state, request)
    check_sample_size(task.trial, request.target_power)
    return task.trial.title, lambda progress: _find_sample_size(task, request, progress)


def _find_sample_size(task: TrialTask, request: SampleSizeRequest, progress: JobProgress) -> ResultWithFiles:
    max_patients = min(task.max_patients, task.app_state.limits.trial_patients // request.replicates)
    max_patients = max(4 * len(task.trial.arms), max_patients)
    simulated = 0

    def run(patients: int) -> xr.Dataset:
        nonlocal simulated
        # Sizes double, so that all smaller trials together are about as long as this one.
        fraction_of_job = patients / (2 * max_patients)
        simulated_before, simulated = simulated, simulated + patients

        def report(fraction: float, message: str) -> None:
            progress(min(0.9, simulated_before / (2 * max_patients) + fraction_of_job * fraction), message)

        return task.simulate(report, patients, f"{patients} patients, ")

    search = find_sample_size(task.trial, run, target=request.target_power, criterion=task.criterion, most=max_patients)
    trial = task.trial.replace(patients=search.data.sizes["patient"])
    return _result(task, trial, search.data, search.power, search)


def _why_ended(task: TrialTask, size: SampleSize, most: int) -> str:
    """Where the search for a number that was not found ended, and where it can go on; empty for a found number."""
    if size.patients is not None:
        return ""
    target, request = f"{100 * size.target:g} %", task.request
    if size.low is None or size.limit <= size.target:
        limit = f", which stays below {math.ceil(100 * size.limit)} %" if 0.5 < size.limit < 1 else ""
        why = f"gives a power of {target}{limit}: the effect of the model is too small"
        return f"{size.arm}: no number of patients {why}."
    limit = f"this page simulates at most {most} with {request.replicates} replicates"
    needed = f"{size.low} or more are needed, and {limit}"
    ended = f"{size.arm}: the search ended with trials of {size.simulated} patients in all, because {needed}."
    on_page = min(task.max_patients, task.app_state.limits.trial_patients // MIN_REPLICATES)
    if request.replicates > MIN_REPLICATES and size.low <= on_page:
        return f"{ended} Type {MIN_REPLICATES} replicates: trials of up to {on_page} patients are then simulated."
    here = MAX_PATIENTS // request.replicates
    if size.low > here:
        return f"{ended} That is also more than the {here} of the command line."
    save = f"save the trial file below as {FILE} and " if task.file else ""
    return f"{ended} To search up to {here} patients, {save}type the command line below."


def _file_of_size(file: str, search: SampleSizeSearch) -> str:
    """The trial file with the largest number of patients that was found; empty where there is no number or no file.

    The mean effects of a trial depend on its planned size, so this file does not repeat the numbers of the search.
    """
    numbers = max(search.sizes, key=lambda size: size.patients or 0).patients_per_arm
    if not (file and numbers):
        return ""
    lines = file.splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if line.startswith(ARMS))
    arms = json.loads(lines[place].removeprefix(ARMS))
    sized = {name: {**arm, "n": numbers[name]} for name, arm in arms.items()}
    lines[place] = f"{ARMS}{json.dumps(sized, ensure_ascii=False)}\n"
    return "".join(lines)


# Result


def _result(
    task: TrialTask, trial: Trial, data: xr.Dataset, table: pd.DataFrame | None, search: SampleSizeSearch | None = None
) -> ResultWithFiles:
    analysis = analyse(data, trial)
    scripts = reproduction(task, data.sizes["patient"], is_search=search is not None)
    value = _trial_response(task, trial, analysis, table, _published(task, trial, data))
    value |= {"sample_size": [size.row() for size in search.sizes] if search else [], "reproduction": scripts}
    value["methods"] = _methods(trial, analysis, data) if len(analysis.primary) else []
    if search:  # stated with each sample size, for a trial of that size
        value["errors"] = []
        value["search_ends"] = [text for size in search.sizes if (text := _why_ended(task, size, search.most))]
        value["notes_on_size"] = [ASSURANCE]
        scripts["found_file"] = _file_of_size(task.file, search)
    write = partial(_write_files, task, trial, data, analysis, table, scripts)
    return ResultWithFiles(value, write, data.nbytes)


def _write_files(
    task: TrialTask, trial: Trial, data: xr.Dataset, analysis: TrialAnalysis, table: pd.DataFrame | None,
    scripts: dict[str, str], folder: Path,
) -> None:  # fmt: skip
    """The files of `ketamech trial`, with the trial file and the script beside them."""
    from ketamech.report.provenance import provenance_of_many
    from ketamech.report.trial_folder import write_trial

    metadata = provenance_of_many(trial.title, trial.fingerprint, task.app_state.model, scripts["command"])
    write_trial(
        folder, data.assign_attrs(metadata), trial, analysis, power=table, criterion=task.criterion,
        command_line=scripts["command"],
    )  # fmt: skip
    if task.file:
        (folder / FILE).write_text(task.file, encoding="utf-8")
    (folder / "trial.py").write_text(scripts["python"], encoding="utf-8")


def reproduction(task: TrialTask, patients: int, *, is_search: bool = False) -> dict[str, str]:
    """The trial file (none for a shipped one), the command line and Python that give the same numbers."""
    request, python = task.request, "import ketamech\n\n"
    if task.file:
        python = f"from pathlib import Path\n\n{python}Path({FILE!r}).write_text({task.file!r}, encoding={'utf-8'!r})\n"
    name = request.shipped or FILE
    python += f"trial = ketamech.Trial.read({name!r}).replace(patients={patients})\n"
    python += f"result = trial.run(replicates={request.replicates}, seed={request.seed})\n"
    options = ["--replicates", request.replicates]
    if is_search:
        assert isinstance(request, SampleSizeRequest)
        options += ["--sample-size", f"{request.target_power:g}"]
    else:
        options += ["--patients", patients]
    options += ["--seed", request.seed]
    options += ["--alpha", f"{request.alpha:g}"] if request.alpha != SuccessCriterion().alpha else []
    options += ["--margin", f"{request.margin:g}"] if request.margin is not None else []
    return {
        "file": task.file,
        "command": shlex.join(["ketamech", "trial", name, *map(str, options)]),
        "python": python + (_search_script(request) if is_search else "print(result.analyse().means)\n"),
    }


def _search_script(request: TrialRequest) -> str:
    """The line that prints the sample size from the largest trial of a search."""
    assert isinstance(request, SampleSizeRequest)
    margin = "" if request.margin is None else f", margin={request.margin:g}"
    return f"print(result.sample_size({request.target_power:g}, alpha={request.alpha:g}{margin})['text'])\n"


def _methods(trial: Trial, analysis: TrialAnalysis, data: xr.Dataset) -> list[str]:
    """The analysis in words, and the spread of the simulated trial beside published ones."""
    return [*method_sentences(trial), *simulated_spread_sentences(trial, analysis, data)]


def _caveat(task: TrialTask) -> str:
    """How much of the model is assumed."""
    share = task.app_state.model.parameters.share_of("assumed")
    assumed = f"{100 * share:.0f} % of the parameter values of the model are assumed"
    return f"{assumed}: do not plan a trial with these numbers alone. The analysis and published SDs are below."


def _trial_response(
    task: TrialTask, trial: Trial, analysis: TrialAnalysis, table: pd.DataFrame | None,
    published: list[dict[str, Any]],
) -> dict[str, Any]:  # fmt: skip
    last_doses = {arm.name: _last_dose_day(arm, trial) for arm in trial.arms}
    arms = [
        {"name": arm.name, "n": arm.n, "treatment": arm.treatment or "nothing", "last_dose_day": last_doses[arm.name]}
        for arm in trial.arms
    ]
    relapse: dict[str, Any] = {"survival": [], "relapse": []}
    if analysis.relapse is not None:
        curves = analysis.relapse.curves
        relapse = {
            "survival": json_rows(curves.iloc[:: max(1, len(curves) // MOST_SURVIVAL_STEPS)]),
            "relapse": json_rows(analysis.relapse.median),
        }
    return {
        "title": trial.title,
        "assumptions": list(trial.assumptions),
        "warnings": _warnings(analysis, trial, task.criterion),
        "cautions": [*_cautions(analysis, trial, task.criterion), *_dose_cautions(last_doses, analysis, trial)],
        "size": size_text(trial),
        "caveat": _caveat(task) if len(trial.arms) > 1 else "",
        "residual_sd": json_cell(residual_sd(analysis)),
        "units": {name: scale.unit for name, scale in trial.scales.items()},
        "request_size": task.request.patients_per_arm,
        "enrolled_by_rating": trial.eligibility is not None,
        "relapse_rule": RELAPSE.format(day=min(task.request.days)) if task.file and trial.relapse else "",
        "responses": {name: trial.scales[name].response for name in analysis.shares},
        "arms": arms,
        "replicates": task.request.replicates,
        "primary": " at ".join(trial.primary),
        "reference": analysis.reference,
        "reference_is_control": _reference_is_control(analysis, trial),
        "criterion": task.criterion.text,
        "differences": difference_sentences(analysis, trial, task.criterion),
        "effects": json_rows(effect_table(analysis, trial, task.criterion)),
        "published": published,
        "errors": _type_1_errors(analysis, trial, task.criterion)
        if task.request.no_effect
        else json_rows(error_table(analysis, trial, task.criterion)),
        "means": {scale: json_rows(rows) for scale, rows in analysis.means.items()},
        "response_rates": {scale: json_rows(rows) for scale, rows in analysis.shares.items()},
        "comparison": _comparison(analysis, task.criterion),
        "is_within_patients": len(analysis.first_period) > 0,
        "is_withdrawal": is_withdrawal(analysis, trial),
        "relapse_note": _relapse_note(analysis, trial, task),
        **relapse,
        "power": [] if table is None else json_rows(table),
        "dropout_share": {name: json_cell(value) for name, value in analysis.dropout.items()},
        "not_estimated": analysis.not_estimated,
        "failed_share": round(analysis.failed, 5),
    }


def _relapse_note(analysis: TrialAnalysis, trial: Trial, task: TrialTask) -> str:
    """The hazard ratio of relapse of a single trial where it is no finding: responders are no groups drawn by lot."""
    if task.request.replicates > 1 or is_withdrawal(analysis, trial):
        return ""
    return relapse_sentence(analysis, task.criterion.alpha)


def _cautions(analysis: TrialAnalysis, trial: Trial, criterion: SuccessCriterion) -> list[str]:
    """What the comparison of a design does not show."""
    compared, lines = [arm for arm in trial.arms if arm.name != analysis.reference], []
    if len(compared) > 1:
        lines.append(
            f"each of the {len(compared)} comparisons is tested at alpha {criterion.alpha:g} by itself, so that at "
            "least one of them succeeds by chance more often than that"
        )
    return lines


def _warnings(analysis: TrialAnalysis, trial: Trial, criterion: SuccessCriterion) -> list[str]:
    """What makes the numbers of a comparison misleading; shown before them."""
    if criterion.margin is None or not _reference_is_control(analysis, trial):
        return []
    return [
        f"Non-inferiority to '{analysis.reference}', a control without the drug: an arm that is not inferior to it "
        "need not have an effect, so these numbers plan no trial. Choose the arm with the drug to compare with as the "
        "reference arm, or remove the margin."
    ]


def _last_dose_day(arm: Arm, trial: Trial) -> int | None:
    """The day of the last dose of a drug at a visit until the last rating, from day 1; None for an arm without one."""
    given = [one for one in arm.regimen.treatments if one.substance.carries_expectancy and one.drug != PLACEBO]
    starts = [time for treatment in given for time in treatment.starts(trial.horizon)]
    return int(max(starts) // DAY) + 1 if starts else None


def _dose_cautions(last_doses: Mapping[str, int | None], analysis: TrialAnalysis, trial: Trial) -> list[str]:
    """Arms whose last dose is long before the primary endpoint."""
    rows = analysis.means[trial.primary[0]]
    hours = rows.loc[rows["visit"] == trial.primary[1], "hour"]
    if trial.washout or hours.empty:
        return []
    day = int(hours.max() // DAY)
    return [
        f"the last dose of '{name}' is on day {last}, {day - last + 1} days before the primary endpoint"
        for name, last in last_doses.items()
        if last is not None and day - last + 1 > DAYS_WITHOUT_DOSE
    ]


def _type_1_errors(analysis: TrialAnalysis, trial: Trial, criterion: SuccessCriterion) -> list[dict[str, Any]]:
    """The share of trials without a drug effect that succeed, one row per arm, as those of `error_table`."""
    rows = []
    for row in effect_table(analysis, trial, criterion).to_dict("records"):
        share, low, high = (f"{100 * row[name]:.1f}" for name in ("success_share", "success_low", "success_high"))
        text = (
            f"no arm has a drug, and {share} % of the trials succeed ({criterion.text}; 95 % interval {low} to {high} "
            f"%): the type I error. Expected: {100 * criterion.alpha / 2:g} %, half of alpha, since only a better arm "
            "succeeds."
        )
        rows.append({"arm": row["arm"], "text": text, "answer": None, "share": None})
    return rows


def _reference_is_control(analysis: TrialAnalysis, trial: Trial) -> bool:
    return any(is_control(arm.regimen) for arm in trial.arms if arm.name == analysis.reference)


def _published(task: TrialTask, trial: Trial, data: xr.Dataset) -> list[dict[str, Any]]:
    """Published numbers of the primary endpoint of a shipped trial beside the simulated ones; none for another trial.

    Means over the replicates, with the interval of 95 % of them; shares of patients are in percent, as printed.
    """
    scale, visit = trial.primary
    rows = []
    for target in load_clinical_targets():
        is_primary = (target.scale, target.visit) == (scale, visit)
        if target.trial == task.request.shipped and (is_primary or target.statistic in RELAPSE_STATISTICS):
            simulated = statistic(target, data)
            low, high = interval(simulated)
            published_low, published_high = published_interval(target)
            rows.append({
                "arm": target.arm, "statistic": target.statistic, "against": target.control_arm,
                "unit": "% of patients" if target.is_share else UNITS.get(target.statistic, trial.scales[scale].unit),
                "verdict": _verdict(target.published, simulated),
                "id": target.row.id, "fitted": target.fitted,
                "published": target.published, "published_low": published_low, "published_high": published_high,
                "simulated": float(np.nanmean(simulated)), "low": low, "high": high,
            })  # fmt: skip
    return json_rows(pd.DataFrame(rows))


def _verdict(published: float, simulated: np.ndarray) -> str:
    """Whether a published number is in the range of 95 % of the simulated trials [replicate]; empty for few."""
    known = simulated[np.isfinite(simulated)]
    if len(known) < MIN_TRIALS_OF_VERDICT:
        return ""
    low, high = interval(known)
    return "inside" if low <= published <= high else "outside"


def _comparison(result: TrialAnalysis, criterion: SuccessCriterion) -> list[dict[str, Any]]:
    """The primary comparison of each trial and arm; `met`: whether it meets the criterion of the request."""
    return json_rows(
        result.primary.assign(met=criterion.is_met(result.primary)) if len(result.primary) else result.primary
    )


def _power(data: xr.Dataset, task: TrialTask) -> pd.DataFrame | None:
    """Power at the sizes that were simulated; none for one arm."""
    trial = task.trial
    if len(trial.arms) < 2:
        return None
    simulated = min(smallest_arms(data, trial.primary[1]).values())
    if simulated < 4:
        return None
    sizes = [n for n in POWER_SIZES if n < simulated] + [simulated]
    return power(data, *trial.primary, reference_arm(trial), sizes, criterion=task.criterion)
