"""The whole benchmark: peers in turn, scaling, starts, and what was aimed at beside what was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from benchmarks import benchmark_case, scaling, startup_time
from benchmarks.engines import QUICK_ENGINES as QUICK_PEERS
from benchmarks.engines import select_engines
from benchmarks.hardware import machine
from benchmarks.work_precision import FULL, QUICK, REFERENCE, checked, compare, judge, measure, one_core
from ketamech.core import InputError

OTHER = {  # measured elsewhere: its licence keeps it out of here
    "label": "mrgsolve 2.0",
    "ms": 13.7,
    "beside": "libRoadRunner",
    "beside_ms": 13.0,
    "states": 50,
}
PACKAGES = ("ketamech", "numpy", "llvmlite")
AIMS: tuple[tuple[str, str, float, bool], ...] = (  # what, where the figure is, aim, whether more is better
    ("times libRoadRunner's throughput at no larger error", "times.roadrunner", 50, True),
    ("times pydiffsol's throughput at no larger error", "times.pydiffsol", 20, True),
    ("two threads over one", "scaling.two_over_one", 1.9, True),
    ("time a patient from a thousand on: spread", "scaling.linear_within", 0.1, False),
    ("peak memory (MiB)", "scaling.peak_mib", 2048, False),
    ("a trial of 1,000 patients, 28 days, two threads (s)", "starts.trial_two_threads", 0.3, False),
    ("one patient, warm (s)", "starts.one_patient_warm", 0.005, False),
    ("`ketamech simulate` from a cold process (s)", "starts.simulate_cold_process", 2, False),
    ("first compile (s)", "starts.first_compile", 15, False),
)
Progress = Callable[[str], None]


def benchmark(
    tell: Progress, *, names: Sequence[str] = (), most: int = 100_000, repeats: int | None = None, quick: bool = False
) -> dict[str, Any]:
    """Everything as plain values, ready for JSON. `most` patients in the scaling; `quick` is a short trial run.

    `names` are peers to stand beside (all of them; a quick run takes those that compile within seconds).
    """
    _refuse(most, repeats)
    effort, peers = QUICK if quick else FULL, select_engines(names or (QUICK_PEERS if quick else ()))
    if repeats:
        effort = type(effort)(**{**vars(effort), "repeats": repeats})
    with one_core() as core:
        posed = benchmark_case.make_case(effort.ours)
        records = measure(posed, peers, effort, tell)
        tell("Another program checks the reference")
        few = posed.subset(effort.patients)
        agreement = checked(judge(few), few, peers)
    rows = scaling.scale(200 if quick else most, (1, 2), tell)
    found: dict[str, Any] = {"task": _task(posed, effort), "machine": machine() | {"pinned": core is not None}}
    found |= {"versions": {name: version(name) for name in PACKAGES}, "quick": quick, "elsewhere": OTHER}
    found |= {"reference": {"tolerance": REFERENCE, "agreement": agreement}, "peers": records}
    comparison = compare(records)
    found |= {"comparison": comparison, "headline": headline(comparison)}
    found |= {"scaling": rows, "scaling_summary": scaling.summary(rows)}
    found["starts"] = startup_time.starts(effort.repeats, tell, quick=quick)
    return found | {"aims": aims(found)}


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
    figures = {f"times.{name}": times for name, times in found["headline"].items()}
    figures |= {f"scaling.{name}": value for name, value in found["scaling_summary"].items()}
    figures |= {f"starts.{name}": value["median_s"] for name, value in found["starts"].items()}
    if found["starts"]["trial_two_threads"]["patients"] != startup_time.TRIAL:
        del figures["starts.trial_two_threads"]
    rows = []
    for what, where, aim, more in AIMS:
        measured = figures.get(where)
        reached = None if measured is None else (measured >= aim if more else measured <= aim)
        rows.append({"what": what, "aim": aim, "more_is_better": more, "measured": measured, "reached": reached})
    return rows
