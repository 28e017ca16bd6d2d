"""The routes of the API, a topic a file."""

from __future__ import annotations

from fastapi import APIRouter

from ketamech.app.app_state import AppState
from ketamech.app.jobs import Jobs
from ketamech.app.routes import downloads, evidence, jobs, metadata, simulation


def all_routers(app_state: AppState, running: Jobs) -> list[APIRouter]:
    """Every router of the server."""
    return [
        metadata.routes(app_state),
        simulation.routes(app_state),
        evidence.routes(app_state),
        downloads.routes(app_state),
        jobs.routes(app_state, running),
    ]
