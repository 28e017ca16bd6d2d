"""JSON responses from values and from errors."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import Response
from pydantic import BaseModel

from ketamech.app.app_state import AppState, LimitExceeded, Queue
from ketamech.app.schemas import ErrorResponse
from ketamech.core import InputError, KetaMechError
from ketamech.core.errors import StepLimitExceeded

MAX_ECHO, MAX_MESSAGE = 70, 300  # characters of what was typed that an error repeats; of the whole message
LONG_QUOTATION = re.compile(rf"""'[^']{{{MAX_ECHO},}}'|"[^"]{{{MAX_ECHO},}}"|\S{{{MAX_ECHO + 10},}}""")


class NotFound(KetaMechError):
    """A page, job or row that does not exist or no longer exists."""


def json_response(value: Any) -> Response:
    """A value as a JSON response. NaN is not valid JSON; convert it to null first."""
    return Response(value if isinstance(value, bytes) else as_json(value), media_type="application/json")


async def cached_response(
    app_state: AppState, key: Any, make: Callable[[], Any], queue: Queue = Queue.QUICK
) -> Response:
    """The JSON response that was stored under this key; computed by `make` when none is stored."""
    return json_response(await app_state.compute(lambda: app_state.cache.get(key, lambda: as_json(make())), queue))


async def solved_response(app_state: AppState, key: Any, make: Callable[[AppState], Any]) -> Response:
    """The same for curves of one patient; those of many solver steps wait in a queue of their own."""
    try:
        return await cached_response(app_state, key, lambda: make(app_state.quick))
    except StepLimitExceeded:
        return await cached_response(app_state, key, lambda: make(app_state), Queue.DOWNLOAD)


def as_json(value: Any) -> bytes:
    """JSON without blanks; NaN is refused."""
    if isinstance(value, BaseModel):
        return value.model_dump_json().encode()
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def error_body(error: KetaMechError) -> ErrorResponse:
    """The response body of a KetaMech error, without most of what was typed."""
    if isinstance(error, InputError):
        key, what = error.key and _cut(error.key, MAX_ECHO), _cut(shortened(error.what), MAX_MESSAGE)
        error = type(error)(
            what, file=error.file, line=error.line, key=key, expected=error.expected, nearest=error.nearest,
            type_this=error.type_this,
        )  # fmt: skip
    names = ("key", "line", "expected", "nearest")
    details: dict[str, Any] = {name: getattr(error, name) for name in names if hasattr(error, name)}
    if isinstance(error, InputError):
        details["command"] = error.type_this
    message = getattr(error, "what", None) or str(error).splitlines()[0]
    fields = {"kind": type(error).__name__, "error": message, "text": str(error), **details}
    return ErrorResponse.model_validate(
        {name: _encodable(shortened(x)) if isinstance(x, str) else x for name, x in fields.items()}
    )


def shortened(text: str) -> str:
    """An error message without most of a long quotation or word, which repeats what was typed."""
    return LONG_QUOTATION.sub(lambda found: f"{found[0][:MAX_ECHO]}...{found[0][-1]}", text)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


def _encodable(text: str) -> str:
    """Text that can be encoded: an unpaired surrogate becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def error_response(
    error: KetaMechError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The response to a KetaMech error."""
    if status is None:
        status = 404 if isinstance(error, NotFound) else 429 if isinstance(error, LimitExceeded) else 422
    return Response(as_json(error_body(error)), status, headers, media_type="application/json")
