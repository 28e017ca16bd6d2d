"""A queue of long jobs with progress, cancellation and an error report when a job fails."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any

from ketamech.app.app_state import LimitExceeded, Limits
from ketamech.core import KetaMechError
from ketamech.core.progress import interrupted_by


class Cancelled(KetaMechError):
    """The client cancelled the request or closed the connection."""


JobProgress = Callable[[float, str], None]  # fraction done, and a message
Work = Callable[[JobProgress], Any]
FINAL_STATES = ("done", "failed", "cancelled")
MAX_SETTINGS, MAX_SETTING = 4, 60  # differing settings of a job, and the length of each


@dataclass(frozen=True)
class ResultWithFiles:
    """A JSON result, and a function that writes the files of the command line to a folder from data of `size` bytes."""

    value: Any
    write: Callable[[Path], object]
    size: int = 0


@dataclass
class Job:
    """One long computation. `request` is stored for the list of jobs and for the report of a failure.

    `write_files` writes the files of the result to a folder, from data of `file_bytes` bytes; None where there are
    none, or no longer any. `browser`: a number that the browser chose for itself, or nothing. `started`: seconds since
    1970; the work must end before `deadline` (s, monotonic).
    """

    kind: str
    title: str
    request: dict[str, Any]
    browser: str = ""
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: str = "waiting"
    progress: float = 0.0
    message: str = ""
    result: Any = None
    write_files: Callable[[Path], object] | None = None
    file_bytes: int = 0
    error: KetaMechError | None = None
    cancelled: bool = False
    started: float = field(default_factory=time.time)
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    deadline: float = math.inf

    def check(self) -> None:
        """Raise Cancelled or LimitExceeded when the job is cancelled or over time."""
        if self.cancelled:
            raise Cancelled("cancelled")
        if time.monotonic() > self.deadline:
            raise LimitExceeded("this job took too long", "fewer patients, replicates or draws")

    def report_progress(self, fraction: float, message: str) -> None:
        """The callback for the progress of the work; raises as `check`."""
        self.check()
        self.progress, self.message = min(1.0, max(self.progress, fraction)), message

    @property
    def seconds(self) -> float:
        """Seconds since the job was requested, or its duration once it has ended."""
        return round((self.ended or time.monotonic()) - self.began, 2)


def differing_settings(jobs: Sequence[Job]) -> dict[str, str]:
    """By id: the settings of each job that differ from those of other jobs of its kind and title."""
    texts = {}
    for job in jobs:
        alike = [_flat(other.request) for other in jobs if (other.kind, other.title) == (job.kind, job.title)]
        own = _flat(job.request)
        names = list(dict.fromkeys(name for settings in (own, *alike) for name in settings))
        differing = [name for name in names if len({settings.get(name, "") for settings in alike}) > 1]
        words = [f"{name} {own.get(name, '') or 'none'}" for name in differing]
        more = len(words) - MAX_SETTINGS
        texts[job.id] = "; ".join([*words[:MAX_SETTINGS], *([f"and {more} more"] if more > 0 else [])])
    return texts


def _flat(value: Any, name: str = "") -> dict[str, str]:
    """A request as texts by name, e.g. patients per arm: 60."""
    if isinstance(value, dict):
        parts = [_flat(one, f"{name} {key}".strip().replace("_", " ")) for key, one in value.items()]
        return {key: text for part in parts for key, text in part.items()}
    text = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return {name: text if len(text) <= MAX_SETTING else f"{text[: MAX_SETTING - 1]}…"}


class Jobs:
    """The jobs of one server, with limits on running, waiting and finished jobs."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._lock = limits, Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._workers = ThreadPoolExecutor(limits.jobs_running, thread_name_prefix="job")

    def start(self, kind: str, title: str, request: dict[str, Any], work: Work, browser: str = "") -> Job:
        """Add work to the queue. Raises LimitExceeded when the queue is full."""
        job = Job(kind, title, request, browser)
        with self._lock:
            n_open = sum(other.state not in FINAL_STATES for other in self._jobs.values())
            if n_open >= self._limits.jobs_running + self._limits.jobs_waiting:
                message = f"{n_open} jobs are waiting or running"
                raise LimitExceeded(message, "one of them to end, or be cancelled, first")
            self._jobs[job.id] = job
            self._delete_oldest()
        self._workers.submit(self._run, job, work)
        return job

    def get(self, name: str) -> Job | None:
        """A job by its id; None when it is no longer stored."""
        return self._jobs.get(name)

    def newest_first(self, browser: str = "") -> list[Job]:
        """All stored jobs, or those that one browser has started."""
        with self._lock:
            return [job for job in reversed(self._jobs.values()) if not browser or job.browser == browser]

    def cancel(self, job: Job) -> None:
        """Stop a job at its next check, several times a second; a waiting job does not start."""
        job.cancelled = True
        if job.state == "waiting":
            job.state, job.ended = "cancelled", time.monotonic()

    def close(self) -> None:
        """Stop all jobs when the server ends."""
        for job in self._jobs.values():
            job.cancelled = True
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _delete_oldest(self) -> None:
        """Delete the oldest finished jobs above the limit."""
        for name in [n for n, job in self._jobs.items() if job.state in FINAL_STATES]:
            if len(self._jobs) <= self._limits.jobs_stored:
                return
            del self._jobs[name]

    def _drop_old_files(self) -> None:
        """Keep the data behind the files of the newest results only."""
        with_files = [job for job in self.newest_first() if job.write_files is not None]
        sizes = accumulate(job.file_bytes for job in with_files)
        for i, (job, size) in enumerate(zip(with_files, sizes, strict=True)):
            if i >= self._limits.jobs_with_files or (i > 0 and size > self._limits.jobs_file_bytes):
                job.write_files = None

    def _run(self, job: Job, work: Work) -> None:
        if job.cancelled:
            return
        job.state, job.deadline = "running", time.monotonic() + self._limits.job_seconds
        try:
            with interrupted_by(job.check):
                result = work(job.report_progress)
            if isinstance(result, ResultWithFiles):
                job.result, job.write_files, job.file_bytes = result.value, result.write, result.size
                self._drop_old_files()
            else:
                job.result = result
            job.progress, job.state = 1.0, "done"
        except Cancelled:
            job.state = "cancelled"
        except KetaMechError as problem:
            job.error, job.state = problem, "failed"
        except Exception as problem:  # an unexpected error must not stop the server
            logging.getLogger(__name__).exception("job %s failed", job.id)
            job.error, job.state = KetaMechError(f"internal error: {type(problem).__name__}"), "failed"
        finally:
            job.ended = time.monotonic()
