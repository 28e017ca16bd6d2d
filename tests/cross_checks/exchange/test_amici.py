"""AMICI on what is exported: derivatives that are numbers at rest, and a whole scenario where it is installed."""

import sys

import numpy as np
import pytest
import sympy

from ketamech.core import InputError
from ketamech.exchange import cross_simulator_check
from ketamech.exchange.cross_simulator_check import SLOW_ENGINES, compare_simulators
from ketamech.exchange.sbml.exporter import FUNCTIONS
from ketamech.simulation.load_scenario import load_scenario

X = sympy.Symbol("x", real=True)


def written(name, *values):
    """A function of the exported model as SymPy reads its text, which is what AMICI differentiates."""
    inside = FUNCTIONS[name].removeprefix("lambda(").removesuffix(")").split(",", maxsplit=len(values))
    words = [word.strip() for word in inside[:-1]]
    known = {"positive": lambda x: written("positive", x)} if name == "hill" else {}
    text = sympy.sympify(
        inside[-1].replace("^", "**"), locals=known | {word: sympy.Symbol(word, real=True) for word in words}
    )
    return text.subs(dict(zip((sympy.Symbol(word, real=True) for word in words), values, strict=True)))


@pytest.mark.parametrize("steep", [1, 2, 4])
def test_the_derivative_of_a_response_is_a_number_where_there_is_no_signal(steep):
    nested = written("hill", written("hill", X, 2, steep) * X, sympy.Rational(1, 2), 1)
    slope = sympy.lambdify(X, nested.diff(X), "numpy")
    with np.errstate(all="raise", under="ignore"):
        assert [float(slope(at)) for at in (-1.0, 0.0)] == pytest.approx([0.0, 0.0], abs=1e-150)
    around = (float(nested.subs(X, 1 + 1e-6)) - float(nested.subs(X, 1 - 1e-6))) / 2e-6
    assert float(slope(1.0)) == pytest.approx(around, rel=1e-6)


def test_positive_is_exact():
    values = np.array([-1e6, -1.0, -1e-9, 0.0, 1e-9, 1 / 3, 1.0, 1e6])
    assert sympy.lambdify(X, written("positive", X), "numpy")(values) == pytest.approx(
        np.maximum(values, 0), abs=1e-150
    )


def test_what_amici_lacks_is_named_before_any_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "amici.importers.sbml", None)
    with pytest.raises(InputError, match="amici, which is not installed"):
        cross_simulator_check.require_amici()
    monkeypatch.setattr(cross_simulator_check, "import_optional", lambda *_: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="SWIG, CMake, a C\\+\\+ compiler"):
        cross_simulator_check.require_amici()


@pytest.mark.slow
def test_a_scenario_runs_in_amici(model, tmp_path):
    """Two minutes: AMICI writes the model as C++ and compiles it."""
    pytest.importorskip("amici", reason='needs pip install "ketamech[amici]" and a C++ compiler')
    scenario = load_scenario("esketamine 84 mg nasal", model.parameters)
    found = compare_simulators({"nasal": scenario}, model, tmp_path / "archives", engines=SLOW_ENGINES)
    assert found.within_goal
    assert "amici" in found.versions
