"""Time against error of every engine on one core, with KetaMech measured after each, against one reference."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np

from benchmarks.benchmark_case import BenchmarkCase
from benchmarks.engines import BY_HAND, OURS, Engine, Run
from ketamech.core import SolverError

Tell = Callable[[str], None]
REFERENCE, SECOND_REFERENCE = 1e-11, 1e-10  # tolerances of the reference and of the engine that checks it
CHECKERS = ("scipy", "roadrunner", "pydiffsol")  # engines that can check the reference, in order of preference
CHECKED = 2  # patients of that check


@dataclass(frozen=True)
class BenchmarkSettings:
    """Numbers of patients, tolerances and repeats, for other engines and for KetaMech."""

    patients: int
    ours: int
    repeats: int
    tolerances: tuple[float, ...]
    our_tolerances: tuple[float, ...]


OURS_AT = (
    1e-3,
    3e-4,
    1e-4,
    3e-5,
    1e-5,
    3e-6,
    1e-6,
    3e-7,
    1e-7,
)  # fine steps, to match the error of another engine closely
FULL = BenchmarkSettings(10, 128, 3, (1e-4, 1e-6), OURS_AT)
QUICK = BenchmarkSettings(2, 64, 1, (1e-4,), (1e-3, 1e-5))


@contextmanager
def one_core() -> Iterator[int | None]:
    """Pin this process to one core (where the system can) and restore the affinity afterwards."""
    if not hasattr(os, "sched_setaffinity"):
        yield None
        return
    before = os.sched_getaffinity(0)
    core = max(before)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class ErrorNorm:
    """The reference curves [patient, time, output] of the first patients, and the size of each output."""

    curves: np.ndarray
    size: np.ndarray

    def error(self, values: np.ndarray) -> float:
        """Largest difference over patients, times and outputs, relative to the size of the output."""
        count = min(len(values), len(self.curves))
        return float(np.max(np.abs(values[:count] - self.curves[:count]) / self.size))


def judge(problem: BenchmarkCase) -> ErrorNorm:
    """The reference: KetaMech at its tightest tolerance; the size of an output is its range or declared size."""
    curves = OURS.load(problem)(REFERENCE)
    declared = {state.name: state.scale for state in problem.model.layout.states}
    floor = np.array([declared.get(name, 0.0) for name in problem.outputs])
    return ErrorNorm(curves, np.maximum(np.ptp(curves, axis=(0, 1)), floor))


def checked(
    found: ErrorNorm, problem: BenchmarkCase, peers: Sequence[Engine], loaded: Mapping[str, Run]
) -> dict[str, Any]:
    """Difference of another engine at a tight tolerance from the reference, for two patients.

    An engine that is `loaded` for the patients of the problem is not compiled again where these are the two.
    """
    able, some = {peer.name: peer for peer in peers if peer.installed}, problem.subset(CHECKED)
    compiled = loaded if len(problem.inputs) == CHECKED else {}
    for name in (one for one in CHECKERS if one in able):
        try:
            error = found.error((compiled.get(name) or able[name].load(some))(SECOND_REFERENCE))
        except SolverError:  # the next one checks
            continue
        return {"by": able[name].label, "tolerance": SECOND_REFERENCE, "patients": len(some.inputs), "error": error}
    return {"by": None, "error": None}


def measure(
    problem: BenchmarkCase, peers: Sequence[Engine], effort: BenchmarkSettings, tell: Tell
) -> list[dict[str, Any]]:
    """One record per engine: load time and, by tolerance, milliseconds per patient of every repeat and the error."""
    few = problem.subset(effort.patients)
    tell("Reference at tolerance 1e-11")
    found = judge(few)
    records, runs = [], {}
    for peer in peers:
        record: dict[str, Any] = {"name": peer.name, "label": peer.label, "method": peer.method}
        record |= {"installed": peer.installed, "versions": peer.versions}
        if peer.installed:
            tell(f"Compiling for {peer.label}")
            began = perf_counter()
            try:
                runs[peer.name] = peer.load(problem if peer.solves_groups else few)
            except SolverError as why:
                record["failed"] = str(why)
            record["load_s"] = perf_counter() - began
        else:
            record["type_this"] = peer.type_this
        tolerances = effort.our_tolerances if peer.name == OURS.name else effort.tolerances
        record["settings"] = [{"tolerance": one, "ms": [], "error": None} for one in tolerances]
        records.append(record)
    _alternate(records, runs, effort, found, tell)
    return records


def _alternate(
    records: list[dict[str, Any]],
    runs: dict[str, Run],
    effort: BenchmarkSettings,
    found: ErrorNorm,
    tell: Tell,
) -> None:
    """Alternate the engines with KetaMech, so that disturbances of the computer affect all of them."""
    ours = next(record for record in records if record["name"] == OURS.name)
    rest = [record for record in records if record is not ours and record["name"] in runs]
    for repeat in range(effort.repeats):
        for record in rest or [ours]:
            record.setdefault("beside", []).append(len(ours["settings"][0]["ms"]))
            for one in dict.fromkeys((record["name"], OURS.name)):
                mine = next(r for r in records if r["name"] == one)
                tell(f"Repeat {repeat + 1} of {effort.repeats}: {mine['label']}")
                for setting in mine["settings"]:
                    _once(setting, runs[one], found)
    for record in records:
        for setting in record["settings"]:
            _sum_up(setting)


def _once(setting: dict[str, Any], run: Run, found: ErrorNorm) -> None:
    """One run: on one core its processor time is its time, but for what else the machine does meanwhile."""
    began = process_time()
    try:
        values = run(setting["tolerance"])
    except (SolverError, RuntimeError) as problem:
        setting["failed"] = (str(problem).splitlines() or [type(problem).__name__])[0]
        return
    elsewhere: float | None = getattr(run, "seconds", None)  # of an engine in a process of its own
    seconds = process_time() - began if elsewhere is None else elsewhere
    setting["ms"].append(seconds * 1e3 / len(values))
    setting["patients"] = len(values)
    setting["error"] = max(found.error(values), setting["error"] or 0.0)


def _sum_up(setting: dict[str, Any]) -> None:
    if setting["ms"]:
        setting |= {"median_ms": median(setting["ms"]), "least_ms": min(setting["ms"]), "most_ms": max(setting["ms"])}


def compare(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each setting of an engine with the fastest setting of KetaMech that is at least as accurate.

    `times` is the median over repeats of the ratio to the run of KetaMech that followed.
    """
    ours = [s for r in records if r["name"] == OURS.name for s in r["settings"] if s["ms"]]
    rows = []
    for record in records:
        for setting in (s for s in record["settings"] if s["ms"] and record["name"] not in (OURS.name, BY_HAND)):
            able = [s for s in ours if s["error"] <= setting["error"]]
            best = min(able, key=lambda s: s["median_ms"]) if able else None
            row = {"peer": record["name"], "label": record["label"], "tolerance": setting["tolerance"]}
            row |= {"ms": setting["median_ms"], "error": setting["error"]}
            row |= {"ours_tolerance": best["tolerance"], "ours_ms": best["median_ms"]} if best else {}
            row |= {"ours_error": best["error"], "times": _ratio(setting, best, record.get("beside"))} if best else {}
            rows.append(row)
    return rows


def shares(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Throughput of KetaMech as a share of that of the kernel written by hand, at each tolerance of both.

    Method and step control are the same, and so are the errors but for rounding.
    """
    named = {record["name"]: record for record in records}
    if BY_HAND not in named:
        return []
    beside, rows = named[BY_HAND].get("beside"), []
    for theirs in named[BY_HAND]["settings"]:
        ours = next((s for s in named[OURS.name]["settings"] if s["tolerance"] == theirs["tolerance"]), None)
        if ours and ours["ms"] and theirs["ms"]:
            row = {"tolerance": theirs["tolerance"], "ms": theirs["median_ms"], "error": theirs["error"]}
            row |= {"ours_ms": ours["median_ms"], "ours_error": ours["error"]}
            rows.append(row | {"share": _ratio(theirs, ours, beside)})
    return rows


def _ratio(setting: dict[str, Any], ours: dict[str, Any], beside: Sequence[int] | None) -> float:
    """Median ratio of the times of an engine to those of KetaMech with the numbers `beside`, in the same repeats."""
    if beside is None or len(beside) != len(setting["ms"]):
        return float(setting["median_ms"] / ours["median_ms"])
    return median(theirs / ours["ms"][number] for theirs, number in zip(setting["ms"], beside, strict=True))
