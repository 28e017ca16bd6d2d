"""The whole system as one SBML document, with what one patient is given as events.

States are parameters with rate rules, offers are assignment rules (initial assignments where fixed for a person), and
everything given at one time is one event at exactly that time. Time is in hours, every value in its canonical unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np

from ketamech.core import BadInput, BadModel
from ketamech.engine import Events
from ketamech.exchange.sbml_words import formula, inflow_id, sbml_id, unit_id, unit_parts
from ketamech.system import System

LEVEL, VERSION = 3, 1  # read by every simulator; version 2 adds nothing that the system uses
# Without a piecewise, at whose bend libRoadRunner would restart: positive(x) is x above 0 and 0 below, exactly.
FUNCTIONS = {
    "positive": "lambda(x, (x + abs(x)) / 2)",
    "hill": "lambda(x, half, n, positive(x)^n / (positive(x)^n + half^n))",
}
AT_ONCE = 0  # kind of an event: an amount enters at once
# Part of a state's scale below which a start is written as 0: a rest state is found to rounding, and libRoadRunner
# multiplies an absolute tolerance by every value that is not 0 (1e-100 would ask for more digits than there are).
ROUNDING = 1e-12


def write_sbml(system: System, inputs: np.ndarray, start: np.ndarray, given: Events, *, name: str = "ketamech") -> str:
    """SBML Level 3 text of `system` for one patient.

    `inputs` [input] are parameters, then resting values, in the order of `system.inputs`; `start` [state] is the
    patient's rest state; `given` is what the patient gets. What is given at time 0 is in the starting values.
    Raises BadInput for vectors that do not fit the system or where python-libsbml is missing.
    """
    _refuse_misfits(system, inputs, start)
    document = _Document(name)
    start, inflows, later = _folded(system, start, given)
    document.about_model(f"KetaMech, equations {system.fingerprint}. For research and education only.")
    _write_inputs(document, system, inputs)
    _write_states(document, system, start, inflows)
    _write_offers(document, system)
    for at, amounts, speeds in later:
        document.event(at, _assignments(system, amounts, speeds))
    return document.text()


def _write_inputs(document: _Document, system: System, inputs: np.ndarray) -> None:
    units = [system.parameters[name].unit for name in system.parameter_names]
    units += [system.units[name] for name in system.rested]
    for name, text, value in zip(system.inputs, units, inputs, strict=True):
        document.parameter(sbml_id(name), name, text, value)


def _write_states(document: _Document, system: System, start: np.ndarray, inflows: dict[int, float]) -> None:
    reasons: dict[str, list[str]] = {state: [] for state in system.state_names}
    for flux in system.fluxes:
        reasons[flux.state].append(f"{flux.because}: {flux.term}".replace("**", "^"))
    for i, state in enumerate(system.states):
        document.parameter(sbml_id(state.name), state.name, state.unit, start[i], moves=True, about=state.about)
        rate = formula(system.rates[i])
        if i in inflows:
            inflow = inflow_id(state.name)
            label = f"constant input into {state.name}"
            document.parameter(inflow, label, f"{state.unit}/h" if state.unit != "1" else "1/h", inflows[i], moves=True)
            rate = f"{rate} + {inflow}"
        document.rate(sbml_id(state.name), rate, reasons[state.name])


def _write_offers(document: _Document, system: System) -> None:
    for offer in system.offers:
        identifier = sbml_id(offer.name)
        document.parameter(identifier, offer.name, offer.unit, None, moves=not offer.fixed, about=offer.about)
        document.rule(identifier, formula(offer.expression), once=offer.fixed)


def _refuse_misfits(system: System, inputs: np.ndarray, start: np.ndarray) -> None:
    for what, vector, names in (("inputs", inputs, system.inputs), ("start", start, system.state_names)):
        if np.shape(vector) != (len(names),):
            raise BadInput(f"{what} has shape {np.shape(vector)}", expected=f"one patient's {len(names)} values")
        bad = [name for name, value in zip(names, vector, strict=True) if not np.isfinite(value)]
        if bad:
            raise BadInput(f"{what} holds no number for {bad[0]}", expected="finite values")


Later = tuple[float, dict[int, float], dict[int, float]]


def _folded(system: System, start: np.ndarray, given: Events) -> tuple[np.ndarray, dict[int, float], list[Later]]:
    """What is given up to time 0 put into the start; constant inputs at time 0 by state; the rest by time.

    The rest is (time, amounts by state, constant inputs from then on by state): one event for each distinct time.
    """
    begun = np.where(np.abs(start) < ROUNDING * np.array([s.scale for s in system.states]), 0.0, start)
    speeds = {int(state): 0.0 for state, kind in zip(given.state, given.kind, strict=True) if kind != AT_ONCE}
    first: dict[int, float] = dict(speeds)
    later: dict[float, tuple[dict[int, float], dict[int, float]]] = {}
    for at, kind, state, size in zip(*(part.tolist() for part in _columns(given)), strict=True):
        amounts, changed = later.setdefault(at, ({}, {})) if at > 0 else ({}, {})
        if kind != AT_ONCE:
            speeds[state] += size
            changed[state] = speeds[state]
            first[state] = speeds[state] if at <= 0 else first[state]
        elif at > 0:
            amounts[state] = amounts.get(state, 0.0) + size
        else:
            begun[state] += size
    return begun, first, [(at, *both) for at, both in later.items()]


def _columns(given: Events) -> tuple[np.ndarray, ...]:
    return given.time, given.kind, given.state, given.size


def _assignments(system: System, amounts: dict[int, float], speeds: dict[int, float]) -> list[tuple[str, str]]:
    names = system.state_names
    entered = [(sbml_id(names[i]), f"{sbml_id(names[i])} + {size!r}") for i, size in amounts.items()]
    return entered + [(inflow_id(names[i]), repr(speed)) for i, speed in speeds.items()]


class _Document:
    """An SBML document while it is being written, in the few words that a system needs."""

    def __init__(self, name: str) -> None:
        self.libsbml = _libsbml()
        self.document = self.libsbml.SBMLDocument(LEVEL, VERSION)
        self.model = self.document.createModel()
        self.model.setId("ketamech")
        self.model.setName(name)
        self.model.setTimeUnits(self._unit("h"))
        self.model.setVolumeUnits(self._unit("L"))
        for kind in (self.model.setSubstanceUnits, self.model.setExtentUnits):
            kind(self._unit("umol"))
        for identifier, text in FUNCTIONS.items():
            made = self.model.createFunctionDefinition()
            made.setId(identifier)
            made.setMath(self._math(text))

    def about_model(self, text: str) -> None:
        """A remark on the whole model."""
        self._note(self.model, [text])

    def parameter(
        self, identifier: str, name: str, unit: str, value: float | None, *, moves: bool = False, about: str = ""
    ) -> None:
        """A quantity with its canonical unit; one that rules or events change `moves`."""
        made = self.model.createParameter()
        made.setId(identifier)
        made.setName(name)
        made.setConstant(not moves)
        made.setUnits(self._unit(unit))
        if value is not None:
            made.setValue(float(value))
        if about:
            self._note(made, [about])

    def rate(self, identifier: str, text: str, reasons: Iterable[str]) -> None:
        """The rate of change of a state, with the reason for each of its terms."""
        made = self.model.createRateRule()
        made.setVariable(identifier)
        made.setMath(self._math(text))
        self._note(made, reasons)

    def rule(self, identifier: str, text: str, *, once: bool) -> None:
        """How an offer is computed: at the start only, or at every time."""
        made = self.model.createInitialAssignment() if once else self.model.createAssignmentRule()
        (made.setSymbol if once else made.setVariable)(identifier)
        made.setMath(self._math(text))

    def event(self, at: float, assignments: Iterable[tuple[str, str]]) -> None:
        """Everything that changes at one time (h)."""
        made = self.model.createEvent()
        made.setId(f"given_{self.model.getNumEvents()}")
        made.setUseValuesFromTriggerTime(True)
        trigger = made.createTrigger()
        trigger.setInitialValue(False)
        trigger.setPersistent(True)
        trigger.setMath(self._math(f"time >= {at!r}"))
        for variable, text in assignments:
            changed = made.createEventAssignment()
            changed.setVariable(variable)
            changed.setMath(self._math(text))

    def text(self) -> str:
        """The document as XML."""
        return str(self.libsbml.writeSBMLToString(self.document))

    def _unit(self, text: str) -> str:
        identifier = unit_id(text)
        if identifier != "dimensionless" and self.model.getUnitDefinition(identifier) is None:
            made = self.model.createUnitDefinition()
            made.setId(identifier)
            for kind, multiplier, scale, exponent in unit_parts(text):
                part = made.createUnit()
                part.setKind(self.libsbml.UnitKind_forName(kind))
                part.setMultiplier(multiplier)
                part.setScale(scale)
                part.setExponent(exponent)
        return identifier

    def _math(self, text: str) -> Any:
        found = self.libsbml.parseL3Formula(text)
        if found is None:
            raise BadModel(f"libSBML cannot read '{text}': {self.libsbml.getLastParseL3Error()}")
        return found

    def _note(self, element: Any, lines: Iterable[str]) -> None:
        body = "".join(f"<p>{escape(line)}</p>" for line in lines)
        element.setNotes(f'<body xmlns="http://www.w3.org/1999/xhtml">{body}</body>')


def _libsbml() -> Any:
    try:
        import libsbml
    except ImportError as problem:
        raise BadInput("writing SBML needs python-libsbml", type_this="pip install ketamech[exchange]") from problem
    return libsbml
