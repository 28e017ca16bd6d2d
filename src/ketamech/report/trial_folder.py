"""The folder of a trial: its data as Zarr, its tables as Parquet and CSV, pictures, a summary and a page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from ketamech.analysis.trials import TrialAnalysis, adpc, adqs, adsl
from ketamech.exchange.facts import write_table
from ketamech.report.html import render
from ketamech.report.style import save
from ketamech.report.trial_pictures import power_figure, trial_figures
from ketamech.report.words import DISCLAIMER, number

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.study import Trial

MOST_LONG = 5  # replicates that the long tables hold; the Zarr store has all


def write_trial(
    folder: Path, dataset: xr.Dataset, trial: Trial, found: TrialAnalysis, *, power: pd.DataFrame | None = None,
    command_line: str = "",
) -> Path:  # fmt: skip
    """Write everything about a trial and return the path of its page."""
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    dataset.drop_encoding().to_zarr(folder / "trial.zarr", mode="w", zarr_format=2)
    few = dataset.isel(replicate=slice(0, MOST_LONG))
    tables = {"adsl": adsl(few), "adqs": adqs(few), "adpc": adpc(few), **_results(found)}
    said = {str(name): value for name, value in dataset.attrs.items()}
    for name, table in tables.items():
        if len(table):
            write_table(table, folder / f"{name}.csv", said)
            write_table(table, folder / f"{name}.parquet", said)
    figures = trial_figures(found, trial.title)
    if power is not None:
        write_table(power, folder / "power.csv", said)
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
        primary=_primary(found),
        relapse=[] if found.relapse is None else _plain(found.relapse.median),
        repeated=_plain(found.repeated),
        power=[] if power is None else _plain(power),
    )
    target = folder / "report.html"
    target.write_text(page, encoding="utf-8")
    return target


def _results(found: TrialAnalysis) -> dict[str, pd.DataFrame]:
    import pandas as pd

    means = [table.assign(scale=name) for name, table in found.means.items()]
    shares = [table.assign(scale=name) for name, table in found.shares.items()]
    tables = {"primary": found.primary, "repeated": found.repeated, "exposure": found.exposure}
    tables |= {"means": pd.concat(means), "response": pd.concat(shares) if shares else pd.DataFrame()}
    if found.relapse is not None:
        tables |= {"adtte": found.relapse.events, "relapse": found.relapse.median}
    return tables


def _facts(dataset: xr.Dataset, trial: Trial, found: TrialAnalysis, command_line: str) -> dict[str, Any]:
    """What the summary and the head of the page say."""
    arms = [
        {"arm": arm.name, "n": arm.n, "given": arm.regimen.sentence(exact=False), "told": arm.belief}
        for arm in trial.arms
    ]
    ratio = found.relapse.hazard_ratio if found.relapse is not None else {}
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
        "left_percent": found.left,
        "failed_percent": 100 * found.failed,
        "hazard_ratio": {k: v for k, v in ratio.items() if math.isfinite(v)},
        "command_line": command_line,
        "disclaimer": DISCLAIMER,
    }


def _primary(found: TrialAnalysis) -> list[Mapping[str, str]]:
    """The primary comparison over replicates: mean difference, 95 % of trials, share that reach p < 0.05."""
    lines: list[Mapping[str, str]] = []
    for arm, part in found.primary.groupby("arm") if len(found.primary) else []:
        low, high = part["difference"].quantile([0.025, 0.975]) if len(part) > 1 else part[["low", "high"]].iloc[0]
        lines.append(
            {
                "arm": str(arm),
                "difference": number(float(part["difference"].mean())),
                "interval": f"{number(float(low))} to {number(float(high))}",
                "significant": f"{100 * (part['p'] < 0.05).mean():.0f} %",
                "trials": str(len(part)),
            }
        )
    return lines


def _plain(table: pd.DataFrame) -> list[dict[str, str]]:
    return [
        {str(k): number(float(v)) if isinstance(v, int | float) else str(v) for k, v in row.items()}
        for row in table.to_dict("records")
    ]


def summary_of(found: TrialAnalysis) -> list[dict[str, object]]:
    """What the terminal prints: change and response of each arm at each visit of the first scale that has responses."""
    scale = next(iter(found.shares), next(iter(found.means)))
    means = found.means[scale]
    shares = found.shares.get(scale)
    lines = []
    for row in means[means["hour"] > 0].to_dict("records"):
        line = {k: row[k] for k in ("arm", "visit", "n", "mean", "change", "sd", "low", "high")}
        if shares is not None:
            match = shares[(shares["arm"] == row["arm"]) & (shares["visit"] == row["visit"])]
            line |= {k: float(match[k].iloc[0]) if len(match) else float("nan") for k in ("response", "remission")}
        lines.append({"scale": scale, **line})
    return lines
