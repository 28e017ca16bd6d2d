"""Fits PEtab problems that KetaMech wrote, and reads the estimates that other programs found for them.

The doses, measurements, noise and priors are those of the problem; the equations are solved by the engine of KetaMech.
Parameters are fitted on the log scale, on which a log-normal prior is normal: least squares of weighted residuals and
of the distances from the prior medians, with intervals from the curvature at the optimum (Laplace).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sympy

from ketamech.core import InputError, SolverError, require_known, unit
from ketamech.core.constants import Z95
from ketamech.core.optional_libraries import import_optional
from ketamech.dosing.dose_events import DoseEvent
from ketamech.exchange.import_scenarios import ParsedDoses, doses_of_petab, scenario_of_doses
from ketamech.exchange.petab_simulation import observable_formulas, read_problem
from ketamech.exchange.route_templates import AMOUNT, ROUNDING, InputProfile
from ketamech.exchange.sbml.ids import own_name, sbml_id
from ketamech.exchange.sbml.sbml_model import compile_vector
from ketamech.simulation.ensemble import Ensemble, Subject
from ketamech.simulation.model import Model

STEP = 0.01  # of a central difference of a logarithm
TOLERANCE = 1e-9  # of the solver
DRAWS = 200
SCALES = {"lin": lambda x: x, "log": math.exp, "log10": lambda x: 10.0**x}
EXPECTED = "a problem written by ketamech export --to NAME.petab"
ESTIMATES = "a pyPESTO result (.hdf5), or a table (.tsv, .csv) with the columns parameterId and nominalValue"


@dataclass(frozen=True)
class PetabParameter:
    """An estimated parameter (canonical units): bounds, mean and SD of the logarithm of its prior (inf: none)."""

    name: str
    nominal: float
    lower: float
    upper: float
    prior_mean: float
    prior_sd: float


@dataclass(frozen=True)
class PetabFitProblem:
    """Measurements, observables and patients of a problem; measurement arrays are in the order of its table.

    `formulas` {observable: expression of outputs}.
    """

    path: Path
    model: Model
    parameters: tuple[PetabParameter, ...]
    doses: Mapping[str, tuple[ParsedDoses, float]]
    values: Mapping[str, float]
    table: pd.DataFrame
    formulas: Mapping[str, sympy.Expr]

    @cached_property
    def noise(self) -> np.ndarray:
        """SD of the noise [measurement]."""
        return self.table["noise"].to_numpy(dtype=float)

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs that the observables read."""
        return tuple(sorted({own_name(s.name) for f in self.formulas.values() for s in f.free_symbols}))

    @cached_property
    def _patients(self) -> Ensemble:
        subjects = [
            Subject(name, _dose_events(doses.profile), {**doses.values, **self.values})
            for name, (doses, _) in self.doses.items()
        ]
        return Ensemble.of_subjects(self.model, subjects)

    @cached_property
    def _times(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times [experiment, time] (h), and the experiment and time of each measurement."""
        names = list(self.doses)
        grids = [np.unique(self.table.loc[self.table["experimentId"] == name, "time"]) for name in names]
        longest = max(map(len, grids))
        padded = np.array([np.pad(t, (0, longest - len(t)), "edge") if len(t) else np.zeros(longest) for t in grids])
        experiment_index = self.table["experimentId"].map(names.index).to_numpy(dtype=int)
        rows = zip(experiment_index, self.table["time"], strict=True)
        return padded, experiment_index, np.array([np.searchsorted(grids[i], time) for i, time in rows])

    def predictions(self, logs: np.ndarray) -> np.ndarray:
        """Observables [copy, measurement] at logarithms [copy, parameter]. Raises SolverError."""
        grid, experiment, time_index = self._times
        copies, count = len(logs), len(self.doses)
        values = {p.name: np.repeat(np.exp(logs[:, i]), count) for i, p in enumerate(self.parameters)}
        solved = self._patients.tiled(copies, values).solve(np.tile(grid, (copies, 1)), self.outputs,
                                                            tolerance=TOLERANCE)  # fmt: skip
        curves = solved.values.reshape(copies, count, *solved.values.shape[1:])[:, experiment, time_index]
        ids = [sbml_id(name) for name in self.outputs]
        predicted = np.empty(curves.shape[:2])
        for name, formula in self.formulas.items():
            mask = (self.table["observableId"] == name).to_numpy()
            rows = np.moveaxis(curves[:, mask], -1, 0).reshape(len(ids), -1)
            predicted[:, mask] = np.broadcast_to(compile_vector(formula, ids)(rows), rows.shape[1:]).reshape(copies, -1)
        if not np.isfinite(predicted).all():
            raise SolverError("the model could not be solved with these values")
        return predicted

    def residuals(self, predicted: np.ndarray) -> np.ndarray:
        """Measured minus predicted in units of the noise [..., measurement]."""
        measured, log = self.table["measurement"].to_numpy(dtype=float), self.table["log"].to_numpy(dtype=bool)
        with np.errstate(all="ignore"):
            logs = np.log(np.where(log, measured, 1.0)) - np.log(np.where(log, predicted, 1.0))
        return np.asarray(np.where(log, logs, measured - predicted) / self.noise)

    def negative_log_likelihood(self, predicted: np.ndarray) -> float:
        """As PEtab defines it, with all constants."""
        measured, log = self.table["measurement"].to_numpy(dtype=float), self.table["log"].to_numpy(dtype=bool)
        constants = np.log(self.noise) + 0.5 * np.log(2 * np.pi) + np.log(np.where(log, measured, 1.0))
        return float((0.5 * self.residuals(predicted) ** 2 + constants).sum())


@dataclass(frozen=True)
class PetabEstimates:
    """Estimates of a problem: logarithms [parameter], their covariance, predictions and the objective."""

    problem: PetabFitProblem
    logs: np.ndarray
    covariance: np.ndarray
    predicted: np.ndarray
    negative_log_likelihood: float
    program: str
    converged: bool = True

    @property
    def values(self) -> dict[str, float]:
        """Canonical values by parameter."""
        return {p.name: float(np.exp(x)) for p, x in zip(self.problem.parameters, self.logs, strict=True)}

    @property
    def table(self) -> pd.DataFrame:
        """One row per parameter, in the unit of its table."""
        rows, sd = [], np.sqrt(np.diag(self.covariance))
        for i, (parameter, log) in enumerate(zip(self.problem.parameters, self.logs, strict=True)):
            row = self.problem.model.parameters[parameter.name]
            factor = unit(row.unit).factor
            low, high = (np.exp(log + side * Z95 * sd[i]) / factor for side in (-1, 1))
            rows.append({"parameter": parameter.name, "estimate": np.exp(log) / factor, "low": low, "high": high,
                         "unit": row.unit, "nominal": parameter.nominal / factor, "in_model": row.value,
                         "learned": 1 - min((sd[i] / parameter.prior_sd) ** 2, 1.0)})  # fmt: skip
        return pd.DataFrame(rows)

    def draws(self, seed: int = 1) -> np.ndarray:
        """Draws [draw, parameter] of the Laplace approximation within the bounds, in the units of the tables."""
        noise = np.random.default_rng(seed).multivariate_normal(self.logs, self.covariance, DRAWS)
        parameters = self.problem.parameters
        bounds = np.log([p.lower for p in parameters]), np.log([p.upper for p in parameters])
        factors = [unit(self.problem.model.parameters[p.name].unit).factor for p in parameters]
        return np.asarray(np.exp(np.clip(noise, *bounds)) / factors)

    @property
    def parameter_table(self) -> str:
        """The PEtab table of estimates: ids and values in the units of the SBML file."""
        rows = [{"parameterId": sbml_id(name), "nominalValue": value} for name, value in self.values.items()]
        return str(pd.DataFrame(rows).to_csv(sep="\t", index=False, lineterminator="\n"))

    @property
    def simulations(self) -> pd.DataFrame:
        """The predictions as a PEtab table of simulations."""
        columns = ["observableId", "experimentId", "time"]
        return self.problem.table[columns].assign(simulation=self.predicted)

    def scenarios(self) -> dict[str, str]:
        """The scenario file of each experiment whose doses can be expressed, with the estimates as its parameters."""
        problem, texts = self.problem, {}
        for name, (doses, horizon) in problem.doses.items():
            try:
                estimated = replace(doses, values={**doses.values, **problem.values, **self.values})
                scenario = scenario_of_doses(name, problem.path, estimated, horizon, problem.model.parameters)
            except InputError:
                continue
            texts[name] = scenario.source
        return texts


def read_fit_problem(path: Path, model: Model, names: Sequence[str] = ()) -> PetabFitProblem:
    """A problem (.yaml) that KetaMech wrote; only the parameters in `names` (default: all) are estimated.

    Raises InputError for another problem, and for noise or priors other than normal and log-normal.
    """
    problem = read_problem(path)
    name_by_id = {p.id: own_name(p.id) for p in problem.parameters}
    if unknown_name := next((own for own in name_by_id.values() if own not in model.parameters), None):
        raise InputError(f"'{unknown_name}' is no parameter of KetaMech", file=path, expected=EXPECTED)
    nominal_values = {name_by_id[one.id]: _finite(one.nominal_value, one.id) for one in problem.parameters}
    free = [name_by_id[one.id] for one in problem.parameters if one.estimate]
    for name in names:
        what = f"'{name}' is not estimated in this problem"
        require_known(name, free, what, file=path, key="--parameters", expected=", ".join(free))
    chosen = [p for p in problem.parameters if p.estimate and (not names or name_by_id[p.id] in names)]
    if not chosen:
        raise InputError("the problem estimates no parameter", file=path, expected=EXPECTED)
    parameters = tuple(_parameter(one, name_by_id[one.id], path) for one in chosen)
    fixed = {name: value for name, value in nominal_values.items() if name not in {one.name for one in parameters}}
    formulas = observable_formulas(problem)
    readable = set(map(sbml_id, model.layout.output_names))
    for name, expression in formulas.items():
        if unknown_name := next((s.name for s in expression.free_symbols if s.name not in readable), None):
            raise InputError(f"observable '{name}' reads '{unknown_name}', which is no output of KetaMech", file=path,
                             expected=EXPECTED)  # fmt: skip
    rows = [_measurement(problem, one, path) for one in problem.measurements]
    if not rows:
        raise InputError("the problem has no measurements", file=path, expected=EXPECTED)
    doses = doses_of_petab(path, model.parameters)
    if lost := next((row["experimentId"] for row in rows if row["experimentId"] not in doses), None):
        raise InputError(f"there is no experiment '{lost}'", file=path, key=str(lost), expected="one in the tables")
    return PetabFitProblem(path, model, parameters, doses, fixed, pd.DataFrame(rows), formulas)


def _finite(value: Any, name: str) -> float:
    try:
        if math.isfinite(number := float(value)):
            return number
    except (TypeError, ValueError):
        pass
    raise InputError(f"'{name}' has a value that is no number ({str(value)[:60]})", key=name, expected="a number")


def _parameter(entry: Any, name: str, path: Path) -> PetabParameter:
    """An estimated parameter of the PEtab library. Raises InputError."""
    nominal, lower, upper = (_finite(value, entry.id) for value in (entry.nominal_value, entry.lb, entry.ub))
    if not 0 < lower < upper or not nominal > 0:
        raise InputError(f"'{entry.id}' may be 0 or negative", file=path, key=entry.id, expected="positive bounds")
    kind = str(getattr(entry.prior_distribution, "value", entry.prior_distribution) or "")
    if kind == "log-normal":
        mean, sd = (_finite(value, entry.id) for value in entry.prior_parameters)
        if not sd > 0:
            raise InputError(
                f"the prior of '{entry.id}' has the SD {sd:g}", file=path, key=entry.id, expected="above 0"
            )
    elif kind in ("", "None", "uniform", "log-uniform"):
        mean, sd = math.log(nominal), math.inf
    else:
        raise InputError(
            f"'{entry.id}' has a {kind} prior", file=path, key=entry.id, expected="a log-normal prior or none"
        )
    return PetabParameter(name, nominal, lower, upper, mean, sd)


def _measurement(problem: Any, measurement: Any, path: Path) -> dict[str, object]:
    """One row of the table of measurements. Raises InputError for noise that is not a number."""
    observable = problem[measurement.observable_id]
    kind = str(getattr(observable.noise_distribution, "value", observable.noise_distribution))
    if kind not in ("normal", "log-normal"):
        raise InputError(f"{kind} noise of '{observable.id}'", file=path, expected="normal or log-normal noise")
    noises = {
        str(name): value
        for name, value in zip(observable.noise_placeholders, measurement.noise_parameters, strict=False)
    }
    noise = sympy.sympify(observable.noise_formula)
    noise = noise.xreplace({s: sympy.sympify(noises[s.name]) for s in noise.free_symbols if s.name in noises})
    if not noise.is_number or not (sd := _finite(noise, observable.id)) > 0:
        raise InputError(f"the noise of '{observable.id}' is no positive number", file=path, expected=EXPECTED)
    time, value = _finite(measurement.time, observable.id), _finite(measurement.measurement, observable.id)
    if time < 0 or (kind == "log-normal" and value <= 0):
        message = f"a measurement of '{observable.id}' is {value:g} at {time:g} h"
        expected = "times of 0 h or later, and positive values where the noise is log-normal"
        raise InputError(message, file=path, expected=expected)
    experiment = measurement.experiment_id or path.stem
    return {"observableId": observable.id, "experimentId": experiment, "time": time, "measurement": value, "noise": sd,
            "log": kind == "log-normal"}  # fmt: skip


def _dose_events(profile: InputProfile) -> tuple[DoseEvent, ...]:
    """Boluses, and inflows as infusions between their changes."""
    events = []
    for (kind, state), sizes in profile.sizes.items():
        if kind == AMOUNT:
            events += [DoseEvent(time, state, sizes[time]) for time in sizes]
            continue
        times, rate = list(sizes), 0.0
        for begin, end in zip(times, [*times[1:], math.inf], strict=True):
            rate += sizes[begin]
            if abs(rate) <= ROUNDING * sizes.largest:
                continue
            if not math.isfinite(end):
                raise InputError(f"the inflow into {state} does not end", key=state, expected="doses that end")
            events.append(DoseEvent(begin, state, rate * (end - begin), end - begin))
    return tuple(sorted(events, key=lambda event: event.time))


def _residual_jacobian(problem: PetabFitProblem, logs: np.ndarray) -> np.ndarray:
    """Derivatives of the residuals [measurement, parameter] by the logarithms: all copies in one solve."""
    steps = STEP * np.eye(len(logs))
    residuals = problem.residuals(problem.predictions(np.concatenate([logs + steps, logs - steps])))
    return np.asarray((residuals[: len(logs)] - residuals[len(logs) :]).T / (2 * STEP))


def fit_problem(problem: PetabFitProblem) -> PetabEstimates:
    """The most probable values, from the nominal values on. Raises SolverError."""
    from scipy.optimize import least_squares

    parameters = problem.parameters
    bounds = np.log([p.lower for p in parameters]), np.log([p.upper for p in parameters])
    mean, weight = np.array([p.prior_mean for p in parameters]), np.array([1 / p.prior_sd for p in parameters])
    solution = least_squares(
        lambda logs: np.concatenate([problem.residuals(problem.predictions(logs[None])[0]), (mean - logs) * weight]),
        np.clip(np.log([p.nominal for p in parameters]), bounds[0] + 1e-9, bounds[1] - 1e-9),
        jac=lambda logs: np.concatenate([_residual_jacobian(problem, logs), -np.diag(weight)]),
        bounds=bounds, x_scale="jac", xtol=1e-6, ftol=1e-8,
    )  # fmt: skip
    return replace(_estimates_at(problem, solution.x, "KetaMech"), converged=bool(solution.success))


def evaluate_estimates(problem: PetabFitProblem, file: Path) -> PetabEstimates:
    """The estimates of another program as the result of a fit. Raises InputError for a file of another problem."""
    values = read_estimates(file)
    estimates = {own_name(name): value for name, value in values.items()}
    logs = []
    for p in problem.parameters:
        if p.name not in estimates:
            raise InputError(f"there is no estimate of '{p.name}'", file=file, key=p.name, expected=ESTIMATES)
        value = estimates[p.name]
        if not p.lower * (1 - 1e-6) <= value <= p.upper * (1 + 1e-6):
            raise InputError(f"the estimate of '{p.name}' is {value:g}", file=file, key=p.name,
                             expected=f"a value from {p.lower:g} to {p.upper:g}")  # fmt: skip
        logs.append(math.log(value))
    return _estimates_at(problem, np.array(logs), file.name)


def _estimates_at(problem: PetabFitProblem, logs: np.ndarray, found_by: str) -> PetabEstimates:
    """The estimates at a point, with the covariance there."""
    predicted, slopes = problem.predictions(logs[None])[0], _residual_jacobian(problem, logs)
    precision = np.diag([p.prior_sd**-2 for p in problem.parameters])
    covariance = np.linalg.pinv(slopes.T @ slopes + precision, hermitian=True)
    return PetabEstimates(problem, logs, covariance, predicted, problem.negative_log_likelihood(predicted), found_by)


def read_estimates(file: Path) -> dict[str, float]:
    """Values, not logarithms, by parameter id, of the best start of pyPESTO or of a table. Raises InputError."""
    if file.suffix.lower() in (".h5", ".hdf5"):
        return _pypesto_estimates(file)
    if file.suffix.lower() not in (".tsv", ".csv"):
        raise InputError(f"cannot read '{file}'", file=file, expected=ESTIMATES)
    try:
        table = pd.read_csv(file, sep="\t" if file.suffix.lower() == ".tsv" else ",", dtype=str)
        rows = table[["parameterId", "nominalValue"]].dropna()
    except (KeyError, OSError, ValueError) as problem:
        raise InputError("this is no table of estimates", file=file, expected=ESTIMATES) from problem
    return {str(name): _finite(value, str(name)) for name, value in rows.itertuples(index=False)}


def _pypesto_estimates(file: Path) -> dict[str, float]:
    h5py = import_optional("h5py", "h5py", "reading a result of pyPESTO")
    try:
        with h5py.File(file, "r") as store:
            names, scales = ([str(x, "utf-8") for x in store[f"problem/x_{key}"][()]] for key in ("names", "scales"))
            starts = store["optimization/results"].values()
            best = min((start for start in starts if "x" in start), key=lambda one: float(one.attrs["fval"]))
            point = np.asarray(best["x"][()], dtype=float)
            return {n: _finite(SCALES[s](x), n) for n, s, x in zip(names, scales, point, strict=True)}
    except (KeyError, OSError, TypeError, ValueError, OverflowError, RuntimeError) as problem:
        message = "this is no result of pyPESTO with an estimate"
        raise InputError(message, file=file, expected="a file of pypesto.store.write_result") from problem
