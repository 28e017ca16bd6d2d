"""What takes longer than a second: jobs with progress, cancel, an end, and a report when they fail."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from ketamech.app.cancellation import Cancelled, LimitExceeded
from ketamech.app.limits import Limits
from ketamech.core import KetaMechError

Progress = Callable[[float, str], None]  # share done, and words for it
ENDED = ("done", "failed", "cancelled")


@dataclass
class Job:
    """One piece of long work. `asked` is what was asked for, kept for the report of a failure."""

    kind: str
    title: str
    request: dict[str, Any]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: str = "waiting"
    progress: float = 0.0
    message: str = ""
    result: Any = None
    error: KetaMechError | None = None
    cancelled: bool = False
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0

    def progress_callback(self, until: float) -> Progress:
        """How the work says how far it is; raises when it is to stop."""

        def told(share: float, words: str) -> None:
            if self.cancelled:
                raise Cancelled("cancelled")
            if time.monotonic() > until:
                raise LimitExceeded("this job took too long", "fewer patients, replicates or draws")
            self.progress, self.message = min(1.0, max(self.progress, share)), words

        return told

    @property
    def seconds(self) -> float:
        """How long since it was asked for, or how long it took."""
        return round((self.ended or time.monotonic()) - self.began, 2)


class Jobs:
    """The jobs of one server: so many at once, so many waiting, so many kept."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._lock = limits, Lock()
        self._known: OrderedDict[str, Job] = OrderedDict()
        self._workers = ThreadPoolExecutor(limits.jobs_running, thread_name_prefix="job")

    def start(self, kind: str, title: str, asked: dict[str, Any], work: Callable[[Progress], Any]) -> Job:
        """Put work in the queue. Raises TooMuch when the queue is full."""
        job = Job(kind, title, asked)
        with self._lock:
            open_ones = sum(other.state not in ENDED for other in self._known.values())
            if open_ones >= self._limits.jobs_running + self._limits.jobs_waiting:
                raise LimitExceeded(
                    f"{open_ones} jobs are waiting or running", "one of them to end, or be cancelled, first"
                )
            self._known[job.id] = job
            self._forget()
        self._workers.submit(self._run, job, work)
        return job

    def get(self, name: str) -> Job | None:
        """A job by its number, if it is still kept."""
        return self._known.get(name)

    def cancel(self, job: Job) -> None:
        """Stop a job at its next look; one that waits never starts."""
        job.cancelled = True
        if job.state == "waiting":
            job.state, job.ended = "cancelled", time.monotonic()

    def close(self) -> None:
        """Stop everything, when the server ends."""
        for job in self._known.values():
            job.cancelled = True
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _forget(self) -> None:
        """Old jobs that have ended make room."""
        for name in [n for n, job in self._known.items() if job.state in ENDED]:
            if len(self._known) <= self._limits.jobs_kept:
                return
            del self._known[name]

    def _run(self, job: Job, work: Callable[[Progress], Any]) -> None:
        if job.cancelled:
            return
        job.state = "running"
        try:
            job.result = work(job.progress_callback(time.monotonic() + self._limits.job_seconds))
            job.progress, job.state = 1.0, "done"
        except Cancelled:
            job.state = "cancelled"
        except KetaMechError as problem:
            job.error, job.state = problem, "failed"
        except Exception as problem:  # a defect of ours: say so, keep the server up
            job.error, job.state = KetaMechError(f"a defect: {type(problem).__name__}: {problem}"), "failed"
        finally:
            job.ended = time.monotonic()
