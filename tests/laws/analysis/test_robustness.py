"""Robustness of conclusions: known shares, the same bits again and after a stop, and agreement with the single runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from ketamech.analysis import robustness
from ketamech.analysis.attribution import shapley
from ketamech.analysis.claims import evaluate_claims
from ketamech.analysis.conclusions import (
    NO_RESULT,
    ConclusionArm,
    EffectContrast,
    PathwayShares,
    all_conclusions,
    load_effect_contrasts,
)
from ketamech.analysis.perturbation_scorecard import score_perturbations
from ketamech.analysis.robustness import (
    CHUNK,
    TABLES,
    RobustnessProblem,
    RobustnessRow,
    assumed_parameters,
    load_robustness,
    percent,
    write_robustness,
)
from ketamech.core.checkpoint import open_checkpoint
from ketamech.core.execution import Executor
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.observable import TimeCourse

OUTPUT = "dissociation.cadss"
VARIED = ("dissociation.cadss_ec50", "forced_swim.gain")
HOUR = 0.67


@dataclass(frozen=True)
class Answer:
    """A conclusion of one arm: whether CADSS exceeds a bound (None: always yes, NaN: never an answer)."""

    id: str
    bound: float | None
    kind: str = "toy"
    statement: str = "CADSS exceeds a bound"
    words: tuple[str, ...] = ("no", "yes")

    def answer(self, curves):
        value = float(curves["arm"].outputs[OUTPUT][-1])
        if self.bound is None:
            return 1, value
        return (NO_RESULT, float("nan")) if np.isnan(self.bound) else (int(value > self.bound), value)


@pytest.fixture(scope="module")
def problem(model):
    scenario = load_scenario("racemic 0.5 mg/kg IV over 40 min", model.parameters)
    parameters = tuple(row for row in assumed_parameters(model) if row.name in VARIED)
    arms = {"arm": ConclusionArm(scenario, (OUTPUT,), (HOUR,))}
    always = RobustnessProblem(model, (Answer("always", None),), arms, parameters)
    usual = float(always.evaluate_chunk(None)["values"][0, 0])
    conclusions = (Answer("always", None), Answer("median", usual * 0.999), Answer("never", float("nan")))
    return replace(always, conclusions=conclusions)


@pytest.fixture(scope="module")
def found(problem):
    return problem.evaluate(CHUNK)


def test_a_tautology_holds_in_every_set_and_the_bound_at_the_median_in_half_of_them(found):
    table = found.table().set_index("conclusion")
    assert table.loc["always", "holds_share"] == 1
    assert table.loc["median", "holds_share"] == pytest.approx(0.5, abs=0.03)
    assert table.loc["always", "results"] == CHUNK


def test_the_parameter_that_decides_is_named_and_an_idle_one_is_not(found):
    table = found.table().set_index("conclusion")
    assert table.loc["median", "separated_by"] == "dissociation.cadss_ec50 1.00-0.00"
    assert table.loc["always", "separated_by"] == ""


def test_sets_without_an_answer_are_not_counted(found):
    row = found.table().set_index("conclusion").loc["never"]
    assert row["results"] == 0
    assert np.isnan(row["holds_share"])
    assert row["finding"] == "no result"


def test_more_sets_add_to_fewer_and_another_seed_gives_others(problem, found):
    more = problem.evaluate(CHUNK + 40)
    assert more.n_sets == CHUNK + 40
    np.testing.assert_array_equal(more.values[: CHUNK + 1], found.values)
    again = replace(problem, seed=2).evaluate(CHUNK)
    assert not np.array_equal(again.values, found.values)


def test_every_chunk_is_a_latin_hypercube(problem):
    ranks = problem.ranks(3)
    strata = np.sort(np.floor(ranks * CHUNK), axis=0)
    assert (strata == np.arange(CHUNK)[:, None]).all()
    assert not np.array_equal(ranks, problem.ranks(4))


def test_a_stopped_run_continues_with_the_same_bits(problem, tmp_path):
    """The second run computes only what the first one had not finished."""
    whole = problem.evaluate(2 * CHUNK)
    with open_checkpoint(tmp_path, {"job": "toy"}) as pieces:
        replace(problem, executor=Executor(pieces)).evaluate(CHUNK)
        assert set(pieces) == {TABLES, "sets-1-0"}
    with open_checkpoint(tmp_path, {"job": "toy"}, resume=True) as pieces:
        continued = replace(problem, executor=Executor(pieces)).evaluate(2 * CHUNK)
        assert set(pieces) == {TABLES, "sets-1-0", "sets-1-1"}
    np.testing.assert_array_equal(continued.values, whole.values)
    np.testing.assert_array_equal(continued.answers, whole.answers)


def test_what_a_scenario_sets_does_not_vary(problem):
    arm = problem.arms["arm"]
    values = {row.name: row.canonical for row in problem.parameters}
    fixed = replace(problem, arms={"arm": replace(arm, scenario=replace(arm.scenario, values=values))})
    found = fixed.evaluate(CHUNK)
    assert np.ptp(found.values[:, 0]) < 1e-3 * abs(found.values[0, 0])


def test_only_assumed_parameters_vary_and_no_property_of_the_patient(model):
    rows = assumed_parameters(model)
    assert {row.status for row in rows} == {"assumed"}
    assert not any(row.name.startswith("person.") for row in rows)
    assert all(row.spread.kind != "fixed" for row in rows)
    assert {row.name for row in rows} > set(VARIED)


def test_answers_at_the_table_values_are_those_of_the_single_commands(model):
    """A second way to the same numbers: the claims and the scorecard of perturbations, run as their commands do."""
    whole = RobustnessProblem.of(model)
    answers = whole.evaluate_chunk(None)["answers"][0]
    given = {(c.kind, c.id): c.words[a] for c, a in zip(whole.conclusions, answers, strict=True)}
    for name, result in evaluate_claims(model).items():
        assert given["claim", name] == ("shown" if result.shown else "not shown"), name
    lines = score_perturbations(model)
    predicted = list(lines[lines.why.ne("") | lines.predicted.ne("")].query("predicted != ''").predicted)
    assert [word for (kind, _), word in given.items() if kind == "perturbation"] == predicted


def test_the_share_of_a_pathway_is_its_shapley_value_for_pairwise_interactions():
    names, generator = ("a", "b", "c"), np.random.default_rng(5)
    single, pair = generator.normal(size=3), generator.normal(size=(3, 3))

    def madrs(inside):
        return 25 - sum(single[i] for i in inside) - sum(pair[i, j] for i in inside for j in inside if i < j) - 5

    def curve(value):
        return TimeCourse(np.array([0.0, 24.0]), {"mood.madrs": np.array([30.0, value])}, {})

    curves = {("pathways", "full"): curve(madrs((0, 1, 2))), ("pathways", "none"): curve(madrs(()))}
    curves["pathways", "control"] = curve(30.0)
    for i, name in enumerate(names):
        curves["pathways", f"only {name}"] = curve(madrs((i,)))
        curves["pathways", f"without {name}"] = curve(madrs([j for j in range(3) if j != i]))
    worth = np.array([madrs([i for i in range(3) if coalition >> i & 1]) for coalition in range(8)])
    exact = shapley(worth) / (madrs((0, 1, 2)) - 30.0)
    assert list(PathwayShares(names, 24.0).of(curves).values()) == pytest.approx(list(exact))
    without = {**curves, ("pathways", "full"): curve(30.0)}
    assert PathwayShares(names, 24.0).answer("a", without)[0] == 0  # no drug effect to share
    failed = {**curves, ("pathways", "only b"): curve(float("nan"))}
    assert PathwayShares(names, 24.0).answer("a", failed)[0] == NO_RESULT


def test_a_contrast_compares_drug_effects_and_its_opposite_is_the_other_answer():
    def curve(value):
        return TimeCourse(np.array([0.0, 24.0]), {"mood.madrs": np.array([30.0, value])}, {})

    curves = {("treated", "high"): curve(18.0), ("control", "high"): curve(25.0)}  # effect -7
    curves |= {("treated", "low"): curve(17.0), ("control", "low"): curve(20.0)}  # effect -3
    one = EffectContrast("x", "dose", "high", 24, "low", 24, "mood.madrs", "<", "high lowers more")
    assert one.answer(curves) == (1, pytest.approx(-4.0))
    assert replace(one, relation=">").answer(curves)[0] == 0
    assert replace(one, treatment="low", other="high").answer(curves)[0] == 0


def test_every_contrast_and_conclusion_has_its_own_name(model):
    conclusions, arms = all_conclusions(model)
    names = [(one.kind, one.id) for one in conclusions]
    assert len(set(names)) == len(names)
    assert {one.kind.split()[-1] for one in conclusions} == {"claim", "effect", "pathway", "contrast", "perturbation"}
    assert len(load_effect_contrasts(model)) > 10
    assert all(("control", one.treatment) in arms for one in load_effect_contrasts(model))


def test_a_row_below_ninety_percent_is_marked():
    row = RobustnessRow("claim", "x", "", "shown", 1, 0.899, 0.91, 1000, 0, 1, 2, "mood.a 0.20-0.99")
    assert row.text == "89 %, consequence of an assumption"
    assert row.where_it_stops == "mood.a (20 % in its lowest fifth, 99 % in its highest)"
    assert replace(row, holds_share=0.9).text == "90 %"
    assert replace(row, holds_share=float("nan")).is_consequence
    assert [percent(x) for x in (1.0, 0.9999, 0.29, 0.0)] == ["100", "99", "29", "0"]


def test_the_table_is_read_as_it_was_written(found, tmp_path):
    write_robustness(tmp_path, found)
    stored = load_robustness(tmp_path)
    assert set(stored.rows) == {("toy", "always"), ("toy", "median"), ("toy", "never")}
    assert stored.rows["toy", "always"].holds_share == 1
    assert stored.run_settings["sets"] == str(CHUNK)
    model = found.problem.model
    other = replace(model, parameters=model.parameters.with_values({VARIED[0]: 1.0}))
    assert stored.is_current(model)
    assert not stored.is_current(other)
    assert "changed since" in stored.note(other)
    assert load_robustness(tmp_path / "none").rows == {}


def test_the_stored_table_names_existing_conclusions(model):
    known = {(one.kind, one.id) for one in all_conclusions(model)[0]}
    assert set(load_robustness().rows) <= known
    assert isinstance(robustness.RobustnessProblem.of(model).conclusions, tuple)
    assert pd.Series([row.holds_share for row in load_robustness().rows.values()]).between(0, 1).all()


def test_the_command_writes_the_tables_and_prints_what_is_not_robust(problem, monkeypatch, tmp_path, capsys):
    from ketamech.cli.claims import claims

    monkeypatch.setattr(RobustnessProblem, "of", classmethod(lambda cls, model, **settings: problem))
    claims(out=tmp_path / "run", robust=40)
    stored = load_robustness(tmp_path / "run")
    assert stored.run_settings["sets"] == "40"
    printed = capsys.readouterr()
    assert "median" in printed.out
    assert "always" not in printed.out
    assert "toy: 1 of 3 conclusions" in printed.err
