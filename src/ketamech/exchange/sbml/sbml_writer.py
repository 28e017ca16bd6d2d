"""Writes one SBML document with libSBML: quantities, species, reactions, rules and events, with their notes."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from ketamech.core import ModelError
from ketamech.exchange.optional_libraries import libsbml, with_fields
from ketamech.exchange.sbml.ids import (
    EXPRESSION,
    FRAMEWORK,
    Resource,
    resources_of,
    sbo_term,
    unit_id,
    unit_parts,
)
from ketamech.exchange.sbml.reactions import CONCENTRATION, COUNT
from ketamech.parameters import HUMAN

PLACE, MATERIAL = 290, 240  # SBO terms: physical compartment, material entity
LEVEL, VERSION = 3, 1  # supported by every simulator; version 2 adds nothing that the system uses
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

    def compartment(self, identifier: str, name: str) -> None:
        """A place of 1 L for species, whose amounts and concentrations are then equal numbers."""
        made = with_fields(self._model.createCompartment(), Id=identifier, Name=name, Constant=True)
        with_fields(made, Units=self._unit("L"), Size=1.0, SpatialDimensions=3)
        made.setSBOTerm(PLACE)

    def species(
        self, identifier: str, name: str, unit: str, value: float, compartment: str, *, kind: str,
        about: Iterable[str] = (), resources: Iterable[Resource] = (),
    ) -> None:  # fmt: skip
        """A state that reactions change; its id means its amount or count, or its concentration, as `kind` says."""
        made = with_fields(self._model.createSpecies(), Id=identifier, Name=name, Compartment=compartment)
        with_fields(made, BoundaryCondition=False, Constant=False, HasOnlySubstanceUnits=kind != CONCENTRATION)
        substance = "umol" if kind == CONCENTRATION else unit
        made.setSubstanceUnits(self._unit(substance))
        if kind == CONCENTRATION:
            made.setInitialConcentration(float(value))
        else:
            made.setInitialAmount(float(value))
        if kind == COUNT:
            made.setConversionFactor(self._factor(unit, f"({unit})/umol", "{}_per_umol"))
        self._note(made, about)
        self._mark(made, None if kind == COUNT else MATERIAL, resources)

    def reaction(
        self, identifier: str, name: str, reason: str, law: str, *, kind: str, unit: str, source: str | None,
        sink: str | None, modifiers: Iterable[str], compartment: str,
    ) -> None:  # fmt: skip
        """A reaction from `source` to `sink`, whose `law` is in the unit of its states per h."""
        made = with_fields(self._model.createReaction(), Id=identifier, Name=name, Reversible=False, Fast=False)
        for one, create in ((source, made.createReactant), (sink, made.createProduct)):
            if one is not None:
                with_fields(create(), Species=one, Stoichiometry=1.0, Constant=True)
        for one in modifiers:
            made.createModifier().setSpecies(one)
        if kind == CONCENTRATION:
            law = f"{compartment} * ({law})"
        elif kind == COUNT:
            law = f"{self._factor(unit, f'umol/({unit})', 'umol_per_{}')} * ({law})"
        made.createKineticLaw().setMath(self._math(law))
        self._note(made, [reason])

    def _factor(self, unit: str, units: str, pattern: str) -> str:
        """A factor of value 1 between a count and the amount by which reactions are measured."""
        identifier = pattern.format(unit_id(unit))
        if self._model.getParameter(identifier) is None:
            units = {"(1)/umol": "1/umol", "umol/(1)": "umol"}.get(units, units)
            self.parameter(identifier, identifier, units, 1.0, about=["reactions are measured in umol"])
        return identifier

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

    def _mark(self, element: Any, term: int | None, resources: Iterable[Resource] = ()) -> None:
        """An SBO term, and MIRIAM resources as RDF."""
        if term is not None:
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
