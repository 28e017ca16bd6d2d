"""Runs public collections of test cases in a user's folder: passed, wrong, or refused with the reason.

Cases run one after the other in a separate process, which is ended where a case reaches the limit of processor time;
the next case then gets a new one.
"""

from __future__ import annotations

import multiprocessing
import random
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from ketamech.core import InputError, KetaMechError, SolverError
from ketamech.core.atomic_files import read_text
from ketamech.exchange.cross_simulator_check import MAX_DIFFERENCE, RoadRunnerModel
from ketamech.exchange.petab_simulation import simulate_petab
from ketamech.exchange.sbml import semantic_suite
from ketamech.exchange.sbml.importer import import_sbml
from ketamech.exchange.sbml.model_editor import STEADY_TIMES
from ketamech.exchange.sbml.sbml_model import SbmlModel
from ketamech.exchange.sbml.simulate import simulate_imported
from ketamech.exchange.sedml_simulation import SedmlFile

PASSED, WRONG, REFUSED, FAILED, CRASHED = "passed", "wrong", "refused", "not solved", "crashed"
OTHER = "not applicable"  # no simulation, or none by the reference program
RESULT_ORDER = (PASSED, WRONG, CRASHED, FAILED, REFUSED, OTHER)
TIME_LIMIT = 120.0  # s of a processor, of one case
WALL_TIME_FACTOR = 10.0  # how many times as long a case may take on a busy machine
SEED = 1  # of a sample
MODEL_TIMES = np.linspace(0.0, 99.7, 101)[1:]  # not whole: at the time of an event two values are correct


@dataclass(frozen=True)
class CaseResult:
    """The result of a case and its reason."""

    case: str
    result: str
    reason: str = ""


@dataclass(frozen=True)
class Suite:
    """A kind of collection: its cases in a folder, and the first difference of one case (empty where it passes)."""

    title: str
    find: Callable[[Path], list[Path]]
    run: Callable[[Path], str]
    expected: str


class NotComparable(Exception):
    """A model that the other simulator cannot run, or that is no simulation."""


OWN_TOLERANCE = 1e-10  # relative, for the models of other people, which may oscillate for long
FINE, FINER = 1e-11, 1e-12  # of libRoadRunner for these models
TRACE = 1e-9  # of the scale of a state: differences below MAX_DIFFERENCE of this do not count


def roadrunner_difference(text: str, model: SbmlModel, times: np.ndarray, start: float = 0.0) -> str:
    """The first state of an imported model that differs from libRoadRunner by more than MAX_DIFFERENCE of its largest
    value at `times`, after a `start` that the model has too; empty where there is none.

    Raises NotComparable where libRoadRunner cannot run the model, or differs from itself at a finer tolerance (chaos).
    """
    scales = {name.split(".")[1]: scale for name, scale in model.scales.items()}
    theirs = _roadrunner_states(text, scales, times, start, FINE)
    difference = _difference(simulate_imported(model, times, tolerance=OWN_TOLERANCE), theirs, scales, times)
    if difference and _difference(_roadrunner_states(text, scales, times, start, FINER), theirs, scales, times):
        raise NotComparable("libRoadRunner gives other values at a finer tolerance")
    return difference


def _roadrunner_states(
    text: str, scales: Mapping[str, float], times: np.ndarray, start: float, relative: float
) -> dict[str, np.ndarray]:
    try:
        other = RoadRunnerModel(text)
        other.set_tolerances(relative, {name: 1e-3 * relative * scales.get(name, 1.0) for name in other.states})
        return dict(zip(other.states, other.simulate(times, start).T, strict=True))
    except (RuntimeError, SolverError) as problem:
        raise NotComparable(f"libRoadRunner: {' '.join(str(problem).split())[:150]}") from None


def _difference(
    ours: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray], scales: Mapping[str, float], times: np.ndarray
) -> str:
    for name, curve in theirs.items():
        own = ours.get(f"amount({name})", ours.get(name))
        if own is None:
            return f"{name} is not among the values that are computed"
        apart = np.abs(own - curve) / max(np.abs(curve).max(), TRACE * scales.get(name, 1.0))
        if not apart.max() <= MAX_DIFFERENCE:
            at = int(np.argmax(~(apart <= MAX_DIFFERENCE)))
            return f"{name} is {own[at]:.6g}, libRoadRunner {curve[at]:.6g}, at {times[at]:g}"
    return ""


def _semantic_case(folder: Path) -> str:
    if semantic_suite.is_flux_balance(folder):
        raise NotComparable("a flux balance")
    return semantic_suite.run_case(folder)


def _collected_model(path: Path) -> str:
    return roadrunner_difference(read_text(path, "an SBML model"), import_sbml(path), MODEL_TIMES)


MOST_EQUAL = 0.5  # share of simulated values that equal the measurement, above which they are no simulation
PETAB_TOLERANCE = 1e-3  # of the largest expected value of an observable, where a problem states no tolerance

PETAB_KEYS = ("observableId", "preequilibrationConditionId", "simulationConditionId", "experimentId", "time")


def _petab_problems(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.yaml") if b"format_version" in path.read_bytes())


def _petab_problem(path: Path) -> str:
    solution = path.with_name(f"{path.stem}_solution.yaml")
    solution_values = yaml.safe_load(read_text(solution, "a solution")) if solution.is_file() else {}
    simulation_files = solution_values.get("simulation_files") or [file.name for file in path.parent.glob("simul*.tsv")]
    if not simulation_files:
        raise NotComparable("no simulated data beside it")
    problem = yaml.safe_load(read_text(path, "a problem"))
    files = [name for part in (problem, *problem.get("problems", ())) for name in part.get("measurement_files", ())]
    measurements = _rows(path.parent, files)
    expected = _matching_rows(measurements, _rows(path.parent, simulation_files))
    if not solution_values and np.mean(expected == measurements["measurement"].to_numpy()) > MOST_EQUAL:
        raise NotComparable("the simulated data repeat the measurements")
    simulated = simulate_petab(path)
    largest = simulated.assign(size=np.abs(expected)).groupby("observableId")["size"].transform("max").to_numpy()
    difference = np.abs(simulated["simulation"].to_numpy() - expected)
    wrong = ~(difference <= solution_values.get("tol_simulations", PETAB_TOLERANCE * largest))
    if not wrong.any():
        return ""
    row = simulated.iloc[int(np.argmax(wrong))]
    value = expected[np.argmax(wrong)]
    return f"{row['observableId']} is {row['simulation']:.6g}, expected {value:.6g}, at {row['time']:g}"


def _rows(folder: Path, files: Sequence[str]) -> pd.DataFrame:
    return pd.concat([pd.read_csv(folder / name, sep="\t") for name in files], ignore_index=True)


def _matching_rows(measured: pd.DataFrame, simulated: pd.DataFrame) -> np.ndarray:
    """The simulated value of each measurement, by observable, condition and time; equal ones are in order."""
    column = next(name for name in ("simulation", "measurement") if name in simulated)
    shared = [name for name in PETAB_KEYS if name in measured and name in simulated]
    keys = [data[shared].fillna("").assign(time=data["time"].astype(float)) for data in (measured, simulated)]
    left, right = (table.assign(repeat=table.groupby(shared).cumcount()) for table in keys)
    merged = left.merge(right.assign(value=simulated[column]), how="left", on=[*shared, "repeat"])
    if merged["value"].isna().any():
        raise NotComparable("the simulated data have other rows than the measurements")
    return merged["value"].to_numpy(dtype=float)


def _models(folder: Path) -> list[Path]:
    return sorted(path for kind in ("*.xml", "*.sbml") for path in folder.rglob(kind))


COMPARED_RUNS = 12  # of a repeated task
COMPARED_STEADY = 3  # times on the way to a steady state


def _archives(folder: Path) -> list[Path]:
    return sorted(path for kind in ("*.omex", "*.sedml") for path in folder.rglob(kind))


def _archive(path: Path) -> str:
    """The first difference of the runs (of a repeated task some, evenly spread), or of what the reports show."""
    simulation = SedmlFile(path)
    reports = simulation.reports()
    for name, runs in simulation.runs.items():
        compared_runs = np.unique(np.linspace(0, len(runs) - 1, COMPARED_RUNS).round().astype(int))
        for course in (runs[i].course for i in compared_runs):
            model = import_sbml(path, course.model, start=course.start)
            times = course.times if len(course.times) else course.start + STEADY_TIMES[:COMPARED_STEADY]
            if difference := roadrunner_difference(course.model, model, times[times > course.start], course.start):
                return f"{name}: {difference}"
    empty_report = next((name for name, report in reports.items() if report.isna().all(axis=None)), None)
    return f"{empty_report} has no values" if empty_report is not None else ""


SUITES: Mapping[str, Suite] = {
    "sbml-suite": Suite(
        "SBML semantic test cases", lambda folder: sorted({path.parent for path in folder.rglob("*-settings.txt")}),
        _semantic_case, "folders with NNNNN-settings.txt",
    ),
    "biomodels": Suite(
        f"SBML models, {len(MODEL_TIMES)} times up to {MODEL_TIMES[-1]:g} units of time, within {MAX_DIFFERENCE:g} of"
        f" libRoadRunner (relative tolerance {FINE:g})", _models, _collected_model, "SBML files (.xml, .sbml)",
    ),
    "archives": Suite(
        f"SED-ML files and archives, within {MAX_DIFFERENCE:g} of libRoadRunner", _archives, _archive,
        "SED-ML files (.sedml) or archives (.omex)",
    ),
    "petab": Suite(
        "PEtab problems", _petab_problems, _petab_problem, "PEtab problems (.yaml) with simulated data beside them",
    ),
}  # fmt: skip


def find_cases(kind: str, folder: Path, sample: int | None = None) -> list[Path]:
    """The cases of a suite in a folder, in order: all, or a random `sample`. Raises InputError where there is none."""
    cases = SUITES[kind].find(folder) if folder.is_dir() else []
    if not cases:
        message, expected = f"no cases for --{kind}", SUITES[kind].expected
        raise InputError(message, file=folder, expected=expected, type_this=f"--{kind} FOLDER")
    selected = random.Random(SEED).sample(cases, min(sample or len(cases), len(cases)))
    return sorted(selected)


def run_suite(
    kind: str, folder: Path, cases: Sequence[Path], *, time_limit: float = TIME_LIMIT,
    progress: Callable[[str], None] = lambda line: None, on_result: Callable[[CaseResult], None] = lambda result: None,
) -> list[CaseResult]:  # fmt: skip
    """The cases of a folder in order; `on_result` gets each result at once."""
    results, worker = [], _Worker()
    try:
        for i, case in enumerate(cases):
            name = str(case.relative_to(folder))
            progress(f"{name}, {i} of {len(cases)}")
            results.append(CaseResult(name, *worker.judge(kind, case, time_limit)))
            on_result(results[-1])
    finally:
        worker.end()
    return results


def judge(kind: str, case: Path) -> tuple[str, str]:
    """The result of one case and its reason."""
    try:
        difference = SUITES[kind].run(case)
        return (WRONG, difference) if difference else (PASSED, "")
    except NotComparable as problem:
        return OTHER, str(problem)
    except InputError as problem:
        return REFUSED, problem.what
    except KetaMechError as problem:
        return FAILED, str(problem).splitlines()[0]
    except Exception as problem:  # an unexpected error fails one case and not the whole suite
        return CRASHED, f"{type(problem).__name__}: {problem}".splitlines()[0]


class _Worker:
    """A process that judges cases, started when it is needed."""

    def __init__(self) -> None:
        self.process: multiprocessing.process.BaseProcess | None = None

    def judge(self, kind: str, case: Path, time_limit: float) -> tuple[str, str]:
        """As `judge`, but also for a case that does not end or ends its process."""
        if self.process is None:
            context = multiprocessing.get_context("spawn")
            self.pipe, child_pipe = context.Pipe()
            self.process = context.Process(target=_serve, args=(child_pipe,), daemon=True)
            self.process.start()
            child_pipe.close()
            self.pipe.recv()  # it has started: this time is not part of a case
        try:
            self.pipe.send((kind, case, time_limit))
            if self.pipe.poll(WALL_TIME_FACTOR * time_limit):
                result, reason = self.pipe.recv()
                return result, reason
            timed_out = True
        except (EOFError, OSError):
            self.process.join()
            timed_out = self.process.exitcode == -signal.SIGPROF
        self.end()
        return (FAILED, f"no result within {time_limit:g} s") if timed_out else (CRASHED, "the process has ended")

    def end(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.pipe.close()
            self.process = None


def _serve(pipe: Connection) -> None:
    pipe.send("started")
    while True:
        kind, case, time_limit = pipe.recv()
        signal.setitimer(signal.ITIMER_PROF, time_limit)  # its signal ends the process
        result = judge(kind, case)
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        pipe.send(result)


def summary(results: Sequence[CaseResult]) -> list[dict[str, object]]:
    """Number of cases by result and reason."""
    counts = Counter((one.result, _reason(one)) for one in results)
    sorted_counts = sorted(counts.items(), key=lambda item: (RESULT_ORDER.index(item[0][0]), -item[1]))
    return [{"result": result, "cases": count, "why": reason} for (result, reason), count in sorted_counts]


def _reason(result: CaseResult) -> str:
    """The reason without quoted names, so that equal reasons are counted together."""
    if result.result not in (REFUSED, OTHER):
        return ""
    return " ".join(word for word in result.reason.split() if not word.startswith(("'", '"')))


def suite_page(kind: str, cases: Sequence[CaseResult]) -> str:
    """The counts as a page of Markdown, with each case that neither passes nor is refused."""
    results = [one for one in cases if one.result != OTHER]
    passed = sum(one.result == PASSED for one in results)
    lines = [
        f"# {SUITES[kind].title}", "", f"Written by `ketamech compare-simulators --{kind} DIR --markdown FILE`.", "",
        f"{passed} of {len(results)} applicable cases pass.", "", "| result | cases | reason |", "|---|---|---|",
        *(f"| {row['result']} | {row['cases']} | {row['why']} |" for row in summary(cases)), "",
        *(f"- {one.case}: {one.result}, {one.reason}" for one in results if one.result not in (PASSED, REFUSED)),
    ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"
