"""A large cohort through Dask workers on loopback: time, memory of each process, and continuing after a stop.

Every run is the command of a user, `ketamech simulate --patients N --scheduler ...`; what it writes is removed again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import benchmark_case
from benchmarks.hardware import line_of
from ketamech.core import SolverError

OUTPUT, TOLERANCE, POLL = "mood.madrs", "1e-4", 0.5  # POLL: s between two looks at the processes
LIMIT_PER_PATIENT, START_LIMIT = 0.01, 900.0  # s
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
Tell = Callable[[str], None]


def cluster_scaling(patients: int, workers: Sequence[int], tell: Tell, partial: Path | None = None) -> dict[str, Any]:
    """A row for each number of workers; the last of them is stopped halfway and continued.

    Each row has wall seconds, processor seconds of the workers, and the largest memory (MiB) of any worker and of the
    command in each quarter of the time. Rows are written to `partial` as they are made.
    """
    found: dict[str, Any] = {"patients": patients, "cores": os.cpu_count(), "rows": []}
    for count in workers:
        stopped = count == workers[-1]
        tell(f"{patients:,} patients, {count} workers{', stopped halfway and continued' if stopped else ''}")
        found["rows"].append(_one(patients, count, stopped=stopped))
        if partial:
            partial.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    first = found["rows"][0]
    for row in found["rows"]:
        row["speedup"] = first["seconds"] / row["seconds"]
        row["work"] = row["worker_seconds"] / first["worker_seconds"]
    return found


def _one(patients: int, count: int, *, stopped: bool) -> dict[str, Any]:
    from distributed import LocalCluster

    with (
        tempfile.TemporaryDirectory() as place,
        LocalCluster(
            n_workers=count, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None,
            memory_limit=0,
        ) as cluster,
    ):  # fmt: skip
        workers = [worker.pid for worker in cluster.workers.values()]
        visits = "24,96,168,264,336,432,504,672"
        command = [
            sys.executable, "-m", "ketamech", "simulate", benchmark_case.REGIMEN, "--patients", str(patients),
            "--outputs", OUTPUT, "--times", visits, "--tolerance", TOLERANCE, "--scheduler", cluster.scheduler_address,
            "--out", str(Path(place) / "cohort"),
        ]  # fmt: skip
        before = sum(map(_processor_seconds, workers))
        state = Path(place) / "cohort" / "cohort.json"
        row: dict[str, Any] = {"workers": count}
        began = time.perf_counter()
        samples = _followed(command, workers, patients, state if stopped else None)
        if stopped and _finished(state) < patients:
            row["finished_at_stop"] = _finished(state)
            again = time.perf_counter()
            samples += _followed([*command, "--resume"], workers, patients, None)
            row["seconds_after_stop"] = time.perf_counter() - again
        row["seconds"] = time.perf_counter() - began
        row["worker_seconds"] = sum(map(_processor_seconds, workers)) - before
        whole = json.loads(state.read_text(encoding="utf-8"))
        row |= {"finished": whole["finished"], "failed": whole["failed"]}
        row["disk_mb"] = sum(p.stat().st_size for p in (Path(place) / "cohort").rglob("*") if p.is_file()) / 1e6
        quarters = [samples[len(samples) * i // 4 : max(1, len(samples) * (i + 1) // 4)] for i in range(4)]
        row["worker_mib"] = [max((max(one[1]) for one in part), default=0.0) for part in quarters]
        row["command_mib"] = [max((one[0] for one in part), default=0.0) for part in quarters]
        return row


def _followed(
    command: list[str], workers: list[int], patients: int, stop_at_half: Path | None
) -> list[tuple[float, list[float]]]:
    """Memory (MiB) of the command and of each worker while it runs; Ctrl-C at half of the patients, if so wanted."""
    samples, limit = [], time.monotonic() + START_LIMIT + LIMIT_PER_PATIENT * patients
    with tempfile.TemporaryFile() as errors:
        running, stopping = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors), False
        try:
            while running.poll() is None:
                time.sleep(POLL)
                samples.append((_memory(running.pid), [_memory(worker) for worker in workers]))
                if stop_at_half and not stopping and _finished(stop_at_half) >= patients / 2:
                    running.send_signal(signal.SIGINT)
                    stopping = True
                if time.monotonic() > limit:
                    raise SolverError(f"the run of {patients} patients has not ended in time")
        finally:
            if running.poll() is None:
                running.kill()
                running.wait()
        if running.returncode and not stopping:
            errors.seek(0)
            raise SolverError(f"the run ended early: {errors.read().decode(errors='replace')[-500:]}")
    return samples


def _finished(state: Path) -> int:
    try:
        return int(json.loads(state.read_text(encoding="utf-8"))["finished"])
    except (OSError, ValueError, KeyError):
        return 0


def _memory(process: int) -> float:
    """Memory of a process (MiB), 0 once it is gone."""
    text = line_of(f"/proc/{process}/status", "VmRSS")
    return int(text.split()[0]) / 1024 if text else 0.0


def _processor_seconds(process: int) -> float:
    """Seconds of processor time of a process until now."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
