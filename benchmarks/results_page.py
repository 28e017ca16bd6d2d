"""The benchmark as a Markdown page, made from its JSON alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ketamech.core.constants import DISCLAIMER
from ketamech.report.number_format import number

Rows = Sequence[Sequence[str]]
STARTS = {
    "one_patient_warm": "one patient, warm (rest state and 28 days)",
    "trial_two_threads": "a trial of {patients} patients, eight visits, two threads",
    "replicates": "{replicates} replicates of a trial of two arms of 500, eight visits, with analysis, two threads",
    "import": "`import ketamech` in a new process",
    "simulate_cold_process": "`ketamech simulate` in a new process, compiled before, report and pictures written",
    "simulate_without_report": "`ketamech simulate --no-report` in a new process, compiled before",
    "first_compile": "first start in a new process with an empty cache: machine code of the whole model, 8 patients",
}


def benchmark_page(found: Mapping[str, Any], picture: str) -> str:
    """The page; `picture` is where it finds the picture."""
    parts = [
        "# Benchmarks",
        _made(found),
        f"![Milliseconds a patient against error, and scaling over patients]({picture})",
        _task(found),
        "## Side by side",
        _peers(found),
        _no_less_exact(found["comparison"]),
        _quoted(found),
        "## Slices",
        _slices(found),
        "## Beside a kernel written by hand",
        _by_hand(found),
        "## What a step costs",
        _roofline(found["roofline"]),
        "## Many patients",
        _scaling(found),
        *(["## On a cluster", _cluster(found["cluster"])] if "cluster" in found else []),
        "## Starts",
        _starts(found),
        "## Errors of many people",
        _accuracy(found),
        "## Aims",
        _aims(found),
        "## How it is measured",
        _how(found),
        DISCLAIMER,
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _made(found: Mapping[str, Any]) -> str:
    machine = found["machine"]
    versions = ", ".join(f"{name} {text}" for name, text in found["versions"].items())
    short = " **A short trial run: the figures mean little.**" if found["quick"] else ""
    return (
        f"This page is written by `python -m benchmarks engines`; nothing in it is typed by hand.{short} "
        f"The measurement took {found['minutes']:.0f} minutes. Machine: "
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}; "
        f"{versions}."
    )


def _task(found: Mapping[str, Any]) -> str:
    task = found["task"]
    return (
        f"**The task.** The shipped system ({task['states']} states, equations `{task['equations']}`), "
        f"{task['regimen']}, {task['horizon_h'] / 24:.0f} days, {len(task['times_h'])} output times, outputs "
        f"{', '.join(f'`{name}`' for name in task['outputs'])}. Every patient has {task['drawn_parameters']} "
        f"parameters of their own (lognormal, SD of the logarithm {task['spread']})."
    )


def _peers(found: Mapping[str, Any]) -> str:
    programs = []
    for peer in found["peers"]:
        version = ", ".join(f"{name} {text}" for name, text in peer["versions"].items())
        programs.append(f"- {peer['label']}: {peer['method']}" + (f" ({version})" if version else ""))
    return _settings(found["peers"]) + "\n\n" + "\n".join(programs)


def _settings(peers: Sequence[Mapping[str, Any]]) -> str:
    """Every engine at every tolerance."""
    rows = []
    for peer in peers:
        if not peer["installed"]:
            rows.append([peer["label"], "not installed", f"`{peer['type_this']}`", "", ""])
        elif "failed" in peer:
            rows.append([peer["label"], "any", peer["failed"], "", _number(peer["load_s"])])
        else:
            rows += [[peer["label"], *_setting(setting), _number(peer["load_s"])] for setting in peer["settings"]]
    heads = ("program", "tolerance", "ms a patient (least to most)", "error", "compile or load, s")
    return _table(heads, rows)


def _setting(setting: Mapping[str, Any]) -> list[str]:
    tolerance = f"{setting['tolerance']:.0e}"
    if not setting["ms"]:
        return [tolerance, f"failed: {setting.get('failed', 'not run')}", ""]
    median, low, high = (number(setting[key]) for key in ("median_ms", "least_ms", "most_ms"))
    return [tolerance, f"{median} ({low} to {high})", f"{setting['error']:.1e}"]


def _no_less_exact(comparison: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for row in comparison:
        theirs = [row["label"], f"{row['tolerance']:.0e}", number(row["ms"]), f"{row['error']:.1e}"]
        ours = ["", "none of ours is as exact"]
        if "times" in row:
            at = f"at {row['ours_tolerance']:.0e}, error {row['ours_error']:.1e}"
            ours = [f"{number(row['ours_ms'])} {at}", f"**{number(row['times'])}**"]
        rows.append(theirs + ours)
    heads = ("peer", "its tolerance", "ms", "error", "ours at no larger error, ms", "times as many patients")
    said = "Each setting of a peer beside our fastest that is no less exact:"
    return f"{said}\n\n{_table(heads, rows)}"


def _quoted(found: Mapping[str, Any]) -> str:
    other = found["elsewhere"]
    return (
        f"{other['label']} cannot stand here: on a like system of {other['states']} states it took "
        f"{other['ms']} ms a patient where {other['beside']} took {other['beside_ms']}."
    )


def _slices(found: Mapping[str, Any]) -> str:
    """Our slices beside peers that run the whole model and beside peers that run the equations of the slice."""
    parts = [
        "Of the model only what the outputs need and what the doses move is computed (decision 33). Peers solve the "
        "whole model, or the same states as our slice."
    ]
    for one in found["slices"]:
        outputs = ", ".join(f"`{name}`" for name in one["outputs"])
        parts.append(f"### {one['title']}\n\n{outputs}; {one['states']} states.")
        parts += [_settings(one["peers"]), _no_less_exact(one["comparison"])]
    return "\n\n".join(parts)


def _by_hand(found: Mapping[str, Any]) -> str:
    """Our engine beside the kernel in C, of the whole model and of slices."""
    titles = {"all": "all outputs"} | {one["name"]: one["title"] for one in found["slices"]}
    rows = [
        [
            titles[task], f"{row['tolerance']:.0e}", number(row["ms"]), f"{row['error']:.1e}", number(row["ours_ms"]),
            f"{row['ours_error']:.1e}", f"**{100 * row['share']:.0f} %**",
        ]
        for task, rows in found["by_hand"].items() for row in rows
    ]  # fmt: skip
    if not rows:
        return "Not measured in this run."
    said = (
        "`benchmarks/rosenbrock_kernel.c` is the same method, step control, events and dense output, written by hand "
        "with AVX vectors. Rates, Jacobian and sparse LU are printed in C from the same symbolic system, and all is "
        "compiled by the C compiler of the machine with -O3 for this processor. It steps and errs as our engine does. "
        "The share is our throughput over its own, run in turn."
    )
    heads = ("task", "tolerance", "C, ms a patient", "its error", "ours, ms", "our error", "our throughput")
    return f"{said}\n\n{_table(heads, rows)}"


def _roofline(rows: Sequence[Mapping[str, Any]]) -> str:
    """Operations and bytes of a step beside what the core can do."""
    if not rows:
        return "Not measured in this run."
    table = [
        [
            row["task"], str(row["states"]), number(row["steps"]), number(1e6 * row["seconds"]),
            f"{row['operations']:,}", f"{row['bytes'] / 1024:,.0f} KiB", number(row["operations"] / row["bytes"]),
            f"{row['workspace'] / 1024:,.0f} KiB", f"{100 * row['operations_share']:.0f} %",
            f"{100 * row['bytes_share']:.0f} %",
        ]
        for row in rows
    ]  # fmt: skip
    one = rows[0]
    said = (
        "Operations and bytes are those of the instructions of a step of one patient (a fused multiply-add is two "
        "operations; what stays in a register is no byte); the time of a step contains outputs and doses. "
        f"{one['lanes']} patients are computed side by side. Peaks of the core, measured with the same vectors: "
        f"{one['peak_operations'] / 1e9:.0f} GFLOP/s of fused multiply-adds; {one['peak_bytes'] / 1e9:.0f} GB/s of two "
        "loads and a store in the first cache, and in arrays of the size of the workspace "
        + ", ".join(f"{row['workspace_bytes'] / 1e9:.0f} ({row['task'].lower()})" for row in rows)
        + "."
    )
    heads = (
        "task", "states", "steps of a patient", "a step, µs", "operations", "loads and stores", "operations a byte",
        "workspace", "of peak operations", "of peak bytes of the first cache",
    )  # fmt: skip
    return f"{said}\n\n{_table(heads, table)}"


def _scaling(found: Mapping[str, Any]) -> str:
    rows = []
    for row in found["scaling"]:
        figures = [number(row[key]) for key in ("seconds", "ms_per_patient", "peak_mib")]
        rows.append([f"{row['patients']:,}", str(row["threads"]), *figures])
    heads = ("patients", "threads", "s in all", "ms a patient", "peak memory, MiB")
    said = (
        "Each line is a process of its own; up to 1,000 patients it is the median of five runs. Drawing patients, "
        "their rest states and all curves count; they are worked through in chunks of which only a checksum is kept."
    )
    sums = found["scaling_summary"]
    failures = (
        f"Failed and reported: at most {sums['failed']} patients of a line. Curves that are not finite or are negative "
        f"without a report: {sums['silent']}."
    )
    return f"{said}\n\n{_table(heads, rows)}\n\n{failures}"


def _cluster(found: Mapping[str, Any]) -> str:
    """A large cohort on Dask workers of this machine."""
    rows = []
    for row in found["rows"]:
        stop = row.get("finished_at_stop")
        rows.append([
            str(row["workers"]), f"{row['finished']:,}", number(row["seconds"]), f"{number(row['speedup'])}",
            number(1e3 * row["worker_seconds"] / row["finished"]), " ".join(f"{m:.0f}" for m in row["worker_mib"]),
            " ".join(f"{m:.0f}" for m in row["command_mib"]), f"at {stop:,}" if stop else "no",
        ])  # fmt: skip
    said = (
        f"`ketamech simulate --patients {found['patients']:,} --scheduler ...` with Dask workers of one thread each on "
        f"loopback, on a machine with {found['cores']} cores: more workers than cores cannot be faster. Memory is the "
        "largest in each quarter of the run. A run that was stopped was continued with `--resume`; its seconds are "
        "those of both parts."
    )
    heads = (
        "workers", "patients", "s in all", "times the first row", "processor ms a patient",
        "MiB of a worker, by quarter", "MiB of the command", "stopped",
    )  # fmt: skip
    return f"{said}\n\n{_table(heads, rows)}"


def _accuracy(found: Mapping[str, Any]) -> str:
    one = found["accuracy"]
    return (
        f"{one['people']:,} people who differ in every parameter that has a spread, all outputs, at the default "
        f"tolerance {one['tolerance']:.0e} against {one['reference']:.0e}: the largest error is {one['largest']:.1e} "
        f"of the largest value of its output, that of 99 % of people below {one['percentile_99']:.1e}. {one['above']} "
        f"people are above {one['allowed']:.0e}; {one['failed']} failed, which is reported. This took "
        f"{number(one['seconds'])} s."
    )


def _starts(found: Mapping[str, Any]) -> str:
    rows = [
        [STARTS[name].format(**one), number(one["median_s"]), str(len(one["seconds"]))]
        for name, one in found["starts"].items()
    ]
    return _table(("what", "median, s", "repeats"), rows)


def _aims(found: Mapping[str, Any]) -> str:
    rows = []
    for aim in found["aims"]:
        reached = {True: "yes", False: "**no**", None: "not measured"}[aim["reached"]]
        limit = f"{'at least' if aim['more_is_better'] else 'at most'} {number(aim['aim'])}"
        rows.append([aim["what"], limit, _number(aim["measured"]), reached])
    return _table(("what", "aim", "measured", "reached"), rows)


def _how(found: Mapping[str, Any]) -> str:
    task, agreement = found["task"], found["reference"]["agreement"]
    by = "no other program was there to check it"
    if agreement["by"]:
        by = f"{agreement['by']} at {agreement['tolerance']:.0e} differs from it by {agreement['error']:.1e}"
        by += f" on {agreement['patients']} patients"
    lines = (
        "One core, each peer in a process of its own, in turn and our engine after each; medians with least and most "
        f"of {task['repeats']} repeats. Peers solve {task['peer_patients']} patients; our engine and the kernel in C "
        f"{task['our_patients']}.",
        "Time is processor time of the process. It counts setting a patient's parameters and start, solving, and "
        "reading the outputs. It does not count compiling or loading, which stands beside it, nor finding the "
        "drug-free rest state, which all are given.",
        "Tolerance is relative, with an absolute one that is tolerance times the declared size of a state. pydiffsol "
        "takes one absolute tolerance for all, so it gets its states in units of their size; COPASI takes one and "
        "scales it by each state's start itself.",
        "Error is the largest difference from the reference over patients, times and outputs, relative to the "
        "output's range (or its declared size, if larger). The reference is our engine at "
        f"{found['reference']['tolerance']:.0e}; {by}.",
        "Doses are each program's own events (libRoadRunner, COPASI, pydiffsol) or restarts (SciPy). Equations for "
        "pydiffsol and SciPy have what is fixed for a patient computed once, as ours have.",
    )
    return "\n".join(f"- {line}" for line in lines)


def _number(value: float | None) -> str:
    return "" if value is None else number(value)


def _table(heads: Sequence[str], rows: Rows) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
