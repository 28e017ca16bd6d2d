"""The contents of a PEtab problem: conditions of typical subjects with published or simulated measurements.

Only values at one time are exported: PEtab has no peak, area or half-life, and no comparison of two conditions.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ketamech.analysis.reference_protocols import Protocol, load_protocols
from ketamech.analysis.scorecard_targets import Target, load_targets
from ketamech.analysis.verdict import FOLD_LIMITS
from ketamech.evidence import Evidence, Observation, load_evidence, standard_error
from ketamech.exchange.sbml.ids import sbml_id
from ketamech.simulation.ensemble import Subject, output_times, run_subjects
from ketamech.simulation.expression import value_of
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import subjects

SIMULATED_OUTPUTS = ("mood.madrs", "dissociation.cadss", "spines.density", "venous.ketamine", "venous.norketamine")
RELATIVE_NOISE = 1e-3  # noise of a simulated measurement, as a share of the largest value
SEEN_AS = {
    "value": "{y}",
    "of_rest": "({y}) / {rest!r}",
    "change": "({y}) - {rest!r}",
    "rise": "({y}) / {rest!r} - 1",
    "fall": "{rest!r} - ({y})",
    "restored": "(({y}) - {rest!r}) / (1 - {rest!r})",
}
_NAME = re.compile(r"\b[a-z]\w*(?:\.\w+)+\b")


@dataclass(frozen=True)
class Measurement:
    """One number: a `formula` in SBML ids at `time` (h), its value and noise (of its logarithm where `log`)."""

    formula: str
    time: float
    value: float
    noise: float
    log: bool
    unit: str
    source: str
    citation: str


@dataclass(frozen=True)
class PetabCondition:
    """One simulated subject and its measurements."""

    name: str
    subject: Subject
    measurements: tuple[Measurement, ...]


def scorecard_cases(model: Model) -> tuple[tuple[PetabCondition, ...], dict[str, int]]:
    """Every condition of the scorecard that PEtab can express, and the reasons for the rows that are left out."""
    evidence, protocols = load_evidence(), load_protocols()
    wanted: dict[str, list[Target]] = {}
    left: Counter[str] = Counter()
    for target in load_targets(evidence, protocols):
        reason = _obstacle(target, evidence[target.evidence])
        if reason:
            left[reason] += 1
        else:
            wanted.setdefault(target.protocol, []).append(target)
    cases = tuple(_case(protocols[name], targets, evidence, model) for name, targets in wanted.items())
    return cases, dict(left)


def _obstacle(target: Target, row: Observation) -> str:
    how = target.measure
    if target.comparison not in ("fold", "z"):
        return "compared with a band or a direction"
    if how.statistic != "at" or not _hour(how.time):
        return f"not a reading at one moment ({how.statistic})"
    if how.control_contrast or "|" in how.output or how.relative_to not in SEEN_AS:
        return "compared with another course, or with its own peak"
    if target.comparison == "fold" and not row.canonical_value > 0:
        return "a fold of nothing"
    if target.comparison == "z" and not standard_error(row) > 0:
        return "no printed error"
    return ""


def _hour(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _case(protocol: Protocol, targets: Sequence[Target], evidence: Evidence, model: Model) -> PetabCondition:
    values = protocol.values(model.parameters)
    course = Subject(protocol.id, protocol.events(model.parameters), values)
    rest = baseline_values(model, values)
    return PetabCondition(protocol.id, course, tuple(_measurement(target, evidence, rest) for target in targets))


def baseline_values(model: Model, values: Mapping[str, float]) -> dict[str, float]:
    """Every output of a drug-free subject with parameter `values` (canonical)."""
    found = run_subjects(model, [Subject("rest", (), values)], np.array([0.0]))
    return {str(name): float(found[name].values[0, 0]) for name in found.data_vars}


def _measurement(target: Target, evidence: Evidence, rest: Mapping[str, float]) -> Measurement:
    row, how = evidence[target.evidence], target.measure
    log = target.comparison == "fold"
    noise = math.log(FOLD_LIMITS[0]) if log else standard_error(row) * row.factor
    paper = evidence.references[row.reference].citation
    return Measurement(
        formula(how.output, how.relative_to, how.factor, rest), float(how.time), row.canonical_value, noise, log,
        row.canonical_unit, row.id, paper,
    )  # fmt: skip


def formula(output: str, seen_as: str, factor: float, rest: Mapping[str, float]) -> str:
    """An expression of outputs in SBML ids, as a value or relative to the baseline."""
    y = _NAME.sub(lambda found: sbml_id(found[0]), output)
    at_rest = 0.0 if seen_as == "value" else float(value_of(output, rest))
    text = SEEN_AS[seen_as].format(y=y, rest=at_rest)
    return text if factor == 1 else f"{factor!r} * ({text})"


def scenario_case(scenario: Scenario, model: Model) -> PetabCondition:
    """The treated patient of a scenario with simulated measurements, for a test of another engine."""
    treated = subjects(scenario, model)[0]
    starts = sorted({entry.time for entry in treated.events})
    found = run_subjects(model, [treated], output_times(scenario.horizon, starts, per_dose=12), tolerance=1e-9)
    return PetabCondition(
        "treated", treated, tuple(_simulated(found, [n for n in SIMULATED_OUTPUTS if n in found.data_vars]))
    )


def _simulated(found: xr.Dataset, names: Sequence[str]) -> Iterator[Measurement]:
    for name in names:
        curve = found[name].values[0]
        noise = RELATIVE_NOISE * float(np.abs(curve).max()) or RELATIVE_NOISE
        for time, value in zip(found["time"].values, curve, strict=True):
            unit = str(found[name].attrs["units"])
            yield Measurement(sbml_id(name), float(time), float(value), noise, False, unit, "simulated", "KetaMech")
