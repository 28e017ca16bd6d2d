"""The claims as an HTML page, a table and a Markdown page: statement, test in the model, evidence and verdict."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ketamech.analysis.claims import (
    SIDES,
    UNITS_OF_STUDIES,
    VERDICTS,
    ClaimResult,
    EvidenceItem,
    FigurePoint,
    Rule,
    TestResult,
    load_rule,
    load_rule_variants,
)
from ketamech.analysis.robustness import ASSUMPTION_LABEL, load_robustness, percent
from ketamech.core.atomic_files import atomic_write
from ketamech.core.units import DAY, time_text
from ketamech.evidence import Reference, load_evidence
from ketamech.exchange.result_metadata import write_table
from ketamech.report.number_format import number, plain
from ketamech.report.page_templates import render
from ketamech.report.svg_canvas import Canvas
from ketamech.report.time_axis import Frame, TimeScale, enclosing_steps
from ketamech.simulation.observable import value_of

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 36
MAX_POINTS = 160
EVEN_POINTS = 80
LABEL_SIZE = 12.5
DASHES = ((), (2.7, 1.5), (4.2, 1.2, 0.8, 1.2), (1.2, 1.2), (5.4, 1.5), (0.8, 1.9))  # in line widths
Curve = tuple[np.ndarray, np.ndarray]  # hours, values


@dataclass(frozen=True)
class CurveKey:
    """One curve: its label, a sample of its line and a description."""

    label: str
    sample: Canvas
    words: str


@dataclass(frozen=True)
class Mark:
    """A published value on the figure: its tooltip; hollow if not measured in humans."""

    title: str
    hollow: bool


@dataclass(frozen=True)
class Drawing:
    """The figure of one claim; `canvas` has a group for each curve, with the published values of its arm."""

    canvas: Canvas
    frame: Frame
    keys: list[CurveKey]
    marks: list[Mark]
    table: list[list[str]]
    alternative: str


def draw(answer: ClaimResult) -> Drawing:
    """Draw the curves of this run and the published points."""
    figure, canvas = answer.claim.figure, Canvas(WIDTH, HEIGHT)
    curves = {label: _curve(answer, arm) for label, arm in figure.curves.items()}
    frame = _axes(answer, curves, canvas)
    for i, (label, (hours, values)) in enumerate(curves.items()):
        with canvas.group(data_curve=i):
            canvas.line(frame.x(hours), frame.y(values), **_style(i), title=label)
    marks = [
        _mark(point, frame, canvas, list(figure.curves.values()).index(point.arm)) for point in answer.claim.points
    ]
    keys = [CurveKey(label, _sample(i), _words(*curve)) for i, (label, curve) in enumerate(curves.items())]
    text = ". ".join(f"{key.label}: {key.words}" for key in keys)
    moments = [DAY * day for day in frame.time_scale.ticks()[0]]
    words = f"Model, {figure.axis}, {time_text(figure.start)} to {time_text(figure.end)}. {text}."
    return Drawing(canvas, frame, keys, marks, _table(curves, moments), words)


def _style(curve: int) -> dict[str, Any]:
    """Colour (of the style of the page), width and dashes of a curve."""
    return {"colour": f"var(--c{curve})", "width": 2.6, "dash": DASHES[curve]}


def _sample(curve: int) -> Canvas:
    canvas = Canvas(36, 10)
    canvas.line((1, 35), (5, 5), **_style(curve))
    return canvas


def _curve(answer: ClaimResult, arm: str) -> Curve:
    """Hours and values between the ends of the figure: output times, thinned, and even steps between them."""
    figure, curves = answer.claim.figure, answer.arms[arm]
    output_hours = curves.time[(curves.time > figure.start) & (curves.time < figure.end)]
    even_hours = np.linspace(figure.start, figure.end, EVEN_POINTS)
    hours = np.union1d(even_hours, output_hours[:: max(1, len(output_hours) // MAX_POINTS)])
    values = np.asarray(value_of(figure.output, curves.outputs), dtype=float)
    return hours, np.interp(hours, curves.time, values)


def _values(point: FigurePoint) -> list[float]:
    """Published value, low and high in the unit of the axis; the value where no spread is printed."""
    row = point.row
    published_values = (row.value, row.spread.low, row.spread.high)
    return [point.plotted_value(row.value if number is None else number) for number in published_values]


def _mark(point: FigurePoint, frame: Frame, canvas: Canvas, curve: int) -> Mark:
    """Draw a published value and its spread."""
    values, colour = _values(point), f"var(--c{curve})"
    mark = Mark(f"{point.row.id}: {number(values[0])}. {point.why}", point.row.species != "human")
    x, (y, low, high) = frame.at(point.hours), frame.y(np.array(values)).tolist()
    with canvas.group(data_curve=curve):
        canvas.segments([(x, low, x, high)], colour=colour, width=1.8)
        fill = "var(--paper)" if mark.hollow else colour
        canvas.mark(x, y, size=8, fill=fill, edge=colour, width=1.8, title=mark.title)
    return mark


def _axes(answer: ClaimResult, curves: Mapping[str, Curve], canvas: Canvas) -> Frame:
    """Draw the axes; the frame contains every curve and published value."""
    all_values = np.concatenate([*(values for _, values in curves.values()), *map(_values, answer.claim.points)])
    low, high = float(np.nanmin(all_values)), float(np.nanmax(all_values))
    margin = 0.06 * (high - low) or 0.1
    steps = enclosing_steps(low - (0 if low == 0 else margin), high + (0 if high == 0 else margin))
    plot = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    frame = Frame(LEFT, TOP, *plot, TimeScale(False, answer.claim.figure.end), steps[0], steps[-1])
    frame.draw_axes(canvas, axis="var(--grid)", grid="var(--grid)", size=LABEL_SIZE)
    for value in steps:
        y = float(frame.y(value))
        canvas.segments([(LEFT, y, frame.right, y)], colour="var(--grid)" if value else "var(--quiet)", width=1)
        canvas.text(LEFT - 6, y, plain(value), size=LABEL_SIZE, anchor="right", edge="center")
    canvas.text(frame.right, HEIGHT - 4, "time after the start", size=LABEL_SIZE, anchor="right")
    return frame


def _words(hours: np.ndarray, values: np.ndarray) -> str:
    if not np.isfinite(values).all():
        return "could not be solved"
    first, last = values[0], values[-1]
    index = int(np.argmax(np.abs(values - first)))
    if abs(values[index] - first) < 1e-6:
        return f"stays at {number(float(first))}"
    return (
        f"from {number(float(first))} to {number(float(values[index]))} after {time_text(float(hours[index]))}, "
        f"{number(float(last))} at the end"
    )


def _table(curves: Mapping[str, Curve], moments: list[float]) -> list[list[str]]:
    """Values at the ticks: one row per time, one column per curve."""
    rows = ([time_text(hour), *(number(float(np.interp(hour, *c))) for c in curves.values())] for hour in moments)
    return [["After", *curves], *rows]


def write_claims(
    folder: Path | str, answers: Mapping[str, ClaimResult], metadata: Mapping[str, object] | None = None
) -> list[Path]:
    """Write `claims.html` (one self-contained file) and `claims.csv`, with `metadata`; returns their paths."""
    page, table = Path(folder) / "claims.html", Path(folder) / "claims.csv"
    atomic_write(page, claims_page(answers).encode())
    write_table(pd.DataFrame(claim_rows(answers)), table, metadata or {})
    return [page, table]


def claims_page(answers: Mapping[str, ClaimResult]) -> str:
    """The claims page as HTML."""
    rule, why = load_rule()
    counts = {verdict: sum(answer.verdict.verdict == verdict for answer in answers.values()) for verdict in VERDICTS}
    return render(
        "claims.html.j2",
        cards=[_card(answer, rule) for answer in answers.values()],
        counts=counts,
        rule=[(name, number(value), why[name]) for name, value in rule.values.items()],
        test_result_text=test_result_text,
        variants=list(load_rule_variants(rule)),
    )


def claim_rows(answers: Mapping[str, ClaimResult]) -> list[dict[str, object]]:
    """One row per claim: statement, verdict, model result, weights and steadiness of the verdict."""
    return [
        {
            "claim": name, "statement": answer.claim.statement, "verdict": answer.verdict.verdict,
            "model": model_result(answer), "for": answer.verdict.weight_for, "against": answer.verdict.weight_against,
            "model_and_evidence": answer.agreement, "same_verdict": f"{answer.n_same_verdict}/{answer.n_rule_variants}",
            "model_holds_in": robustness_text(name),
        }
        for name, answer in answers.items()
    ]  # fmt: skip


def robustness_text(claim: str) -> str:
    """Percent of parameter sets with the same result of the model, with the mark below 90 %; empty if unknown."""
    row = load_robustness().claim(claim)
    return row.text if row else ""


def model_result(answer: ClaimResult) -> str:
    """Shown or not shown."""
    return "shown" if answer.shown else "not shown"


def test_result_text(result: TestResult) -> str:
    """The value of a test and its bound as text."""
    unit = "" if result.unit == "1" else f" {result.unit}"
    bound = plain(result.test.bound)
    return f"{number(result.value)}{unit}; to pass: {'below' if result.test.relation == '<' else 'above'} {bound}"


@dataclass(frozen=True)
class QuotedEvidence:
    """Rows of one paper with the same statement: statement, ids and weight."""

    item: EvidenceItem
    ids: tuple[str, ...]
    weight: str
    paper: Reference

    @property
    def kind(self) -> str:
        """Kind of study, weight, number of persons, and whether the row is from memory or set a value of the model."""
        row = self.item.row
        counted_unit = f" {row.unit}" if row.unit in UNITS_OF_STUDIES else ""
        persons = f", n = {row.n_text}{counted_unit}" if row.n_text else ""
        recalled = ", from memory" if row.is_recalled else ""
        fitted = ", also used to fit the model" if self.item.is_fitted else ""
        return f"{self.item.strength}, weight {self.weight}{persons}{recalled}{fitted}"


def quoted_evidence(items: Iterable[EvidenceItem], rule: Rule) -> list[QuotedEvidence]:
    """Evidence in table order; rows of one paper with the same statement are combined."""
    references = load_evidence().references
    groups: dict[tuple[str, str, str], list[EvidenceItem]] = defaultdict(list)
    for item in items:
        groups[(item.why, item.row.reference, item.strength)].append(item)
    lines = []
    for (_, paper, _), rows in groups.items():
        first = max(rows, key=rule.weight)
        ids = tuple(item.row.id for item in rows)
        lines.append(QuotedEvidence(first, ids, f"{rule.weight(first):g}", references[paper]))
    return lines


def _card(answer: ClaimResult, rule: Rule) -> dict[str, object]:
    sides = [(side, quoted_evidence(answer.claim.evidence_of_side(side), rule)) for side in SIDES]
    return {
        "claim": answer.claim, "judgement": answer.verdict, "answer": answer, "model": model_result(answer),
        "drawing": draw(answer), "sides": sides, "robustness": load_robustness().claim(answer.claim.id),
    }  # fmt: skip


def _robustness_lines(claim: str) -> list[str]:
    row = load_robustness().claim(claim)
    if row is None:
        return []
    share = "no result" if math.isnan(row.holds_share) else f"{percent(row.holds_share)} %"
    consequence = f": a {ASSUMPTION_LABEL}" if row.is_consequence else ""
    stops = f" It depends on {row.where_it_stops}." if row.where_it_stops else ""
    return [
        f"The model gives this result in {share} of {row.results:,.0f} sets of assumed values{consequence}.{stops}",
        "",
    ]


def claim_in_full(answer: ClaimResult, rule: Rule) -> str:
    """Statement, verdict, tests and evidence of one claim as Markdown."""
    claim, verdict = answer.claim, answer.verdict
    lines = [f"“{claim.statement}”", f"Encountered in: {claim.encountered_as}. Stage: {claim.stage}. {claim.note}", ""]
    same = f"{answer.n_same_verdict} of {answer.n_rule_variants}"
    lines += [f"Verdict: **{verdict.verdict}** ({verdict.reason}; the same under {same} "
              "alternative rules)", f"Model: **{model_result(answer)}**", ""]  # fmt: skip
    lines += [*_robustness_lines(claim.id)]
    lines += [
        f"- {'yes' if result.passed else 'no'}: {result.test.description}"
        f" ({test_result_text(result)}; arm `{result.test.arm}`)"
        for result in answer.test_results
    ]
    for side in SIDES:
        lines += ["", f"Evidence {side}:", ""]
        items = [
            f"- {item.item.why} ({item.kind}). {item.paper.citation}: {', '.join(f'`{name}`' for name in item.ids)}"
            for item in quoted_evidence(claim.evidence_of_side(side), rule)
        ]
        lines += items or ["- no row in the evidence tables"]
    return "\n".join(lines)
