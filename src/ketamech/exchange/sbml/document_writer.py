"""Writes one SBML document with libSBML: quantities, species, reactions, rules and events, with their notes."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from ketamech.core import ModelError
from ketamech.exchange.document_libraries import libsbml, with_fields
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

COMPARTMENT, MATERIAL = 290, 240  # SBO terms: physical compartment, material entity
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

    def __init__(self, name: str, remarks: Iterable[str], *, species: str = HUMAN, bare: bool = False) -> None:
        self._libsbml, self._bare = libsbml(), bare
        self._document = self._libsbml.SBMLDocument(LEVEL, VERSION)
        self._model = with_fields(self._document.createModel(), Id="ketamech", Name=name)
        self._note(self._model, remarks)
        self._annotate(self._model, FRAMEWORK, resources_of(f"species.{species}"))
        time, volume, amount = (self._unit(text) for text in ("h", "L", "umol"))
        with_fields(self._model, TimeUnits=time, VolumeUnits=volume, SubstanceUnits=amount, ExtentUnits=amount)
        for identifier, text in FUNCTIONS.items():
            with_fields(self._model.createFunctionDefinition(), Id=identifier, Math=self._math(text))

    def parameter(
        self, identifier: str, name: str, unit: str, value: float | None, *, moves: bool = False,
        remarks: Iterable[str] = (), resources: Iterable[Resource] = (),
    ) -> None:  # fmt: skip
        """A quantity in its canonical unit; `moves`: changed by rules or events."""
        units = self._unit(unit)
        parameter = with_fields(
            self._model.createParameter(), Id=identifier, Name=name, Constant=not moves, Units=units
        )
        if value is not None:
            parameter.setValue(float(value))
        self._note(parameter, remarks)
        self._annotate(parameter, sbo_term(unit), resources)

    def compartment(self, identifier: str, name: str) -> None:
        """A compartment of 1 L for species, whose amounts and concentrations are then equal numbers."""
        compartment = with_fields(self._model.createCompartment(), Id=identifier, Name=name, Constant=True)
        with_fields(compartment, Units=self._unit("L"), Size=1.0, SpatialDimensions=3)
        compartment.setSBOTerm(COMPARTMENT)

    def species(
        self, identifier: str, name: str, unit: str, value: float, compartment: str, *, kind: str,
        remarks: Iterable[str] = (), resources: Iterable[Resource] = (),
    ) -> None:  # fmt: skip
        """Add a species that reactions change; `kind`: whether its id means an amount, a count or a concentration."""
        species = with_fields(self._model.createSpecies(), Id=identifier, Name=name, Compartment=compartment)
        with_fields(species, BoundaryCondition=False, Constant=False, HasOnlySubstanceUnits=kind != CONCENTRATION)
        substance = "umol" if kind == CONCENTRATION else unit
        species.setSubstanceUnits(self._unit(substance))
        if kind == CONCENTRATION:
            species.setInitialConcentration(float(value))
        else:
            species.setInitialAmount(float(value))
        if kind == COUNT:
            species.setConversionFactor(self._factor(unit, f"({unit})/umol", "{}_per_umol"))
        self._note(species, remarks)
        self._annotate(species, None if kind == COUNT else MATERIAL, resources)

    def reaction(
        self, identifier: str, name: str, reason: str, rate_law: str, *, kind: str, unit: str, source: str | None,
        sink: str | None, modifiers: Iterable[str], compartment: str,
    ) -> None:  # fmt: skip
        """A reaction from `source` to `sink`, whose `rate_law` is in the unit of its states per h."""
        reaction = with_fields(self._model.createReaction(), Id=identifier, Name=name, Reversible=False, Fast=False)
        for state, create in ((source, reaction.createReactant), (sink, reaction.createProduct)):
            if state is not None:
                with_fields(create(), Species=state, Stoichiometry=1.0, Constant=True)
        for modifier in modifiers:
            reaction.createModifier().setSpecies(modifier)
        if kind == CONCENTRATION:
            rate_law = f"{compartment} * ({rate_law})"
        elif kind == COUNT:
            rate_law = f"{self._factor(unit, f'umol/({unit})', 'umol_per_{}')} * ({rate_law})"
        reaction.createKineticLaw().setMath(self._math(rate_law))
        self._note(reaction, [reason])

    def _factor(self, unit: str, units: str, pattern: str) -> str:
        """A factor of value 1 between a count and the amount by which reactions are measured."""
        identifier = pattern.format(unit_id(unit))
        if self._model.getParameter(identifier) is None:
            units = {"(1)/umol": "1/umol", "umol/(1)": "umol"}.get(units, units)
            self.parameter(identifier, identifier, units, 1.0, remarks=["reactions are measured in umol"])
        return identifier

    def rate(self, identifier: str, text: str, reasons: Iterable[str]) -> None:
        """The rate of change (per h) of a state, with the reason for each of its terms."""
        rule = with_fields(self._model.createRateRule(), Variable=identifier, Math=self._math(text))
        self._note(rule, reasons)
        self._annotate(rule, EXPRESSION)

    def rule(self, identifier: str, text: str, *, once: bool) -> None:
        """The formula of an output: an initial assignment (`once`) or an assignment rule."""
        if once:
            with_fields(self._model.createInitialAssignment(), Symbol=identifier, Math=self._math(text))
        else:
            with_fields(self._model.createAssignmentRule(), Variable=identifier, Math=self._math(text))

    def event(self, time: float, assignments: Iterable[tuple[str, str]]) -> None:
        """An event with all changes of one time."""
        event = with_fields(self._model.createEvent(), UseValuesFromTriggerTime=True)
        event.setId(f"given_{self._model.getNumEvents()}")
        trigger = self._math(f"time >= {time!r} h")
        with_fields(event.createTrigger(), InitialValue=False, Persistent=True, Math=trigger)
        for variable, text in assignments:
            with_fields(event.createEventAssignment(), Variable=variable, Math=self._math(text))

    def text(self) -> str:
        """The document as XML."""
        return str(self._libsbml.writeSBMLToString(self._document))

    def _unit(self, text: str) -> str:
        identifier = unit_id(text)
        if identifier != "dimensionless" and self._model.getUnitDefinition(identifier) is None:
            definition = with_fields(self._model.createUnitDefinition(), Id=identifier)
            for name, multiplier, scale, exponent in unit_parts(text):
                kind = self._libsbml.UnitKind_forName(name)
                with_fields(definition.createUnit(), Kind=kind, Multiplier=multiplier, Scale=scale, Exponent=exponent)
        return identifier

    def _math(self, text: str) -> Any:
        node = self._libsbml.parseL3Formula(text)
        if node is None:
            raise ModelError(f"libSBML cannot read '{text}': {self._libsbml.getLastParseL3Error()}")
        _without_unit(node)
        return node

    def _annotate(self, element: Any, term: int | None, resources: Iterable[Resource] = ()) -> None:
        """An SBO term, and MIRIAM resources as RDF."""
        if term is not None:
            element.setSBOTerm(term)
        for qualifier, address in () if self._bare else resources:
            if not element.isSetMetaId():
                element.setMetaId(f"about_{element.getId()}")
            cv_term = self._libsbml.CVTerm(self._libsbml.BIOLOGICAL_QUALIFIER)
            cv_term.setBiologicalQualifierType(qualifier)
            cv_term.addResource(address)
            element.addCVTerm(cv_term)

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
