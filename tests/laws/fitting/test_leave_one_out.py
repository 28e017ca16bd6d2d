"""Densities of left-out persons agree with closed forms, and a model with the right residual error ranks first."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy.stats import multivariate_normal, norm

sys.path.insert(0, str(Path(__file__).parent))
from fit_tables import UNIT, person, table

from ketamech.core import InputError
from ketamech.exchange.result_io import save_results
from ketamech.fitting.error_models import error_models
from ketamech.fitting.fit import Fit
from ketamech.fitting.fitted_parameters import named_parameters
from ketamech.fitting.group_model import group_model
from ketamech.fitting.group_sampler import GroupDraws
from ketamech.fitting.leave_one_out import comparison_table, criteria_table, log_likelihoods, read_log_likelihoods
from ketamech.fitting.map_estimates import log_densities
from ketamech.fitting.observations import measurements_of
from ketamech.fitting.predict import Predictor
from ketamech.nonmem.read import doses_in
from ketamech.population.virtual_population import load_population

NAMES, SLOPE, SD = ("intrinsic_clearance_s", "shallow_volume"), np.array([20.0, -10.0]), 5.0


class Linear(Predictor):
    """Predictions that are linear in the parameters of a person, without a solve."""

    def predictions(self, free):
        own = (free - self.typical)[:, self.data.person]
        return 100 + own @ SLOPE


@pytest.fixture(scope="module")
def made(model):
    """A group whose measurements follow the linear model, with draws about the truth."""
    chance, people, parameters = (
        np.random.default_rng(4),
        12,
        named_parameters(NAMES, load_population(), model.parameters),
    )
    rows = [row for i in range(people) for row in person(str(i + 1))]
    data = measurements_of(doses_in(table(*rows), "levels.csv", model.parameters), model, [UNIT])
    predictor = Linear(model, data, parameters)
    group = group_model(predictor, load_population(), error_models(data, [f"additive {SD}"]))
    factor = np.linalg.cholesky(group.covariance)
    free = predictor.typical + chance.standard_normal((people, 2)) @ factor.T
    values = predictor.predictions(free[None])[0] + SD * chance.standard_normal(len(data.value))
    measured = tuple(replace(one, value=float(y)) for one, y in zip(data.measurements, values, strict=True))
    predictor = replace(predictor, data=replace(data, measurements=measured))
    precision = np.linalg.inv(group.covariance) + 6 * np.outer(SLOPE, SLOPE) / SD**2
    spread = np.tile(np.linalg.inv(precision), (people, 1, 1))
    shape = (2, 40)
    coefficients = group.mean + 0.05 * chance.standard_normal((*shape, 2))
    errors = group.error_start + 0.03 * chance.standard_normal((*shape, 1))
    drawn = free + np.einsum(
        "ij,cdnj->cdni", np.linalg.cholesky(spread[0]), chance.standard_normal((*shape, people, 2))
    )
    logs = np.array([[log_densities(predictor.data, group.errors_at(errors[c, d]), predictor.predictions(
        drawn[c, d][None]))[0] for d in range(shape[1])] for c in range(shape[0])])  # fmt: skip
    draws = GroupDraws(coefficients, np.tile(group.covariance, (*shape, 1, 1)), errors, drawn, logs, {})
    predicted = predictor.predictions(free[None])[0]
    return Fit(predictor, load_population(), group.errors, predictor.typical, group.covariance, free, spread,
               predicted, predicted, (), (),
               group, draws)  # fmt: skip


def test_the_density_of_a_person_is_that_of_the_closed_form(made):
    logs, draws = log_likelihoods(made, points=800), made.draws
    own = [made.data.value[made.data.person == i] for i in range(12)]
    for c, d in ((0, 0), (1, 30)):
        sd = np.exp(draws.log_errors[c, d, 0])
        middle = 100 + (draws.coefficients[c, d] - made.model.mean) @ SLOPE
        covariance = SLOPE @ draws.covariance[c, d] @ SLOPE + sd**2 * np.eye(6)
        expected = [multivariate_normal(np.full(6, middle), covariance).logpdf(y) for y in own]
        np.testing.assert_allclose(logs["person"].values[c, d], expected, atol=0.1)
        point = norm(made.predictor.predictions(draws.free[c, d][None])[0], sd).logpdf(made.data.value)
        np.testing.assert_allclose(logs["measurement"].values[c, d], point, rtol=1e-9)


def test_many_draws_are_thinned(made, monkeypatch):
    monkeypatch.setattr("ketamech.fitting.leave_one_out.MAX_DRAWS", 30)
    logs = log_likelihoods(made, points=5)
    assert logs["draw"].values.tolist() == [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33, 36, 39]
    np.testing.assert_array_equal(logs["measurement"], made.draws.log_likelihood[:, ::3])
    assert logs["person"].shape == (2, 14, 12)


def test_the_right_residual_error_ranks_first(made):
    right = log_likelihoods(made)
    wrong = replace(made.draws, log_errors=made.draws.log_errors + np.log(2))
    logs = np.array([[log_densities(made.data, made.model.errors_at(wrong.log_errors[c, d]), made.predictor.predictions(
        wrong.free[c, d][None]))[0] for d in range(40)] for c in range(2)])  # fmt: skip
    other = log_likelihoods(replace(made, draws=replace(wrong, log_likelihood=logs)))
    found = comparison_table({"wrong": other, "right": right})
    assert found.groupby("predicted", sort=False)["fit"].first().tolist() == ["right", "right"]
    assert (found["difference"] > 2 * found["se_difference"]).sum() == 2
    table = criteria_table(right).set_index("predicted")
    assert table.loc["another person", "items"] == 12
    assert table.loc["another person", "elpd_loo"] == pytest.approx(table.loc["another person", "elpd_waic"], abs=0.5)


def test_only_fits_to_the_same_measurements_are_compared(made, tmp_path):
    save_results(
        xr.DataTree.from_dict({"/log_likelihood": log_likelihoods(made, points=5)}), tmp_path / "posterior.zarr"
    )
    assert read_log_likelihoods(tmp_path, made.data)["person"].shape == (2, 40, 12)
    changed = replace(made.data, measurements=tuple(replace(m, value=m.value + 1) for m in made.data.measurements))
    with pytest.raises(InputError, match="is a fit to other measurements"):
        read_log_likelihoods(tmp_path, changed)
    with pytest.raises(InputError, match="holds no fit of a group"):
        read_log_likelihoods(tmp_path / "nowhere", made.data)
