"""The FastAPI application (routes, security, error handlers, static files), and the server of this machine."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
import webbrowser
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.staticfiles import StaticFiles
from uvicorn.protocols.http.h11_impl import H11Protocol

from ketamech.app.app_state import AppState
from ketamech.app.browser import engine_files
from ketamech.app.curve_responses import curves_of
from ketamech.app.jobs import Jobs
from ketamech.app.responses import NotFound, error_response
from ketamech.app.routes import downloads, evidence, exercises, metadata
from ketamech.app.routes import jobs as job_routes
from ketamech.app.routes import scenario as scenario_routes
from ketamech.app.scenarios import NAME
from ketamech.app.schemas import ERRORS, CurvesRequest
from ketamech.app.security_middleware import HEADERS, NO_FRAME, WASM_POLICY, SecurityMiddleware
from ketamech.core import InputError, KetaMechError
from ketamech.core.constants import DISCLAIMER
from ketamech.simulation.scenario_schema import SCENARIO_FILE, to_input_error

PAGES = ("workbench", "exercises")  # addresses without a suffix
REQUEST_SECONDS = 10.0  # for the head of a request; Limits.body_seconds for its body
WRITE_SECONDS = 30.0  # for which a client may leave an answer unread
MAX_PER_ADDRESS, MAX_CONNECTIONS = 300, 340  # open connections; above them those that wait for their client are closed
READ_BYTES = 32 * 1024  # of a connection at a time: others are served between
REFUSED_ABOVE = 400  # connections above which requests are refused, where none of them waits for its client
STATIC = Path(__file__).parent / "static"
ABOUT = f"How does ketamine work? Curves, populations, trials, evidence and equations as JSON.\n\n{DISCLAIMER}"


class TimedProtocol(H11Protocol):
    """HTTP protocol of the server that closes a connection without a complete request head after REQUEST_SECONDS, and
    one whose answer is not read for WRITE_SECONDS; h11 limits the size of a head.

    Where a client address has too many connections, or all together are too many, the one that has waited longest for
    its client is closed for each new one. Connections without a request, and answers that nobody reads, thus cannot
    exhaust the server.
    """

    waits_since = 0.0
    _deadline: asyncio.TimerHandle | None = None
    _write_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start to wait for the first request."""
        super().connection_made(transport)
        with suppress(AttributeError):  # not every event loop has it
            transport.max_size = READ_BYTES
        self.waits_since = self.loop.time()
        self._wait()
        close_one_of_too_many(self, [one for one in self.connections if isinstance(one, TimedProtocol)])

    @property
    def address(self) -> str:
        """The address of the client."""
        return self.client[0] if self.client else ""

    @property
    def waits_for_client(self) -> bool:
        """Whether the next step is that of the client: to send the rest of a request, or to read its answer."""
        cycle = self.cycle
        return cycle is None or cycle.response_complete or cycle.more_body or self.flow.write_paused

    def data_received(self, data: bytes) -> None:
        """Stop waiting when a request is being answered; wait again for the rest of an incomplete head."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            if self._deadline is not None:
                self.waits_since = self.loop.time()
            self._stop_waiting()
        elif self._deadline is None:
            self._wait()

    def on_response_complete(self) -> None:
        """Stop waiting; uvicorn limits the time of an idle connection (timeout_keep_alive)."""
        self._stop_waiting()
        self.waits_since = self.loop.time()
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


def close_one_of_too_many(newest: TimedProtocol, connections: Iterable[TimedProtocol]) -> None:
    """Where too many connections are open, close the one that has waited longest for its client.

    It belongs to the address with the most connections, and is not the `newest`.
    """
    still_open = [one for one in connections if not one.transport.is_closing()]
    ((address, count),) = Counter(one.address for one in still_open).most_common(1) or [("", 0)]
    if count <= MAX_PER_ADDRESS and len(still_open) <= MAX_CONNECTIONS:
        return
    waiting = [one for one in still_open if one.waits_for_client and one.address == address and one is not newest]
    if waiting:
        min(waiting, key=lambda one: one.waits_since).transport.abort()


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
    for module in (metadata, scenario_routes, evidence, exercises, downloads, engine_files):
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
        return to_input_error(scenario_errors, NAME, {}, SCENARIO_FILE).replace(file=None)
    first = errors[0]
    field = ".".join(str(part) for part in first["loc"] if part != "body")
    return InputError(
        first["msg"].removeprefix("Value error, "), key=field or "body", expected="a request as in /api/openapi.json"
    )


HOST, START_SECONDS = "127.0.0.1", 30.0
SHUTDOWN_SECONDS = 0.2


def serve(port: int, *, browser: bool, announce: Callable[[str], None], app_state: AppState | None = None) -> None:
    """Serve on 127.0.0.1 until Ctrl-C; port 0 takes a free one. Raises InputError when the port is taken."""
    listener = listening_socket(port)
    address = f"http://{HOST}:{listener.getsockname()[1]}/"
    server = uvicorn.Server(server_config(make_app(app_state)))
    Thread(target=_open, args=(server, address, browser, announce), daemon=True).start()
    try:
        server.run(sockets=[listener])
    finally:
        _end_computations()


def server_config(app: FastAPI) -> uvicorn.Config:
    """The settings of the server."""
    return uvicorn.Config(
        app, http=TimedProtocol, ws="none", log_level="error", access_log=False, timeout_graceful_shutdown=1,
        limit_concurrency=REFUSED_ABOVE, server_header=False, proxy_headers=False,
    )  # fmt: skip


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


def listening_socket(port: int) -> socket.socket:
    """A socket that listens on a port of the loopback address (0: any free port)."""
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
