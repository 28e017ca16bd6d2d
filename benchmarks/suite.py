"""The whole benchmark: peers in turn, slices, scaling, starts, errors, and the aims beside what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks import benchmark_case, scaling, startup_time
from benchmarks.accuracy import accuracy
from benchmarks.benchmark_case import BenchmarkCase
from benchmarks.engine_process import isolated
from benchmarks.engines import BY_HAND, OURS, Engine, Run, select_engines
from benchmarks.engines import QUICK_ENGINES as QUICK_PEERS
from benchmarks.hardware import machine
from benchmarks.roofline import roofline
from benchmarks.work_precision import FULL, QUICK, REFERENCE, checked, compare, judge, measure, one_core, shares
from ketamech.core import InputError

OTHER = {  # measured elsewhere: its licence keeps it out of here
    "label": "mrgsolve 2.0",
    "ms": 13.7,
    "beside": "libRoadRunner",
    "beside_ms": 13.0,
    "states": 50,
}
PACKAGES = ("ketamech", "numpy", "llvmlite")
SLICES = {  # outputs of which only a part of the model is computed
    "mood": ("Mood and dissociation", ("mood.madrs", "dissociation.cadss")),
    "levels": ("Levels in blood", ("venous.esketamine", "venous.s_norketamine")),
}
SLICED_PEERS = ("roadrunner", "pydiffsol")  # peers that also run the equations of a slice
WHOLE, SLICE = "whole model", "same slice"
LONG = ("starts.trial_two_threads", "starts.replicates", "accuracy.largest")  # smaller in a quick run
PEOPLE = 10_000  # people whose errors are measured
AIMS: tuple[tuple[str, str, float, bool], ...] = (  # what, where the figure is, aim, whether more is better
    ("all outputs: times libRoadRunner's throughput at no larger error", "times.all.roadrunner", 150, True),
    ("all outputs: times pydiffsol's", "times.all.pydiffsol", 40, True),
    ("mood and dissociation: times libRoadRunner's on the whole model", f"times.mood.roadrunner, {WHOLE}", 300, True),
    ("mood and dissociation: times pydiffsol's on the whole model", f"times.mood.pydiffsol, {WHOLE}", 75, True),
    ("mood and dissociation: times libRoadRunner's on the same slice", f"times.mood.roadrunner, {SLICE}", 100, True),
    ("mood and dissociation: times pydiffsol's on the same slice", f"times.mood.pydiffsol, {SLICE}", 25, True),
    ("levels: times libRoadRunner's on the whole model", f"times.levels.roadrunner, {WHOLE}", 1500, True),
    ("levels: times libRoadRunner's on the same slice", f"times.levels.roadrunner, {SLICE}", 50, True),
    ("throughput as a share of the kernel in C by hand, least of all tasks", "by_hand.least", 0.6, True),
    ("two threads over one", "scaling.two_over_one", 1.95, True),
    ("time per patient from a thousand on: spread", "scaling.linear_within", 0.05, False),
    ("peak memory (MiB)", "scaling.peak_mib", 250, False),
    ("curves not finite or negative and not reported, of all patients of the scaling", "scaling.silent", 0, False),
    ("a trial of 1,000 patients, 28 days, two threads (s)", "starts.trial_two_threads", 0.15, False),
    ("200 replicates of two arms of 500 with analysis, two threads (s)", "starts.replicates", 30, False),
    ("one patient, warm (s)", "starts.one_patient_warm", 0.003, False),
    ("`import ketamech` (s)", "starts.import", 0.05, False),
    ("`ketamech simulate` from a cold process (s)", "starts.simulate_cold_process", 1.5, False),
    ("`ketamech simulate --no-report` from a cold process (s)", "starts.simulate_without_report", 0.7, False),
    ("first start with an empty cache (s)", "starts.first_compile", 4, False),
    ("largest error at the default tolerance, of the largest value of the output", "accuracy.largest", 1e-4, False),
)
Progress = Callable[[str], None]


def benchmark(
    tell: Progress, *, names: Sequence[str] = (), most: int = 100_000, repeats: int | None = None, quick: bool = False
) -> dict[str, Any]:
    """Everything as plain values, ready for JSON. `most` patients in the scaling; `quick` is a short trial run.

    `names` are peers to stand beside (all of them; a quick run takes those that compile within seconds).
    """
    _refuse(most, repeats)
    began = perf_counter()
    effort = QUICK if quick else FULL
    chosen = select_engines(names or (QUICK_PEERS if quick else ()))
    peers = [peer if peer is OURS else isolated(peer) for peer in chosen]
    if repeats:
        effort = replace(effort, repeats=repeats)
    with one_core() as core:
        posed = benchmark_case.make_case(effort.ours)
        loaded: dict[str, Run] = {}
        records = measure(posed, [remembered(peer, loaded) for peer in peers], effort, tell)
        tell("Another program checks the reference")
        few = posed.subset(effort.patients)
        agreement = checked(judge(few), few, peers, loaded)
        slices = [_slice(posed, name, peers, loaded, effort, tell) for name in list(SLICES)[-1 if quick else 0 :]]
        sliced = {SLICES[name][0]: SLICES[name][1] for name in list(SLICES)[-1 if quick else 0 :]}
        costs = roofline(posed, ({} if quick else {"All outputs": None}) | sliced, tell)
    rows = scaling.scale(200 if quick else most, (1, 2), tell)
    found: dict[str, Any] = {"task": _task(posed, effort), "machine": machine() | {"pinned": core is not None}}
    found |= {"versions": {name: version(name) for name in PACKAGES}, "quick": quick, "elsewhere": OTHER}
    found |= {"reference": {"tolerance": REFERENCE, "agreement": agreement}, "peers": records, "slices": slices}
    comparison = compare(records)
    times = {"all": headline(comparison)} | {one["name"]: headline(one["comparison"]) for one in slices}
    found |= {"comparison": comparison, "headline": times}
    found["roofline"] = costs
    found["by_hand"] = {"all": shares(records)} | {one["name"]: shares(one["peers"]) for one in slices}
    found |= {"scaling": rows, "scaling_summary": scaling.summary(rows)}
    found["starts"] = startup_time.starts(effort.repeats, tell, quick=quick)
    found["accuracy"] = accuracy(50 if quick else PEOPLE, tell)
    return found | {"aims": aims(found), "minutes": (perf_counter() - began) / 60}


def remembered(engine: Engine, loaded: dict[str, Run]) -> Engine:
    """The engine, whose compiled whole model is put into `loaded`."""

    def load(case: BenchmarkCase) -> Run:
        loaded[engine.name] = engine.load(case)
        return loaded[engine.name]

    return replace(engine, load=load)


@dataclass(frozen=True)
class SomeOutputs:
    """A loaded engine of whose outputs only some `columns` are read; `seconds` as in `EngineProcess`."""

    run: Run
    columns: Sequence[int]

    def __call__(self, tolerance: float) -> np.ndarray:
        """Curves [patient, time, output]."""
        return self.run(tolerance)[:, :, self.columns]

    @property
    def seconds(self) -> float | None:
        """Processor time of the last run, where it was measured in another process."""
        return getattr(self.run, "seconds", None)


def _slice(
    posed: BenchmarkCase, name: str, peers: Sequence[Engine], loaded: Mapping[str, Run], effort: Any, tell: Progress
) -> dict[str, Any]:
    """Our slice beside peers that run the whole model, and beside peers that run the equations of the slice."""
    title, outputs = SLICES[name]
    case = posed.sliced(outputs)
    columns = [posed.outputs.index(one) for one in outputs]
    measured = [OURS, *(peer for peer in peers if peer.name == BY_HAND)]
    for peer in (one for one in peers if one.name in SLICED_PEERS and one.installed):
        if run := loaded.get(peer.name):
            measured.append(
                replace(
                    peer, name=f"{peer.name}, {WHOLE}", label=f"{peer.label}, {WHOLE}",
                    load=lambda _, run=run: SomeOutputs(run, columns),
                )
            )  # fmt: skip
        measured.append(replace(peer, name=f"{peer.name}, {SLICE}", label=f"{peer.label}, {SLICE}"))
    records = measure(case, measured, effort, lambda line: tell(f"{title}: {line}"))
    for record in records:
        record["load_s"] = None if record["name"].endswith(WHOLE) else record["load_s"]  # compiled before
    found = {"name": name, "title": title, "outputs": list(outputs), "states": len(case.system.states)}
    return found | {"peers": records, "comparison": compare(records)}


def _refuse(most: int, repeats: int | None) -> None:
    if most < 100:
        raise InputError(f"a scaling over {most} patients", key="--max-patients", expected="at least 100")
    if repeats is not None and repeats < 1:
        raise InputError(f"{repeats} repeats", key="--repeats", expected="at least 1")


def _task(posed: benchmark_case.BenchmarkCase, effort: Any) -> dict[str, Any]:
    layout = posed.model.layout
    return {
        "equations": layout.fingerprint,
        "states": len(layout.states),
        "regimen": benchmark_case.REGIMEN,
        "horizon_h": benchmark_case.HORIZON,
        "times_h": posed.times.tolist(),
        "outputs": list(posed.outputs),
        "drawn_parameters": len(benchmark_case.drawn_columns(posed.model)),
        "spread": benchmark_case.SPREAD,
        "peer_patients": effort.patients,
        "our_patients": effort.ours,
        "repeats": effort.repeats,
    }


def headline(comparison: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """By peer, how many times as many patients we solve at no larger error: the least favourable of its settings."""
    found: dict[str, float] = {}
    for row in comparison:
        if "times" in row:
            found[row["peer"]] = min(row["times"], found.get(row["peer"], row["times"]))
    return found


def aims(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was aimed at, what was measured, and whether it was reached."""
    figures = {
        f"times.{task}.{name}": value for task, times in found["headline"].items() for name, value in times.items()
    }
    figures["accuracy.largest"] = found["accuracy"]["largest"]
    if by_hand := [row["share"] for rows in found["by_hand"].values() for row in rows]:
        figures["by_hand.least"] = min(by_hand)
    figures |= {f"scaling.{name}": value for name, value in found["scaling_summary"].items()}
    figures |= {f"starts.{name}": value["median_s"] for name, value in found["starts"].items()}
    if found["quick"]:
        figures = {name: value for name, value in figures.items() if name not in LONG}
    rows = []
    for what, where, aim, more in AIMS:
        measured = figures.get(where)
        reached = None if measured is None else (measured >= aim if more else measured <= aim)
        rows.append({"what": what, "aim": aim, "more_is_better": more, "measured": measured, "reached": reached})
    return rows
