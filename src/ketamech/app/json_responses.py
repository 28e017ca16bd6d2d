"""JSON responses from values and errors."""

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
    400: {"model": ErrorResponse, "description": "Not a valid request"},
    404: {"model": ErrorResponse, "description": "Not found"},
    413: {"model": ErrorResponse, "description": "Request too large"},
    422: {"model": ErrorResponse, "description": "Invalid input, with the message of the command line"},
    429: {"model": ErrorResponse, "description": "Too many jobs or too much computing time"},
}


class NotFound(KetaMechError):
    """A page, job, row or part that does not exist or no longer exists."""


def json_response(value: Any) -> Response:
    """A value as a JSON response. NaN is not valid JSON; convert it to null first."""
    text = value if isinstance(value, bytes) else as_json(value)
    return Response(text, media_type="application/json")


def as_json(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def error_body(error: KetaMechError) -> ErrorResponse:
    """The response body of a KetaMech error."""
    parts: dict[str, Any] = {}
    if isinstance(error, InputError):
        parts = {name: getattr(error, name) for name in ("key", "line", "expected", "nearest")}
        parts["suggestion"] = error.type_this
    if isinstance(error, LimitExceeded):
        parts = {"expected": error.expected}
    what = getattr(error, "what", None) or str(error).splitlines()[0]
    fields = {"kind": type(error).__name__, "error": what, "text": str(error), **parts}
    return ErrorResponse.model_validate({name: _clean(x) if isinstance(x, str) else x for name, x in fields.items()})


def status_of(error: KetaMechError) -> int:
    """The HTTP status of a KetaMech error."""
    if isinstance(error, NotFound):
        return 404
    return 429 if isinstance(error, LimitExceeded) else 422


def error_response(
    error: KetaMechError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The response to a KetaMech error."""
    content = as_json(error_body(error).model_dump())
    return Response(content, status or status_of(error), headers, media_type="application/json")


def job_state(job: Job, *, whole: bool = True) -> dict[str, Any]:
    """The state of a job; with its result only if `whole`."""
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
    """Text that can be encoded: an unpaired surrogate becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
