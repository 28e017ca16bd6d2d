"""Which pathway carries how much of an outcome: Shapley values over the switches, what is lost with one off, what one
gives alone, each with its interval over the posterior and the spreads of the parameters that carry the pathways.

Every coalition of switches is simulated for every draw, in batches: 256 x 201 patients for eight switches and 200
draws. Hope is no pathway: it is what the same person without the drug gains. What the drug does with every switch off
(dissociation, or unblinding that feeds hope) is nobody's share and is shown as such.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ketamech.analysis.sensitivity import Endpoint, parse_endpoints, reading_hours
from ketamech.analysis.shapley import coalition_matrix, leave_one_out, shapley, single_effect
from ketamech.core import InputError, closest_match
from ketamech.core.csv_table import read_table
from ketamech.core.paths import DATA
from ketamech.estimation.posterior import load_posterior
from ketamech.population.parameter_sampling import draw_parameters
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.scenario_ensemble import Change, ensemble_of_scenario, events_of_scenario, untreated

if TYPE_CHECKING:
    import pandas as pd

DIRECTORY = DATA / "attribution"
MOOD, DRAWS, TOLERANCE = "mood.madrs", 200, 1e-4
BYTES, MAX_BATCH = 2**26, 4096  # of results in one batch; patients in one batch
LOW, HIGH = 2.5, 97.5
SHOWN_HOURS, AFTER_DOSE = 48, (1.0, 2.0, 4.0, 8.0, 16.0)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Attribution:
    """Who carries what of a scenario.

    `table`: a line for each outcome and pathway: outcome, output, unit, pathway, share (of what the drug adds), and
    shapley, lost, alone: the mean of the draws, `_low` and `_high` (95 % of draws), `_tables` (at the values of the
    tables). `totals`: a line an outcome: rest, hope, no_pathway, pathways, full, each the mean of the draws, and the
    same at the tables' values. Means of draws add up; medians would not. `course` [part, draw, time]: MADRS points of
    hope, of no pathway and of each pathway at `times` (h), draw 0 the tables' values; `parts` names them. `worth`
    [draw, coalition, outcome]. `values`: the drawn parameters [draw]. `failed`: draws left out.
    """

    scenario: Scenario
    table: pd.DataFrame
    totals: pd.DataFrame
    components: tuple[str, ...]
    times: np.ndarray
    madrs_decomposition: np.ndarray
    coalition_values: np.ndarray
    values: Mapping[str, np.ndarray]
    failed: int
    skipped: tuple[str, ...]
    active_pathways: tuple[str, ...]

    @property
    def doses(self) -> int:
        """How many times something is given."""
        return len(dose_hours(self.scenario))


@dataclass(frozen=True)
class CoalitionSimulator:
    """A scenario played by its switches: what is looked at, and at which hours MADRS is shown."""

    model: Model
    scenario: Scenario
    outcomes: tuple[tuple[str, Endpoint], ...]
    pathways: tuple[str, ...]
    hours: np.ndarray
    threads: int = 1

    def evaluate_coalitions(
        self, values: Mapping[str, np.ndarray], tell: Progress | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Outcomes [draw, coalition, outcome] and MADRS [draw, coalition, hour]; NaN where a solve failed.

        After the 2^n coalitions stand two more: hope without the drug, and rest.
        """
        draws = len(next(iter(values.values())))
        worth, course = [], []
        for part in self._batches(draws):
            found = self._batch({name: column[part] for name, column in values.items()}, len(part))
            worth.append(found[0])
            course.append(found[1])
            if tell:
                tell(int(part[-1]) + 1, draws)
        return np.concatenate(worth), np.concatenate(course)

    @property
    def n_courses(self) -> int:
        """Simulated courses a draw: every coalition, and hope alone."""
        return int(2 ** len(self.pathways)) + 1

    @property
    def times(self) -> np.ndarray:
        """Hours (h) at which anything is read."""
        hours = {0.0, *(o.hour for _, o in self.outcomes if o.statistic == "at"), *map(float, self.hours)}
        if any(o.statistic != "at" for _, o in self.outcomes):
            hours |= {h for h in reading_hours(self.scenario, self.scenario.horizon) if h <= self.scenario.horizon}
        return np.array(sorted(hours))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Outputs that are read."""
        return tuple(dict.fromkeys([MOOD, *(o.output for _, o in self.outcomes)]))

    def _batches(self, draws: int) -> Iterator[np.ndarray]:
        each = 8 * self.n_courses * len(self.times) * len(self.outputs)
        together = max(1, min(BYTES // each, MAX_BATCH // self.n_courses))
        for first in range(0, draws, together):
            yield np.arange(first, min(first + together, draws))

    def _batch(self, values: Mapping[str, np.ndarray], draws: int) -> tuple[np.ndarray, np.ndarray]:
        size, times = draws * self.n_courses, self.times
        until = max(float(times[-1]) + 1.0, self.scenario.horizon)
        everybody = ensemble_of_scenario(
            self.model,
            self.scenario,
            self._values(values, draws),
            size,
            until,
            change=self._only_coalitions(until, draws),
        )
        found = everybody.solve(times, self.outputs, tolerance=TOLERANCE, threads=self.threads)
        draw_parameters = found.values.reshape(draws, self.n_courses, len(times), -1)
        resting = found.baseline.reshape(draws, self.n_courses, 1, -1)[:, -1:]
        everything = np.concatenate(
            [draw_parameters, np.broadcast_to(resting, (draws, 1, *draw_parameters.shape[2:]))], axis=1
        )
        return self._read(everything, times)

    def _values(self, values: Mapping[str, np.ndarray], draws: int) -> dict[str, np.ndarray]:
        """Drawn values and switches [draw x course]; after the coalitions, hope alone has every switch on."""
        table = self.model.parameters.with_values(dict(self.scenario.values))
        found = {name: np.repeat(column, self.n_courses) for name, column in values.items()}
        on = np.vstack([coalition_matrix(len(self.pathways)), np.ones((1, len(self.pathways)), dtype=bool)])
        for i, name in enumerate(self.pathways):
            found[name] = found.get(name, table[name].canonical) * np.tile(on[:, i], draws)
        return found

    def _only_coalitions(self, until: float, draws: int) -> Change:
        """Gives the coalitions everything and the control its hopes and challenges, as in any scenario."""
        treated = np.arange(draws * self.n_courses) % self.n_courses != self.n_courses - 1
        usual = events_of_scenario(self.scenario, self.model.parameters, {}, until)
        shared = {entry.compartment for doses in (usual.doses, usual.cycle) for entry in untreated(doses)}
        return lambda given: [e if e.compartment in shared else replace(e, amount=e.amount * treated) for e in given]

    def _read(self, values: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = []
        for _, outcome in self.outcomes:
            curve = values[..., self.outputs.index(outcome.output)]
            if outcome.statistic == "at":
                found.append(curve[..., int(np.searchsorted(times, outcome.hour))])
            else:
                found.append(curve.max(axis=-1) if outcome.statistic == "peak" else curve.min(axis=-1))
        mood = values[:, :, np.searchsorted(times, self.hours), self.outputs.index(MOOD)]
        return np.stack(found, axis=-1), mood


def attribute(
    model: Model, scenario: Scenario, *, wanted: str | None = None, draws: int = DRAWS, seed: int = 1, threads: int = 1,
    tell: Progress | None = None,
) -> Attribution:  # fmt: skip
    """Share out the outcomes of a scenario among its pathways.

    `wanted`: outcomes in words joined by ';' (default: data/attribution/outcomes.csv); those after the horizon are
    skipped. `draws` of the posterior, with the parameters that carry the pathways drawn from their spreads where the
    posterior does not know them. Raises BadInput when every switch is off or nothing is looked at.
    """
    asked, skipped = _asked(model, scenario, wanted)
    hours = shown_hours(scenario)
    game = CoalitionSimulator(model, scenario, asked, players(model, scenario), hours, threads)
    values = drawn(model, scenario, draws, seed)
    worth, course = game.evaluate_coalitions(values, tell)
    whole = np.isfinite(worth).all(axis=(1, 2))
    if not whole[0]:
        raise InputError(
            "the scenario cannot be solved at the values of the tables", expected="doses that can be given"
        )
    worth, course = worth[whole], course[whole]
    kept = {name: column[whole] for name, column in values.items()}
    names = tuple(name.removeprefix("pathway.") for name in game.pathways)
    return Attribution(
        scenario,
        _table(model, asked, names, worth),
        _totals(model, asked, worth),
        ("hope", "no pathway", *names),
        hours,
        _course(course),
        worth,
        kept,
        int((~whole).sum()),
        skipped,
        game.pathways,
    )


def players(model: Model, scenario: Scenario) -> tuple[str, ...]:
    """Switches that are on in the scenario, in the order of the table. Raises BadInput when none is."""
    table = model.parameters.with_values(dict(scenario.values))
    found = tuple(name for name in table if name.startswith("pathway.") and table[name].value > 0)
    if not found:
        raise InputError(
            "every pathway is off", key="pathways", expected="at least one that is on: nothing to share out"
        )
    return found


@cache
def pathway_parameters() -> dict[str, dict[str, str]]:
    """{pathway: {parameter that carries it: why}}. Raises BadInput for a row given twice."""
    found: dict[str, dict[str, str]] = {}
    for row in read_table(DIRECTORY / "carriers.csv", ("pathway", "parameter", "why")):
        mine = found.setdefault(row["pathway"], {})
        if row["parameter"] in mine:
            raise row.error("parameter", f"'{row['parameter']}' is already there", expected="each parameter once")
        mine[row["parameter"]] = row["why"]
    return found


def drawn(model: Model, scenario: Scenario, draws: int, seed: int) -> dict[str, np.ndarray]:
    """Parameters by name [1 + draw], canonical: first the table's value, then draws; what the scenario sets stays."""
    table = model.parameters
    posterior = load_posterior(table=table)
    own = [
        n for n in dict.fromkeys(n for rows in pathway_parameters().values() for n in rows) if n not in scenario.values
    ]
    for name in own:
        if name not in table:
            near = closest_match(name, table)
            raise InputError(f"no parameter '{name}'", file=DIRECTORY / "carriers.csv", key="parameter", nearest=near)
    numbers = draw_parameters(table, own, seed, range(draws), vary=own) if draws else np.empty((0, len(own)))
    found = {name: np.r_[table[name].canonical, numbers[:, i]] for i, name in enumerate(own)}
    for name in (n for n in posterior[0] if n not in scenario.values):
        known = [posterior[i % len(posterior)][name] for i in range(draws)]
        found[name] = np.r_[table[name].canonical, known]
    return found


def _asked(
    model: Model, scenario: Scenario, wanted: str | None
) -> tuple[tuple[tuple[str, Endpoint], ...], tuple[str, ...]]:
    if wanted is None:
        rows = read_table(DIRECTORY / "outcomes.csv", ("outcome", "reads", "why"))
        found = [(row["outcome"], parse_endpoints(row["reads"], model)[0]) for row in rows]
    else:
        found = [(outcome.text, outcome) for outcome in parse_endpoints(wanted, model)]
    late = tuple(words for words, outcome in found if outcome.hour > scenario.horizon)
    kept = tuple(pair for pair in found if pair[0] not in late)
    if not kept:
        raise InputError(
            f"every endpoint is later than the horizon of {scenario.horizon:g} h", key="--endpoints",
            type_this="--endpoints 'mood.madrs at 24 h'",
        )  # fmt: skip
    return kept, late


def shown_hours(scenario: Scenario) -> np.ndarray:
    """From hour 1 to the horizon, ever wider after one dose; daily and closer around many."""
    horizon = scenario.horizon
    doses, grid = dose_hours(scenario), np.geomspace(1.0, horizon, SHOWN_HOURS)
    if len(doses) > 1:
        after = [at + h for at in doses[:SHOWN_HOURS] for h in (0.0, *AFTER_DOSE)]
        grid = np.unique([1.0, *np.arange(24.0, horizon, 24.0), *after, horizon])
    return np.unique(np.round(grid[(grid >= 1.0) & (grid <= horizon)], 4))


def dose_hours(scenario: Scenario) -> list[float]:
    """Hours at which anything is given, each once."""
    return sorted({at for t in scenario.regimen.treatments for at in t.starts(scenario.horizon)})


def _table(
    model: Model, asked: Sequence[tuple[str, Endpoint]], names: Sequence[str], worth: np.ndarray
) -> pd.DataFrame:
    import pandas as pd

    lines = []
    for j, (words, outcome) in enumerate(asked):
        game, hope = worth[:, :-2, j], worth[:, -2, j]
        kinds = {"shapley": shapley(game), "lost": leave_one_out(game), "alone": single_effect(game)}
        drug = mean_interval(game[:, -1] - hope)[0]
        for i, name in enumerate(names):
            line: dict[str, object] = {
                "outcome": words, "output": outcome.output, "unit": model.layout.units[outcome.output], "pathway": name,
                "share": mean_interval(kinds["shapley"][:, i])[0] / drug if abs(drug) > TOLERANCE else np.nan,
            }  # fmt: skip
            for kind, values in kinds.items():
                line |= dict(zip((kind, f"{kind}_low", f"{kind}_high"), mean_interval(values[:, i]), strict=True))
                line[f"{kind}_tables"] = float(values[0, i])
            lines.append(line)
    return pd.DataFrame(lines)


def _totals(model: Model, asked: Sequence[tuple[str, Endpoint]], worth: np.ndarray) -> pd.DataFrame:
    import pandas as pd

    lines = []
    for j, (words, outcome) in enumerate(asked):
        nobody, everybody, hope, resting = (worth[:, k, j] for k in (0, -3, -2, -1))
        parts = {
            "rest": resting, "hope": hope - resting, "no_pathway": nobody - hope, "pathways": everybody - nobody,
            "drug": everybody - hope, "full": everybody,
        }  # fmt: skip
        line: dict[str, object] = {
            "outcome": words, "output": outcome.output, "unit": model.layout.units[outcome.output],
        }  # fmt: skip
        for name, values in parts.items():
            line |= dict(zip((name, f"{name}_low", f"{name}_high"), mean_interval(values), strict=True))
            line[f"{name}_tables"] = float(values[0])
        lines.append(line)
    return pd.DataFrame(lines)


def mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % of draws of values [draw], of which the first is the tables' own; that one alone without draws."""
    if len(values) == 1:
        return float(values[0]), float("nan"), float("nan")
    low, high = np.percentile(values[1:], [LOW, HIGH])
    return float(values[1:].mean()), float(low), float(high)


def _course(mood: np.ndarray) -> np.ndarray:
    """MADRS points [part, draw, time] of hope, no pathway and each pathway; they add up to the whole change."""
    nobody, hope, resting = mood[:, 0], mood[:, -2], mood[:, -1]
    own = np.moveaxis(shapley(np.moveaxis(mood[:, :-2], 1, -1)), -1, 0)
    return np.concatenate([[hope - resting, nobody - hope], own])
