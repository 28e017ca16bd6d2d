"""Response models of the API.

JSON responses from values and errors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import Response
from pydantic import BaseModel, Field

from ketamech.app.jobs import Job, LimitExceeded
from ketamech.core import InputError, KetaMechError
from ketamech.simulation.scenario_schema import ScenarioFile


class ErrorResponse(BaseModel):
    """An error with the text of the command line and the field or line that it concerns."""

    kind: str = Field(description="InputError, UnknownNameError, SolverError, LimitExceeded, NotFound")
    error: str
    key: str | None = Field(None, description="the field, e.g. treatments[0].dose")
    line: int | None = Field(None, description="the line of an uploaded file")
    expected: str | None = None
    nearest: str | None = None
    suggestion: str | None = None
    text: str = Field(description="the whole message as the command line prints it")


class Curve(BaseModel):
    """One curve: values at the times of the response; `reference` is the drug-free value."""

    key: str
    label: str
    unit: str
    treated: list[float | None]
    control: list[float | None] | None = None


class Figure(BaseModel):
    """The curves of one track."""

    key: str
    group: str
    label: str
    unit: str
    curves: list[Curve]


class CurvesResponse(BaseModel):
    """Curves of the typical patient; `time` and everything else in hours since the first treatment."""

    time: list[float]
    figures: list[Figure]
    doses: list[float] = Field(description="when treatments start")
    horizon: float
    given: list[str] = Field(description="the treatments as text")
    milliseconds: float


class Quantiles(BaseModel):
    """One curve of a band."""

    key: str
    label: str
    quantiles: dict[str, list[float | None]] = Field(description="share of patients below: 0.05 ... 0.95")


class Band(BaseModel):
    """Quantiles of the virtual patients."""

    time: list[float]
    track: str
    unit: str
    curves: list[Quantiles]
    patients: int
    failed: int
    reasons: dict[str, int]
    milliseconds: float


class PublishedPoint(BaseModel):
    """A published number in the unit of its track."""

    evidence: str
    track: str
    curve: str
    shape: str
    start: float
    end: float
    value: float | None
    low: float | None
    high: float | None
    translated: bool = Field(description="not measured in people, or an assumption made it comparable")
    label: str


class Points(BaseModel):
    """Published points for the curves of a scenario."""

    points: list[PublishedPoint]


class ScenarioSummary(BaseModel):
    """A valid scenario as text, file, command and Python."""

    title: str
    given: list[str]
    horizon: float
    assumptions: list[str]
    yaml: str
    command: str
    shell: str = Field(description="the command, with the scenario file when it needs one")
    python: str


class DoseTablePerson(BaseModel):
    """One subject of a dose table."""

    id: str
    scenario: ScenarioFile


class DoseTableSubjects(BaseModel):
    """The subjects of a dose table, assumptions made, and the errors of subjects that could not be read."""

    people: list[DoseTablePerson]
    notes: list[str]
    refused: list[str]


class EvidenceRow(BaseModel):
    """A published number with its paper."""

    id: str
    stage: str
    quantity: str
    species: str
    population: str
    n: str
    drug: str
    dose: str
    route: str
    time: str
    value: str
    unit: str
    spread: str
    comparator: str
    citation: str
    url: str
    reading_source: str
    notes: str
    use: str


class EvidenceRows(BaseModel):
    """Evidence rows; `total`: number of rows before the list was shortened."""

    total: int
    rows: list[EvidenceRow]


class JobState(BaseModel):
    """A job: waiting, running, done, failed or cancelled; `progress` from 0 to 1."""

    id: str
    kind: str
    title: str
    state: str
    progress: float
    message: str = ""
    seconds: float
    problem: ErrorResponse | None = None
    result: Any = None


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
