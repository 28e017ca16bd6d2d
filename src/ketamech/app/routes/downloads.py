"""Things to take away: data, the scenario file, code, a one-page report."""

from __future__ import annotations

from enum import StrEnum

from fastapi import APIRouter, Response

from ketamech.app.app_state import AppState
from ketamech.app.export_bytes import export_scenario, report_of
from ketamech.app.request_models import ScenarioRequest


class DownloadFormat(StrEnum):
    """What can be taken away of a scenario."""

    CSV = "csv"
    PARQUET = "parquet"
    YAML = "yaml"
    PYTHON = "py"
    COMMAND = "sh"


class Paper(StrEnum):
    """How the one-page report is printed."""

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


def routes(engine: AppState) -> APIRouter:
    """Downloads."""
    router = APIRouter(prefix="/api", tags=["away"])

    @router.post("/export/{kind}", response_class=Response, responses={200: {"content": _media(DownloadFormat)}})
    async def export(kind: DownloadFormat, asked: ScenarioRequest) -> Response:
        """Curves of everything (CSV, Parquet), the scenario file, the same in Python, the same as a command."""
        data = await engine.compute(lambda: export_scenario(engine, asked.scenario, kind.value), long=True)
        return _file(data, kind.value, "curves" if kind in (DownloadFormat.CSV, DownloadFormat.PARQUET) else "scenario")

    @router.post("/report/{paper}", response_class=Response, responses={200: {"content": _media(Paper)}})
    async def report(paper: Paper, asked: ScenarioRequest) -> Response:
        """One page in plain words with figures, sources and limits; not medical advice."""
        data = await engine.compute(lambda: report_of(engine, asked.scenario, paper.value), long=True)
        return _file(data, paper.value, "report")

    return router


def _media(kinds: type[StrEnum]) -> dict[str, dict[str, object]]:
    return {KINDS[kind.value].split(";")[0]: {} for kind in kinds}


def _file(data: bytes, kind: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="ketamech-{name}.{kind}"'}
    if kind == "html":
        headers["content-security-policy"] = PAGE_POLICY
    return Response(data, headers=headers, media_type=KINDS[kind])
