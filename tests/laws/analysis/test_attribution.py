"""Shapley values against their axioms and against brute force; attribution against plain simulations."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from ketamech import simulate
from ketamech.analysis.attribution import (
    attribute,
    coalition_matrix,
    leave_one_out,
    pathway_parameters,
    shapley,
    single_effect,
    switched_on_pathways,
)
from ketamech.analysis.attribution_text import dependence, describe_attribution
from ketamech.core import InputError
from ketamech.parameters.load_parameters import ParameterTable
from ketamech.simulation.load_scenario import load_scenario

INFUSION = "racemic 0.5 mg/kg IV over 40 min"
WANTED = "mood.madrs at 24 h; spines.density_change at 72 h; dissociation.cadss peak; mood.madrs lowest"


def games(players, count=20):
    return np.random.default_rng(1).normal(size=(count, 2**players))


def by_permutation(worth):
    """The definition: what a player adds when he comes, averaged over all orders of coming."""
    n = worth.shape[-1].bit_length() - 1
    found, orders = np.zeros((*worth.shape[:-1], n)), list(permutations(range(n)))
    for order in orders:
        here = 0
        for player in order:
            found[..., player] += worth[..., here | 1 << player] - worth[..., here]
            here |= 1 << player
    return found / len(orders)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_shapley_values_are_the_mean_over_all_orders(n):
    worth = games(n)
    np.testing.assert_allclose(shapley(worth), by_permutation(worth), atol=1e-12)


def test_shapley_values_sum_to_the_effect_of_the_full_coalition():
    worth = games(8)
    np.testing.assert_allclose(shapley(worth).sum(axis=-1), worth[:, -1] - worth[:, 0], atol=1e-10)


def test_shapley_values_are_symmetric_and_zero_for_a_null_player():
    inside = coalition_matrix(4)
    alike, dummy = inside[:, :2].sum(axis=1), inside[:, 3]
    worth = 1.0 * alike**2 + alike * inside[:, 2]  # player 3 appears nowhere
    assert dummy.any()
    values = shapley(worth)
    assert values[0] == pytest.approx(values[1])
    assert values[3] == pytest.approx(0, abs=1e-12)


def test_lost_and_alone_of_a_gate():
    """Two players of whom each needs the other: all is lost without either, alone neither does anything."""
    worth = np.array([0.0, 0.0, 0.0, 1.0])
    assert leave_one_out(worth).tolist() == [1, 1]
    assert single_effect(worth).tolist() == [0, 0]
    assert shapley(worth).tolist() == [0.5, 0.5]


@pytest.fixture(scope="module")
def found(model):
    return attribute(model, load_scenario(INFUSION), endpoints=WANTED, draws=12, threads=2)


def test_shares_add_up_for_every_endpoint(found):
    sums = found.table.groupby("endpoint")[["shapley", "shapley_tables"]].sum()
    totals = found.totals.set_index("endpoint").loc[sums.index]
    np.testing.assert_allclose(sums["shapley"], totals["pathways"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(sums["shapley_tables"], totals["pathways_tables"], rtol=1e-9, atol=1e-9)
    parts = totals["baseline"] + totals["expectancy"] + totals["no_pathway"] + totals["pathways"]
    np.testing.assert_allclose(parts, totals["full"], rtol=1e-9)


def test_what_everything_and_what_one_off_do_is_what_simulate_says(model, found):
    """Another road: the scenario itself, whole, with one pathway off, and its control."""
    whole = simulate(INFUSION, model=model)["mood.madrs"].sel(time=24.0)
    total = found.totals.set_index("endpoint").loc["mood.madrs at 24 h"]
    assert total["full_tables"] == pytest.approx(float(whole.sel(patient="treated")), abs=0.02)
    untreated = total["baseline_tables"] + total["expectancy_tables"]
    assert untreated == pytest.approx(float(whole.sel(patient="control")), abs=0.02)
    off = replace(load_scenario(INFUSION), values={"pathway.habenula": 0.0})
    without = float(simulate(off, model=model)["mood.madrs"].sel(time=24.0, patient="treated"))
    row = found.table.set_index(["endpoint", "pathway"]).loc[("mood.madrs at 24 h", "habenula")]
    assert row["loss_when_off_tables"] == pytest.approx(total["full_tables"] - without, abs=0.02)


def test_a_pathway_that_cannot_reach_an_endpoint_gets_nothing_of_it(found):
    rows = found.table.set_index(["endpoint", "pathway"])
    for pathway in ("habenula", "anti_inflammatory"):
        assert abs(rows.loc[("spines.density_change at 72 h", pathway), "shapley"]) < 1e-4
    assert rows.loc[("spines.density_change at 72 h", "opioid"), "shapley"] > 1e-3  # through release of glutamate
    felt = found.table[found.table["endpoint"] == "dissociation.cadss peak"]
    assert felt["shapley"].abs().max() < 1e-3
    assert "No pathway affects" in describe_attribution(found, _parameters(), "dissociation.cadss peak")[-1]


def test_the_stack_adds_up_to_the_score(model, found):
    madrs = simulate(INFUSION, model=model)["mood.madrs"].sel(patient="treated")
    sums = found.madrs_decomposition[:, 0].sum(axis=0)
    shown = np.interp(found.times, madrs["time"], madrs) - float(madrs[0])
    np.testing.assert_allclose(sums, shown, atol=0.1)


def test_a_pathway_that_the_scenario_switches_off_does_not_play(model):
    scenario = replace(load_scenario(INFUSION), values={"pathway.habenula": 0.0})
    assert "pathway.habenula" not in switched_on_pathways(model, scenario)
    found = attribute(model, scenario, endpoints="mood.madrs at 24 h", draws=0)
    assert set(found.table["pathway"]) == {p.removeprefix("pathway.") for p in found.active_pathways}
    assert len(found.active_pathways) == 7


def test_an_endpoint_without_a_drug_effect_is_refused(model):
    off = {name: 0.0 for name in model.parameters if name.startswith("pathway.")}
    with pytest.raises(InputError, match="every pathway is off"):
        attribute(model, replace(load_scenario(INFUSION), values=off), draws=0)
    with pytest.raises(InputError, match="later than the horizon"):
        attribute(model, load_scenario(INFUSION), endpoints="mood.madrs at day 400", draws=0)


def test_the_same_seed_gives_the_same_numbers_for_any_threads(model, found):
    again = attribute(model, load_scenario(INFUSION), endpoints=WANTED, draws=12, threads=1)
    np.testing.assert_array_equal(again.coalition_values, found.coalition_values)


def test_every_pathway_has_carriers_that_exist(model):
    assert set(pathway_parameters()) == {name for name in model.parameters if name.startswith("pathway.")}
    for rows in pathway_parameters().values():
        assert set(rows) <= set(model.parameters)


def _parameters():
    from ketamech.parameters import load_parameters

    return load_parameters()


def test_words_about_assumed_values_are_read_off_the_table(found):
    """The same draws under a table that calls everything assumed, and under one that calls nothing so."""
    table = _parameters()
    for status, said in (("assumed", True), ("measured", False)):
        other = ParameterTable({name: replace(row, status=status) for name, row in table.items()})
        assert set(dependence(found, other)["status"]) == {status}
        words = " ".join(describe_attribution(found, other, "mood.madrs at 24 h"))
        assert ("depends on an assumed value" in words) is said
        assert f"are {status}" in words


def test_two_hundred_draws_would_take_less_than_a_minute_of_two_cores(model):
    draws = 40
    began = time.process_time()  # of all threads: what others do on the machine does not count
    found = attribute(model, load_scenario(INFUSION), draws=draws, threads=2)
    assert time.process_time() - began < 2 * 60 * draws / 200
    assert len(found.coalition_values) + found.failed == draws + 1
    assert found.totals["endpoint"].nunique() >= 12
