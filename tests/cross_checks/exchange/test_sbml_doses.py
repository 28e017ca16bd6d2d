"""Small systems as SBML: how doses become events, names become ids, and what is refused."""

import dataclasses
from itertools import pairwise

import libsbml
import numpy as np
import pytest
import roadrunner
import sympy

from ketamech.core import InputError, ModelError
from ketamech.engine import events
from ketamech.exchange.sbml.exporter import write_sbml
from ketamech.exchange.sbml.ids import formula, own_name, sbml_id, unit_id
from ketamech.model.assemble import build_system
from ketamech.model.functions import hill
from ketamech.model.stage import symbol
from ketamech.parameters import Distribution, Parameter, ParameterTable
from toy_models import TABLE, kinetics, response

CENTRAL, OTHER = 0, 1
DOSE, INFLOW = 0, 1
ROWS = {
    name: Parameter(
        name, row.canonical, row.unit, Distribution("fixed"), "measured", ("a-paper",), "", "a <toy>", "", 1
    )
    for name, row in TABLE.items()
}


@pytest.fixture(scope="module")
def system():
    return build_system(ParameterTable(ROWS), [kinetics])


def written(system, rows=(), **changed):
    inputs = np.array([changed.get(name, ROWS[name].canonical) for name in system.parameter_names])
    return write_sbml(system, inputs, np.zeros(len(system.states)), events(rows))


def read(text):
    document = libsbml.readSBMLFromString(text)
    document.checkConsistency()
    assert document.getNumErrors() == 0, document.getError(0).getMessage()
    return document.getModel().clone()


def changes(model):
    """{time: {variable: formula}} of all events."""
    found = {}
    for event in (model.getEvent(i) for i in range(model.getNumEvents())):
        assigned = [event.getEventAssignment(k) for k in range(event.getNumEventAssignments())]
        at = event.getTrigger().getMath().getChild(1).getValue()
        assert at not in found
        found[at] = {a.getVariable(): libsbml.formulaToL3String(a.getMath()) for a in assigned}
    return found


def value(model, identifier):
    species = model.getSpecies(identifier)
    return model.getParameter(identifier).getValue() if species is None else species.getInitialAmount()


def test_what_is_given_at_time_zero_is_in_the_start(system):
    model = read(written(system, [(0.0, DOSE, CENTRAL, 5.0), (0.0, DOSE, CENTRAL, 2.0), (0.0, INFLOW, OTHER, 3.0)]))
    assert value(model, "kinetics__central") == 7
    assert value(model, "inflow__kinetics__other") == 3
    assert changes(model) == {}


def test_amounts_at_one_time_are_one_event(system):
    rows = [(2.0, DOSE, CENTRAL, 5.0), (2.0, DOSE, CENTRAL, 2.0), (2.0 + 1e-15, DOSE, OTHER, 1.0)]
    model = read(written(system, rows))
    assert changes(model) == {
        2: {"kinetics__central": "kinetics__central + 7 umol", "kinetics__other": "kinetics__other + 1 umol"}
    }
    assert value(model, "kinetics__central") == 0


def test_overlapping_infusions_add_up_and_end_at_exactly_nothing(system):
    rows = [(at, INFLOW, CENTRAL, size) for at, size in ((1, 0.1), (2, 0.2), (3, -0.1), (4, -0.2))]
    model = read(written(system, rows))
    speeds = [float(change["inflow__kinetics__central"].split()[0]) for change in changes(model).values()]
    assert speeds == pytest.approx([0.1, 0.3, 0.2, 0.0], rel=1e-12)
    assert speeds[-1] == 0
    assert value(model, "inflow__kinetics__central") == 0


def test_every_flux_is_a_reaction_with_its_reason(system):
    model = read(written(system, [(2.0, INFLOW, OTHER, 3.0)]))
    reactions = [model.getReaction(i) for i in range(model.getNumReactions())]
    assert len(reactions) < len(system.fluxes) + 1  # a transfer is one reaction of two fluxes
    reasons = {flux.because for flux in system.fluxes} | {"constant input"}
    assert {r.getName().partition(" (")[0] for r in reactions} == reasons
    assert all(r.getName().partition(" (")[0] in r.getNotesString() for r in reactions)
    moved = [r for r in reactions if r.getNumReactants() == r.getNumProducts() == 1]
    assert [(r.getReactant(0).getSpecies(), r.getProduct(0).getSpecies()) for r in moved] == [
        (sbml_id(one.state), sbml_id(other.state))
        for one, other in pairwise(system.fluxes)
        if one.term == -other.term and one.because == other.because
    ]


def test_doses_arrive_at_their_times(system):
    simulator = roadrunner.RoadRunner(written(system, [(1.5, DOSE, CENTRAL, 4.0), (2.0, INFLOW, OTHER, 3.0)]))
    simulator.timeCourseSelections = ["kinetics__central", "kinetics__other", "kinetics__gone"]
    given = np.array(simulator.simulate(times=[0, 1.499, 1.501, 2, 3, 6])).sum(axis=1)
    assert given == pytest.approx([0, 0, 4, 4, 7, 16], abs=1e-6)


def test_a_value_says_where_it_comes_from(system):
    model = read(written(system, **{"toy.volume": 25.0}))
    notes = model.getParameter("toy__volume").getNotesString()
    assert "set for this patient; 20 L in the table" in notes
    notes = model.getParameter("toy__clearance").getNotesString()
    assert "measured: a &lt;toy&gt;" in notes
    assert "a-paper" in notes


def test_names_come_back_from_ids(model):
    names = (*model.system.inputs, *(item.name for item in model.system.quantities))
    ids = {name: sbml_id(name) for name in names}
    assert len(set(ids.values())) == len(names)
    assert all(own_name(found) == name for name, found in ids.items())
    assert all(libsbml.SyntaxChecker.isValidSBMLSId(found) for found in ids.values())


@pytest.mark.parametrize("name", ["a__b.c", "a_.b", "a._b", "rest.b", "inflow.b", "a.b c", "a.ß", "1.b", "rest(a", ""])
def test_a_name_that_would_not_come_back_is_refused(name):
    with pytest.raises(ModelError, match="SBML id"):
        sbml_id(name)


X, Y = symbol("toy.x"), symbol("toy.y")
FORMULAS = {
    "power": X**3 - X**2 / Y + (X + 1) ** Y,
    "minus": -(X**2) - (-X) * Y,
    "quotients": X / (Y * (X + Y)) - 1 / X**2 + sympy.Rational(2, 7),
    "sum below": 1 / (X + Y) + (X + Y) ** -2,
    "roots": sympy.sqrt(X + Y) + 1 / sympy.sqrt(X) + X ** sympy.Rational(1, 3),
    "exp and log": sympy.exp(-X / Y) * sympy.log(1 + X),
    "number": X * 0.123456789012 + sympy.Float(1.23456789e-9) * Y,
}


@pytest.mark.parametrize("case", FORMULAS)
def test_formulas_keep_their_value(case):
    expected = FORMULAS[case].subs({X: 0.3, Y: 1.7})
    assert evaluated(formula(FORMULAS[case]), toy__x=0.3, toy__y=1.7) == pytest.approx(float(expected), rel=1e-12)


def evaluated(text, **values):
    """A formula in L3 language at given values, by libSBML."""
    node = libsbml.parseL3Formula(text)
    assert node is not None, libsbml.getLastParseL3Error()
    for name, number in values.items():
        node.replaceArgument(name, libsbml.parseL3Formula(repr(number)))
    return libsbml.SBMLTransforms.evaluateASTNode(node)


@pytest.mark.parametrize(("x", "share"), [(-1.0, 0), (0.0, 0), (0.5, 0.5), (2.0, 8 / 9), (1e6, 1)])
def test_hill_in_sbml(x, share):
    system = build_system(ParameterTable(ROWS), [kinetics, response])
    offer = next(o for o in system.outputs if o.name == "response.change")
    share_of_site = dataclasses.replace(
        offer, expression=hill(symbol("response.site"), symbol("toy.half"), symbol("toy.steepness"))
    )
    changed = dataclasses.replace(system, outputs=tuple(share_of_site if o is offer else o for o in system.outputs))
    start = np.array([{"response.site": x}.get(s.name, 1.0) for s in system.states])
    inputs = np.array([*(ROWS[n].canonical for n in system.parameter_names), 1.0])
    simulator = roadrunner.RoadRunner(write_sbml(changed, inputs, start, events([])))
    assert simulator["response__change"] == pytest.approx(share, abs=1e-8)


def test_units_have_ids():
    assert [unit_id(text) for text in ("umol/L", "L/h", "1/h", "1", "umol**2/L", "mL/min")] == [
        "umol_per_L", "L_per_h", "one_per_h", "dimensionless", "umol2_per_L", "L_per_h",
    ]  # fmt: skip


def test_units_have_their_size(system):
    model = read(written(system))
    found = {}
    for definition in (model.getUnitDefinition(i) for i in range(model.getNumUnitDefinitions())):
        basic = libsbml.UnitDefinition.convertToSI(definition)
        parts = [basic.getUnit(i) for i in range(basic.getNumUnits())]
        sizes = [(part.getMultiplier() * 10 ** part.getScale()) ** part.getExponentAsDouble() for part in parts]
        found[definition.getId()] = float(np.prod(sizes))
    assert found["h"] == pytest.approx(3600)
    assert found["umol_per_L"] == pytest.approx(1e-3)  # mol/m3
    assert found["L_per_h"] == pytest.approx(1e-3 / 3600)
    assert model.getTimeUnits() == "h"


def test_vectors_that_do_not_fit_are_refused(system):
    inputs, start = np.ones(len(system.inputs)), np.zeros(len(system.states))
    with pytest.raises(InputError, match="one patient's"):
        write_sbml(system, inputs[None], start, events([]))
    with pytest.raises(InputError, match="no finite value for kinetics"):
        write_sbml(system, inputs, np.where(np.arange(start.size) == OTHER, np.nan, start), events([]))
