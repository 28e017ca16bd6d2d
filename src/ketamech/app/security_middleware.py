"""Checks of every request (size, origin, host) and security headers of every response."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio

from ketamech.app.app_state import LimitExceeded, Limits
from ketamech.app.responses import NotFound, error_response

CONTENT_SOURCES = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'"
)
NO_FRAME = "; frame-ancestors 'none'"
POLICY = CONTENT_SOURCES + NO_FRAME
WASM_POLICY = (
    CONTENT_SOURCES.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'") + "; worker-src 'self'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
HOSTS = ("127.0.0.1", "localhost", "[::1]")
Application = Callable[..., Any]


class SecurityMiddleware:
    """ASGI middleware. Only pages of this server may send requests, within the size limit."""

    def __init__(self, app: Application, limits: Limits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Check one request and pass it on."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # there are none
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        send = _with_headers(send)
        if (refusal := self._refused(headers)) is not None:
            await refusal(scope, receive, send)
            return
        body: list[bytes] | None = None
        with anyio.move_on_after(self.limits.body_seconds) as body_timeout:
            body = await _read(receive, self.limits.body_bytes)
        if body_timeout.cancelled_caught:
            error = LimitExceeded(
                "the request did not arrive completely", f"all of it within {self.limits.body_seconds:g} s"
            )
            await error_response(error, 408, {"connection": "close"})(scope, receive, send)
            return
        if body is None:
            error = LimitExceeded(
                f"a request of more than {self.limits.body_bytes:,} bytes", f"at most {self.limits.body_bytes:,} bytes"
            )
            await error_response(error, 413, {"connection": "close"})(scope, receive, send)
            return
        await _run(self.app, scope, body, receive, send)

    def _refused(self, headers: dict[str, str]) -> Any:
        host = headers.get("host", "")
        if _host_name(host) not in HOSTS:
            return error_response(NotFound("this server answers to 127.0.0.1 and localhost only"), 400)
        if "transfer-encoding" in headers:  # many small chunks take long to read; browsers send none
            error = LimitExceeded("a body of unknown length", "the header Content-Length")
            return error_response(error, 411, {"connection": "close"})
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return error_response(NotFound("pages of other sites may not use this server"), 400)
        is_foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if is_foreign and headers.get("sec-fetch-mode") != "navigate":  # a link or an embedded figure is navigation
            return error_response(NotFound("pages of other sites may not use this server"), 400)
        return None


def _host_name(host: str) -> str:
    return host.rsplit(":", 1)[0] if not host.endswith("]") else host


async def _read(receive: Any, max_bytes: int) -> list[bytes] | None:
    """The parts of a body; None when it is larger than `max_bytes`, or the client has gone."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > max_bytes:
            return None
        if not message.get("more_body"):
            return parts


async def _run(app: Application, scope: Any, parts: list[bytes], receive: Any, send: Any) -> None:
    """Run the application on a body already read; its work is cancelled when the client closes the connection."""
    pending = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]
    closed = anyio.Event()

    async def receive_next() -> Any:
        if not pending:
            await closed.wait()
        return pending.pop() if pending else {"type": "http.disconnect"}

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        closed.set()
        work.cancel()

    with anyio.CancelScope() as work:
        watcher = asyncio.create_task(watch())
        try:
            await app(scope, receive_next, send)
        finally:
            watcher.cancel()


def _with_headers(send: Any) -> Any:
    async def send_with_headers(message: Any) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            added = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in present]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return send_with_headers
