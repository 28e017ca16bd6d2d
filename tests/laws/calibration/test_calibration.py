"""Calibration: resumes bit for bit, finds a known posterior, sensible rows, a posterior that opens."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MethodType, SimpleNamespace

import numpy as np
import pytest

from ketamech.calibration.calibration_problem import (
    CalibrationProblem,
    EstimatedParameter,
    TrialEffect,
    cohort_seed,
    load_estimated,
    shipped_problem,
)
from ketamech.calibration.clinical_targets import (
    DIRECTORY,
    load_clinical_targets,
    load_spread_targets,
    standard_error_of,
)
from ketamech.calibration.surrogate_posterior import (
    DesignPoints,
    QuadraticEmulator,
    convergence,
    effective_sizes,
    prior_contraction,
    sample_emulated,
    sample_posterior,
    updated_rows,
)
from ketamech.core import InputError, UnknownNameError
from ketamech.core.checkpoint import open_checkpoint
from ketamech.core.execution import LOCAL_EXECUTOR, Executor
from ketamech.core.units import unit
from ketamech.evidence import load_evidence, standard_error
from ketamech.parameters import load_parameters
from ketamech.trials.posterior_draws import load_posterior, posterior_hash, save_posterior
from ketamech.trials.trial_reader import TRIALS, load_trial
from scripts import publish

NAMES = ("mood.expectancy_weight", "mood.rate_constant")


@dataclass
class Toy:
    """Two statistics that bend a little, a known answer; counts how often it is simulated."""

    estimated: tuple = tuple(EstimatedParameter(name, 1.0, 1.0) for name in NAMES)
    rows: tuple = tuple(
        SimpleNamespace(row=SimpleNamespace(id=name), published=value, statistic="mean", trial=name)
        for name, value in (("a", 2.0), ("b", -1.0))
    )
    patients_per_arm: int = 1
    published: np.ndarray = field(default_factory=lambda: np.array([2.0, -1.0]))
    noise: np.ndarray = field(default_factory=lambda: np.array([0.5, 0.5]))
    model: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(layout=SimpleNamespace(fingerprint="toy")))
    executor: Executor = LOCAL_EXECUTOR
    calls: int = 0
    killed_at: int = 10**9

    def simulate(self, x):
        self.calls += 1
        if self.calls > self.killed_at:
            raise KeyboardInterrupt
        return np.array([2 * x[0] + 0.1 * x[0] * x[1], 2 * x[1] + 0.1 * x[0] ** 2])

    def map_estimate(self, rounds, tell):
        return np.array([0.95, -0.5])

    def spread(self, x):
        return np.eye(2) / 17, np.empty((0, 2))

    def simulate_point(self, x):
        return {"found": self.simulate(x)}

    study_effects = ()
    study_sds = CalibrationProblem.study_sds
    trial_likelihood = CalibrationProblem.trial_likelihood
    log_posterior = CalibrationProblem.log_posterior
    covariance = CalibrationProblem.covariance
    log_likelihood = CalibrationProblem.log_likelihood
    simulated_statistics = CalibrationProblem.simulated_statistics


def quiet(done, words):
    pass


def test_an_emulator_of_the_second_degree_is_exact_for_one():
    x = np.random.default_rng(0).normal(size=(60, 2))
    emulator = QuadraticEmulator.fitted(x, np.array([Toy().simulate(p) for p in x]))
    new = np.array([[0.3, -0.7], [1.0, 1.0]])
    assert emulator(new) == pytest.approx(np.array([Toy().simulate(p) for p in new]), abs=0.01)
    assert emulator.error.max() < 0.01


def test_the_posterior_is_what_a_grid_finds():
    task = Toy()
    points = DesignPoints(task)
    x, found = points.sample(80, quiet)
    result = sample_posterior(points, QuadraticEmulator.fitted(x, found), 60, quiet, steps=400)
    a, b = np.meshgrid(np.linspace(-1, 3, 301), np.linspace(-2.5, 1.5, 301), indexing="ij")
    grid = np.column_stack([a.ravel(), b.ravel()])[::7]
    simulated = np.array([task.simulate(p) for p in grid])
    logs = task.log_posterior(grid, simulated, task.trial_likelihood(np.empty((0, 2))))
    weights = np.exp(logs - logs.max())
    mean = weights @ grid / weights.sum()
    kept = result.chain.reshape(-1, 2)
    assert kept.mean(axis=0) == pytest.approx(mean, abs=0.03)
    assert result.emulator_error < 0.05
    assert result.effective_size > 50
    rhat, _ = convergence(result.chain)
    assert rhat.max() < 1.05
    assert (prior_contraction(kept) > 0.5).all()


def test_the_sampler_has_the_spread_of_a_normal_posterior_in_many_dimensions():
    """Twenty-four parameters without data: the prior. A biased move of the sampler narrows it by a tenth."""
    n = 24
    task = Toy(estimated=tuple(EstimatedParameter(f"p{i}", 1.0, 1.0) for i in range(n)))
    points = DesignPoints(task, centre=(np.zeros(n), np.eye(n), np.empty((0, 2))))
    emulator = QuadraticEmulator(np.zeros(n), np.zeros((1 + n + n * (n + 1) // 2, 2)), np.zeros(2))
    start = np.random.RandomState(0).standard_normal((4 * n, n))
    chain, _ = sample_emulated(points, emulator, start, 60, np.random.RandomState(1))
    assert chain.reshape(-1, n).std(axis=0).mean() == pytest.approx(1, abs=0.03)


def test_study_effects_are_those_of_a_random_effects_model():
    """Two rows of one trial share its effect: the covariance and the likelihood of the textbook formula."""
    from scipy.stats import multivariate_normal

    effect = TrialEffect("control", "people.sd", ("mood.expectancy_weight",))
    estimated = (EstimatedParameter("mood.expectancy_weight", 1.0, 0.5), EstimatedParameter("people.sd", 0.4, 0.5))
    rows = tuple(SimpleNamespace(trial=name) for name in ("one", "one", "two"))
    task = SimpleNamespace(
        estimated=estimated, rows=rows, study_effects=(effect,), noise=np.array([1.0, 2.0, 1.5]),
        published=np.array([1.0, -1.0, 0.5]),
    )  # fmt: skip
    slopes = np.array([[2.0, 0], [1.0, 0], [3.0, 0]])  # by standardised logarithms, in units of the noise
    gradients = CalibrationProblem.study_gradients(task, slopes)
    assert gradients == pytest.approx(np.array([[2 * 1 / 0.5, 1 * 2 / 0.5, 3 * 1.5 / 0.5]]))
    x = np.array([[0.3, 1.0]])
    sd = 0.4 * np.exp(0.5)
    expected = np.diag(task.noise**2)
    expected[:2, :2] += sd**2 * np.outer(gradients[0, :2], gradients[0, :2])
    expected[2, 2] += sd**2 * gradients[0, 2] ** 2
    for name in ("study_sds", "covariance", "trial_likelihood", "log_posterior", "log_likelihood"):
        setattr(task, name, MethodType(getattr(CalibrationProblem, name), task))
    assert task.covariance(x, gradients)[0] == pytest.approx(expected)
    found = np.array([[0.2, 0.1, 0.9]])
    likelihood = multivariate_normal(found[0], expected).logpdf(task.published) + 1.5 * np.log(2 * np.pi)
    whole = task.trial_likelihood(gradients)
    assert task.log_posterior(x, found, whole) == pytest.approx(likelihood - 0.5 * np.sum(x**2))
    some = np.array([True, False, True])
    part = multivariate_normal(found[0, some], expected[np.ix_(some, some)]).logpdf(task.published[some])
    masked = task.trial_likelihood(gradients, rows=some)
    assert task.log_likelihood(x, found, masked) == pytest.approx(part + np.log(2 * np.pi))


def test_a_killed_calibration_continues_with_the_same_numbers(tmp_path):
    whole = DesignPoints(Toy()).sample(40, quiet)
    with pytest.raises(KeyboardInterrupt), open_checkpoint(tmp_path, {}) as pieces:
        DesignPoints(Toy(killed_at=17, executor=Executor(pieces))).sample(40, quiet)
    with open_checkpoint(tmp_path, {}, resume=True) as pieces:
        rest = Toy(executor=Executor(pieces))
        again = DesignPoints(rest).sample(40, quiet)
    np.testing.assert_array_equal(again[0], whole[0])
    np.testing.assert_array_equal(again[1], whole[1])
    assert rest.calls == 40 - 17


def test_equal_points_are_simulated_once_and_returned_each_time():
    """A chain that rejects a move repeats a point."""
    task, points = Toy(), np.array([[0.1, 0.2], [0.3, 0.4], [0.1, 0.2]])
    found = task.simulated_statistics(points)
    assert found.shape == (3, 2)
    assert found[0] == pytest.approx(found[2])
    assert task.calls == 2


def test_only_calibrate_rows_are_fitted_and_each_once():
    rows = load_clinical_targets()
    assert all(row.row.use == "calibrate" or not row.row.has_public_source for row in rows if row.fitted)
    names = [row.row.id for row in rows]
    assert len(set(names)) == len(names)
    assert all(np.isfinite(standard_error_of(row)) and standard_error_of(row) > 0 for row in rows if row.fitted)


def test_a_row_of_mood_or_suicidality_from_a_simulated_trial_is_mapped_or_follows_or_is_a_time():
    mapped = {row.row.id for row in load_clinical_targets()}
    simulated = {key for path in sorted(TRIALS.glob("*.yaml")) for key in load_trial(path).references}
    left = [
        row.id
        for row in load_evidence().select(use="calibrate")
        if row.table == "clinical" and row.stage in ("mood", "suicidality")
        and row.reference in simulated and row.id not in mapped
    ]  # fmt: skip
    evidence, reasons = load_evidence(), tuple(NOT_A_STATISTIC)
    unexplained = [name for name in left if not (evidence[name].derived_from or name.startswith(reasons))]
    assert not unexplained
    assert all(any(name.startswith(part) for name in left) for part in reasons)


NOT_A_STATISTIC = {  # first letters of rows: why no statistic of a trial file is the number
    "diaz10-dur": "duration",
    "murrough13b-se": "prediction of response", "murrough13b-sp": "prediction of response",
    "grunebaum18-med": "mediation", "synapse-p2-": "second period", "tf1-rem": "remission of 12",
    "tf2-rem": "remission of 12", "tf3-rem": "remission of 12", "abbar22-or": "an odds ratio",
    "abbar22-bp-": "by diagnosis", "abbar22-mdd-": "by diagnosis",
    "aspire1-cgiss": "another scale", "ionescu19-": "a direction, or counts of patients", "fava18-adj": "significance",
    "sustain1-resp-": "other patients at risk", "sustain1-hr-resp": "other patients at risk",
    "onfas25-on": "another drug", "zheng19-rem1": "follows from response",
}  # fmt: skip


def test_estimated_parameters_are_few_and_have_priors():
    found = load_estimated()
    assert 10 <= len(found) <= 30
    assert all(0.1 <= p.prior_log_sd <= 1 and p.prior_median > 0 for p in found)


def test_every_spread_is_one_of_a_row_and_lies_behind_its_printed_error():
    rows = {row.row.id for row in load_clinical_targets()}
    for spread in load_spread_targets():
        assert spread.row.id in rows
        own = standard_error(spread.row)
        if np.isfinite(own) and spread.row.n:
            assert spread.published == pytest.approx(own * np.sqrt(spread.row.n), rel=0.05), spread.row.id
        assert 0 < standard_error_of(spread) < spread.published


def test_the_middle_of_a_posterior_becomes_reviewed_rows(tmp_path):
    """What is known better than before gets value, spread and evidence, and a row that holds a median of an earlier
    posterior that of this one; what is not known better keeps its row, as do all others.
    """
    for file in publish.PARAMETERS.glob("*.csv"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    table = load_parameters()
    names = ("mood.expectancy_weight", "mood.self_maintenance_rate_constant", "people.expectancy_study_sd")
    task = CalibrationProblem(
        SimpleNamespace(parameters=table), tuple(EstimatedParameter(n, table[n].canonical, 0.4) for n in names),
        tuple(row for row in load_clinical_targets() if row.fitted)[:2],
    )  # fmt: skip
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(4000, 3)) * [0.5, 1.0, 1.0] + [1.0, 0.0, 2.0]
    middle, weights = np.zeros(3), np.zeros((10, 2))
    weights[1] = task.noise  # the first parameter moves both rows by their noise
    rows = {row["name"]: row for row in updated_rows(task, draws, QuadraticEmulator(middle, weights, np.zeros(2)))}
    assert [*rows] == ["mood.expectancy_weight", "people.expectancy_study_sd"]
    assert [*publish.of_stages(rows, "mood")] == ["mood.expectancy_weight"]
    with pytest.raises(UnknownNameError, match="suicidality"):
        publish.of_stages(rows, "suicidality")
    publish.replace_rows(tmp_path, rows)
    found = load_parameters(tmp_path)
    assert found["mood.expectancy_weight"].value == pytest.approx(
        table["mood.expectancy_weight"].value * np.exp(0.4), rel=0.02
    )
    assert found["mood.expectancy_weight"].status == "calibrated"
    assert set(found["mood.expectancy_weight"].evidence) == {row.row.id for row in task.rows}
    assert found["mood.expectancy_weight"].spread.a == pytest.approx(0.2, rel=0.05)
    study = "people.expectancy_study_sd"
    assert found[study].value == pytest.approx(table[study].value * np.exp(0.8), rel=0.05)
    assert found[study].evidence == table[study].evidence
    assert all(found[n].value == table[n].value for n in table if n not in rows)


def test_the_tables_hold_the_medians_of_the_draws_that_trials_use():
    """One calibrated set: the typical patient has the middle of what virtual trials draw."""
    table = load_parameters()
    draws = load_posterior(DIRECTORY / "posterior.csv", table)
    assert {*draws[0]} == {p.name for p in load_estimated()}
    for name in draws[0]:
        row = table[name]
        median = np.median([draw[name] for draw in draws]) / unit(row.unit).factor
        assert row.value == float(f"{median:.3g}"), name
        assert row.status == "calibrated"


def test_a_posterior_goes_out_and_comes_back(tmp_path):
    draws = np.array([[0.7, 1.5], [0.8, 1.2]])
    save_posterior(tmp_path / "p.csv", NAMES, draws)
    found = load_posterior(tmp_path / "p.csv")
    assert [draw["mood.rate_constant"] for draw in found] == [1.5, 1.2]
    assert len(posterior_hash(found)) == 12
    (tmp_path / "p.csv").write_text("mood.rate_constnt\n1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"mood\.rate_constant"):
        load_posterior(tmp_path / "p.csv")
    with pytest.raises(InputError, match="there is no such file"):
        load_posterior(tmp_path / "none.csv")


def test_a_row_that_cannot_be_opened_is_not_fitted_again(model):
    """It stays marked as fitted, because the shipped posterior used it; the next calibration leaves it out."""
    used = {row.row.id for row in shipped_problem(model).rows}
    closed = {row.row.id for row in load_clinical_targets() if row.fitted and not row.row.has_public_source}
    assert closed == {"zarate06-d-24h", "zarate06-d-d7", "murrough13-resp-ket-d7", "murrough13-resp-mdz-d7"}
    assert not used & closed
    assert len(used) > 30


def test_each_fitted_trial_has_a_cohort_of_its_own_in_all_arms(model):
    trials = shipped_problem(model, patients_per_arm=10).trials
    assert len({cohort_seed(name) for name in trials}) == len(trials) > 15
    assert all(trial.paired_arms != bool(trial.washout) for trial in trials.values())


def test_effective_sizes_of_chains_with_a_known_autocorrelation():
    """Of a first-order autoregression with correlation 0.8 between steps, one in nine draws is independent."""
    rng, steps, walkers = np.random.default_rng(4), 4000, 8
    chain = rng.standard_normal((steps, walkers, 2))
    for k in range(1, steps):
        chain[k, :, 1] = 0.8 * chain[k - 1, :, 1] + 0.6 * chain[k, :, 1]
    bulk, tail = effective_sizes(chain)
    assert bulk == pytest.approx(np.array([1, 1 / 9]) * steps * walkers, rel=0.1)
    assert 0.8 * steps * walkers < tail[0] < 1.2 * steps * walkers
    assert steps * walkers / 9 < tail[1] < steps * walkers / 2
