"""Posteriors without one trial: weights against a closed form, refits, pools in their trials, files that fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import arviz
import numpy as np
import pytest

from ketamech.calibration import leave_one_trial_out as left_out
from ketamech.calibration.calibration_problem import CalibrationProblem, EstimatedParameter
from ketamech.calibration.clinical_targets import load_clinical_targets
from ketamech.calibration.leave_one_trial_out import fold_of, folds
from ketamech.calibration.surrogate_posterior import DesignPoints, Posterior, QuadraticEmulator, sample_emulated
from ketamech.core import InputError
from ketamech.parameters import load_parameters
from ketamech.trials.posterior_draws import save_posterior

NAME = "mood.expectancy_weight"


@dataclass
class OneMean:
    """One parameter with prior N(0, 1); each row is that parameter plus normal noise, so the posterior is normal."""

    published: np.ndarray
    trials: tuple[str, ...]
    estimated: tuple = (EstimatedParameter(NAME, 1.0, 1.0),)
    study_effects: tuple = ()
    model: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(parameters=load_parameters()))

    @property
    def rows(self):
        return [
            SimpleNamespace(trial=name, row=SimpleNamespace(id=f"{name}-{i}", trial=name))
            for i, name in enumerate(self.trials)
        ]

    @property
    def noise(self):
        return np.ones(len(self.published))

    def map_estimate(self, rounds, tell):
        return self.exact()[0] * np.ones(1)

    def spread(self, x):
        return np.array([[self.exact()[1] ** 2]]), np.empty((0, len(self.published)))

    def exact(self, without=""):
        """Mean and SD of the posterior without a trial."""
        used = self.published[[name != without for name in self.trials]]
        return used.sum() / (1 + len(used)), (1 + len(used)) ** -0.5

    values = CalibrationProblem.values
    study_sds = CalibrationProblem.study_sds
    trial_likelihood = CalibrationProblem.trial_likelihood
    log_posterior = CalibrationProblem.log_posterior
    log_likelihood = CalibrationProblem.log_likelihood


def identity(rows):
    return QuadraticEmulator(np.zeros(1), np.array([np.zeros(rows), np.ones(rows), np.zeros(rows)]), np.zeros(rows))


def without_each(published, trials, **how):
    task = OneMean(np.array(published), trials)
    points = DesignPoints(task)
    emulator = identity(len(published))
    start = np.random.RandomState(0).normal(*task.exact(), size=(16, 1))
    chain, logs = sample_emulated(points, emulator, start, 200, np.random.RandomState(1))
    whole = Posterior(chain, logs, chain.reshape(-1, 1)[:10], 0.0, 1.0)
    found = left_out.leave_one_trial_out(points, emulator, whole, 4000, lambda done, words: None, **how)
    return task, {one.trial: one for one in found}


def test_the_posterior_without_a_trial_is_the_exact_one():
    task, found = without_each([0.5, 1.0, 0.2, 0.8], ("a", "a", "b", "c"))
    for trial, one in found.items():
        mean, sd = task.exact(trial)
        assert one.method == "reweighted"
        assert one.pareto_k < left_out.MAX_PARETO_K
        assert one.draws.mean() == pytest.approx(mean, abs=0.04)
        assert one.draws.std() == pytest.approx(sd, abs=0.05)
    assert found["a"].rows == 2


def test_a_trial_that_determines_the_posterior_is_refitted():
    """Twenty rows of one trial at -2 against two at +1: no weight of the full posterior reaches the others."""
    task, found = without_each([-2.0] * 20 + [1.0, 1.0], ("a",) * 20 + ("b", "c"))
    assert found["a"].pareto_k > left_out.MAX_PARETO_K
    assert found["a"].method == "refitted"
    full = task.exact()[0]
    assert found["a"].draws.mean() > full  # the design points limit how far a refit may move
    assert found["b"].method == "reweighted"


def test_weights_are_those_of_arviz_and_resampling_keeps_them():
    logs = np.random.default_rng(0).standard_t(5, size=2000)
    weights, k = left_out.smoothed_weights(logs)
    assert weights.sum() == pytest.approx(1)
    assert k == pytest.approx(float(arviz.psislw(logs)[1]), abs=1e-9)
    chosen = left_out.systematic_resample(np.array([0.5, 0.25, 0.25]), 400, np.random.RandomState(0))
    assert np.abs(np.bincount(chosen) - [200, 100, 100]).max() <= 1


def test_a_pool_is_left_out_with_each_of_its_trials():
    targets = {row.row.id: row for row in load_clinical_targets()}
    pool = fold_of(targets["transform-resp-esk-d2"])
    assert pool.contains("transform-1")
    assert pool.contains("transform-2")
    assert not pool.contains("transform-3")
    assert fold_of(targets["tf2-diff-d28"]).trial == "transform-2"
    rows = [row for row in load_clinical_targets() if row.fitted]
    mask = folds(rows)["murrough-2013a"]
    names = {row.row.id for row, inside in zip(rows, mask, strict=True) if inside}
    assert {"murrough13-resp-ket", "han16-resp-72h"} <= names
    assert "murrough13b-resp" not in names


def test_draws_of_another_posterior_are_refused(tmp_path):
    task, found = without_each([0.5, 1.0, 0.2], ("a", "b", "c"))
    save_posterior(tmp_path / "posterior.csv", [NAME], np.array([[1.0], [1.2]]))
    left_out.save_left_out(tmp_path, task, list(found.values()))
    read = left_out.load_left_out(tmp_path)
    assert list(read) == ["a", "b", "c"]
    assert len(read["b"].draws) == 4000
    assert read["b"].draws[0][NAME] == pytest.approx(task.values(found["b"].draws[0])[NAME], rel=1e-4)
    save_posterior(tmp_path / "posterior.csv", [NAME], np.array([[1.0], [1.3]]))
    with pytest.raises(InputError, match="another posterior"):
        left_out.load_left_out(tmp_path)
