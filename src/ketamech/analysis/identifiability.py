"""Combinations of parameters that no data can separate: exact from the equations, and numerical over scored outputs.

Exact: a one-parameter group changes parameters and rescales unobserved states and outputs so that every equation keeps
its form (Lie symmetries with a scaling ansatz, Merkt 2015). The conditions are linear in the generator; they are
evaluated at random states with derivatives by complex step. Their null space holds every invariance of this form, such
as two weights that occur only as a product or only as a sum, and parameters on which no observed output depends.

Numerical: the matrix of the changes of all scored readings by a move of each parameter of one spread. Directions with
small singular values cannot be seen in the readings; parameters with nearly parallel columns cannot be separated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy

from ketamech.analysis.conclusions import ArmTable, ConclusionArm, all_conclusions
from ketamech.analysis.reference_protocols import load_protocols
from ketamech.analysis.robustness import RobustnessProblem
from ketamech.analysis.scorecard_targets import load_targets
from ketamech.analysis.sensitivity import quantile, varied_parameters
from ketamech.core import ModelError
from ketamech.dosing.perturbations import perturbations_by_name
from ketamech.evidence import load_evidence
from ketamech.model.system import System
from ketamech.parameters import Parameter
from ketamech.simulation.ensemble import Ensemble
from ketamech.simulation.model import Model
from ketamech.simulation.simulate import events_of_scenario
from ketamech.trials.rating_scales import load_scales

N_RANDOM_STATES = 60
COMPLEX_STEP = 1e-30
SINGULAR_VALUE_TOLERANCE = 1e-9  # relative
MOVED_STATES_SHARE = 0.4
ZERO_BASELINE = 1e-3  # in typical sizes; a baseline below it counts as 0
SPREADS = (0.02, 0.05, 0.2, 0.7)  # of the logarithm of random states around the baseline, in turn
MIN_DECIMAL_EXPONENT = -3.0  # smallest size of a moved state of baseline 0, in typical sizes; at most its inverse
BOUNDED_SHARES = (0.05, 0.95)  # of its range, between which a state beyond its bound is put back
INPUT_SPREAD = 0.5  # of the logarithm
VALUE_SPREAD = 0.2  # of the logarithm of parameters, at which a symmetry must also hold to be a product
NOT_ESTIMATED_STAGES = ("person", "pathway", "perturbation", "drug")  # properties of the patient and switches
RESIDUAL_TOLERANCE = 1e-6  # of conditions of size 1
EXPONENT_TOLERANCE = 1e-6
LOW_PROBABILITY, HIGH_PROBABILITY = 0.16, 0.84  # of a spread, between which a parameter is moved: two SDs
DETECTION_THRESHOLD = 0.01  # change of a reading, as a share of its size
DOSING_HORIZON = 24.0  # h
MAX_PARAMETERS_NAMED = 6
COLLINEARITY_THRESHOLD = 0.999  # cosine of two columns
Function = Callable[..., complex]


@dataclass(frozen=True)
class Invariance:
    """Exponents by parameter: multiply each by factor ** exponent, and no observed output changes.

    kind: "no observed output depends on it" | "product" (holds for all values) | "sum" | "combination" (at these
    values of the tables only).
    """

    kind: str
    exponents: Mapping[str, float]

    @property
    def product(self) -> str:
        """The parameters with their exponents, e.g. "mood.a · mood.b^-1"."""
        powers = [name if e == 1 else f"{name}^{e:.3g}" for name, e in self.exponents.items()]
        more = f" and {len(powers) - MAX_PARAMETERS_NAMED} more" if len(powers) > MAX_PARAMETERS_NAMED else ""
        return " · ".join(powers[:MAX_PARAMETERS_NAMED]) + more


@dataclass(frozen=True)
class _Equation:
    """The right side of a rate or an output: its own name, the names in it, and the function of their values."""

    name: str
    names: tuple[str, ...]
    function: Function


def invariances(
    system: System, values: Mapping[str, float], observed: Collection[str], dosed: Collection[str], *,
    known: Collection[str] = (), baseline: Mapping[str, float] | None = None,
) -> list[Invariance]:  # fmt: skip
    """Every invariance of the equations. `observed` outputs and `dosed` states have a known scale.

    `values` {parameter: canonical value}. `known` parameters, and those of the stages person, pathway, perturbation and
    drug, are not estimated and differ between experiments. States are drawn around their drug-free `baseline` (default:
    their typical sizes). Raises ModelError for an equation that has no finite value there.
    """
    problem = _SymmetryProblem(system, frozenset(observed), frozenset(dosed), frozenset(known), baseline or {})
    matrix = problem.conditions(values, np.random.default_rng(1))
    exponents = _sparse_rows(_null_space(matrix)[:, : len(problem.parameters)])
    generator = np.random.default_rng(2)
    moved = {name: value * np.exp(generator.normal(0, VALUE_SPREAD)) for name, value in values.items()}
    other = _Completion(problem.conditions(moved, generator), len(problem.parameters))
    symmetries = []
    for row in exponents:
        kind = problem.kind(row, values, moved, other)
        scaled = row / row[np.argmax(np.abs(row) > EXPONENT_TOLERANCE)]
        named = {
            name: float(round(e, 6))
            for name, e in zip(problem.parameters, scaled, strict=True)
            if abs(e) > EXPONENT_TOLERANCE
        }
        symmetries.append(Invariance(kind, named))
    return symmetries


class _Completion:
    """Whether exponents of parameters can be completed by those of states and outputs."""

    def __init__(self, conditions: np.ndarray, parameters: int) -> None:
        self.parameter_conditions = conditions[:, :parameters]
        left, sizes, _ = np.linalg.svd(conditions[:, parameters:], full_matrices=False)
        self.others = left[:, sizes > SINGULAR_VALUE_TOLERANCE * sizes[0]] if len(sizes) else left

    def exists(self, exponents: np.ndarray) -> bool:
        """Whether some exponents of states and outputs complete those of the parameters."""
        required = self.parameter_conditions @ exponents
        unmet = required - self.others @ (self.others.T @ required)
        return bool(np.abs(unmet).max() < RESIDUAL_TOLERANCE * max(1.0, np.abs(exponents).max()))


class _SymmetryProblem:
    """Unknown exponents of parameters, states and outputs, and the linear conditions on them."""

    def __init__(
        self, system: System, observed: frozenset[str], dosed: frozenset[str], known: frozenset[str],
        baseline: Mapping[str, float],
    ) -> None:  # fmt: skip
        self.system = system
        self.known = {n for n in system.parameter_names if n in known or n.split(".")[0] in NOT_ESTIMATED_STAGES}
        self.baseline = {state.name: baseline.get(state.name, state.scale) for state in system.states}
        self.parameters = tuple(name for name in system.parameter_names if name not in self.known)
        quantities = (*system.state_names, *(output.name for output in system.outputs))
        free = tuple(name for name in quantities if name not in observed | dosed)
        self.column = {name: i for i, name in enumerate((*self.parameters, *free))}
        self.rates = [_equation(n, rate) for n, rate in zip(system.state_names, system.rates, strict=True)]
        self.outputs = [_equation(output.name, output.expression) for output in system.outputs]

    def conditions(self, values: Mapping[str, float], generator: np.random.Generator) -> np.ndarray:
        """Conditions [row, unknown] at random states, at most one row per name of an equation.

        Rows without a finite number are left out.
        """
        rows = []
        for point in range(N_RANDOM_STATES):
            spread = SPREADS[point % len(SPREADS)]
            known = {**values, **self._random_inputs(values, generator), **self._random_states(generator, spread)}
            for equation in self.outputs:
                known[equation.name] = float(np.real(equation.function(*(known[n] for n in equation.names))))
            rows.append([self._row(equation, known) for _, equation in self._equations()])
        conditions = np.array(rows)
        finite = np.asarray(np.isfinite(conditions).all(axis=2))
        for (_, equation), is_finite in zip(self._equations(), np.atleast_1d(finite.any(axis=0)), strict=True):
            if not is_finite:
                raise ModelError(f"the equation of '{equation.name}' has no finite value near the baseline")
        return np.concatenate([_triangular_factor(conditions[finite[:, k], k]) for k in range(conditions.shape[1])])

    def kind(
        self, exponents: np.ndarray, values: Mapping[str, float], moved: Mapping[str, float], other: _Completion
    ) -> str:
        """The kind of an invariance, from whether it also holds at `moved` values with the conditions `other`."""
        if np.count_nonzero(np.abs(exponents) > EXPONENT_TOLERANCE) == 1:
            return "no observed output depends on it"
        if other.exists(exponents):
            return "product"
        ratio = np.array([values[name] / moved[name] if moved[name] else 1.0 for name in self.parameters])
        return "sum" if other.exists(exponents * ratio) else "combination"

    def _equations(self) -> list[tuple[bool, _Equation]]:
        return [*((True, rate) for rate in self.rates), *((False, output) for output in self.outputs)]

    def _random_states(self, generator: np.random.Generator, spread: float) -> dict[str, float]:
        """The baseline, with some of the states moved within bounds; those of baseline 0 may become large."""
        values = {f"rest({name})": self.baseline.get(name, 1.0) for name in self.system.baseline_names}
        for state in self.system.states:
            baseline, (low, high) = self.baseline[state.name], state.bounds
            is_zero = abs(baseline) < ZERO_BASELINE * state.scale
            far = generator.uniform(MIN_DECIMAL_EXPONENT, MIN_DECIMAL_EXPONENT * (1 - 2 * spread / SPREADS[-1]))
            value = state.scale * 10**far if is_zero else baseline * np.exp(generator.normal(0, spread))
            if generator.random() > MOVED_STATES_SHARE:
                value = ZERO_BASELINE * state.scale if is_zero else baseline
            if high is not None and value >= high:
                value = (low or 0.0) + (high - (low or 0.0)) * generator.uniform(*BOUNDED_SHARES)
            values[state.name] = float(value)
        return values

    def _random_inputs(self, values: Mapping[str, float], generator: np.random.Generator) -> dict[str, float]:
        """Known parameters: properties of the patient, and switches that experiments set."""
        names = [name for name in values if name in self.known]
        factors = {name: float(np.exp(generator.normal(0, INPUT_SPREAD))) for name in names}
        return {n: values[n] * factors[n] if values[n] else float(generator.uniform(0, 1)) for n in names}

    def _row(self, equation: _Equation, known: Mapping[str, float]) -> np.ndarray:
        """Sum over names of exponent x value x derivative, minus exponent of the left side x right side, is zero."""
        row = np.zeros(len(self.column))
        inside = [known[name] for name in equation.names]
        for i, name in enumerate(equation.names):
            quantity = name.removeprefix("rest(").removesuffix(")") if name.startswith("rest(") else name
            if quantity in self.column:
                stepped: list[complex] = [*inside]
                stepped[i] += COMPLEX_STEP * 1j
                slope = np.imag(equation.function(*stepped)) / COMPLEX_STEP
                row[self.column[quantity]] += slope * (known[name] if known[name] else 1.0)
        if equation.name in self.column:
            row[self.column[equation.name]] -= np.real(equation.function(*inside))
        return row


def _equation(name: str, expression: sympy.Expr) -> _Equation:
    symbols = sorted(expression.free_symbols, key=lambda one: one.name)
    plain = [sympy.Symbol(f"v{i}") for i in range(len(symbols))]
    replaced = expression.xreplace(dict(zip(symbols, plain, strict=True)))
    function = sympy.lambdify(plain, replaced, modules=[_COMPLEX, "numpy"])

    def evaluate(*values: complex) -> complex:
        with np.errstate(all="ignore"):
            try:
                return complex(function(*(np.complex128(value) for value in values)))
            except (OverflowError, ZeroDivisionError):
                return complex(np.nan)

    return _Equation(name, tuple(symbol.name for symbol in symbols), evaluate)


def _hill(x: complex, half: complex, n: complex) -> complex:
    return 0.0 if np.real(x) <= 0 else 1.0 / (1.0 + np.exp(n * np.log(half / x)))


def _hill_slope(x: complex, half: complex, n: complex) -> complex:
    share = _hill(x, half, n)
    return 0.0 if np.real(x) <= 0 else n / x * share * (1 - share)


_COMPLEX = {"hill": _hill, "hill_slope": _hill_slope}


def _triangular_factor(rows: np.ndarray) -> np.ndarray:
    """Rows, scaled to a size of 1, as the triangle of their QR decomposition, which has the same null space."""
    size = np.abs(rows).max(axis=1)
    scaled = rows[size > 0] / size[size > 0, None]
    used = np.flatnonzero(np.any(scaled != 0, axis=0))
    triangle = np.linalg.qr(scaled[:, used], mode="r")
    factor = np.zeros((len(triangle), rows.shape[1]))
    factor[:, used] = triangle
    return factor


def _null_space(matrix: np.ndarray) -> np.ndarray:
    """Orthonormal rows that the matrix maps to zero."""
    _, sizes, rows = np.linalg.svd(matrix, full_matrices=True)
    rank = int((sizes > SINGULAR_VALUE_TOLERANCE * sizes[0]).sum()) if len(sizes) else 0
    return np.asarray(rows[rank:])


def _sparse_rows(rows: np.ndarray) -> np.ndarray:
    """A basis of the span of the rows in reduced echelon form, with zeros where there is only rounding."""
    left, row = np.array(rows, dtype=float), 0
    for column in range(left.shape[1]):
        if row == len(left):
            break
        best = row + int(np.argmax(np.abs(left[row:, column])))
        if abs(left[best, column]) < EXPONENT_TOLERANCE:
            continue
        left[[row, best]] = left[[best, row]]
        left[row] /= left[row, column]
        others = np.arange(len(left)) != row
        left[others] -= np.outer(left[others, column], left[row])
        row += 1
    basis = left[:row]
    return np.where(np.abs(basis) > EXPONENT_TOLERANCE, basis, 0.0)


def redundant_blocks(symmetries: Sequence[Invariance]) -> list[tuple[int, tuple[str, ...]]]:
    """Groups of parameters connected by combinations: the number of combinations, and the parameters."""
    blocks: list[tuple[int, set[str]]] = []
    for combination in (symmetry for symmetry in symmetries if symmetry.kind == "combination"):
        members = set(combination.exponents)
        touching = [block for block in blocks if block[1] & members]
        blocks = [block for block in blocks if not block[1] & members]
        blocks.append((1 + sum(n for n, _ in touching), members.union(*(names for _, names in touching))))
    return [(count, tuple(sorted(names))) for count, names in blocks]


def shipped_invariances(model: Model) -> list[Invariance]:
    """The invariances of the shipped equations for the outputs that are compared with data."""
    first = Ensemble.of(model, {}, (), 1).initial()
    baseline = dict(zip(model.layout.state_names, map(float, first.baseline[0]), strict=True))
    arms = scored_arms(model)
    observed = {name for arm in arms.values() for name in arm.outputs}
    observed |= {scale.output for scale in load_scales().values()}
    switches = {name for perturbation in perturbations_by_name().values() for name in perturbation.parameter_values}
    dosed = _dosed_states(model, arms)
    return invariances(model.system, model.default_values, observed, dosed, known=switches, baseline=baseline)


def scored_arms(model: Model) -> ArmTable:
    """Arms of every conclusion and of every comparison of the scorecard, with the outputs and times that are read."""
    _, arms = all_conclusions(model)
    protocols = load_protocols()
    for target in load_targets(load_evidence(), protocols):
        protocol = protocols[target.protocol]
        outputs = target.measure.output_names
        hours = () if set("<>") & set(target.measure.time) else re.findall(r"[\d.]+", target.measure.time)
        read = tuple(sorted({float(hour) for hour in hours} or {0.1 * protocol.horizon, protocol.horizon}))
        arm = ConclusionArm(protocol.scenario(model.parameters), outputs, read)
        key = ("scorecard", protocol.id)
        arms[key] = arms[key].joined(arm) if key in arms else arm
    return arms


def _dosed_states(model: Model, arms: ArmTable) -> set[str]:
    """States that receive a dose of known size in an arm."""
    scenarios = {(arm.scenario.title, arm.scenario.species): arm.scenario for arm in arms.values()}.values()
    events = (events_of_scenario(scenario, model.parameters, {}, DOSING_HORIZON).events for scenario in scenarios)
    return {
        model.state_aliases.get(entry.compartment, entry.compartment) for arm_events in events for entry in arm_events
    }


@dataclass(frozen=True)
class SensitivityRank:
    """Numerical identifiability over all scored readings.

    `rank`: directions that change some reading by at least 1 % of its size when moved by one standard deviation;
    `invisible`: parameters that change no reading by as much; `parallel`: groups whose effects on all readings are
    proportional.
    """

    parameters: int
    readings: int
    rank: int
    invisible: tuple[str, ...]
    parallel: tuple[tuple[str, ...], ...]


def sensitivity_rank(names: Sequence[str], low: np.ndarray, high: np.ndarray, middle: np.ndarray) -> SensitivityRank:
    """Rank of the change of readings [parameter, reading] between `low` and `high`; `middle` [reading] is in between.

    A change counts relative to the largest value of its reading; readings that are not finite everywhere are left out.
    """
    usable = np.isfinite(low).all(axis=0) & np.isfinite(high).all(axis=0) & np.isfinite(middle)
    size = np.maximum(np.abs(middle), np.maximum(np.abs(low), np.abs(high)).max(axis=0))
    usable &= size > 0
    change = ((high - low)[:, usable] / 2 / size[usable]).T
    visible = np.abs(change).max(axis=0) >= DETECTION_THRESHOLD
    rank = int((np.linalg.svd(change, compute_uv=False) >= DETECTION_THRESHOLD).sum())
    groups = _parallel_groups(change[:, visible])
    seen = [name for name, is_visible in zip(names, visible, strict=True) if is_visible]
    invisible = tuple(name for name, is_visible in zip(names, visible, strict=True) if not is_visible)
    named = tuple(tuple(seen[i] for i in group) for group in groups)
    return SensitivityRank(len(names), int(usable.sum()), rank, invisible, named)


def _parallel_groups(columns: np.ndarray) -> list[list[int]]:
    """Groups of columns with a cosine of at least COLLINEARITY_THRESHOLD to one another, by their first member."""
    unit = columns / np.linalg.norm(columns, axis=0)
    near = np.abs(unit.T @ unit) >= COLLINEARITY_THRESHOLD
    left, groups = set(range(columns.shape[1])), []
    while left:
        first = min(left)
        group = [i for i in sorted(left) if near[first, i]]
        left -= set(group)
        if len(group) > 1:
            groups.append(group)
    return groups


def shipped_sensitivity_rank(
    model: Model, *, threads: int = 1, progress: Callable[[int, int], None] | None = None
) -> SensitivityRank:
    """Numerical identifiability of every parameter with a spread over all readings of all scored arms.

    Readings are the changes from the drug-free baseline at the times that are read, and the baseline.
    """
    arms = scored_arms(model)
    rows = tuple(row for row in varied_parameters(model) if row.name.split(".")[0] not in NOT_ESTIMATED_STAGES)
    problem = RobustnessProblem(model, (), arms, rows, threads=threads)
    drawn = _one_at_a_time_values(rows)
    size, parts = 2 * len(rows) + 1, []
    for done, arm in enumerate(arms.values(), start=1):
        curves = problem.curves(arm, drawn, size)
        at = np.searchsorted(curves.times, np.array(arm.hours) - 1e-6)
        change = curves.values[:, at] - curves.baseline[:, None]  # effects, which are small beside the baseline
        parts += [change.reshape(size, -1), curves.baseline]
        if progress:
            progress(done, len(arms))
    readings = np.concatenate(parts, axis=1)
    return sensitivity_rank([row.name for row in rows], readings[:-1:2], readings[1::2], readings[-1])


def _one_at_a_time_values(rows: Sequence[Parameter]) -> dict[str, np.ndarray]:
    """Values of each parameter in 2 n + 1 sets: low and high of one parameter at a time, and the medians last."""
    values = {}
    for k, row in enumerate(rows):
        ranks = np.full(2 * len(rows) + 1, 0.5)
        ranks[2 * k : 2 * k + 2] = LOW_PROBABILITY, HIGH_PROBABILITY
        values[row.name] = quantile(row, ranks)
    return values
