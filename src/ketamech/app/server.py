"""The application: routes, guards, errors and the files the browser gets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles

from ketamech.app.app_state import AppState
from ketamech.app.curve_responses import curves_of
from ketamech.app.jobs import Jobs
from ketamech.app.json_responses import ERRORS, NotFound, error_response
from ketamech.app.request_models import CurvesRequest
from ketamech.app.routes import all_routers
from ketamech.app.scenarios import NAME, without_file
from ketamech.app.security_middleware import HEADERS, SecurityMiddleware
from ketamech.core import InputError, KetaMechError
from ketamech.report.number_format import DISCLAIMER
from ketamech.simulation.validation_errors import to_input_error

STATIC = Path(__file__).parent / "static"
ABOUT = f"How does ketamine work? Curves, bands, trials, evidence and equations as JSON.\n\n{DISCLAIMER}"


def make_app(engine: AppState | None = None) -> FastAPI:
    """The page and its API around an engine (default: the shipped model, loaded in the background)."""
    from ketamech import __version__

    engine = engine or AppState()
    jobs = Jobs(engine.limits)

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        Thread(target=_load_in_background, args=(engine,), daemon=True).start()
        yield
        jobs.close()

    app = FastAPI(
        title="KetaMech", version=__version__, description=ABOUT, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", lifespan=living, responses=ERRORS, redirect_slashes=False,
    )  # fmt: skip
    app.add_middleware(SecurityMiddleware, limits=engine.limits)
    _add_error_handlers(app)
    for router in all_routers(engine, jobs):
        app.include_router(router)
    app.add_api_route("/bench", _old_workbench_address, include_in_schema=False)
    app.mount("/", PageFiles(directory=STATIC, html=True))
    return app


def _load_in_background(engine: AppState) -> None:
    """Load everything the first figure needs, before anybody asks for it."""
    usual = {"treatments": ["racemic 0.5 mg/kg IV over 40 min"], "person": {"weight": "70 kg"}}
    curves_of(engine, CurvesRequest.model_validate({"scenario": usual}))


def _old_workbench_address() -> Response:
    """Links of version 0.2 name /bench; the browser keeps what stands behind the #."""
    return RedirectResponse("/workbench", 308)


class PageFiles(StaticFiles):
    """Files of this folder and nothing else; the browser asks whether they changed."""

    async def get_response(self, path: str, scope: Any) -> Response:
        """One file; 404.html where there is none, but JSON below /api."""
        if path.split("/")[0] == "api":
            raise HTTPException(404)
        if path == "workbench":
            path = "workbench.html"
        found = await super().get_response(path, scope)
        found.headers["cache-control"] = "no-cache"
        return found


def _add_error_handlers(app: FastAPI) -> None:
    """Every error in the words of the command line."""

    @app.exception_handler(KetaMechError)
    async def ours(_: Request, error: KetaMechError) -> Response:
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    async def badly_formed(_: Request, error: RequestValidationError) -> Response:
        return error_response(_validation_error(list(error.errors())))

    @app.exception_handler(HTTPException)
    async def elsewhere(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return error_response(NotFound(f"there is nothing at {request.url.path[:80]}"))
        return error_response(InputError(str(error.detail)), error.status_code, error.headers)

    @app.exception_handler(Exception)  # outermost, so that it brings the guarding headers itself
    async def defect(_: Request, error: Exception) -> Response:
        what = f"a defect of the program: {type(error).__name__}; what you set is kept"
        return error_response(KetaMechError(what), 500, HEADERS)


def _validation_error(errors: list[Any]) -> InputError:
    """What is wrong with a request: a scenario inside it is complained about as a scenario file is."""
    inside = [
        {**error, "loc": error["loc"][2:]}
        for error in errors
        if error["loc"][:2] == ("body", "scenario") and len(error["loc"]) > 2
    ]
    if inside:
        return without_file(to_input_error(inside, NAME, {}))
    first = errors[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return InputError(f"{first['msg']}", key=where or "body", expected="what /api/openapi.json says")
