"""Predictions for brain areas and networks, with an interval over the spreads of the parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core import InputError
from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.core.statistics import percentiles
from ketamech.parameters import load_brain_areas
from ketamech.population.cohort import Cohort
from ketamech.simulation.ensemble import OK, baseline_of
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario

READOUTS = DATA / "brain_areas" / "readouts.csv"
TABLE_TIMES = (2 / 3, 4.0, 24.0, 48.0, 168.0, 240.0, 336.0)  # h
FIRST_TIME, N_TIMES, MIN_DRAWS = 0.1, 70, 20
QUANTILES = (5, 25, 50, 75, 95)


@cache
def load_readouts() -> dict[str, str]:
    """{output: label} of the predicted readouts, in order (data/brain_areas/readouts.csv)."""
    return {row["output"]: row["label"] for row in read_table(READOUTS, ("output", "label"))}


@dataclass(frozen=True)
class NetworkPrediction:
    """`curves` (dims patient, time in h): one patient per parameter draw; `failed` draws could not be solved.

    The patient of the scenario is the same in every draw: only model parameters are drawn.
    """

    curves: xr.Dataset
    failed: int

    def relative_change(self, name: str) -> np.ndarray:
        """Change relative to the baseline of the same draw [draw, time]."""
        return np.asarray(self.curves[name].values / baseline_of(self.curves, name)[:, None] - 1)

    def table(self) -> pd.DataFrame:
        """Columns: readout, output, hours, relative_change (median; low, high: 5 %, 95 %), rising_share (of the draws).

        Column `baseline`: the median drug-free value, relative to a healthy person where the output is relative.
        """
        times = self.curves["time"].values
        lines = []
        for name, label in load_readouts().items():
            moved, rest = self.relative_change(name), float(np.median(baseline_of(self.curves, name)))
            for hour in (h for h in TABLE_TIMES if h <= times[-1]):
                at = moved[:, int(np.argmin(np.abs(times - hour)))]
                low, middle, high = map(float, percentiles(at, (5, 50, 95)))
                line = {"readout": label, "output": name, "baseline": rest, "hours": hour}
                rise = float(np.mean(at > 0))
                lines.append({**line, "relative_change": middle, "low": low, "high": high, "rising_share": rise})
        return pd.DataFrame(lines)


def predict_network(
    model: Model, scenario: Scenario, *, draws: int = 200, seed: int = 1, threads: int = 1
) -> NetworkPrediction:  # fmt: skip
    """Draw every parameter except person.* from its spread and predict areas and networks over time.

    Raises InputError for fewer than MIN_DRAWS draws and where no draw can be solved.
    """
    if draws < MIN_DRAWS:
        raise InputError(f"{draws} draws", key="--draws", expected=f"at least {MIN_DRAWS}", type_this="--draws 200")
    vary = tuple({name.split(".")[0] for name in model.parameters} - {"person"})
    outputs = (*load_readouts(), *(f"brain_network.{area.area}_activity" for area in load_brain_areas()))
    cohort = Cohort(
        model, scenario, draws, tuple(dict.fromkeys(outputs)), _times(scenario.horizon), seed, vary=vary,
        threads=threads, chunk=draws,
    )  # fmt: skip
    curves = next(cohort.chunks())
    solved = curves["solve_status"].values == OK
    if not solved.any():
        raise InputError("no draw could be solved", key="--draws", expected="a scenario that can be simulated")
    return NetworkPrediction(curves.isel(patient=solved), int((~solved).sum()))


def _times(horizon: float) -> np.ndarray:
    """0 h, logarithmically spaced times, and the times of the table."""
    spaced = np.geomspace(FIRST_TIME, horizon, N_TIMES)
    return np.unique([0.0, *spaced, *(hour for hour in TABLE_TIMES if hour <= horizon)])
