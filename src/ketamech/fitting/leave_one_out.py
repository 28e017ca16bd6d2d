"""Comparison of fits to one data set: expected log predictive density by LOO (Pareto smoothed) and WAIC, with ArviZ.

Two predictions are scored: another measurement of a known person (given the parameters of the person), and the
measurements of a new person (parameters integrated out). The integral of each person and draw is computed by
importance sampling with one set of points, so that it costs one solve for each point and not for each draw.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy.special import gammaln, logsumexp

from ketamech.core import InputError
from ketamech.core.constants import MAX_PARETO_K
from ketamech.core.environment import short_hash
from ketamech.core.optional_libraries import import_optional
from ketamech.fitting.fit import Fit
from ketamech.fitting.group_model import means_of_persons
from ketamech.fitting.group_sampler import GroupDraws, convergence
from ketamech.fitting.map_estimates import by_person, log_densities
from ketamech.fitting.observations import FitData

if TYPE_CHECKING:
    import pandas as pd

POINTS, DF, VARIANCE_INFLATION = 200, 5.0, 1.3  # importance points of a person: t distribution, variance factor
MAX_DRAWS = 1200  # of all chains
KINDS = {"measurement": "another measurement of the same persons", "person": "another person"}
GROUP = "log_likelihood"


def log_likelihoods(fit: Fit, *, points: int = POINTS, seed: int = 1) -> xr.Dataset:
    """Log densities of each measurement given its person [chain, draw, row], and of each person [chain, draw, ID].

    More than MAX_DRAWS draws are thinned.
    """
    assert fit.draws is not None
    chains, count = fit.draws.log_likelihood.shape[:2]
    step = -(-chains * count // MAX_DRAWS)
    thinned = {name: value[:, ::step] for name, value in vars(fit.draws).items() if name != "accepted"}
    fit = replace(fit, draws=GroupDraws(**thinned, accepted=fit.draws.accepted))
    logs = thinned["log_likelihood"]
    rows = [measurement.row.place for measurement in fit.data.measurements]
    return xr.Dataset(
        {"measurement": (("chain", "draw", "row"), logs),
         "person": (("chain", "draw", "ID"), marginal_log_likelihood(fit, points, seed))},
        {"chain": np.arange(chains), "draw": np.arange(0, count, step), "row": rows,
         "ID": [subject.name for subject in fit.data.persons]},
        {"data": _data_hash(fit.data)},
    )  # fmt: skip


def _data_hash(data: FitData) -> str:
    """A hash of the measurements, the same for fits that can be compared."""
    text = repr([(output.output, output.factor) for output in data.outputs]) + repr(data.value.tolist())
    return short_hash(text)


def marginal_log_likelihood(fit: Fit, points: int = POINTS, seed: int = 1) -> np.ndarray:
    """Log density [chain, draw, person] of the measurements of each person, without its parameters."""
    assert fit.model is not None
    assert fit.draws is not None
    model, draws, data = fit.model, fit.draws, fit.data
    persons, size = fit.mode.shape
    rng = np.random.default_rng([seed, 13])
    factor = np.sqrt(VARIANCE_INFLATION) * np.linalg.cholesky(fit.person_covariance)
    stretch = np.sqrt(DF / rng.chisquare(DF, (points, persons, 1)))
    standard = stretch * rng.standard_normal((points, persons, size))
    free = fit.mode + np.einsum("nij,mnj->mni", factor, standard)
    proposal = _log_t(standard) - np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    predicted = fit.predictor.predictions(free)
    log_density = np.empty((*draws.log_likelihood.shape[:2], persons))
    for index in np.ndindex(log_density.shape[:2]):
        errors = model.errors_at(draws.log_errors[index])
        likelihood = by_person(data, log_densities(data, errors, predicted))
        deviation = free - means_of_persons(model, draws.coefficients[index])
        weight = np.linalg.inv(draws.covariance[index])
        quadratic_form = ((deviation @ weight) * deviation).sum(axis=-1)
        prior = 0.5 * (np.linalg.slogdet(weight)[1] - quadratic_form - size * np.log(2 * np.pi))
        log_density[index] = logsumexp(likelihood + prior - proposal, axis=0) - np.log(points)
    return log_density


def _log_t(standard: np.ndarray) -> np.ndarray:
    """Log density of a standard t distribution of several dimensions [..., dimension]."""
    size = standard.shape[-1]
    constant = gammaln((DF + size) / 2) - gammaln(DF / 2) - size / 2 * np.log(DF * np.pi)
    return np.asarray(constant - (DF + size) / 2 * np.log1p((standard**2).sum(axis=-1) / DF))


def criteria_table(logs: xr.Dataset) -> pd.DataFrame:
    """One row per kind of prediction: elpd by LOO with standard error, effective parameters, WAIC, unreliable items."""
    import pandas as pd

    rows = []
    for kind, label in KINDS.items():
        loo, waic = _loo(logs, kind), _waic(logs, kind)
        rows.append({
            "predicted": label, "elpd_loo": float(loo.elpd_loo), "se": float(loo.se), "p_loo": float(loo.p_loo),
            "elpd_waic": float(waic.elpd_waic), "p_waic": float(waic.p_waic), "items": int(logs[kind].shape[-1]),
            "unreliable": int((loo.pareto_k.values > MAX_PARETO_K).sum()),
        })  # fmt: skip
    return pd.DataFrame(rows)


def comparison_table(fits: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """Fits to one data set, the best first: elpd by LOO, its difference from the best, and stacking weights."""
    import pandas as pd

    tables = []
    for kind, label in KINDS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = _arviz().compare({name: _loo(logs, kind) for name, logs in fits.items()})
        table = table.reset_index(names="fit").rename(columns={"elpd_diff": "difference", "dse": "se_difference"})
        table.insert(0, "predicted", label)
        tables.append(table[["predicted", "fit", "elpd_loo", "se", "p_loo", "difference", "se_difference", "weight"]])
    return pd.concat(tables, ignore_index=True)


def _loo(logs: xr.Dataset, kind: str) -> Any:
    total = logs[kind].values.sum(axis=-1, keepdims=True)
    relative_efficiency = float(convergence(total)[1][0]) / total.size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _arviz().loo(_inference_data(logs), var_name=kind, pointwise=True, reff=relative_efficiency)


def _waic(logs: xr.Dataset, kind: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _arviz().waic(_inference_data(logs), var_name=kind)


def _arviz() -> Any:
    return import_optional("arviz", "ArviZ", "comparing fits")


def _inference_data(logs: xr.Dataset) -> Any:
    return _arviz().InferenceData(log_likelihood=logs)


def read_log_likelihoods(folder: Path, data: FitData) -> xr.Dataset:
    """Log densities of a fit in a folder, to compare with a fit of `data`.

    Raises InputError for a folder without them, and for a fit to other measurements.
    """
    _arviz()  # raises before the fit where it is not installed
    path = folder / "posterior.zarr"
    if not path.is_dir():
        raise InputError(f"'{folder}' holds no fit of a group", key="--compare", expected="a folder of ketamech fit")
    tree = xr.open_datatree(path, engine="zarr")
    if GROUP not in tree.children:
        raise InputError(f"'{folder}' was written by an earlier version", key="--compare", expected="the fit once more")
    logs = tree[GROUP].to_dataset().load()
    if logs.attrs["data"] != _data_hash(data):
        message, expected = f"'{folder}' is a fit to other measurements", "fits to the same DV, in the same unit"
        raise InputError(message, key="--compare", expected=expected)
    return logs
