"""Long work: trials, the scorecard, attribution; how far each is, its end, its result, its failure."""

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
from ketamech.app.json_responses import NotFound, json_response, error_body, job_state
from ketamech.app.request_models import AttributionRequest, TrialRequest
from ketamech.app.responses import JobState
from ketamech.report.number_format import DISCLAIMER

POLL_SECONDS, KEEPALIVE_SECONDS = 0.15, 15.0  # seconds between two looks at a job, and after which silence says "still here"
Number = Annotated[str, Path(max_length=40)]


class ShippedTrial(BaseModel):
    """A trial that ships with the program."""

    name: str
    title: str
    arms: list[str]
    patients: int


def routes(engine: AppState, jobs: Jobs) -> APIRouter:
    """Starting, watching and ending jobs."""
    router = APIRouter(prefix="/api", tags=["jobs"])

    def job_of(number: str) -> Job:
        found = jobs.get(number)
        if found is None:
            raise NotFound("there is no such job; finished ones are forgotten after a while")
        return found

    def started(kind: str, title: str, asked: dict[str, Any], work: Callable[..., Any]) -> Response:
        return json_response(job_state(jobs.start(kind, title, asked, work)))

    @router.get("/trials", response_model=list[ShippedTrial])
    async def trials() -> Response:
        """Trials that ship with the program."""
        return json_response(await engine.compute(lambda: engine.answers.get("trials", shipped_trials)))

    @router.post("/jobs/trial", response_model=JobState)
    async def trial(asked: TrialRequest) -> Response:
        """Run a virtual trial: people drawn, allocated, dosed and rated; means, responders, survival, power."""
        title, work = await engine.compute(lambda: trial_work(engine, asked))
        return started("trial", title, asked.model_dump(), work)

    @router.post("/jobs/scorecard", response_model=JobState)
    async def scorecard() -> Response:
        """Compare the model with every published row the typical patient can reach."""
        return started("scorecard", "Scorecard", {}, scorecard_work(engine))

    @router.post("/jobs/attribution", response_model=JobState)
    async def attribution(asked: AttributionRequest) -> Response:
        """Share out the outcomes of a scenario among its pathways."""
        work = await engine.compute(lambda: attribution_work(engine, asked))
        return started("attribution", asked.scenario.title, asked.model_dump(), work)

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
        """What was asked of a job that failed, and how it failed, to keep or to send to somebody."""
        job = job_of(number)
        if job.error is None:
            raise NotFound("this job did not fail")
        told = {"asked": job.request, "problem": error_body(job.error).model_dump(), "disclaimer": DISCLAIMER}
        return json_response({**job_state(job, whole=False), **told})

    @router.get("/jobs/{number}/events", response_class=StreamingResponse,
                responses={200: {"content": {"text/event-stream": {}}}})  # fmt: skip
    async def events(number: Number) -> StreamingResponse:
        """How far a job is, as server-sent events until it ends."""
        return StreamingResponse(_events(job_of(number)), media_type="text/event-stream",
                                 headers={"cache-control": "no-store"})  # fmt: skip

    return router


async def _events(job: Job) -> AsyncIterator[str]:
    """One event when something changed, a comment now and then when nothing did."""
    last, silent = "", 0.0
    while True:
        told = job_state(job, whole=False)
        mark = json.dumps([told["state"], told["progress"], told["message"]])
        if mark != last:
            last, silent = mark, 0.0
            yield f"data: {json.dumps(told)}\n\n"
        if told["state"] in ENDED:
            return
        await asyncio.sleep(POLL_SECONDS)
        silent += POLL_SECONDS
        if silent > KEEPALIVE_SECONDS:
            silent = 0.0
            yield ": still here\n\n"
