"""Routes of downloads: data, scenario file, code and patient summary.

Downloads of a scenario as bytes, without writing files.
"""

from __future__ import annotations

import io
from enum import StrEnum
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from ketamech.app.app_state import AppState
from ketamech.app.jobs import LimitExceeded
from ketamech.app.request_models import ScenarioRequest
from ketamech.app.scenarios import command, python, scenario_of, shell
from ketamech.exchange.curves_io import to_long_table
from ketamech.report.number_format import DISCLAIMER
from ketamech.simulation.scenario_schema import ScenarioFile
from ketamech.simulation.simulate import simulate

if TYPE_CHECKING:
    import xarray as xr


def export_scenario(app_state: AppState, keys: ScenarioFile, kind: str) -> bytes:
    """A scenario in one download format. Raises InputError, SolverError."""
    scenario = scenario_of(keys, app_state.model)
    if kind == "yaml":
        return keys.text().encode()
    if kind in ("py", "sh"):
        text = python(keys) if kind == "py" else f"#!/bin/sh\n{shell(keys)}"
        head, _, rest = text.partition("\n") if kind == "sh" else ("", "", text)
        return f"{head}\n# {DISCLAIMER}\n{rest}".lstrip("\n").encode()
    curves = simulate(scenario, model=app_state.model)
    _refuse_too_many(curves, kind, app_state.limits.csv_numbers)
    table = to_long_table(curves)
    if kind == "csv":
        return str(table.to_pandas().to_csv(index=False, float_format="%.6g")).encode()
    import pyarrow.parquet as pq

    held = io.BytesIO()
    pq.write_table(table, held, compression="zstd")
    return held.getvalue()


def _refuse_too_many(curves: xr.Dataset, kind: str, most: int) -> None:
    """Raise LimitExceeded when the download has too many numbers."""
    numbers = sum(one.size for one in curves.data_vars.values())
    if kind == "csv" and numbers > most:
        what = f"{numbers:,} numbers are more than a CSV from the page holds"
        raise LimitExceeded(what, f"at most {most:,}: take Parquet, a shorter horizon, or use the command line")
    if numbers > 10 * most:
        what = f"{numbers:,} numbers are more than the page sends"
        raise LimitExceeded(what, f"at most {10 * most:,}: a shorter horizon, or use the command line")


def report_of(app_state: AppState, keys: ScenarioFile, paper: str) -> bytes:
    """The patient summary as HTML or PDF. Raises InputError, SolverError."""
    from ketamech.report.patient_summary import patient_summary_html, patient_summary_pdf
    from ketamech.report.run_folder import collect_report

    model = app_state.model
    scenario = scenario_of(keys, model)
    found = collect_report(simulate(scenario, model=model), scenario, model, command(keys))
    return patient_summary_html(found).encode() if paper == "html" else patient_summary_pdf(found)


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
