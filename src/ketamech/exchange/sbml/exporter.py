"""The system of one patient as one SBML document, with the doses as events.

States are species: amounts, concentrations, or counts without unit such as the share of blocked receptors. Every flux
is a reaction, named after its reason; a transfer is one reaction between two species. A state whose unit no species can
have is a parameter with a rate rule. Each stage is a compartment of 1 L, so that amounts and concentrations are equal
numbers. Outputs are assignment rules (initial assignments where constant for a patient), and all doses of one time are
one event at exactly that time. Time is in hours, every value in its canonical unit. SBML does not contain spreads of
parameters, bounds of states and other subjects of the same scenario.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ketamech.core import InputError, SolverError
from ketamech.core.constants import DISCLAIMER
from ketamech.engine import Events
from ketamech.exchange.sbml.document_writer import FUNCTIONS, SbmlWriter
from ketamech.exchange.sbml.ids import formula, inflow_id, papers_of, resources_of, sbml_id, unit_id
from ketamech.exchange.sbml.reactions import Reaction, reactions_of, species_in, species_kind
from ketamech.model.stage import State
from ketamech.model.system import System
from ketamech.parameters import HUMAN, Parameter
from ketamech.simulation.ensemble import Ensemble, Subject
from ketamech.simulation.model import Model

__all__ = ["FUNCTIONS", "PatientModel", "course_model", "course_sbml", "dose_changes", "write_sbml"]
BOLUS_KIND = 0  # kind of an event: a bolus
DIGITS = 15  # significant digits of a number written by libSBML
# Share of a scale below which a number is written as 0. A steady state has rounding errors, and libRoadRunner
# multiplies an absolute tolerance by every value other than 0 (with 1e-100 no double would satisfy it).
ROUNDING = 1e-12


@dataclass(frozen=True)
class PatientModel:
    """The content of an export: a system, the inputs of one patient by name, the initial state and the doses."""

    system: System
    values: Mapping[str, float]
    doses: DosedStart
    name: str
    notes: tuple[str, ...] = ()
    species: str = HUMAN

    @cached_property
    def about(self) -> list[str]:
        """Remarks on the whole model."""
        return [f"KetaMech, equations {self.system.fingerprint}; time in hours.", DISCLAIMER, *self.notes]

    @cached_property
    def inflows(self) -> dict[str, float]:
        """The constant input into each state that has one, at the start."""
        return {self.system.state_names[i]: value for i, value in self.doses.inflows.items()}

    @cached_property
    def starts(self) -> dict[str, float]:
        """The initial value of each state, with the doses at time 0."""
        return dict(zip(self.system.state_names, self.doses.start.tolist(), strict=True))

    @cached_property
    def kinds(self) -> dict[str, str]:
        """The kind of species of each state that can be one."""
        kinds = {state.name: species_kind(state.unit) for state in self.system.states}
        return {name: kind for name, kind in kinds.items() if kind is not None}

    @cached_property
    def reactions(self) -> list[Reaction]:
        """The reactions of the species."""
        reactions = reactions_of(self.system, list(self.inflows))
        return [reaction for reaction in reactions if (reaction.source or reaction.sink) in self.kinds]

    @cached_property
    def ruled(self) -> list[State]:
        """The states that no species can be."""
        return [state for state in self.system.states if state.name not in self.kinds]

    def rate(self, state: str) -> str:
        """The rate of change of a state as text, with its constant input."""
        text = formula(self.system.rates[self.system.state_names.index(state)])
        return f"{text} + {inflow_id(state)}" if state in self.inflows else text

    def source_of(self, name: str) -> list[str]:
        """The source of a parameter value; for a patient's own value, the table value."""
        row = self.system.parameters[name]
        if self.is_own(name):
            return [f"set for this patient; {row.canonical:g} {row.canonical_unit} in the table"]
        return [f"{row.status}: {row.reason}", f"sources: {', '.join(row.evidence)}" if row.evidence else ""]

    def is_own(self, name: str) -> bool:
        """Whether a parameter differs from the table."""
        return self.values[name] != self.system.parameters[name].canonical


def course_model(
    model: Model, subject: Subject, *, name: str | None = None, notes: Sequence[str] = (), species: str = HUMAN
) -> PatientModel:
    """The content of the export of one subject. Raises SolverError when no steady state is found."""
    patient = Ensemble.of_subjects(model, [subject])
    initial = patient.initial()
    if not initial.found[0]:
        raise SolverError(f"no start was found: {initial.reasons[0]}")
    doses = dose_changes(model.system, initial.state[0], patient.events.patient(0))
    values = dict(zip(model.system.inputs, initial.inputs[0].tolist(), strict=True))
    return PatientModel(model.system, values, doses, name or subject.label, tuple(notes), species)


def course_sbml(
    model: Model, subject: Subject, *, name: str | None = None, notes: Sequence[str] = (), species: str = HUMAN
) -> str:
    """SBML text of one subject: parameter values, initial state, and dose events.

    `notes`: remarks on the whole model, one paragraph each. Raises SolverError when no steady state is found, and
    InputError where python-libsbml is missing.
    """
    return sbml_text(course_model(model, subject, name=name, notes=notes, species=species))


def write_sbml(
    system: System,
    inputs: np.ndarray,
    start: np.ndarray,
    events: Events,
    *,
    name: str = "ketamech",
    always_infused: Collection[int] = (),
    without_annotations: bool = False,
) -> str:
    """SBML Level 3 text of `system` for one patient.

    `inputs` [input]: parameters, then baseline values, in the order of `system.inputs`; `start` [state]: the initial
    state; `events`: the dose events. Doses at time 0 are part of the initial values. States in `always_infused`
    (indices) have an inflow parameter even without an infusion. Raises InputError for vectors that do not fit the
    system and where python-libsbml is missing.
    """
    _check_exportable("inputs", inputs, system.inputs)
    _check_exportable("start", start, system.state_names)
    doses = dose_changes(system, start, events)
    doses.inflows.update({i: 0.0 for i in always_infused if i not in doses.inflows})
    values = dict(zip(system.inputs, inputs.tolist(), strict=True))
    return sbml_text(PatientModel(system, values, doses, name), bare=without_annotations)


def sbml_text(patient: PatientModel, *, bare: bool = False) -> str:
    """SBML Level 3 text of a model; `bare`: without notes and annotations."""
    document = SbmlWriter(patient.name, patient.about, species=patient.species, bare=bare)
    _write_inputs(document, patient)
    _write_states(document, patient)
    _write_outputs(document, patient.system)
    for time, change in patient.doses.changes.items():
        document.event(time, assignments(patient.system, change))
    return document.text()


def _check_exportable(label: str, vector: np.ndarray, names: tuple[str, ...]) -> None:
    if np.shape(vector) != (len(names),):
        raise InputError(f"{label} has shape {np.shape(vector)}", expected=f"one patient's {len(names)} values")
    non_finite = [name for name, value in zip(names, vector, strict=True) if not np.isfinite(value)]
    if non_finite:
        raise InputError(f"{label} has no finite value for {non_finite[0]}", expected="finite values")


@dataclass(frozen=True)
class EventAssignment:
    """The changes at one time: boluses, and constant inflows (per h) from then on, by state."""

    amounts: dict[int, float]
    inflows: dict[int, float]


@dataclass(frozen=True)
class DosedStart:
    """Initial values [state] and inflows including the doses up to time 0 (`at_start`); later `changes` by time."""

    start: np.ndarray
    inflows: dict[int, float]
    at_start: EventAssignment
    changes: dict[float, EventAssignment]


def dose_changes(system: System, start: np.ndarray, events: Events) -> DosedStart:
    """Dose events as changes: boluses add up, inflows are totals."""
    scale = np.array([state.scale for state in system.states])
    initial = np.where(np.abs(start) < ROUNDING * scale, 0.0, start)
    inflows = {int(i): 0.0 for i, kind in zip(events.state, events.kind, strict=True) if kind != BOLUS_KIND}
    at_start, changes = EventAssignment({}, {}), dict[float, EventAssignment]()
    initial_inflows = dict(inflows)
    rows = (events.time.tolist(), events.kind.tolist(), events.state.tolist(), events.size.tolist())
    for time, kind, state, size in zip(*rows, strict=True):
        # equal written times must be one event: of two simultaneous events the second would undo the first
        change = changes.setdefault(float(f"{time:.{DIGITS}g}"), EventAssignment({}, {})) if time > 0 else at_start
        if kind == BOLUS_KIND:
            change.amounts[state] = change.amounts.get(state, 0.0) + size
        else:
            total = inflows[state] + size
            inflows[state] = change.inflows[state] = total if abs(total) > ROUNDING * abs(size) else 0.0
    for state, amount in at_start.amounts.items():
        initial[state] += amount
    return DosedStart(initial, initial_inflows | at_start.inflows, at_start, changes)


def _write_inputs(document: SbmlWriter, patient: PatientModel) -> None:
    system = patient.system
    for name in system.parameter_names:
        row = system.parameters[name]
        papers = papers_of(row) if _is_published(patient, row) else []
        remarks = patient.source_of(name)
        document.parameter(sbml_id(name), name, row.unit, patient.values[name], remarks=remarks, resources=papers)
    for name in system.baseline_names:
        rest = f"rest({name})"
        remarks = [f"drug-free value of {name}"]
        document.parameter(sbml_id(rest), rest, system.units[name], patient.values[rest], remarks=remarks)


def _is_published(patient: PatientModel, row: Parameter) -> bool:
    return not patient.is_own(row.name) and row.status not in ("set", "assumed")


def _write_states(document: SbmlWriter, patient: PatientModel) -> None:
    stages = patient.system.stage_of
    for stage in dict.fromkeys(stages[name] for name in patient.kinds):
        document.compartment(stage, stage)
    for state in patient.system.states:
        name, start = state.name, patient.starts[state.name]
        remarks, resources = [state.description], resources_of(name)
        if name in patient.inflows:
            label = f"constant input into {name}"
            document.parameter(inflow_id(name), label, _per_hour(state.unit), patient.inflows[name], moves=True)
        if name in patient.kinds:
            document.species(
                sbml_id(name), name, state.unit, start, stages[name], kind=patient.kinds[name], remarks=remarks,
                resources=resources,
            )  # fmt: skip
        else:
            document.parameter(sbml_id(name), name, state.unit, start, moves=True, remarks=remarks, resources=resources)
    for reaction in patient.reactions:
        _write_reaction(document, patient, reaction)
    for state in patient.ruled:
        fluxes = [flux for flux in patient.system.fluxes if flux.state == state.name]
        reasons = [f"{flux.because}: {flux.term}".replace("**", "^") for flux in fluxes]
        document.rate(sbml_id(state.name), patient.rate(state.name), reasons)


def _write_reaction(document: SbmlWriter, patient: PatientModel, reaction: Reaction) -> None:
    main_state = reaction.source or reaction.sink
    assert main_state is not None
    states = (reaction.source, reaction.sink)
    source, sink = (None if state is None else sbml_id(state) for state in states)
    modifiers = [sbml_id(name) for name in species_in(reaction.rate, list(patient.kinds)) if name not in states]
    document.reaction(
        reaction.identifier, reaction.name, reaction.reason, formula(reaction.rate), kind=patient.kinds[main_state],
        unit=patient.system.units[main_state], source=source, sink=sink, modifiers=modifiers,
        compartment=patient.system.stage_of[main_state],
    )  # fmt: skip


def _write_outputs(document: SbmlWriter, system: System) -> None:
    for offer in system.outputs:
        identifier = sbml_id(offer.name)
        document.parameter(
            identifier, offer.name, offer.unit, None,
            moves=not offer.is_constant, remarks=[offer.description], resources=resources_of(offer.name),
        )  # fmt: skip
        document.rule(identifier, formula(offer.expression), once=offer.is_constant)


def assignments(system: System, change: EventAssignment, *, units: bool = True) -> list[tuple[str, str]]:
    """The assignments of a change as (id, formula of the new value) in L3 infix, numbers with their `units`."""
    amounts = [(system.states[i], size) for i, size in change.amounts.items()]
    inflows = [(system.states[i], rate) for i, rate in change.inflows.items()]

    def number(value: float, unit: str) -> str:
        return f"{value!r} {unit_id(unit)}" if units else repr(value)

    return [
        *((sbml_id(state.name), f"{sbml_id(state.name)} + {number(size, state.unit)}") for state, size in amounts),
        *((inflow_id(state.name), number(rate, _per_hour(state.unit))) for state, rate in inflows),
    ]


def _per_hour(unit: str) -> str:
    return "1/h" if unit == "1" else f"({unit})/h"
