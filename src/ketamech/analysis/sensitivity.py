"""Sensitivity of endpoints to parameters: one at a time (tornado), Morris screening and Sobol indices (SALib).

Every parameter moves over its own spread: ranks in (0, 1) become values by the quantiles of its row (lognormal, normal
stays on its side of zero, uniform). The engine solves all points in batches; a failed solve is counted
(`attrs["failed"]`), and its trajectory or block is left out. What the scenario sets does not vary.

Endpoints are drug effects: the curve of the treated patient minus that of the same patient with expectancy and
challenges but without the drug. Otherwise the baseline, which no drug changes, would dominate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from ketamech.core import InputError, UnknownNameError, require_known, unit
from ketamech.core.checkpoint import Arrays
from ketamech.core.deprecated_names import with_current_names
from ketamech.core.environment import short_hash
from ketamech.core.errors import nearest_names
from ketamech.core.execution import LOCAL_EXECUTOR, Executor
from ketamech.core.optional_libraries import import_optional
from ketamech.core.progress import ShareProgress
from ketamech.dosing.dose_events import control_events
from ketamech.dosing.lexicon import Lexicon, Meaning
from ketamech.dosing.parse import hours_of, parse
from ketamech.dosing.parse_errors import shorten_text
from ketamech.dosing.parsed_values import ParsedEndpoint
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.parameters import Parameter, ParameterTable
from ketamech.parameters.concentration_units import shown
from ketamech.simulation.model import LISTED_OUTPUTS, Model
from ketamech.simulation.output_ranges import require_outputs
from ketamech.simulation.output_times import peak_times
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import DoseChange, ensemble_of_scenario, events_of_scenario
from ketamech.trials.rating_scales import load_scales

CHUNK, TOLERANCE, RANK_MARGIN = 1024, 1e-4, 1e-6  # small chunks, so that progress is reported often
LOW_RANK, HIGH_RANK = 0.05, 0.95
MIN_BASE_POINTS = 16
MORRIS_COLUMNS = {"mu_star": "mu_star", "half_width": "mu_star_conf", "sigma": "sigma"}
SOBOL_COLUMNS = {"first": "S1", "first_half_width": "S1_conf", "total": "ST", "total_half_width": "ST_conf"}


@dataclass(frozen=True)
class Endpoint:
    """An output at an hour, or its highest or lowest value (`statistic` "at", "peak" or "lowest").

    `factor` and `unit`: what converts the unit of the output into the unit that is shown.
    """

    text: str
    output: str
    statistic: str
    hour: float = 0.0
    factor: float = field(default=1.0, compare=False)
    unit: str = field(default="1", compare=False)


def parse_endpoints(texts: str | Sequence[str], model: Model) -> tuple[Endpoint, ...]:
    """Endpoints from texts joined by ';', e.g. "mood.madrs at 24 h; dissociation.cadss peak". Raises InputError."""
    listed = [texts] if isinstance(texts, str) else texts
    return tuple(endpoint for text in listed or [""] for endpoint in _endpoints(text, model))


def _endpoints(text: str, model: Model) -> tuple[Endpoint, ...]:
    if not text.strip(" ;"):
        raise InputError("no endpoint is given", key="--endpoints", type_this="mood.madrs at day 28")
    text = with_current_names(text)
    try:
        phrases = parse("endpoints", text, _outputs(tuple(model.layout.output_names)))
    except UnknownNameError:
        raise
    except InputError as problem:
        what = f"'{shorten_text(text)}' is not an endpoint: {problem.what}"
        raise InputError(what, key="--endpoints", expected=problem.expected, type_this=problem.type_this) from None
    parsed = (_endpoint(endpoint, text[endpoint.start : endpoint.end]) for endpoint in phrases)
    return tuple(replace(one, **_display_unit(one.output, model)) for one in parsed)


def _display_unit(output: str, model: Model) -> dict[str, Any]:
    factor, words = shown(output, model.layout.units[output])
    return {"factor": factor, "unit": words}


def _endpoint(endpoint: ParsedEndpoint, words: str) -> Endpoint:
    if endpoint.time is None:
        return Endpoint(words, endpoint.output, endpoint.extreme)
    hour = hours_of(endpoint.time)
    if hour < 0:
        raise InputError(f"'{words}' is before the first day", key="--endpoints", expected="day 1 or later")
    if hour > MAX_HORIZON_H:
        what = f"'{words}' is after the longest simulated time"
        raise InputError(what, key="--endpoints", expected=f"at most {MAX_HORIZON_H:g} h (two years)")
    return Endpoint(words, endpoint.output, "at", hour)


@cache
def _outputs(names: tuple[str, ...]) -> Lexicon:
    """Outputs by their names, and by the name of a scale that equals one ("MADRS")."""

    def unknown(name: str) -> InputError:
        what, near = f"there is no output '{name}'", nearest_names(name, names)
        return UnknownNameError(what, key="--endpoints", expected=LISTED_OUTPUTS, nearest=near)

    scales = {scale.name: scale.output for scale in load_scales().values() if scale.is_output}
    known = {**scales, **{name: name for name in names}}
    return Lexicon({word: Meaning("NAME", output) for word, output in known.items()}, unknown)


def varied_parameters(
    model: Model, names: Sequence[str] | None = None, held: Iterable[str] = ()
) -> tuple[Parameter, ...]:
    """Parameters with a spread that enter equations, or those named (a stage names all of its), less those `held`.

    Raises UnknownNameError, and InputError for one that is named and held.
    """
    table, held = model.parameters, set(held)
    every = [table[name] for name in model.layout.parameter_names if table[name].spread.kind != "fixed"]
    rows = [row for row in every if row.name not in held]
    for name in held.intersection(names or ()):
        raise InputError(f"the scenario sets {name}", key="--parameters", expected="parameters that it leaves free")
    if names is None:
        return tuple(rows)
    known = {row.name for row in rows} | {row.name.split(".")[0] for row in rows}
    for name in names:
        require_known(name, known, f"nothing called '{name}' can vary", key="--parameters")
    return tuple(row for row in rows if row.name in names or row.name.split(".")[0] in names)


def quantile(row: Parameter, u: np.ndarray) -> np.ndarray:
    """Canonical values [...] at ranks `u` [...] within (0, 1) of a row's spread.

    A normal spread stays on its row's side of zero.
    """
    from scipy.special import ndtr, ndtri

    a, b = row.spread.a or 0.0, row.spread.b or 0.0
    if row.spread.kind == "uniform":
        value = a + (b - a) * u
    elif row.spread.kind == "lognormal":
        value = row.value * np.exp(a * ndtri(u))
    elif row.value == 0 or a == 0:
        value = row.value + a * ndtri(u)
    else:
        wrong = float(ndtr(-abs(row.value) / a))  # probability of the other side of zero
        rank = wrong + u * (1 - wrong) if row.value > 0 else u * (1 - wrong)
        value = row.value + a * ndtri(rank)
    return value * unit(row.unit).factor


@dataclass(frozen=True)
class SensitivityProblem:
    """A scenario, its endpoints and the varied parameters; a chunk of points is a unit of `executor`.

    Endpoints are read from the difference of treated patient and control, with `absolute` from the treated patient.
    Raises InputError where both are given the same.
    """

    model: Model
    scenario: Scenario
    endpoints: tuple[Endpoint, ...]
    parameters: tuple[Parameter, ...]
    threads: int = 1
    executor: Executor = LOCAL_EXECUTOR
    absolute: bool = False

    def __post_init__(self) -> None:
        require_outputs(self.scenario.group, [endpoint.output for endpoint in self.endpoints])
        if not self.absolute and is_own_control(self.scenario, self.model.parameters):
            what = "the treatment and its control are the same, so that there is no drug effect"
            raise InputError(what, key="--absolute", expected="a drug, or absolute endpoints", type_this="--absolute")

    @property
    def kind(self) -> str:
        """What the endpoints are."""
        return "absolute endpoints" if self.absolute else "treated minus control"

    @property
    def title(self) -> str:
        """The scenario and what the endpoints are."""
        return f"{self.scenario.title} ({self.kind})"

    def evaluate(self, ranks: np.ndarray, progress: ShareProgress | None = None) -> np.ndarray:
        """Endpoints [point, endpoint] at ranks [point, parameter]; NaN where a solve failed."""
        chunks = [np.clip(ranks[i : i + CHUNK], RANK_MARGIN, 1 - RANK_MARGIN) for i in range(0, len(ranks), CHUNK)]
        parts: list[np.ndarray] = []
        for arrays in self.executor.map({self._chunk_name(chunk): chunk for chunk in chunks}, self.evaluate_chunk):
            parts.append(arrays["endpoints"])
            if progress:
                progress(sum(map(len, parts)), len(ranks))
        return np.concatenate(parts)

    def evaluate_chunk(self, ranks: np.ndarray) -> Arrays:
        """{"endpoints": values [point, endpoint]} of one chunk of ranks [point, parameter]."""
        return {"endpoints": self._endpoint_values(ranks)}

    def _chunk_name(self, ranks: np.ndarray) -> str:
        varied = " ".join(row.name for row in self.parameters).encode()
        kind = b"absolute" if self.absolute else b"difference"
        return f"points-{short_hash(kind + varied + ranks.tobytes(), 20)}"

    def _endpoint_values(self, ranks: np.ndarray) -> np.ndarray:
        values = {row.name: quantile(row, ranks[:, k]) for k, row in enumerate(self.parameters)}
        times = times_of_endpoints(self.endpoints, self.scenario)
        until = max(float(times[-1]) + 1.0, self.scenario.horizon)
        outputs = tuple(dict.fromkeys(endpoint.output for endpoint in self.endpoints))
        curves = self._curves(values, len(ranks), until, times, outputs)
        if not self.absolute:
            curves = curves - self._curves(values, len(ranks), until, times, outputs, control_events)
        columns = [read_endpoint(e, times, curves[..., outputs.index(e.output)]) for e in self.endpoints]
        return np.column_stack([e.factor * column for e, column in zip(self.endpoints, columns, strict=True)])

    def _curves(
        self, values: Mapping[str, np.ndarray], size: int, until: float, times: np.ndarray, outputs: tuple[str, ...],
        change: DoseChange | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Curves [point, time, output] of the treated patient, or of the control with `change`."""
        ensemble = ensemble_of_scenario(self.model, self.scenario, values, size, until, change=change)
        return ensemble.solve(times, outputs, tolerance=TOLERANCE, threads=self.threads).values


def is_own_control(scenario: Scenario, parameters: ParameterTable) -> bool:
    """Whether the control is given the same as the treated patient."""
    scenario_events = events_of_scenario(scenario, parameters, {}, scenario.horizon)
    return all(len(control_events(events)) == len(events) for events in (scenario_events.doses, scenario_events.cycle))


def times_of_endpoints(endpoints: Iterable[Endpoint], scenario: Scenario) -> np.ndarray:
    """Output times (h) [time] of endpoints; for a peak, dense after every dose and daily to the horizon."""
    hours = {0.0, *(endpoint.hour for endpoint in endpoints if endpoint.statistic == "at")}
    if any(endpoint.statistic != "at" for endpoint in endpoints):
        hours |= set(peak_times(scenario.horizon, scenario.regimen.starts(scenario.horizon)).tolist())
    return np.array(sorted(hours))


def read_endpoint(endpoint: Endpoint, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Endpoint [...] of the values [..., time] of its output."""
    if endpoint.statistic == "at":
        return np.asarray(values[..., int(np.searchsorted(times, endpoint.hour))])
    return np.asarray(values.max(axis=-1) if endpoint.statistic == "peak" else values.min(axis=-1))


def tornado(problem: SensitivityProblem, progress: ShareProgress | None = None) -> pd.DataFrame:
    """Each parameter alone at the 5th and 95th percentile of its spread, the others at their median.

    Columns: endpoint, parameter, low, high (the endpoint there), usual, swing, unit; largest swing first.
    """
    n = len(problem.parameters)
    ranks = np.full((2 * n + 1, n), 0.5)
    for k in range(n):
        ranks[2 * k, k], ranks[2 * k + 1, k] = LOW_RANK, HIGH_RANK
    results = problem.evaluate(ranks, progress)
    lines = []
    for j, endpoint in enumerate(problem.endpoints):
        for k, row in enumerate(problem.parameters):
            low, high = results[2 * k, j], results[2 * k + 1, j]
            extremes = {"low": low, "high": high, "usual": results[-1, j], "swing": abs(high - low)}
            lines.append({"endpoint": endpoint.text, "parameter": row.name, **extremes, "unit": endpoint.unit})
    table = pd.DataFrame(lines).sort_values(["endpoint", "swing"], ascending=[True, False], ignore_index=True)
    return _with_solve_counts(table, results)


def morris(
    problem: SensitivityProblem, trajectories: int, seed: int = 1, progress: ShareProgress | None = None
) -> pd.DataFrame:
    """Elementary effects: endpoint, parameter, mu_star (with 95 % half-width), sigma and unit.

    The change of the endpoint as a parameter goes from its 5th to its 95th percentile, as in the tornado. Morris steps
    span the whole range: between ranks 0 and 1 the extreme tails of the spreads would determine the ranking.
    """
    sample, analyse = _salib("morris")
    salib_problem = _salib_problem(problem, LOW_RANK)
    ranks = sample.sample(salib_problem, trajectories, seed=seed)
    results = problem.evaluate(ranks, progress)

    def indices(solved: np.ndarray, values: np.ndarray) -> Mapping[str, Any]:
        return analyse.analyze(salib_problem, ranks[solved], values, seed=seed)

    table = _index_table(problem, results, len(problem.parameters) + 1, indices, MORRIS_COLUMNS)
    units = {endpoint.text: endpoint.unit for endpoint in problem.endpoints}
    table["unit"] = table["endpoint"].map(units)
    table = table.sort_values(["endpoint", "mu_star"], ascending=[True, False], ignore_index=True)
    return _with_solve_counts(table, results)


def sobol(problem: SensitivityProblem, base: int, seed: int = 1, progress: ShareProgress | None = None) -> pd.DataFrame:
    """First-order and total indices with 95 % half-widths from `base` (a power of 2) x (parameters + 2) solves.

    `attrs["convergence"]` holds the same table from the first quarter, half and all of the points, by column `base`.
    """
    sample, analyse = _salib("sobol")
    salib_problem, block = _salib_problem(problem, RANK_MARGIN), len(problem.parameters) + 2
    results = problem.evaluate(sample.sample(salib_problem, base, calc_second_order=False, seed=seed), progress)

    def indices(solved: np.ndarray, values: np.ndarray) -> Mapping[str, Any]:
        return analyse.analyze(salib_problem, values, calc_second_order=False, seed=seed)

    parts = [b for b in (base // 8, base // 4, base // 2) if b >= MIN_BASE_POINTS] + [base]
    steps = [_index_table(problem, results[: b * block], block, indices, SOBOL_COLUMNS).assign(base=b) for b in parts]
    table = (
        steps[-1].drop(columns="base").sort_values(["endpoint", "total"], ascending=[True, False], ignore_index=True)
    )
    table.attrs["convergence"] = pd.concat(steps, ignore_index=True)
    return _with_solve_counts(table, results)


def check_base_points(base: int, type_this: str) -> None:
    """Raise InputError unless `base` is a power of 2, as the Sobol sequence requires; `type_this`: what to type."""
    if base < 8 or base & (base - 1):
        raise InputError(f"{base} base points", expected="a power of 2, 8 or more", type_this=type_this)


def _salib(method: str) -> tuple[Any, Any]:
    """The modules of SALib that draw the points of a method and analyse them. Raises InputError if it is missing."""
    sample, analyse = (f"SALib.{part}.{method}" for part in ("sample", "analyze"))
    return import_optional(sample, "SALib", "this analysis"), import_optional(analyse, "SALib", "this analysis")


def _index_table(
    problem: SensitivityProblem, results: np.ndarray, block: int,
    indices: Callable[[np.ndarray, np.ndarray], Mapping[str, Any]], columns: Mapping[str, str],
) -> pd.DataFrame:  # fmt: skip
    """A line for each endpoint and parameter, from the blocks of points that were all solved.

    `indices`: SALib's result from the mask of these points and their endpoints; `columns` {column: name in the result}.
    Raises InputError for fewer than four blocks.
    """
    solved = np.isfinite(results).all(axis=1).reshape(-1, block).all(axis=1).repeat(block)
    if solved.sum() < 4 * block:
        raise InputError("too few points could be solved", expected="more points, or fewer parameters")
    lines = []
    for j, endpoint in enumerate(problem.endpoints):
        result = indices(solved, results[solved, j])
        for k, row in enumerate(problem.parameters):
            numbers = {column: float(result[name][k]) for column, name in columns.items()}
            lines.append({"endpoint": endpoint.text, "parameter": row.name, **numbers})
    return pd.DataFrame(lines)


def _with_solve_counts(table: pd.DataFrame, results: np.ndarray) -> pd.DataFrame:
    table.attrs |= {"solves": len(results), "failed": int((~np.isfinite(results).all(axis=1)).sum())}
    return table


def _salib_problem(problem: SensitivityProblem, edge: float) -> Mapping[str, Any]:
    names = [row.name for row in problem.parameters]
    if len(names) < 2:
        raise InputError(f"{len(names)} parameters vary", key="--parameters", expected="at least 2 with a spread")
    return {"num_vars": len(names), "names": names, "bounds": [[edge, 1 - edge]] * len(names)}
