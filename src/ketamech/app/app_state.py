"""State shared by all requests: the model, the limits of the server and a cache of responses."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from copy import copy
from dataclasses import replace
from enum import Enum
from functools import cached_property
from importlib.util import find_spec
from threading import Lock
from typing import Any

import anyio.from_thread
import anyio.to_thread
from anyio import CapacityLimiter
from pydantic import BaseModel, Field

from ketamech.analysis.scorecard_targets import fitted_rows
from ketamech.core import KetaMechError
from ketamech.core.progress import check_interrupt, interrupted_by
from ketamech.dosing.lexicon import MAX_TEXT_LENGTH
from ketamech.engine.packaged_kernel import packaged_files
from ketamech.evidence import Evidence, load_evidence
from ketamech.simulation.model import Model, load_model


class Limits(BaseModel):
    """Limits of one request, enforced by the server and shown on the page. Times in seconds."""

    body_bytes: int = Field(256 * 1024, description="largest request")
    body_seconds: float = Field(10.0, description="longest time until a request has arrived completely")
    values: int = Field(12_000, description="most numbers, texts and keys of one request")
    file_characters: int = Field(60_000, description="longest scenario file; a dose table may have 200,000")
    text_characters: int = Field(MAX_TEXT_LENGTH, description="longest treatment or other text of a scenario")
    population_patients: int = Field(2000, description="most virtual patients of one request for percentiles")
    population_seconds: float = Field(20.0, description="longest time a request for percentiles may take")
    trial_patients: int = Field(60_000, description="most patients times replicates of one trial")
    trial_doses: int = Field(250_000, description="most doses of all patients of one replicate of a trial")
    output_numbers: int = Field(200_000, description="most times of a request for outputs, times outputs")
    job_seconds: float = Field(600.0, description="longest time a job may take")
    solver_steps: int = Field(80_000, description="most solver steps of one patient; 800 infusions take up to 55,000")
    attribution_steps: int = Field(40_000, description="of one patient of an attribution, which is cancelled after it")
    quick_steps: int = Field(5_000, description="steps above which curves wait for others of that kind")
    csv_numbers: int = Field(1_500_000, description="most numbers of one CSV; Parquet takes ten times as many")
    jobs_running: int = Field(2, description="jobs that run at once")
    jobs_waiting: int = Field(6, description="jobs that may wait")
    jobs_stored: int = Field(20, description="finished jobs whose results are stored")
    jobs_with_files: int = Field(4, description="newest finished trials whose files can be saved")
    event_streams: int = Field(60, description="pages that follow the progress of a job at the same time")
    jobs_file_bytes: int = Field(64 * 1024 * 1024, description="size of the data of these files together")
    max_parallel: int = Field(2, description="requests computed at the same time; the others wait")
    max_waiting: int = Field(100, description="requests that may wait for the others")
    max_parallel_long: int = Field(1, description="populations computed at the same time, and downloads, besides these")
    max_waiting_long: int = Field(50, description="populations that may wait for the others, and downloads")
    cache_size: int = Field(256, description="responses stored in the cache")
    cache_bytes: int = Field(64 * 1024 * 1024, description="size of these responses together")


POLL_SECONDS = 0.1
LIMITS = Limits.model_validate({})


class Queue(Enum):
    """What waits for a thread together: quick requests, populations, and downloads with curves of many steps."""

    QUICK, POPULATION, DOWNLOAD = range(3)


class LimitExceeded(KetaMechError):
    """A request exceeds a limit of the server: body size, number of jobs or computing time."""

    def __init__(self, message: str, expected: str) -> None:
        self.what, self.expected = message, expected
        super().__init__(f"{message}\n  expected: {expected}")


def deadline(seconds: float, instead: str) -> Callable[[int], None]:
    """A progress callback that raises LimitExceeded after `seconds`."""
    until = time.monotonic() + seconds

    def check(_done: int) -> None:
        if time.monotonic() > until:
            raise LimitExceeded(f"this took longer than {seconds:g} s", instead)

    return check


def _check_cancelled() -> None:
    """End the work of this thread where its request is cancelled."""
    with suppress(RuntimeError):  # a thread that the work has started
        anyio.from_thread.check_cancelled()


class LruCache:
    """A thread-safe cache of the responses used last: at most `size` of them, and at most `max_bytes` in all."""

    def __init__(self, size: int, max_bytes: int) -> None:
        self._size, self._max_bytes, self._bytes = size, max_bytes, 0
        self._stored, self._lock = OrderedDict[Any, Any](), Lock()
        self._computing: dict[Any, tuple[Lock, int]] = {}  # and the number of threads that compute or wait

    def get(self, key: Any, compute: Callable[[], Any]) -> Any:
        """The stored value of a key; if there is none, `compute` is called once for all threads that wait for it."""
        with self._lock:
            if key in self._stored:
                self._stored.move_to_end(key)
                return self._stored[key]
            computing, threads = self._computing.get(key, (Lock(), 0))
            self._computing[key] = computing, threads + 1
        try:
            while not computing.acquire(timeout=POLL_SECONDS):
                check_interrupt()
            try:
                with self._lock:
                    if key in self._stored:
                        return self._stored[key]
                return self._store(key, compute())
            finally:
                computing.release()
        finally:
            with self._lock:
                _, threads = self._computing.pop(key)
                if threads > 1:
                    self._computing[key] = computing, threads - 1

    @property
    def keys(self) -> list[Any]:
        """Keys of the stored responses, the one used last at the end."""
        with self._lock:
            return list(self._stored)

    def _store(self, key: Any, value: Any) -> Any:
        with self._lock:
            self._bytes += _bytes_of(value) - _bytes_of(self._stored.pop(key, b""))
            self._stored[key] = value
            while len(self._stored) > self._size or (self._bytes > self._max_bytes and len(self._stored) > 1):
                self._bytes -= _bytes_of(self._stored.popitem(last=False)[1])
        return value


def _bytes_of(value: Any) -> int:
    """Size of a response; other values, of which there are few, are not counted."""
    return len(value) if isinstance(value, bytes) else 0


class AppState:
    """The model, its limits and its response cache. Thread-safe."""

    def __init__(self, model: Model | None = None, limits: Limits = LIMITS) -> None:
        self._model, self.limits, self._lock = model, limits, Lock()
        self.cache = LruCache(limits.cache_size, limits.cache_bytes)

    @cached_property
    def model(self) -> Model:
        """The model with the limits of this server; the first simulation compiles it for this processor."""
        with self._lock:
            self._model = self._model or load_model()
            return replace(self._model, max_steps=self.limits.solver_steps)

    @cached_property
    def has_browser_kernel(self) -> bool:
        """Whether the model runs in the browser: its WebAssembly module is packaged, or can be built here."""
        packaged = packaged_files(self.model.layout.fingerprint) is not None
        return packaged or find_spec("ziglang") is not None

    @cached_property
    def evidence(self) -> Evidence:
        """Published numbers and papers."""
        return load_evidence()

    @cached_property
    def fitted(self) -> frozenset[str]:
        """Ids of the evidence rows that set a value of the model."""
        return fitted_rows(self.evidence, self.model.parameters)

    @cached_property
    def quick(self) -> AppState:
        """The same state, whose model solves only what takes few steps."""
        other = copy(self)
        other.__dict__["model"] = replace(self.model, max_steps=self.limits.quick_steps)
        return other

    @cached_property
    def _limiters(self) -> dict[Queue, CapacityLimiter]:
        """Separate limits, so that a curve never waits for a population."""
        limits = self.limits
        return {
            queue: CapacityLimiter(limits.max_parallel if queue is Queue.QUICK else limits.max_parallel_long)
            for queue in Queue
        }

    async def compute(self, work: Callable[[], Any], queue: Queue = Queue.QUICK) -> Any:
        """Run `work` on a thread, within the limits; when the request is cancelled, the work is interrupted.

        Raises LimitExceeded where too many requests wait already.
        """
        limiter = self._limiters[queue]
        most = self.limits.max_waiting if queue is Queue.QUICK else self.limits.max_waiting_long
        if limiter.statistics().tasks_waiting >= most:
            raise LimitExceeded(f"{most} requests wait already", "the same request in a few seconds")

        def run() -> Any:
            with interrupted_by(_check_cancelled):
                return work()

        return await anyio.to_thread.run_sync(run, limiter=limiter)
