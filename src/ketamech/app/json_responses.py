"""From errors and values to what goes over the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import Response

from ketamech.app.cancellation import LimitExceeded
from ketamech.app.jobs import Job
from ketamech.app.responses import ErrorResponse
from ketamech.core import InputError, KetaMechError

ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "Not a request this server understands"},
    404: {"model": ErrorResponse, "description": "Not here"},
    413: {"model": ErrorResponse, "description": "Too large a request"},
    422: {"model": ErrorResponse, "description": "What was asked cannot be; the message of the command line"},
    429: {"model": ErrorResponse, "description": "Too many jobs, or work too long"},
}


class NotFound(KetaMechError):
    """A page, job, row or part that does not exist (any more, or in this version)."""


def json_response(value: Any) -> Response:
    """A value as JSON. NaN never leaves the house: it must have become null before."""
    text = value if isinstance(value, bytes) else as_json(value)
    return Response(text, media_type="application/json")


def as_json(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def error_body(error: KetaMechError) -> ErrorResponse:
    """An error of ours as the page gets it."""
    parts: dict[str, Any] = {}
    if isinstance(error, InputError):
        parts = {name: getattr(error, name) for name in ("key", "line", "expected", "nearest", "type_this")}
    if isinstance(error, LimitExceeded):
        parts = {"expected": error.expected}
    what = getattr(error, "what", None) or str(error).splitlines()[0]
    said = {"kind": type(error).__name__, "what": what, "text": str(error), **parts}
    return ErrorResponse.model_validate({name: _clean(x) if isinstance(x, str) else x for name, x in said.items()})


def status_of(error: KetaMechError) -> int:
    """The HTTP status of an error of ours."""
    if isinstance(error, NotFound):
        return 404
    return 429 if isinstance(error, LimitExceeded) else 422


def error_response(
    error: KetaMechError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """An error of ours as a response."""
    content = as_json(error_body(error).model_dump())
    return Response(content, status or status_of(error), headers, media_type="application/json")


def job_state(job: Job, *, whole: bool = True) -> dict[str, Any]:
    """A job as the page sees it; without its result while it is only looked at."""
    return {
        "id": job.id,
        "kind": job.kind,
        "title": job.title,
        "state": job.state,
        "progress": round(job.progress, 4),
        "message": job.message,
        "seconds": job.seconds,
        "problem": error_body(job.error).model_dump() if job.error else None,
        "result": job.result if whole and job.state == "done" else None,
    }


def _clean(text: str) -> str:
    """Text that any encoding takes: half a surrogate pair becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
