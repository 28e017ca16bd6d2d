"""A scenario's curves and pages as bytes; nothing touches the disk."""

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


def export_scenario(engine: AppState, keys: ScenarioFile, kind: str) -> bytes:
    """One download of a scenario. Raises BadInput, SolveFailed."""
    scenario = scenario_of(keys, engine.model)
    if kind == "yaml":
        return keys.text().encode()
    if kind in ("py", "sh"):
        text = python(keys) if kind == "py" else f"#!/bin/sh\n{shell(keys)}"
        head, _, rest = text.partition("\n") if kind == "sh" else ("", "", text)
        return f"{head}\n# {DISCLAIMER}\n{rest}".lstrip("\n").encode()
    curves = simulate(scenario, model=engine.model)
    _refuse_too_many(curves, kind, engine.limits.csv_numbers)
    table = to_long_table(curves)
    if kind == "csv":
        return str(table.to_pandas().to_csv(index=False, float_format="%.6g")).encode()
    import pyarrow.parquet as pq

    held = io.BytesIO()
    pq.write_table(table, held, compression="zstd")
    return held.getvalue()


def _refuse_too_many(curves: xr.Dataset, kind: str, most: int) -> None:
    """Raise TooMuch for more numbers than a browser should be sent."""
    numbers = sum(one.size for one in curves.data_vars.values())
    if kind == "csv" and numbers > most:
        what = f"{numbers:,} numbers are more than a CSV from the page holds"
        raise LimitExceeded(what, f"at most {most:,}: take Parquet, look for less long, or use the command line")
    if numbers > 10 * most:
        what = f"{numbers:,} numbers are more than the page sends"
        raise LimitExceeded(what, f"at most {10 * most:,}: look for less long, or use the command line")


def report_of(engine: AppState, keys: ScenarioFile, paper: str) -> bytes:
    """The one-page report as HTML or PDF. Raises BadInput, SolveFailed."""
    from ketamech.report.patient_summary import patient_summary_html, patient_summary_pdf
    from ketamech.report.run_folder import collect_report

    model = engine.model
    scenario = scenario_of(keys, model)
    found = collect_report(simulate(scenario, model=model), scenario, model, command(keys))
    return patient_summary_html(found).encode() if paper == "html" else patient_summary_pdf(found)
