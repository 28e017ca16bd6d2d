"""Routes of downloads: data, scenario file, code and patient summary, without writing files."""

from __future__ import annotations

import io
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response

from ketamech.app.app_state import AppState, LimitExceeded, Queue
from ketamech.app.scenarios import command, python, scenario_of, shell
from ketamech.app.schemas import ScenarioRequest
from ketamech.core.constants import DISCLAIMER
from ketamech.exchange.curves_io import to_long_table
from ketamech.simulation.scenario_schema import ScenarioFile
from ketamech.simulation.simulate import simulate_scenario

if TYPE_CHECKING:
    import xarray as xr


class DownloadFormat(StrEnum):
    """File formats of a scenario download."""

    CSV = "csv"
    PARQUET = "parquet"
    YAML = "yaml"
    PYTHON = "py"
    COMMAND = "sh"


class ReportFormat(StrEnum):
    """File formats of the patient summary."""

    HTML = "html"
    PDF = "pdf"


MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "yaml": "application/yaml",
    "py": "text/x-python; charset=utf-8",
    "sh": "text/x-shellscript; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
}
CSV_ROWS = 2000  # written at a time: pandas holds the interpreter lock meanwhile
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


def routes(app_state: AppState) -> APIRouter:
    """Downloads."""
    router = APIRouter(prefix="/api", tags=["downloads"])

    @router.post("/export/{kind}", response_class=Response, responses=_content(DownloadFormat))
    async def export(kind: DownloadFormat, request: ScenarioRequest) -> Response:
        """All curves (CSV, Parquet), the scenario file, a Python script or a shell command."""
        data = await app_state.compute(lambda: export_scenario(app_state, request.scenario, kind.value), Queue.DOWNLOAD)
        return _file(data, kind.value, "curves" if kind in (DownloadFormat.CSV, DownloadFormat.PARQUET) else "scenario")

    @router.post("/report/{kind}", response_class=Response, responses=_content(ReportFormat))
    async def report(kind: ReportFormat, request: ScenarioRequest) -> Response:
        """A one-page patient summary with figures, sources and limits; not medical advice."""
        data = await app_state.compute(lambda: report_of(app_state, request.scenario, kind.value), Queue.DOWNLOAD)
        return _file(data, kind.value, "report")

    return router


def _content(formats: type[StrEnum]) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {MEDIA_TYPES[format_.value].split(";")[0]: {} for format_ in formats}}}


def _file(data: bytes, kind: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="ketamech-{name}.{kind}"'}
    if kind == "html":
        headers["content-security-policy"] = REPORT_POLICY
    return Response(data, headers=headers, media_type=MEDIA_TYPES[kind])


def export_scenario(app_state: AppState, keys: ScenarioFile, kind: str) -> bytes:
    """A scenario in one download format. Raises InputError, SolverError, LimitExceeded."""
    scenario = scenario_of(keys, app_state.model)
    if kind == "yaml":
        return keys.text().encode()
    if kind == "py":
        return f"# {DISCLAIMER}\n{python(keys)}".encode()
    if kind == "sh":
        return f"#!/bin/sh\n# {DISCLAIMER}\n{shell(keys)}".encode()
    curves = simulate_scenario(scenario, app_state.model)
    _refuse_too_many(curves, kind, app_state.limits.csv_numbers)
    table = to_long_table(curves)
    if kind == "csv":
        parts = (batch.to_pandas() for batch in table.to_batches(max_chunksize=CSV_ROWS))
        texts = (rows.to_csv(index=False, float_format="%.6g", header=i == 0) for i, rows in enumerate(parts))
        return "".join(texts).encode()
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _refuse_too_many(curves: xr.Dataset, kind: str, max_numbers: int) -> None:
    """Raise LimitExceeded when the download has too many numbers."""
    numbers = sum(variable.size for variable in curves.data_vars.values())
    if kind == "csv" and numbers > max_numbers:
        message = f"{numbers:,} numbers are more than a CSV from the page holds"
        raise LimitExceeded(
            message, f"at most {max_numbers:,}: take Parquet, a shorter horizon, or use the command line"
        )
    if numbers > 10 * max_numbers:
        message = f"{numbers:,} numbers are more than the page sends"
        raise LimitExceeded(message, f"at most {10 * max_numbers:,}: a shorter horizon, or use the command line")


def report_of(app_state: AppState, keys: ScenarioFile, kind: str) -> bytes:
    """The patient summary as HTML or PDF. Raises InputError, SolverError."""
    from ketamech.report.patient_summary import patient_summary_html, patient_summary_pdf
    from ketamech.report.run_folder import collect_report

    model = app_state.model
    scenario = scenario_of(keys, model)
    report = collect_report(simulate_scenario(scenario, model), scenario, model, command(keys))
    return patient_summary_html(report).encode() if kind == "html" else patient_summary_pdf(report)
