"""An SBML document while it is being written, in the few words that a system needs."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from ketamech.core import InputError, ModelError
from ketamech.exchange.annotations import EXPRESSION, FRAMEWORK, Resource, resources_of, sbo_term
from ketamech.exchange.sbml.ids import unit_id, unit_parts
from ketamech.parameters import HUMAN

LEVEL, VERSION = 3, 1  # read by every simulator; version 2 adds nothing that the system uses
DIGITS = 15  # to which libSBML writes a number
# positive(x) is x above 0, 0 below, 5e-151 at 0 itself: there neither it nor its powers have a derivative that is not a
# number, as abs(x) has in AMICI: x / sign(x). Not a piecewise, at whose bend libRoadRunner would restart, nor
# sqrt(x * x), which takes libRoadRunner and COPASI up to twice as long. hill(x) is exactly 0 there: 1 - 1 / 1.
FUNCTIONS = {
    "positive": "lambda(x, (x + abs(x + 1e-150)) / 2)",
    "hill": "lambda(x, half, n, 1 - 1 / (1 + positive(x / half)^n))",
}


class SbmlWriter:
    """One SBML model; formulas are text in libSBML's L3 language, times in h; a number without a unit is a pure one.

    A `bare` one leaves out notes and annotations. Raises BadInput where python-libsbml is missing, BadModel for a
    formula that libSBML cannot read.
    """

    def __init__(self, name: str, about: Iterable[str], *, species: str = HUMAN, bare: bool = False) -> None:
        self._libsbml, self._bare = libsbml(), bare
        self._document = self._libsbml.SBMLDocument(LEVEL, VERSION)
        self._model = self._document.createModel()
        self._model.setId("ketamech")
        self._model.setName(name)
        self._note(self._model, about)
        self._mark(self._model, FRAMEWORK, resources_of(f"species.{species}"))
        self._model.setTimeUnits(self._unit("h"))
        self._model.setVolumeUnits(self._unit("L"))
        for declare in (self._model.setSubstanceUnits, self._model.setExtentUnits):
            declare(self._unit("umol"))
        for identifier, text in FUNCTIONS.items():
            made = self._model.createFunctionDefinition()
            made.setId(identifier)
            made.setMath(self._math(text))

    def parameter(
        self,
        identifier: str,
        name: str,
        unit: str,
        value: float | None,
        *,
        moves: bool = False,
        about: Iterable[str] = (),
        resources: Iterable[Resource] = (),
    ) -> None:
        """A quantity in the canonical unit of its kind; one that rules or events change `moves`."""
        made = self._model.createParameter()
        made.setId(identifier)
        made.setName(name)
        made.setConstant(not moves)
        made.setUnits(self._unit(unit))
        if value is not None:
            made.setValue(float(value))
        self._note(made, about)
        self._mark(made, sbo_term(unit), resources)

    def rate(self, identifier: str, text: str, reasons: Iterable[str]) -> None:
        """The rate of change (per h) of a state, with the reason for each of its terms."""
        made = self._model.createRateRule()
        made.setVariable(identifier)
        made.setMath(self._math(text))
        self._note(made, reasons)
        self._mark(made, EXPRESSION)

    def rule(self, identifier: str, text: str, *, once: bool) -> None:
        """How an offer is computed: at the start only, or at every time."""
        made = self._model.createInitialAssignment() if once else self._model.createAssignmentRule()
        (made.setSymbol if once else made.setVariable)(identifier)
        made.setMath(self._math(text))

    def event(self, at: float, assignments: Iterable[tuple[str, str]]) -> None:
        """Everything that changes at one time."""
        made = self._model.createEvent()
        made.setId(f"given_{self._model.getNumEvents()}")
        made.setUseValuesFromTriggerTime(True)
        trigger = made.createTrigger()
        trigger.setInitialValue(False)
        trigger.setPersistent(True)
        trigger.setMath(self._math(f"time >= {at!r} h"))
        for variable, text in assignments:
            changed = made.createEventAssignment()
            changed.setVariable(variable)
            changed.setMath(self._math(text))

    def text(self) -> str:
        """The document as XML."""
        return str(self._libsbml.writeSBMLToString(self._document))

    def _unit(self, text: str) -> str:
        identifier = unit_id(text)
        if identifier != "dimensionless" and self._model.getUnitDefinition(identifier) is None:
            made = self._model.createUnitDefinition()
            made.setId(identifier)
            for kind, multiplier, scale, exponent in unit_parts(text):
                part = made.createUnit()
                part.setKind(self._libsbml.UnitKind_forName(kind))
                part.setMultiplier(multiplier)
                part.setScale(scale)
                part.setExponent(exponent)
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
    """Say of every bare number of a formula that it has no unit: libSBML checks only what is declared."""
    if node.isNumber() and not node.isSetUnits():
        node.setUnits("dimensionless")
    for i in range(node.getNumChildren()):
        _without_unit(node.getChild(i))


def libsbml() -> Any:
    """The libSBML module. Raises BadInput, with what to type, where it is not installed."""
    try:
        import libsbml as found
    except ImportError as problem:
        what = "writing SBML needs python-libsbml, which is not installed"
        raise InputError(what, type_this='pip install "ketamech[exchange]"') from problem
    return found
