"""An engine in a process of its own: where it aborts, the benchmark goes on and says why."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from time import process_time
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ketamech.core import SolverError

if TYPE_CHECKING:
    from benchmarks.benchmark_case import BenchmarkCase
    from benchmarks.engines import Engine, Run

LOAD_LIMIT, RUN_LIMIT = 1800.0, 120.0  # s to compile, and to solve the case once (the slowest peer takes 10 s)
POLL = 5.0  # s after which a child looks whether its parent is still there
CAN_FORK = "fork" in multiprocessing.get_all_start_methods()


def isolated(engine: Engine) -> Engine:
    """The engine, loaded and run in a child of this process on the same core; in this process where that cannot be."""
    return replace(engine, load=partial(EngineProcess, engine.load)) if CAN_FORK else engine


class EngineProcess:
    """A loaded engine in a child of this process. `seconds`: processor time of its last run.

    Loading and every run raise SolverError when the child fails, aborts or takes too long; one that ended stays so.
    """

    def __init__(self, load: Callable[[BenchmarkCase], Run], case: BenchmarkCase) -> None:
        context = multiprocessing.get_context("fork")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the child)
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(load, case, other, self._errors), daemon=True)
        self._process.start()
        other.close()
        self._answer(LOAD_LIMIT)
        self.seconds = 0.0

    def __call__(self, tolerance: float) -> np.ndarray:
        """Curves [patient, time, output]."""
        try:
            self._pipe.send(tolerance)
        except OSError:
            raise SolverError(self._why_it_ended()) from None
        self.seconds, values = self._answer(RUN_LIMIT)
        return np.asarray(values)

    def _answer(self, limit: float) -> Any:
        try:
            if not self._pipe.poll(limit):
                self._process.kill()
                raise SolverError(f"no answer within {limit:g} s")
            failed, found = self._pipe.recv()
        except (EOFError, OSError):
            raise SolverError(self._why_it_ended()) from None
        if failed:
            raise SolverError(found)
        return found

    def _why_it_ended(self) -> str:
        self._process.join(10.0)
        code = self._process.exitcode
        how = signal.Signals(-code).name if code is not None and code < 0 else f"code {code}"
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", errors="replace").strip().splitlines()
        named = [line for line in lines if "error" in line.lower()] or lines
        return f"aborts ({how}): {named[-1]}" if named else f"aborts ({how})"


def _serve(load: Callable[[BenchmarkCase], Run], case: BenchmarkCase, pipe: Connection, errors: IO[bytes]) -> None:
    """In the child: load the engine, then answer every tolerance with processor seconds and curves."""
    os.dup2(errors.fileno(), 2)
    parent = os.getppid()
    act: Callable[[], Any] = partial(load, case)
    run: Run | None = None
    while True:
        try:
            began = process_time()
            found = act()
            answer = (False, None if run is None else (process_time() - began, found))
            run = run or found
        except Exception as problem:
            answer = (True, (str(problem).splitlines() or [type(problem).__name__])[0])
        pipe.send(answer)
        if run is None:
            return
        while not pipe.poll(POLL):
            if os.getppid() != parent:
                return
        try:
            act = partial(run, pipe.recv())
        except EOFError:
            return
