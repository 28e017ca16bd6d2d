"""Posteriors and predictions with the group names of ArviZ, as an xarray tree that ArviZ 0.x and 1.x can open.

Groups: posterior (chain, draw), sample_stats (lp), posterior_predictive (chain, draw, row), observed_data and
constant_data (row). ArviZ below 1 reads the file with `arviz.from_netcdf` or `from_zarr`, ArviZ 1 takes the tree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from ketamech.core import unit
from ketamech.core.constants import PAPERS
from ketamech.estimation.calibration import EstimatedParameter
from ketamech.estimation.clinical_targets import load_clinical_targets
from ketamech.parameters import ParameterTable
from ketamech.trials.posterior import load_posterior, posterior_hash

ROW, CHAINS = "row", 4


def _tree(
    draws: Mapping[str, np.ndarray], parameters: ParameterTable, observed: Mapping[str, float],
    facts: Mapping[str, object], *, logs: np.ndarray | None = None, predicted: np.ndarray | None = None,
    noise: Sequence[float] | None = None,
) -> xr.DataTree:  # fmt: skip
    """The groups of one calibration.

    `draws` {parameter: [chain, draw]} in the units of the tables; `logs` [chain, draw]; `predicted` [chain, draw, row],
    `observed` {row: printed number}, `noise` [row]. `facts` become attributes of the root and of every group.
    """
    said = {str(key): value for key, value in facts.items()}
    rows = {name: parameters[name] for name in draws}
    groups = {"posterior": _posterior({n: (x, rows[n].unit, rows[n].reason or n) for n, x in draws.items()})}
    if logs is not None:
        groups["sample_stats"] = xr.Dataset({"lp": (("chain", "draw"), logs, {"long_name": "log posterior density"})})
    names = list(observed)
    if predicted is not None:
        statistic = (("chain", "draw", ROW), predicted, {"long_name": "simulated statistic, without noise"})
        groups["posterior_predictive"] = xr.Dataset({"statistic": statistic}, {ROW: names})
    if observed:
        printed = (ROW, np.array(list(observed.values())), {"long_name": "printed number"})
        groups["observed_data"] = xr.Dataset({"statistic": printed}, {ROW: names})
    if noise is not None:
        wide = (ROW, np.asarray(noise), {"long_name": "standard deviation of printed about simulated"})
        groups["constant_data"] = xr.Dataset({"noise": wide}, {ROW: names})
    return _joined(groups, said)


def _posterior(variables: Mapping[str, tuple[np.ndarray, str, str]]) -> xr.Dataset:
    """Draws [chain, draw] with unit and label."""
    chains, count = np.shape(next(iter(variables.values()))[0])
    found = {
        name: (("chain", "draw"), np.asarray(values), {"units": unit, "long_name": label})
        for name, (values, unit, label) in variables.items()
    }
    return xr.Dataset(found, {"chain": np.arange(chains), "draw": np.arange(count)})


def _joined(groups: Mapping[str, xr.Dataset], facts: Mapping[str, object]) -> xr.DataTree:
    """The groups as a tree, with the same attributes everywhere."""
    whole = {f"/{name}": group.assign_attrs(facts) for name, group in groups.items()}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=facts), **whole})


def fit_tree(
    variables: Mapping[str, tuple[np.ndarray, str, str]], observed: Mapping[str, float], logs: xr.Dataset,
    facts: Mapping[str, object],
) -> xr.DataTree:  # fmt: skip
    """A fit of a user's own data: `variables` {name: (draws [chain, draw], unit, label)}, measurements by row.

    `logs`: log densities of each `measurement` (chain, draw, row) and each `person` (chain, draw, ID).
    """
    groups = {
        "posterior": _posterior(variables),
        "log_likelihood": logs,
        "sample_stats": xr.Dataset({"lp": logs["measurement"].sum("row").assign_attrs(long_name="log-likelihood")}),
        "observed_data": xr.Dataset({"DV": (ROW, np.array(list(observed.values())))}, {ROW: list(observed)}),
    }
    return _joined(groups, {str(key): value for key, value in facts.items()})


def shipped_posterior(parameters: ParameterTable, facts: Mapping[str, object]) -> xr.DataTree:
    """The shipped posterior draws, and the published numbers to which they were fitted.

    The draws are independent (resampled by their weights), so that they can be read as CHAINS chains, which diagnostics
    such as R-hat compare.
    """
    drawn = load_posterior(None, parameters)
    chains = CHAINS if len(drawn) % CHAINS == 0 else 1
    values = {
        name: np.reshape([draw[name] / unit(parameters[name].unit).factor for draw in drawn], (chains, -1))
        for name in drawn[0]
    }
    fitted = [row for row in load_clinical_targets() if row.fitted]
    observed = {f"{row.row.id} {row.statistic}": row.published for row in fitted}
    papers = " ".join(dict.fromkeys(row.row.reference for row in fitted))
    said = {**facts, "posterior": posterior_hash(drawn), PAPERS: papers}
    return _tree(values, parameters, observed, said)


def calibration_tree(
    estimated: Sequence[EstimatedParameter], chain: np.ndarray, logs: np.ndarray, parameters: ParameterTable,
    observed: Mapping[str, float], noise: Sequence[float], facts: Mapping[str, object],
    predicted: np.ndarray | None = None,
) -> xr.DataTree:  # fmt: skip
    """One calibration: `chain` [draw, walker, parameter] in the units of the tables, `logs` [draw, walker].

    `predicted` [draw, row]: simulated statistics of some draws, as one chain.
    """
    draws = {one.name: chain[:, :, i].T for i, one in enumerate(estimated)}
    seen = None if predicted is None else np.asarray(predicted)[None]
    return _tree(draws, parameters, observed, facts, logs=logs.T, predicted=seen, noise=noise)
