"""Published points for the curves of a run: same drug, dose, route and times, same measure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ketamech.analysis.reference_protocols import Protocol, load_protocols
from ketamech.analysis.scorecard_targets import Target, fitted_rows, load_targets
from ketamech.core import unit
from ketamech.dosing.dose_events import DoseEvent, without_expectancy
from ketamech.evidence import Evidence, Observation
from ketamech.report.run_description import OCCASION_GAP, RunDescription
from ketamech.simulation.curves import AnyCurves
from ketamech.simulation.ensemble import baseline_of
from ketamech.simulation.model import Model
from ketamech.simulation.observable import names_in, value_of

SAME_PERSON = ("person.asian", "person.japanese", "pathway.", "perturbation.")
MAX_AGE_DIFFERENCE = 15.0  # years
BASELINE_MEASURES = ("change", "fall", "rise")  # measures that count from the level before the dose
AT_REST = 1e-9  # canonical unit: a level before the dose below it is zero
MODEL_PARTS = {"change": "level", "fall": "level", "rise": "ratio", "of_rest": "ratio"}
SHAPE_OF_STATISTIC = {"at": "point", "max": "level", "min": "level", "mean": "span"}


@dataclass(frozen=True)
class PublishedPoint:
    """A published number in the unit of a simulated output. Hours count from the first treatment.

    `shape`: point (value at `start`), level (peak or trough value, drawn at the simulated time) or span
    (a mean from `start` to `end`). `translated`: not measured in humans, or compared by an assumption, or a difference
    from the control. `model_part`: what of the model its place contains (`part_of_model`). `fitted`: the number set a
    value of the model. `measure_text`: the steps from the number to its place, empty where it is drawn as published.
    """

    evidence: str
    output: str
    shape: str
    start: float
    end: float
    value: float
    low: float
    high: float
    translated: bool
    model_part: str
    fitted: bool
    label: str
    measure_text: str


def published_points(dataset: AnyCurves, run: RunDescription, model: Model, evidence: Evidence) -> list[PublishedPoint]:
    """Every published point whose protocol has the same treatment and the same kind of person."""
    protocols = load_protocols()
    run_values = {name: run.values.get(name, row.canonical) for name, row in model.parameters.items()}
    common_hours = {name: _hours_in_common(protocol, run, model, run_values) for name, protocol in protocols.items()}
    points: dict[tuple[str, str], PublishedPoint] = {}
    fitted = fitted_rows(evidence, model.parameters)
    for target in load_targets(evidence, protocols):
        end = min(common_hours[target.protocol], float(dataset.variables["time"].values[-1]))
        if end > 0 and (point := _point(target, evidence, fitted, dataset, run, end)):
            points.setdefault((target.evidence, point.output), point)
    return list(points.values())


def _hours_in_common(protocol: Protocol, run: RunDescription, model: Model, person: Mapping[str, float]) -> float:
    """Last hour at which run and protocol agree: the next dose that the protocol lacks; 0 if they never agree.

    Two sprays are not the beginning of three: the next dose must belong to a later occasion.
    """
    if not _same_person(protocol, run, model, person):
        return 0.0
    protocol_events = drug_events_of_protocol(protocol, model)
    run_events = drug_events_in_order(run.dose_events)
    if (
        not protocol_events
        or len(protocol_events) > len(run_events)
        or not all(map(_is_same_event, protocol_events, run_events))
    ):
        return 0.0
    next_time = run_events[len(protocol_events)].time if len(run_events) > len(protocol_events) else math.inf
    return next_time if next_time - run_events[len(protocol_events) - 1].time >= OCCASION_GAP else 0.0


def _same_person(protocol: Protocol, run: RunDescription, model: Model, run_values: Mapping[str, float]) -> bool:
    """Same pathways, perturbations and ancestry, about the same age; other covariates may differ."""
    values = protocol.values(model.parameters)
    for name in {*values, *run.values}:
        value = values.get(name, model.parameters[name].canonical)
        if name.startswith(SAME_PERSON) or not name.startswith("person."):
            if not math.isclose(value, run_values[name], rel_tol=1e-6, abs_tol=1e-12):
                return False
        elif name == "person.age" and abs(value - run_values[name]) > MAX_AGE_DIFFERENCE * unit("year").factor:
            return False
    return True


def drug_events_of_protocol(protocol: Protocol, model: Model) -> list[DoseEvent]:
    """Dose events up to the horizon of a protocol without expectancy, in order of time."""
    return drug_events_in_order(e for e in protocol.events(model.parameters) if e.time <= protocol.horizon)


def drug_events_in_order(events: Iterable[DoseEvent]) -> list[DoseEvent]:
    """Dose events without expectancy, in order of time."""
    drugs = without_expectancy(events)
    return sorted(drugs, key=lambda event: (round(event.time, 4), event.compartment))


def _is_same_event(first: DoseEvent, second: DoseEvent) -> bool:
    """The same state at the same time; amounts may differ by a tenth (body weight)."""
    times = abs(first.time - second.time) < 0.02 and abs(first.duration - second.duration) < 0.02
    return first.compartment == second.compartment and times and math.isclose(first.amount, second.amount, rel_tol=0.1)


def _point(
    target: Target,
    evidence: Evidence,
    fitted: frozenset[str],
    dataset: AnyCurves,
    run: RunDescription,
    until: float,
) -> PublishedPoint | None:
    measure, row = target.measure, evidence[target.evidence]
    if not is_drawable(target) or any(name not in dataset.variables for name in names_in(measure.output)):
        return None
    interval = _measured_times(target, dataset, run, until)
    if interval is None:
        return None
    start, end = interval
    numbers = [_plotted_value(value, target, dataset, run, start) for value in published_numbers(target, row)]
    if numbers[0] is None:
        return None
    value, low, high = (math.nan if number is None else number for number in numbers)
    low, high = min(low, high), max(low, high)
    translated = is_translated(target, row)
    rest = drug_free_value(measure.output, dataset, run.index_of_main)
    label = evidence.references[row.reference].citation
    return PublishedPoint(
        row.id, measure.output, SHAPE_OF_STATISTIC[measure.statistic], start, end, value, low, high, translated,
        part_of_model(target, rest), row.id in fitted, short_citation(label), how_drawn(target, row),
    )  # fmt: skip


def is_drawable(target: Target) -> bool:
    """Whether a comparison is of a value or range, at a time or over a span, of one expression."""
    comparable = target.comparison in ("fold", "z", "interval")
    return comparable and target.measure.statistic in SHAPE_OF_STATISTIC and "|" not in target.measure.output


def is_translated(target: Target, row: Observation) -> bool:
    """Whether a number was not measured in humans, is compared by an assumption, or is a difference from a control."""
    return row.species != "human" or bool(target.assumption or target.measure.control_contrast)


def part_of_model(target: Target, rest: float) -> str:
    """What of the model the place of a published number contains.

    control: its line without the drug; level: its level before the dose, `rest`; ratio: a multiple of that level, which
    is nothing of the model on an axis relative to it; empty: nothing.
    """
    if target.measure.control_contrast:
        return "control"
    return MODEL_PARTS.get(target.measure.relative_to, "") if abs(rest) > AT_REST else ""


def is_partly_model(model_part: str, is_relative: bool) -> bool:
    """Whether the place of a published number contains a part of the model, on an axis that may be relative to rest."""
    return bool(model_part) and not (model_part == "ratio" and is_relative)


def how_drawn(target: Target, row: Observation) -> str:
    """The steps from a published number to its place beside a curve, in words."""
    measure = target.measure
    steps = []
    if measure.control_contrast:
        steps.append("published as a difference from the control; drawn from the model's line without the drug")
    elif measure.relative_to in BASELINE_MEASURES:
        steps.append("published as a change; drawn from the model's level before the dose")
    if target.assumption:
        steps.append(target.assumption)
    if row.species != "human":
        steps.append(f"measured in {row.species}")
    if "bipolar" in row.population:
        steps.append("people with bipolar depression")
    if row.is_recalled:
        steps.append("recalled, not confirmed")
    return "; ".join(steps)


def published_numbers(target: Target, row: Observation) -> tuple[float, float, float]:
    """Value, low and high in canonical units; a target band replaces the published spread."""
    low, high = row.spread.low, row.spread.high
    if not (math.isnan(target.low) or math.isnan(target.high)):
        low, high = target.low, target.high
    bounds = [math.nan if bound is None else row.canonical(bound) for bound in (low, high)]
    return row.canonical_value, bounds[0], bounds[1]


def _measured_times(
    target: Target, dataset: AnyCurves, run: RunDescription, until: float
) -> tuple[float, float] | None:
    """Start and end of what was measured, in hours since the first treatment."""
    text, time = target.measure.time, dataset.variables["time"].values
    if "<" in text or ">" in text or ";" in text:
        return None
    bounds = [float(part) for part in text.split("-")] if text else [0.0, until]
    if bounds[-1] > until + 1e-6 and target.measure.statistic != "max":
        return None
    if target.measure.statistic in ("max", "min"):
        is_inside = (time >= bounds[0]) & (time <= min(bounds[-1], until))
        y = np.where(is_inside, _curve(target, dataset, run.index_of_main), np.nan)
        index = np.nanargmax(y) if target.measure.statistic == "max" else np.nanargmin(y)
        if bounds[-1] > until and index == np.flatnonzero(is_inside)[-1]:
            return None  # the curve still moves when the common time ends
        bounds = [float(time[index])]
    return bounds[0] - run.first_dose_time, bounds[-1] - run.first_dose_time


def _curve(target: Target, dataset: AnyCurves, patient: int) -> np.ndarray:
    outputs = {name: dataset.variables[name].values[patient] for name in names_in(target.measure.output)}
    with np.errstate(divide="ignore", invalid="ignore"):  # a ratio to a drug before its first dose
        return np.asarray(value_of(target.measure.output, outputs), dtype=float)


def drug_free_value(expression: str, dataset: AnyCurves, patient: int) -> float:
    """Drug-free value of an expression of outputs in one patient."""
    with np.errstate(divide="ignore", invalid="ignore"):
        outputs = {name: baseline_of(dataset, name)[[patient]] for name in names_in(expression)}
        return float(np.asarray(value_of(expression, outputs), dtype=float)[0])


def _plotted_value(value: float, target: Target, dataset: AnyCurves, run: RunDescription, start: float) -> float | None:
    """The published value on the scale of the curve: the inverse of the measure."""
    measure = target.measure
    level = value / measure.factor
    baseline = drug_free_value(measure.output, dataset, run.index_of_main)
    offset = 0.0
    if measure.control_contrast == "difference" and run.index_of_control is not None:
        control_curve = _curve(target, dataset, run.index_of_control)
        offset = float(
            np.interp(start + run.first_dose_time, dataset.variables["time"].values, control_curve)
        ) - baseline * (measure.relative_to in BASELINE_MEASURES)
    elif measure.control_contrast:
        return None
    values = {"value": level, "of_rest": level * baseline, "change": baseline + level, "fall": baseline - level}
    values["rise"] = baseline * (1 + level)
    return None if measure.relative_to not in values else values[measure.relative_to] + offset


def short_citation(citation: str) -> str:
    """Author and year: "Kamp 2020"."""
    words = citation.split()
    years = (i for i, word in enumerate(words) if word[:4].isdigit() and len(word.strip(",;()")) == 4)
    year = next(years, len(words) - 1)
    return " ".join(words[: min(year, 4) + 1]).strip(",")
