"""Writes PEtab problems: version 1 with doses as SBML events, version 2 with doses as experiments.

A folder contains `v1/problem.yaml` (one model per condition) and `v2/<person>/problem.yaml` (one model per subject, one
experiment per condition: each dose time is a period whose condition sets the doses). Extra columns (unit, source,
citation) give the source of a number. The conditions are those of typical subjects with published or simulated
measurements. Only values at one time are exported: PEtab has no peak, area or half-life, and no comparison of two
conditions.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ketamech.analysis.reference_protocols import Protocol, load_protocols
from ketamech.analysis.scorecard_targets import Target, limit, load_targets
from ketamech.calibration.calibration_problem import EstimatedParameter, load_estimated
from ketamech.core import SolverError
from ketamech.engine import Events, events
from ketamech.evidence import Evidence, Observation, load_evidence, standard_error
from ketamech.exchange.sbml.exporter import BOLUS_KIND, DosedStart, EventAssignment, dose_changes, write_sbml
from ketamech.exchange.sbml.ids import inflow_id, sbml_id
from ketamech.simulation.ensemble import Ensemble, Subject, run_subjects
from ketamech.simulation.model import Model
from ketamech.simulation.observable import value_of
from ketamech.simulation.output_ranges import exists_in
from ketamech.simulation.output_times import output_times
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import subjects

SIMULATED_OUTPUTS = ("mood.madrs", "dissociation.cadss", "spines.density", "venous.ketamine", "venous.norketamine")
RELATIVE_NOISE = 1e-3  # noise of a simulated measurement, as a share of the largest value
OBSERVABLE_FORMULAS = {
    "value": "{y}",
    "of_rest": "({y}) / {rest!r}",
    "change": "({y}) - {rest!r}",
    "rise": "({y}) / {rest!r} - 1",
    "fall": "{rest!r} - ({y})",
    "restored": "(({y}) - {rest!r}) / (1 - {rest!r})",
}
_NAME = re.compile(r"\b[a-z]\w*(?:\.\w+)+\b")


@dataclass(frozen=True)
class PetabMeasurement:
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
    measurements: tuple[PetabMeasurement, ...]


def scorecard_cases(model: Model) -> tuple[tuple[PetabCondition, ...], dict[str, int]]:
    """Every condition of the scorecard that PEtab can express, and the reasons for the rows that are left out."""
    evidence, protocols = load_evidence(), load_protocols()
    targets_by_protocol: dict[str, list[Target]] = {}
    omitted: Counter[str] = Counter()
    for target in load_targets(evidence, protocols):
        reason = _obstacle(target, evidence[target.evidence])
        if reason:
            omitted[reason] += 1
        else:
            targets_by_protocol.setdefault(target.protocol, []).append(target)
    cases = tuple(_case(protocols[name], targets, evidence, model) for name, targets in targets_by_protocol.items())
    return cases, dict(omitted)


def _obstacle(target: Target, row: Observation) -> str:
    measure = target.measure
    if target.comparison not in ("fold", "z"):
        return "compared with a band or a direction"
    if measure.statistic != "at" or not is_hour(measure.time):
        return f"not a reading at one moment ({measure.statistic})"
    if measure.control_contrast or "|" in measure.output or measure.relative_to not in OBSERVABLE_FORMULAS:
        return "compared with another course, or with its own peak"
    if target.comparison == "fold" and not row.canonical_value > 0:
        return "no ratio: the published value is not positive"
    if target.comparison == "z" and not standard_error(row) > 0:
        return "no printed error"
    return ""


def is_hour(text: str) -> bool:
    """Whether the time of an observable is a number of hours."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _case(protocol: Protocol, targets: Sequence[Target], evidence: Evidence, model: Model) -> PetabCondition:
    values = protocol.values(model.parameters)
    subject = Subject(protocol.id, protocol.events(model.parameters), values)
    baseline = baseline_values(model, values)
    return PetabCondition(protocol.id, subject, tuple(_measurement(target, evidence, baseline) for target in targets))


def baseline_values(model: Model, values: Mapping[str, float]) -> dict[str, float]:
    """Every output of a drug-free subject with parameter `values` (canonical)."""
    curves = run_subjects(model, [Subject("rest", (), values)], np.array([0.0]))
    return {str(name): float(curves[name].values[0, 0]) for name in curves.data_vars}


def _measurement(target: Target, evidence: Evidence, baseline: Mapping[str, float]) -> PetabMeasurement:
    row, how = evidence[target.evidence], target.measure
    log = target.comparison == "fold"
    noise = math.log(limit("fold_inside")) if log else standard_error(row) * row.factor
    paper = evidence.references[row.reference].citation
    return PetabMeasurement(
        formula(how.output, how.relative_to, how.factor, baseline), float(how.time), row.canonical_value, noise, log,
        row.canonical_unit, row.id, paper,
    )  # fmt: skip


def formula(output: str, relative_to: str, factor: float, baseline: Mapping[str, float]) -> str:
    """An expression of outputs in SBML ids, as a value or relative to the baseline."""
    expression = _NAME.sub(lambda match: sbml_id(match[0]), output)
    baseline_value = 0.0 if relative_to == "value" else float(value_of(output, baseline))
    text = OBSERVABLE_FORMULAS[relative_to].format(y=expression, rest=baseline_value)
    return text if factor == 1 else f"{factor!r} * ({text})"


def scenario_case(scenario: Scenario, model: Model) -> PetabCondition:
    """The treated patient of a scenario with simulated measurements, for a test of another engine."""
    treated_subject = subjects(scenario, model)[0]
    starts = sorted({entry.time for entry in treated_subject.events})
    curves = run_subjects(model, [treated_subject], output_times(scenario.horizon, starts, per_dose=12), tolerance=1e-9)
    measurements = []
    for name in SIMULATED_OUTPUTS:
        if name not in curves.data_vars or not exists_in(scenario.group, name):
            continue
        curve, unit = curves[name].values[0], str(curves[name].attrs["units"])
        noise = RELATIVE_NOISE * float(np.abs(curve).max()) or RELATIVE_NOISE
        measurements += [
            PetabMeasurement(sbml_id(name), float(time), float(value), noise, False, unit, "simulated", "KetaMech")
            for time, value in zip(curves["time"].values, curve, strict=True)
        ]
    return PetabCondition("treated", treated_subject, tuple(measurements))


PRIOR_SD_BOUND = 4.0  # distance of the bounds from the table value in SD of the prior
Rows = list[dict[str, object]]
LOSSY_FEATURES = (
    "peaks, areas and half-lives of curves, bands, comparisons of two conditions, populations and trials",
    "baseline values (rest__...) and initial values: they do not follow when a parameter is changed",
    "the error of a fold comparison: its noise is the scorecard's limit of 'inside', the logarithm of 1.25 (assumed)",
)


@dataclass(frozen=True)
class _PreparedSubject:
    """A condition with the inputs, initial state and dose events of its subject."""

    condition: PetabCondition
    inputs: np.ndarray
    start: np.ndarray
    events: Events


def petab_files(cases: Sequence[PetabCondition], model: Model) -> dict[str, str]:
    """Text of every file of the problems, by path. Raises SolverError where no steady state is found."""
    patients = Ensemble.of_subjects(model, [case.subject for case in cases])
    initial = patients.initial()
    if not initial.found.all():
        failed_index = int(np.argmin(initial.found))
        raise SolverError(f"no start was found for {cases[failed_index].name}: {initial.reasons[failed_index]}")
    dose_events = [patients.events.patient(i) for i in range(len(cases))]
    prepared = [
        _PreparedSubject(*parts) for parts in zip(cases, initial.inputs, initial.state, dose_events, strict=True)
    ]
    estimated = [p for p in load_estimated(model.parameters) if p.name in model.system.parameter_names]
    return {**_version_1(prepared, model, estimated), **_version_2(prepared, model, estimated)}


def lossy_features(model: Model) -> list[str]:
    """Features that the PEtab problems cannot express."""
    model_parameters = model.system.parameter_names
    outside = [p.name for p in load_estimated(model.parameters) if p.name not in model_parameters]
    note = f"population parameters, which are in no equation: {', '.join(outside)}" if outside else ""
    return [*LOSSY_FEATURES, note] if note else list(LOSSY_FEATURES)


def _version_1(
    prepared: Sequence[_PreparedSubject], model: Model, estimated: Sequence[EstimatedParameter]
) -> dict[str, str]:
    files, problems = {"v1/parameters.tsv": _tsv(_parameters_1(estimated))}, []
    for case in prepared:
        name, observables = _identifier(case.condition.name), _Observables(case.condition.measurements)
        text = write_sbml(
            model.system, case.inputs, case.start, case.events, name=case.condition.name, without_annotations=True
        )
        rows: dict[str, Rows] = {
            "condition": [{"conditionId": name, "conditionName": case.condition.name}],
            "observable": observables.rows_1,
            "measurement": _measurements(case.condition, observables, "simulationConditionId"),
        }
        files |= {f"v1/{name}.xml": text, **{f"v1/{name}_{kind}s.tsv": _tsv(table) for kind, table in rows.items()}}
        tables = {f"{kind}_files": [f"{name}_{kind}s.tsv"] for kind in rows}
        problems.append({"sbml_files": [f"{name}.xml"], **tables, "visualization_files": []})
    files["v1/problem.yaml"] = _yaml({"format_version": 1, "parameter_file": "parameters.tsv", "problems": problems})
    return files


def _version_2(
    prepared: Sequence[_PreparedSubject], model: Model, estimated: Sequence[EstimatedParameter]
) -> dict[str, str]:
    cases_by_person: dict[str, list[_PreparedSubject]] = {}
    for case in prepared:
        cases_by_person.setdefault(json.dumps(sorted(case.condition.subject.parameters.items())), []).append(case)
    files: dict[str, str] = {}
    for number, group in enumerate(cases_by_person.values(), 1):
        folder = f"v2/person_{number:02d}"
        files |= {f"{folder}/{name}": text for name, text in _person(group, model, estimated).items()}
    return files


def _person(group: Sequence[_PreparedSubject], model: Model, estimated: Sequence[EstimatedParameter]) -> dict[str, str]:
    """One model and its experiments."""
    system, first = model.system, group[0]
    observables = _Observables([measurement for case in group for measurement in case.condition.measurements])
    conditions, experiments, measurements = _Conditions(system.states), Rows(), Rows()
    infused = {int(i) for case in group for i in case.events.state[case.events.kind != BOLUS_KIND]}
    for case in group:
        name = _identifier(case.condition.name)
        doses = dose_changes(system, case.start, case.events)
        periods = [
            (0.0, conditions.first(doses)),
            *((time, conditions.after_dose(c)) for time, c in doses.changes.items()),
        ]
        experiments += [{"experimentId": name, "time": at, "conditionId": condition} for at, condition in periods]
        measurements += _measurements(case.condition, observables, "experimentId")
    text = write_sbml(
        system, first.inputs, first.start, events([]), always_infused=sorted(infused), without_annotations=True
    )
    used = [name for case in group for name in case.condition.subject.parameters]
    tables: dict[str, Rows] = {
        "parameter": _parameters_2([e for e in estimated if e.name not in used]),
        "condition": conditions.rows,
        "experiment": experiments,
        "observable": observables.rows_2,
        "measurement": measurements,
    }
    config = {
        "format_version": "2.0.0",
        "model_files": {"ketamech": {"location": "model.xml", "language": "sbml"}},
        **{f"{kind}_files": [f"{kind}s.tsv"] for kind, rows in tables.items() if kind != "condition" or rows},
    }
    files = {"model.xml": text, **{f"{kind}s.tsv": _tsv(rows) for kind, rows in tables.items() if rows}}
    return {**files, "problem.yaml": _yaml(config)}


class _Conditions:
    """Doses as PEtab conditions; equal changes share one condition."""

    def __init__(self, states: Sequence[Any]) -> None:
        self._names = [state.name for state in states]
        self._known: dict[tuple[tuple[str, str], ...], str] = {}
        self.rows: Rows = []

    def first(self, doses: DosedStart) -> str:
        """The condition at time 0, where a value must not depend on an earlier state."""
        amounts = [(sbml_id(self._names[i]), repr(float(doses.start[i]))) for i in doses.at_start.amounts]
        return self._id(amounts, doses.at_start)

    def after_dose(self, change: EventAssignment) -> str:
        """The condition of a later dose: amounts are added to the state."""
        targets = [(sbml_id(self._names[i]), f"{sbml_id(self._names[i])} + {s!r}") for i, s in change.amounts.items()]
        return self._id(targets, change)

    def _id(self, amounts: list[tuple[str, str]], change: EventAssignment) -> str:
        """The id of the condition with these changes; empty without a change."""
        inflows = [(inflow_id(self._names[i]), repr(speed)) for i, speed in change.inflows.items()]
        targets = (*amounts, *inflows)
        if targets and targets not in self._known:
            self._known[targets] = name = f"given_{len(self._known) + 1}"
            self.rows += [{"conditionId": name, "targetId": target, "targetValue": value} for target, value in targets]
        return self._known.get(targets, "")


class _Observables:
    """One observable per formula and kind of noise, with the noise of each measurement as a placeholder."""

    def __init__(self, measurements: Iterable[PetabMeasurement]) -> None:
        keys = dict.fromkeys((measurement.formula, measurement.log) for measurement in measurements)
        self._ids: dict[tuple[str, bool], str] = {}
        for key in keys:
            self._ids[key] = self._unused(_observable_name(*key))

    def _unused(self, name: str) -> str:
        number = 1 + sum(re.fullmatch(rf"{name}(_\d+)?", other) is not None for other in self._ids.values())
        return name if number == 1 else f"{name}_{number}"

    def id(self, measurement: PetabMeasurement) -> str:
        """The observable id of a measurement."""
        return self._ids[measurement.formula, measurement.log]

    @property
    def rows_1(self) -> Rows:
        """Rows of version 1."""
        return [
            {"observableId": name, "observableFormula": formula, "observableTransformation": "log" if log else "lin",
             "noiseFormula": f"noiseParameter1_{name}", "noiseDistribution": "normal"}
            for (formula, log), name in self._ids.items()
        ]  # fmt: skip

    @property
    def rows_2(self) -> Rows:
        """Rows of version 2."""
        return [
            {"observableId": name, "observableFormula": formula, "noiseFormula": f"noise_{name}",
             "noiseDistribution": "log-normal" if log else "normal", "noisePlaceholders": f"noise_{name}"}
            for (formula, log), name in self._ids.items()
        ]  # fmt: skip


def _observable_name(formula: str, log: bool) -> str:
    """The name of an observable: its outputs, their transformation and the scale of its noise."""
    outputs = "_and_".join(dict.fromkeys(re.findall(r"[a-z]\w*__\w+", formula)))
    suffix = "_relative" if " / " in formula else "_change" if " - " in formula else "_of"
    return f"observable_{outputs}{'' if formula == outputs else suffix}{'_log' if log else ''}"


def _measurements(case: PetabCondition, observables: _Observables, condition: str) -> Rows:
    return [
        {"observableId": observables.id(row), condition: _identifier(case.name), "measurement": row.value,
         "time": row.time, "noiseParameters": row.noise, "unit": row.unit, "source": row.source,
         "citation": row.citation}
        for row in case.measurements
    ]  # fmt: skip


def _parameters_1(estimated: Iterable[EstimatedParameter]) -> Rows:
    return [
        {"parameterId": sbml_id(p.name), "parameterScale": "log", "lowerBound": _bound(p, -1),
         "upperBound": _bound(p, 1), "nominalValue": p.prior_median, "estimate": 1,
         "objectivePriorType": "parameterScaleNormal",
         "objectivePriorParameters": f"{math.log(p.prior_median)!r};{p.prior_log_sd!r}"}
        for p in estimated
    ]  # fmt: skip


def _parameters_2(estimated: Iterable[EstimatedParameter]) -> Rows:
    return [
        {"parameterId": sbml_id(p.name), "lowerBound": _bound(p, -1), "upperBound": _bound(p, 1),
         "nominalValue": p.prior_median, "estimate": "true", "priorDistribution": "log-normal",
         "priorParameters": f"{math.log(p.prior_median)!r};{p.prior_log_sd!r}"}
        for p in estimated
    ]  # fmt: skip


def _bound(parameter: EstimatedParameter, side: int) -> float:
    return parameter.prior_median * math.exp(side * PRIOR_SD_BOUND * parameter.prior_log_sd)


def _identifier(name: str) -> str:
    """A name such as iv-0.5-over-40-min as a PEtab id."""
    return "c_" + "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name)


def _tsv(rows: Rows) -> str:
    return str(pd.DataFrame(rows).to_csv(sep="\t", index=False, lineterminator="\n")) if rows else ""


def _yaml(content: Mapping[str, object]) -> str:
    return json.dumps(content, indent=1) + "\n"  # which is YAML too
