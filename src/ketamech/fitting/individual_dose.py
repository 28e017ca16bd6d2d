"""Research on individual doses: the dose with which a fitted person reaches an exposure or stays within a bound.

Every draw of the posterior of a person is one virtual patient. Parameters that were not fitted vary as in the
population, given those that were; residual error does not count. A grid of doses is simulated, then doses near the
limits of the goals. Not a recommendation of a dose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from ketamech.analysis.sensitivity import Endpoint, parse_endpoints
from ketamech.core import InputError, closest_match
from ketamech.core.statistics import percentiles
from ketamech.dosing.regimen import Regimen
from ketamech.fitting.fit import Fit
from ketamech.fitting.fitted_parameters import candidates, canonical_values, prior_covariance, typical_values
from ketamech.fitting.observations import ObservedOutput, observed_output
from ketamech.parameters.concentration_units import MODEL_UNIT
from ketamech.simulation.ensemble import Ensemble
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import Model
from ketamech.simulation.output_ranges import load_ranges
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import ensemble_of_scenario, events_of_scenario, subjects, times_of_scenario

DRAWS, GRID, REFINED_DOSES = 200, 24, 6  # patients of a person; doses of the grid, and of each interval that is refined
SPAN = 1000.0  # ratio of the highest to the lowest dose, unless a range is stated
TOLERANCE = 1e-5  # of the solver
BAND = (5, 50, 95)  # percentiles over draws
AREA, LEAST, MOST, EQUAL = "auc", ">=", "<=", "="
GOAL = re.compile(r"(?P<what>[^<>=]+?)\s*(?P<relation><=?|>=?|=)\s*(?P<value>[-+.\deE]+)\s*(?P<unit>\S.*)?")
EXAMPLE = '--goal "venous.ketamine peak = 200 ng/mL"'
LOADING, STEP, GROWTH = 2.0, 8.0, 1.25  # min: loading step and next step of a target level; growth of later steps
SETTLED, CHECKED = 10.0, 1.0  # min: levels are compared from SETTLED after a new target on, every CHECKED
MAX_TARGET_HOURS = 168  # of a target-controlled infusion, all levels together
CORRECTIONS = 3  # solves that correct the rates of a target-controlled infusion for nonlinearity
NOTE = "for research only: results of the model, not a recommendation of a dose"


@dataclass(frozen=True)
class Individuals:
    """Posterior draws of persons: canonical `values` {parameter: [person, draw]}, persons by `names`."""

    names: tuple[str, ...]
    values: Mapping[str, np.ndarray]

    def of(self, name: str) -> dict[str, np.ndarray]:
        """Values {parameter: [draw]} of one person. Raises InputError for an unknown one."""
        if name not in self.names:
            raise InputError(f"there is no ID {name} in the fit", key="--person", expected=", ".join(self.names[:10]),
                             nearest=closest_match(name, self.names))  # fmt: skip
        return {parameter: values[self.names.index(name)] for parameter, values in self.values.items()}

    def save(self, path: Path) -> None:
        """Write an .npz file."""
        names = np.array(list(self.values))
        np.savez(path, persons=np.array(self.names), parameters=names,
                 values=np.array(list(self.values.values()), np.float32))  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> Individuals:
        """Read what `save` wrote."""
        with np.load(path) as saved:
            values = dict(zip(saved["parameters"].tolist(), saved["values"].astype(float), strict=True))
            return cls(tuple(saved["persons"].tolist()), values)


def individuals(fit: Fit, *, draws: int = DRAWS, seed: int = 1) -> Individuals:
    """Draws of the persons of a fit; parameters that were not fitted are drawn given those that were."""
    rng, fitted = np.random.default_rng([seed, 11]), fit.parameters
    table, persons = fit.predictor.model.parameters, fit.data.persons
    free = fit.drawn_persons(draws, rng)[..., : len(fitted)]
    if fit.model is not None and fit.model.varying:  # a future period
        within = fit.model.parts(fit.covariance)[1]
        free[..., fit.model.varying] += np.sqrt(within) * rng.standard_normal((*free.shape[:2], len(within)))
    fitted_names = {name for parameter in fitted for name in (parameter.name, *dict(parameter.shared_factors))}
    others = [parameter for name, parameter in candidates(fit.population, table).items()
              if not fitted_names & {name, *dict(parameter.shared_factors)}]  # fmt: skip
    joint, count = prior_covariance((*fitted, *others), fit.population), len(fitted)
    slope = np.linalg.solve(joint[:count, :count], joint[:count, count:])
    conditional = joint[count:, count:] - joint[count:, :count] @ slope
    factor = np.linalg.cholesky(conditional + 1e-9 * np.eye(len(others)))
    measured = [subject.values for subject in persons]
    typical = [typical_values(group_of_parameters, measured)[:, None] for group_of_parameters in (fitted, others)]
    noise = rng.standard_normal((*free.shape[:2], len(others))) @ factor.T
    other_free = typical[1] + (free - fit.mean[:, None, :count]) @ slope + noise
    values = canonical_values(others, other_free, typical[1])
    for name in dict.fromkeys(name for row in measured for name in row):
        default = values.get(name, np.full(free.shape[:2], table[name].canonical))
        values[name] = np.array(
            [np.full(draws, row[name]) if name in row else default[i] for i, row in enumerate(measured)]
        )
    return Individuals(tuple(s.name for s in persons), values | canonical_values(fitted, free, typical[0]))


@dataclass(frozen=True)
class Goal:
    """A goal for an endpoint: `relation` to a `value` in `unit`; `factor`: units in one unit of the model."""

    text: str
    endpoint: Endpoint
    relation: str
    value: float
    unit: str
    factor: float

    def read(self, times: np.ndarray, curves: np.ndarray) -> np.ndarray:
        """The endpoint [...], in `unit`, of curves [..., time] of its output."""
        kind = self.endpoint.statistic
        if kind == AREA:
            return np.asarray(self.factor * np.trapezoid(curves, times, axis=-1))
        if kind == "at":
            later = np.searchsorted(times, self.endpoint.hour)
            return np.asarray(self.factor * curves[..., later])
        return np.asarray(self.factor * (curves.max(axis=-1) if kind == "peak" else curves.min(axis=-1)))

    def percentile(self, values: np.ndarray, probability: float) -> np.ndarray:
        """The percentile over draws [..., draw] that must meet the goal, so that it is met with `probability`."""
        share = {EQUAL: 0.5, MOST: probability, LEAST: 1 - probability}[self.relation]
        return np.asarray(np.nanquantile(values, share, axis=-1))

    def margin(self, values: np.ndarray, probability: float) -> np.ndarray:
        """How far that percentile [...] is above the value (below, for an upper bound), relative to the value."""
        distance = (self.percentile(values, probability) - self.value) / (abs(self.value) or 1.0)
        return -distance if self.relation == MOST else distance

    def chance(self, values: np.ndarray) -> np.ndarray:
        """Share of draws [..., draw] that meet a bound; NaN for a target."""
        if self.relation == EQUAL:
            return np.full(values.shape[:-1], np.nan)
        is_met = values <= self.value if self.relation == MOST else values >= self.value
        return np.asarray(np.nanmean(np.where(np.isnan(values), np.nan, is_met), axis=-1))


def parse_goal(text: str, model: Model) -> Goal:
    """A goal such as "venous.ketamine peak = 200 ng/mL", "dissociation.cadss peak <= 10" or "venous.ketamine auc >= 300
    h*ng/mL". Raises InputError."""
    match = GOAL.fullmatch(text.strip())
    try:
        value = float(match["value"]) if match else np.nan
    except ValueError:
        value = np.nan
    if match is None or not np.isfinite(value):
        expected = "an endpoint, one of = <= >=, and a number with its unit"
        raise InputError(f"'{text}' is not a goal", key="--goal", expected=expected, type_this=EXAMPLE)
    words, is_area = re.subn(r"\s+auc$", "", match["what"].strip(), flags=re.I)
    words = re.sub(r"\s+(cmax|max)$", " peak", words, flags=re.I)
    try:
        endpoint = parse_endpoints(f"{words} peak" if is_area else words, model)[0]
    except InputError as problem:
        raise problem.replace(key="--goal", type_this=problem.type_this and EXAMPLE) from None
    endpoint = replace(endpoint, text=match["what"].strip(), statistic=AREA if is_area else endpoint.statistic)
    unit = (match["unit"] or "").strip()
    level = re.sub(r"^h\s*[*·]\s*|\s*[*·]\s*h$|\*h(?=/)", "", unit)
    if is_area and level == unit:
        raise InputError(f"an area in '{unit}'", key="--goal", expected="a unit such as h*ng/mL")
    try:
        observed = observed_output(endpoint.output, endpoint.output, level or None, model)
    except InputError as problem:
        raise InputError(f"{problem.what} ({text})", key="--goal", expected=problem.expected,
                         type_this=EXAMPLE) from None  # fmt: skip
    relation = {"<": MOST, ">": LEAST}.get(match["relation"], match["relation"])
    found = Goal(text.strip(), endpoint, relation, value, unit or observed.unit, observed.factor)
    _check_possible(found, model)
    return found


def _check_possible(goal: Goal, model: Model) -> None:
    """Raise InputError for a goal outside the range of its output, which no dose meets."""
    limits = load_ranges().get(goal.endpoint.output)
    is_level = model.layout.units[goal.endpoint.output] in (MODEL_UNIT, "umol")
    low, high = (limits.lower * goal.factor, limits.upper * goal.factor) if limits else (-np.inf, np.inf)
    low = max(low, 0.0) if is_level else low
    if goal.endpoint.statistic == AREA:
        low, high = (0.0 if low >= 0 else -np.inf), np.inf
    too_low, too_high = goal.value < low and goal.relation != LEAST, goal.value > high and goal.relation != MOST
    if too_low or too_high:
        bound = f"at least {low:g}" if too_low else f"at most {high:g}"
        what = f"'{goal.text}' cannot be met by any dose"
        raise InputError(what, key="--goal", expected=f"{bound} {goal.unit}".strip())


@dataclass(frozen=True)
class DoseFinder:
    """Simulates the draws of a person with a `regimen` and reads `goals`, to be met with a `probability`.

    `regimen`: a sentence with {dose}, such as "racemic {dose} mg/kg IV over 40 min".
    """

    model: Model
    regimen: str
    goals: tuple[Goal, ...]
    probability: float = 0.9
    threads: int = 1

    def __post_init__(self) -> None:
        if "{dose}" not in self.regimen:
            raise InputError(f"'{self.regimen}' names no dose to search", key="regimen", expected="{dose} in its place",
                             type_this='"racemic {dose} mg/kg IV over 40 min"')  # fmt: skip
        if not 0.5 <= self.probability < 1:
            raise InputError(f"a probability of {self.probability:g}", key="--probability", expected="0.5 to 0.99")
        if not self.goals:
            raise InputError("no goal", key="--goal", type_this=EXAMPLE)

    def scenario(self, dose: float) -> Scenario:
        """The regimen with one dose. Raises InputError for a dose above the limits of the program."""
        return load_scenario(self.regimen.replace("{dose}", f"{dose:.6g}"), self.model.parameters)

    def is_allowed(self, dose: float) -> bool:
        """Whether the program simulates this dose."""
        try:
            scenario = self.scenario(dose)
            events_of_scenario(scenario, self.model.parameters, {}, scenario.horizon)
        except InputError:
            return False
        return True

    def range(self) -> tuple[float, float]:
        """The lowest and highest dose to search: up to the highest that the program simulates. Raises InputError."""
        allowed = [dose for dose in np.geomspace(1e-3, 1e4, 141) if self.is_allowed(float(dose))]
        if not allowed:
            self.scenario(1.0)
            raise InputError(f"no dose of '{self.regimen}' is possible", key="regimen")
        return float(allowed[-1]) / SPAN, float(allowed[-1])

    def simulate(self, values: Mapping[str, np.ndarray], doses: np.ndarray) -> np.ndarray:
        """Endpoints [goal, dose, draw] of a person with draws `values` {parameter: [draw]}; NaN for a failed solve."""
        count, ensembles, scenarios = len(next(iter(values.values()))), [], [self.scenario(dose) for dose in doses]
        times = self._times(scenarios[-1])
        for scenario in scenarios:
            free_values = {name: value for name, value in values.items() if name not in scenario.values}
            ensembles.append(ensemble_of_scenario(self.model, scenario, free_values, count, float(times[-1]) + 1e-6))
        outputs = tuple(dict.fromkeys(goal.endpoint.output for goal in self.goals))
        solved = Ensemble.joined(ensembles).solve(times, outputs, tolerance=TOLERANCE, threads=self.threads)
        curves = solved.values.reshape(len(doses), count, len(times), len(outputs))
        return np.array([goal.read(times, curves[..., outputs.index(goal.endpoint.output)]) for goal in self.goals])

    def _times(self, scenario: Scenario) -> np.ndarray:
        hours = [goal.endpoint.hour for goal in self.goals if goal.endpoint.statistic == "at"]
        dense = times_of_scenario(scenario, subjects(scenario, self.model)[0])
        last = max(hours) if len(hours) == len(self.goals) else np.inf
        return np.unique(np.concatenate([dense[(dense >= 0) & (dense <= last)], hours]))

    def find(self, values: Mapping[str, np.ndarray], doses: tuple[float, float] | None = None) -> FoundDose:
        """The dose for one person with draws `values` {parameter: [draw]} (canonical units), within `doses`."""
        low, high = doses or self.range()
        grid = np.geomspace(low, high, GRID)
        endpoints = self.simulate(values, grid)
        crossings = {i for margin in self._margins(endpoints) for i in np.flatnonzero(np.diff(np.sign(margin)))}
        refined = [np.geomspace(grid[i], grid[i + 1], REFINED_DOSES + 2)[1:-1] for i in sorted(crossings)]
        if refined:
            more = np.concatenate(refined)
            grid, endpoints = (
                np.concatenate([grid, more]),
                np.concatenate([endpoints, self.simulate(values, more)], axis=1),
            )
            order = np.argsort(grid)
            grid, endpoints = grid[order], endpoints[:, order]
        dose, window, why = self._choose(grid, self._margins(endpoints))
        return FoundDose(dose, window, why, grid, endpoints, self.simulate(values, np.array([dose]))[:, 0])

    def _margins(self, endpoints: np.ndarray) -> np.ndarray:
        return np.array([goal.margin(x, self.probability) for goal, x in zip(self.goals, endpoints, strict=True)])

    def _choose(self, grid: np.ndarray, margins: np.ndarray) -> tuple[float, tuple[float, float], str]:
        """The dose, the lowest range of doses that meets the bounds, and a remark."""
        is_bound = np.array([goal.relation != EQUAL for goal in self.goals])
        bound_margin = margins[is_bound].min(axis=0) if is_bound.any() else np.ones_like(grid)
        logs, ranges = np.log(grid), _positive_ranges(np.log(grid), bound_margin)
        if not ranges:
            nearest_dose = float(grid[int(np.argmax(bound_margin))])
            return nearest_dose, (np.nan, np.nan), "no dose in the range meets the bounds; the nearest is used"
        low, high = ranges[0]
        targets = [(goal, margin) for goal, margin in zip(self.goals, margins, strict=True) if goal.relation == EQUAL]
        if not targets:
            dose = low if low > logs[0] else high
            remark = "the end of the range of doses" if dose == logs[-1] else ""
        else:
            crossings = [_crossing(logs, margin) for _, margin in targets]
            reached = next((x for x in crossings if x is not None), float(logs[np.argmin(np.abs(targets[0][1]))]))
            dose = float(np.clip(reached, low, high))
            remark = "limited by a bound" if dose != reached else ""
            unreached = [goal.text for (goal, _), x in zip(targets, crossings, strict=True) if x is None]
            remark = f"not reached by any dose in the range: {'; '.join(unreached)}" if unreached else remark
        window = (float(np.exp(low)), float(np.exp(high))) if is_bound.any() else (np.nan, np.nan)
        return float(np.exp(dose)), window, remark


def _crossing(x: np.ndarray, y: np.ndarray) -> float | None:
    """The first x at which y changes sign, by linear interpolation."""
    sign_changes = np.flatnonzero(np.diff(np.sign(y)))
    if not len(sign_changes):
        return None
    i = sign_changes[0]
    return float(x[i] - y[i] * (x[i + 1] - x[i]) / (y[i + 1] - y[i]))


def _positive_ranges(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    """Ranges of x with y of 0 or more, by linear interpolation."""
    ranges, begin = [], x[0] if y[0] >= 0 else None
    for i in np.flatnonzero(np.diff(y >= 0)):
        edge = float(x[i] - y[i] * (x[i + 1] - x[i]) / (y[i + 1] - y[i]))
        if begin is None:
            begin = edge
        else:
            ranges.append((float(begin), edge))
            begin = None
    return ranges if begin is None else [*ranges, (float(begin), float(x[-1]))]


@dataclass(frozen=True)
class FoundDose:
    """A dose for one person, the lowest range of doses that meets the bounds (`window`), and a `remark`.

    `grid` [dose] with `endpoints` [goal, dose, draw], and `endpoints_at_dose` [goal, draw]. Doses in the unit of the
    regimen, endpoints in those of the goals.
    """

    dose: float
    window: tuple[float, float]
    remark: str
    grid: np.ndarray
    endpoints: np.ndarray
    endpoints_at_dose: np.ndarray


def dose_table(finder: DoseFinder, doses: Mapping[str, FoundDose]) -> pd.DataFrame:
    """One row per person and goal: the dose, and what is predicted with it."""
    rows = []
    for name, found_dose in doses.items():
        for goal, values in zip(finder.goals, found_dose.endpoints_at_dose, strict=True):
            low, median, high = percentiles(values, BAND)
            rows.append({
                "ID": name, "dose": found_dose.dose,
                "window_low": found_dose.window[0], "window_high": found_dose.window[1],
                "goal": goal.text, "predicted": median, "low": low, "high": high, "unit": goal.unit,
                "probability": float(goal.chance(values)), "remark": found_dose.remark,
            })  # fmt: skip
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class TargetInfusion:
    """An infusion of a `drug` in steps: `begins` and `lengths` (h), `rates` (mg/h), and the levels that it reaches.

    `levels` and `targets` at `times` (h), in the unit of `output`; they are compared where `settled`.
    """

    drug: str
    output: ObservedOutput
    begins: np.ndarray
    lengths: np.ndarray
    rates: np.ndarray
    times: np.ndarray
    targets: np.ndarray
    settled: np.ndarray
    levels: np.ndarray

    @property
    def ratio(self) -> np.ndarray:
        """Levels relative to the targets, at the times at which they are compared."""
        return (self.levels / self.targets)[self.settled]

    @property
    def regimen(self) -> Regimen:
        """One infusion for each step."""
        steps = zip(self.begins * 60, self.lengths * 60, self.rates, strict=True)
        infusions = (Regimen.parse(f"{self.drug} {rate:.4g} mg/h IV over {length:.6g} min at {begin:.6g} min")
                     for begin, length, rate in steps if rate > 0)  # fmt: skip
        return sum(infusions, Regimen(()))

    @property
    def table(self) -> pd.DataFrame:
        """One row per step: begin and length, rate, and the level at its end."""
        level = np.interp(self.begins + self.lengths, self.times, self.levels)
        return pd.DataFrame({
            "begin_min": self.begins * 60, "length_min": self.lengths * 60, "rate_mg_per_h": self.rates,
            f"level_at_end_{self.output.unit}": level,
        })  # fmt: skip


def target_infusion(
    model: Model, drug: str, output: ObservedOutput, levels: Sequence[float], duration: float, threads: int = 1
) -> TargetInfusion:
    """The infusion with which the typical person reaches each of `levels` (unit of `output`) for `duration` h.

    Rates (not negative) minimise the relative distance from the targets from SETTLED min after each change on. The
    response to each step is simulated alone; the sum is corrected by simulations of all steps.
    """
    _check_targets(model, output, levels, duration)
    edges = np.concatenate([start * duration + _step_edges(duration) for start in range(len(levels))])
    begins, lengths = edges, np.diff(np.append(edges, len(levels) * duration))
    times_in_step = np.arange(CHECKED, 60 * duration + 1e-9, CHECKED) / 60
    settled = np.tile(times_in_step >= SETTLED / 60 - 1e-9, len(levels))
    times = np.concatenate([start * duration + times_in_step for start in range(len(levels))])
    targets = np.repeat(np.asarray(levels, dtype=float), len(times_in_step))

    def infusion(rates: np.ndarray, reached: np.ndarray) -> TargetInfusion:
        return TargetInfusion(drug, output, begins, lengths, rates, times, targets, settled, reached)

    def simulated(rates: np.ndarray) -> np.ndarray:
        scenario = load_scenario(infusion(rates, targets).regimen, model.parameters)
        solved = ensemble_of_scenario(model, scenario, {}, 1, times[-1] + 1).solve(
            times, [output.output], tolerance=TOLERANCE, threads=threads
        )
        return np.asarray(solved.values[0, :, 0] * output.factor)

    unit = np.eye(len(begins)) * max(levels) / 100  # mg/h, small enough for any limit
    response = np.array([simulated(unit_rate) / unit_rate.sum() for unit_rate in unit]).T
    scaled = (response / targets[:, None])[settled]
    rates = nnls(scaled, np.ones(len(scaled)))[0]
    if not rates.any():
        raise InputError(f"an infusion of {drug} does not raise {output.output}", key="OUTPUT",
                         expected="a level of this drug or of a metabolite")  # fmt: skip
    for _ in range(CORRECTIONS):
        shortfall = 1 - (simulated(rates) / targets)[settled]
        rates = nnls(scaled, scaled @ rates + shortfall)[0]
    return infusion(rates, simulated(rates))


def _check_targets(model: Model, output: ObservedOutput, levels: Sequence[float], duration: float) -> None:
    """Raise InputError for levels, times or an output that no infusion can reach."""
    if not levels or not all(0 < level < np.inf for level in levels) or not SETTLED / 60 < duration < np.inf:
        expected = f"levels above 0, each for more than {SETTLED:g} min"
        raise InputError("no target levels that can be reached", key="LEVELS", expected=expected)
    if model.layout.units[output.output] not in (MODEL_UNIT, "umol"):
        what = f"{output.output} is no level of a drug"
        raise InputError(what, key="OUTPUT", expected="a level", type_this='"venous.ketamine [ng/mL]"')
    if len(levels) * duration > MAX_TARGET_HOURS:
        expected = f"at most {MAX_TARGET_HOURS:g} h in all"
        raise InputError(f"target levels for {len(levels) * duration:g} h", key="--each", expected=expected)


def _step_edges(length: float) -> np.ndarray:
    """Begins (h) of the steps of one target level: a loading step, then steps that lengthen; whole minutes."""
    edges, step = [0.0, LOADING], STEP
    while edges[-1] + 1.5 * step < length * 60:
        edges.append(edges[-1] + step)
        step = np.round(step * GROWTH)
    return np.array(edges) / 60
