"""A group: known parameters are found, no data leave the prior, and an interrupted fit continues to the same result."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fit_tables import UNIT
from simulated_tables import Truth, simulated_table

from ketamech.core import InputError
from ketamech.core.checkpoint import open_checkpoint
from ketamech.fitting import group_sampler
from ketamech.fitting.diagnostics import (
    group_table,
    npde,
    predictive_distribution,
    residual_table,
    shrinkage,
    visual_predictive_check,
)
from ketamech.fitting.error_models import error_models
from ketamech.fitting.fit import FitSettings, fit
from ketamech.fitting.fitted_parameters import named_parameters
from ketamech.fitting.group_model import GroupValues, group_model, iterative_two_stage
from ketamech.fitting.group_sampler import convergence, sample_group
from ketamech.fitting.map_estimates import MapEstimates
from ketamech.fitting.observations import measurements_of
from ketamech.fitting.predict import Predictor
from ketamech.nonmem.read import doses_in
from ketamech.population.virtual_population import load_population
from ketamech.report.fit_figures import individual_fits

NAMES = ("intrinsic_clearance_s", "shallow_volume")
TRUTH = Truth(NAMES, (1.4, 0.7), (0.3, 0.35), "proportional 0.1")
TIMES = (0.3, 0.7, 1.0, 2.0, 4.0, 8.0)


def grouped(model, count, seed, truth=TRUTH, ages=False):
    doses = [f"{i + 1},0,35,IV,0.6667,{60 + i % 4 * 10}" for i in range(count)]
    text, true = simulated_table(model, truth, doses=doses, times=TIMES, output="venous.ketamine", unit="ng/mL",
                                 seed=seed, limit=3.0)  # fmt: skip
    if ages:
        first, *rest = text.splitlines()
        text = "\n".join([first + ",AGE", *(f"{line},{30 + int(line.split(',')[0])}" for line in rest)]) + "\n"
    return measurements_of(doses_in(text, "levels.csv", model.parameters), model, [UNIT]), true


@pytest.fixture(scope="module")
def made(model):
    data, _ = grouped(model, 14, 3)
    return fit(data, model, FitSettings(NAMES, ("proportional 0.2",), warm_up=40, draws=80, threads=2))


def test_known_parameters_of_a_group_are_found(made):
    """Medians, variability and residual error, each within 3 posterior SDs and far from the prior where it is wrong."""
    draws = made.draws
    medians = [
        float(one.free(one.typical * factor)) for one, factor in zip(made.parameters, TRUTH.medians, strict=True)
    ]
    apart = (draws.coefficients.mean(axis=(0, 1)) - medians) / draws.coefficients.std(axis=(0, 1))
    assert (np.abs(apart) < 3).all()
    assert draws.coefficients[:, :, 0].mean() > made.model.mean[0] + 0.15
    sd = np.sqrt(np.diagonal(draws.covariance, axis1=2, axis2=3))
    assert (np.abs(np.log(sd.mean(axis=(0, 1)) / TRUTH.sds)) < 0.5).all()
    assert np.exp(draws.log_errors.mean()) == pytest.approx(0.1, rel=0.25)
    rhat, effective = convergence(draws.coefficients)
    assert rhat.max() < 1.2
    assert effective.min() > 20


def test_the_group_table_shows_the_reduction_of_variance(made):
    table = group_table(made).set_index("parameter")
    row = table.loc["pharmacokinetics.intrinsic_clearance_s"]
    assert row["low"] < row["estimate"] < row["high"]
    assert row["prior"] == pytest.approx(199.3, rel=1e-3)
    assert 0.5 < row["variance_reduction"] < 1
    assert 0 < row["RSE"] < 0.25
    assert list(table.index[2:]) == [
        "SD between people of pharmacokinetics.intrinsic_clearance_s",
        "SD between people of pharmacokinetics.shallow_volume", "proportional error of venous.ketamine",
    ]  # fmt: skip


def test_residuals_and_prediction_errors_of_a_right_model_are_standard_normal(made):
    simulated = predictive_distribution(made).replicates(200, 1)
    table = residual_table(made, simulated)
    known = table[table["censored"] == ""]
    assert 0.6 < known["IWRES"].std() < 1.2
    assert abs(known["NPDE"].mean()) < 0.35
    assert 0.75 < known["NPDE"].std() < 1.3
    wrong = npde(replace(made.data, measurements=tuple(replace(one, value=3 * one.value)
                                                       for one in made.data.measurements)), simulated)  # fmt: skip
    assert np.nanmean(wrong) > 1
    assert (shrinkage(made) < 0.5).all()


def test_a_predictive_check_holds_the_percentiles_of_a_right_model(made):
    simulated = predictive_distribution(made).replicates(200, 2)
    (panel,) = visual_predictive_check(made.data, simulated, made.population_predicted, bins=6)
    low, _, high = panel.simulated[1]
    inside = (low <= panel.observed[1]) & (panel.observed[1] <= high)
    assert inside.mean() > 0.8
    assert len(panel.middle) == len(TIMES)
    (inner,) = visual_predictive_check(made.data, simulated, made.population_predicted, bins=[0.9, 1.5, 3])
    values = made.data.value[made.data.column("time").astype(float) == 2.0]
    assert inner.middle.tolist() == [1.0, 2.0]  # earlier and later measurements belong to no bin
    np.testing.assert_allclose(inner.observed[:, 1], np.quantile(values, [0.05, 0.5, 0.95]))
    corrected = visual_predictive_check(made.data, simulated, made.population_predicted, corrected=True)[0]
    predicted = made.population_predicted[corrected.time == 1.0]
    np.testing.assert_allclose(
        corrected.value[corrected.time == 1.0] * predicted / panel.value[panel.time == 1.0], np.median(predicted)
    )
    split = visual_predictive_check(made.data, simulated, made.population_predicted, stratify="WT")
    assert [one.label for one in split] == [f"venous.ketamine, WT {weight}" for weight in (60, 70, 80, 90)]
    with pytest.raises(InputError, match="no column 'SEX'"):
        visual_predictive_check(made.data, simulated, made.population_predicted, stratify="SEX")


def test_an_interrupted_fit_continues_to_the_same_result(model, tmp_path):
    data, _ = grouped(model, 5, 4)
    settings = FitSettings(NAMES, warm_up=25, draws=50, chains=2, threads=2)
    whole = fit(data, model, settings)

    class Stop(Exception):
        pass

    def stop(step, done, total):
        if step == "Sweeps" and done >= 50:
            raise Stop

    with pytest.raises(Stop), open_checkpoint(tmp_path, {"fit": 1}) as pieces:
        fit(data, model, settings, checkpoint=pieces, progress=stop)
    with open_checkpoint(tmp_path, {"fit": 1}, resume=True) as pieces:
        assert len(list(pieces)) == 3  # the start and two blocks
        continued = fit(data, model, settings, checkpoint=pieces)
    np.testing.assert_array_equal(continued.draws.coefficients, whole.draws.coefficients)
    np.testing.assert_array_equal(continued.draws.free, whole.draws.free)


class NothingMatters(Predictor):
    """Predictions that do not depend on parameters, without a solve."""

    def predictions(self, free):
        return np.tile(1.2 * self.data.value, (len(free), 1))


def test_without_information_the_posterior_is_the_prior(model, monkeypatch):
    """Levels after an infusion say nothing about absorption from the gut: prior means, SDs and correlations return."""
    monkeypatch.setattr(group_sampler, "INNER_STEPS", 10)
    monkeypatch.setattr(group_sampler, "GROUP_STEPS", 16)
    names = ("gut_ka", "nose_ka")
    data, _ = grouped(model, 3, 5)
    parameters = named_parameters(names, load_population(), model.parameters)
    predictor = NothingMatters(model, data, parameters, tolerance=1e-3, threads=2)
    for full in (False, True):
        group = group_model(predictor, load_population(), error_models(data), full=full)
        start, persons = iterative_two_stage(predictor, group)
        drawn = sample_group(predictor, group, start, persons, warm_up=25, draws=150, chains=6, seed=2)
        flat = drawn.coefficients.reshape(-1, 2)
        np.testing.assert_allclose(flat.mean(axis=0), group.mean, atol=0.2 * group.mean_sd.max())
        np.testing.assert_allclose(flat.std(axis=0), group.mean_sd, rtol=0.2)
        precision = 1 / np.diagonal(drawn.covariance, axis1=2, axis2=3).reshape(-1, 2)
        # mean of 1 / variance of an inverse gamma: shape / scale
        expected = (5 + 2) / 5 / np.diag(group.covariance)
        np.testing.assert_allclose(precision.mean(axis=0), expected, rtol=0.2)


def test_without_a_number_of_draws_chains_run_until_they_agree(model, monkeypatch):
    for name, value in {"INNER_STEPS": 5, "GROUP_STEPS": 5, "DRAWS": 50, "EFFECTIVE": 60, "MAX_R_HAT": 1.1}.items():
        monkeypatch.setattr(group_sampler, name, value)
    data, _ = grouped(model, 3, 5)
    parameters = named_parameters(("gut_ka",), load_population(), model.parameters)
    predictor = NothingMatters(model, data, parameters, tolerance=1e-3, threads=2)
    group = group_model(predictor, load_population(), error_models(data))
    start, persons = iterative_two_stage(predictor, group)
    short = sample_group(predictor, group, start, persons, warm_up=25, draws=50, chains=2)
    assert short.coefficients.shape[1] == 50
    assert not short.has_converged
    drawn = sample_group(predictor, group, start, persons, warm_up=25, chains=2)
    assert drawn.coefficients.shape[1] in range(100, 2001, 50)
    assert drawn.has_converged
    np.testing.assert_array_equal(drawn.coefficients[:, :50], short.coefficients)


class Proportional(Predictor):
    """Levels proportional to the only parameter, without a solve: the surrogate is exact."""

    def predictions(self, free):
        return 50.0 * np.exp(free[:, self.data.person, 0] - self.typical[self.data.person, 0])


def test_draws_do_not_depend_on_the_parametrisation(model, monkeypatch):
    """With persons standardised by the group, by group and measurements, or by nothing (Gibbs sampling alone)."""
    for name, value in {"INNER_STEPS": 8, "GROUP_STEPS": 8, "EXACT_STEPS": 1}.items():
        monkeypatch.setattr(group_sampler, name, value)
    data, _ = grouped(model, 6, 5)
    values = 50.0 * np.exp(0.4 * np.repeat([-1.5, -0.7, 0.0, 0.4, 0.8, 1.6], len(TIMES)))
    values *= 1 + 0.3 * np.random.default_rng(3).standard_normal(len(values))
    data = replace(data, measurements=tuple(replace(one, value=float(value), censored=0)
                                            for one, value in zip(data.measurements, values, strict=True)))  # fmt: skip
    parameters = named_parameters(NAMES[:1], load_population(), model.parameters)
    predictor = Proportional(model, data, parameters)
    group = group_model(predictor, load_population(), error_models(data, ["proportional 0.3"]))
    mode = predictor.typical + np.log([values[data.person == i].mean() / 50 for i in range(6)])[:, None]
    predicted = predictor.predictions(mode[None])[0]
    nothing = np.zeros(6)
    persons = MapEstimates(mode, np.full((6, 1, 1), 0.015), predicted, predicted[:, None], nothing, nothing, nothing)
    start = GroupValues(group.mean, group.covariance, group.error_start)
    found = []
    for chosen in (slice(0, 0), slice(0, 1), slice(1, 2)):
        sampler, chance = group_sampler.GroupSampler(predictor, group, persons, start), np.random.default_rng(4)
        state = sampler.first_state(6, chance)
        sampler.parametrisations = sampler.parametrisations[chosen]
        drawn = sampler.block(state, 400, chance, 100)
        quantities = np.concatenate(
            [drawn["coefficients"], np.log(drawn["covariance"][:, :, 0]), drawn["log_errors"]], 2
        )
        found.append(np.swapaxes(quantities[100:], 0, 1))
    means = np.array([draws.mean(axis=(0, 1)) for draws in found])
    errors = np.array([draws.std(axis=(0, 1)) / np.sqrt(convergence(draws)[1]) for draws in found])
    for other in (1, 2):
        assert (np.abs(means[other] - means[0]) < 4 * np.hypot(errors[other], errors[0])).all()
    assert (errors[:, 1] < 0.1).all()  # of the logarithm of the variance


@pytest.fixture(scope="module")
def sampler(made):
    start, persons = iterative_two_stage(made.predictor, made.model)
    return group_sampler.GroupSampler(made.predictor, made.model, persons, start)


def test_the_surrogate_is_near_the_model(sampler):
    """Within a few per cent at two SDs of the Laplace approximation, where the linearised model is not."""
    persons, chance = sampler.persons, np.random.default_rng(1)
    steps = chance.standard_normal((6, *persons.mode.shape))
    steps *= 2 / np.linalg.norm(steps, axis=-1, keepdims=True)
    free = persons.mode + np.einsum("nij,cnj->cni", sampler.factor, steps)
    exact = sampler.predictor.predictions(free)
    change = np.einsum("cmp,mp->cm", (free - persons.mode)[:, sampler.predictor.data.person], persons.slopes)
    linear = persons.predicted * np.exp(change / persons.predicted)
    error, linear_error = (np.abs(np.log(near / exact)) for near in (sampler.surrogate.predictions(free), linear))
    assert error.max() < 0.03
    assert error.max() < 0.3 * linear_error.max()


def test_a_chain_leaves_the_tails(sampler):
    """One person of every chain starts seven SDs away, where the surrogate is wrong."""
    chance = np.random.default_rng(3)
    state = sampler.first_state(3, chance)
    state.free[:, 0] = sampler.persons.mode[0] + 7 * sampler.factor[0][:, -1]
    state.predicted = sampler.predictor.predictions(state.free)
    state.likelihood = sampler.likelihoods(state.predicted, state.log_errors)
    free = sampler.block(state, 30, chance, 0)["free"][:, :, 0]
    apart = np.linalg.norm(np.linalg.solve(sampler.factor[0], (free - sampler.persons.mode[0])[..., None]), axis=2)
    assert (apart[20:].mean(axis=0) < 4).all()


def test_a_covariate_effect_is_found(model):
    """The clearance of half of the group is made to rise with age by its own parameter values."""
    data, _ = grouped(model, 12, 6, Truth(("intrinsic_clearance_s",), (1.0,), (0.05,), "proportional 0.05"), ages=True)
    ages = {subject.name: 30 + int(subject.name) for subject in data.persons}
    middle = np.mean(list(ages.values()))
    changed = tuple(
        replace(one, value=one.value * np.exp(-0.03 * (ages[data.persons[one.person].name] - middle)))
        if one.time >= 2 and not one.censored else one for one in data.measurements
    )  # fmt: skip
    name = "intrinsic_clearance_s"
    settings = FitSettings((name,), covariates=(f"{name} ~ AGE",), warm_up=25, draws=50, threads=2)
    made = fit(replace(data, measurements=changed), model, settings)
    effect = made.draws.coefficients[:, :, 1]
    assert effect.mean() > 2 * effect.std()
    assert group_table(made)["parameter"][1].startswith("pharmacokinetics.intrinsic_clearance_s ~ AGE, per ")
    with pytest.raises(InputError, match="no column 'SEX'"):
        fit(data, model, replace(settings, covariates=("intrinsic_clearance_s ~ SEX",)))
    with pytest.raises(InputError, match="is not the effect of a covariate"):
        fit(data, model, replace(settings, covariates=("central_volume ~ AGE",)))


def test_the_example_is_what_its_script_makes(model, tmp_path, monkeypatch):
    """Numbers of the committed example are those of the program today; else run scripts/make_fit_example.py."""
    import importlib.util

    root = Path(__file__).parents[3]
    spec = importlib.util.spec_from_file_location("make_fit_example", root / "scripts" / "make_fit_example.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    script.main()
    for name in ("ketamine_levels.csv", "ketamine_levels_truth.csv"):
        new, old = (
            (folder / name).read_text(encoding="utf-8").splitlines() for folder in (tmp_path, root / "examples/fit")
        )
        assert len(new) == len(old)
        for line, before in zip(new, old, strict=True):
            for cell, former in zip(line.split(","), before.split(","), strict=True):
                assert cell == former or float(cell) == pytest.approx(float(former), rel=2e-3)


def test_panels_without_censored_values_fill_the_page(made):
    figure = individual_fits(made)
    figure.draw_without_rendering()
    first = figure.axes[0]
    assert first.get_tightbbox().y0 > first.get_window_extent().y0 - 60  # room for labels, not for the whole page
