"""Variability between periods of a person: periods are found, act on predictions, and their known SD is recovered."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fit_tables import UNIT, table

from ketamech.core import InputError
from ketamech.fitting.diagnostics import group_table, period_table, predictive_distribution, shrinkage
from ketamech.fitting.error_models import error_models
from ketamech.fitting.fit import FitSettings, fit
from ketamech.fitting.fitted_parameters import named_parameters
from ketamech.fitting.group_model import group_model, iterative_two_stage
from ketamech.fitting.group_sampler import sample_group
from ketamech.fitting.individual_dose import individuals
from ketamech.fitting.observations import measurements_of
from ketamech.fitting.predict import Predictor
from ketamech.nonmem.read import doses_in
from ketamech.population.virtual_population import load_population

HEADER = "ID,TIME,AMT,ROUTE,DUR,DRUG,DVID,DV,EVID,OCC"
NAMES, TIMES = ("intrinsic_clearance_s", "shallow_volume"), (0.7, 1.0, 2.0, 4.0, 8.0)


def records(name, periods=2, reset=True, begin=0.0, occ=True):
    rows = []
    for k in range(periods):
        start = begin * k
        number = k + 1 if occ else "."
        rows.append(f"{name},{start:g},35,IV,0.6667,racemic,.,.,{4 if reset and k else 1},{number}")
        rows += [f"{name},{start + t:g},0,.,.,.,venous.ketamine,20,0,{number}" for t in TIMES]
    return rows


def predictor_of(model, *rows, names=NAMES, varying=(0,)):
    data = measurements_of(doses_in(table(*rows, header=HEADER), "levels.csv", model.parameters), model, [UNIT])
    parameters = named_parameters(names, load_population(), model.parameters)
    return Predictor(model, data, parameters, varying, threads=2)


def test_a_period_is_an_occasion_or_a_value_of_occ(model):
    resets = predictor_of(model, *records("1"), *records("2", 1)).data
    assert resets.periods == (((0.0, 0),), ((0.0, 1),), ((0.0, 0),))
    without = predictor_of(model, *records("1", occ=False)).data
    assert without.periods == (((0.0, 0),), ((0.0, 1),))
    together = predictor_of(model, *records("1", 3, reset=False, begin=500.0)).data
    assert together.periods == (((0.0, 0), (500.0, 1), (1000.0, 2)),)


def test_deviations_act_in_their_period(model):
    """Second methods: persons with other parameters; and periods apart, where the first dose has left."""
    apart = predictor_of(model, *records("1"))
    one = apart.typical[0]
    free = np.array([[[*one, 0.4, -0.6]]])
    found = apart.predictions(free)[0].reshape(2, -1)
    alone = predictor_of(model, *records("1", 1))
    for k, deviation in enumerate((0.4, -0.6)):
        expected = alone.predictions((one + np.array([deviation, 0.0]))[None, None])[0]
        np.testing.assert_allclose(found[k], expected, rtol=1e-9)
    joined = predictor_of(model, *records("1", reset=False, begin=800.0)).predictions(free)[0].reshape(2, -1)
    np.testing.assert_allclose(joined, found, rtol=2e-3)


class NothingMatters(Predictor):
    """Predictions that do not depend on parameters, without a solve."""

    def predictions(self, free):
        return np.tile(1.2 * self.data.value, (len(free), 1))


def test_without_information_the_prior_of_periods_returns(model):
    rows = [row for i in range(3) for row in records(str(i + 1), 1 + i % 2)]
    known = predictor_of(model, *rows, names=("gut_ka", "nose_ka"))
    predictor = NothingMatters(model, known.data, known.parameters, (0, 1), tolerance=1e-3, threads=2)
    group = group_model(
        predictor, load_population(), error_models(predictor.data), full=True, iov=("gut_ka", "nose_ka")
    )
    start, persons = iterative_two_stage(predictor, group)
    drawn = sample_group(predictor, group, start, persons, warm_up=25, draws=120, chains=4, seed=2)
    _, within = group.parts(drawn.covariance)
    np.testing.assert_allclose((1 / within).mean(axis=(0, 1)), (5 + 2) / 5 / group.within, rtol=0.2)
    np.testing.assert_allclose(group.within, 0.25 * np.diag(group.covariance))


@pytest.fixture(scope="module")
def made(model):
    """12 persons in two periods; SD of the clearance 0.15 between people and 0.4 between periods."""
    chance = np.random.default_rng(8)
    predictor = predictor_of(model, *(row for i in range(12) for row in records(str(i + 1))))
    free = predictor.typical + np.array([0.15, 0.3]) * chance.standard_normal((12, 2))
    own = np.concatenate([free, 0.4 * chance.standard_normal((12, 2))], axis=1)
    predicted = predictor.predictions(own[None])[0]
    values = predicted * (1 + 0.08 * chance.standard_normal(len(predicted)))
    measured = tuple(replace(m, value=float(y)) for m, y in zip(predictor.data.measurements, values, strict=True))
    data = replace(predictor.data, measurements=measured)
    settings = FitSettings(
        NAMES, ("proportional 0.1",), iov=("intrinsic_clearance_s",), warm_up=40, draws=80, threads=2
    )
    return fit(data, model, settings), own


def test_the_known_sd_between_periods_is_recovered(made):
    fitted, own = made
    table = group_table(fitted).set_index("parameter")
    periods = table.loc["SD between periods of pharmacokinetics.intrinsic_clearance_s"]
    assert periods["low"] < np.std(own[:, 2:]) < periods["high"]
    assert periods["estimate"] > periods["prior"]
    assert table.loc["SD between people of pharmacokinetics.intrinsic_clearance_s", "estimate"] < periods["estimate"]
    assert np.corrcoef(fitted.mode[:, 2:].ravel(), own[:, 2:].ravel())[0, 1] > 0.9
    assert np.nanstd(fitted.weighted_residuals) < 1.2
    assert np.isfinite(shrinkage(fitted)).all()


def test_each_period_has_an_estimate_and_doses_are_for_a_new_one(made):
    fitted, own = made
    table = period_table(fitted)
    assert table["period"].tolist() == [1, 2] * 12
    expected = fitted.parameters[0].shown(own[:, :1] + own[:, 2:])
    inside = (table["low"] < expected.ravel()) & (expected.ravel() < table["high"])
    assert inside.mean() > 0.8
    drawn = np.log(individuals(fitted, draws=2000).values["pharmacokinetics.intrinsic_clearance_s"])
    within = fitted.model.parts(fitted.covariance)[1]
    np.testing.assert_allclose(drawn.var(axis=1), fitted.person_covariance[:, 0, 0] + within, rtol=0.25)
    simulated = predictive_distribution(fitted).replicates(20, 1)
    assert simulated.shape == (20, len(fitted.data.value))


def test_what_cannot_vary_between_periods_is_refused(model):
    data = predictor_of(model, *(row for i in range(5) for row in records(str(i + 1), 1))).data
    with pytest.raises(InputError, match="every person has one period"):
        fit(data, model, FitSettings(NAMES, iov=NAMES[:1]))
    with pytest.raises(InputError, match="'deep_volume' is not fitted"):
        fit(data, model, FitSettings(NAMES, iov=("deep_volume",)))
    with pytest.raises(InputError, match="variability between periods are those of a group"):
        fit(data, model, FitSettings(NAMES, iov=NAMES[:1], group=False))


def test_simulation_based_calibration_ranks_true_values_and_continues(model, tmp_path):
    """One short data set, then another in the same table; the whole run is a benchmark."""
    from benchmarks.fit_calibration import FitCalibration, calibrate_fits

    task = FitCalibration(model, persons=3, periods=2, warm_up=10, draws=25)
    for count in (1, 2):
        told = []
        tests, line = calibrate_fits(task, count, tmp_path / "ranks.csv", told.append)
        assert told == [count]
        assert line.startswith(f"{count} data sets")
    assert [one["parameter"] for one in tests] == task.names
    truth, predictor = task.simulate(np.random.default_rng(1))
    assert len(truth) == len(task.names)
    assert len(predictor.data.value) == 3 * 2 * 6
