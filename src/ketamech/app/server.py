"""The FastAPI application (routes, security, error handlers, static files), and the server of this machine."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from ketamech.app.app_state import AppState
from ketamech.app.curves import curves_of
from ketamech.app.jobs import Jobs
from ketamech.app.responses import NotFound, error_response
from ketamech.app.routes import downloads, engine, evidence, exercises, metadata
from ketamech.app.routes import jobs as job_routes
from ketamech.app.routes import scenario as scenario_routes
from ketamech.app.scenarios import NAME, without_file
from ketamech.app.schemas import ERRORS, CurvesRequest
from ketamech.app.security_middleware import HEADERS, NO_FRAME, WASM_POLICY, SecurityMiddleware
from ketamech.core import InputError, KetaMechError
from ketamech.core.constants import DISCLAIMER
from ketamech.simulation.scenario_schema import SCENARIO_FILE, to_input_error

PAGES = ("workbench", "exercises")  # addresses without a suffix
REQUEST_SECONDS = 10.0  # for the head of a request; Limits.body_seconds for its body
WRITE_SECONDS = 30.0  # for which a client may leave an answer unread
STATIC = Path(__file__).parent / "static"
ABOUT = f"How does ketamine work? Curves, populations, trials, evidence and equations as JSON.\n\n{DISCLAIMER}"


class TimedProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """HTTP protocol of the server that closes a connection without a complete request head after REQUEST_SECONDS, and
    one whose answer is not read for WRITE_SECONDS.

    Open connections without a request, and answers that nobody reads, thus cannot exhaust the server.
    """

    _deadline: asyncio.TimerHandle | None = None
    _write_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Stop waiting when a request is being answered; wait again for the rest of an incomplete head."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._deadline is None:
            self._wait()

    def on_response_complete(self) -> None:
        """Stop waiting; uvicorn limits the time of an idle connection (timeout_keep_alive)."""
        self._stop_waiting()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting when the connection is closed."""
        self._stop_waiting()
        self._stop_write_deadline()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read as fast as is written: start to wait for it."""
        super().pause_writing()
        self._stop_write_deadline()
        self._write_deadline = self.loop.call_later(WRITE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read most of what was written."""
        self._stop_write_deadline()
        super().resume_writing()

    def _stop_write_deadline(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def make_app(app_state: AppState | None = None) -> FastAPI:
    """The page and its API (default: the shipped model, loaded in the background)."""
    from ketamech import __version__

    app_state = app_state or AppState()
    jobs = Jobs(app_state.limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        Thread(target=_load_in_background, args=(app_state,), daemon=True).start()
        yield
        jobs.close()

    app = FastAPI(
        title="KetaMech", version=__version__, description=ABOUT, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", lifespan=lifespan, responses=ERRORS, redirect_slashes=False,
    )  # fmt: skip
    app.add_middleware(SecurityMiddleware, limits=app_state.limits)
    _add_error_handlers(app)
    for module in (metadata, scenario_routes, evidence, exercises, downloads, engine):
        app.include_router(module.routes(app_state))
    app.include_router(job_routes.routes(app_state, jobs))
    # Links of version 0.2; the browser keeps the part after the #.
    app.add_api_route("/bench", lambda: RedirectResponse("/workbench", 308), include_in_schema=False)
    app.mount("/", PageFiles(directory=STATIC, html=True))
    return app


def _load_in_background(app_state: AppState) -> None:
    """Compile the model and compute the first figure before the first request."""
    scenario = {"treatments": ["racemic 0.5 mg/kg IV over 40 min"], "person": {"weight": "70 kg"}}
    curves_of(app_state, CurvesRequest.model_validate({"scenario": scenario}))


WASM_PAGES = (".", "index.html", "engine")  # the story, and the folder of its worker: they compile WebAssembly


class PageFiles(StaticFiles):
    """Static files of this folder; the browser revalidates them."""

    async def get_response(self, path: str, scope: Any) -> Response:
        """One file; 404.html for a missing file, a JSON error below /api."""
        if path.split("/")[0] == "api":
            raise HTTPException(404)
        if path in PAGES:
            path = f"{path}.html"
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        if path.split("/")[0] in WASM_PAGES:
            response.headers["content-security-policy"] = WASM_POLICY + NO_FRAME
        return response


def _add_error_handlers(app: FastAPI) -> None:
    """Return every error with the text of the command line."""

    @app.exception_handler(KetaMechError)
    async def ketamech_error(_: Request, error: KetaMechError) -> Response:
        return error_response(error)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(_: Request, error: RequestValidationError) -> Response:
        return error_response(_validation_error(list(error.errors())))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return error_response(NotFound(f"no page at {request.url.path[:80]}"))
        return error_response(InputError(str(error.detail)), error.status_code, error.headers)

    @app.exception_handler(Exception)  # outside the middleware, so it adds the security headers itself
    async def internal_error(_: Request, error: Exception) -> Response:
        message = f"internal error: {type(error).__name__}; your settings are not lost"
        return error_response(KetaMechError(message), 500, {**HEADERS, "connection": "close"})


def _validation_error(errors: list[Any]) -> InputError:
    """The error of an invalid request; a scenario in it gives the message of a scenario file."""
    scenario_errors = [
        {**error, "loc": error["loc"][2:]}
        for error in errors
        if error["loc"][:2] == ("body", "scenario") and len(error["loc"]) > 2
    ]
    if scenario_errors:
        return without_file(to_input_error(scenario_errors, NAME, {}, SCENARIO_FILE))
    first = errors[0]
    field = ".".join(str(part) for part in first["loc"] if part != "body")
    return InputError(f"{first['msg']}", key=field or "body", expected="a request as in /api/openapi.json")


HOST, START_SECONDS = "127.0.0.1", 30.0
SHUTDOWN_SECONDS = 0.2  # for computations to end with the server


def serve(port: int, *, browser: bool, announce: Callable[[str], None], app_state: AppState | None = None) -> None:
    """Serve on 127.0.0.1 until Ctrl-C; port 0 takes a free one. Raises InputError when the port is taken."""
    listener = _listening(port)
    address = f"http://{HOST}:{listener.getsockname()[1]}/"
    config = uvicorn.Config(
        make_app(app_state), http=TimedProtocol, log_level="warning", access_log=False, timeout_graceful_shutdown=1,
        limit_concurrency=400, server_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    Thread(target=_open, args=(server, address, browser, announce), daemon=True).start()
    try:
        server.run(sockets=[listener])
    finally:
        _end_computations()


def _end_computations() -> None:
    """End the process where computations still run: Python would wait for their threads, some for minutes."""
    deadline, main = time.monotonic() + SHUTDOWN_SECONDS, threading.main_thread()
    threads = [thread for thread in threading.enumerate() if thread is not main and not thread.daemon]
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in threads) and threading.current_thread() is main:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(130)  # as after Ctrl-C


def _listening(port: int) -> socket.socket:
    # The protocol is explicit, or asyncio leaves Nagle's algorithm on: 40 ms a response.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError):
        listener.close()
        raise InputError(
            f"port {port} cannot be used", key="--port", expected="a free port from 1024 to 65535", type_this="--port 0"
        ) from None
    return listener


def _open(server: uvicorn.Server, address: str, browser: bool, announce: Callable[[str], None]) -> None:
    """Announce the address once the server answers, and open the browser."""
    deadline = time.monotonic() + START_SECONDS
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    announce(address)
    if browser:
        webbrowser.open(address)
