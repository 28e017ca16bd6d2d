"""SBML models of others on our engine: against closed forms, against libRoadRunner, and refused by name."""

import importlib
import math
import operator
import re
import subprocess
import sys
import time
from pathlib import Path

import antimony
import numpy as np
import pytest
import roadrunner
import typer

from benchmarks import conformance
from benchmarks.__main__ import conformance as conformance_command
from benchmarks.conformance import CaseResult, find_cases, judge, run_suite, suite_page, summary
from ketamech.core import InputError, SolverError
from ketamech.exchange.sbml.importer import import_sbml
from ketamech.exchange.sbml.sbml_model import CLOCK
from ketamech.exchange.sbml.segment_solver import SegmentSolver
from ketamech.exchange.sbml.simulate import simulate_imported

roadrunner.Logger.disableLogging()
TIMES = np.linspace(0, 5, 26)


def sbml(text):
    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(f"model m\n{text}\nend") >= 0, antimony.getLastError()
    return antimony.getSBMLString("m")


def arrived(folder, text):
    (folder / "m.xml").write_text(text if text.startswith("<?xml") else sbml(text), encoding="utf-8")
    return import_sbml(folder / "m.xml")


ALIKE = {
    "chain": ("species A=2, B=0; compartment c=2; A in c; B in c; k=0.7; J: 2 A -> B; k*A*c", "A B J"),
    "rules": ("x=1; x'=-k*x*y; k=0.5; y := 1+x^2; z = k+2; w := z*y", "x y w"),
    "volume moves": ("compartment c=1; c'=0.2; species A in c; A=3; k=0.3; J: A -> ; k*A*c", "A c"),
    "boundary and constant": (
        "compartment c=1; species $B in c, A in c; B=2; A=0; k=0.4; J: B -> A; k*B; B'=-0.1", "A B"),
    "time, piecewise": ("x=0; x' = piecewise(1, time<2, time>3.5, 0.5, 0.1*time)", "x"),
    "logic": ("x=0; y=1; y'=-y; x' = piecewise(1, (time>1 && time<2) || y<0.05, 0)", "x y"),
    "functions": ("x=1.3; x' = -ln(x+2)*sqrt(x)/(1+exp(x))+abs(x-1)*0.1+tanh(x)*0.01+max(x,1,0.2)*0.1", "x"),
    "powers of what is negative": ("n=3; x=-2; x'=-(x^n)*0.1 + x^2*0.05", "x"),
    "initial assignment": ("compartment c=2; species A in c; A=k*3; k=p^2; p=1.5; J: A->; k*A", "A"),
    "state event": ("x=1; x'=-x; at x<0.2: x=x+2", "x"),
    "timed events": ("x=0; x'=-0.5*x; E1: at time>=1: x=x+2; E2: at time>=3: x=x+1", "x"),
    "delay": ("x=1; y=0; x'=-x; y'=-0.1*y; at 1 after x<0.5: y=x", "x y"),
    "late values": ("x=1; y=0; x'=-x; E: at 1 after x<0.5, fromTrigger=false: y=x", "x y"),
    "priority": ("x=1; y=1; A: at time>=2, priority=1: x=2*y; B: at time>=2, priority=5: y=5", "x y"),
    "one event calls another": ("x=0; y=0; A: at time>=1: x=1; B: at x>0.5: y=3; y'=-y", "x y"),
    "not lasting": ("x=1; y=0; x'=-x; E: at 2 after (x>0.3 && time>0.2), persistent=false, t0=false: y=1", "x y"),
    "an event at the start": ("x=1; x'=-x; E: at x>0.5, t0=false: x=3", "x"),
    "an event sets a constant": ("k=1; x=1; x'=-k*x; at time>=1: k=0.1", "x k"),
    "a dose into a concentration": (
        "compartment c=4; species A in c; A=0; J: A->; 0.3*A*c; at time>=1: A=A+2", "A"),
    "an infusion that ends": ("r=0; x=0; x'=r-0.5*x; at time>=1: r=2; at time>=3: r=0", "x"),
    "hill": ("x=0.1; x' = x^h/(x^h+k^h) - 0.2*x; h=2.5; k=0.4", "x"),
    "a size moves under a rule": ("compartment c=0.5; c'=0.2; species S in c; S=0; S'=0.4; at time>=1: c=0.2", "S c"),
    "a size and what is in it": (
        "compartment c=0.5; c'=0.2; species S in c, T in c; S=0; S'=0.4; T=2; at time>=1: S=0.2, T=0.3, c=0.2",
        "S T c"),
    "rates of change": (
        "compartment c=2; c'=0.3; species A in c; A=3; k=0.4; J: A->; k*A*c; x=1; x'=-x+0.1*rateOf(A);"
        "w := rateOf(x)+rateOf(c)-rateOf(k)", "A x w c"),
    "a delay and a priority that are rates": (
        "x=1; x'=2; y=0; z=0; E: at rateOf(x) after time>=0.5: y=rateOf(x); F: at y>1, priority=rateOf(x): z=x",
        "x y z"),
    "implications": ("x=1; x'=-x; y := implies(time>2.1, time>3.5) + 2*implies(x<0.5, x>0.1)", "x y"),
    "a day": ("x=0; x'=cos(2*pi*time/1.7+3) + 0.1*sin(x)*tan(x/3)", "x"),
    "turns and their inverses": (
        "x=0.2; x'=arctan(5*x)+arcsin(x/9)-arccos(x/9)/3+0.1*(arccot(x)-arcsec(1.5+x)+arccsc(1.5+x))"
        "+0.1*(sec(x/9)+csc(1+x/9)-cot(1+x/9))", "x"),
    "whole steps": ("k=5.7; x=factorial(4)/20; x'=floor(k)*ceil(x/1000)-quotient(-17, 3)*rem(k, 2)-rem(-k, 2)*x", "x"),
    "roots of squares": ("x=-2; y=1; x'=0.5-sqrt(x^2)*0.2; y'=-sqrt(y^2)+abs(x)*0.1", "x y"),
    "roots and powers of nothing": (
        "x=0; x'=1-sqrt(x); y=0; y'=1-y^0.8+0.1*sqrt(x); z=0; s := sqrt(z)/(1+z); z'=0.5-s; w=0; w'=s-w", "x y z w"),
    "a fifth power of what is negative": ("x=-1; x' = -x^5; y=-1.2; y' = -y^7 - y^(n + 1); n=2", "x y"),
    "a power of a sum at 0": ("x=0; n=2; m1=3; x' = 1 - x^(n+m1)/(1+x^(n+m1))", "x"),
    "an exponent that moves": ("x=0; n := 2+0*time; x' = 1 - x^n/(1+x^n); y=-1; y' = -y^(n+1)", "x y"),
    "a steep logistic curve": ("x=0; x' = 1/(1+exp(-1000*(time-1))) - x", "x"),
    "a logistic curve of a state": ("V=-65; V' = (-60-V) + 0.1/(1+exp(-(V+20)*20)) + tanh(1000*V)", "V"),
    "a Hill exponent below 1 after an event": (
        "a=0; a'=-a; x=0; x'=a-x; e=0; e'=x^0.7/(1+x^0.7)-e; at time>0.5: a=1", "a x e"),
    "a spike that is reset": (
        "v=-64; v'=0.04*v^2+5*v+140-u+i; u=-16; u'=0.03*(0.25*v-u); i=0; at v>30: v=-60, u=u+4; at time>0.7: i=-15;"
        "at time>2.1: i=10", "u i"),
    "a strict trigger at an output time": ("e=1; x=0; x'=e; at time>2: e=0.75", "x e"),
    "an arcsinh far below 0": ("x=-1; x'=arcsinh(x*3e3)*0.01", "x"),
    "substance only": ("compartment c=3; substanceOnly species A in c; A=2; J: A->; 0.2*A", "A"),
}  # fmt: skip


@pytest.mark.parametrize("case", ALIKE)
def test_our_engine_and_libroadrunner_agree(case, tmp_path):
    text, names = ALIKE[case]
    document = sbml(text)
    ours = simulate_imported(arrived(tmp_path, document), TIMES)
    simulator = roadrunner.RoadRunner(document)
    simulator.integrator.relative_tolerance = 1e-10
    simulator.integrator.absolute_tolerance = 1e-12
    floating = set(simulator.model.getFloatingSpeciesIds()) | set(simulator.model.getBoundarySpeciesIds())
    whole = "substanceOnly" in text
    asked = {name: f"[{name}]" if name in floating and not whole else name for name in names.split()}
    simulator.timeCourseSelections = list(asked.values())
    theirs = dict(zip(asked, np.array(simulator.simulate(0, 5, 26)).T, strict=True))
    jumps = np.isin(TIMES, [1.0, 2.0, 3.0])  # there, libRoadRunner may show the value before
    for name in asked:
        assert ours[name][~jumps] == pytest.approx(theirs[name][~jumps], rel=2e-6, abs=2e-6), name


READ = """
import pathlib, sys
{first}
from ketamech.core import InputError
from ketamech.exchange.sbml.importer import import_sbml
for file in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
    try:
        print(file.name, import_sbml(file))
    except InputError as problem:
        print(file.name, problem.what)
"""
FUNCTIONS = (
    "function f(a) piecewise(2*a, a<5 && a!=2e1, a/3) end; model m; x=1; k=1.5;"
    " x' = f(x) + k^2 + time + pi + exponentiale + log10(k) + 3e-4; end",
    "model m; x=1; x' = sin(x) + rateOf(k); k=2; end",
    "model m; x=1; x' = factorial(x); end",
    "model m; x=1; x' = delay(x, x); end",
)


def read_after(first, folder):
    """What a new program reads from a folder of models."""
    line = [sys.executable, "-c", READ.format(first=first), str(folder)]
    return subprocess.run(line, capture_output=True, text=True, check=True, timeout=120).stdout


def test_models_read_the_same_after_libsedml_was_loaded(tmp_path):
    texts = [sbml(text) for text, _ in ALIKE.values()]
    for text in FUNCTIONS:
        antimony.clearPreviousLoads()
        assert antimony.loadAntimonyString(text) >= 0, antimony.getLastError()
        texts.append(antimony.getSBMLString("m"))
    for i, text in enumerate(texts):
        (tmp_path / f"{i:02}.xml").write_text(text, encoding="utf-8")
    alone = read_after("", tmp_path)
    assert "uses factorials" in alone
    assert "sin(model.x)" in alone
    assert "uses a delay whose length changes" in alone
    assert read_after("import libsbml, libsedml", tmp_path) == alone  # nodes then come as libSEDML's own class
    assert read_after("import libsedml, libsbml", tmp_path) == alone


def test_a_decay_in_closed_form(tmp_path):
    model = arrived(tmp_path, "compartment c=2; species S in c; S=3; k=0.4; J: S->; k*S*c")
    found = simulate_imported(model, TIMES)
    assert found["S"] == pytest.approx(3 * np.exp(-0.4 * TIMES), rel=1e-7)
    assert found["amount(S)"] == pytest.approx(6 * np.exp(-0.4 * TIMES), rel=1e-7)


def test_a_strict_trigger_at_an_output_time_fires_after_it(tmp_path):
    found = simulate_imported(arrived(tmp_path, "e=1; x=0; x'=e; at time>22: e=0.75"), np.arange(31.0))
    assert found["e"][22:24].tolist() == [1.0, 0.75]
    found = simulate_imported(arrived(tmp_path, "e=1; x=0; x'=e; at time>=22: e=0.75"), np.arange(31.0))
    assert found["e"][21:23].tolist() == [1.0, 0.75]


def test_an_id_time_is_no_clock(tmp_path):
    document = sbml("TT=10; x=0; x'=time; y := TT")
    document = document.replace('"TT"', '"time"').replace("<ci> TT </ci>", "<ci> time </ci>")
    found = simulate_imported(arrived(tmp_path, document), np.array([0.0, 10.0]))
    assert found["x"] == pytest.approx([0, 50])
    assert found["y"].tolist() == found["value(time)"].tolist() == [10, 10]
    assert found["time"].tolist() == [0, 10]


def test_a_rounding_error_below_0_is_not_nan_but_a_negative_base_is(tmp_path):
    """x returns to 0 with an error of the solver's tolerance, on either side."""
    times = np.linspace(0, 40, 81)
    found = simulate_imported(arrived(tmp_path, "x=1; x'=-x^0.5*x^0.5; y=0; y'=x^0.7"), times)
    assert found["y"][-1] == pytest.approx(1 / 0.7, rel=1e-5)
    with pytest.raises(SolverError, match=r"not finite at time 1\S*; d\(y\)/dt = x\^0\.7"):
        simulate_imported(arrived(tmp_path, "x=1; x'=-1; y=0; y'=x^0.7"), times)


def test_a_failure_is_named_in_the_unit_of_the_model(tmp_path):
    document = sbml("unit time_unit = 60 second; x=1; y=1; y'=-y; x'=x^2")
    with pytest.raises(SolverError, match=r"at time 1(\.0\d*)? min; d\(x\)/dt = x\^2"):
        simulate_imported(arrived(tmp_path, document), np.array([0.0, 2.0]))


@pytest.mark.parametrize(("seconds", "unit"), [(60, "min"), (3600, "h"), (86400, "d")])
def test_the_state_whose_slope_is_infinite_is_named_with_its_formula(seconds, unit, tmp_path):
    """x' = -1 - sqrt(x) reaches 0 from 1 at 2 - 2 ln 2, where its slope is infinite; y changes faster, z slower."""
    text = f"unit time_unit = {seconds} second; y=1; y'=-50*y; x=1; x'=-1-sqrt(x); z=1; z'=-0.1*z"
    with pytest.raises(SolverError) as failed:
        simulate_imported(arrived(tmp_path, sbml(text)), np.array([0.0, 0.5, 2.0]))
    time_text, _, formula = str(failed.value).partition(" at time ")[2].partition("; ")
    assert formula == "d(x)/dt = -sqrt(x) - 1"
    number, _, shown_unit = time_text.partition(" ")
    assert shown_unit == unit
    assert float(number) == pytest.approx(2 - 2 * math.log(2), abs=1e-4)


def test_what_a_file_leaves_out_is_noted(tmp_path):
    document = sbml("compartment c; species A in c; A=1; J: A->; ")
    notes = arrived(tmp_path, document).notes
    assert notes == ["compartment 'c' has no size; 1 is used", "reaction 'J' has no rate law; its rate is 0"]


def test_concentration_of_a_species_in_amounts(tmp_path):
    document = "compartment c=4; substanceOnly species A in c; A=2; J: A->; 0.2*A"
    found = simulate_imported(arrived(tmp_path, document), TIMES)
    assert found["concentration(A)"] == pytest.approx(found["A"] / 4)


def test_a_delay_in_closed_form(tmp_path):
    """x' = -x(t - 1) from 1: a line, then a parabola, then a cubic."""
    times = np.array([0, 0.5, 1, 1.5, 2, 2.25, 3])
    found = simulate_imported(arrived(tmp_path, "x=1; x' = -delay(x, 1)"), times)
    line = 1 - times
    parabola = line + (times - 1) ** 2 / 2
    exact = np.select([times <= 1, times <= 2], [line, parabola], parabola - (times - 2) ** 3 / 6)
    assert found["x"] == pytest.approx(exact, abs=1e-8)


def test_a_delay_of_a_jump_and_of_what_is_stated_before_the_start(tmp_path):
    model = arrived(tmp_path, "x=1; at time>=1.2: x=3; y := delay(x, 0.5); z := delay(s, 0.3); s := sin(time)")
    found = simulate_imported(model, np.array([0, 1.2, 1.6, 1.7, 2.0]))
    assert found["y"] == pytest.approx([1, 1, 1, 3, 3])
    assert found["z"] == pytest.approx(np.sin(found["time"] - 0.3), abs=1e-6)


def test_a_fast_reaction_is_at_its_equilibrium(tmp_path):
    """A and B share what C brings, one to two: B is two thirds of the whole."""
    text = sbml("compartment c=1; species A in c, B in c, C in c; A=3; B=0; C=1; J: A->B; c*(2*A-B); K: C->A; c*C*0.5")
    document = text.replace('level="3" version="2"', 'level="3" version="1"').replace("version2/core", "version1/core")
    document = document.replace('<reaction id="J"', '<reaction fast="true" id="J"')
    document = document.replace('<reaction id="K"', '<reaction fast="false" id="K"')
    found = simulate_imported(arrived(tmp_path, document), TIMES)
    whole = 3 + 1 - np.exp(-0.5 * TIMES)
    assert found["B"] == pytest.approx(2 / 3 * whole, rel=1e-5)


SUBMODELS = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"
xmlns:comp="http://www.sbml.org/sbml/level3/version1/comp/version1" comp:required="true"><model id="whole">
<listOfParameters><parameter id="q" value="0.5" constant="true"><comp:listOfReplacedElements>
<comp:replacedElement comp:submodelRef="A" comp:idRef="k"/></comp:listOfReplacedElements></parameter></listOfParameters>
<comp:listOfSubmodels><comp:submodel comp:id="A" comp:modelRef="decay"/>
<comp:submodel comp:id="B" comp:modelRef="decay"/></comp:listOfSubmodels></model>
<comp:listOfModelDefinitions><comp:modelDefinition id="decay"><listOfParameters>
<parameter id="x" value="2" constant="false"/><parameter id="k" value="1" constant="true"/></listOfParameters>
<listOfRules><rateRule variable="x"><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><minus/><apply><times/>
<ci>k</ci><ci>x</ci></apply></apply></math></rateRule></listOfRules></comp:modelDefinition>
</comp:listOfModelDefinitions></sbml>"""


def test_submodels_are_joined(tmp_path):
    found = simulate_imported(arrived(tmp_path, SUBMODELS), TIMES)
    assert found["A__x"] == pytest.approx(2 * np.exp(-0.5 * TIMES), rel=1e-7)  # its k is that of the whole
    assert found["B__x"] == pytest.approx(2 * np.exp(-TIMES), rel=1e-7)


def test_two_events_at_once_use_the_values_of_their_trigger(tmp_path):
    text = "x=3; y=0; A: at time>3.5, priority=10: x=7; B: at time>3.5, priority=5: y=x"
    found = simulate_imported(arrived(tmp_path, text), np.arange(6.0))
    assert found["y"].tolist() == [0, 0, 0, 0, 3, 3]


def test_events_of_one_priority_are_executed_in_random_order(tmp_path):
    events = "; ".join(f"{e}: at time-r>=0.01, priority=1, persistent=false: r=time, {e}n={e}n+1" for e in ("A", "B"))
    found = simulate_imported(arrived(tmp_path, f"r=0; An=0; Bn=0; {events}"), np.array([0.0, 2.005]))
    counts = found["An"][-1], found["Bn"][-1]
    assert sum(counts) == 200
    assert min(counts) > 60


def test_many_events_are_quick(tmp_path):
    """A thousand resets of a sawtooth, each at its closed-form time."""
    model = arrived(tmp_path, "x=0; x'=1; n=0; at x>=0.5: x=0, n=n+1")
    simulate_imported(model, np.array([0.0, 1.0]))
    begun = time.process_time()
    found = simulate_imported(model, np.linspace(0.25, 500.25, 1001))
    assert time.process_time() - begun < 2.0
    assert found["x"] == pytest.approx(np.full(1001, 0.25), abs=1e-7)
    assert found["n"][-1] == 1000


def test_an_event_takes_few_segments(tmp_path, monkeypatch):
    """One to the next output, two to locate the event, one at its exact time, and one after it: about 0.1 ms."""
    model, runs, run = arrived(tmp_path, "x=1; x'=-x; nxt=1; at time>=nxt: nxt=nxt+1, x=x+1"), [], SegmentSolver.run
    monkeypatch.setattr(SegmentSolver, "run", lambda *given: runs.append(1) or run(*given))
    found = simulate_imported(model, np.array([100.5]))
    assert found["nxt"] == 101
    assert len(runs) < 5.1 * 100


def test_an_event_fires_at_its_moment(tmp_path):
    """x falls from 1 and is set back to 1 at a tenth: by then ln(10) has passed."""
    model = arrived(tmp_path, "x=1; x'=-x; at x<0.1: x=1")
    found = simulate_imported(model, np.array([0.0, 2.3, 2.31, 4.0]))
    assert found["x"] == pytest.approx(
        [1, math.exp(-2.3), math.exp(-(2.31 - math.log(10))), math.exp(-4) * 10], rel=1e-7
    )


def test_very_small_amounts_are_followed(tmp_path):
    model = arrived(tmp_path, "compartment c=1; species A in c, B in c; A=1.5e-15; B=0; J: A->B; A*c")
    found = simulate_imported(model, TIMES)
    assert found["B"] == pytest.approx(1.5e-15 * (1 - np.exp(-TIMES)), rel=1e-6, abs=1e-22)


REFUSED = {
    "x=1; x'=-delay(x, 1+x)": "a delay whose length changes",
    "x=1; x'=-delay(x, -1)": "a delay of -1",
    "x=1; x'=factorial(x)": "factorials of a value that is not constant",
    "species A in c; compartment c=1; J: A->; A": "no start",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_supported_is_refused_by_name(text, tmp_path):
    with pytest.raises(InputError, match=REFUSED[text]):
        simulate_imported(arrived(tmp_path, text), TIMES)


def test_a_model_of_flux_balances_is_named(tmp_path):
    """The package is not required, so that such a model is refused for what it lacks."""
    text = sbml("species A in c; compartment c=1; J: A->; 1")
    package = 'xmlns:fbc="http://www.sbml.org/sbml/level3/version1/fbc/version2" fbc:required="false"'
    text = text.replace("<sbml ", f"<sbml {package} ").replace("<model ", '<model fbc:strict="false" ')
    with pytest.raises(InputError, match=r"flux balances \(package fbc\): species 'A' has no start"):
        arrived(tmp_path, text)


ALGEBRAIC = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">
<model id="m"><listOfParameters><parameter id="x" value="1" constant="false"/><parameter id="y" constant="false"
value="3"/></listOfParameters><listOfRules><algebraicRule><math xmlns="http://www.w3.org/1998/Math/MathML">FORMULA</math>
</algebraicRule></listOfRules></model></sbml>"""
SQUARE = ALGEBRAIC.replace("FORMULA", "<apply><minus/><apply><power/><ci>x</ci><cn>2</cn></apply><cn>2</cn></apply>")
EITHER = ALGEBRAIC.replace("FORMULA", "<apply><minus/><ci>x</ci><ci>y</ci></apply>")
NEITHER = ALGEBRAIC.replace("FORMULA", "<apply><minus/><cn>2</cn><cn>2</cn></apply>")
PACKAGE = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"
xmlns:qual="http://www.sbml.org/sbml/level3/version1/qual/version1" qual:required="true"><model id="m"/></sbml>"""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (SQUARE, "an algebraic rule that is not linear in 'x'"),
        (EITHER, "an algebraic rule that determines one of: x, y"),
        (NEITHER, "an algebraic rule that determines one of: nothing"),
        (PACKAGE, "package 'qual'"),
        ("<?xml version='1.0'?><html/>", "SBML"),
        ("<?xml version='1.0'?><sbml", "m.xml"),
    ],
)
def test_files_that_are_no_supported_model(text, complaint, tmp_path):
    with pytest.raises(InputError, match=complaint):
        arrived(tmp_path, text)


LEADING = "x=1; x'=rateOf(y)-x; y=1; y'=1"


@pytest.mark.parametrize(("instead", "complaint"), [("x", "cyclic dependency"), ("q", "rateOf of q")])
def test_a_rate_of_change_that_cannot_be_determined(instead, complaint, tmp_path):
    document = sbml(LEADING).replace("<ci> y </ci>", f"<ci> {instead} </ci>")
    with pytest.raises(InputError, match=complaint):
        simulate_imported(arrived(tmp_path, document), TIMES)


def test_algebraic_rules_in_closed_form(tmp_path):
    """Two rules, the second of which tells what the first leaves open: 0 = A + R - 2 k and 0 = B + 2 R - 4."""
    parts = "compartment c=2; species A in c, B in c, $R in c; A=3; B=0; J: A->B; 0.4*A*c; T=0; L=0"
    whole = sbml(f"{parts}; k := A+T-2*L; R := B+2*T-4")  # T and L stand for R and k: no rule may name itself
    whole = whole.replace("<ci> T </ci>", "<ci> R </ci>").replace("<ci> L </ci>", "<ci> k </ci>")
    document = re.sub(r'<assignmentRule variable="\w+">', "<algebraicRule>", whole)
    found = simulate_imported(arrived(tmp_path, document.replace("</assignmentRule>", "</algebraicRule>")), TIMES)
    a = 3 * np.exp(-0.4 * TIMES)
    assert found["R"] == pytest.approx((4 - (3 - a)) / 2, rel=1e-7)
    assert found["k"] == pytest.approx((a + found["R"]) / 2, rel=1e-7)
    assert found["amount(R)"] == pytest.approx(2 * found["R"])


SIGNS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne}
WORDS = {"and": operator.and_, "or": operator.or_, "xor": operator.xor, "implies": operator.le}
VALUES = {
    "sin(x)": math.sin, "cos(x)": math.cos, "tan(x)": math.tan, "arcsin(x)": math.asin, "arccos(x)": math.acos,
    "arctan(x)": math.atan, "sec(x)": lambda x: 1 / math.cos(x), "csc(x)": lambda x: 1 / math.sin(x),
    "cot(x)": lambda x: 1 / math.tan(x), "arcsec(1/x)": math.acos, "arccsc(1/x)": math.asin,
    "arccot(1/x)": math.atan, "floor(9*x)": lambda x: math.floor(9 * x), "ceil(9*x)": lambda x: math.ceil(9 * x),
    "quotient(9*x, 2)": lambda x: math.trunc(9 * x / 2), "rem(9*x, 2)": lambda x: math.fmod(9 * x, 2),
    "factorial(5)": lambda x: 120, "max()": lambda x: -math.inf, "min()": lambda x: math.inf, "max(x)": lambda x: x,
    "min(x, 0.1, -x)": lambda x: min(x, 0.1, -x), "ln(-1)": lambda x: math.nan, "1/0": lambda x: math.inf,
    "x/(-1)": lambda x: -x, "sinh(x)": math.sinh, "cosh(x)": math.cosh, "tanh(x)": math.tanh,
    "sech(x)": lambda x: 1 / math.cosh(x), "csch(x)": lambda x: 1 / math.sinh(x), "coth(x)": lambda x: 1 / math.tanh(x),
    "arcsinh(x)": math.asinh, "arccosh(1+x^2)": lambda x: math.acosh(1 + x**2), "arctanh(x)": math.atanh,
    "arccsch(1/x)": math.asinh, "arcsech(1/(1+x^2))": lambda x: math.acosh(1 + x**2), "arccoth(1/x)": math.atanh,
    "exp(x)": math.exp, "log10(2+x)": lambda x: math.log10(2 + x), "log(3, 2+x)": lambda x: math.log(2 + x, 3),
    "sqrt(2+x)": lambda x: math.sqrt(2 + x), "root(3, 2+x)": lambda x: (2 + x) ** (1 / 3),
    **{f"piecewise(3, x {sign} 0.25, 4)": lambda x, true=true: 3 if true(x, 0.25) else 4
       for sign, true in SIGNS.items()},
    **{f"piecewise(3, {word}(x > -0.25, x < 0.25), 4)": lambda x, true=true: 3 if true(x > -0.25, x < 0.25) else 4
       for word, true in WORDS.items()},
}  # fmt: skip


def test_functions_have_the_values_of_mathematics(tmp_path):
    """At x from -0.9 to 0.9: what a rule shows, and what a constant is worked out to be."""
    x = np.linspace(-0.9, 0.9, 19) + 0.003
    rules = "".join(f"r{i} := {text}; " for i, text in enumerate(VALUES))
    texts = [re.sub(r"\bx\b", "(0.25)", text) for text in VALUES]
    constants = "".join(f"c{i} = {text}; " for i, text in enumerate(texts))
    found = simulate_imported(arrived(tmp_path, f"x=-0.897; x'=1; {rules}{constants}"), x + 0.897)
    for i, (text, exact) in enumerate(VALUES.items()):
        assert found[f"r{i}"] == pytest.approx([exact(v) for v in x], rel=1e-7, abs=1e-7, nan_ok=True), text
        assert found[f"c{i}"] == pytest.approx(np.full(19, exact(0.25)), rel=1e-12, nan_ok=True), text


def test_a_day_in_closed_form(tmp_path):
    """The clock of the day by remainder, through the engine: what has grown after t h is known."""
    model = arrived(tmp_path, "x=0; x' = piecewise(1, rem(time, 24) < 8, 0) + floor(time/24)")
    hours = np.array([0.0, 4.0, 20.0, 30.0, 40.0, 71.0])
    assert simulate_imported(model, hours)["x"] == pytest.approx([0, 4, 8, 20, 32, 94], rel=1e-6, abs=1e-6)


def test_what_is_worked_out_once_is_a_constant(tmp_path):
    text = "p=1/0; q=-1/0; r=ln(-1); k=2*x; x=3; y=1; y'=-k*y"
    model = arrived(tmp_path, text)
    assert not set(model.rates) - {CLOCK, "model.y"}
    found = simulate_imported(model, TIMES)
    assert found["p"][-1] == math.inf
    assert found["q"][-1] == -math.inf
    assert math.isnan(found["r"][-1])
    assert found["y"] == pytest.approx(np.exp(-6 * TIMES), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("rate", ["1/w", "ln(-x^2)", "piecewise(1, x>0, 0)/sqrt(x-5)", "csc(rateOf(k))"])
def test_what_is_no_number_ends_in_an_error_of_ours(rate, tmp_path):
    with pytest.raises(SolverError, match="not finite"):
        simulate_imported(arrived(tmp_path, f"w := 0; k=2; x=1; x'={rate}"), TIMES)


def test_an_event_without_a_trigger_never_happens(tmp_path):
    whole = sbml("p=3; E: at time>=1: p=2; x=1; x'=-implies(true, true)*x")
    document = re.sub("<trigger.*?</trigger>", "", whole, flags=re.DOTALL)
    assert document != whole
    assert set(simulate_imported(arrived(tmp_path, document), TIMES)["p"]) == {3.0}


def test_our_own_export_comes_back(model, tmp_path):
    """The whole story, out as SBML and in again: the same curves."""
    from ketamech.exchange.sbml.exporter import course_sbml
    from ketamech.exchange.sbml.ids import sbml_id
    from ketamech.simulation.ensemble import run_subjects
    from ketamech.simulation.load_scenario import load_scenario
    from ketamech.simulation.simulate import subjects

    treated = subjects(load_scenario("esketamine 20 mg IV over 1 h at 2 h", model.parameters), model)[0]
    times = np.array([1.0, 2.5, 3.5, 24.0, 72.0])
    ours = run_subjects(model, [treated], times, tolerance=1e-9)
    back = simulate_imported(arrived(tmp_path, course_sbml(model, treated)), times)
    for name in ("plasma.esketamine", "mood.madrs", "spines.density", "plasticity.erk_akt"):
        assert back[sbml_id(name)] == pytest.approx(ours[name].values[0], rel=1e-5, abs=1e-9), name


def case(folder, name, text, results, **settings):
    place = folder / name
    place.mkdir()
    (place / f"{name}-sbml-l3v1.xml").write_text(sbml(text), encoding="utf-8")
    (place / f"{name}-results.csv").write_text(results, encoding="utf-8")
    asked = {"start": 0, "duration": 2, "steps": 2, "absolute": 1e-6, "relative": 1e-4, **settings}
    (place / f"{name}-settings.txt").write_text("".join(f"{k}: {v}\n" for k, v in asked.items()), encoding="utf-8")


def test_a_folder_of_cases_is_judged(tmp_path):
    decay = "compartment c=2; species S in c; S=3; J: S->; 0.4*S*c"
    amounts = "".join(f"{t},{6 * math.exp(-0.4 * t)}\n" for t in range(3))
    concentrations = "".join(f"{t},{3 * math.exp(-0.4 * t)}\n" for t in range(3))
    case(tmp_path, "00001", decay, "time,S\n" + amounts, variables="S", amount="S")
    case(tmp_path, "00002", decay, "time,case00002`S\n" + concentrations, variables="S", concentration="S")
    case(tmp_path, "00003", decay, "time,S\n" + concentrations, variables="S", amount="S")
    case(tmp_path, "00004", "x=1; x'=-delay(x,x)", "time,x\n0,1\n1,1\n2,1\n", variables="x")
    case(tmp_path, "00005", "x=1", "x\n1\n", variables="x", duration="", steps="")
    found, at_once = [], []
    found = run_suite("sbml-suite", tmp_path, find_cases("sbml-suite", tmp_path), on_result=at_once.append)
    assert found == at_once
    assert [one.result for one in found] == ["passed", "passed", "wrong", "refused", "not applicable"]
    assert "2 of 4 applicable cases pass" in suite_page("sbml-suite", found)
    with pytest.raises(typer.Exit) as ended:
        conformance_command("sbml-suite", tmp_path, tmp_path / "judged", 5)
    assert ended.value.exit_code == 1
    assert len((tmp_path / "judged" / "cases.csv").read_text().splitlines()) == 6
    sample = find_cases("sbml-suite", tmp_path, 3)
    assert sample == find_cases("sbml-suite", tmp_path, 3)
    assert len(set(sample)) == 3
    assert "expected 3" in found[2].reason
    assert {row["result"]: row["cases"] for row in summary(found)} == {
        "passed": 2, "wrong": 1, "refused": 1, "not applicable": 1,
    }  # fmt: skip


def test_results_with_a_comma_at_the_end_of_each_line(tmp_path):
    decay = "".join(f"{t},{math.exp(-t)},\n" for t in range(3))
    case(tmp_path, "00001", "x=1; x'=-x", "time,x,\n" + decay, variables="x")
    assert judge("sbml-suite", tmp_path / "00001") == ("passed", "")


def test_a_case_that_crashes_is_counted(tmp_path, monkeypatch):
    def breaks(path):
        raise RuntimeError("a fault")

    monkeypatch.setattr("benchmarks.semantic_suite.import_sbml", breaks)
    case(tmp_path, "00001", "x=1; x'=-x", "time,x\n0,1\n1,1\n2,1\n", variables="x")
    assert judge("sbml-suite", tmp_path / "00001") == ("crashed", "RuntimeError: a fault")
    found = [CaseResult("00001", "crashed", "RuntimeError: a fault"), CaseResult("00002", "passed")]
    assert [row["result"] for row in summary(found)] == ["passed", "crashed"]


@pytest.mark.parametrize(("reached", "limit", "result"), [
    ("signal.raise_signal(9)", 60.0, ("crashed", "the process has ended")),
    ("time.sleep(60)", 1.0, ("not solved", "no result within 1 s")),
    ("signal.setitimer(signal.ITIMER_PROF, 0.1)\n            while True: pass", 60.0,
     ("not solved", "no result within 60 s")),
])  # fmt: skip
def test_a_case_that_ends_its_process_or_does_not_end_is_counted_and_the_next_one_runs(
    reached, limit, result, tmp_path, monkeypatch
):
    name = f"serve_{limit:g}".replace(".", "_") + result[0][0]
    (tmp_path / f"{name}.py").write_text(
        "import signal, time\n"
        "def serve(pipe):\n"
        "    pipe.send('started')\n"
        "    while True:\n"
        "        if 'a' in str(pipe.recv()[1]):\n"
        f"            {reached}\n"
        "        pipe.send(('passed', ''))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(conformance, "serve", importlib.import_module(name).serve)
    found = run_suite("sbml-suite", Path(), [Path("a"), Path("b")], time_limit=limit)
    assert [(one.result, one.reason) for one in found] == [result, ("passed", "")]


def test_models_are_compared_with_libroadrunner(tmp_path, monkeypatch):
    (tmp_path / "a.xml").write_text(sbml("compartment c=2; species S in c; S=3; J: S->; 0.04*S*c; w := S"))
    (tmp_path / "chaos.xml").write_text(sbml("x=1; y=1; z=20; x'=10*(y-x); y'=x*(28-z)-y; z'=x*y-8/3*z"))
    (tmp_path / "none.xml").write_text("<sbml/>")
    assert [judge("biomodels", path)[0] for path in find_cases("biomodels", tmp_path)] == [
        "passed", "not applicable", "refused",
    ]  # fmt: skip
    right = conformance.import_sbml

    def other(path):
        changed = tmp_path / "changed" / path.name
        changed.parent.mkdir(exist_ok=True)
        changed.write_text(path.read_text().replace("0.04", "0.0401"))
        return right(changed)

    monkeypatch.setattr(conformance, "import_sbml", other)
    result, reason = judge("biomodels", tmp_path / "a.xml")
    assert result == "wrong"
    assert "libRoadRunner" in reason


def test_a_folder_without_cases_is_refused(tmp_path):
    with pytest.raises(InputError, match="no cases of sbml-suite"):
        find_cases("sbml-suite", tmp_path)


def with_functions(text):
    """A model with two functions, of which one calls the other and reads the time (which antimony refuses)."""
    functions = "function g(z)\n z^2 + 1234\nend\nfunction f(x, y)\n x + 2*g(y)\nend\n"
    antimony.clearPreviousLoads()
    assert antimony.loadAntimonyString(f"{functions}model m\n{text}\nend") >= 0, antimony.getLastError()
    time_symbol = '<csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/time"> t </csymbol>'
    whole, count = re.subn(r"<cn[^>]*> 1234 </cn>", time_symbol, antimony.getSBMLString("m"))
    assert count == 1
    return whole


def test_functions_read_the_time_and_call_one_another(tmp_path):
    model = arrived(tmp_path, with_functions("x=1; x'=-f(x, 1); E: at g(2) > 5: x=7"))
    found = simulate_imported(model, np.array([0.999, 1.0001]))["x"]
    assert found == pytest.approx([math.exp(-0.999) - 2 * 0.999, 7], abs=2e-3)


def test_a_function_that_calls_itself_is_refused(tmp_path):
    whole = with_functions("x=1; x'=f(x, 1)")
    draft = re.sub(r"<ci> g </ci>\s*<ci> y </ci>", "<ci> f </ci> <ci> y </ci> <ci> y </ci>", whole)
    assert draft != whole
    with pytest.raises(InputError, match="the rule of 'x' uses f, which is not supported"):
        arrived(tmp_path, draft)


def test_what_is_missing_in_a_model_is_named(tmp_path):
    whole = sbml("x=1; x'=-x; E: at time>=1: x=2")
    draft = whole.replace(' initialValue="true"', "")
    assert draft != whole
    with pytest.raises(InputError, match="The required attribute 'initialValue' is missing"):
        arrived(tmp_path, draft)
