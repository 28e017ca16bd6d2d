"""Routes of downloads: data, scenario file, code and patient summary."""

from __future__ import annotations

from enum import StrEnum

from fastapi import APIRouter, Response

from ketamech.app.app_state import AppState
from ketamech.app.export_bytes import export_scenario, report_of
from ketamech.app.request_models import ScenarioRequest


class DownloadFormat(StrEnum):
    """File formats of a scenario download."""

    CSV = "csv"
    PARQUET = "parquet"
    YAML = "yaml"
    PYTHON = "py"
    COMMAND = "sh"


class Paper(StrEnum):
    """File formats of the patient summary."""

    HTML = "html"
    PDF = "pdf"


KINDS = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "yaml": "application/yaml",
    "py": "text/x-python; charset=utf-8",
    "sh": "text/x-shellscript; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
}
PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


def routes(app_state: AppState) -> APIRouter:
    """Downloads."""
    router = APIRouter(prefix="/api", tags=["away"])

    @router.post("/export/{kind}", response_class=Response, responses={200: {"content": _media(DownloadFormat)}})
    async def export(kind: DownloadFormat, request: ScenarioRequest) -> Response:
        """All curves (CSV, Parquet), the scenario file, a Python script or a shell command."""
        data = await app_state.compute(lambda: export_scenario(app_state, request.scenario, kind.value), long=True)
        return _file(data, kind.value, "curves" if kind in (DownloadFormat.CSV, DownloadFormat.PARQUET) else "scenario")

    @router.post("/report/{paper}", response_class=Response, responses={200: {"content": _media(Paper)}})
    async def report(paper: Paper, request: ScenarioRequest) -> Response:
        """A one-page patient summary with figures, sources and limits; not medical advice."""
        data = await app_state.compute(lambda: report_of(app_state, request.scenario, paper.value), long=True)
        return _file(data, paper.value, "report")

    return router


def _media(kinds: type[StrEnum]) -> dict[str, dict[str, object]]:
    return {KINDS[kind.value].split(";")[0]: {} for kind in kinds}


def _file(data: bytes, kind: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="ketamech-{name}.{kind}"'}
    if kind == "html":
        headers["content-security-policy"] = PAGE_POLICY
    return Response(data, headers=headers, media_type=KINDS[kind])
