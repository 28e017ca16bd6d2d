"""Figures of a fit: measured against predicted, individual curves, deviations between people, predictive checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ketamech.core.constants import Z95
from ketamech.core.statistics import percentiles
from ketamech.fitting.diagnostics import PERCENTILES, VpcPanel, shrinkage
from ketamech.fitting.fit import Fit
from ketamech.fitting.individual_dose import BAND as DOSE_BAND
from ketamech.fitting.individual_dose import NOTE as RESEARCH
from ketamech.fitting.individual_dose import DoseFinder, FoundDose
from ketamech.fitting.predict import curve_sensitivities
from ketamech.nonmem.measurements import NOT_CENSORED
from ketamech.parameters.concentration_units import molar_masses
from ketamech.report.palette import BAND_GREY, CENSORED_COLOUR, OKABE_ITO, RULE_GREY, TEXT_COLOUR
from ketamech.report.style import draw, page, panel_page

MAX_PERSONS, CURVE_TIMES = 24, 150  # panels of individual fits; times of a curve
MAX_DOSED_PERSONS, SHOWN_RATIO = 8, 20.0  # persons in the figure of doses; range of doses about the dose that was found
MEASURED, BELOW, PERSON, GROUP = TEXT_COLOUR, RULE_GREY, OKABE_ITO[0], OKABE_ITO[1]


def draw_fit(folder: Path, fit: Fit, residuals: pd.DataFrame, panels: Sequence[VpcPanel]) -> list[tuple[str, str]]:
    """Write the figures of a fit as PNG and SVG; returns the name and the caption of each."""
    figures = [
        ("individual_fits", "Measurements (points) with the curve of the person and its 95 % interval (blue), and the "
         "curve of the population values (orange, dashed). Open triangles: below the limit of quantification.",
         lambda: individual_fits(fit)),
        ("goodness_of_fit", "Measurements against predictions of the population (PRED) and of the person (IPRED), "
         "weighted residuals and normalised prediction distribution errors, which are standard normal if the model "
         "describes the data.", lambda: goodness_of_fit(residuals)),
        ("parameters", "Parameters of the persons in SDs between people from the population value. Grey: the "
         "population.", lambda: deviations(fit)),
        ("predictive_check", "Visual predictive check: 5th, 50th and 95th percentile of the measurements (lines) "
         "and 95 % bands of the same percentiles in simulated groups.", lambda: predictive_check(panels)),
    ]  # fmt: skip
    if fit.draws is not None:
        figures.append(("chains", "Chains of the population medians, after the warm-up.", lambda: chains(fit)))
    if (residuals["censored"] != "").all():
        figures = [figure for figure in figures if figure[0] != "goodness_of_fit"]  # no value to compare with
    for name, _, make in figures:
        draw(folder, name, make)
    return [(name, caption) for name, caption, _ in figures]


def individual_doses(finder: DoseFinder, doses: Mapping[str, FoundDose]) -> Figure:
    """Each goal of each person over the dose: median and 90 % of the draws, the goal (dashed), the dose that was found.

    Grey: doses that meet all bounds.
    """
    shown = dict(list(doses.items())[:MAX_DOSED_PERSONS])
    title = f"Doses in '{finder.regimen}',\n{RESEARCH}"
    columns = len(finder.goals)
    figure, axes = panel_page(len(shown) * columns, columns, min(3.6 * columns + 1, 11), 2.5, title)
    panels = [(name, result, i) for name, result in shown.items() for i in range(columns)]
    for axis, (name, result, i) in zip(axes, panels, strict=True):
        goal = finder.goals[i]
        is_shown = (result.grid >= result.dose / SHOWN_RATIO) & (result.grid <= result.dose * SHOWN_RATIO)
        low, middle, high = percentiles(result.endpoints[i][is_shown], DOSE_BAND, axis=-1)
        axis.fill_between(result.grid[is_shown], low, high, color=PERSON, alpha=0.25, lw=0)
        axis.plot(result.grid[is_shown], middle, color=PERSON)
        if goal.endpoint.output in molar_masses():
            _axis_of_values(axis, middle)
        axis.axhline(goal.value, color=MEASURED, lw=0.8, ls="--")
        axis.axvline(result.dose, color=GROUP)
        if np.isfinite(result.window).all():
            edges = np.clip(result.window, result.grid[is_shown][0], result.grid[is_shown][-1])
            axis.axvspan(*edges, color=BELOW, alpha=0.15, lw=0)
        _logarithmic(axis.xaxis)
        axis.set_xlabel("dose, as in the regimen")
        axis.set_ylabel(goal.unit)
        axis.set_title(f"ID {name}: {goal.text}", fontsize=8)
    return figure


def predictive_check(panels: Sequence[VpcPanel]) -> Figure:
    """Panels of a visual predictive check."""
    title = "Visual predictive check" + (", prediction-corrected" if panels[0].corrected else "")
    figure, axes = panel_page(len(panels), min(2, len(panels)), 8.5, 3.4, title)
    for axis, panel in zip(axes, panels, strict=True):
        _predictive_panel(axis, panel)
    axes[0].legend(frameon=False, fontsize=7)
    return figure


def _predictive_panel(axes: Axes, panel: VpcPanel) -> None:
    for i, share in enumerate(PERCENTILES):
        colour = PERSON if share == 50 else OKABE_ITO[5]
        label = "simulated, 95 % band" if share == 50 else None
        low, _, high = panel.simulated[i]
        axes.fill_between(panel.middle, low, high, color=colour, alpha=0.35, lw=0, label=label)
        style = "-" if share == 50 else "--"
        axes.plot(panel.middle, panel.observed[i], style, color=MEASURED, lw=1.3,
                  label="measured: 5, 50, 95 %" if share == 50 else None)  # fmt: skip
    is_observed = ~panel.is_censored
    axes.plot(panel.time[is_observed], panel.value[is_observed], "o", ms=2.5, color=MEASURED, alpha=0.35, mew=0)
    axes.plot(panel.time[~is_observed], panel.value[~is_observed], "v", ms=3, color=BELOW, alpha=0.6, mew=0)
    _axis_of_values(axes, panel.value[is_observed])
    axes.set_xlabel("TIME, h")
    axes.set_ylabel(panel.unit)
    axes.set_title(panel.label, fontsize=8)


def _axis_of_values(axes: Axes, values: np.ndarray) -> None:
    """A logarithmic axis for positive values that span more than a factor of 10."""
    if len(values) and values.min() > 0 and values.max() > 10 * values.min():
        _logarithmic(axes.yaxis)


def _logarithmic(axis: Any) -> None:
    """A logarithmic axis with plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
    axis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def goodness_of_fit(table: pd.DataFrame) -> Figure:
    """Measured against predicted, and residuals."""
    figure = page(10, 6.6, "Measured and predicted")
    axes = figure.subplots(2, 3)
    observed = table[table["censored"] == ""]
    for i, (output, rows) in enumerate(observed.groupby("output", sort=False)):
        point_style: dict[str, Any] = {
            "ms": 3,
            "alpha": 0.6,
            "mew": 0,
            "color": OKABE_ITO[i % len(OKABE_ITO)],
            "label": output,
        }
        for axis, (x, y) in zip(axes.ravel(), (("PRED", "DV"), ("IPRED", "DV"), ("IPRED", "IWRES"), ("TIME", "IWRES"),
                                               ("TIME", "NPDE")), strict=False):  # fmt: skip
            axis.plot(rows[x], rows[y], "o", **point_style)
    for axis, name in zip(axes[0, :2], ("PRED", "IPRED"), strict=True):
        _against_identity(axis, observed[name].to_numpy(), observed["DV"].to_numpy())
        units = " or ".join(dict.fromkeys(observed["unit"]))
        axis.set_xlabel(f"{name}, {units}")
        axis.set_ylabel(f"DV, {units}")
    for axis, (x, y) in zip((axes[0, 2], axes[1, 0], axes[1, 1]), (("IPRED", "IWRES"), ("TIME, h", "IWRES"),
                                                                    ("TIME, h", "NPDE")), strict=True):  # fmt: skip
        for level, style in ((0, "-"), (-Z95, ":"), (Z95, ":")):
            axis.axhline(level, color=BELOW, lw=0.8, ls=style)
        axis.set_xlabel(x)
        axis.set_ylabel(y)
    if observed["IPRED"].min() > 0:
        _logarithmic(axes[0, 2].xaxis)
    _normal_quantiles(axes[1, 2], observed["NPDE"].dropna().to_numpy())
    axes[0, 0].legend(frameon=False, fontsize=7)
    return figure


def _against_identity(axes: Axes, predicted: np.ndarray, measured: np.ndarray) -> None:
    values = np.concatenate([predicted, measured])
    low, high = float(values.min()), float(values.max())
    axes.plot([low, high], [low, high], color=BELOW, lw=0.8, zorder=0)
    if low > 0 and high > 5 * low:
        _logarithmic(axes.xaxis)
        _logarithmic(axes.yaxis)


def _normal_quantiles(axes: Axes, values: np.ndarray) -> None:
    """Quantiles of NPDE against those of a standard normal distribution."""
    from scipy.special import ndtri

    expected = ndtri((np.arange(len(values)) + 0.5) / max(len(values), 1))
    axes.plot(expected, np.sort(values), "o", ms=3, mew=0, color=PERSON, alpha=0.6)
    axes.plot([-3, 3], [-3, 3], color=BELOW, lw=0.8)
    axes.set_xlabel("normal quantile")
    axes.set_ylabel("NPDE")


def individual_fits(fit: Fit) -> Figure:
    """A panel per person and output with measurements and curves."""
    data = fit.data
    curves = _Curves(fit)
    pairs = [(i, number_of_output) for i in range(len(data.occasions)) for number_of_output in range(len(data.outputs))
             if ((data.column("occasion") == i) & (data.number == number_of_output)).any()]  # fmt: skip
    shown = pairs[:MAX_PERSONS]
    remark = f" (the first {MAX_PERSONS} of {len(pairs)})" if len(pairs) > MAX_PERSONS else ""
    columns = min(4, len(shown))
    figure, panels = panel_page(len(shown), columns, max(5.5, 2.7 * columns), 2.3 if columns > 1 else 3.6,
                                f"Individual fits{remark}")  # fmt: skip
    for axes, (occasion, number) in zip(panels, shown, strict=True):
        curves.draw(axes, occasion, number)
    panels[0].legend(frameon=False, fontsize=6)
    return figure


class _Curves:
    """Curves of the persons with their intervals, and of the population."""

    def __init__(self, fit: Fit) -> None:
        predictor = fit.predictor
        self.fit, self.times = fit, predictor.dense_times(CURVE_TIMES)
        self.values, slopes = curve_sensitivities(predictor, fit.mode, self.times)
        covariance = fit.person_covariance[fit.data.person_of_occasion]
        self.sd = np.sqrt(np.einsum("ontp,opq,ontq->ont", slopes, covariance, slopes))
        self.population = predictor.curves(fit.mean[None], self.times)[0].swapaxes(1, 2)

    def draw(self, axes: Axes, occasion: int, number: int) -> None:
        """One occasion and output."""
        data, output = self.fit.data, self.fit.data.outputs[number]
        index = self.fit.predictor.outputs.index(output.output)
        hours = data.occasions[occasion][1].begin + self.times[occasion]
        centre, sd, typical = (x[occasion, index] * output.factor for x in (self.values, self.sd, self.population))
        with np.errstate(all="ignore"):
            relative = np.exp(np.minimum(Z95 * sd / centre, 20.0))
        low, high = (centre / relative, centre * relative) if output.is_concentration else (
            centre - Z95 * sd, centre + Z95 * sd)  # fmt: skip
        axes.fill_between(hours, low, high, color=PERSON, alpha=0.25, lw=0)
        axes.plot(hours, centre, color=PERSON, lw=1.3, label="person")
        axes.plot(hours, typical, "--", color=GROUP, lw=1, label="population")
        mask = (data.column("occasion") == occasion) & (data.number == number)
        time, value, is_observed = data.column("time")[mask], data.value[mask], data.censored[mask] == NOT_CENSORED
        axes.plot(time[is_observed], value[is_observed], "o", ms=3.5, color=MEASURED, mew=0, label="measured")
        axes.plot(time[~is_observed], value[~is_observed], "v", ms=6, mfc="white", mec=CENSORED_COLOUR, mew=1, zorder=3)
        first, last = hours[0], float(time.max())
        axes.set_xlim(first - 0.02 * (last - first) - 1e-3, last + 0.05 * (last - first) + 1e-3)
        if output.is_concentration and (value > 0).all():
            _logarithmic(axes.yaxis)
            axes.set_ylim(0.3 * value.min(), 3 * max(value.max(), np.nanmax(centre)))
        axes.set_title(f"ID {data.occasions[occasion][0].name}: {output.output}, {output.unit}", fontsize=7)
        axes.set_xlabel("TIME, h", fontsize=6)
        axes.tick_params(labelsize=6)


def deviations(fit: Fit) -> Figure:
    """Histograms of the deviations of a group, or intervals of a few persons, in SDs between people."""
    count = len(fit.parameters)
    sd = np.sqrt(np.diag(fit.covariance))
    deviation = (fit.mode - fit.mean) / sd
    width = np.sqrt(np.diagonal(fit.person_covariance, axis1=1, axis2=2)) / sd
    figure, panels = panel_page(count, min(3, count), max(5.5, 3.1 * min(3, count)), 2.5, "Deviations between people")
    for j, (axes, parameter) in enumerate(zip(panels, fit.parameters, strict=True)):
        if len(fit.mode) >= 5:
            _histogram(axes, deviation[:, j])
            title = f"{parameter.name}\nshrinkage {100 * shrinkage(fit)[j]:.0f} %"
        else:
            _intervals(axes, deviation[:, j], width[:, j], [subject.name for subject in fit.data.persons])
            title = parameter.name
        axes.set_title(title, fontsize=7)
        axes.set_xlabel("SDs from the population value", fontsize=7)
    return figure


def _histogram(axes: Axes, values: np.ndarray) -> None:
    grid = np.linspace(-3.5, 3.5, 200)
    axes.hist(values, bins=np.linspace(-3.5, 3.5, 15).tolist(), density=True, color=PERSON, alpha=0.6)
    axes.plot(grid, np.exp(-0.5 * grid**2) / np.sqrt(2 * np.pi), color=BELOW, lw=1)


def _intervals(axes: Axes, values: np.ndarray, widths: np.ndarray, names: Sequence[str]) -> None:
    y = np.arange(len(values))
    axes.axvspan(-Z95, Z95, color=BAND_GREY, lw=0)
    axes.hlines(y, values - Z95 * widths, values + Z95 * widths, color=PERSON, lw=3)
    axes.plot(values, y, "o", color=GROUP, ms=4)
    axes.set_yticks(y, [f"ID {name}" for name in names], fontsize=7)
    axes.set_ylim(-0.7, len(values) - 0.3)


def chains(fit: Fit) -> Figure:
    """The draws of the population medians of each chain."""
    assert fit.draws is not None
    count = len(fit.parameters)
    figure, panels = panel_page(count, min(2, count), 8.5, 2.4, "Chains")
    for j, (axes, parameter) in enumerate(zip(panels, fit.parameters, strict=True)):
        for i, values in enumerate(fit.draws.coefficients[:, :, j]):
            axes.plot(parameter.shown(values), color=OKABE_ITO[i % len(OKABE_ITO)], lw=0.6, alpha=0.8)
        axes.set_title(f"{parameter.name}, {parameter.unit}", fontsize=7)
        axes.set_xlabel("draw", fontsize=7)
    return figure
