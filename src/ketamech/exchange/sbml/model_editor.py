"""An SBML document whose values are set or changed, and that continues from computed values or from a steady state."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy

from ketamech.core import InputError, SolverError
from ketamech.exchange.document_libraries import libsbml, with_fields

STEADY_TIMES = np.geomspace(1.0, 1e10, 11)  # after the start of a search for a steady state, in units of the model
STEADY_TOLERANCE = 1e-6  # relative, between the last two of these times
TRIGGER = "trigger_of_event_{}"
_ID = re.compile(r"\[\s*@id\s*=\s*['\"](\w+)['\"]\s*\]")
_ATTRIBUTE = re.compile(r"/@(?:\w+:)?(\w+)\Z")


class ModelEditor:
    """A copy of an SBML document, converted to Level 3."""

    def __init__(self, document: Any) -> None:
        self.document = document.clone()
        if self.document.getLevel() < 3:
            self.document.setLevelAndVersion(3, 1, False)
        self.model = self.document.getModel()
        if self.model is None:
            raise InputError("this is no SBML model", expected="an SBML file")
        sbml = libsbml()
        fields = ("Value", "Size", "InitialConcentration", "Stoichiometry")
        kinds = (sbml.SBML_PARAMETER, sbml.SBML_COMPARTMENT, sbml.SBML_SPECIES, sbml.SBML_SPECIES_REFERENCE)
        self._fields = dict(zip(kinds, fields, strict=True))

    @classmethod
    def of_text(cls, text: str) -> ModelEditor:
        """The model in a text."""
        return cls(libsbml().readSBMLFromString(text))

    @property
    def text(self) -> str:
        """The document as text."""
        return str(libsbml().writeSBMLToString(self.document))

    def set_value(self, identifier: str, value: sympy.Expr | float) -> bool:
        """Set an initial value, a number or an initial assignment; False where there is no such id."""
        element, value = self.model.getElementBySId(identifier), sympy.sympify(value)
        if element is None or element.getTypeCode() not in self._fields:
            return False
        if value.is_number and value is sympy.nan:
            return True
        self.model.removeInitialAssignment(identifier)
        if value.is_number:
            amount = element.getTypeCode() == libsbml().SBML_SPECIES and element.getHasOnlySubstanceUnits()
            with_fields(element, **{"InitialAmount" if amount else self._fields[element.getTypeCode()]: float(value)})
        else:
            with_fields(self.model.createInitialAssignment(), Symbol=identifier, Math=self.math(value))
        return True

    def show_triggers(self) -> None:
        """Add a parameter for each event whose value is whether its trigger is true."""
        for i in range(self.model.getNumEvents()):
            if self.model.getParameter(TRIGGER.format(i)) is None:
                trigger = libsbml().formulaToL3String(self.model.getEvent(i).getTrigger().getMath())
                parameter = with_fields(self.model.createParameter(), Id=TRIGGER.format(i), Constant=False)
                indicator = libsbml().parseL3Formula(f"piecewise(1, {trigger}, 0)")
                with_fields(self.model.createAssignmentRule(), Variable=parameter.getId(), Math=indicator)

    def continue_from(self, values: Mapping[str, float], changes: Mapping[str, sympy.Expr] | None = None) -> list[str]:
        """Take all values and triggers from computed `values`, and then `changes`; returns ids that are unknown."""
        for i in range(self.model.getNumEvents()):
            self.model.getEvent(i).getTrigger().setInitialValue(values[TRIGGER.format(i)] > 0)
        new_values: dict[str, sympy.Expr | float] = dict(changes or {})
        assigned = self.assigned
        for list_of in (self.model.getListOfCompartments(), self.model.getListOfSpecies(),
                        self.model.getListOfParameters()):  # fmt: skip
            for i in range(list_of.size()):
                name = list_of.get(i).getId()
                if name in values and name not in assigned and name not in new_values:
                    new_values[name] = values[name]
        return [name for name, value in new_values.items() if not self.set_value(name, value)]

    @property
    def assigned(self) -> set[str]:
        """Ids that an assignment rule computes."""
        rules = (self.model.getRule(i) for i in range(self.model.getNumRules()))
        return {rule.getVariable() for rule in rules if rule.isAssignment()}

    def math(self, value: sympy.Expr) -> Any:
        """The MathML of an expression. Raises InputError."""
        text = str(value).replace("**", "^")
        node = libsbml().parseL3Formula(text)
        if node is None:
            raise InputError(f"the formula {text[:80]} is not supported", expected="arithmetic and functions of SBML")
        return node


Curves = Mapping[str, np.ndarray]


def steady_state(simulate: Callable[[np.ndarray], Curves], start: float) -> dict[str, float]:
    """Every value at the steady state that a simulation reaches after `start`. Raises SolverError where it does not."""
    curves = simulate(start + STEADY_TIMES)
    for name, curve in curves.items():
        if name != "time" and abs(curve[-1] - curve[-2]) > STEADY_TOLERANCE * np.abs(curve).max():
            raise SolverError(f"no steady state is reached: {name} is still changing")
    return {name: float(curve[-1]) for name, curve in curves.items()}


def ids_of(target: str) -> list[str]:
    """The ids of elements in an XPath."""
    return _ID.findall(target)


def changed_sbml(text: str, changes: list[Any]) -> str:
    """SBML text after changes of attributes. Raises InputError for other changes and unknown elements."""
    if not changes:
        return text
    document = libsbml().readSBMLFromString(text)
    model = document.getModel()
    for one in changes:
        kind, target = one.getElementName(), one.getTarget()
        ids, attribute = ids_of(target), _ATTRIBUTE.search(target)
        name = attribute[1] if attribute else "value"
        if kind != "changeAttribute" or not ids or name not in ATTRIBUTES:
            if kind == "changeAttribute" and name == "name":
                continue
            message = f"the SED-ML changes more than a value ({kind} of {target[:80]})"
            raise InputError(message, expected=f"changeAttribute of a {', '.join(ATTRIBUTES)}")
        element = element_of(model, ids, target) if model is not None else None
        setter = getattr(element, f"set{name[0].upper()}{name[1:]}", None)
        if setter is None:
            raise InputError(f"the SED-ML changes the {name} of '{ids[-1]}', which is not in the model")
        try:
            setter(float(one.getNewValue()))
        except ValueError:
            message = f"the SED-ML sets {target[:80]} to '{one.getNewValue()[:40]}'"
            raise InputError(message, expected="a number") from None
    return str(libsbml().writeSBMLToString(document))


ATTRIBUTES = ("value", "initialConcentration", "initialAmount", "size", "stoichiometry")


def element_of(model: Any, ids: list[str], target: str) -> Any:
    """The element of a target; the parameter of a rate law is known only with its reaction."""
    if len(ids) == 2 and "kineticLaw" in target:
        reaction = model.getReaction(ids[0])
        return reaction.getKineticLaw().getParameter(ids[1]) if reaction and reaction.isSetKineticLaw() else None
    return model.getElementBySId(ids[-1])
