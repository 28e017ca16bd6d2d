"""Write a trial to a folder: data (Zarr), tables (Parquet, CSV), figures, summary and page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from ketamech.exchange.result_metadata import write_table
from ketamech.report.number_format import DISCLAIMER, number
from ketamech.report.page_templates import render
from ketamech.report.style import save
from ketamech.report.trial_figures import power_figure, trial_figures
from ketamech.report.trial_summary import TITLE, difference_rows, relapse_rows, rows_as_text
from ketamech.trials.analysis.adam_tables import adpc, adqs, adsl
from ketamech.trials.analysis.analyse import TrialAnalysis

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.trials.design import Trial

MOST_LONG = 5  # replicates that the long tables hold; the Zarr store has all


def write_trial(
    folder: Path, dataset: xr.Dataset, trial: Trial, found: TrialAnalysis, *, power: pd.DataFrame | None = None,
    command_line: str = "",
) -> Path:  # fmt: skip
    """Write everything about a trial and return the path of its page."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    dataset.drop_encoding().to_zarr(folder / "trial.zarr", mode="w", zarr_format=2)
    few = dataset.isel(replicate=slice(0, MOST_LONG))
    tables = {"adsl": adsl(few), "adqs": adqs(few), "adpc": adpc(few), **_results(found, trial)}
    facts_text = {str(name): value for name, value in dataset.attrs.items()}
    for name, table in tables.items():
        if len(table):
            write_table(table, folder / f"{name}.csv", facts_text)
            write_table(table, folder / f"{name}.parquet", facts_text)
    figures = trial_figures(found, trial.title)
    if power is not None:
        write_table(power, folder / "power.csv", facts_text)
        figures["power"] = power_figure(power, trial.title)
    for name, figure in figures.items():
        save(figure, folder / "figures", name)
    facts = _facts(dataset, trial, found, command_line)
    (folder / "summary.json").write_text(json.dumps(facts, indent=1, allow_nan=False), encoding="utf-8")
    drawn = [(name, (folder / "figures" / f"{name}.svg").read_text(encoding="utf-8")) for name in figures]
    page = render(
        "trial.html.j2",
        facts=facts,
        figures=drawn,
        primary_title=TITLE,
        primary=rows_as_text(difference_rows(found, trial)),
        hazard=rows_as_text(relapse_rows(found)),
        relapse=[] if found.relapse is None else _plain(found.relapse.median),
        repeated=_plain(found.repeated),
        power=[] if power is None else _plain(power),
    )
    target = folder / "report.html"
    target.write_text(page, encoding="utf-8")
    return target


def _results(found: TrialAnalysis, trial: Trial) -> dict[str, pd.DataFrame]:
    import pandas as pd

    units = {name: scale.unit for name, scale in trial.scales.items()}
    means = [table.assign(scale=name, unit=units[name]) for name, table in found.means.items()]
    shares = [table.assign(scale=name, unit="percent") for name, table in found.shares.items()]
    rated = {"scale": trial.primary[0], "unit": units.get(trial.primary[0], "")}
    parts = (("primary", found.primary), ("gee_repeated_measures", found.repeated))
    tables = {name: table.assign(**rated) for name, table in parts}
    tables |= {"exposure": _with_units(found.exposure, units)}
    tables |= {"means": pd.concat(means), "response": pd.concat(shares) if shares else pd.DataFrame()}
    if found.relapse is not None:
        tables |= {"adtte": found.relapse.events, "relapse": found.relapse.median}
    return tables


def _with_units(exposure: pd.DataFrame, units: Mapping[str, str]) -> pd.DataFrame:
    """Non-compartmental parameters with the unit of the levels; times in h, areas in that unit times h."""
    return exposure.assign(unit=exposure["PARAMCD"].map(units), time_unit="h") if len(exposure) else exposure


def _facts(dataset: xr.Dataset, trial: Trial, found: TrialAnalysis, command_line: str) -> dict[str, Any]:
    """The content of the summary and of the page header."""
    arms = [
        {"arm": arm.name, "n": arm.n, "given": arm.regimen.sentence(exact=False), "blinding": arm.belief}
        for arm in trial.arms
    ]
    ratio = found.relapse.hazard_ratio if found.relapse is not None else {}
    differences = [{k: v for k, v in row.items() if v == v} for row in difference_rows(found, trial)]
    return {
        "title": trial.title,
        "description": trial.description,
        "references": list(trial.references),
        "population": trial.population,
        "arms": arms,
        "patients": trial.patients,
        "replicates": int(dataset.sizes["replicate"]),
        "seed": int(dataset.attrs["seed"]),
        "posterior": str(dataset.attrs.get("posterior", "")),
        "primary": " at ".join(trial.primary),
        "reference": found.reference,
        "differences": differences,
        "not_estimated": found.not_estimated,
        "left_percent": found.dropout,
        "failed_percent": 100 * found.failed,
        "hazard_ratio": {k: v for k, v in ratio.items() if math.isfinite(v)},
        "command_line": command_line,
        "disclaimer": DISCLAIMER,
    }


def _plain(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {str(k): number(float(v)) if isinstance(v, int | float) else str(v) for k, v in row.items()}
        for row in table.to_dict("records")
    ]
