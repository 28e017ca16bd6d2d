"""Write a trial to a folder: data (Zarr), tables (Parquet, CSV), figures, summary and page.

The result of a trial as table rows with sentences: differences between arms, then each arm by visit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ketamech.exchange.result_metadata import write_table
from ketamech.report.number_format import DISCLAIMER, number
from ketamech.report.page_templates import render
from ketamech.report.style import save
from ketamech.report.trial_figures import power_figure, trial_figures
from ketamech.trials.analysis.adam_tables import adpc, adqs, adsl
from ketamech.trials.analysis.analyse import TrialAnalysis

if TYPE_CHECKING:
    import pandas as pd

    from ketamech.trials.analysis.analyse import TrialAnalysis
    from ketamech.trials.design import Trial


SIGNIFICANT = 0.05  # two-sided
TITLE = "Difference in change from baseline, adjusted for baseline"
Row = dict[str, object]


def difference_rows(found: TrialAnalysis, trial: Trial) -> list[Row]:
    """The primary comparison, one row per arm: difference from the reference arm with 95 % interval, p, and text.

    For several replicates: mean difference, its 95 % range, and the number of replicates with p below 0.05.
    """
    rows = []
    scale, visit = trial.primary
    words = _Words(found.reference, falls=trial.scales[scale].response > 0)
    period = ", first period" if trial.washout else ""
    for arm in (arm.name for arm in trial.arms):
        part = found.primary[found.primary["arm"] == arm] if len(found.primary) else found.primary
        if not len(part):
            continue
        row: Row = {"comparison": f"{scale} at {visit}{period}, {arm} minus {found.reference}"}
        rows.append(row | (words.one(arm, part.iloc[0]) if len(part) == 1 else words.several(arm, part)))
    return rows


def relapse_rows(found: TrialAnalysis) -> list[Row]:
    """The hazard ratio of relapse with 95 % interval, p, and text; empty without two groups."""
    if found.relapse is None or len(found.relapse.compared) < 2:
        return []
    first, second = found.relapse.compared
    ratio = found.relapse.hazard_ratio
    words = f"no hazard ratio: {found.relapse.reason}"
    if not found.relapse.reason:
        sooner = second if ratio["hazard_ratio"] > 1 else first
        words = f"{sooner} relapses earlier" if ratio["p"] < SIGNIFICANT else "no significant difference"
    numbers = {name.replace("_", " "): ratio[name] for name in ("hazard_ratio", "low", "high")}
    return [{"comparison": f"{second} against {first}", **numbers, "p": p_value(ratio["p"]), "in words": words}]


def p_value(p: float) -> str:
    """A p value as text, e.g. 0.034, < 0.0001; empty if missing."""
    if not math.isfinite(p):
        return ""
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def summary_of(found: TrialAnalysis) -> list[Row]:
    """Change and response of each arm at each visit, of the first scale that has responses."""
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


def rows_as_text(rows: list[Row]) -> list[Mapping[str, str]]:
    """Rows with their numbers as text, for a page."""
    return [{k: number(float(v)) if isinstance(v, float | int) else str(v) for k, v in row.items()} for row in rows]


@dataclass(frozen=True)
class _Words:
    """Text of a comparison; on a scale that `falls` with improvement, lower is better."""

    reference: str
    falls: bool

    def one(self, arm: str, line: pd.Series) -> Row:
        """The row of a single replicate."""
        numbers: Row = {name: float(line[name]) for name in ("difference", "low", "high")}
        words = self._ahead(arm, line["difference"]) if line["p"] < SIGNIFICANT else "no significant difference"
        if line["reason"]:
            words = f"not tested: {line['reason']}"
        return {**numbers, "p": p_value(float(line["p"])), "in words": words}

    def several(self, arm: str, part: pd.DataFrame) -> Row:
        """The row of many replicates; some of them may have no difference."""
        differences = part["difference"][np.isfinite(part["difference"])].to_numpy()
        hits = f"{int((part['p'] < SIGNIFICANT).sum())} of {len(part)}"
        unknown = "; ".join(dict.fromkeys(str(text) for text in part["reason"] if text))
        if not len(differences):
            nothing = dict.fromkeys(("difference", "low", "high"), float("nan"))
            return {**nothing, "p < 0.05 in": hits, "in words": f"not tested: {unknown}"}
        low, high = np.percentile(differences, [2.5, 97.5])
        mean = float(differences.mean())
        ahead = int((np.sign(differences) == np.sign(mean)).sum())
        words = f"{self._ahead(arm, mean)} in {ahead} of {len(part)} trials"
        words += f"; not tested in {int((part['reason'] != '').sum())}: {unknown}" if unknown else ""
        return {"difference": mean, "low": float(low), "high": float(high), "p < 0.05 in": hits, "in words": words}

    def _ahead(self, arm: str, difference: float) -> str:
        lower, higher = (arm, self.reference) if difference < 0 else (self.reference, arm)
        return f"{lower} is better" if self.falls else f"{higher} is higher"


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
