"""The smooth functions of the equations: their values and slopes on both sides of their bends."""

import numpy as np
import pytest
import sympy

from ketamech.model.functions import positive_part
from ketamech.model.rates_and_jacobian import NUMPY, plain_values
from ketamech.model.stage import symbol

X = sympy.Symbol("x", real=True)
WIDTH = 0.5


def evaluated(expression, x):
    """An expression of `x` as numbers, as `plain_values` evaluates it."""
    return np.array([float(sympy.lambdify(X, expression, modules=[NUMPY, "numpy"])(value)) for value in x])


def test_the_positive_part_is_exactly_zero_at_and_below_zero():
    below = np.array([-1e6, -20.0, -WIDTH, -1e-9, 0.0])
    assert (evaluated(positive_part(X, WIDTH), below) == 0).all()
    assert (evaluated(positive_part(X, WIDTH).diff(X), below) == 0).all()


def test_the_positive_part_rises_smoothly_to_its_asymptote():
    above = np.linspace(1e-6, 20 * WIDTH, 400)
    values, slopes = (evaluated(e, above) for e in (positive_part(X, WIDTH), positive_part(X, WIDTH).diff(X)))
    assert (np.diff(slopes) > 0).all()
    assert slopes[0] < 1e-4
    assert slopes[-1] == pytest.approx(1, abs=1e-3)
    assert evaluated(positive_part(X, WIDTH), [1e4 * WIDTH])[0] == pytest.approx(1e4 * WIDTH - WIDTH / 2, rel=1e-7)
    step = 1e-6
    ahead = evaluated(positive_part(X, WIDTH), above + step)
    assert (ahead - values) / step == pytest.approx(slopes, abs=1e-4)


@pytest.mark.parametrize("enantiomer", "sr")
def test_everyone_up_to_the_age_at_which_liver_flow_falls_has_the_published_flow(model, enantiomer):
    system = model.system
    table = system.parameters
    published = table["pharmacokinetics.hepatic_flow"].canonical
    of = plain_values(system, [symbol(f"pharmacokinetics.liver_flow_{enantiomer}")])
    given = {name: table[name].canonical for name in system.parameter_names}
    given["person.weight"] = table["pharmacokinetics.reference_weight"].canonical
    flows = []
    for age in (20, 40, 60, 75):
        inputs = {**given, "person.age": age * table["person.age"].canonical / table["person.age"].value}
        values = [inputs[name] for name in system.parameter_names] + [0.0] * len(system.baseline_names)
        flows.append(float(of(np.zeros(len(system.states)), np.array(values))[0]))
    assert flows[:3] == pytest.approx([published] * 3, rel=1e-12)
    assert flows[3] == pytest.approx(published - 2.19 * 14.5, rel=1e-3)
