"""Tables of simulated measurements of virtual people with known parameters, to test fits and as an example."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ketamech.fitting.error_models import error_models
from ketamech.fitting.fitted_parameters import named_parameters
from ketamech.fitting.observations import measurements_of
from ketamech.fitting.predict import Predictor
from ketamech.nonmem.read import doses_in
from ketamech.population.virtual_population import load_population
from ketamech.simulation.model import Model

HEADER = "ID,TIME,AMT,ROUTE,DUR,WT,DRUG,DVID,DV,CENS"


@dataclass(frozen=True)
class Truth:
    """The true values of a simulated group.

    `medians`: population medians relative to the tables; `sds` between people on the free scale (lognormal, or normal
    on the logit of a share); `error`: a residual error such as "proportional 0.12".
    """

    parameters: tuple[str, ...]
    medians: tuple[float, ...]
    sds: tuple[float, ...]
    error: str


def simulated_table(
    model: Model, truth: Truth, *, doses: Sequence[str], times: Sequence[float], output: str, unit: str,
    limit: float = 0.0, seed: int = 1, drug: str = "racemic",
) -> tuple[str, str]:  # fmt: skip
    """Text of a table of doses and measurements, and of a table of the true parameters of each person.

    `doses`: one line "ID,TIME,AMT,ROUTE,DUR,WT" per person. Values below `limit` are marked by CENS 1.
    """
    parameters = named_parameters(truth.parameters, load_population("adult"), model.parameters)
    template = "\n".join([HEADER, *(_records(line, times, output, drug, ["1"] * len(times)) for line in doses)])
    data = measurements_of(doses_in(template, Path("simulated.csv"), model.parameters), model, [f"{output} [{unit}]"])
    predictor = Predictor(model, data, parameters)
    rng = np.random.default_rng(seed)
    median = np.array([float(p.free(p.typical * m)) for p, m in zip(parameters, truth.medians, strict=True)])
    free = median + np.array(truth.sds) * rng.standard_normal((len(doses), len(parameters)))
    error = error_models(data, [truth.error])[0]
    predicted = predictor.predictions(free[None])[0]
    values = error.simulated(predicted, rng.standard_normal(len(predicted))).reshape(len(doses), len(times))
    lines = [HEADER]
    for line, person_values in zip(doses, values, strict=True):
        cells = [f"{limit:g},1" if value < limit else f"{value:.4g},0" for value in person_values]
        lines.append(_records(line, times, output, drug, cells))
    true_lines = [",".join(["ID", *truth.parameters])]
    for line, person_free in zip(doses, free, strict=True):
        true_values = [f"{float(p.shown(x)):.5g}" for p, x in zip(parameters, person_free, strict=True)]
        true_lines.append(",".join([line.split(",")[0], *true_values]))
    return "\n".join(lines) + "\n", "\n".join(true_lines) + "\n"


def _records(dose: str, times: Sequence[float], output: str, drug: str, cells: Sequence[str]) -> str:
    """The dose record of a person and its observation records."""
    name, _, _, _, _, weight = dose.split(",")
    rows = [f"{dose},{drug},.,.,."]
    for time, cell in zip(times, cells, strict=True):
        value, _, censored = cell.partition(",")
        rows.append(f"{name},{time:g},0,.,.,{weight},.,{output},{value},{censored or 0}")
    return "\n".join(rows)
