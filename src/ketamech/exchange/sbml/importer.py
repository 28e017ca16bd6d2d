"""Reads an SBML file into an SbmlModel: species, compartments, parameters, rules, reactions and events.

The file is checked and converted to Level 3; unsupported features are refused by name. A species changed by reactions
becomes an amount; in formulas its id means the concentration unless it has only substance units. A quantity with a rate
rule is stored as what its id means. Time is a state. An algebraic rule (0 = formula) is solved for the one variable
that nothing else determines.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import sympy

from ketamech.core import InputError
from ketamech.core.atomic_files import read_text
from ketamech.exchange.document_libraries import libsbml
from ketamech.exchange.sbml.mathml import TIME, Formulas
from ketamech.exchange.sbml.sbml_model import (
    AMOUNT_SUFFIX,
    CLOCK,
    DELAY,
    DELAY_ORDER,
    DELAY_START,
    FAST_RATE_FACTOR,
    RATE_SUFFIX,
    SOURCE_SUFFIX,
    SbmlEvent,
    SbmlModel,
    compile_expression,
    qualified_name,
)
from ketamech.model.stage import symbol


def import_sbml(path: Path | str, text: str | None = None, *, start: float = 0.0) -> SbmlModel:
    """The model of an SBML file, or of `text`, its changed content, which starts at the time `start`.

    Raises InputError, with its name, for an unsupported feature.
    """
    document = read_document(Path(path), text)  # keep a reference: its parts are freed with it
    try:
        return _SbmlImporter(document.getModel(), Path(path), start).result
    except InputError as problem:
        raise problem.at(path) from None


class _SbmlImporter:
    """Builds one model: the meaning of each id first, then rules, reactions and events."""

    def __init__(self, model: Any, path: Path, start: float) -> None:
        self.model, self.path, self.names = model, path, libsbml()
        self.result = SbmlModel(model.getName() or model.getId() or path.stem, time_unit(model))
        self.result.symbol_of_id[TIME] = symbol(CLOCK)
        self.result.rates[CLOCK], self.result.initial_values[CLOCK] = sympy.Integer(1), sympy.Float(start)
        rules = [rule for rule in _all(model, "Rule") if rule.isSetMath()]  # a rule without a formula has no effect
        self.ruled = {rule.getVariable(): rule for rule in rules if not rule.isAlgebraic()}
        self.initial = {a.getSymbol(): a for a in _all(model, "InitialAssignment") if a.isSetMath()}
        self.set_by_events = {a.getVariable() for event in _all(model, "Event") for a in _all(event, "EventAssignment")}
        self.rates_used: dict[str, None] = {}  # ids whose rate of change is used in a formula
        self.delayed: dict[tuple[sympy.Expr, sympy.Expr], tuple[str, str]] = {}  # (value, lag): (symbol, its formula)
        self.functions = {function.getId(): function for function in _all(model, "FunctionDefinition")}
        self.reacting = self._reacting()
        self.algebraic = algebraic_unknowns(self.names, model, {*self.ruled, *self.reacting, *self.set_by_events})
        for compartment in _all(model, "Compartment"):
            self._add_quantity(compartment.getId(), self._size_of(compartment))
        for parameter in _all(model, "Parameter"):
            self._add_quantity(parameter.getId(), parameter.getValue() if parameter.isSetValue() else None)
        self._stoichiometries()
        for species in _all(model, "Species"):
            self._species(species)
        for reaction in _all(model, "Reaction"):
            self.result.symbol_of_id[reaction.getId()] = symbol(qualified_name(reaction.getId()))
        self._rules()
        self._read_initial_assignments()
        self._reactions()
        for event in _all(model, "Event"):
            if event.isSetTrigger() and event.getTrigger().isSetMath():  # an event without a trigger never fires
                self.result.events.append(self._event(event))
        for name in map(qualified_name, self.rates_used):
            self.result.rules[name + RATE_SUFFIX] = self.result.rate_of_change(name)
        self._delays()
        if self.result.initial_assignments:  # they become constants
            self.result.constants |= {
                name: self.result.values_at_start[name] for name in self.result.initial_assignments
            }
            self.result.assigned_constants |= self.result.initial_assignments
            self.result.initial_assignments.clear()

    def _size_of(self, compartment: Any) -> float:
        """The size of a compartment: 1, with a note, where the file states none."""
        identifier = compartment.getId()
        is_stated = compartment.isSetSize() or identifier in self.ruled or identifier in self.initial
        if not is_stated and not _is_flat(compartment):
            self.result.notes.append(f"compartment '{identifier}' has no size; 1 is used")
        return float(compartment.getSize()) if compartment.isSetSize() else 1.0

    def formula(self, node: Any, where: str) -> sympy.Expr:
        """A formula of the model in symbols."""
        return self._formulas(where).value(node)

    def _formulas(self, where: str) -> Formulas:
        return Formulas(
            self.names,
            self.result.symbol_of_id,
            self.result.constants,
            where,
            self._rate_of,
            self._delayed,
            self.functions,
        )

    def _delayed(self, value: sympy.Expr, lag: sympy.Expr, where: str) -> sympy.Expr:
        """The symbol of a delayed value; `_delays` adds its equation after everything is read."""
        key = (value, lag)
        if key not in self.delayed:
            self.delayed[key] = (f"{DELAY}{len(self.delayed)}", where)
        return symbol(self.delayed[key][0])

    def _delays(self) -> None:
        """Each delayed value is a state that follows a polynomial of its history, for a short segment of time."""
        for (value, lag), (name, where) in self.delayed.items():
            if any(s.name not in self.result.constants for s in lag.free_symbols):
                raise InputError(f"{where} uses a delay whose length changes", expected="a delay of constant length")
            time = compile_expression(lag)(self.result.constants)
            if not time >= 0:
                raise InputError(f"{where} uses a delay of {time:g}", expected="a delay of 0 or more")
            elapsed = symbol(CLOCK) - symbol(DELAY_START)
            self.result.constants[DELAY_START] = 0.0
            self.result.delays[name] = time
            self.result.rules[name + SOURCE_SUFFIX] = value
            rates = {s: sympy.Integer(0) for s in value.free_symbols if s.name.endswith(RATE_SUFFIX)}
            self.result.initial_values[name] = (
                value.xreplace(rates) if time > 0 else value
            )  # nothing changed before the start
            coefficients = [symbol(f"{name}.{power}") for power in range(1, DELAY_ORDER + 1)]
            self.result.constants |= {coefficient.name: 0.0 for coefficient in coefficients}
            terms = [power * coefficient * elapsed ** (power - 1) for power, coefficient in enumerate(coefficients, 1)]
            self.result.rates[name] = sympy.Add(*terms)

    def _rate_of(self, identifier: str) -> sympy.Expr:
        """The symbol of a rate of change; its expression is added after everything is read."""
        self.rates_used[identifier] = None
        return symbol(qualified_name(identifier) + RATE_SUFFIX)

    def _reacting(self) -> set[str]:
        """Species that reactions change."""
        unchanged = {s.getId() for s in _all(self.model, "Species") if s.getBoundaryCondition() or s.getConstant()}
        references = [
            part for r in _all(self.model, "Reaction") for part in (*_all(r, "Reactant"), *_all(r, "Product"))
        ]
        return {part.getSpecies() for part in references} - unchanged

    def _add_quantity(self, identifier: str, value: float | sympy.Expr | None) -> None:
        """A compartment, parameter or stoichiometry: its symbol, and whether it is a state, constant or rule."""
        name = qualified_name(identifier)
        self.result.symbol_of_id[identifier] = symbol(name)
        rule = self.ruled.get(identifier)
        if identifier in self.algebraic or (rule is not None and rule.isAssignment()):
            return  # an output, written by _rules
        number = sympy.nan if value is None else sympy.sympify(value)
        if rule is not None or identifier in self.set_by_events:
            self.result.rates[name] = sympy.Integer(0)
            self.result.initial_values[name] = number
            self.result.state_of_id[identifier] = (name, None)
        elif identifier in self.initial:
            self.result.rules[name] = number  # an initial assignment, filled in by _read_initial_assignments
        elif value is None:
            message = f"'{identifier}' has no value"
            raise InputError(message, key=identifier, expected="a value, a rule or an assignment")
        else:
            self.result.constants[name] = float(value)

    def _stoichiometries(self) -> None:
        """A stoichiometry with an id can be used, ruled and set like a parameter."""
        for reaction in _all(self.model, "Reaction"):
            for part in (*_all(reaction, "Reactant"), *_all(reaction, "Product")):
                if part.isSetId():
                    self._add_quantity(part.getId(), part.getStoichiometry() if part.isSetStoichiometry() else None)

    def _species(self, species: Any) -> None:
        identifier = species.getId()
        name, volume = qualified_name(identifier), self._volume(species)
        if identifier in self.ruled or identifier in self.algebraic:  # stored as what its id means
            self._add_quantity(identifier, self._initial(species, as_concentration=volume != 1))
            self.result.amounts[identifier] = symbol(name) * volume
            self._concentration(species, symbol(name))
            if name in self.result.rates and volume != 1:
                self.result.concentration_states[name] = volume.name
            return
        initial_amount = self._initial(species, as_concentration=False)
        if initial_amount is None and identifier not in self.initial:
            what = f"species '{identifier}' has no start"
            if self.model.getPlugin("fbc") is not None:
                what = f"a model for flux balances (package fbc): {what}"
            raise InputError(what, key=identifier, expected="an initial amount")
        amount = symbol(name + AMOUNT_SUFFIX) if volume != 1 else symbol(name)
        self.result.symbol_of_id[identifier] = symbol(name)
        self.result.amounts[identifier] = amount
        self._concentration(species, amount)
        if volume != 1:
            self.result.rules[name] = amount / volume
        self.result.rates[amount.name] = sympy.Integer(0)
        self.result.initial_values[amount.name] = sympy.nan if initial_amount is None else initial_amount
        self.result.state_of_id[identifier] = (amount.name, species.getCompartment() if volume != 1 else None)

    def _concentration(self, species: Any, amount: sympy.Expr) -> None:
        """The concentration of a species whose id means its amount."""
        compartment = self.model.getCompartment(species.getCompartment())
        if species.getHasOnlySubstanceUnits() and not _is_flat(compartment):
            size = self.result.symbol_of_id[species.getCompartment()]
            self.result.concentrations[species.getId()] = amount / size

    def _volume(self, species: Any) -> sympy.Expr:
        """The volume that turns a concentration into an amount; 1 where the id means the amount."""
        compartment = self.model.getCompartment(species.getCompartment())
        if species.getHasOnlySubstanceUnits() or _is_flat(compartment):
            return sympy.Integer(1)
        return self.result.symbol_of_id[species.getCompartment()]

    def _initial(self, species: Any, *, as_concentration: bool) -> sympy.Expr | None:
        """The initial concentration or amount of a species; None without one."""
        size = self.result.symbol_of_id[species.getCompartment()]
        if species.isSetInitialConcentration():
            return sympy.Float(species.getInitialConcentration()) * (1 if as_concentration else size)
        if species.isSetInitialAmount():
            return sympy.Float(species.getInitialAmount()) / (size if as_concentration else 1)
        return None

    def _rules(self) -> None:
        for identifier, rule in self.ruled.items():
            name = qualified_name(identifier)
            expression = self.formula(rule.getMath(), f"the rule of '{identifier}'")
            (self.result.rules if rule.isAssignment() else self.result.rates)[name] = expression
        for identifier, rule in self.algebraic.items():
            expression, name = (
                self.formula(rule.getMath(), f"the algebraic rule for '{identifier}'"),
                qualified_name(identifier),
            )
            self.result.rules[name] = solve_for(expression, symbol(name), identifier)

    def _read_initial_assignments(self) -> None:
        """Initial assignments, in place of initial values."""
        for identifier, assignment in self.initial.items():
            value = self.formula(assignment.getMath(), f"the initial assignment of '{identifier}'")
            name = qualified_name(identifier)
            if identifier in self.result.state_of_id:
                state, compartment = self.result.state_of_id[identifier]
                self.result.initial_values[state] = (
                    value * self.result.symbol_of_id[compartment] if compartment else value
                )
            elif name in self.result.rules:
                del self.result.rules[name]
                self.result.initial_assignments[name] = value
            else:
                self.result.initial_values[name] = value

    def _reactions(self) -> None:
        for reaction in _all(self.model, "Reaction"):
            name = qualified_name(reaction.getId())
            if not reaction.isSetKineticLaw() or not reaction.getKineticLaw().isSetMath():
                self.result.rules[name] = sympy.Integer(0)
                self.result.notes.append(f"reaction '{reaction.getId()}' has no rate law; its rate is 0")
                continue
            law = reaction.getKineticLaw().getMath()
            self.result.rules[name] = self.formula(law, f"the rate of '{reaction.getId()}'")
            factor = sympy.Float(FAST_RATE_FACTOR) if reaction.isSetFast() and reaction.getFast() else sympy.Integer(1)
            self.result.has_fast_reactions |= factor != 1
            for sign, kind in ((-1, "Reactant"), (1, "Product")):
                for reference in _all(reaction, kind):
                    species = reference.getSpecies()
                    if species in self.reacting and species not in self.ruled:
                        state, _ = self.result.state_of_id[species]
                        count = sign * self._count(reference) * self._factor(species)
                        self.result.rates[state] += count * factor * symbol(name)

    def _count(self, part: Any) -> sympy.Expr:
        """The stoichiometry: a number, or a symbol where the reference has an id."""
        if part.isSetId() and part.getId() in self.result.symbol_of_id:
            return self.result.symbol_of_id[part.getId()]
        if part.isSetStoichiometryMath():
            return self.formula(part.getStoichiometryMath().getMath(), f"the stoichiometry of '{part.getSpecies()}'")
        if not part.isSetStoichiometry():
            raise InputError(f"a stoichiometry of '{part.getSpecies()}' is missing", expected="a number")
        count = float(part.getStoichiometry())
        return sympy.Integer(int(count)) if count.is_integer() else sympy.Float(count)

    def _factor(self, identifier: str) -> sympy.Expr:
        species = self.model.getSpecies(identifier)
        factor = species.getConversionFactor() or self.model.getConversionFactor()
        return self.result.symbol_of_id[factor] if factor else sympy.Integer(1)

    def _event(self, event: Any) -> SbmlEvent:
        name = event.getId() or event.getName() or "an event"
        trigger, where = event.getTrigger(), f"event '{name}'"
        fires = self._formulas(where).condition(trigger.getMath())
        assigned = []
        for assignment in _all(event, "EventAssignment"):
            if assignment.getVariable() not in self.result.state_of_id:
                message = f"{where} sets '{assignment.getVariable()}', which is not a variable"
                raise InputError(message, expected="a variable")
            if assignment.isSetMath():
                assigned.append((assignment.getVariable(), self.formula(assignment.getMath(), where)))
        delay = event.isSetDelay() and event.getDelay().isSetMath() and event.getDelay().getMath()
        priority = event.isSetPriority() and event.getPriority().isSetMath() and event.getPriority().getMath()
        return SbmlEvent(
            name, fires(sympy.Integer(1), sympy.Integer(0)), tuple(assigned),
            self.formula(delay, where) if delay else sympy.Integer(0),
            self.formula(priority, where) if priority else None,
            event.getUseValuesFromTriggerTime(), trigger.getPersistent(), trigger.getInitialValue(),
        )  # fmt: skip


def time_unit(model: Any) -> str:
    """The unit of time of a model as text; empty where the file states none."""
    unit = model.getTimeUnits() if model.isSetTimeUnits() else ""
    definition = model.getUnitDefinition(unit) if unit else None
    if definition is not None and definition.getNumUnits() == 1:
        part = definition.getUnit(0)
        seconds = part.getMultiplier() * 10.0 ** part.getScale()
        names = {1.0: "s", 60.0: "min", 3600.0: "h", 86400.0: "d", 1e-3: "ms"}
        return names.get(seconds, unit) if part.isSecond() and part.getExponent() == 1 else str(unit)
    return "s" if unit == "second" else str(unit)


def _all(owner: Any, kind: str) -> list[Any]:
    count = getattr(owner, "getNumSpecies" if kind == "Species" else f"getNum{kind}s")()
    return [getattr(owner, f"get{kind}")(i) for i in range(count)]


EXPECTED = "a rule that is linear in the one variable that nothing else determines"


def algebraic_unknowns(names: Any, model: Any, taken: Collection[str]) -> dict[str, Any]:
    """{variable: the algebraic rule that determines it}; `taken`: ids determined by rules, reactions and events.

    `names` is libSBML. Raises InputError for a rule that determines no unique variable.
    """
    algebraic = [rule for rule in _all(model, "Rule") if rule.isAlgebraic() and rule.isSetMath()]
    pending = [(rule, set(_ids(names, rule.getMath()))) for rule in algebraic]
    undetermined = set(_variable_ids(model)) - set(taken)
    rule_by_variable: dict[str, Any] = {}
    while pending:
        rule, ids = min(pending, key=lambda item: abs(len(item[1] & undetermined) - 1))
        if len(ids & undetermined) != 1:
            candidates = ", ".join(sorted(ids & undetermined)) or "nothing"
            raise InputError(f"an algebraic rule that determines one of: {candidates}", expected=EXPECTED)
        (variable,) = ids & undetermined
        rule_by_variable[variable] = rule
        undetermined.remove(variable)
        pending.remove((rule, ids))
    return rule_by_variable


def solve_for(formula: sympy.Expr, variable: sympy.Symbol, name: str) -> sympy.Expr:
    """The value of the variable for which a formula is 0. Raises InputError for a nonlinear formula."""
    slope = sympy.expand(sympy.diff(formula, variable))
    if slope == 0 or slope.has(variable):
        raise InputError(f"an algebraic rule that is not linear in '{name}'", key=name, expected=EXPECTED)
    return -formula.xreplace({variable: sympy.Integer(0)}) / slope


def _ids(names: Any, node: Any) -> Iterator[str]:
    if names.ASTNode.getType(node) == names.AST_NAME:
        yield str(node.getName())
    for i in range(node.getNumChildren()):
        yield from _ids(names, node.getChild(i))


def _variable_ids(model: Any) -> Iterator[str]:
    """Ids of quantities that are not constant."""
    for kind in ("Compartment", "Species", "Parameter"):
        yield from (element.getId() for element in _all(model, kind) if not element.getConstant())


LEVEL, VERSION = 3, 1
IGNORED_PACKAGES = ("layout", "render", "groups", "annot", "l3v2extendedmath")


def read_document(path: Path, text: str | None = None) -> Any:
    """A checked and converted libSBML document of a file, or of `text`. Raises InputError for invalid or unsupported
    SBML.
    """
    names = libsbml()
    document = names.readSBMLFromString(read_text(path, "an SBML model") if text is None else text)
    document.setLocationURI(path.absolute().as_uri())  # external models are searched beside it
    _refuse_errors(names, document, path)
    if document.getModel() is None:
        raise InputError("the file has no model", file=path, expected="an SBML model")
    _flatten(names, document, path)
    _refuse_packages(document, path)
    if document.getLevel() < LEVEL and not document.setLevelAndVersion(LEVEL, VERSION, False):
        raise InputError(f"SBML Level {document.getLevel()} that cannot be brought to Level 3", file=path)
    options = names.ConversionProperties()
    options.addOption("promoteLocalParameters", True)
    if document.convert(options) != names.LIBSBML_OPERATION_SUCCESS:
        raise InputError("libSBML could not promote local parameters", file=path, expected="a valid model")
    return document


def _flatten(names: Any, document: Any, path: Path) -> None:
    """Replace submodels (package comp) by their content. Raises InputError where libSBML cannot."""
    plugin = document.getModel().getPlugin("comp")
    if plugin is None or plugin.getNumSubmodels() == 0:
        return
    options = names.ConversionProperties()
    options.addOption("flatten comp", True)
    options.addOption("basePath", str(path.absolute().parent))
    options.addOption("performValidation", False)
    if document.convert(options) != names.LIBSBML_OPERATION_SUCCESS:
        count = document.getNumErrors()
        reason = _error_text(document.getError(count - 1)) if count else "libSBML gives no reason"
        raise InputError(f"submodels that libSBML cannot join: {reason}", file=path, expected="a valid model")


def _refuse_errors(names: Any, document: Any, path: Path) -> None:
    for i in range(document.getNumErrors()):
        error = document.getError(i)
        package = re.search(r"[Pp]ackage '?(\w+)", error.getMessage())  # errors in drawings do not matter
        harmless = error.getErrorId() == names.MissingXMLEncoding  # UTF-8 by default, which was checked
        harmless |= package is not None and package[1].removesuffix("_L2") in IGNORED_PACKAGES
        if error.getSeverity() >= names.LIBSBML_SEV_ERROR and not harmless:
            raise InputError(_error_text(error), file=path, line=error.getLine() or None, expected="a valid SBML model")


def _is_flat(compartment: Any) -> bool:
    """Whether a compartment has no extent, so that it holds no concentrations."""
    return bool(compartment.isSetSpatialDimensions() and compartment.getSpatialDimensions() == 0)


def _error_text(error: Any) -> str:
    """The short message of libSBML, and the specific one that follows its reference to the specification."""
    short = " ".join(error.getShortMessage().split()) or "not valid SBML"
    _, _, details = error.getMessage().partition("\nReference:")
    detail = " ".join(details.partition("\n")[2].split())[:200].rstrip(".")
    return f"{short}: {detail}" if detail else short


def _refuse_packages(document: Any, path: Path) -> None:
    for i in range(document.getNumPlugins()):
        name = document.getPlugin(i).getPackageName()
        plugin = document.getModel().getPlugin(name)
        is_empty = name == "comp" and (plugin is None or plugin.getNumSubmodels() == 0)
        if name not in IGNORED_PACKAGES and not is_empty and document.getPackageRequired(name):
            raise InputError(f"the model needs the package '{name}'", file=path, expected="SBML core only")
    for i in range(document.getNumUnknownPackages()):
        prefix = document.getUnknownPackagePrefix(i)
        if document.getPackageRequired(document.getUnknownPackageURI(i)):
            raise InputError(f"the model needs the package '{prefix}'", file=path, expected="SBML core only")
