"""Start the server on this machine and open the browser."""

from __future__ import annotations

import socket
import threading
import time
import webbrowser
from collections.abc import Callable

import uvicorn

from ketamech.app.app_state import AppState
from ketamech.app.server import make_app
from ketamech.core import InputError

HOST, PATIENCE = "127.0.0.1", 30.0


def serve(port: int, *, browser: bool, announce: Callable[[str], None], app_state: AppState | None = None) -> None:
    """Serve on 127.0.0.1 until Ctrl-C; port 0 takes a free one. Raises InputError when the port is taken."""
    listening = _listening(port)
    address = f"http://{HOST}:{listening.getsockname()[1]}/"
    config = uvicorn.Config(
        make_app(app_state), log_level="warning", access_log=False, timeout_graceful_shutdown=2, limit_concurrency=400,
        server_header=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    threading.Thread(target=_open, args=(server, address, browser, announce), daemon=True).start()
    server.run(sockets=[listening])


def _listening(port: int) -> socket.socket:
    found = socket.socket(
        proto=socket.IPPROTO_TCP
    )  # explicit, or asyncio leaves Nagle's algorithm on: 40 ms a response
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except (OSError, OverflowError):
        found.close()
        raise InputError(
            f"port {port} cannot be used", key="--port", expected="a free port from 1024 to 65535", type_this="--port 0"
        ) from None
    return found


def _open(server: uvicorn.Server, address: str, browser: bool, announce: Callable[[str], None]) -> None:
    """Announce the address once the server answers, and open the browser."""
    until = time.monotonic() + PATIENCE
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    announce(address)
    if browser:
        webbrowser.open(address)
