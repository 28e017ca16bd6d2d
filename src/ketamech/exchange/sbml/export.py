"""The system as one SBML document, with the doses of one patient as events, and the same as Antimony text.

States are parameters with rate rules, outputs are assignment rules (initial assignments where constant for a patient),
and all doses of one time are one event at exactly that time. Time is in hours, every value in its canonical unit. SBML
does not contain spreads of parameters, bounds of states and other subjects of the same scenario.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from ketamech.core import InputError, ModelError, SolverError
from ketamech.engine import Events
from ketamech.exchange.optional_libraries import antimony, libsbml, with_fields
from ketamech.exchange.sbml.ids import (
    EXPRESSION,
    FRAMEWORK,
    Resource,
    formula,
    inflow_id,
    papers_of,
    resources_of,
    sbml_id,
    sbo_term,
    unit_id,
    unit_parts,
)
from ketamech.model.system import System
from ketamech.parameters import HUMAN, Parameter
from ketamech.simulation.ensemble import Ensemble, Subject
from ketamech.simulation.model import Model

LEVEL, VERSION = 3, 1  # supported by every simulator; version 2 adds nothing that the system uses
DIGITS = 15  # significant digits of a number written by libSBML
# positive(x) is x above 0, 0 below and 5e-151 at 0, so that neither it nor its powers have a NaN derivative at 0 (in
# AMICI the derivative of abs(x) is x / sign(x)). A piecewise would restart libRoadRunner at 0, and sqrt(x * x) takes
# libRoadRunner and COPASI up to twice as long. hill(x) is exactly 0 at 0: 1 - 1 / 1.
FUNCTIONS = {
    "positive": "lambda(x, (x + abs(x + 1e-150)) / 2)",
    "hill": "lambda(x, half, n, 1 - 1 / (1 + positive(x / half)^n))",
}


class SbmlWriter:
    """One SBML model; formulas are text in libSBML's L3 language, times in h; a number without unit is dimensionless.

    `bare`: without notes and annotations. Raises InputError where python-libsbml is missing, ModelError for a formula
    that libSBML cannot read.
    """

    def __init__(self, name: str, about: Iterable[str], *, species: str = HUMAN, bare: bool = False) -> None:
        self._libsbml, self._bare = libsbml(), bare
        self._document = self._libsbml.SBMLDocument(LEVEL, VERSION)
        self._model = with_fields(self._document.createModel(), Id="ketamech", Name=name)
        self._note(self._model, about)
        self._mark(self._model, FRAMEWORK, resources_of(f"species.{species}"))
        time, volume, amount = (self._unit(text) for text in ("h", "L", "umol"))
        with_fields(self._model, TimeUnits=time, VolumeUnits=volume, SubstanceUnits=amount, ExtentUnits=amount)
        for identifier, text in FUNCTIONS.items():
            with_fields(self._model.createFunctionDefinition(), Id=identifier, Math=self._math(text))

    def parameter(
        self, identifier: str, name: str, unit: str, value: float | None, *, moves: bool = False,
        about: Iterable[str] = (), resources: Iterable[Resource] = (),
    ) -> None:  # fmt: skip
        """A quantity in its canonical unit; `moves`: changed by rules or events."""
        units = self._unit(unit)
        made = with_fields(self._model.createParameter(), Id=identifier, Name=name, Constant=not moves, Units=units)
        if value is not None:
            made.setValue(float(value))
        self._note(made, about)
        self._mark(made, sbo_term(unit), resources)

    def rate(self, identifier: str, text: str, reasons: Iterable[str]) -> None:
        """The rate of change (per h) of a state, with the reason for each of its terms."""
        made = with_fields(self._model.createRateRule(), Variable=identifier, Math=self._math(text))
        self._note(made, reasons)
        self._mark(made, EXPRESSION)

    def rule(self, identifier: str, text: str, *, once: bool) -> None:
        """The formula of an output: an initial assignment (`once`) or an assignment rule."""
        if once:
            with_fields(self._model.createInitialAssignment(), Symbol=identifier, Math=self._math(text))
        else:
            with_fields(self._model.createAssignmentRule(), Variable=identifier, Math=self._math(text))

    def event(self, at: float, assignments: Iterable[tuple[str, str]]) -> None:
        """An event with all changes of one time."""
        made = with_fields(self._model.createEvent(), UseValuesFromTriggerTime=True)
        made.setId(f"given_{self._model.getNumEvents()}")
        begin = self._math(f"time >= {at!r} h")
        with_fields(made.createTrigger(), InitialValue=False, Persistent=True, Math=begin)
        for variable, text in assignments:
            with_fields(made.createEventAssignment(), Variable=variable, Math=self._math(text))

    def text(self) -> str:
        """The document as XML."""
        return str(self._libsbml.writeSBMLToString(self._document))

    def _unit(self, text: str) -> str:
        identifier = unit_id(text)
        if identifier != "dimensionless" and self._model.getUnitDefinition(identifier) is None:
            made = with_fields(self._model.createUnitDefinition(), Id=identifier)
            for name, multiplier, scale, exponent in unit_parts(text):
                kind = self._libsbml.UnitKind_forName(name)
                with_fields(made.createUnit(), Kind=kind, Multiplier=multiplier, Scale=scale, Exponent=exponent)
        return identifier

    def _math(self, text: str) -> Any:
        found = self._libsbml.parseL3Formula(text)
        if found is None:
            raise ModelError(f"libSBML cannot read '{text}': {self._libsbml.getLastParseL3Error()}")
        _without_unit(found)
        return found

    def _mark(self, element: Any, term: int, resources: Iterable[Resource] = ()) -> None:
        """An SBO term, and MIRIAM resources as RDF."""
        element.setSBOTerm(term)
        for qualifier, address in () if self._bare else resources:
            if not element.isSetMetaId():
                element.setMetaId(f"about_{element.getId()}")
            words = self._libsbml.CVTerm(self._libsbml.BIOLOGICAL_QUALIFIER)
            words.setBiologicalQualifierType(qualifier)
            words.addResource(address)
            element.addCVTerm(words)

    def _note(self, element: Any, lines: Iterable[str]) -> None:
        body = "".join(f"<p>{escape(line)}</p>" for line in lines if line)
        if body and not self._bare:
            element.setNotes(f'<body xmlns="http://www.w3.org/1999/xhtml">{body}</body>')


def _without_unit(node: Any) -> None:
    """Declare every number of a formula dimensionless, because libSBML checks only declared units."""
    if node.isNumber() and not node.isSetUnits():
        node.setUnits("dimensionless")
    for i in range(node.getNumChildren()):
        _without_unit(node.getChild(i))


DISCLAIMER = "For research and education only: not treatment or dosing advice."
BOLUS_KIND = 0  # kind of an event: a bolus
# Share of a scale below which a number is written as 0. A steady state has rounding errors, and libRoadRunner
# multiplies an absolute tolerance by every value other than 0 (with 1e-100 no double would satisfy it).
ROUNDING = 1e-12


def course_sbml(
    model: Model, course: Subject, *, name: str | None = None, notes: Sequence[str] = (), species: str = HUMAN
) -> str:
    """SBML text of one subject: parameter values, initial state, and dose events.

    `notes`: remarks on the whole model, one paragraph each. Raises SolverError when no steady state is found, and
    InputError as `write_sbml` does.
    """
    patient = Ensemble.of_subjects(model, [course])
    first = patient.initial()
    if not first.found[0]:
        raise SolverError(f"no start was found: {first.reasons[0]}")
    return write_sbml(
        model.system, first.inputs[0], first.state[0], patient.events.patient(0), name=name or course.label,
        notes=notes, species=species,
    )  # fmt: skip


def write_sbml(
    system: System,
    inputs: np.ndarray,
    start: np.ndarray,
    given: Events,
    *,
    name: str = "ketamech",
    notes: Sequence[str] = (),
    species: str = HUMAN,
    always_infused: Collection[int] = (),
    without_annotations: bool = False,
) -> str:
    """SBML Level 3 text of `system` for one patient.

    `inputs` [input]: parameters, then baseline values, in the order of `system.inputs`; `start` [state]: the initial
    state; `given`: the dose events. Doses at time 0 are part of the initial values. States in `always_infused`
    (indices) have an inflow parameter even without an infusion. Raises InputError for vectors that do not fit the
    system and where python-libsbml is missing.
    """
    _check_exportable("inputs", inputs, system.inputs)
    _check_exportable("start", start, system.state_names)
    equations = f"KetaMech, equations {system.fingerprint}; time in hours."
    document = SbmlWriter(name, [equations, DISCLAIMER, *notes], species=species, bare=without_annotations)
    doses = dose_changes(system, start, given)
    doses.inflows.update({i: 0.0 for i in always_infused if i not in doses.inflows})
    _write_inputs(document, system, inputs)
    _write_states(document, system, doses)
    _write_offers(document, system)
    for at, change in doses.changes.items():
        document.event(at, assignments(system, change))
    return document.text()


def _check_exportable(what: str, vector: np.ndarray, names: tuple[str, ...]) -> None:
    if np.shape(vector) != (len(names),):
        raise InputError(f"{what} has shape {np.shape(vector)}", expected=f"one patient's {len(names)} values")
    bad = [name for name, value in zip(names, vector, strict=True) if not np.isfinite(value)]
    if bad:
        raise InputError(f"{what} has no finite value for {bad[0]}", expected="finite values")


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


def dose_changes(system: System, start: np.ndarray, given: Events) -> DosedStart:
    """Dose events as changes: boluses add up, inflows are totals."""
    scale = np.array([state.scale for state in system.states])
    begun = np.where(np.abs(start) < ROUNDING * scale, 0.0, start)
    flowing = {int(i): 0.0 for i, kind in zip(given.state, given.kind, strict=True) if kind != BOLUS_KIND}
    now, later = EventAssignment({}, {}), dict[float, EventAssignment]()
    before = dict(flowing)
    rows = (given.time.tolist(), given.kind.tolist(), given.state.tolist(), given.size.tolist())
    for at, kind, state, size in zip(*rows, strict=True):
        # equal written times must be one event: of two simultaneous events the second would undo the first
        change = later.setdefault(float(f"{at:.{DIGITS}g}"), EventAssignment({}, {})) if at > 0 else now
        if kind == BOLUS_KIND:
            change.amounts[state] = change.amounts.get(state, 0.0) + size
        else:
            total = flowing[state] + size
            flowing[state] = change.inflows[state] = total if abs(total) > ROUNDING * abs(size) else 0.0
    for state, amount in now.amounts.items():
        begun[state] += amount
    return DosedStart(begun, before | now.inflows, now, later)


def _write_inputs(document: SbmlWriter, system: System, inputs: np.ndarray) -> None:
    values = dict(zip(system.inputs, inputs.tolist(), strict=True))
    for name in system.parameter_names:
        row = system.parameters[name]
        own = values[name] != row.canonical
        papers = papers_of(row) if not own and row.status not in ("set", "assumed") else []
        document.parameter(sbml_id(name), name, row.unit, values[name], about=_source(row, own), resources=papers)
    for name in system.baseline_names:
        rest = f"rest({name})"
        document.parameter(sbml_id(rest), rest, system.units[name], values[rest], about=[f"drug-free value of {name}"])


def _source(row: Parameter, own: bool) -> list[str]:
    """The source of a value; for a patient's `own` value, the table value."""
    if own:
        return [f"set for this patient; {row.canonical:g} {row.canonical_unit} in the table"]
    return [f"{row.status}: {row.reason}", f"sources: {', '.join(row.evidence)}" if row.evidence else ""]


def _write_states(document: SbmlWriter, system: System, doses: DosedStart) -> None:
    reasons: dict[str, list[str]] = {name: [] for name in system.state_names}
    for flux in system.fluxes:
        reasons[flux.state].append(f"{flux.because}: {flux.term}".replace("**", "^"))
    for i, (state, rate) in enumerate(zip(system.states, system.rates, strict=True)):
        name, text = state.name, formula(rate)
        document.parameter(
            sbml_id(name), name, state.unit, doses.start[i],
            moves=True, about=[state.description], resources=resources_of(name),
        )  # fmt: skip
        if i in doses.inflows:
            inflow, label = inflow_id(name), f"constant input into {name}"
            document.parameter(inflow, label, _per_hour(state.unit), doses.inflows[i], moves=True)
            text = f"{text} + {inflow}"
        document.rate(sbml_id(name), text, reasons[name])


def _write_offers(document: SbmlWriter, system: System) -> None:
    for offer in system.outputs:
        identifier = sbml_id(offer.name)
        document.parameter(
            identifier, offer.name, offer.unit, None,
            moves=not offer.is_constant, about=[offer.description], resources=resources_of(offer.name),
        )  # fmt: skip
        document.rule(identifier, formula(offer.expression), once=offer.is_constant)


def assignments(system: System, change: EventAssignment) -> list[tuple[str, str]]:
    """The assignments of a change as (id, formula of the new value) in L3 infix."""
    given = [(system.states[i], size) for i, size in change.amounts.items()]
    flows = [(system.states[i], speed) for i, speed in change.inflows.items()]
    return [
        *((sbml_id(s.name), f"{sbml_id(s.name)} + {size!r} {unit_id(s.unit)}") for s, size in given),
        *((inflow_id(s.name), f"{speed!r} {unit_id(_per_hour(s.unit))}") for s, speed in flows),
    ]


def _per_hour(unit: str) -> str:
    return "1/h" if unit == "1" else f"({unit})/h"


def antimony_text(sbml: str) -> str:
    """SBML text as Antimony text. Raises InputError without the antimony package, ModelError for what it cannot
    read.
    """
    found = antimony()
    found.clearPreviousLoads()
    if found.loadSBMLString(sbml) < 0:
        raise ModelError(f"Antimony cannot read the model: {found.getLastError()}")
    return str(found.getAntimonyString(found.getMainModuleName()))
