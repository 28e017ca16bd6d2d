"""Model variants: effects of each, the likelihood of rows, and the fit against closed forms."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest

from ketamech import simulate
from ketamech.analysis import variant_likelihood
from ketamech.analysis.perturbation_scorecard import score_perturbations
from ketamech.analysis.variant_comparison import REFERENCE_VARIANT, average_variants
from ketamech.analysis.variant_fit import FitProblem, load_draws, load_priors, load_variant_scores
from ketamech.analysis.variant_likelihood import CONSTANTS, LikelihoodTerm, VariantPredictor
from ketamech.core import InputError, UnknownNameError
from ketamech.core.csv_table import read_constants
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model_variants import ModelVariant, load_model_variants

INFUSION = "racemic 0.5 mg/kg IV over 40 min"
PLAIN = ModelVariant("toy", "", "", (), (), {}, {})


ERROR_PROBABILITY = read_constants(CONSTANTS)["error_probability"]


def judge(low, high, error, weight=1.0):
    return LikelihoodTerm("row", "perturbation", "", weight, low, high, error, lambda x: low <= x <= high)


def test_a_band_counts_nothing_inside_and_no_more_than_a_misleading_row_far_outside():
    row = judge(0.0, 0.4, 0.1)
    inside, edge, far, missing = row.deviance(np.array([0.2, 0.5, 90.0, np.nan]))
    assert inside == pytest.approx(0, abs=1e-12)
    assert edge == pytest.approx(-2 * np.log((1 - ERROR_PROBABILITY) * np.exp(-0.5) + ERROR_PROBABILITY))
    assert far == missing == pytest.approx(-2 * np.log(ERROR_PROBABILITY))
    assert row.distance(np.array([-0.1])) == pytest.approx(-1)
    assert judge(0.0, 0.4, 0.1, weight=0.5).deviance(np.array([90.0])) == pytest.approx(-np.log(ERROR_PROBABILITY))


class Linear(VariantPredictor):
    """Rows that read a straight line of the logarithms of the values: everything is known in closed form."""

    slopes = np.array([[2.0, 0.0, 0.0], [1.0, 1.0, 0.0]])  # the third value says nothing of any row
    read = np.array([1.5, -0.5])
    errors = np.array([0.5, 0.8])

    @cached_property
    def likelihood_terms(self):
        return tuple(judge(y, y, s) for y, s in zip(self.read, self.errors, strict=True))

    def predict(self, points, progress=None):
        logs = np.log([[point[name] for name in "abc"] for point in points])
        return logs @ self.slopes.T


@pytest.fixture
def toy(monkeypatch):
    """A fit of the straight line, no row misleading."""
    sure = {**read_constants(CONSTANTS), "error_probability": 0.0}
    monkeypatch.setattr(variant_likelihood, "read_constants", lambda _: sure)
    task = FitProblem(Linear(None), ("a", "b", "c"), np.ones(3), np.array([1.0, 0.5, 1.0]))
    return task.fit(PLAIN, draws=4000)


def test_the_fit_of_a_straight_line_is_the_posterior_of_the_book(toy):
    slopes = Linear.slopes * np.array([1.0, 0.5, 1.0])  # per SD of the prior
    precision = slopes.T @ np.diag(1 / Linear.errors**2) @ slopes + np.eye(3)
    middle = np.linalg.solve(precision, slopes.T @ (Linear.read / Linear.errors**2))
    np.testing.assert_allclose(toy.point, middle, atol=2e-3)
    np.testing.assert_allclose(toy.spread, np.linalg.inv(precision), rtol=0.02, atol=2e-3)
    assert toy.spread[2, 2] == pytest.approx(1, rel=1e-3)  # nothing learnt of the third
    assert toy.effective_parameters == 2


def test_the_evidence_is_that_of_the_book_by_both_roads(toy):
    """p(rows) = N(read; 0, S S' + errors^2), over the peak of each row's bell."""
    slopes = Linear.slopes * np.array([1.0, 0.5, 1.0])
    spread = slopes @ slopes.T + np.diag(Linear.errors**2)
    book = -0.5 * Linear.read @ np.linalg.solve(spread, Linear.read)
    book += -0.5 * np.linalg.slogdet(spread)[1] + np.log(Linear.errors).sum()
    assert toy.log_evidence == pytest.approx(book, abs=0.02)
    assert toy.log_evidence_sampled == pytest.approx(book, abs=0.1)
    assert toy.effective > 400


class Bent(Linear):
    """One row that reads a valley: the posterior is a bow, and no bell fits it."""

    @cached_property
    def likelihood_terms(self):
        return (judge(1.0, 1.0, 0.15),)

    def predict(self, points, progress=None):
        logs = np.log([[point[name] for name in "ab"] for point in points])
        return (logs[:, 0] + logs[:, 1] ** 2)[:, None]


def test_the_evidence_of_a_bow_is_that_of_a_fine_grid():
    task = FitProblem(Bent(None), ("a", "b"), np.ones(2), np.ones(2))
    found = task.fit(PLAIN)
    line = np.linspace(-5, 5, 801)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    heights = -0.5 * np.sum(task.signed_root_deviances(PLAIN, grid)[0] ** 2, axis=1)
    book = np.log(np.exp(heights).sum() * (line[1] - line[0]) ** 2 / (2 * np.pi))
    assert found.log_evidence_sampled == pytest.approx(book, abs=0.15)
    assert abs(found.log_evidence - book) > abs(found.log_evidence_sampled - book)
    assert found.effective > 100


@pytest.fixture(scope="module")
def variants(model):
    return load_model_variants(model.parameters)


def test_the_bench_reads_what_the_experiments_read(model):
    """Another road to the same sizes, at values other than the tables'."""
    values = {"mood.habenula_weight": 1.1, "plasticity.mtorc1_gain": 5.0}
    bench = VariantPredictor(model, 2)
    found = bench.predict([{}, values])[1][-sum(j.kind == "perturbation" for j in bench.likelihood_terms) :]
    lines = score_perturbations(model, values)
    known = {j.evidence for j in bench.likelihood_terms if j.kind == "perturbation"}
    lines = lines[lines["output"] != ""]
    assert set(lines["evidence"]) >= known
    scale = np.where(lines["statistic"] == "points", 60.0, 1.0)  # points of MADRS, or shares
    np.testing.assert_allclose(found / scale, lines["size"] / scale, rtol=0.01, atol=1e-3)


def test_without_fitted_values_the_variant_of_the_tables_is_the_tables(model, variants):
    assert variants[REFERENCE_VARIANT].settings == {}
    for name in ("mood.habenula_through_cortex", "opioid.permissive_gate", "spines.rapamycin_sparing"):
        assert any(name in w.settings for w in variants.values()), "no variant uses it"


def left(model, values, held):
    """Share of the effect at 2 h, and of spines gained at 14 d, that is left with a perturbation held for good."""

    def effect(**more):
        scenario = replace(load_scenario(INFUSION), values={**values, **more}, horizon=340.0)
        curves = simulate(scenario, model=model)
        fall = curves["mood.madrs"].sel(patient="treated") - curves["mood.madrs"].sel(patient="control")
        return float(fall.interp(time=2.0)), float(curves["spines.mature"].sel(patient="treated").interp(time=336.0))

    with_, without = effect(**held), effect()
    return with_[0] / without[0], with_[1] / without[1]


def test_a_parallel_habenula_needs_no_ampa_receptors_and_one_through_the_cortex_does(model, variants):
    nbqx = {"perturbation.nbqx": 1.0}
    assert left(model, {}, nbqx)[0] < 0.35
    assert left(model, variants["habenula-parallel"].settings, nbqx)[0] > 0.6


def test_behind_a_gate_naltrexone_abolishes_and_where_tone_adds_it_takes_a_part(model, variants):
    naltrexone = {"perturbation.naltrexone": 1.0}
    assert abs(left(model, variants["opioid-gate"].settings, naltrexone)[0]) < 0.2
    assert left(model, variants["opioid-additive"].settings, naltrexone)[0] > 0.75


def test_a_dose_of_rapamycin_spares_new_spines_unless_the_variant_says_no(model, variants):
    def gained(settings):
        scenario = load_scenario(INFUSION + " with rapamycin 6 mg oral at -2 h")
        curves = simulate(replace(scenario, values=settings, horizon=340.0), model=model)
        difference = curves["spines.density"].sel(patient="treated") - curves["spines.density"].sel(patient="control")
        return float(difference.interp(time=336.0))

    neutral, spared = gained(variants["rapamycin-neutral"].settings), gained({})
    assert neutral > 0
    assert spared > 1.25 * neutral


def test_a_variant_with_one_trigger_leaves_one_on(variants, model):
    triggers = {
        f"pathway.{t}" for t in ("disinhibition", "extrasynaptic", "resting_release", "hnk_ampa", "trkb_direct")
    }
    alone = [w for w in variants.values() if w.question == "trigger"]
    assert len(alone) == 5
    on = [triggers - {name for name in w.settings if w.settings[name] == 0} for w in alone]
    assert all(len(trigger) == 1 for trigger in on)
    assert set().union(*on) == triggers


def test_every_variant_was_fitted_alike(variants, model):
    known, draws = load_variant_scores(), load_draws(model.parameters)
    assert set(known) == set(variants) == set(draws)
    assert sum(k.probability for k in known.values()) == pytest.approx(1, abs=1e-3)
    for name, variant in variants.items():
        assert tuple(variant.fitted) == tuple(load_priors()) == tuple(draws[name])


def test_an_average_is_the_sum_of_single_variants_by_probability(model):
    found = average_variants(model, INFUSION, threads=2)
    summed = sum(found.probability[name] * curve.mean(axis=0) for name, curve in found.curves.items())
    np.testing.assert_allclose(found.mean, summed, rtol=1e-9)
    assert np.all(found.low <= found.mean + 1e-9)
    assert np.all(found.high >= found.mean - 1e-9)
    assert found.table["share_between"].between(0, 1).all()
    own = load_scenario(INFUSION, variant=REFERENCE_VARIANT)
    at_fit = simulate(own, model=model)["mood.madrs"].sel(patient="treated", time=24.0)
    drawn = found.curves[REFERENCE_VARIANT][:, np.argmin(abs(found.hours - 24))]
    assert drawn.min() - 2 < float(at_fit) < drawn.max() + 2


def test_a_scenario_takes_a_variant_and_its_own_values_win(model, variants, tmp_path):
    by_word = load_scenario(INFUSION, variant="habenula-parallel")
    assert by_word.values == variants["habenula-parallel"].parameter_values
    assert any("habenula-parallel" in note for note in by_word.assumptions)
    file = tmp_path / "s.yaml"
    text = f"treatments: ['{INFUSION}']\nperson: {{weight: 70 kg}}\nvariant: habenula-parallel\n"
    file.write_text(text + "parameters: {mood.habenula_weight: 0.1}\n", encoding="utf-8")
    by_file = load_scenario(file)
    assert by_file.model_variant == "habenula-parallel"
    assert by_file.values["mood.habenula_weight"] == 0.1
    assert by_file.values["mood.habenula_through_cortex"] == 0
    again = tmp_path / "again.yaml"
    again.write_text(by_word.source + "person: {weight: 70 kg}\n" * ("person:" not in by_word.source), encoding="utf-8")
    assert load_scenario(again).values.items() >= by_word.values.items()


def test_an_unknown_variant_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(UnknownNameError, match="habenula-parallel"):
        load_scenario(INFUSION, variant="habenula-paralel")
    file = tmp_path / "s.yaml"
    file.write_text(f"treatments: ['{INFUSION}']\nperson: {{weight: 70 kg}}\nvariant: opiod-gate\n", encoding="utf-8")
    with pytest.raises(InputError, match="opioid-gate") as raised:
        load_scenario(file)
    assert "s.yaml:3" in str(raised.value)
