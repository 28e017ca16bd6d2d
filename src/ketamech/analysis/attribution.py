"""Contribution of each pathway to an endpoint: Shapley values, loss when switched off, and effect alone.

Each number has an interval over the posterior and over the spreads of the pathway parameters. Every coalition of
switches is simulated for every draw, in batches (256 x 201 patients for eight switches and 200 draws). Expectancy is
not a pathway: it is the change of the same patient without the drug. The effect of the drug with every pathway switched
off (dissociation, or functional unblinding) is reported separately as unattributed.

Coalition c contains player i when bit i of c is set: coalition 0 is empty, the last one contains all players. A Shapley
value is the mean marginal contribution of a player over all orders of the players; a coalition of s players precedes
the player in s!(n-s-1)! of the n! orders (Shapley 1953). The Shapley values sum to the full minus the empty coalition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import factorial

import numpy as np
import pandas as pd

from ketamech.analysis.sensitivity import Endpoint, parse_endpoints, read_endpoint, times_of_endpoints
from ketamech.core import InputError, require_known
from ketamech.core.constants import SCORE_TOLERANCE
from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.core.progress import ShareProgress
from ketamech.core.statistics import interval
from ketamech.dosing.dose_events import control_events
from ketamech.population.random_draws import draw_parameters
from ketamech.simulation.model import Model
from ketamech.simulation.output_ranges import require_outputs
from ketamech.simulation.output_times import daily_times
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import DoseChange, ensemble_of_scenario, events_of_scenario
from ketamech.trials.posterior_draws import load_posterior


def coalition_matrix(players: int) -> np.ndarray:
    """Membership of each coalition: True/False [coalition, player]."""
    return (np.arange(2**players)[:, None] >> np.arange(players)) % 2 == 1


def shapley(coalition_values: np.ndarray) -> np.ndarray:
    """Shapley values [..., player] of the worth [..., coalition] of all 2^n coalitions."""
    players = coalition_values.shape[-1].bit_length() - 1
    inside = coalition_matrix(players)
    size = inside.sum(axis=1)
    orders = np.array([factorial(s) * factorial(players - s - 1) for s in range(players)]) / factorial(players)
    joining = np.where(inside, orders[size - 1][:, None], -orders[np.minimum(size, players - 1)][:, None])
    return coalition_values @ joining


def leave_one_out(coalition_values: np.ndarray) -> np.ndarray:
    """Loss when one player leaves the full coalition [..., player]."""
    all_pathways = coalition_values.shape[-1] - 1
    without = [all_pathways ^ (1 << i) for i in range(all_pathways.bit_length())]
    return coalition_values[..., [all_pathways]] - coalition_values[..., without]


def single_effect(coalition_values: np.ndarray) -> np.ndarray:
    """Gain of one player alone over the empty coalition [..., player]."""
    players = coalition_values.shape[-1].bit_length() - 1
    return coalition_values[..., [1 << i for i in range(players)]] - coalition_values[..., [0]]


DIRECTORY = DATA / "attribution"
PATHWAY_PARAMETERS = DIRECTORY / "pathway_parameters.csv"
MOOD, DRAWS = "mood.madrs", 200
MAX_BATCH_BYTES, MAX_BATCH = 2**26, 4096  # bytes of results, and patients, in one batch


@dataclass(frozen=True)
class Attribution:
    """Pathway contributions to the endpoints of a scenario.

    `table`: a line for each endpoint and pathway: endpoint, output, unit, pathway, share (of what the drug adds), and
    shapley, loss_when_off, single_effect: the mean of the draws, `_low` and `_high` (95 % of draws), `_tables` (at the
    values of the tables). `totals`: one line per endpoint: baseline, expectancy, no_pathway, pathways,
    full, each as the mean of the draws and at the table values. Means are used because means add up and medians do not.
    `madrs_decomposition` [component, draw, time]: MADRS points of each of `components` at `times` (h); draw 0 uses the
    table values. `coalition_values` [draw, coalition, endpoint]. `parameter_draws`: parameters [draw]. `failed`: number
    of draws left out because a solve failed.
    """

    scenario: Scenario
    table: pd.DataFrame
    totals: pd.DataFrame
    components: tuple[str, ...]
    times: np.ndarray
    madrs_decomposition: np.ndarray
    coalition_values: np.ndarray
    parameter_draws: Mapping[str, np.ndarray]
    failed: int
    skipped: tuple[str, ...]
    active_pathways: tuple[str, ...]

    @property
    def n_doses(self) -> int:
        """Number of doses."""
        return len(self.scenario.regimen.starts(self.scenario.horizon))


@dataclass(frozen=True)
class CoalitionSimulator:
    """Simulates a scenario for every coalition of pathways; `hours`: times (h) at which MADRS is reported."""

    model: Model
    scenario: Scenario
    endpoints: tuple[Endpoint, ...]
    pathways: tuple[str, ...]
    hours: np.ndarray
    threads: int = 1

    def evaluate_coalitions(
        self, values: Mapping[str, np.ndarray], progress: ShareProgress | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Endpoints [draw, coalition, endpoint] and MADRS [draw, coalition, hour]; NaN where a solve failed.

        After the 2^n coalitions follow two more columns: expectancy without the drug, and the baseline.
        """
        draws = len(next(iter(values.values())))
        coalition_values, course = [], []
        for part in self._batches(draws):
            chunk = self._batch({name: column[part] for name, column in values.items()}, len(part))
            coalition_values.append(chunk[0])
            course.append(chunk[1])
            if progress:
                progress(int(part[-1]) + 1, draws)
        return np.concatenate(coalition_values), np.concatenate(course)

    @property
    def n_courses(self) -> int:
        """Simulated patients per draw: every coalition, and expectancy alone."""
        return int(2 ** len(self.pathways)) + 1

    @property
    def times(self) -> np.ndarray:
        """Hours (h) at which anything is read."""
        read = times_of_endpoints(self.endpoints, self.scenario)
        return np.union1d(read, self.hours)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Outputs that are read."""
        return tuple(dict.fromkeys([MOOD, *(one.output for one in self.endpoints)]))

    def _batches(self, draws: int) -> Iterator[np.ndarray]:
        each = 8 * self.n_courses * len(self.times) * len(self.outputs)
        together = max(1, min(MAX_BATCH_BYTES // each, MAX_BATCH // self.n_courses))
        for first in range(0, draws, together):
            yield np.arange(first, min(first + together, draws))

    def _batch(self, values: Mapping[str, np.ndarray], draws: int) -> tuple[np.ndarray, np.ndarray]:
        size, times = draws * self.n_courses, self.times
        until = max(float(times[-1]) + 1.0, self.scenario.horizon)
        change = self._only_coalitions(until, draws)
        ensemble = ensemble_of_scenario(
            self.model, self.scenario, self._values(values, draws), size, until, change=change
        )
        curves = ensemble.solve(times, self.outputs, tolerance=SCORE_TOLERANCE, threads=self.threads)
        solved = curves.values.reshape(draws, self.n_courses, len(times), -1)
        resting = curves.baseline.reshape(draws, self.n_courses, 1, -1)[:, -1:]
        resting = np.broadcast_to(resting, (draws, 1, *solved.shape[2:]))
        return self._read(np.concatenate([solved, resting], axis=1), times)

    def _values(self, values: Mapping[str, np.ndarray], draws: int) -> dict[str, np.ndarray]:
        """Drawn values and switches [draw x patient]; the patient with expectancy alone has every switch on."""
        table = self.model.parameters.with_canonical_values(self.scenario.values)
        repeated_values = {name: np.repeat(column, self.n_courses) for name, column in values.items()}
        on = np.vstack([coalition_matrix(len(self.pathways)), np.ones((1, len(self.pathways)), dtype=bool)])
        for i, name in enumerate(self.pathways):
            repeated_values[name] = repeated_values.get(name, table[name].canonical) * np.tile(on[:, i], draws)
        return repeated_values

    def _only_coalitions(self, until: float, draws: int) -> DoseChange:
        """All dose events for the coalitions; expectancy and challenges only for the control."""
        treated = np.arange(draws * self.n_courses) % self.n_courses != self.n_courses - 1
        usual = events_of_scenario(self.scenario, self.model.parameters, {}, until)
        shared = {entry.compartment for doses in (usual.doses, usual.cycle) for entry in control_events(doses)}
        return lambda given: [e if e.compartment in shared else replace(e, amount=e.amount * treated) for e in given]

    def _read(self, values: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        readings = [read_endpoint(one, times, values[..., self.outputs.index(one.output)]) for one in self.endpoints]
        mood = values[:, :, np.searchsorted(times, self.hours), self.outputs.index(MOOD)]
        return np.stack(readings, axis=-1), mood


def attribute(
    model: Model, scenario: Scenario, *, endpoints: str | Sequence[str] | None = None, draws: int = DRAWS,
    seed: int = 1, threads: int = 1, progress: ShareProgress | None = None, hours: np.ndarray | None = None,
) -> Attribution:  # fmt: skip
    """Attribute the endpoints of a scenario to its pathways.

    `endpoints`: several, or joined by ';' (default: data/attribution/endpoints.csv); those after the horizon are
    skipped. `draws` of the posterior; pathway parameters that are not in the posterior are drawn from their spreads.
    `hours`: times (h) of the decomposition of MADRS (default: `shown_hours`). Raises InputError when every pathway is
    off or no endpoint lies within the horizon.
    """
    require_outputs(scenario.group, [MOOD])
    chosen, skipped = _requested_endpoints(model, scenario, endpoints)
    hours = shown_hours(scenario) if hours is None else hours
    game = CoalitionSimulator(model, scenario, chosen, switched_on_pathways(model, scenario), hours, threads)
    values = draw_attribution_parameters(model, scenario, draws, seed)
    coalition_values, course = game.evaluate_coalitions(values, progress)
    whole = np.isfinite(coalition_values).all(axis=(1, 2))
    if not whole[0]:
        what = "the scenario cannot be solved at the values of the tables"
        raise InputError(what, expected="doses that can be given")
    coalition_values, course = coalition_values[whole], course[whole]
    solved = {name: column[whole] for name, column in values.items()}
    names = tuple(name.removeprefix("pathway.") for name in game.pathways)
    return Attribution(
        scenario, _table(model, chosen, names, coalition_values), _totals(model, chosen, coalition_values),
        ("expectancy", "no pathway", *names), hours, _madrs_decomposition(course), coalition_values, solved,
        int((~whole).sum()), skipped, game.pathways,
    )  # fmt: skip


def switched_on_pathways(model: Model, scenario: Scenario) -> tuple[str, ...]:
    """Pathways that are switched on in the scenario, in table order. Raises InputError when all are off."""
    table = model.parameters.with_canonical_values(scenario.values)
    switches = tuple(name for name in table if name.startswith("pathway.") and table[name].value > 0)
    if not switches:
        raise InputError("every pathway is off", key="pathways", expected="at least one pathway that is on")
    return switches


@cache
def pathway_parameters() -> dict[str, dict[str, str]]:
    """{pathway: {parameter: reason}} of the parameters of each pathway. Raises InputError for a repeated row."""
    by_pathway: dict[str, dict[str, str]] = {}
    for row in read_table(PATHWAY_PARAMETERS, ("pathway", "parameter", "why")):
        parameters_of_pathway = by_pathway.setdefault(row["pathway"], {})
        if row["parameter"] in parameters_of_pathway:
            raise row.error("parameter", f"'{row['parameter']}' is already there", expected="each parameter once")
        parameters_of_pathway[row["parameter"]] = row["why"]
    return by_pathway


def draw_attribution_parameters(model: Model, scenario: Scenario, draws: int, seed: int) -> dict[str, np.ndarray]:
    """Parameters by name [1 + draw], canonical: the table value, then draws; those that the scenario sets stay."""
    table = model.parameters
    posterior = load_posterior(table=table)
    own = [
        n for n in dict.fromkeys(n for rows in pathway_parameters().values() for n in rows) if n not in scenario.values
    ]
    for name in own:
        require_known(name, table, f"no parameter '{name}'", file=PATHWAY_PARAMETERS, key="parameter")
    numbers = draw_parameters(table, own, seed, range(draws), vary=own) if draws else np.empty((0, len(own)))
    drawn_values = {name: np.r_[table[name].canonical, numbers[:, i]] for i, name in enumerate(own)}
    for name in (n for n in posterior[0] if n not in scenario.values):
        known = [posterior[i % len(posterior)][name] for i in range(draws)]
        drawn_values[name] = np.r_[table[name].canonical, known]
    return drawn_values


def default_endpoints(model: Model) -> list[Endpoint]:
    """The endpoints of an attribution for which none are chosen, with their names: data/attribution/endpoints.csv."""
    rows = read_table(DIRECTORY / "endpoints.csv", ("endpoint", "reads", "why"))
    return [replace(parse_endpoints(row["reads"], model)[0], text=row["endpoint"]) for row in rows]


def _requested_endpoints(
    model: Model, scenario: Scenario, endpoints: str | Sequence[str] | None
) -> tuple[tuple[Endpoint, ...], tuple[str, ...]]:
    """The endpoints within the horizon, and the names of those after it. Raises InputError if none is within."""
    chosen = default_endpoints(model) if endpoints is None else parse_endpoints(endpoints, model)
    late = tuple(one.text for one in chosen if one.hour > scenario.horizon)
    within = tuple(one for one in chosen if one.hour <= scenario.horizon)
    if not within:
        raise InputError(
            f"every endpoint is later than the horizon of {scenario.horizon:g} h", key="--endpoints",
            type_this="--endpoints 'mood.madrs at 24 h'",
        )  # fmt: skip
    return within, late


def shown_hours(scenario: Scenario) -> np.ndarray:
    """Times (h) of a decomposition, see `daily_times`."""
    return daily_times(scenario.horizon, scenario.regimen.starts(scenario.horizon))


def _table(
    model: Model, endpoints: Sequence[Endpoint], names: Sequence[str], coalition_values: np.ndarray
) -> pd.DataFrame:
    lines = []
    for j, endpoint in enumerate(endpoints):
        game, expectancy = coalition_values[:, :-2, j], coalition_values[:, -2, j]
        kinds = {"shapley": shapley(game), "loss_when_off": leave_one_out(game), "single_effect": single_effect(game)}
        drug = mean_interval(game[:, -1] - expectancy)[0]
        for i, name in enumerate(names):
            line: dict[str, object] = {
                "endpoint": endpoint.text, "output": endpoint.output, "unit": model.layout.units[endpoint.output],
                "pathway": name,
                "share": mean_interval(kinds["shapley"][:, i])[0] / drug if abs(drug) > SCORE_TOLERANCE else np.nan,
            }  # fmt: skip
            for kind, values in kinds.items():
                line |= _interval_columns(kind, values[:, i])
            lines.append(line)
    return pd.DataFrame(lines)


def _totals(model: Model, endpoints: Sequence[Endpoint], coalition_values: np.ndarray) -> pd.DataFrame:
    lines = []
    for j, endpoint in enumerate(endpoints):
        no_pathway, every_pathway, expectancy, resting = (coalition_values[:, k, j] for k in (0, -3, -2, -1))
        parts = {
            "baseline": resting, "expectancy": expectancy - resting, "no_pathway": no_pathway - expectancy,
            "pathways": every_pathway - no_pathway, "drug": every_pathway - expectancy, "full": every_pathway,
        }  # fmt: skip
        line: dict[str, object] = {
            "endpoint": endpoint.text, "output": endpoint.output, "unit": model.layout.units[endpoint.output],
        }  # fmt: skip
        for name, values in parts.items():
            line |= _interval_columns(name, values)
        lines.append(line)
    return pd.DataFrame(lines)


def _interval_columns(name: str, values: np.ndarray) -> dict[str, float]:
    """Mean of the draws, its interval, and the value at the table values."""
    mean, low, high = mean_interval(values)
    return {name: mean, f"{name}_low": low, f"{name}_high": high, f"{name}_tables": float(values[0])}


def mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % interval of the draws; values[0] is at the table values and is returned alone without draws."""
    if len(values) == 1:
        return float(values[0]), float("nan"), float("nan")
    return float(values[1:].mean()), *interval(values[1:])


def _madrs_decomposition(mood: np.ndarray) -> np.ndarray:
    """MADRS points [component, draw, time] of expectancy, no pathway and each pathway; they sum to the total change."""
    no_pathway, expectancy, resting = mood[:, 0], mood[:, -2], mood[:, -1]
    own = np.moveaxis(shapley(np.moveaxis(mood[:, :-2], 1, -1)), -1, 0)
    return np.concatenate([[expectancy - resting, no_pathway - expectancy], own])
