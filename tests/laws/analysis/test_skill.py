"""Skill of predicted trials: scores against closed forms, frozen references, floors, and the pages that show them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from figure_texts import faults_of_written_figures
from ketamech.analysis import skill as scores
from ketamech.analysis.reference_forecasts import (
    chance_of_significance,
    differences_from_control,
    load_references,
    published_comparisons,
    published_differences,
    random_effects,
    reference_chances,
    reference_forecasts,
    trial_names,
)
from ketamech.analysis.skill import load_skill_criteria, verdicts
from ketamech.analysis.skill_rows import scored_rows
from ketamech.analysis.trial_scorecard import trial_left_out, trial_scorecard
from ketamech.calibration.clinical_targets import load_clinical_targets
from ketamech.calibration.leave_one_trial_out import load_left_out
from ketamech.cli.scorecard import write_trial_tables
from ketamech.core import InputError
from ketamech.core.constants import Z95
from ketamech.core.environment import DATA
from ketamech.evidence import standard_error
from ketamech.report.trial_scorecard_figures import draw_trial_scorecard
from ketamech.trials.posterior_draws import load_posterior
from scripts import publish
from scripts.scorecard_page import (
    VARIANTS,
    chance_table,
    detail_table,
    forecaster_table,
    reliability_table,
    scorecard_page,
    skill_table,
    variant_table,
    verdict_table,
)

DOCS = DATA.parents[2] / "docs"
LIVE = ("murrough2013", "synapse", "transform2", "aspire1", "canuso2018", "lapidus2014")
LIVE_FLOOR = 0.15  # of the skill of levels of these trials with eight replicates: 0.34 at present


@pytest.fixture(scope="module")
def rows():
    return scored_rows(load_clinical_targets())


@pytest.fixture(scope="module")
def by_id(rows):
    return {row.id: row for row in rows}


def test_random_effects_with_equal_errors_are_the_mean_and_the_excess_variance():
    """REML of a balanced one-way layout: tau^2 = sample variance - error variance, at least 0."""
    values = np.array([-1.0, -4.0, -6.5, -3.0, -8.0])
    mean, tau = random_effects(values, np.full(5, 1.2))
    assert mean == pytest.approx(values.mean(), abs=1e-6)
    assert tau**2 == pytest.approx(values.var(ddof=1) - 1.2**2, rel=1e-4)
    assert random_effects(values, np.full(5, 9.0))[1] == 0


def test_the_crps_is_that_of_all_pairs_of_members():
    sample, published = np.random.default_rng(0).normal(size=25), 0.4
    pairs = np.abs(sample[:, None] - sample[None, :]).sum() / (2 * 25 * 24)
    assert scores.sample_scores(published, sample)["crps"] == pytest.approx(np.abs(sample - published).mean() - pairs)
    assert scores.normal_scores(0.5, (0.0, 2.0), "x")["log_x"] == pytest.approx(-scores.log_density(0.5, 0.0, 2.0))


def test_skill_is_zero_for_the_reference_and_one_for_perfection():
    table = pd.DataFrame(
        {"trial": list("aabbccdd"), "crps": [1.0, 2, 3, 4, 1, 2, 3, 4], "reference": [2.0, 5, 6, 7, 3, 4, 8, 8]}
    )
    assert scores.skill(table.assign(reference=table["crps"]), "crps", "reference")[:3] == (0, 0, 0)
    value, low, high, n = scores.skill(table.assign(reference=2 * table["crps"]), "crps", "reference")
    assert (value, low, high, n) == (0.5, 0.5, 0.5, 8)
    value, low, high, _ = scores.skill(table, "crps", "reference")
    assert low < value < high
    few = scores.skill(table[table["trial"].isin(("a", "b"))], "crps", "reference")
    assert np.isnan(few[1])  # two trials have no interval


def test_uniformity_is_rejected_for_a_biased_model_only(rows):
    chosen = [row for row in rows if not row.reason][:30]
    random = np.random.default_rng(1)
    samples = {row.id: random.normal(size=80) for row in chosen}

    def p_of(shift):
        pits = [scores.probability_integral_transform(random.normal() + shift, samples[row.id]) for row in chosen]
        return scores.uniformity_p(chosen, pd.DataFrame({"id": [row.id for row in chosen], "pit": pits}), samples)

    assert p_of(0.0) > 0.05
    assert p_of(1.5) < 0.02


def test_ties_count_half():
    assert scores.probability_integral_transform(0.0, np.array([0.0, 0, 1, 1])) == pytest.approx(1.5 / 5)


def test_what_is_not_scored_and_why(by_id):
    reasons = {
        "synapse-base-84": "baseline", "zarate06-d-24h": "cannot be opened", "han16-resp-72h": "pool",
        "transform-resp-esk-d2": "pool", "synapse-rem-84-24h": "arithmetic", "grunebaum18-d": "arithmetic",
    }  # fmt: skip
    for name, part in reasons.items():
        assert part in by_id[name].reason
    assert not by_id["murrough13-diff-24h"].reason  # scored among differences, not levels
    assert by_id["murrough13-diff-24h"].group == "difference"
    assert by_id["lii23-resp-k-d1"].arm == "drug masked"
    assert by_id["synapse-madrs-pbo-2h"].arm == "control"
    assert by_id["ketect17-sal-end"].arm == "comparator"


def test_the_common_scale(by_id):
    assert by_id["murrough13b-2h"].published == pytest.approx(-18.9)  # a fall is a negative change
    assert by_id["berman00-ket-72h"].published == pytest.approx(-14 * 1.33)
    assert by_id["murrough13-resp-ket"].published == pytest.approx(64 / 5)
    assert by_id["murrough13-or"].published == pytest.approx(5 * np.log(2.18))
    assert by_id["diaz10-d-d2"].published == pytest.approx(-8)  # negative is improvement
    edges = by_id["murrough13-resp-ket"].on_interval_scale(np.array([0.0, 50.0, 100.0]))
    assert np.isfinite(edges).all()
    assert edges[1] == pytest.approx(0)


def test_the_frozen_references_are_those_of_the_present_rows(rows):
    """`python -m scripts.publish references` writes them again after rows were added or changed."""
    frozen = load_references()
    for one in reference_forecasts(rows):
        old = frozen[one.id]
        assert (old.class_name, old.trials) == (one.class_name, one.trials)
        assert old.class_mean == pytest.approx(one.class_mean, rel=1e-3, nan_ok=True)
        assert old.pooled == pytest.approx(one.pooled, rel=1e-3, nan_ok=True)
    assert set(frozen) == {row.id for row in rows if not row.reason}


def test_a_reference_does_not_know_its_own_trial(rows, by_id):
    row = by_id["tf2-diff-d28"]
    others = [r for r in rows if not r.reason and r.name == row.name and r.trial != row.trial]
    (own,) = (one for one in reference_forecasts([*others, row]) if one.id == row.id)
    assert own.class_mean[0] == pytest.approx(np.mean([r.published for r in others]))
    pairs = differences_from_control(rows)
    assert pairs["transform-2"] == (pytest.approx(-4), pytest.approx(row.standard_error))
    assert pairs["berman-2000"][0] == pytest.approx(-14 * 1.33)  # of two arms, none is printed


def test_contrasts_name_scored_rows_of_one_statistic(rows):
    kinds = {contrast.kind for contrast in scores.load_published_contrasts(rows)}
    assert {"dose", "time", "route", "setting", "awake against masked"} <= kinds
    with pytest.raises(InputError):
        scores.load_published_contrasts([row for row in rows if row.id != "tf1-resp-84"])


def test_published_differences_are_placed_by_dose_and_course(rows):
    assert len(trial_names()) > 20
    found = {one.id: one for one in published_differences(rows)}
    assert found["aspire1-diff-24h"].dose == 84
    assert found["tf2-diff-d28"].curve == "series"
    assert found["murrough13-diff-24h"].curve == "infusion"
    assert "lii23-diff" not in found  # asleep


def test_a_forecast_that_knows_mean_and_spread_of_trials_is_wider_than_one_and_a_half(rows):
    """Decision 38: the median width of levels over the published one, which holds sampling only."""
    levels = [row for row in rows if not row.reason and row.group == "level" and row.published_width() > 0]
    floors = []
    for name in {row.name for row in levels}:
        own = [row for row in levels if row.name == name]
        if len({row.trial for row in own}) < 3:
            continue
        errors = np.array([sampling_error(row) for row in own])
        values = np.array([float(row.on_interval_scale(row.target.published)) for row in own])
        half = np.array([row.published_width() for row in own]) / 2 / Z95
        floors += list(np.hypot(errors, random_effects(values, errors)[1]) / half)
    assert len(floors) == 52
    assert np.median(floors) == pytest.approx(1.75, abs=0.03)


def sampling_error(row):
    """Standard error on the scale of intervals."""
    if not row.target.is_share:
        return row.published_width() / 2 / Z95
    n, count = row.target.row.n, row.target.published / 100 * row.target.row.n
    return np.sqrt(1 / (count + 0.5) + 1 / (n - count + 0.5))


def chances_of(significant, **columns):
    """A table of chances of p < 0.05 of one comparison in each trial."""
    count = len(significant)
    same = {name: columns.get("chance", 0.5) for name in scores.FORECASTERS}
    table = {
        "name": list("abcdefgh")[:count], "trial": range(count), "arm": "drug", "visit": "24 h", "published": -2.0,
        "low": -4.0, "high": 0.5, "source": "printed", "n": 20, "replicates": 10**9, "chance_low": 0.0,
        "chance_high": 1.0,
    }  # fmt: skip
    return pd.DataFrame({"significant": significant, **table, **same, **columns})


def test_comparisons_without_significance_have_a_verdict_each():
    sources = ["printed", "two arms", "recalled", "printed"]
    chances = chances_of([False, False, False, True], source=sources, chance=[0.3, 1 / 3, 0.8, 0.9])
    summary = scores.significance_rows(chances)[0]
    assert (summary["rows"], summary["chance"]) == (2, pytest.approx(1 / 3))  # recalled ones do not count
    header, _, *lines = (line.strip("| ").split(" | ") for line in chance_table(chances).splitlines())
    verdict = header.index("at most 33.3 %")
    assert {line[0][0]: line[verdict] for line in lines} == {"a": "met", "b": "met", "c": "**not met**", "d": ""}


def test_the_chance_of_significance_of_a_known_effect_is_the_power_of_the_test():
    assert chance_of_significance(0.0, 2.0, 2.0) == pytest.approx(0.05, abs=1e-6)
    assert chance_of_significance(Z95, 1.0, 1.0) == pytest.approx(0.5, abs=1e-4)  # p = 0.05
    assert chance_of_significance(-3.0, 1.0, 1.0) == pytest.approx(chance_of_significance(3.0, 1.0, 1.0))
    estimates = np.random.default_rng(2).normal(-2.5, 2.3, 400_000)  # the estimate of a new trial with error 1.5
    assert chance_of_significance(-2.5, 2.3, 1.5) == pytest.approx((np.abs(estimates / 1.5) > Z95).mean(), abs=0.004)
    assert np.isnan(chance_of_significance(np.nan, np.nan, 1.0))


def test_chances_without_the_model_are_integrals_over_the_true_effect(rows):
    """Of the power at every true effect, weighted by the meta-analysis of the other trials, without and with the
    published estimate."""
    differences, comparisons = differences_from_control(rows), published_comparisons(rows)
    checked = 0
    for one in comparisons:
        found = reference_chances(one, comparisons, differences)
        assert found["chance_published"] == pytest.approx(power(one.value / one.error))
        others = [pair for trial, pair in differences.items() if trial != one.row.trial]
        mean, tau = random_effects(*np.array(others).T)
        if one.row.family != "mood":
            assert np.isnan(found["chance_pooled"])
            assert np.isnan(found["chance_both"])
            continue
        away = np.linspace(-8, 8, 4001) if tau else np.zeros(1)  # from the mean, in SDs between trials
        effect, density = mean + tau * away, np.exp(-0.5 * away**2)
        scale = one.row.factor
        likelihood = np.exp(-0.5 * ((scale * one.value - effect) / (scale * one.error)) ** 2)
        for name, weight in (("chance_pooled", density), ("chance_both", density * likelihood)):
            expected = np.average(power(effect / (scale * one.error)), weights=weight)
            assert found[name] == pytest.approx(expected, abs=1e-4), (one.id, name)
        checked += 1
    assert checked > 20
    assert {one.source for one in comparisons} == {"printed", "two arms", "recalled"}


def power(z):
    """Of a two-sided test with a level of 5 %, by the normal distribution."""
    return norm.sf(Z95 - z) + norm.cdf(-Z95 - z)


def test_the_table_of_null_results_is_that_of_the_published_numbers(rows):
    """Decision 41: chances without the model in percent, bold above the criterion, and whether it can be met."""
    differences, comparisons, limit = differences_from_control(rows), published_comparisons(rows), scores.null_limit()
    page = (DOCS / "decisions" / "0041-null-results.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `([\w-]+)` \| (.+) \|$", page, re.MULTILINE))
    null = [one for one in comparisons if not one.significant and one.source != "recalled"]
    assert set(shown) == {one.row.id for one in null}
    for one in null:
        found = reference_chances(one, comparisons, differences)
        z, *cells, can_be_met = shown[one.row.id].split(" | ")
        assert float(z) == pytest.approx(one.value / one.error, abs=0.006)
        for name, cell in zip(("chance_published", "chance_pooled", "chance_both"), cells, strict=True):
            text = f"{100 * found[name]:.0f}"
            assert cell == (f"**{text}**" if found[name] > limit else text), (one.id, name)
        assert (can_be_met != "no") == (found["chance_published"] <= limit)


def test_the_base_rate_is_that_of_other_trials(rows):
    comparisons = [one for one in published_comparisons(rows) if one.source != "recalled"]
    (lapidus,) = (one for one in comparisons if one.row.trial == "lapidus-2014")
    count, hits = len(comparisons), sum(one.significant for one in comparisons)
    base = reference_chances(lapidus, comparisons, differences_from_control(rows))["chance_base"]
    assert lapidus.significant
    assert base == pytest.approx((hits - 1) / (count - 1))


def test_the_brier_score_of_the_model_does_not_depend_on_the_number_of_replicates():
    """Fair: the CRPS of the replicates, each 0 or 1, with the fair estimator."""
    chances = chances_of([True, False], chance=[0.7, 0.7], replicates=10)
    sample = np.repeat([1.0, 0.0], [7, 3])
    expected = [scores.sample_scores(float(hit), sample)["crps"] for hit in chances["significant"]]
    assert scores.with_brier_scores(chances)["brier_chance"].tolist() == pytest.approx(expected)
    assert scores.with_brier_scores(chances)["brier_chance_base"].tolist() == pytest.approx([0.09, 0.49])


def test_a_forecaster_is_scored_on_its_own_comparisons():
    chances = chances_of(
        [True, True, False, False], chance=[0.9, 0.6, 0.4, 0.1], chance_base=0.5, chance_pooled=[np.nan, 0.6, 0.4, 0.1]
    )
    table = scores.forecaster_scores(chances).set_index("forecaster")
    base, pooled = (table.loc[scores.FORECASTERS[name]] for name in ("chance_base", "chance_pooled"))
    assert (base["rows"], base["brier"], base["expected"], base["observed"]) == (4, 0.25, 2, 2)
    assert base["skill"] == pytest.approx(1 - 0.085 / 0.25)
    assert (pooled["rows"], pooled["met"], pooled["null"], pooled["largest"]) == (3, 1, 2, 0.4)
    assert pooled["skill"] == pytest.approx(0, abs=1e-6)  # the same chances as the model
    lines = {line["group"]: line for line in scores.significance_rows(chances)}
    assert [lines[group]["rows"] for group in scores.ALL_COMPARISONS] == [4, 3]
    assert "| model | 4 (4) | 0.085 | 0.085 |  |" in forecaster_table(chances)


def test_the_chance_of_meeting_the_criterion_is_that_of_simulated_sets_of_trials():
    stated, random = pd.DataFrame({"trial": list("aabc"), "chance": [0.8, 0.6, 0.9, 0.3]}), np.random.default_rng(3)
    uniform = random.random((100_000, 3))[:, [0, 0, 1, 2]]  # comparisons of one trial depend on each other completely
    null = uniform >= stated["chance"].to_numpy()
    met = ~(null & (stated["chance"].to_numpy() > 1 / 3)).any(axis=1)
    assert scores.chance_of_meeting(stated, "chance", 1 / 3) == pytest.approx(met.mean(), abs=0.005)
    assert scores.chance_of_meeting(stated, "chance", 0.95) == 1


def test_reliability_tells_exact_chances_from_wrong_ones():
    random = np.random.default_rng(4)
    chance = random.random(6000)
    table = (
        chances_of([True])
        .loc[np.zeros(6000, dtype=int)]
        .assign(chance=chance, significant=random.random(6000) < chance, trial=range(6000))
    )
    exact = scores.reliability(table).query("forecaster == 'model'")
    assert exact["rows"].sum() == 6000
    assert (exact["observed"] / exact["rows"] - exact["stated"]).abs().max() < 0.04
    wrong = scores.reliability(table.assign(chance=chance**3)).query("forecaster == 'model'")
    assert (wrong["observed"] / wrong["rows"] - wrong["stated"]).max() > 0.2
    assert "| model | 33 to 67 | " in reliability_table(table)


def test_a_variant_is_shown_beside_the_full_model():
    skill = publish.load_skill()
    worse = skill.assign(skill=skill["skill"] - 1, rows=skill["rows"] - 1)
    left_out = skill[(skill["basis"] == "left out") & ~skill["kind"].isin(("class", "significance"))]
    lowest = left_out.loc[left_out["skill"].idxmin()]
    first = variant_table(skill, worse).splitlines()[2]
    assert lowest["group"] in first
    assert f"| {lowest['rows']}, {lowest['rows'] - 1} |" in first
    assert f"**{lowest['skill'] - 1:.2f}**".replace("-", "−") in first
    assert scores.NULL_COMPARISONS in variant_table(skill, worse)


def test_no_measure_is_below_its_floor():
    """The committed result of `ketamech scorecard`."""
    found = verdicts(publish.load_skill())
    assert len(found) == len(load_skill_criteria())
    assert np.isfinite(found["value"]).all()
    assert found["above_floor"].all(), found[~found["above_floor"]][["question", "value", "floor"]].to_string()
    assert found["met"].is_monotonic_increasing  # misses first


def read_block(path, name):
    page = path.read_text(encoding="utf-8")
    return page.split(f"<!-- {name}:", 1)[1].split("-->\n", 1)[1].split(f"\n<!-- end of {name} -->", 1)[0]


def test_the_pages_show_the_committed_result():
    skill = publish.load_skill()
    for page, block, text in (
        ("limits.md", publish.SKILL_BLOCK, skill_table(skill)),
        ("credibility.md", publish.VERDICT_BLOCK, verdict_table(skill)),
    ):
        assert read_block(DOCS / page, block) == text, page
    variant = pd.read_csv(VARIANTS / "reduced_core" / "skill.csv", comment="#")
    tables = (
        skill_table(skill, classes=True), verdict_table(skill), detail_table(skill), variant_table(skill, variant)
    )  # fmt: skip
    page = (DOCS / "trials-scorecard.md").read_text(encoding="utf-8")
    assert not [line for table in tables for line in table.splitlines() if line not in page.splitlines()]
    assert (DOCS / "limits.md").read_text(encoding="utf-8").index("skill table") < 1000  # the page opens with it


def test_a_block_is_replaced_and_nothing_else(tmp_path: Path):
    page = tmp_path / "page.md"
    head = "<!-- a: written by scripts/publish.py; do not edit -->"
    page.write_text(f"before\n{head}\nold\n<!-- end of a -->\nafter\n", encoding="utf-8")
    publish.write_block(page, "a", "new")
    assert read_block(page, "a") == "new"
    assert page.read_text(encoding="utf-8").startswith("before\n")
    assert page.read_text(encoding="utf-8").endswith("after\n")
    with pytest.raises(InputError, match="no block"):
        publish.write_block(page, "b", "new")


def test_a_few_replicates_predict_left_out_trials_no_worse_than_the_floor(model, tmp_path):
    left_out = load_left_out()
    assert trial_left_out("transform2", load_clinical_targets(), left_out) == "transform-2"
    card = trial_scorecard(model, load_posterior(), left_out, replicates=8, names=LIVE)
    skill = card.skill.set_index(["basis", "group"])["skill"]
    assert skill["left out", scores.ALL_LEVELS] > LIVE_FLOOR
    assert set(card.skill["basis"]) == {"left out", "in sample"}
    ours = card.skill_rows.pivot_table(index="id", columns="basis", values="simulated")
    assert (ours["left out"] != ours["in sample"]).mean() > 0.9  # other draws
    assert set(card.significance_probabilities["trial"]) >= {"transform-2", "aspire", "canuso-2018", "lapidus-2014"}
    chances = card.significance_probabilities.set_index("id")
    assert chances["chance"].between(0, 1).all()
    assert set(chances["source"]) == {"printed", "two arms"}
    pair = chances.loc["synapse-madrs-28-24h minus synapse-madrs-pbo-24h"]
    rows = {target.row.id: target.row for target in load_clinical_targets()}
    arms = [rows["synapse-madrs-28-24h"], rows["synapse-madrs-pbo-24h"]]
    assert pair["published"] == pytest.approx(arms[0].value - arms[1].value)
    error = np.hypot(*(standard_error(row) for row in arms))
    assert pair["high"] - pair["low"] == pytest.approx(2 * 1.959964 * error)
    assert not any(name.startswith("synapse-madrs-84") for name in chances.index)  # these differences are printed
    assert chances["chance_published"].between(0.05, 1).all()
    found = card.skill[card.skill["kind"] == "significance"].iloc[0]
    assert found["chance"] == chances.loc[~chances["significant"], "chance"].max()
    write_trial_tables(tmp_path, card, {"replicates": "8"})
    with faults_of_written_figures() as faults:
        assert {path.stem for path in draw_trial_scorecard(tmp_path, card)} >= {"forest", "predictive_checks", "skill"}
    assert not faults
    page = scorecard_page(tmp_path, card.skill)
    assert "simulated 8 times" in page
    assert forecaster_table(pd.read_csv(tmp_path / "chances.csv", comment="#")) in page
    assert not re.search(r"\bnan\b", page)
    for one in (*card.rows["id"], *card.spreads["id"]):
        assert f"| `{one}` |" in page
