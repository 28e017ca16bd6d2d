"""Downloads of a scenario as bytes, without writing files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from ketamech.app.app_state import AppState
from ketamech.app.cancellation import LimitExceeded
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
