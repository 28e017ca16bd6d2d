"""Routes of long jobs: start, progress, result, cancellation and failure report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from ketamech.app.app_state import AppState
from ketamech.app.job_tasks import attribution_work, scorecard_work, shipped_trials, trial_work
from ketamech.app.jobs import ENDED, Job, Jobs
from ketamech.app.request_models import AttributionRequest, TrialRequest
from ketamech.app.responses import JobState, NotFound, error_body, job_state, json_response
from ketamech.report.number_format import DISCLAIMER

POLL_SECONDS, KEEPALIVE_SECONDS = 0.15, 15.0  # between two looks at a job; without a change until a comment is sent
Number = Annotated[str, Path(max_length=40)]


class ShippedTrial(BaseModel):
    """A trial that ships with the program."""

    name: str
    title: str
    arms: list[str]
    patients: int


def routes(app_state: AppState, jobs: Jobs) -> APIRouter:
    """Routes to start, watch and cancel jobs."""
    router = APIRouter(prefix="/api", tags=["jobs"])

    def job_of(number: str) -> Job:
        found = jobs.get(number)
        if found is None:
            raise NotFound("no such job; old finished jobs are deleted")
        return found

    def started(kind: str, title: str, request: dict[str, Any], work: Callable[..., Any]) -> Response:
        return json_response(job_state(jobs.start(kind, title, request, work)))

    @router.get("/trials", response_model=list[ShippedTrial])
    async def trials() -> Response:
        """Trials that ship with the program."""
        return json_response(await app_state.compute(lambda: app_state.answers.get("trials", shipped_trials)))

    @router.post("/jobs/trial", response_model=JobState)
    async def trial(request: TrialRequest) -> Response:
        """Run a virtual trial; returns means, responders, time to relapse and power."""
        title, work = await app_state.compute(lambda: trial_work(app_state, request))
        return started("trial", title, request.model_dump(), work)

    @router.post("/jobs/scorecard", response_model=JobState)
    async def scorecard() -> Response:
        """Compare the model with every published row that the typical patient can simulate."""
        return started("scorecard", "Scorecard", {}, scorecard_work(app_state))

    @router.post("/jobs/attribution", response_model=JobState)
    async def attribution(request: AttributionRequest) -> Response:
        """Attribute the outcomes of a scenario to its pathways."""
        work = await app_state.compute(lambda: attribution_work(app_state, request))
        return started("attribution", request.scenario.title, request.model_dump(), work)

    @router.get("/jobs/{number}", response_model=JobState)
    async def look(number: Number) -> Response:
        """A job, with its result when it is done."""
        return json_response(job_state(job_of(number)))

    @router.delete("/jobs/{number}", response_model=JobState)
    async def cancel(number: Number) -> Response:
        """Stop a job."""
        job = job_of(number)
        jobs.cancel(job)
        return json_response(job_state(job, whole=False))

    @router.get("/jobs/{number}/failure", response_model=dict[str, Any])
    async def failure(number: Number) -> Response:
        """The request and the error of a failed job, as a report to store or send."""
        job = job_of(number)
        if job.error is None:
            raise NotFound("this job did not fail")
        report = {"request": job.request, "problem": error_body(job.error).model_dump(), "disclaimer": DISCLAIMER}
        return json_response({**job_state(job, whole=False), **report})

    @router.get("/jobs/{number}/events", response_class=StreamingResponse,
                responses={200: {"content": {"text/event-stream": {}}}})  # fmt: skip
    async def events(number: Number) -> StreamingResponse:
        """The progress of a job as server-sent events until it ends."""
        return StreamingResponse(_events(job_of(number)), media_type="text/event-stream",
                                 headers={"cache-control": "no-store"})  # fmt: skip

    return router


async def _events(job: Job) -> AsyncIterator[str]:
    """One event for each change, and a comment at intervals without a change."""
    last, silent = "", 0.0
    while True:
        state = job_state(job, whole=False)
        mark = json.dumps([state["state"], state["progress"], state["message"]])
        if mark != last:
            last, silent = mark, 0.0
            yield f"data: {json.dumps(state)}\n\n"
        if state["state"] in ENDED:
            return
        await asyncio.sleep(POLL_SECONDS)
        silent += POLL_SECONDS
        if silent > KEEPALIVE_SECONDS:
            silent = 0.0
            yield ": no change\n\n"
