"""PEtab problems of our own model: fits that find the true values, and estimates of other programs that come back."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
from petab.v1 import CompositeProblem, calculate_llh
from scipy.stats import lognorm

from command_line import run
from ketamech.core import InputError, unit
from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.regimen import Regimen
from ketamech.exchange import petab_fit
from ketamech.exchange.petab import petab_files, scenario_case
from ketamech.exchange.route_templates import InputProfile
from ketamech.parameters import load_parameters
from ketamech.simulation.load_scenario import load_scenario

TWO = ("mood.rate_constant", "mood.expectancy_weight")


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """A problem with measurements that the model itself made, at the values of its tables."""
    scenario = load_scenario("racemic 0.5 mg/kg IV over 40 min", model.parameters)
    place = tmp_path_factory.mktemp("own")
    for name, text in petab_files([scenario_case(scenario, model)], model).items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


@pytest.fixture(scope="module", params=["v1", "v2/person_01"])
def problem(request, folder, model):
    return petab_fit.read_fit_problem(folder / request.param / "problem.yaml", model)


def pypesto_file(path, problem, values, scale="log"):
    """A file as pypesto.store.write_result 0.7 writes it, with a worse start first."""
    transformed = [{"log": np.log, "log10": np.log10, "lin": float}[scale](value) for value in values.values()]
    names = [one.replace(".", "__") for one in values]
    with h5py.File(path, "w") as held:
        held["problem/x_names"], held["problem/x_scales"] = names, [scale] * len(names)
        for start, fval in (("0", 7.0), ("1", -3.0)):
            held[f"optimization/results/{start}/x"] = np.array(transformed) + (0.1 if start == "0" else 0.0)
            held[f"optimization/results/{start}"].attrs["fval"] = fval
    return path


def test_the_true_values_reproduce_the_measurements_and_the_fit_finds_them(problem, model):
    true = np.log([model.parameters[one.name].canonical for one in problem.parameters])
    assert np.abs(problem.residuals(problem.predictions(true[None])[0])).max() < 1e-3
    found = petab_fit.fit_problem(problem)
    assert found.converged
    assert found.negative_log_likelihood < problem.negative_log_likelihood(problem.predictions(true[None])[0]) + 5
    informed = found.table[found.table["learned"] > 0.9]
    assert {*TWO} <= {*informed["parameter"]}
    assert ((informed["low"] < informed["in_model"]) & (informed["in_model"] < informed["high"])).all()


def test_the_events_of_a_profile_put_in_what_it_holds():
    """Infusions that overlap become infusions one after another."""
    regimen = Regimen.parse(
        "racemic 20 mg IV over 2 h; racemic 10 mg IV over 2 h at 1 h; esketamine 56 mg nasal at 9 h"
    )
    profile = InputProfile.of(dose_events(regimen, load_parameters(), {}, 100.0))
    found = petab_fit._dose_events(profile)
    assert InputProfile.of(found).first_difference(profile) == ""
    assert [event.time for event in found] == sorted(event.time for event in found)
    central = [event for event in found if event.compartment == "pharmacokinetics.central_s"]
    assert [(event.time, event.duration) for event in central[:3]] == [(0, 1), (1, 1), (2, 1)]
    profile.step("pharmacokinetics.central_s", 20.0, 1.0)
    with pytest.raises(InputError, match=r"the inflow into pharmacokinetics\.central_s does not end"):
        petab_fit._dose_events(profile)


SLOPES = np.array([[1.0, 0.0], [2.0, 1.0], [0.5, -1.0], [1.0, 3.0]])


class Linear(petab_fit.PetabFitProblem):
    """Predictions that are linear in the logarithms of two parameters."""

    def predictions(self, logs):
        return logs @ SLOPES.T


def test_a_linear_problem_has_the_posterior_of_bayesian_regression():
    """Second method: the normal posterior in closed form, in estimates, intervals and draws."""
    table, prior_sd, noise = load_parameters(), np.array([0.3, 0.5]), np.array([0.2, 0.1, 0.4, 0.3])
    usual = np.log([table[name].canonical for name in TWO])
    measured = SLOPES @ (usual + np.array([0.2, -0.1])) + np.array([0.05, -0.02, 0.1, -0.1])
    rows = pd.DataFrame({"measurement": measured, "noise": noise, "log": False})
    parameters = tuple(
        petab_fit.PetabParameter(name, np.exp(mean), np.exp(mean - 4), np.exp(mean + 4), mean, sd)
        for name, mean, sd in zip(TWO, usual, prior_sd, strict=True)
    )
    found = petab_fit.fit_problem(Linear(Path(), SimpleNamespace(parameters=table), parameters, {}, {}, rows, {}))
    weighted = SLOPES / noise[:, None]
    covariance = np.linalg.inv(weighted.T @ weighted + np.diag(prior_sd**-2))
    mean, sd = covariance @ (weighted.T @ (measured / noise) + usual / prior_sd**2), np.sqrt(np.diag(covariance))
    assert found.logs == pytest.approx(mean, rel=1e-6)
    assert found.covariance == pytest.approx(covariance, rel=1e-6)
    factors = np.array([unit(table[name].unit).factor for name in TWO])
    for column, logs in (("estimate", mean), ("low", mean - 1.95996 * sd), ("high", mean + 1.95996 * sd)):
        assert found.table[column].to_numpy() == pytest.approx(np.exp(logs) / factors, rel=1e-5), column
    assert found.table["learned"].to_numpy() == pytest.approx(1 - (sd / prior_sd) ** 2, rel=1e-5)
    drawn = np.log(found.draws() * factors)
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=4 * sd.max() / np.sqrt(len(drawn)))
    assert np.cov(drawn.T) == pytest.approx(covariance, abs=0.4 * np.abs(covariance).max())


def test_the_likelihood_is_that_of_the_petab_library(folder, problem):
    logs = np.log([one.nominal for one in problem.parameters])
    predicted = problem.predictions(logs[None])[0]
    whole = CompositeProblem.from_yaml(str(folder / "v1/problem.yaml"))
    part = whole.problems[0]
    simulated = part.measurement_df.drop(columns="measurement").assign(simulation=predicted)
    tables = (part.measurement_df, simulated, part.observable_df, whole.parameter_df)
    assert problem.negative_log_likelihood(predicted) == pytest.approx(-calculate_llh(*tables), rel=1e-9)


def test_log_normal_noise_has_the_density_of_the_measurement(problem):
    some = problem.table[problem.table["measurement"] > 1].head(5).assign(log=True, noise=0.2)
    logged, predicted = replace(problem, table=some), some["measurement"].to_numpy() * 1.1
    density = lognorm.logpdf(some["measurement"], 0.2, scale=predicted)
    assert logged.negative_log_likelihood(predicted) == pytest.approx(-density.sum())


@pytest.mark.parametrize("scale", ["log", "log10", "lin"])
def test_estimates_of_pypesto_come_back(problem, model, tmp_path, scale):
    values = {one.name: model.parameters[one.name].canonical for one in problem.parameters}
    found = petab_fit.evaluate_estimates(problem, pypesto_file(tmp_path / "r.hdf5", problem, values, scale))
    assert found.values == pytest.approx(values)
    assert np.abs(problem.residuals(found.predicted)).max() < 1e-3
    assert found.program == "r.hdf5"


def test_the_command_writes_tables_draws_and_a_scenario_that_can_be_used(folder, model, tmp_path):
    out = tmp_path / "out"
    command = ["fit", str(folder / "v2/person_01/problem.yaml"), "--parameters", ", ".join(TWO), "--out", str(out)]
    assert run(*command, cwd=tmp_path).returncode == 0
    estimates = pd.read_csv(out / "estimates.csv")
    assert list(estimates["parameter"]) == sorted(TWO)
    again = run(*command[:-1], str(tmp_path / "again"), "--estimates", str(out / "parameters.tsv"), cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert pd.read_csv(tmp_path / "again/estimates.csv")["estimate"].to_numpy() == pytest.approx(estimates["estimate"])
    assert len(pd.read_csv(out / "posterior.csv")) == petab_fit.DRAWS
    scenario = load_scenario(next(out.glob("scenario-*.yaml")), model.parameters)
    assert scenario.values["mood.rate_constant"] == pytest.approx(estimates.set_index("parameter")["estimate"][TWO[0]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--observe", "mood.madrs"], "states its own data"),
        (["--parameters", "mood.rat_constant"], "mood.rate_constant"),
        (["--estimates", "problem.yaml"], "cannot read"),
    ],
)
def test_what_does_not_fit_together_is_named(folder, tmp_path, options, message):
    done = run("fit", str(folder / "v1/problem.yaml"), *options, cwd=tmp_path)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("problem.yaml", "cannot read"),
        ("empty.hdf5", "no result of pyPESTO"),
        ("some.tsv", "no estimate of"),
        ("far.csv", "the estimate of"),
    ],
)
def test_estimates_of_another_problem_are_refused(problem, tmp_path, name, message):
    h5py.File(tmp_path / "empty.hdf5", "w").close()
    (tmp_path / "some.tsv").write_text("parameterId\tnominalValue\nmood__rate_constant\t1.5\n")
    (tmp_path / "far.csv").write_text("parameterId,nominalValue\nmood__connectivity_weight,1e9\n")
    with pytest.raises(InputError, match=message):
        petab_fit.evaluate_estimates(problem, tmp_path / name)


def test_a_problem_of_another_model_is_refused(folder, model, tmp_path):
    for file in (folder / "v2/person_01").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    table = pd.read_csv(tmp_path / "parameters.tsv", sep="\t")
    table["priorDistribution"] = "laplace"
    table.to_csv(tmp_path / "parameters.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match="laplace prior"):
        petab_fit.read_fit_problem(tmp_path / "problem.yaml", model)
    table.assign(priorDistribution="log-normal", parameterId="other__k").to_csv(
        tmp_path / "parameters.tsv", sep="\t", index=False
    )
    with pytest.raises(InputError, match=r"no parameter of KetaMech|cannot be read"):
        petab_fit.read_fit_problem(tmp_path / "problem.yaml", model)


@pytest.mark.parametrize(("file", "column", "value", "message"), [
    ("parameters", "lowerBound", 0, "may be 0 or negative"),
    ("parameters", "priorParameters", "1;0", "has the SD 0"),
    ("observables", "noiseDistribution", "laplace", "laplace noise"),
    ("measurements", "time", -1, "a measurement of .* at -1 h"),
    ("measurements", "noiseParameters", -2, "the noise of .* no positive number"),
])  # fmt: skip
def test_what_would_be_fitted_wrongly_is_refused(file, column, value, message, folder, model, tmp_path):
    for one in (folder / "v2/person_01").iterdir():
        (tmp_path / one.name).write_bytes(one.read_bytes())
    table = pd.read_csv(tmp_path / f"{file}.tsv", sep="\t")
    table[column] = table[column].astype(object)
    table.loc[0, column] = value
    table.to_csv(tmp_path / f"{file}.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=message):
        petab_fit.read_fit_problem(tmp_path / "problem.yaml", model)
