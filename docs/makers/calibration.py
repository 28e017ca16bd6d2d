"""The page on the calibration: how the sampler, the prior, the data and the weighted arms stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ketamech.calibration.calibration_problem import load_estimated
from ketamech.calibration.clinical_targets import DIRECTORY
from ketamech.calibration.prior_sensitivity import THRESHOLD
from ketamech.calibration.simulation_based_calibration import DRAWS, mean_coverage
from ketamech.core.constants import DISCLAIMER, Z95
from ketamech.report import calibration_report as tables
from ketamech.report.calibration_report import ARMS, draw_gains, draw_ranks
from ketamech.report.number_format import number
from ketamech.trials.posterior_draws import load_posterior, posterior_hash
from makers.markdown import NOTICE, code, table

CALIBRATE, WEIGH = "`ketamech calibrate --sbc 100`", "`ketamech trial all --weight-to-published`"
MISSING = "Not computed for the shipped posterior `{mark}`: {command}."

SENSITIVITY = f"""Prior and likelihood are raised to powers slightly above and below 1 and the draws reweighted
(power-scaling, Kallioinen 2023). The number is the distance between the marginal distributions per doubling of the
power; {THRESHOLD:g} is that of a normal distribution whose mean moves by a quarter of its standard deviation. *Own
prior*: only the prior of this parameter is scaled."""

SIMULATED = """Parameters are drawn from the prior within the region where the emulator is used, data from the emulator
with the noise of the likelihood, and the same sampler with a shorter chain is used on each data set. The rank of the
true value among {draws} draws is uniform if sampler and likelihood are right. *p*: of the distribution function of the
ranks, and of the chi-square test; uniform means that the first is above 0.05 divided by the number of parameters.
*Coverage* of the central 90 % interval with its exact 95 % limits. The error of the emulator is not tested."""

DIRECTIONS = """Independent combinations of the pathway gains (eigenvectors of the posterior covariance of their
logarithms in units of the prior), best known first; all other parameters are integrated out. The SD is relative to the
prior: 1 means that the trials say nothing."""

WEIGHTED = """Weights of the virtual patients of each arm with which baseline, score or change (mean and SD) and the
share of responders are the published ones, with the least change of the population (exponential tilting). An arm that
needs few effective patients is one whose published distribution the simulated population hardly contains; *refused*
means that no weights meet it, or fewer than 10 effective patients."""


def write_calibration(folder: Path) -> dict[str, str]:
    """{page: Markdown} of the calibration; pictures are written into `folder`."""
    draws = load_posterior()
    folder.mkdir(parents=True, exist_ok=True)
    lines = [NOTICE, "", "# Diagnostics of the calibration", "", DISCLAIMER, ""]
    lines += [f"Posterior `{posterior_hash(draws)}`, {len(draws)} draws; made by {CALIBRATE}.", ""]
    lines += ["## Sampler and estimates", "", *_estimates()]
    lines += ["## Sensitivity to prior and data", "", SENSITIVITY, "", *_sensitivity(draws)]
    lines += ["## Directions of the pathway gains", "", DIRECTIONS, "", *_directions(draws, folder)]
    lines += ["## Inference on simulated data", "", *_simulated(draws, folder)]
    lines += ["## Virtual patients weighted to published arms", "", WEIGHTED, "", *_weighted(draws)]
    return {"credibility/calibration": "\n".join(lines) + "\n"}


def _estimates() -> list[str]:
    rows = pd.read_csv(DIRECTORY / "proposed.csv", comment="#")
    worst, slowest = rows["R_hat"].max(), rows["autocorrelation"].max()
    sizes = ""
    if "ESS_bulk" in rows:  # not in a table of an earlier calibration
        sizes = f"effective sample size at least {number(rows['ESS_bulk'].min())} in the bulk and "
        sizes += f"{number(rows['ESS_tail'].min())} in the tails, "
    lines = [f"R-hat at most {worst:.3f}, {sizes}autocorrelation at most {number(slowest)} steps of the chain."]
    lines += [
        "How each trial was left out: [Pareto k of every trial](../../trials-scorecard.md#how-trials-were-left-out).",
        "",
    ]
    head = ("parameter", "unit", "median", "95 %", "narrower than the prior", "R-hat", "goes with", "correlation")
    cells = [
        (code(row["parameter"]), row["unit"], number(row["median"]), f"{number(row['low'])} to {number(row['high'])}",
         f"{100 * row['narrower_than_prior']:.0f} %", f"{row['R_hat']:.3f}", code(row["goes_with"]),
         f"{row['correlation']:.2f}")
        for row in rows.to_dict("records")
    ]  # fmt: skip
    return [*lines, *table(head, cells)]


def _missing(draws: list[dict[str, float]], command: str) -> list[str]:
    return [MISSING.format(mark=posterior_hash(draws), command=command), ""]


def _sensitivity(draws: list[dict[str, float]]) -> list[str]:
    rows = tables.load_diagnostic(DIRECTORY, tables.SENSITIVITY, draws)
    if rows is None:
        return _missing(draws, CALIBRATE)
    head = ("parameter", "to the prior", "to its own prior", "to the likelihood", "diagnosis", "Pareto k")
    numbers = ("prior", "own_prior", "likelihood")
    cells = [
        (code(row["parameter"]), *(f"{row[name]:.3f}" for name in numbers), row["diagnosis"], f"{row['pareto_k']:.2f}")
        for row in rows.to_dict("records")
    ]
    return table(head, cells)


def _directions(draws: list[dict[str, float]], folder: Path) -> list[str]:
    rows = tables.load_diagnostic(DIRECTORY, tables.DIRECTIONS, draws)
    if rows is None:
        return _missing(draws, CALIBRATE)
    gains = [p for p in load_estimated() if p.gain_unit]
    logs = np.array([[np.log(draw[p.name] / p.prior_median) / p.prior_log_sd for p in gains] for draw in draws])
    draw_gains(folder, [p.gain_unit for p in gains], logs)
    lines = [*(f"{k}. {sentence}" for k, sentence in enumerate(rows["sentence"], 1)), ""]
    loadings = [f"loading of {p.gain_unit}" for p in gains]
    head = ("", "SD", *(p.gain_unit for p in gains))
    cells = [
        (k, f"{row['sd']:.2f}", *(f"{row[name]:.2f}" for name in loadings))
        for k, row in enumerate(rows.to_dict("records"), 1)
    ]
    return [*lines, *table(head, cells), "![Pairs of pathway gains](pathway_gains.svg)", ""]


def _simulated(draws: list[dict[str, float]], folder: Path) -> list[str]:
    rows, ranks = (tables.load_diagnostic(DIRECTORY, name, draws) for name in (tables.UNIFORMITY, tables.RANKS))
    if rows is None or ranks is None:
        return _missing(draws, CALIBRATE)
    draw_ranks(folder, ranks)
    uniform, count = int(rows["uniform"].sum()), int(rows["data_sets"].iloc[0])
    lines = [SIMULATED.format(draws=DRAWS), "", f"{count} data sets: the ranks of {uniform} of {len(rows)}"]
    mean, error = mean_coverage(ranks.to_numpy())
    limits = f"{100 * (mean - Z95 * error):.1f} to {100 * (mean + Z95 * error):.1f}"
    lines += [f"parameters are uniform; the mean coverage of all is {100 * mean:.1f} % ({limits}).", ""]
    head = ("parameter", "p", "p, chi-square", "uniform", "coverage of 90 %", "mean rank")
    cells = [
        (code(row["parameter"]), number(row["ecdf_p"]), number(row["chi_square_p"]),
         "yes" if row["uniform"] else "**no**",
         f"{100 * row['coverage']:.0f} % ({100 * row['coverage_low']:.0f} to {100 * row['coverage_high']:.0f})",
         f"{row['mean_rank']:.2f}")
        for row in rows.to_dict("records")
    ]  # fmt: skip
    return [*lines, *table(head, cells), "![Distribution functions of the ranks](simulated_ranks.svg)", ""]


def _weighted(draws: list[dict[str, float]]) -> list[str]:
    rows = tables.load_diagnostic(DIRECTORY, ARMS, draws)
    if rows is None:
        return _missing(draws, WEIGH)
    head = ("trial", "arm", "visit", "published (simulated without weights)", "patients", "effective")
    return table(head, arm_lines(rows))


def arm_lines(rows: pd.DataFrame) -> list[tuple[object, ...]]:
    """The rows of a table of arms as text: trial, arm, visit, moments, patients, effective patients."""
    lines: list[tuple[object, ...]] = []
    for row in rows.to_dict("records"):
        names = [str(name) for name in row if f"simulated {name}" in row and row[name] == row[name]]
        moments = [f"{name} {number(row[name])} ({number(row[f'simulated {name}'])})" for name in names]
        share = f"{row['effective']:.0f} ({100 * row['effective_share']:.0f} %)"
        effective = share if row["effective"] else "**refused**"
        lines.append((row["trial"], row["arm"], row["visit"], "; ".join(moments), row["patients"], effective))
    return lines
