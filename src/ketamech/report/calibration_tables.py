"""Diagnostics of a calibration as tables: written by the command, shown in its output and on the page of the site."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.estimation.posterior import posterior_hash
from ketamech.estimation.prior_sensitivity import (
    InformedDirection,
    PriorSensitivity,
    informed_directions,
    prior_sensitivity,
)
from ketamech.estimation.simulation_based_calibration import RankUniformity, rank_uniformity
from ketamech.estimation.surrogate_posterior import DesignPoints, Posterior, QuadraticEmulator, emulator_allowance
from ketamech.exchange.result_metadata import read_csv_metadata

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

SENSITIVITY, DIRECTIONS = "prior_sensitivity.csv", "informed_directions.csv"
UNIFORMITY, RANKS = "simulation_based_calibration.csv", "simulated_ranks.csv"
PUBLISHED = (
    "posterior.csv", "leave_one_trial_out.csv", "left_out_trials.csv", "proposed.csv",
    SENSITIVITY, DIRECTIONS, UNIFORMITY, RANKS,
)  # copied together to data/calibration  # fmt: skip
MARK = "posterior"  # metadata that names the posterior to which a table belongs


TITLES = {
    SENSITIVITY: "Sensitivity to prior and data",
    DIRECTIONS: "Directions of the pathway gains",
    UNIFORMITY: "Ranks of true values in simulated data",
}


def diagnostic_tables(
    points: DesignPoints, emulator: QuadraticEmulator, posterior: Posterior, ranks: np.ndarray | None = None
) -> dict[str, pd.DataFrame]:
    """{file: table} of a calibration; `ranks` [data set, parameter] of simulated data sets, if there are any."""
    import pandas as pd

    task, pool = points.task, posterior.thinned()
    names = [p.name for p in task.estimated]
    _, _, gradients = points.map_and_covariance(0, lambda done, words: None)
    logs = task.log_likelihood(pool, emulator(pool), gradients, emulator_allowance(task, emulator))
    found = {SENSITIVITY: sensitivity_table(prior_sensitivity(names, pool, logs))}
    if sum(bool(p.gain) for p in task.estimated) > 1:
        found[DIRECTIONS] = directions_table(informed_directions(task.estimated, pool))
    if ranks is not None:
        found[UNIFORMITY] = uniformity_table(rank_uniformity(names, ranks))
        found[RANKS] = pd.DataFrame(ranks, columns=names)
    return found


def sensitivity_table(found: Sequence[PriorSensitivity]) -> pd.DataFrame:
    """One row per parameter, most sensitive to the prior first."""
    import pandas as pd

    columns = ("parameter", "prior", "own_prior", "likelihood", "pareto_k", "diagnosis")
    rows = [{name: getattr(one, name) for name in columns} for one in found]
    return pd.DataFrame(rows).sort_values("prior", ascending=False, kind="stable", ignore_index=True)


def directions_table(found: Sequence[InformedDirection]) -> pd.DataFrame:
    """One row per direction, best known first, with the loading of each gain."""
    import pandas as pd

    names = ("combination", "sd", "factor", "prior_factor", "sentence")
    rows = []
    for one in found:
        loadings = {f"loading of {gain}": value for gain, value in one.loadings.items()}
        rows.append({name: getattr(one, name) for name in names[:-1]} | loadings | {"sentence": one.sentence})
    return pd.DataFrame(rows)


def uniformity_table(found: Sequence[RankUniformity]) -> pd.DataFrame:
    """One row per parameter, smallest p first."""
    import pandas as pd

    return pd.DataFrame(found).sort_values("ecdf_p", kind="stable", ignore_index=True)


def load_diagnostic(folder: Path, name: str, posterior: Sequence[dict[str, float]]) -> pd.DataFrame | None:
    """A table beside a posterior; None where it is missing or belongs to another posterior."""
    import pandas as pd

    path = folder / name
    if not path.exists() or read_csv_metadata(path).get(MARK) != posterior_hash(posterior):
        return None
    return pd.read_csv(path, comment="#")
