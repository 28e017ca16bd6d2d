"""Diagnostics of a calibration: tables for command and site, and figures of chain, posterior, profiles and ranks.

Also tables of the published arms to which virtual patients are weighted, and of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ketamech.calibration.prior_sensitivity import (
    InformedDirection,
    PriorSensitivity,
    informed_directions,
    prior_sensitivity,
)
from ketamech.calibration.published_arms import MOMENTS, PublishedArm, WeightedArm, weigh_arms
from ketamech.calibration.simulation_based_calibration import (
    DRAWS,
    TEST_LEVEL,
    RankUniformity,
    ecdf_band,
    rank_uniformity,
)
from ketamech.calibration.surrogate_posterior import DesignPoints, Posterior, QuadraticEmulator, emulator_allowance
from ketamech.core.constants import Z95
from ketamech.core.statistics import MEDIAN_AND_95, percentiles
from ketamech.exchange.result_metadata import read_csv_metadata, write_table
from ketamech.report.palette import BAND_GREY, OKABE_ITO, RULE_GREY
from ketamech.report.style import draw, figure_file, page, panel_page
from ketamech.trials.posterior_draws import posterior_hash

SENSITIVITY, DIRECTIONS = "prior_sensitivity.csv", "informed_directions.csv"
UNIFORMITY, RANKS = "simulation_based_calibration.csv", "simulated_ranks.csv"
PUBLISHED = (
    "posterior.csv", "leave_one_trial_out.csv", "left_out_trials.csv", "proposed.csv",
    SENSITIVITY, DIRECTIONS, UNIFORMITY, RANKS,
)  # copied together to data/calibration  # fmt: skip
POSTERIOR_HASH_KEY = "posterior"


TITLES = {
    SENSITIVITY: "Sensitivity to prior and data",
    DIRECTIONS: "Directions of the pathway gains",
    UNIFORMITY: "Ranks of true values in simulated data",
}


def diagnostic_tables(
    points: DesignPoints, emulator: QuadraticEmulator, posterior: Posterior, ranks: np.ndarray | None = None
) -> dict[str, pd.DataFrame]:
    """{file: table} of a calibration; `ranks` [data set, parameter] of simulated data sets, if there are any."""
    task, samples = points.task, posterior.thinned()
    names = [parameter.name for parameter in task.estimated]
    _, _, gradients = points.map_and_covariance()
    likelihood = task.trial_likelihood(gradients, emulator_allowance(task, emulator))
    logs = task.log_likelihood(samples, emulator(samples), likelihood)
    tables = {SENSITIVITY: sensitivity_table(prior_sensitivity(names, samples, logs))}
    if sum(bool(parameter.gain_unit) for parameter in task.estimated) > 1:
        tables[DIRECTIONS] = directions_table(informed_directions(task.estimated, samples))
    if ranks is not None:
        tables[UNIFORMITY] = uniformity_table(rank_uniformity(names, ranks))
        tables[RANKS] = pd.DataFrame(ranks, columns=names)
    return tables


def sensitivity_table(sensitivities: Sequence[PriorSensitivity]) -> pd.DataFrame:
    """One row per parameter, most sensitive to the prior first."""
    columns = ("parameter", "prior", "own_prior", "likelihood", "pareto_k", "diagnosis")
    rows = [{name: getattr(sensitivity, name) for name in columns} for sensitivity in sensitivities]
    return pd.DataFrame(rows).sort_values("prior", ascending=False, kind="stable", ignore_index=True)


def directions_table(directions: Sequence[InformedDirection]) -> pd.DataFrame:
    """One row per direction, best known first, with the loading of each gain."""
    names = ("combination", "sd", "factor", "prior_factor", "sentence")
    rows = []
    for direction in directions:
        loadings = {f"loading of {gain}": value for gain, value in direction.loadings.items()}
        rows.append(
            {name: getattr(direction, name) for name in names[:-1]} | loadings | {"sentence": direction.sentence}
        )
    return pd.DataFrame(rows)


def uniformity_table(uniformity: Sequence[RankUniformity]) -> pd.DataFrame:
    """One row per parameter, smallest p first."""
    return pd.DataFrame(uniformity).sort_values("ecdf_p", kind="stable", ignore_index=True)


def load_diagnostic(folder: Path, name: str, posterior: Sequence[dict[str, float]]) -> pd.DataFrame | None:
    """A table beside a posterior, for the page of the calibration; None where missing or of another posterior."""
    path = folder / name
    if not path.exists() or read_csv_metadata(path).get(POSTERIOR_HASH_KEY) != posterior_hash(posterior):
        return None
    return pd.read_csv(path, comment="#")


@figure_file("simulated_ranks")
def draw_ranks(ranks: pd.DataFrame) -> Figure:
    """Rank ECDF minus the uniform one for each parameter; `ranks`: one column per parameter, one row per data set."""
    count, names = len(ranks), list(ranks)
    fraction = np.arange(1, DRAWS + 1) / (DRAWS + 1)
    title = f"Ranks of true values in {count} simulated data sets: distribution function minus the uniform one"
    remark = "\n(pale: 95 % band of one parameter; line: of all parameters together)"
    figure, panels = panel_page(len(names), 5, 11, 1.6, title + remark)
    single_band, joint_band = (ecdf_band(count, DRAWS, level) for level in (TEST_LEVEL, TEST_LEVEL / len(names)))
    for axes, name in zip(panels, names, strict=True):
        ecdf = np.cumsum(np.bincount(ranks[name], minlength=DRAWS + 1))[:-1] / count
        axes.fill_between(fraction, single_band[0] - fraction, single_band[1] - fraction, color=BAND_GREY, lw=0)
        for limit in joint_band:
            axes.plot(fraction, limit - fraction, color=RULE_GREY, lw=0.7)
        axes.plot(fraction, ecdf - fraction, color=OKABE_ITO[0], lw=1.2)
        axes.set_title(name, fontsize=6)
        axes.tick_params(labelsize=6)
    return figure


@figure_file("pathway_gains")
def draw_gains(names: Sequence[str], draws: np.ndarray) -> Figure:
    """Each pair of pathway gains: posterior draws [draw, gain] in SD of the prior, with 95 % ellipses of both."""
    pairs = [(i, j) for i in range(len(names)) for j in range(i)]
    title = "Pathway gains in SD of the prior from its median (grey: 95 % of the prior, orange: of the posterior)"
    figure, panels = panel_page(len(pairs), 3, 8.5, 2.6, title)
    for axes, (i, j) in zip(panels, pairs, strict=True):
        gains = draws[:, [j, i]]
        axes.plot(*gains.T, ".", color=OKABE_ITO[0], ms=3, alpha=0.5)
        _ellipse(axes, np.zeros(2), np.eye(2), RULE_GREY)
        _ellipse(axes, gains.mean(axis=0), np.cov(gains.T), OKABE_ITO[1])
        axes.set_xlabel(names[j], fontsize=8)
        axes.set_ylabel(names[i], fontsize=8)
        axes.set_aspect("equal", "datalim")
    return figure


def _ellipse(axes: Axes, centre: np.ndarray, covariance: np.ndarray, colour: str) -> None:
    """The ellipse that holds 95 % of a normal distribution."""
    angle = np.linspace(0, 2 * np.pi, 181)
    radius = np.sqrt(-2 * np.log(0.05))
    circle = radius * np.stack([np.cos(angle), np.sin(angle)])
    axes.plot(*(centre[:, None] + np.linalg.cholesky(covariance) @ circle), color=colour, lw=1.2)


def draw_calibration(
    folder: Path, names: Sequence[str], logs: np.ndarray, draws: np.ndarray,
    profiles: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> list[Path]:  # fmt: skip
    """Write chain, posterior and profiles as PNG and SVG.

    `logs`: log posterior [step, walker]; `draws` [draw, parameter] in SD of the prior from its median.
    """
    paths = draw(folder, "chain", lambda: _chain(logs), vector=False)
    paths += draw(folder, "posterior", lambda: _posterior(names, draws))
    if profiles:
        paths += draw(folder, "profiles", lambda: _profiles(profiles))
    return paths


def _chain(logs: np.ndarray) -> Figure:
    figure = page(8, 3, "Log posterior of every walker")
    axes = figure.subplots()
    axes.plot(logs, color=OKABE_ITO[0], lw=0.5, alpha=0.5)
    axes.plot(np.median(logs, axis=1), color=OKABE_ITO[1], lw=1.5, label="median")
    axes.set_ylim(np.percentile(logs, 1), logs.max() + 2)
    axes.set_xlabel("step")
    axes.legend(frameon=False, fontsize=7)
    return figure


def _posterior(names: Sequence[str], draws: np.ndarray) -> Figure:
    """Marginals against the prior on the left, correlations on the right."""
    figure = page(11, 0.3 * len(names) + 2.0, "Posterior (in SD of the prior from its median) and correlations")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.2])
    low, middle, high = percentiles(draws, MEDIAN_AND_95, axis=0)
    y = np.arange(len(names))
    left.axvspan(-Z95, Z95, color=BAND_GREY, lw=0, label="prior, 95 %")
    left.hlines(y, low, high, color=OKABE_ITO[0], lw=3, label="posterior, 95 %")
    left.plot(middle, y, "o", color=OKABE_ITO[1], ms=4, label="median")
    labels = [f"{name}  {i}" for i, name in enumerate(names, 1)]  # as in the matrix on the right
    left.set_yticks(y, labels, fontsize=7)
    left.invert_yaxis()
    left.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=3)
    matrix = np.corrcoef(draws.T)
    image = right.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    right.set_xticks(y, [str(i + 1) for i in y], fontsize=6)
    right.set_yticks(y, [str(i + 1) for i in y], fontsize=6)
    figure.colorbar(image, ax=right, shrink=0.7, label="correlation")
    return figure


def _profiles(profiles: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    title = "Profiles: increase of the misfit with one parameter fixed (dashed: 95 % limit)"
    figure, panels = panel_page(len(profiles), 4, 10, 2.0, title)
    for axes, (name, (grid, misfit)) in zip(panels, profiles.items(), strict=True):
        axes.plot(grid, misfit - np.nanmin(misfit), "o-", color=OKABE_ITO[0], ms=3, lw=1)
        axes.axhline(3.84, color=RULE_GREY, lw=0.8, ls="--")
        axes.set_ylim(-0.5, 15)
        axes.set_title(name, fontsize=7)
    return figure


ARMS, PATIENTS = "weighted_arms.csv", "patient_weights.csv"


def write_weighted_arms(folder: Path, dataset: xr.Dataset, arms: list[PublishedArm]) -> pd.DataFrame:
    """Write the weights of a simulated trial; returns the table of its arms."""
    weighted = list(weigh_arms(dataset, arms))
    table = arms_table(weighted)
    metadata = {str(name): value for name, value in dataset.attrs.items()}
    write_table(table, folder / ARMS, metadata, digits="%.6g")
    write_table(patients_table(dataset, weighted), folder / PATIENTS, metadata, digits="%.8g")
    return table


def arms_table(arms: Sequence[WeightedArm]) -> pd.DataFrame:
    """One row for each arm, visit and replicate: patients, effective patients, each moment as published and simulated
    without weights, and why there are no weights where there are none."""
    rows = []
    for weighted in arms:
        arm, count = weighted.arm, len(weighted.patients)
        row: dict[str, object] = {
            "trial": arm.trial,
            "replicate": weighted.replicate,
            "arm": arm.arm,
            "scale": arm.scale,
        }
        row |= {"visit": arm.visit, "patients": count, "effective": weighted.effective_size}
        row |= {"effective_share": weighted.effective_size / count if count else float("nan")}
        for name in (name for name in MOMENTS if name in arm.moments):
            row |= {name: arm.moments[name], f"simulated {name}": weighted.simulated[name]}
        rows.append(row | {"reason": weighted.reason, "evidence": ";".join(arm.evidence)})
    table, texts = pd.DataFrame(rows), ["reason", "evidence"]
    return table[[*table.columns.difference(texts, sort=False), *texts]]


def patients_table(dataset: xr.Dataset, arms: Sequence[WeightedArm]) -> pd.DataFrame:
    """One row for each patient and published arm, with CDISC names: REPLIC, USUBJID, TRTP, PARAMCD, AVISIT, WEIGHT."""
    numbers = dataset["patient"].values
    tables = [
        pd.DataFrame(
            {
                "REPLIC": arm.replicate, "USUBJID": [f"{arm.replicate}-{numbers[i]}" for i in arm.patients],
                "TRTP": arm.arm.arm, "PARAMCD": arm.arm.scale, "AVISIT": arm.arm.visit, "WEIGHT": arm.weights,
            }
        )
        for arm in arms
        if arm.weights.size
    ]  # fmt: skip
    empty = pd.DataFrame(columns=["REPLIC", "USUBJID", "TRTP", "PARAMCD", "AVISIT", "WEIGHT"])
    return pd.concat(tables, ignore_index=True) if tables else empty


def shown_weighted_arms(table: pd.DataFrame) -> pd.DataFrame:
    """The first replicate for the terminal."""
    first_replicate = table[table["replicate"] == table["replicate"].iloc[0]]
    return first_replicate[["arm", "visit", "patients", "effective", "effective_share", "reason"]]
