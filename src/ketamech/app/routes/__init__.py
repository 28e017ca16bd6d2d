"""The routes of the API, a topic a file."""

from __future__ import annotations

from fastapi import APIRouter

from ketamech.app.app_state import AppState
from ketamech.app.jobs import Jobs
from ketamech.app.routes import downloads, evidence, jobs, metadata, simulation


def all_routers(engine: AppState, running: Jobs) -> list[APIRouter]:
    """Every router of the server."""
    return [
        metadata.routes(engine),
        simulation.routes(engine),
        evidence.routes(engine),
        downloads.routes(engine),
        jobs.routes(engine, running),
    ]
