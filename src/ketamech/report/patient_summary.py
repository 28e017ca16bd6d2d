"""A page for patients and clinicians, HTML or PDF: setting, results, limits, sources, and that it is no advice."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ketamech.core.constants import DISCLAIMER
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.units import time_text
from ketamech.report.number_format import number
from ketamech.report.page_templates import counts, plain_words, render
from ketamech.report.palette import CONTROL_COLOUR, NOTE_COLOUR, PAGE_GRID_COLOUR, TEXT_COLOUR, WARNING_COLOUR
from ketamech.report.run_description import RunDescription
from ketamech.report.run_folder import RunReport
from ketamech.report.style import POINTS, SETTINGS, log_time_axis
from ketamech.report.summary import EXTREMUM, SummaryRow, curve_values, drug_values
from ketamech.report.text_width import wrapped
from ketamech.report.tracks import DIRECTORY, Track, load_groups, load_tracks

MAX_PAPERS, MAX_TREATMENTS, MAX_SETTINGS = 14, 4, 6
HOW_TO_READ = (
    "Line: simulated. Dashed: the same visits without the drug. Dots: published; hollow dots are converted from"
    " animals or another scale."
)
WARNING = (
    "This page is computed by a research model for one typical, virtual person. It is not medical advice, not a"
    " prescription, and not a prediction for you. Talk to your doctor before you start, change or stop a treatment."
)
LIMITS = (
    "One typical person is shown; real people differ widely, and some do not respond at all.",
    "Most steps between the receptor and the mood were never measured in people.",
    "Not in the model: dependence, bladder damage, pregnancy, children, most other medicines and illnesses.",
)
TABLE = DIRECTORY / "patient_page.csv"
PANELS = 4
MIN_TICK_RATIO = 10.0  # labels of closer ticks overlap
PANEL_LEFT, PANEL_RIGHT, PANEL_GAP, TITLE_SHARE = 0.09, 0.97, 0.09, 0.30  # of the sheet; of a row
LEFT, RIGHT, TOP, BOTTOM, LINE, GAP = 0.06, 0.95, 0.965, 0.045, 1.42, 0.007


@dataclass(frozen=True)
class PatientSummary:
    """The texts of the page, in order."""

    title: str
    simulated: tuple[str, ...]
    results: tuple[str, ...]
    limits: tuple[str, ...]
    papers: tuple[str, ...]
    papers_left_out: int


def patient_summary(report: RunReport) -> PatientSummary:
    """The texts of the page from the report of a run."""
    lines = {line.key: line for line in reversed(report.lines) if line.is_primary}
    run = report.run
    end = float(report.dataset.variables["time"].values[-1])
    assumed = {status: count for status, count, _ in counts(report.used)}.get("assumed", 0)
    share = f"{assumed} of the {len(report.used)} values behind these curves are assumed, the others come from papers."
    papers = sorted(report.papers, key=lambda paper: (not paper["drawn"], paper["citation"]))
    return PatientSummary(
        run.title,
        tuple(plain_words(_short(run), end, _first_settings(report.provenance["changed_parameters"]))),
        tuple(_results(lines)),
        (*LIMITS, share),
        tuple(paper["citation"] for paper in papers[:MAX_PAPERS]),
        max(0, len(papers) - MAX_PAPERS),
    )


def _short(run: RunDescription) -> RunDescription:
    """The description with at most MAX_TREATMENTS treatments."""
    treatments, n_more = run.treatments[:MAX_TREATMENTS], len(run.treatments) - MAX_TREATMENTS
    return replace(run, treatments=(*treatments, f"and {n_more} more treatments")) if n_more > 0 else run


def _first_settings(changed: Mapping[str, str]) -> dict[str, str]:
    """Changed parameters as text, at most MAX_SETTINGS."""
    settings = dict(_setting_text(name, value) for name, value in changed.items())
    shown, n_more = dict(list(settings.items())[:MAX_SETTINGS]), len(settings) - MAX_SETTINGS
    return {**shown, f"and {n_more} more": "in the scenario file"} if n_more > 0 else shown


def _setting_text(name: str, value: str) -> tuple[str, str]:
    """pathway.habenula, '0 1 (usually 1)' -> habenula pathway, off."""
    kind, label = name.split(".", 1)[0], name.split(".", 1)[-1].replace("_", " ")
    if kind == "pathway":
        return f"{label} pathway", "off" if value.startswith("0 ") else "on"
    return label if kind in ("person", "perturbation") else name, value.replace(" 1 (", " (")


@cache
def small_tracks() -> list[CsvRow]:
    """The tracks of the page, in order."""
    return read_table(TABLE, ("track", "kind", "sentence", "panel"))


def _results(lines: Mapping[str, SummaryRow]) -> list[str]:
    """The results as sentences: exposure, receptor block, scores, adverse effects."""
    sentences = []
    for row in small_tracks():
        line = lines.get(row["track"])
        if line is None or not row["sentence"] or (row["kind"] == "exposure" and not line.moved):
            continue
        words = line.in_words() if line.moved else "no relevant change"
        sentences.append(row["sentence"].format(_score(line) if row["kind"] == "score" else words))
    return sentences


def _score(line: SummaryRow) -> str:
    if not line.moved:
        return f"stays at {number(line.baseline)}"
    extreme = "highest" if line.rises else "lowest"
    text = f"{number(line.baseline)} before, {extreme} {number(line.extremum)} after {time_text(line.extremum_time)}"
    gap = line.difference.get(EXTREMUM)
    text += f" ({number(line.extremum - gap)} with the same visits and no drug)" if gap is not None else ""
    week_value = line.values_at.get("7 d")
    text += f"; {number(week_value)} after a week" if week_value is not None else ""
    return f"{text}; {number(line.values_at['end'])} at the end"


def patient_summary_html(report: RunReport) -> str:
    """The page as one HTML file with inline figures; it prints on one A4 page."""
    figure = sheet(7.2, 4.3)
    draw_panels(figure, report, top=0.99, bottom=0.03)
    buffer = io.StringIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    return render(
        "patient_summary.html.j2", page=patient_summary(report), warning=WARNING, how=HOW_TO_READ,
        picture=svg[svg.index("<svg") :],
    )  # fmt: skip


def patient_summary_pdf(report: RunReport) -> bytes:
    """The page as PDF, A4."""
    page, figure = patient_summary(report), sheet(8.27, 11.69)
    writer = Sheet(figure)
    writer.line(page.title, size=15 if len(writer.lines_of(page.title, 15, "bold")) <= 2 else 11, weight="bold")
    writer.line(WARNING, size=8.8, colour=WARNING_COLOUR)
    writer.at -= GAP
    for text in page.simulated:
        writer.line(text)
    top = writer.at - 0.012
    draw_panels(figure, report, top=top, bottom=top - 0.37)
    writer.at = top - 0.375
    writer.line(HOW_TO_READ, size=7.6, colour=NOTE_COLOUR)
    for title, lines in (("What happens", page.results), ("Limits", page.limits)):
        writer.head(title)
        for text in lines:
            writer.line(f"• {text}")
    writer.head("Sources")
    remark = f"; and {page.papers_left_out} more in the full report" if page.papers_left_out else ""
    writer.line("; ".join(page.papers) + remark + ".", size=7.4)
    figure.text(0.06, 0.02, DISCLAIMER, size=8, weight="bold")
    buffer = io.BytesIO()
    info = {"Title": page.title, "Subject": DISCLAIMER, "CreationDate": None, "Creator": "KetaMech", "Producer": None}
    figure.savefig(buffer, format="pdf", metadata=info)
    return buffer.getvalue()


def draw_panels(figure: Figure, report: RunReport, *, top: float, bottom: float) -> None:
    """Four panels between two heights of the page (fractions)."""
    width, row = (PANEL_RIGHT - PANEL_LEFT - PANEL_GAP) / 2, (top - bottom) / 2
    with matplotlib.rc_context(SETTINGS):
        for i, key in enumerate(_shown(report)):
            left = PANEL_LEFT + (i % 2) * (width + PANEL_GAP)
            row_bottom = top - (i // 2 + 1) * row
            axes = figure.add_axes((left, row_bottom + 0.12 * row, width, row * (1 - TITLE_SHARE)))
            _panel(axes, load_tracks()[key], report)


def _shown(report: RunReport) -> list[str]:
    """Four tracks, if possible those that change, in order of the table; displayed in track order."""
    moved = {line.key for line in report.lines if line.moved} | {"mood"}
    first, second = (
        [row["track"] for row in small_tracks() if row["panel"] == choice] for choice in ("first", "second")
    )
    selected = [*(key for key in (*first, *second) if key in moved), *(key for key in first if key not in moved)][
        :PANELS
    ]
    return [key for key in load_tracks() if key in selected]


def _panel(axes: Axes, track: Track, report: RunReport) -> None:
    run, dataset = report.run, report.dataset
    series = track.present(dataset)[0]
    y = curve_values(series, track, dataset, drug_values(report.model.parameters))
    hours = dataset.variables["time"].values - run.first_dose_time
    is_shown = hours >= 1 / 60 - 1e-6
    colour = load_groups()[track.group].colour
    axes.plot(hours[is_shown], y[run.index_of_main][is_shown], color=colour, lw=1.6, label="with the drug")
    if run.index_of_control is not None and np.ptp(y[run.index_of_control]) > 0:
        control, label = y[run.index_of_control][is_shown], "same visits, no drug"
        axes.plot(hours[is_shown], control, color=CONTROL_COLOUR, lw=1.1, ls=(0, (4, 2)), label=label)
    _points(axes, track, series.outputs, report)
    last = max(1.0, float(hours[-1]))
    log_time_axis(axes, 1 / 60, last, min_ratio=MIN_TICK_RATIO, long=True)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=PAGE_GRID_COLOUR, linewidth=0.6)
    axes.set_title(f"{track.label}, {track.unit}", size=8.5, loc="left", weight="bold")
    if len(axes.get_lines()) > 1 and track.key == "mood":
        axes.legend(fontsize=6.5, frameon=False, loc="lower left")


def _points(axes: Axes, track: Track, outputs: str, report: RunReport) -> None:
    """Published points of this curve; filled if measured in humans."""
    if track.display_mode != "unit" or isinstance(track.scale, str):
        return
    for point in (p for p in report.points if p.output == outputs and p.shape == "point" and math.isfinite(p.value)):
        fill = "white" if point.translated else TEXT_COLOUR
        axes.plot(point.start, point.value, "o", ms=3.5, color=TEXT_COLOUR, mfc=fill, mew=0.8)


def sheet(width: float, height: float) -> Figure:
    """An empty page; sizes in inches."""
    with matplotlib.rc_context(SETTINGS):
        return Figure(figsize=(width, height))


@dataclass
class Sheet:
    """Writes lines from top to bottom; `at`: height of the next line, 1 to 0. Lines below the margin are left out."""

    figure: Figure
    at: float = TOP

    def lines_of(self, text: str, size: float, weight: str = "normal") -> list[str]:
        """The lines of a text that fit the width of the page."""
        printable_text = "".join(letter for letter in text if letter.isprintable())
        width = (RIGHT - LEFT) * self.figure.get_figwidth() * POINTS
        return wrapped(printable_text, width, size, bold=weight == "bold")

    def line(self, text: str, *, size: float = 9.2, colour: str = TEXT_COLOUR, weight: str = "normal") -> None:
        """A wrapped paragraph."""
        page_height = self.figure.get_figheight() * POINTS
        for part in self.lines_of(text, size, weight):
            if self.at < BOTTOM:
                return
            shown = part.replace("$", r"\$")
            self.figure.text(LEFT, self.at, shown, size=size, color=colour, weight=weight, va="top")
            self.at -= size * LINE / page_height

    def head(self, text: str) -> None:
        """A heading."""
        self.at -= GAP
        self.line(text, size=10.8, weight="bold")
