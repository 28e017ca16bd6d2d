"""The whole system as one SBML document, with what one patient is given as events.

States are parameters with rate rules, offers are assignment rules (initial assignments where fixed for a person), and
everything given at one time is one event at exactly that time. Time is in hours, every value in its canonical unit.
What SBML cannot carry is left behind: spreads of parameters, bounds of states, other courses of the same scenario.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ketamech.core import InputError, SolverError
from ketamech.engine import Events
from ketamech.exchange.annotations import Resource, papers_of, resources_of
from ketamech.exchange.sbml.document import DIGITS, SbmlWriter
from ketamech.exchange.sbml.ids import formula, inflow_id, sbml_id, unit_id
from ketamech.model.system import System
from ketamech.parameters import HUMAN, Parameter
from ketamech.simulation.ensemble import Ensemble, Subject
from ketamech.simulation.model import Model

DISCLAIMER = "For research and education only: not treatment or dosing advice."
BOLUS_KIND = 0  # kind of an event: an amount enters at once
# Share of a scale below which a number is written as 0. A rest state is found to rounding, and libRoadRunner multiplies
# an absolute tolerance by every value that is not 0 (1e-100 would ask for more digits than there are).
ROUNDING = 1e-12


def course_sbml(
    model: Model, course: Subject, *, name: str | None = None, notes: Sequence[str] = (), species: str = HUMAN
) -> str:
    """SBML text of one course: this person's values and rest (or steady) state, and what is given, as events.

    `notes` are remarks on the whole model, one paragraph each. Raises SolveFailed when no rest state is found, and
    BadInput as `write_sbml` does.
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
    """SBML Level 3 text of `system` for one patient; `bare`: without notes and annotations.

    `inputs` [input] are parameters, then resting values, in the order of `system.inputs`; `start` [state] is the
    patient's rest state; `given` is what the patient gets. What is given at time 0 is in the starting values. States
    that are `infused` (index) have a constant input even where nothing is given.
    Raises BadInput for vectors that do not fit the system or where python-libsbml is missing.
    """
    _check_exportable("inputs", inputs, system.inputs)
    _check_exportable("start", start, system.state_names)
    equations = f"KetaMech, equations {system.fingerprint}; time in hours."
    document = SbmlWriter(name, [equations, DISCLAIMER, *notes], species=species, bare=without_annotations)
    doses = doses_of(system, start, given)
    doses.inflows.update({i: 0.0 for i in always_infused if i not in doses.inflows})
    _write_inputs(document, system, inputs)
    _write_states(document, system, doses)
    _write_offers(document, system)
    for at, change in doses.later.items():
        document.event(at, assignments(system, change))
    return document.text()


def _check_exportable(what: str, vector: np.ndarray, names: tuple[str, ...]) -> None:
    if np.shape(vector) != (len(names),):
        raise InputError(f"{what} has shape {np.shape(vector)}", expected=f"one patient's {len(names)} values")
    bad = [name for name, value in zip(names, vector, strict=True) if not np.isfinite(value)]
    if bad:
        raise InputError(f"{what} holds no number for {bad[0]}", expected="finite values")


@dataclass(frozen=True)
class EventAssignment:
    """What happens at one time: amounts that enter at once, and constant inputs (per h) from then on, by state."""

    amounts: dict[int, float]
    inflows: dict[int, float]


@dataclass(frozen=True)
class DosedStart:
    """Values [state] and constant inputs at the start, with everything given up to time 0 (`now`); changes by time."""

    start: np.ndarray
    inflows: dict[int, float]
    now: EventAssignment
    later: dict[float, EventAssignment]


def doses_of(system: System, start: np.ndarray, given: Events) -> DosedStart:
    """What is given as changes: amounts add up, constant inputs are totals."""
    scale = np.array([state.scale for state in system.states])
    begun = np.where(np.abs(start) < ROUNDING * scale, 0.0, start)
    flowing = {int(i): 0.0 for i, kind in zip(given.state, given.kind, strict=True) if kind != BOLUS_KIND}
    now, later = EventAssignment({}, {}), dict[float, EventAssignment]()
    before = dict(flowing)
    rows = (given.time.tolist(), given.kind.tolist(), given.state.tolist(), given.size.tolist())
    for at, kind, state, size in zip(*rows, strict=True):
        # times that are written alike are one time: of two events at once, the second would undo the first
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
        told, papers = _source(row, values[name]), _papers(row, values[name])
        document.parameter(sbml_id(name), name, row.unit, values[name], about=told, resources=papers)
    for name in system.baseline_names:
        rest = f"rest({name})"
        document.parameter(sbml_id(rest), rest, system.units[name], values[rest], about=[f"drug-free value of {name}"])


def _source(row: Parameter, value: float) -> list[str]:
    """Where a value comes from; where it is this patient's own, what the table says."""
    if value != row.canonical:
        return [f"set for this patient; {row.canonical:g} {row.canonical_unit} in the table"]
    return [f"{row.status}: {row.reason}", f"sources: {', '.join(row.evidence)}" if row.evidence else ""]


def _papers(row: Parameter, value: float) -> list[Resource]:
    return papers_of(row) if value == row.canonical and row.status not in ("set", "assumed") else []


def _write_states(document: SbmlWriter, system: System, doses: DosedStart) -> None:
    reasons: dict[str, list[str]] = {name: [] for name in system.state_names}
    for flux in system.fluxes:
        reasons[flux.state].append(f"{flux.because}: {flux.term}".replace("**", "^"))
    for i, (state, rate) in enumerate(zip(system.states, system.rates, strict=True)):
        name = state.name
        document.parameter(
            sbml_id(name),
            name,
            state.unit,
            doses.start[i],
            moves=True,
            about=[state.description],
            resources=resources_of(name),
        )
        text = formula(rate)
        if i in doses.inflows:
            inflow, label = inflow_id(state.name), f"constant input into {state.name}"
            document.parameter(inflow, label, _per_hour(state.unit), doses.inflows[i], moves=True)
            text = f"{text} + {inflow}"
        document.rate(sbml_id(state.name), text, reasons[state.name])


def _write_offers(document: SbmlWriter, system: System) -> None:
    for offer in system.outputs:
        identifier = sbml_id(offer.name)
        document.parameter(
            identifier, offer.name, offer.unit, None,
            moves=not offer.is_constant, about=[offer.description], resources=resources_of(offer.name),
        )  # fmt: skip
        document.rule(identifier, formula(offer.expression), once=offer.is_constant)


def assignments(system: System, change: EventAssignment) -> list[tuple[str, str]]:
    """What a change does, as (id, formula of its new value) in L3 language."""
    found = []
    for i, size in change.amounts.items():
        state = system.states[i]
        found.append((sbml_id(state.name), f"{sbml_id(state.name)} + {size!r} {unit_id(state.unit)}"))
    for i, speed in change.inflows.items():
        state = system.states[i]
        found.append((inflow_id(state.name), f"{speed!r} {unit_id(_per_hour(state.unit))}"))
    return found


def _per_hour(unit: str) -> str:
    return "1/h" if unit == "1" else f"({unit})/h"
