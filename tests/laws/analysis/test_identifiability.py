"""Identifiability of toy models whose answer is known, exact and numerical."""

from __future__ import annotations

import numpy as np
import pytest

from ketamech.analysis.identifiability import invariances, sensitivity_rank
from ketamech.model.assemble import build_system
from ketamech.model.stage import Stage
from toy_models import Value

TABLE = {
    "toy.production": Value(2.0, "1/h"),
    "toy.loss": Value(0.3, "1/h"),
    "toy.scale": Value(5.0, "1"),
    "toy.first": Value(0.4, "1"),
    "toy.second": Value(1.1, "1"),
    "toy.ec50": Value(0.5, "1"),
    "toy.unused": Value(0.7, "1"),
    "toy.uptake": Value(1.5, "1/h"),
}


def scaled(m: Stage) -> None:
    """An unobserved state between a known dose and a scaled reading: only production x scale is seen."""
    p, k, s = m.parameter("toy.production"), m.parameter("toy.loss"), m.parameter("toy.scale")
    uptake = m.parameter("toy.uptake")
    depot = m.state("scaled.depot", "1")
    level = m.state("scaled.level", "1")
    m.rate(depot, -uptake * depot, because="absorption")
    m.rate(level, p * depot, because="production")
    m.rate(level, -k * level, because="loss")
    m.output("scaled.reading", s * level, "1")


def summed(m: Stage) -> None:
    """Two weights that occur only as a sum, and one that changes nothing that is observed."""
    a, b, unused = m.parameter("toy.first"), m.parameter("toy.second"), m.parameter("toy.unused")
    dose = m.state("summed.dose", "1")
    m.rate(dose, -m.parameter("toy.loss") * dose, because="loss")
    m.output("summed.reading", (a + b) * dose, "1")
    m.output("summed.hidden", unused * dose, "1")


def saturating(m: Stage) -> None:
    """A Hill function of an unobserved state: production and EC50 are seen as a ratio only."""
    from ketamech.model.functions import hill

    p, k, half = m.parameter("toy.production"), m.parameter("toy.loss"), m.parameter("toy.ec50")
    dose = m.state("saturating.dose", "1")
    level = m.state("saturating.level", "1")
    m.rate(dose, -m.parameter("toy.uptake") * dose, because="loss")
    m.rate(level, p * dose - k * level, because="turnover")
    m.output("saturating.reading", hill(level, half, 2), "1")


def found(stage, observed, dosed):
    system = build_system(TABLE, [stage])
    values = {name: TABLE[name].canonical for name in system.parameter_names}
    return invariances(system, values, observed, dosed)


def test_a_product_over_an_unobserved_state_is_named():
    (one,) = found(scaled, {"scaled.reading"}, {"scaled.depot"})
    assert one.kind == "product"
    assert dict(one.exponents) == {"toy.production": 1.0, "toy.scale": -1.0}


def test_an_observed_state_makes_both_factors_identifiable():
    assert found(scaled, {"scaled.reading", "scaled.level"}, {"scaled.depot"}) == []


def test_a_dose_of_unknown_size_is_one_more_unknown():
    ones = found(scaled, {"scaled.reading"}, set())
    assert {name for one in ones for name in one.exponents} == {"toy.production", "toy.scale"}
    assert len(ones) == 2


def test_a_sum_and_an_unused_weight_are_named():
    by_kind = {one.kind: one for one in found(summed, {"summed.reading"}, {"summed.dose"})}
    assert set(by_kind) == {"sum", "no observed output depends on it"}
    assert set(by_kind["no observed output depends on it"].exponents) == {"toy.unused"}
    exponents = by_kind["sum"].exponents  # 0.4 x exponent of the first + 1.1 x exponent of the second = 0
    assert 0.4 * exponents["toy.first"] + 1.1 * exponents["toy.second"] == pytest.approx(0, abs=1e-5)


def test_a_ratio_inside_a_hill_function_is_named():
    (one,) = found(saturating, {"saturating.reading"}, {"saturating.dose"})
    assert one.kind == "product"
    assert dict(one.exponents) == {"toy.production": 1.0, "toy.ec50": 1.0}


def test_the_numerical_rank_finds_a_product_and_an_idle_parameter():
    def readings(a, b, c):
        times = np.linspace(0, 3, 7)
        return a * b * np.exp(-c * times)

    middle = np.array([1.0, 2.0, 0.5, 1.0])
    low, high = (
        np.array([readings(*np.where(np.arange(4) == k, factor * middle, middle)[:3]) for k in range(4)])
        for factor in (0.9, 1.1)
    )
    rank = sensitivity_rank(["a", "b", "c", "idle"], low, high, readings(*middle[:3]))
    assert (rank.parameters, rank.readings, rank.rank) == (4, 7, 2)
    assert rank.invisible == ("idle",)
    assert rank.parallel == (("a", "b"),)
