"""Random numbers of patients, and the parameter values and missed doses drawn with them.

The stream of a patient does not depend on the other patients, their order, or the worker. NumPy's Philox (4x64, 10
rounds; Salmon and others, SC 2011) is a function of a key and a counter. The key is (seed, replicate); the counter
starts at (0, block, stream, patient), and only its first word counts up as numbers are drawn. Each block is a separate
part of a stream, so that drawing more numbers for one purpose shifts no others.

The spread of a row is uncertainty or variability; it does not separate differences between patients from uncertainty of
the mean, and rows are drawn independently. Parameter values therefore vary more than in a real group of patients.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ketamech.core import InputError, require_known, unit
from ketamech.dosing.dose_events import AdherenceFunction
from ketamech.dosing.regimen import Regimen
from ketamech.parameters import Parameter, ParameterTable

STREAMS = ("parameters", "adherence", "people", "trial", "scores", "steps", "study_effects", "course")
# Append only: the index of a stream determines its numbers.
_WORD = 2**64


def number_of_name(name: str) -> int:
    """A number from 0 to 2^32 - 1 that depends on the name only, for a seed or a block."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def patient_streams(
    seed: int, patient_ids: Iterable[int] | np.ndarray, stream: str, *, replicate: int = 0, block: int = 0
) -> Iterator[np.random.Generator]:
    """A generator for each patient in turn, which is valid until the next one is requested.

    Raises InputError for a seed, replicate or patient that is not an integer from 0 to 2^64 - 1.
    """
    key = np.array([_uint64(seed, "seed"), _uint64(replicate, "replicate")], dtype=np.uint64)
    source = np.random.Philox(key=key)
    state: Any = source.state
    generator, counter = np.random.Generator(source), [0, block, STREAMS.index(stream), 0]
    numbers = {name: values.tolist() for name, values in state["state"].items()}  # lists are set faster than arrays
    state |= {"state": numbers | {"counter": counter}, "buffer": state["buffer"].tolist()}
    for patient in patient_ids.tolist() if isinstance(patient_ids, np.ndarray) else patient_ids:
        counter[3] = _uint64(patient, "patient")
        source.state = state
        yield generator


def _uint64(number: int, what: str) -> int:
    if int(number) != number or not 0 <= number < _WORD:
        raise InputError(f"{what} {number}", key=what, expected=f"a whole number from 0 to {_WORD - 1}")
    return int(number)


MAX_REDRAWS = 1000


def draw_parameters(
    parameters: ParameterTable, names: Sequence[str], seed: int, patient_ids: Iterable[int], *, replicate: int = 0,
    vary: Sequence[str] | None = None, block: int = 0,
) -> np.ndarray:  # fmt: skip
    """Values [patient, name] in canonical units; the values of a patient do not depend on the other patients.

    Each list of names has its own `block` of the stream of a patient; lists of one block are not independent.

    `vary` names or stages whose values are drawn (default: all that have a spread); the others keep the table's value.
    A value keeps the sign of its row: a normal draw on the other side of 0 is drawn again from the stream of the
    patient. A value that a scenario sets is the centre of its normal or lognormal spread; with a uniform spread it is
    not varied. Raises UnknownNameError for a name in `vary` that is not a parameter or stage.
    """
    rows = [parameters[name] for name in names]
    chosen = _checked(vary, parameters)
    spreads = _ParameterSampler(rows, np.array([_varies(row, chosen) for row in rows]))
    numbers = [
        spreads.standard_numbers(chance)
        for chance in patient_streams(seed, patient_ids, "parameters", replicate=replicate, block=block)
    ]
    return spreads.values(np.array(numbers).reshape(len(numbers), len(rows)))


def _checked(vary: Sequence[str] | None, parameters: ParameterTable) -> tuple[str, ...] | None:
    if vary is None:
        return None
    known = {*parameters, *(name.split(".")[0] for name in parameters)}
    for name in vary:
        require_known(name, known, f"there is no parameter or stage '{name}'", key="vary")
    return tuple(vary)


def _varies(row: Parameter, vary: tuple[str, ...] | None) -> bool:
    chosen = vary is None or row.name in vary or row.name.split(".")[0] in vary
    is_fixed = row.spread.kind == "fixed" or (row.status == "set" and row.spread.kind == "uniform")
    return chosen and not is_fixed


class _ParameterSampler:
    """The spreads of a list of rows as arrays, which convert standard random numbers into values."""

    def __init__(self, rows: Sequence[Parameter], varied: np.ndarray) -> None:
        self.rows = rows
        self.usual = np.array([row.value for row in rows])
        self.factor = np.array([unit(row.unit).factor for row in rows])
        self.a = np.array([row.spread.a or 0.0 for row in rows])
        self.width = np.array([(row.spread.b or 0.0) - (row.spread.a or 0.0) for row in rows])
        kind = np.array([row.spread.kind for row in rows])
        self.lognormal, self.uniform = varied & (kind == "lognormal"), varied & (kind == "uniform")
        self.normal = varied & (kind == "normal")
        self.signed = np.flatnonzero(self.normal & (self.usual != 0))

    def standard_numbers(self, generator: np.random.Generator) -> np.ndarray:
        """A standard number for every row [row], varied or not, so that varying another row changes none."""
        numbers, even = generator.standard_normal(len(self.rows)), generator.random(len(self.rows))
        numbers[self.uniform] = even[self.uniform]
        signed = self.usual[self.signed]
        for i in self.signed[(signed + self.a[self.signed] * numbers[self.signed]) * signed <= 0]:
            numbers[i] = self._redraw_with_sign(generator, i)
        return numbers

    def _redraw_with_sign(self, generator: np.random.Generator, i: int) -> float:
        for _ in range(MAX_REDRAWS):
            number = generator.standard_normal()
            if (self.usual[i] + self.a[i] * number) * self.usual[i] > 0:
                return number
        row = self.rows[i]
        what = f"the spread of {row.name} almost never keeps its sign"
        raise InputError(what, file=row.file, line=row.line, key="spread")

    def values(self, numbers: np.ndarray) -> np.ndarray:
        """Canonical values [patient, row] of standard numbers [patient, row]."""
        values = np.tile(self.usual, (len(numbers), 1))
        values[:, self.lognormal] *= np.exp(self.a[self.lognormal] * numbers[:, self.lognormal])
        values[:, self.normal] += self.a[self.normal] * numbers[:, self.normal]
        values[:, self.uniform] = self.a[self.uniform] + self.width[self.uniform] * numbers[:, self.uniform]
        return values * self.factor


def adherence(
    regimen: Regimen, horizon: float, seed: int, patient_ids: Sequence[int] | np.ndarray, replicate: int
) -> dict[tuple[int, int], np.ndarray]:
    """{(treatment index, dose index): 1 where a patient takes the dose, else 0 [patient]}, where doses may be missed.

    Draws of doses before `horizon` (h) do not change when `horizon` or other treatments change.
    """
    taken: dict[tuple[int, int], np.ndarray] = {}
    for i, treatment in enumerate(regimen.treatments):
        count = len(treatment.starts(horizon)) if treatment.miss_probability else 0
        if count:
            chances = patient_streams(seed, patient_ids, "adherence", replicate=replicate, block=i)
            took = np.array([chance.random(count) for chance in chances]) >= treatment.miss_probability
            taken |= {(i, k): took[:, k].astype(float) for k in range(count)}
    return taken


def adherence_function(
    regimen: Regimen, horizon: float, seed: int, patient_ids: Sequence[int] | np.ndarray, replicate: int = 0
) -> AdherenceFunction:
    """The doses that each patient takes, for `dose_events`; arguments as for `adherence`."""
    taken = adherence(regimen, horizon, seed, patient_ids, replicate)
    return lambda treatment, dose: taken.get((treatment, dose), 1.0)
