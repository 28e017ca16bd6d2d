"""Routes of long jobs: start, progress, result, cancellation and failure report."""

from __future__ import annotations

import asyncio
import io
import tempfile
import zipfile
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from fastapi.responses import StreamingResponse

from ketamech.app.app_state import AppState, Queue
from ketamech.app.job_tasks import attribution_work, scorecard_work
from ketamech.app.jobs import FINAL_STATES, Job, Jobs, differing_settings
from ketamech.app.responses import NotFound, cached_response, error_body, json_response
from ketamech.app.schemas import AttributionRequest, JobState, SampleSizeRequest, ShippedTrial, TrialRequest
from ketamech.app.trial_tasks import sample_size_work, shipped_trials, trial_work
from ketamech.core.constants import DISCLAIMER

POLL_SECONDS, KEEPALIVE_SECONDS = 0.15, 15.0  # between two readings of a job; without a change until a comment is sent
ZIP, ZIP_METHOD = "application/zip", zipfile.ZIP_DEFLATED
JobId = Annotated[str, Path(max_length=40)]
Browser = Annotated[
    str, Header(alias="x-browser", max_length=40, description="a number of the browser: the list has only its jobs")
]


def routes(app_state: AppState, jobs: Jobs) -> APIRouter:
    """Routes to start, watch and cancel jobs."""
    router = APIRouter(prefix="/api", tags=["jobs"])
    _add_starts(router, app_state, jobs)
    _add_results(router, app_state, jobs)
    return router


def _add_starts(router: APIRouter, app_state: AppState, jobs: Jobs) -> None:
    """Add the routes that start a job, and that of the trials that can be started."""

    def started(kind: str, title: str, request: dict[str, Any], work: Callable[..., Any], browser: str) -> Response:
        return json_response(job_state(jobs.start(kind, title, request, work, browser)))

    @router.get("/trials", response_model=list[ShippedTrial])
    async def trials() -> Response:
        """Trials that ship with the program."""
        return await cached_response(app_state, "trials", shipped_trials)

    @router.post("/jobs/trial", response_model=JobState)
    async def trial(request: TrialRequest, browser: Browser = "") -> Response:
        """Run a virtual trial; returns differences, means, responders, time to relapse and power."""
        title, work = await app_state.compute(lambda: trial_work(app_state, request))
        return started("trial", title, request.model_dump(), work, browser)

    @router.post("/jobs/sample-size", response_model=JobState)
    async def sample_size(request: SampleSizeRequest, browser: Browser = "") -> Response:
        """Find the number of patients for a power, by trials of several sizes; returns the largest trial too."""
        title, work = await app_state.compute(lambda: sample_size_work(app_state, request))
        return started("sample size", title, request.model_dump(), work, browser)

    @router.post("/jobs/scorecard", response_model=JobState)
    async def scorecard(browser: Browser = "") -> Response:
        """Compare the model with every published row that the typical patient can simulate."""
        return started("scorecard", "Scorecard", {}, scorecard_work(app_state), browser)

    @router.post("/jobs/attribution", response_model=JobState)
    async def attribution(request: AttributionRequest, browser: Browser = "") -> Response:
        """Attribute the endpoints of a scenario to its pathways."""
        work = await app_state.compute(lambda: attribution_work(app_state, request))
        return started("attribution", request.scenario.title, request.model_dump(), work, browser)


def _add_results(router: APIRouter, app_state: AppState, jobs: Jobs) -> None:
    """Add the routes that list, watch and cancel jobs, and those of their results."""
    streams = deque[object](maxlen=app_state.limits.event_streams)

    def job_of(job_id: str) -> Job:
        found = jobs.get(job_id)
        if found is None:
            raise NotFound("no such job; old finished jobs are deleted")
        return found

    @router.get("/jobs", response_model=list[JobState])
    async def all_jobs(browser: Browser = "") -> Response:
        """All stored jobs without their results, the newest first; with a browser, its own."""
        listed = jobs.newest_first(browser)
        settings = differing_settings(listed)
        states = [job_state(job).model_copy(update={"settings": settings[job.id]}) for job in listed]
        return json_response([state.model_dump(mode="json") for state in states])

    @router.get("/jobs/{job_id}", response_model=JobState)
    async def job(job_id: JobId) -> Response:
        """A job, with its result when it is done."""
        return json_response(job_state(job_of(job_id), with_result=True))

    @router.delete("/jobs/{job_id}", response_model=JobState)
    async def cancel(job_id: JobId) -> Response:
        """Stop a job."""
        found = job_of(job_id)
        jobs.cancel(found)
        return json_response(job_state(found))

    @router.get("/jobs/{job_id}/files", response_class=Response, responses={200: {"content": {ZIP: {}}}})
    async def files(job_id: JobId) -> Response:
        """The files that `ketamech trial` writes, in one ZIP archive: tables, figures, data and report."""
        write = job_of(job_id).write_files
        if write is None:
            raise NotFound("the files of this job are not stored; run it again, the same seed gives the same numbers")
        make = partial(app_state.cache.get, ("files", job_id), lambda: zipped(write))
        content = await app_state.compute(make, Queue.DOWNLOAD)
        headers = {"content-disposition": 'attachment; filename="ketamech-trial.zip"'}
        return Response(content, headers=headers, media_type=ZIP)

    @router.get("/jobs/{job_id}/failure", response_model=dict[str, Any])
    async def failure(job_id: JobId) -> Response:
        """The request and the error of a failed job, as a report to store or send."""
        found = job_of(job_id)
        if found.error is None:
            raise NotFound("this job did not fail")
        return json_response({**job_state(found).model_dump(), "request": found.request, "disclaimer": DISCLAIMER})

    @router.get("/jobs/{job_id}/events", response_class=StreamingResponse,
                responses={200: {"content": {"text/event-stream": {}}}})  # fmt: skip
    async def events(job_id: JobId) -> StreamingResponse:
        """The progress of a job as server-sent events until it ends."""
        headers = {"cache-control": "no-store"}
        return StreamingResponse(_events(job_of(job_id), streams), media_type="text/event-stream", headers=headers)


def job_state(job: Job, *, with_result: bool = False) -> JobState:
    """The state of a job; with its result when it is done and the result is wanted."""
    return JobState(
        id=job.id, kind=job.kind, title=job.title, state=job.state, progress=round(job.progress, 4),
        message=job.message, seconds=job.seconds, started=round(job.started),
        error=error_body(job.error) if job.error else None, has_files=job.write_files is not None,
        request=job.request if with_result else None,
        result=job.result if with_result and job.state == "done" else None,
    )  # fmt: skip


def zipped(write: Callable[[FilePath], object]) -> bytes:
    """A ZIP archive of the files that `write` writes to a folder."""
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="ketamech-") as name, zipfile.ZipFile(buffer, "w", ZIP_METHOD) as archive:
        folder = FilePath(name) / "trial"
        write(folder)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder.parent))
    return buffer.getvalue()


async def _events(job: Job, streams: deque[object]) -> AsyncIterator[str]:
    """One event for each change, and a comment at intervals without a change.

    The stream ends when newer ones have filled `streams`; the browser then opens it again.
    """
    last, silent, this = None, 0.0, object()
    streams.append(this)
    try:
        while this in streams:
            state = job_state(job)
            current = (state.state, state.progress, state.message)
            if current != last:
                last, silent = current, 0.0
                yield f"data: {state.model_dump_json()}\n\n"
            if state.state in FINAL_STATES:
                return
            await asyncio.sleep(POLL_SECONDS)
            silent += POLL_SECONDS
            if silent > KEEPALIVE_SECONDS:
                silent = 0.0
                yield ": no change\n\n"
    finally:
        with suppress(ValueError):
            streams.remove(this)
