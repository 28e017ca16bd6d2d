"""Which parameter moves which outcome: one at a time (tornado), Morris screening and Sobol indices through SALib.

Every parameter moves over its own spread: ranks in (0, 1) become values by the quantiles of its row (lognormal, normal
kept on its side of zero, uniform). The engine solves all points in batches; a failed solve is counted, and its
trajectory or block is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ketamech.core import BadInput, UnknownName, nearest, unit
from ketamech.engine import rest, solve
from ketamech.parameters import Parameter
from ketamech.study import Model, Scenario, entries
from ketamech.study.cohort import event_table

if TYPE_CHECKING:
    import pandas as pd

OUTCOME = re.compile(r"^\s*([\w.]+)\s+(?:at\s+(?:day\s+([\d.]+)|([\d.]+)\s*(min|h|d|weeks?))|(peak|lowest))\s*$")
CHUNK, TOLERANCE, EDGE = 8192, 1e-4, 1e-6
LOW, HIGH = 0.05, 0.95
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Outcome:
    """An output at an hour, or its highest or lowest value (`how` "at", "peak" or "lowest")."""

    words: str
    output: str
    how: str
    hour: float = 0.0


def outcomes(text: str, model: Model) -> tuple[Outcome, ...]:
    """Outcomes from words joined by ';', e.g. "mood.madrs at 24 h; dissociation.cadss peak". Raises BadInput."""
    return tuple(_outcome(part.strip(), model) for part in text.split(";") if part.strip())


def _outcome(words: str, model: Model) -> Outcome:
    match = OUTCOME.match(words)
    if not match:
        raise BadInput(
            f"'{words}' is no outcome", key="--outcomes", type_this="mood.madrs at day 28; dissociation.cadss peak"
        )
    if match[1] not in model.layout.output_names:
        near = nearest(match[1], model.layout.output_names)
        raise UnknownName(f"there is no output '{match[1]}'", key="--outcomes", nearest=near)
    if match[5]:
        return Outcome(words, match[1], match[5])
    if match[2]:
        return Outcome(words, match[1], "at", (float(match[2]) - 1) * 24)
    hours = {"m": 1 / 60, "h": 1.0, "d": 24.0, "w": 168.0}[match[4][0]]
    return Outcome(words, match[1], "at", float(match[3]) * hours)


def varied(model: Model, names: Sequence[str] | None = None) -> tuple[Parameter, ...]:
    """Parameters with a spread that enter equations, or those named (a stage names all of its). Raises UnknownName."""
    table = model.parameters
    rows = [table[name] for name in model.layout.parameter_names if table[name].spread.kind != "fixed"]
    if names is None:
        return tuple(rows)
    known = {row.name for row in rows} | {row.name.split(".")[0] for row in rows}
    for name in names:
        if name not in known:
            raise UnknownName(f"nothing called '{name}' can vary", key="--parameters", nearest=nearest(name, known))
    return tuple(row for row in rows if row.name in names or row.name.split(".")[0] in names)


def quantile(row: Parameter, u: np.ndarray) -> np.ndarray:
    """Canonical values at ranks `u` of a row's spread; a normal spread stays on its row's side of zero."""
    from scipy.special import ndtr, ndtri

    a, b = row.spread.a or 0.0, row.spread.b or 0.0
    if row.spread.kind == "uniform":
        found = a + (b - a) * u
    elif row.spread.kind == "lognormal":
        found = row.value * np.exp(a * ndtri(u))
    elif row.value == 0 or a == 0:
        found = row.value + a * ndtri(u)
    else:
        wrong = float(ndtr(-abs(row.value) / a))  # share of draws on the other side
        rank = wrong + u * (1 - wrong) if row.value > 0 else u * (1 - wrong)
        found = row.value + a * ndtri(rank)
    return found * unit(row.unit).factor


@dataclass(frozen=True)
class Question:
    """A scenario, what is looked at, and what varies; `threads` of the engine."""

    model: Model
    scenario: Scenario
    outcomes: tuple[Outcome, ...]
    rows: tuple[Parameter, ...]
    threads: int = 1

    def evaluate(self, ranks: np.ndarray, tell: Tell | None = None) -> np.ndarray:
        """Outcomes [point, outcome] at ranks [point, parameter]; NaN where a solve failed."""
        parts = []
        for first in range(0, len(ranks), CHUNK):
            parts.append(self._chunk(np.clip(ranks[first : first + CHUNK], EDGE, 1 - EDGE)))
            if tell:
                tell(min(first + CHUNK, len(ranks)), len(ranks))
        return np.concatenate(parts)

    def _chunk(self, ranks: np.ndarray) -> np.ndarray:
        layout, table = self.model.layout, self.model.parameters.with_values(dict(self.scenario.values))
        usual = [table[name].canonical for name in layout.parameter_names]
        inputs = np.tile(np.array([*usual, *([0.0] * len(layout.rested))]), (len(ranks), 1))
        place = {name: i for i, name in enumerate(layout.parameter_names)}
        person: dict[str, Any] = dict(self.scenario.values)
        for k, row in enumerate(self.rows):
            person[row.name] = inputs[:, place[row.name]] = quantile(row, ranks[:, k])
        times = self._times()
        given = entries(self.scenario.regimen, self.model.parameters, person, float(times[-1]) + 1.0)
        start, rested = rest(self.model.kernel, inputs, threads=self.threads)
        names = tuple(dict.fromkeys(o.output for o in self.outcomes))
        solution = solve(
            self.model.kernel, start, inputs, event_table(self.model, given, len(ranks)), times,
            outputs=names, tolerance=TOLERANCE, threads=self.threads,
        )  # fmt: skip
        solution.values[~rested] = np.nan
        return np.column_stack(
            [self._read(o, times, solution.values[:, :, names.index(o.output)]) for o in self.outcomes]
        )

    def _times(self) -> np.ndarray:
        """Hours at which something is read; for a peak, closely after the first dose and daily to the horizon."""
        hours = {0.0, *(o.hour for o in self.outcomes if o.how == "at")}
        if any(o.how != "at" for o in self.outcomes):
            hours |= {float(h) for h in np.round(np.geomspace(0.1, 48, 40), 4)}
            hours |= {float(h) for h in np.arange(24.0, self.scenario.horizon, 24.0)}
        return np.array(sorted(hours))

    @staticmethod
    def _read(outcome: Outcome, times: np.ndarray, values: np.ndarray) -> np.ndarray:
        if outcome.how == "at":
            return values[:, int(np.searchsorted(times, outcome.hour))]
        return values.max(axis=1) if outcome.how == "peak" else values.min(axis=1)


def tornado(question: Question, tell: Tell | None = None) -> pd.DataFrame:
    """Each parameter alone at the 5th and 95th percentile of its spread, the others at their middle.

    Columns: outcome, parameter, low, high (the outcome there), usual, swing; largest swing first.
    """
    import pandas as pd

    n = len(question.rows)
    ranks = np.full((2 * n + 1, n), 0.5)
    for k in range(n):
        ranks[2 * k, k], ranks[2 * k + 1, k] = LOW, HIGH
    found = question.evaluate(ranks, tell)
    lines = []
    for j, outcome in enumerate(question.outcomes):
        for k, row in enumerate(question.rows):
            low, high = found[2 * k, j], found[2 * k + 1, j]
            lines.append(
                {
                    "outcome": outcome.words,
                    "parameter": row.name,
                    "low": low,
                    "high": high,
                    "usual": found[-1, j],
                    "swing": abs(high - low),
                }
            )
    return pd.DataFrame(lines).sort_values(["outcome", "swing"], ascending=[True, False], ignore_index=True)


def morris(question: Question, trajectories: int, seed: int = 1, tell: Tell | None = None) -> pd.DataFrame:
    """Elementary effects: outcome, parameter, mu_star (with 95 % half-width) and sigma, on the scale of ranks."""
    import pandas as pd
    from SALib.analyze import morris as analyse
    from SALib.sample import morris as sample

    problem = _problem(question)
    ranks = sample.sample(problem, trajectories, seed=seed)
    found = question.evaluate(ranks, tell)
    block = len(question.rows) + 1
    whole = np.isfinite(found).all(axis=1).reshape(-1, block).all(axis=1).repeat(block)
    _refuse_few(whole, block)
    lines = []
    for j, outcome in enumerate(question.outcomes):
        result = analyse.analyze(problem, ranks[whole], found[whole, j], seed=seed)
        for k, row in enumerate(question.rows):
            numbers = {
                "mu_star": result["mu_star"][k],
                "half_width": result["mu_star_conf"][k],
                "sigma": result["sigma"][k],
            }
            lines.append({"outcome": outcome.words, "parameter": row.name, **{m: float(v) for m, v in numbers.items()}})
    return pd.DataFrame(lines).sort_values(["outcome", "mu_star"], ascending=[True, False], ignore_index=True)


def sobol(question: Question, base: int, seed: int = 1, tell: Tell | None = None) -> pd.DataFrame:
    """First-order and total indices with 95 % half-widths from `base` (a power of 2) x (parameters + 2) solves."""
    import pandas as pd
    from SALib.analyze import sobol as analyse
    from SALib.sample import sobol as sample

    problem = _problem(question)
    ranks = sample.sample(problem, base, calc_second_order=False, seed=seed)
    found = question.evaluate(ranks, tell)
    block = len(question.rows) + 2
    whole = np.isfinite(found).all(axis=1).reshape(-1, block).all(axis=1).repeat(block)
    _refuse_few(whole, block)
    lines = []
    for j, outcome in enumerate(question.outcomes):
        result = analyse.analyze(problem, found[whole, j], calc_second_order=False, seed=seed)
        for k, row in enumerate(question.rows):
            numbers = {
                "first": result["S1"][k],
                "first_half_width": result["S1_conf"][k],
                "total": result["ST"][k],
                "total_half_width": result["ST_conf"][k],
            }
            lines.append({"outcome": outcome.words, "parameter": row.name, **{m: float(v) for m, v in numbers.items()}})
    return pd.DataFrame(lines).sort_values(["outcome", "total"], ascending=[True, False], ignore_index=True)


def _problem(question: Question) -> Mapping[str, Any]:
    names = [row.name for row in question.rows]
    if len(names) < 2:
        raise BadInput(f"{len(names)} parameters vary", key="--parameters", expected="at least 2 with a spread")
    return {"num_vars": len(names), "names": names, "bounds": [[EDGE, 1 - EDGE]] * len(names)}


def _refuse_few(whole: np.ndarray, block: int) -> None:
    if whole.sum() < 4 * block:
        raise BadInput("too few points could be solved", key="--n", expected="more points, or fewer parameters")
