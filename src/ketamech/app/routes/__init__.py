"""The routes of the API, a topic a file."""

from __future__ import annotations

from fastapi import APIRouter

from ketamech.app.app_state import AppState
from ketamech.app.jobs import Jobs
from ketamech.app.routes import about, away, knowledge, simulation, work


def all_routers(engine: AppState, jobs: Jobs) -> list[APIRouter]:
    """Every router of the server."""
    return [
        about.routes(engine),
        simulation.routes(engine),
        knowledge.routes(engine),
        away.routes(engine),
        work.routes(engine, jobs),
    ]
