"""Write a trial to a folder: data (Zarr), tables (Parquet, CSV), figures, summary and page."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ketamech.core.constants import DISCLAIMER
from ketamech.core.statistics import interval
from ketamech.exchange.result_metadata import write_csv_and_parquet, write_table
from ketamech.report.number_format import number
from ketamech.report.page_templates import render
from ketamech.report.palette import RULE_GREY, bar_style, line_style
from ketamech.report.style import MARKS, draw, page
from ketamech.report.text_width import wrapped
from ketamech.simulation.nca_tables import adpp, wide_table
from ketamech.trials.analysis.analyse import TrialAnalysis, adpc, adqs, adsl
from ketamech.trials.analysis.power import (
    ALPHA,
    CARRY_OVER,
    SUPERIORITY,
    SuccessCriterion,
    difference_sentences,
    p_value,
)
from ketamech.trials.design import Trial
from ketamech.trials.rating_scales import load_scales

TITLE = "Differences between arms with 95 % interval and p"
MAX_REPLICATES_IN_TABLES = 5
ARM_OFFSET = 0.03  # share of the distance between two visits
LEGEND_WIDTH, LEGEND_SIZE, MAX_LEGEND_COLUMNS = 420.0, 7.0, 4  # width: of the figure of relapse, points
Row = dict[str, object]


def difference_rows(trial_analysis: TrialAnalysis, trial: Trial, alpha: float = ALPHA) -> list[Row]:
    """Every comparison of arms, one row each: difference with 95 % interval and p, the analysis, and text.

    The primary comparison by analysis of covariance and by the mixed model at the same visit, and the difference in
    response; of a crossover within patients, by the mixed model and in the first period alone, and what is carried
    over. For several replicates: mean difference, its 95 % range, and the number of replicates with p below
    `alpha`; the mixed model is that of the first.
    """
    scale, visit = trial.primary
    first = ", first period" if trial.washout else ""
    direction = trial.scales[scale].better
    lower_is_better = direction != "higher"
    mixed_model = (
        trial_analysis.repeated[trial_analysis.repeated["visit"] == visit]
        if len(trial_analysis.repeated)
        else trial_analysis.repeated
    )
    several = len(trial_analysis.primary) and trial_analysis.primary["replicate"].nunique() > 1
    primary_method, mixed_method = ("within patients", "mixed model") if trial.washout else ("ANCOVA", "MMRM")
    mixed_method += ", first trial" if several else ""
    endpoint, carried_over = f"{scale} at {visit}", CARRY_OVER.format(scale=scale)
    analyses: list[tuple[str, pd.DataFrame, str, bool | None]] = [
        (primary_method, trial_analysis.primary, endpoint, lower_is_better),
        (mixed_method, mixed_model, endpoint, lower_is_better),
        ("ANCOVA", trial_analysis.first_period, f"{endpoint}{first}", lower_is_better),
        ("ANCOVA", trial_analysis.carry_over, carried_over, None),
        ("Fisher, Newcombe", trial_analysis.response, f"share of responders on {endpoint}{first}", False),
    ]
    rows: list[Row] = []
    for method, table, endpoint, is_lower_better in analyses:
        for arm in (arm.name for arm in trial.arms):
            part = table[table["arm"] == arm] if len(table) else table
            if not len(part):
                continue
            better = partial(_better_arm, arm, trial_analysis.reference, is_lower_better, direction == "none")
            row: Row = {"comparison": f"{endpoint}, {arm} minus {trial_analysis.reference}"}
            is_single = len(part) == 1
            numbers = _one_replicate(part.iloc[0], better, alpha) if is_single else _replicates(part, better, alpha)
            rows.append(row | numbers | {"analysis": method})
    return _same_columns(rows, _significant_column(alpha))


def _better_arm(arm: str, reference: str, is_lower_better: bool | None, has_no_better: bool, difference: float) -> str:
    """The better arm; the lower one on a scale without a better direction (`has_no_better`); what is carried over."""
    if is_lower_better is None:
        return f"{'lower' if difference < 0 else 'higher'} after {arm}"
    better_arm = arm if (difference < 0) == is_lower_better else reference
    return f"{better_arm} is {'lower' if has_no_better else 'better'}"


def _significant_column(alpha: float) -> str:
    """The column with the number of replicates that are significant."""
    return f"p < {alpha:g} in"


def _same_columns(rows: list[Row], hits: str) -> list[Row]:
    """The rows with the columns of all of them, in one order; missing cells are empty."""
    order = ("comparison", "difference", "low", "high", "p", hits, "analysis", "n", "in words")
    columns = [name for name in order if any(name in row for row in rows)]
    return [{name: row.get(name, "") for name in columns} for row in rows]


def _one_replicate(line: pd.Series, better: Callable[[float], str], alpha: float) -> Row:
    text = better(line["difference"]) if line["p"] < alpha else "no significant difference"
    if line["reason"]:
        text = f"not tested: {line['reason']}"
    numbers: Row = {name: float(line[name]) for name in ("difference", "low", "high")}
    return {**numbers, "p": p_value(float(line["p"])), "n": int(line["n"]), "in words": text}


def _replicates(rows_of_arm: pd.DataFrame, better: Callable[[float], str], alpha: float) -> Row:
    """The row of several replicates, some of which may have no difference."""
    differences = rows_of_arm["difference"][np.isfinite(rows_of_arm["difference"])].to_numpy()
    hits = f"{int((rows_of_arm['p'] < alpha).sum())} of {len(rows_of_arm)}"
    reasons = "; ".join(dict.fromkeys(str(text) for text in rows_of_arm["reason"] if text))
    if not len(differences):
        empty_values = dict.fromkeys(("difference", "low", "high"), float("nan"))
        return {**empty_values, _significant_column(alpha): hits, "in words": f"not tested: {reasons}"}
    low, high = interval(differences)
    mean = float(differences.mean())
    n_same = int(((np.sign(rows_of_arm["difference"]) == np.sign(mean)) & (rows_of_arm["p"] < alpha)).sum())
    words = f"{better(mean)} on average, with p < {alpha:g} in {n_same} of {len(rows_of_arm)} trials"
    words += f"; not tested in {int((rows_of_arm['reason'] != '').sum())}: {reasons}" if reasons else ""
    return {
        "difference": mean, "low": low, "high": high, "p": p_value(float(rows_of_arm["p"].median())),
        _significant_column(alpha): hits, "n": int(rows_of_arm["n"].median()), "in words": words,
    }  # fmt: skip


def relapse_rows(analysis: TrialAnalysis, alpha: float = ALPHA) -> list[Row]:
    """The hazard ratio of relapse with 95 % interval, p, and text; empty without two groups."""
    if analysis.relapse is None or len(analysis.relapse.compared) < 2:
        return []
    first, second = analysis.relapse.compared
    ratio = analysis.relapse.hazard_ratio
    text = f"no hazard ratio: {analysis.relapse.reason}"
    if not analysis.relapse.reason:
        earlier_group = second if ratio["hazard_ratio"] > 1 else first
        text = f"{earlier_group} relapses earlier" if ratio["p"] < alpha else "no significant difference"
    numbers = {name.replace("_", " "): ratio[name] for name in ("hazard_ratio", "low", "high")}
    return [{"comparison": f"{second} against {first}", **numbers, "p": p_value(ratio["p"]), "in words": text}]


def summary_of(analysis: TrialAnalysis) -> list[Row]:
    """Change and response of each arm at each visit, of the first scale that has responses."""
    scale = next(iter(analysis.shares), next(iter(analysis.means)))
    means = analysis.means[scale]
    shares = analysis.shares.get(scale)
    lines = []
    for row in means[means["hour"] > 0].to_dict("records"):
        line = {k: row[k] for k in ("arm", "visit", "n", "mean", "change", "sd", "low", "high")}
        if shares is not None:
            match = shares[(shares["arm"] == row["arm"]) & (shares["visit"] == row["visit"])]
            line |= {k: float(match[k].iloc[0]) if len(match) else float("nan") for k in ("response", "remission")}
        lines.append({"scale": scale, **line})
    return lines


def other_scales(analysis: TrialAnalysis) -> list[Row]:
    """Every other scale at the visit where the mean change of an arm is largest, one row an arm."""
    main_scale = next(iter(analysis.shares), next(iter(analysis.means)))
    lines = []
    for scale, means in analysis.means.items():
        for _, rows_of_arm in means[means["hour"] > 0].groupby("arm", sort=False):
            if scale != main_scale and rows_of_arm["change"].notna().any():
                row = rows_of_arm.iloc[int(np.nanargmax(np.abs(rows_of_arm["change"].to_numpy(float))))]
                columns = ("arm", "visit", "n", "mean", "change", "sd", "low", "high")
                lines.append({"scale": scale, **{name: row[name] for name in columns}})
    return lines


def rows_as_text(rows: Iterable[Mapping[Any, Any]]) -> list[dict[str, str]]:
    """Rows with their numbers as text, for a page."""
    return [
        {str(k): number(float(v)) if isinstance(v, float | int) else str(v) for k, v in row.items()} for row in rows
    ]


def _with_p(table: pd.DataFrame) -> pd.DataFrame:
    """A table with its p values as text."""
    return table.assign(p=[p_value(float(p)) for p in table["p"]]) if len(table) else table


def write_trial(
    folder: Path, dataset: xr.Dataset, trial: Trial, analysis: TrialAnalysis, *, power: pd.DataFrame | None = None,
    criterion: SuccessCriterion = SUPERIORITY, command_line: str = "",
) -> Path:  # fmt: skip
    """Write everything about a trial and return the path of its page."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset.drop_encoding().to_zarr(folder / "trial.zarr", mode="w", zarr_format=2)
    few = dataset.isel(replicate=slice(0, MAX_REPLICATES_IN_TABLES))
    tables = {"adsl": adsl(few), "adqs": adqs(few), "adpc": adpc(few), **_result_tables(analysis, trial)}
    metadata = {str(name): value for name, value in dataset.attrs.items()}
    tables = {name: table for name, table in tables.items() if len(table)}
    for name, table in tables.items():
        write_csv_and_parquet(table, folder, name, metadata)
    if power is not None:
        write_table(power, folder / "power.csv", metadata)
    figures = _figures(analysis, trial, power, dataset.sizes["replicate"])
    for name, make in figures.items():
        draw(folder / "figures", name, make)
    differences = difference_rows(analysis, trial, criterion.alpha)
    summary_values = _summary(dataset, trial, analysis, differences, command_line)
    summary_values["findings"] = difference_sentences(analysis, trial, criterion)
    (folder / "summary.json").write_text(json.dumps(summary_values, indent=1, allow_nan=False), encoding="utf-8")
    svg_figures = [(name, (folder / "figures" / f"{name}.svg").read_text(encoding="utf-8")) for name in figures]
    page = render(
        "trial.html.j2",
        facts=summary_values,
        tables=[*tables, *(["power"] if power is not None else [])],
        figures=svg_figures,
        primary_title=TITLE,
        primary=rows_as_text(differences),
        hazard=rows_as_text(relapse_rows(analysis, criterion.alpha)),
        relapse=[] if analysis.relapse is None else rows_as_text(analysis.relapse.median.to_dict("records")),
        events=rows_as_text(analysis.events),
        repeated=rows_as_text(_with_p(analysis.repeated).to_dict("records")),
        is_crossover=bool(trial.washout),
    )
    target = folder / "report.html"
    target.write_text(page, encoding="utf-8")
    return target


def _figures(
    analysis: TrialAnalysis, trial: Trial, power: pd.DataFrame | None, replicates: int
) -> dict[str, Callable[[], Figure]]:  # fmt: skip
    """Functions that make the figures, by file name; an arm has the same style in all of them."""
    title, arms = trial.title, [arm.name for arm in trial.arms]
    bars = "95 % of simulated trials" if replicates > 1 else "95 % interval"
    figures: dict[str, Callable[[], Figure]] = {"change": lambda: change_figure(analysis, title, arms, bars)}
    if any(len(table) for table in analysis.shares.values()):
        figures["response"] = lambda: response_figure(analysis, title, arms, bars)
    if analysis.relapse is not None and len(analysis.relapse.curves):
        figures["relapse"] = lambda: relapse_figure(analysis, title)
    if power is not None:
        figures["power"] = lambda: power_figure(power, title, arms)
    return figures


def _result_tables(analysis: TrialAnalysis, trial: Trial) -> dict[str, pd.DataFrame]:
    units = {name: scale.unit for name, scale in trial.scales.items()}
    means = [table.assign(scale=name, unit=units[name]) for name, table in analysis.means.items()]
    shares = [table.assign(scale=name, unit="1") for name, table in analysis.shares.items()]
    primary_scale = {"scale": trial.primary[0], "unit": units.get(trial.primary[0], "")}
    comparisons = (
        ("primary", analysis.primary), ("mixed_model" if trial.washout else "mmrm", analysis.repeated),
        ("first_period", analysis.first_period), ("carry_over", analysis.carry_over),
    )  # fmt: skip
    tables = {name: table.assign(**primary_scale) for name, table in comparisons}
    tables["response_difference"] = analysis.response.assign(scale=trial.primary[0], unit="1")
    tables |= {"exposure": wide_table(analysis.exposure), "adpp": adpp(analysis.exposure, trial.title)}
    tables |= {"means": pd.concat(means), "response": pd.concat(shares) if shares else pd.DataFrame()}
    if analysis.events:
        tables["events"] = pd.DataFrame(analysis.events)
    if analysis.relapse is not None:
        tables |= {"adtte": analysis.relapse.events, "relapse": analysis.relapse.median}
    return tables


def _summary(
    dataset: xr.Dataset, trial: Trial, analysis: TrialAnalysis, differences: list[Row], command_line: str
) -> dict[str, Any]:
    """The content of the summary and of the page header."""
    arms = [{"arm": arm.name, "n": arm.n, "given": arm.treatment, "blinding": arm.belief} for arm in trial.arms]
    ratio = analysis.relapse.hazard_ratio if analysis.relapse is not None else {}
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
        "reference": analysis.reference,
        "differences": [{k: v for k, v in row.items() if v == v and v != ""} for row in differences],
        "not_estimated": analysis.not_estimated,
        "left_share": analysis.dropout,
        "failed_share": analysis.failed,
        "hazard_ratio": {k: v for k, v in ratio.items() if math.isfinite(v)},
        "command_line": command_line,
        "disclaimer": DISCLAIMER,
    }


def _panels(rows: int, title: str, height: float = 3.0) -> tuple[Figure, list[Axes]]:
    figure = page(8.0, height * rows + 0.8, title)
    return figure, list(np.atleast_1d(figure.subplots(rows, 1)))


def _visit_axis(axes: Axes, visits: Sequence[str], label: str, arms: int) -> None:
    """Visits below the panel, and a legend between title and panel, so that it hides no curve."""
    names = [visit.replace("period ", "P") for visit in visits]
    axes.set_xticks(range(len(visits)), names, rotation=40, ha="right", fontsize=7)
    axes.set_ylabel(label, fontsize=8)
    handles, names = axes.get_legend_handles_labels()
    columns = min(arms, MAX_LEGEND_COLUMNS)
    order = [i for column in range(columns) for i in range(column, len(names), columns)]  # matplotlib fills columns
    axes.legend(
        [handles[i] for i in order], [names[i] for i in order], loc="lower left", bbox_to_anchor=(0, 1.0),
        ncols=columns, fontsize=LEGEND_SIZE, frameon=False,
    )  # fmt: skip


def change_figure(analysis: TrialAnalysis, title: str, arms: Sequence[str], bars: str) -> Figure:
    """Mean change of each scale over the visits, one line for each of `arms`, in this order.

    `bars`: what the error bars are.
    """
    subtitle = f"mean change from baseline; bars: {bars}"
    figure, panels = _panels(len(analysis.means), f"{title}\n{subtitle}")
    scales = load_scales()
    for axes, (scale, table) in zip(panels, analysis.means.items(), strict=True):
        moments = sorted(set(table["hour"]))
        for k, arm in enumerate(arms):
            rows = table[table["arm"] == arm].sort_values("hour")
            if not len(rows):
                continue
            x = np.array([moments.index(hour) for hour in rows["hour"]]) + ARM_OFFSET * (k - (len(arms) - 1) / 2)
            errors = np.abs(np.array([rows["change"] - rows["low"], rows["high"] - rows["change"]]))
            axes.errorbar(
                x, rows["change"], yerr=errors, **line_style(k), marker=MARKS[k % len(MARKS)], ms=4,
                lw=1.4, elinewidth=0.8, capsize=2, label=f"{arm} (n {rows['n'].max():.0f})",
            )  # fmt: skip
        axes.axhline(0, color=RULE_GREY, lw=0.8)
        visits = [str(table[table["hour"] == hour]["visit"].iloc[0]) for hour in moments]
        unit = f"\n({scales[scale].unit})" if scale in scales else ""
        _visit_axis(axes, visits, f"change of {scale}{unit}", len(arms))
    return figure


def response_figure(analysis: TrialAnalysis, title: str, arms: Sequence[str], bars: str) -> Figure:
    """Response and remission on each scale, bars for each of `arms`, in this order; `bars` as in `change_figure`."""
    rated = {scale: table for scale, table in analysis.shares.items() if len(table)}
    figure, panels = _panels(
        len(rated),
        f"{title}\nresponse (full) and remission (pale), % of all patients; bars: {bars}",
    )
    for axes, (scale, table) in zip(panels, rated.items(), strict=True):
        visits = list(dict.fromkeys(table["visit"]))
        bar_width = 0.8 / len(arms)
        for k, arm in enumerate(arms):
            rows = table[table["arm"] == arm].set_index("visit").reindex(visits)
            x, style = np.arange(len(visits)) + (k - (len(arms) - 1) / 2) * bar_width, bar_style(k)
            shown = 100 * rows[["response", "response_low", "response_high", "remission"]]
            errors = np.abs([shown["response"] - shown["response_low"], shown["response_high"] - shown["response"]])
            style |= {"edgecolor": "white", "lw": 0, "yerr": errors, "error_kw": {"lw": 0.7}}
            axes.bar(x, shown["response"], 0.9 * bar_width, **style, label=arm)
            edge: dict[str, Any] = {"edgecolor": style["color"], "lw": 0.6}
            axes.bar(x, shown["remission"], 0.45 * bar_width, color="white", alpha=0.55, **edge)
        axes.set_ylim(0, 100)
        _visit_axis(axes, visits, f"{scale}: % of patients", len(arms))
    return figure


def _median_text(median: pd.Series) -> str:
    """The median time to relapse with its interval, as text."""
    days = [f"{x:.0f} d" if np.isfinite(x) else "not reached" for x in median[["median_days", "low", "high"]]]
    return f"median {days[0]}" if set(days) == {"not reached"} else f"median {days[0]} ({days[1]} to {days[2]})"


def relapse_figure(analysis: TrialAnalysis, title: str) -> Figure:
    """Responders without relapse over time, one curve a group, with its median."""
    assert analysis.relapse is not None
    figure, (axes,) = _panels(1, f"{title}\nresponders without relapse (Kaplan-Meier, all trials together)", height=3.4)
    curves = analysis.relapse.curves
    for k, group in enumerate(dict.fromkeys(curves["group"])):
        rows, style = curves[curves["group"] == group], line_style(k)
        median = analysis.relapse.median.set_index("group").loc[group]
        label = "\n".join(wrapped(f"{group}: {_median_text(median)}", LEGEND_WIDTH, LEGEND_SIZE))
        axes.step(rows["day"], 100 * rows["without_relapse"], where="post", **style, lw=1.6, label=label)
        axes.fill_between(
            rows["day"], 100 * rows["low"], 100 * rows["high"], step="post", color=style["color"], alpha=0.15, lw=0
        )
    axes.set_xlabel("days since response was counted")
    axes.set_ylabel("without relapse, %")
    axes.set_ylim(0, 100)
    axes.legend(loc="lower left", fontsize=LEGEND_SIZE, frameon=False)
    return figure


def power_figure(table: pd.DataFrame, title: str, arms: Sequence[str]) -> Figure:
    """Power against patients per arm, with Monte-Carlo intervals; one line for each compared arm of `arms`."""
    criterion = table.attrs.get("criterion", "p < 0.05")
    figure, (axes,) = _panels(1, f"{title}\npower of the primary comparison ({criterion})", height=3.2)
    for k, arm in enumerate(arms):
        rows = table[table["arm"] == arm]
        if not len(rows):
            continue
        errors = 100 * np.abs([rows["power"] - rows["low"], rows["high"] - rows["power"]])
        axes.errorbar(
            rows["patients_per_arm"],
            100 * rows["power"],
            yerr=errors,
            marker=MARKS[k % len(MARKS)],
            **line_style(k),
            label=arm,
        )
    axes.axhline(80, color=RULE_GREY, lw=0.8, ls="--")
    axes.set_xlabel("patients per arm")
    axes.set_ylabel("power, %")
    axes.set_ylim(0, 100)
    axes.legend(fontsize=LEGEND_SIZE, frameon=False)
    return figure
