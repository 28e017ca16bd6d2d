"""Robustness of conclusions: all assumed parameters vary jointly over their spreads (Latin hypercubes).

A conclusion is the answer at the values of the tables. For each one the share of parameter sets with the same answer is
computed. A parameter separates the sets in which the conclusion holds from the others if this share differs between the
lowest and the highest fifth of the parameter. Sets are drawn in chunks, each a Latin hypercube with its own random
stream, so that more sets add to fewer. (A Sobol sequence in hundreds of dimensions has correlated columns for thousands
of points.) The result of the last sweep is stored in data/claims/robustness.csv.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ketamech.analysis.claims import DIRECTORY
from ketamech.analysis.conclusions import NO_RESULT, TIME_DECIMALS, Conclusion, ConclusionArm, all_conclusions
from ketamech.analysis.sensitivity import RANK_MARGIN, quantile, varied_parameters
from ketamech.core.atomic_files import atomic_write
from ketamech.core.checkpoint import Arrays
from ketamech.core.constants import SCORE_TOLERANCE
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import short_hash
from ketamech.core.execution import LOCAL_EXECUTOR, Executor
from ketamech.core.progress import ShareProgress
from ketamech.core.statistics import percentiles
from ketamech.parameters import Parameter
from ketamech.simulation.model import Model
from ketamech.simulation.observable import TimeCourse
from ketamech.simulation.output_times import output_times
from ketamech.simulation.simulate import ensemble_of_scenario

CHUNK = 256
TABLES = "tables"  # the unit with the values of the tables
QUANTILE_GROUPS = 5
PER_DOSE, FIRST_HOURS, N_FIRST = 40, 2.0, 21  # output times after each dose, and evenly over the first hours
HORIZON_MARGIN = 1e-3  # h
SEPARATION_THRESHOLD = 4.0  # standard errors between the lowest and the highest fifth; about one in 16,000 by chance
MAX_PARAMETERS_NAMED = 3
CALIBRATED_EFFECT, CALIBRATED_FOLD = "effect-24h", 2.0  # sets that keep the fitted drug effect within this factor


def assumed_parameters(model: Model) -> tuple[Parameter, ...]:
    """Parameters with the status assumed and a spread that enter equations, without properties of the patient."""
    rows = varied_parameters(model)
    return tuple(row for row in rows if row.status == "assumed" and not row.name.startswith("person."))


@dataclass(frozen=True)
class RobustnessProblem:
    """Conclusions, the arms that they read and the parameters that vary; a chunk of sets is a unit of `executor`."""

    model: Model
    conclusions: tuple[Conclusion, ...]
    arms: Mapping[Hashable, ConclusionArm]
    parameters: tuple[Parameter, ...]
    seed: int = 1
    threads: int = 1
    executor: Executor = LOCAL_EXECUTOR

    @classmethod
    def of(cls, model: Model, *, seed: int = 1, threads: int = 1, work: Executor = LOCAL_EXECUTOR) -> RobustnessProblem:
        """All conclusions of the shipped tables and all assumed parameters."""
        conclusions, arms = all_conclusions(model)
        return cls(model, conclusions, arms, assumed_parameters(model), seed, threads, work)

    def ranks(self, chunk: int) -> np.ndarray:
        """Ranks within (0, 1) of the sets of one chunk [set, parameter]; every column has one value per stratum."""
        from scipy.stats import qmc

        sampler = qmc.LatinHypercube(len(self.parameters), rng=np.random.default_rng([self.seed, chunk]))
        return np.clip(sampler.random(CHUNK), RANK_MARGIN, 1 - RANK_MARGIN)

    def evaluate(self, sets: int, progress: ShareProgress | None = None) -> ParameterSetAnswers:
        """Answers at the values of the tables and in `sets` parameter sets."""
        units: dict[str, int | None] = {TABLES: None}
        units |= {f"sets-{self.seed}-{chunk}": chunk for chunk in range(-(-sets // CHUNK))}
        parts = []
        for chunk_answers in self.executor.map(units, self.evaluate_chunk):
            parts.append(chunk_answers)
            if progress:
                progress(min(sets, max(0, len(parts) - 1) * CHUNK), sets)
        answers = np.concatenate([part["answers"] for part in parts])[: sets + 1]
        values = np.concatenate([part["values"] for part in parts])[: sets + 1]
        return ParameterSetAnswers(self, answers, values)

    def evaluate_chunk(self, chunk: int | None) -> Arrays:
        """Answers and numbers [set, conclusion] of a chunk; the chunk None holds the values of the tables."""
        drawn: dict[str, np.ndarray] = {}
        if chunk is not None:
            ranks = self.ranks(chunk)
            drawn = {row.name: quantile(row, ranks[:, i]) for i, row in enumerate(self.parameters)}
        size = 1 if chunk is None else CHUNK
        curves = {key: self.curves(arm, drawn, size) for key, arm in self.arms.items()}
        answers = np.empty((size, len(self.conclusions)), dtype=np.int8)
        values = np.empty((size, len(self.conclusions)), dtype=np.float32)
        for i in range(size):
            set_curves = _ParameterSetCurves(curves, i)
            for j, conclusion in enumerate(self.conclusions):
                answers[i, j], values[i, j] = conclusion.answer(set_curves)
        return {"answers": answers, "values": values}

    def curves(self, arm: ConclusionArm, drawn: Mapping[str, np.ndarray], size: int) -> ArmCurves:
        """Curves of one arm for the `size` sets of a chunk, whose values are `drawn` {parameter: [set]}.

        Parameters that the scenario sets keep their value.
        """
        values = {name: column for name, column in drawn.items() if name not in arm.scenario.values}
        until = max(arm.hours)
        ensemble = ensemble_of_scenario(
            self.model, arm.scenario, values, size, until + HORIZON_MARGIN, change=arm.change
        )
        times = _output_times(arm)
        curves = ensemble.solve(times, arm.outputs, tolerance=SCORE_TOLERANCE, threads=self.threads)
        return ArmCurves(times, arm.outputs, curves.values, curves.baseline)


def _output_times(arm: ConclusionArm) -> np.ndarray:
    """Output times (h): the times that are read, and dense times after every dose in between."""
    until = max(arm.hours)
    dense = output_times(until, sorted({0.0, *arm.scenario.regimen.starts(until)}), per_dose=PER_DOSE)
    times = np.r_[dense, np.linspace(0, min(FIRST_HOURS, until), N_FIRST), arm.hours]
    return np.unique(np.round(times, TIME_DECIMALS))


@dataclass(frozen=True)
class ArmCurves:
    """Curves [set, time, output] and drug-free values [set, output] of one arm."""

    times: np.ndarray
    names: tuple[str, ...]
    values: np.ndarray
    baseline: np.ndarray

    def one(self, i: int) -> TimeCourse:
        """The curves of one set."""
        outputs = {name: self.values[i, :, k] for k, name in enumerate(self.names)}
        return TimeCourse(self.times, outputs, dict(zip(self.names, map(float, self.baseline[i]), strict=True)))


class _ParameterSetCurves(dict[Hashable, TimeCourse]):
    """The curves of one parameter set by arm, made when they are first read."""

    def __init__(self, curves: Mapping[Hashable, ArmCurves], i: int) -> None:
        super().__init__()
        self._curves, self._i = curves, i

    def __missing__(self, key: Hashable) -> TimeCourse:
        self[key] = self._curves[key].one(self._i)
        return self[key]

    def get(self, key: Hashable, default: object = None) -> TimeCourse | None:  # type: ignore[override]
        """The curves of an arm, or None."""
        return self[key] if key in self._curves else None


@dataclass(frozen=True)
class ParameterSetAnswers:
    """Answers and numbers [1 + set, conclusion]; row 0 is at the values of the tables."""

    problem: RobustnessProblem
    answers: np.ndarray
    values: np.ndarray

    @property
    def n_sets(self) -> int:
        """Number of parameter sets."""
        return len(self.answers) - 1

    @cached_property
    def has_answer(self) -> np.ndarray:
        """Whether a set has an answer [set, conclusion]."""
        return np.asarray(self.answers[1:] != NO_RESULT)

    @cached_property
    def holds(self) -> np.ndarray:
        """Whether a set has the answer of the tables [set, conclusion]."""
        return np.asarray(self.has_answer & (self.answers[1:] == self.answers[0]))

    @cached_property
    def calibrated(self) -> np.ndarray:
        """Sets in which the drug effect after a day is within two-fold of that of the tables [set]."""
        names = [conclusion.id for conclusion in self.problem.conclusions]
        if CALIBRATED_EFFECT not in names:
            return np.ones(self.n_sets, dtype=bool)
        effect = self.values[:, names.index(CALIBRATED_EFFECT)]
        with np.errstate(divide="ignore", invalid="ignore"):
            fold = effect[1:] / effect[0]
        return np.asarray((fold > 1 / CALIBRATED_FOLD) & (fold < CALIBRATED_FOLD))

    def table(self) -> pd.DataFrame:
        """One row per conclusion.

        Columns: kind, conclusion, statement, finding (at the values of the tables), value (its number there),
        holds_share, calibrated_share (the same among sets that keep the drug effect), results (sets with an answer),
        low, median, high (5, 50, 95 % of the numbers), separated_by (parameter: share in its lowest and highest fifth).
        """
        separating = self.separating_parameters()
        lines = []
        for j, conclusion in enumerate(self.problem.conclusions):
            answered, calibrated = self.has_answer[:, j], self.has_answer[:, j] & self.calibrated
            nominal = int(self.answers[0, j])
            low, median, high = map(float, percentiles(self.values[1:, j], (5, 50, 95)))
            lines.append({
                "kind": conclusion.kind, "conclusion": conclusion.id, "statement": conclusion.statement,
                "finding": conclusion.words[nominal] if nominal != NO_RESULT else "no result",
                "value": float(self.values[0, j]), "holds_share": _share(self.holds[answered, j]),
                "calibrated_share": _share(self.holds[calibrated, j]), "results": int(answered.sum()),
                "low": low, "median": median, "high": high, "separated_by": separating[j],
            })  # fmt: skip
        return pd.DataFrame(lines)

    def separating_parameters(self) -> list[str]:
        """For each conclusion "parameter lowest-highest; ...": share of sets in which it holds, by fifth of a rank.

        Only parameters whose two shares differ by at least 4 standard errors, the largest differences first.
        """
        count = len(self.problem.parameters)
        held = np.zeros((2, len(self.problem.conclusions), count))
        total = np.zeros_like(held)
        for chunk, first in enumerate(range(0, self.n_sets, CHUNK)):
            part = slice(first, min(first + CHUNK, self.n_sets))
            ranks = self.problem.ranks(chunk)[: part.stop - first]
            for k, inside in enumerate((ranks < 1 / QUANTILE_GROUPS, ranks > 1 - 1 / QUANTILE_GROUPS)):
                held[k] += self.holds[part].T.astype(float) @ inside
                total[k] += self.has_answer[part].T.astype(float) @ inside
        with np.errstate(divide="ignore", invalid="ignore"):
            share = held / total
            pooled = held.sum(axis=0) / total.sum(axis=0)
            error = np.sqrt(pooled * (1 - pooled) * (1 / total[0] + 1 / total[1]))
            distance = np.abs(share[1] - share[0]) / error
        return [self._named(share[:, j], np.nan_to_num(distance[j])) for j in range(share.shape[1])]

    def _named(self, share: np.ndarray, distance: np.ndarray) -> str:
        best = np.argsort(-distance, kind="stable")[:MAX_PARAMETERS_NAMED]
        return "; ".join(
            f"{self.problem.parameters[i].name} {share[0, i]:.2f}-{share[1, i]:.2f}"
            for i in best
            if distance[i] >= SEPARATION_THRESHOLD
        )


def _share(holds: np.ndarray) -> float:
    return float(holds.mean()) if len(holds) else float("nan")


ROBUST = 0.9  # share of parameter sets below which a conclusion is the consequence of an assumption
ROBUSTNESS_FILE, RUN_FILE = "robustness.csv", "robustness_run.csv"
TEXT_COLUMNS = ("kind", "conclusion", "statement", "finding", "separated_by")
NUMBER_COLUMNS = ("value", "holds_share", "calibrated_share", "low", "median", "high")
COLUMNS = (
    "kind", "conclusion", "statement", "finding", "value", "holds_share", "calibrated_share", "results", "low",
    "median", "high", "separated_by",
)  # fmt: skip
ASSUMPTION_LABEL = "consequence of an assumption"


@dataclass(frozen=True)
class RobustnessRow:
    """One conclusion: its finding at the values of the tables and the share of parameter sets in which it holds.

    `calibrated_share`: the same among the sets that keep the drug effect after a day within two-fold. `results`: sets
    with an answer. `low`, `median`, `high`: 5, 50, 95 % of its number. `separated_by`: "parameter lowest-highest; ...",
    share of sets in which the conclusion holds in the lowest and in the highest fifth of that parameter.
    """

    kind: str
    conclusion: str
    statement: str
    finding: str
    value: float
    holds_share: float
    calibrated_share: float
    results: int
    low: float
    median: float
    high: float
    separated_by: str

    @property
    def is_consequence(self) -> bool:
        """Whether the conclusion is the consequence of an assumption."""
        return not self.holds_share >= ROBUST

    @property
    def text(self) -> str:
        """The percentage, with the label of an assumption where it is below 90 %."""
        if math.isnan(self.holds_share):
            return "no result"
        return f"{percent(self.holds_share)} %" + (f", {ASSUMPTION_LABEL}" if self.is_consequence else "")

    @property
    def where_it_stops(self) -> str:
        """The separating parameters in words; empty if there is none."""
        ranges = []
        for part in filter(None, self.separated_by.split("; ")):
            name, _, shares = part.rpartition(" ")
            low, high = (f"{100 * float(share):.0f} %" for share in shares.split("-"))
            ranges.append(f"{name} ({low} in its lowest fifth, {high} in its highest)")
        return "; ".join(ranges)


def percent(share: float) -> str:
    """A share as a percentage without decimals, rounded down, so that 100 and 90 mean at least that."""
    return f"{math.floor(100 * share + 1e-9):d}"  # the product may be a rounding error too small


@dataclass(frozen=True)
class StoredRobustness:
    """Rows by kind and conclusion, and the facts of the run: sets, seed, parameters, date, equations, values."""

    rows: Mapping[tuple[str, str], RobustnessRow]
    run_settings: Mapping[str, str]

    def claim(self, name: str) -> RobustnessRow | None:
        """The row of a claim."""
        return self.rows.get(("claim", name))

    def is_current(self, model: Model) -> bool:
        """Whether equations and parameter values are those of the run."""
        return {name: self.run_settings.get(name, "") for name in ("equations", "values")} == _identity(model)

    def note(self, model: Model | None = None) -> str:
        """How the shares were computed, and with `model` whether it has changed since."""
        if not self.run_settings:
            return "The robustness of these conclusions has not been computed."
        facts = self.run_settings
        message = (
            f"Robustness: {facts['sets']} sets of {facts['parameters']} assumed parameters, drawn jointly over their"
            f" spreads, seed {facts['seed']}, {facts['date']}."
        )
        changed = model is not None and not self.is_current(model)
        return message + (" The model has changed since; run ketamech claims --robust again." if changed else "")


@cache
def load_robustness(folder: Path = DIRECTORY) -> StoredRobustness:
    """The stored result; empty if there is none. Raises InputError for a bad cell."""
    if not (folder / ROBUSTNESS_FILE).is_file() or not (folder / RUN_FILE).is_file():
        return StoredRobustness({}, {})
    rows = [_row(row) for row in read_table(folder / ROBUSTNESS_FILE, COLUMNS)]
    facts = {row["name"]: row["value"] for row in read_table(folder / RUN_FILE, ("name", "value"))}
    return StoredRobustness({(row.kind, row.conclusion): row for row in rows}, facts)


def _row(row: CsvRow) -> RobustnessRow:
    numbers = {name: row.number_or(name, math.nan) for name in NUMBER_COLUMNS}
    texts = {name: row[name] for name in TEXT_COLUMNS}
    return RobustnessRow(results=int(row.number("results")), **texts, **numbers)  # type: ignore[arg-type]


def _identity(model: Model) -> dict[str, str]:
    """Hashes of the equations and of the parameter rows."""
    text = "\n".join(f"{row.name}={row.canonical!r} {row.spread}" for row in model.parameters.values())
    return {"equations": model.layout.fingerprint, "values": short_hash(text)}


def write_robustness(folder: Path, answers: ParameterSetAnswers) -> list[Path]:
    """Write the table and the facts of the run as CSV files; returns their paths."""
    problem = answers.problem
    facts = {
        "sets": str(answers.n_sets), "parameters": str(len(problem.parameters)), "seed": str(problem.seed),
        "date": date.today().isoformat(), "conclusions": str(len(problem.conclusions)),
        "sets_with_the_drug_effect": f"{answers.calibrated.mean():.3f}", **_identity(problem.model),
    }  # fmt: skip
    table, run = folder / ROBUSTNESS_FILE, folder / RUN_FILE
    atomic_write(table, _csv_text(answers.table()[list(COLUMNS)]).encode())
    atomic_write(run, ("name,value\n" + "".join(f"{name},{value}\n" for name, value in facts.items())).encode())
    return [table, run]


def _csv_text(table: pd.DataFrame) -> str:
    return str(table.to_csv(index=False, lineterminator="\n", float_format="%.4g"))
