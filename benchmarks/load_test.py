"""A load test on this machine's own loopback: many users who move sliders, look, and move them again.

A browser that runs the compiled model asks the server only in the pauses (kinds `band`, `check`, `evidence`); one that
cannot asks it for every move too.
"""

from __future__ import annotations

import http.client
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from ketamech.core import SolverError

HOST, MOVES, BETWEEN, LOOKING, PATIENCE = "127.0.0.1", 20, 0.1, (0.5, 2.0), 60.0
KINDS = ("move", "rest", "band", "check", "evidence")
SMALLEST, LARGEST = 0.1, 2.0  # mg/kg; random doses, so that no answer is stored already
TRACKS = ["plasma", "nmda", "mood"]
END = 10.0  # s that the server may take to end
BANDS = 0.25  # share of pauses in which a user also looks at a thousand people
WORDS = ["ketamine", "rat", "BDNF", "MADRS", "2019", "nasal"]  # searched in the evidence
Tell = Callable[[str], None]


@dataclass
class LoadTestResult:
    """What the users saw: seconds of each request by kind, and everything that was not an answer."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    errors: list[str] = field(default_factory=list)


def load_test(tell: Tell, *, users: int = 50, seconds: float = 60.0, in_browser: bool = True) -> dict[str, Any]:
    """Start a server, let `users` at it for so many seconds, and say what they saw and what it did to its memory.

    `in_browser`: their browsers simulate; else the server answers every move too.
    """
    tell("Starting the server")
    with running_server() as (port, process):
        _warm(port)
        before, seen, until = memory(process.pid), LoadTestResult(), time.monotonic() + seconds
        workers = [Thread(target=_use, args=(port, i, until, seen, in_browser), daemon=True) for i in range(users)]
        tell(f"{users} users move sliders for {seconds:g} s")
        for worker in workers:
            worker.start()
        middle = _after(seconds / 2, process.pid)
        for worker in workers:
            worker.join(seconds + PATIENCE)
        after = memory(process.pid)
    requests = {kind: _figures(times) for kind, times in seen.seconds.items()}
    every = [t for times in seen.seconds.values() for t in times]
    return {
        "users": users,
        "seconds": seconds,
        "requests": {"all": _figures(every), **requests},
        "errors": len(seen.errors),
        "first_errors": seen.errors[:5],
        "memory_mb": {"before": before, "middle": middle, "after": after},
    }


@contextmanager
def running_server() -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A server of its own process on a free port; ends with the block."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "ketamech", "serve", "--no-browser", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _until_it_answers(port, process)
        yield port, process
    finally:
        process.terminate()
        try:
            process.wait(END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(END)


def _until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            _ask(http.client.HTTPConnection(HOST, port, timeout=30), "GET", "/api/metadata", None)
            return
        except OSError:
            time.sleep(0.02)
    raise SolverError("the server did not start")


def _warm(port: int) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    for dose in (SMALLEST, LARGEST):
        _ask(connection, "POST", "/api/curves", {"scenario": _scenario(dose), "tracks": TRACKS, "until": 720})
        _ask(connection, "POST", "/api/population", {"scenario": _scenario(dose), "until": 720})


def _use(port: int, user: int, until: float, seen: LoadTestResult, in_browser: bool) -> None:
    """One user: a burst of moves, then a pause in which everything is drawn and looked at."""
    chance = random.Random(user)
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    time.sleep(chance.random())
    while time.monotonic() < until:
        way = chance.choice(["over 40 min", "over 60 min", "over 2 h"])
        for _ in range(MOVES):
            body = {"scenario": _scenario(_dose(chance), way), "tracks": TRACKS, "until": 720}
            if not in_browser:
                _timed(connection, "move", "/api/curves", body, seen)
            time.sleep(BETWEEN)
        scenario = _scenario(_dose(chance), way)
        if not in_browser:
            _timed(connection, "rest", "/api/curves", {"scenario": scenario, "until": 720}, seen)
        if chance.random() < BANDS:
            _timed(connection, "band", "/api/population", {"scenario": scenario, "until": 720}, seen)
        _timed(connection, "check", "/api/scenario/check", {"scenario": scenario}, seen)
        query = f"/api/evidence?text={chance.choice(WORDS)}&first={50 * chance.randrange(3)}&limit=50"
        _timed(connection, "evidence", query, None, seen)
        time.sleep(chance.uniform(*LOOKING))


def _dose(chance: random.Random) -> float:
    return round(chance.uniform(SMALLEST, LARGEST), 5)


def _timed(
    connection: http.client.HTTPConnection, kind: str, path: str, body: dict[str, Any] | None, seen: LoadTestResult
) -> None:
    began = time.perf_counter()
    try:
        status = _ask(connection, "GET" if body is None else "POST", path, body)
        if status != 200:
            seen.errors.append(f"{path}: {status}")
    except (OSError, http.client.HTTPException) as problem:
        seen.errors.append(f"{path}: {type(problem).__name__}")
        connection.close()
    seen.seconds[kind].append(time.perf_counter() - began)


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: dict[str, Any] | None) -> int:
    content = json.dumps(body).encode() if body is not None else None
    connection.request(method, path, content, {"content-type": "application/json"} if content else {})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _scenario(dose: float, over: str = "over 40 min") -> dict[str, Any]:
    return {"treatments": [f"racemic {dose} mg/kg IV {over}"], "person": {"weight": "70 kg"}}


def _after(seconds: float, pid: int) -> float | None:
    time.sleep(seconds)
    return memory(pid)


def memory(pid: int) -> float | None:
    """Resident memory of a process (MB); None where the system does not say."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), None)


def _figures(times: list[float]) -> dict[str, float]:
    """How many, and milliseconds: the middle, the 95th percentile, the longest."""
    if not times:
        return {"count": 0}
    ordered = sorted(times)
    at = lambda share: round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)  # noqa: E731
    return {"count": len(ordered), "median_ms": at(0.5), "p95_ms": at(0.95), "longest_ms": at(1.0)}
