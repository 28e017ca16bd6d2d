"""Posteriors and predictions with the group names of ArviZ, as an xarray tree that ArviZ 0.x and 1.x can open.

Groups: posterior (chain, draw), sample_stats (lp), posterior_predictive (chain, draw, row), observed_data and
constant_data (row). ArviZ below 1 reads the file with `arviz.from_netcdf` or `from_zarr`, ArviZ 1 takes the tree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from ketamech.calibration.calibration_problem import EstimatedParameter
from ketamech.calibration.clinical_targets import load_clinical_targets
from ketamech.core import unit
from ketamech.core.constants import PAPERS
from ketamech.parameters import ParameterTable
from ketamech.trials.posterior_draws import load_posterior, posterior_hash

ROW, CHAINS = "row", 4


def _tree(
    draws: Mapping[str, np.ndarray], parameters: ParameterTable, observed: Mapping[str, float],
    metadata: Mapping[str, object], *, logs: np.ndarray | None = None, predicted: np.ndarray | None = None,
    noise: Sequence[float] | None = None,
) -> xr.DataTree:  # fmt: skip
    """The groups of one calibration.

    `draws` {parameter: [chain, draw]} in the units of the tables; `logs` [chain, draw]; `predicted` [chain, draw, row],
    `observed` {row: printed number}, `noise` [row]. `metadata` become attributes of the root and of every group.
    """
    attributes = {str(key): value for key, value in metadata.items()}
    table = {name: parameters[name] for name in draws}
    groups = {"posterior": _posterior({n: (x, table[n].unit, table[n].reason or n) for n, x in draws.items()})}
    if logs is not None:
        groups["sample_stats"] = xr.Dataset({"lp": (("chain", "draw"), logs, {"long_name": "log posterior density"})})
    names = list(observed)
    if predicted is not None:
        statistic = (("chain", "draw", ROW), predicted, {"long_name": "simulated statistic, without noise"})
        groups["posterior_predictive"] = xr.Dataset({"statistic": statistic}, {ROW: names})
    if observed:
        observed_variable = (ROW, np.array(list(observed.values())), {"long_name": "printed number"})
        groups["observed_data"] = xr.Dataset({"statistic": observed_variable}, {ROW: names})
    if noise is not None:
        noise_variable = (ROW, np.asarray(noise), {"long_name": "standard deviation of printed about simulated"})
        groups["constant_data"] = xr.Dataset({"noise": noise_variable}, {ROW: names})
    return _with_metadata(groups, attributes)


def _posterior(variables: Mapping[str, tuple[np.ndarray, str, str]]) -> xr.Dataset:
    """Draws [chain, draw] with unit and label."""
    chains, count = np.shape(next(iter(variables.values()))[0])
    data_variables = {
        name: (("chain", "draw"), np.asarray(values), {"units": unit, "long_name": label})
        for name, (values, unit, label) in variables.items()
    }
    return xr.Dataset(data_variables, {"chain": np.arange(chains), "draw": np.arange(count)})


def _with_metadata(groups: Mapping[str, xr.Dataset], metadata: Mapping[str, object]) -> xr.DataTree:
    """The groups as a tree, with the same attributes everywhere."""
    attributed_groups = {f"/{name}": group.assign_attrs(metadata) for name, group in groups.items()}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=metadata), **attributed_groups})


def fit_tree(
    variables: Mapping[str, tuple[np.ndarray, str, str]], observed: Mapping[str, float], logs: xr.Dataset,
    metadata: Mapping[str, object],
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
    return _with_metadata(groups, {str(key): value for key, value in metadata.items()})


def shipped_posterior(parameters: ParameterTable, metadata: Mapping[str, object]) -> xr.DataTree:
    """The shipped posterior draws, and the published numbers to which they were fitted.

    The draws are independent (resampled by their weights), so that they can be read as CHAINS chains, which diagnostics
    such as R-hat compare.
    """
    draws = load_posterior(None, parameters)
    chains = CHAINS if len(draws) % CHAINS == 0 else 1
    values_by_parameter = {
        name: np.reshape([one_draw[name] / unit(parameters[name].unit).factor for one_draw in draws], (chains, -1))
        for name in draws[0]
    }
    fitted_targets = [target for target in load_clinical_targets() if target.fitted]
    observed = {f"{target.row.id} {target.statistic}": target.published for target in fitted_targets}
    papers = " ".join(dict.fromkeys(target.row.reference for target in fitted_targets))
    attributes = {**metadata, "posterior": posterior_hash(draws), PAPERS: papers}
    return _tree(values_by_parameter, parameters, observed, attributes)


def calibration_tree(
    estimated: Sequence[EstimatedParameter], chain: np.ndarray, logs: np.ndarray, parameters: ParameterTable,
    observed: Mapping[str, float], noise: Sequence[float], metadata: Mapping[str, object],
    predicted: np.ndarray | None = None,
) -> xr.DataTree:  # fmt: skip
    """One calibration: `chain` [draw, walker, parameter] in the units of the tables, `logs` [draw, walker].

    `predicted` [draw, row]: simulated statistics of some draws, as one chain.
    """
    draws = {parameter.name: chain[:, :, i].T for i, parameter in enumerate(estimated)}
    predicted_chain = None if predicted is None else np.asarray(predicted)[None]
    return _tree(draws, parameters, observed, metadata, logs=logs.T, predicted=predicted_chain, noise=noise)
