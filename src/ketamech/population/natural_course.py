"""The natural course of virtual patients as events in time: changing circumstances, life events, remission.

Each number comes from the stream "course" of a patient, so that the events of a patient do not depend on the other
patients, on the end of the simulation, or on any treatment. The typical patient has no such events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ketamech.core import closest_match, unit
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.core.units import WEEK
from ketamech.dosing.dose_events import DoseEvent
from ketamech.population.population_tables import BASE_POPULATION
from ketamech.population.random_streams import patient_streams

FILE = DATA / "people" / "natural_course.csv"
LOAD, ONSET = "course.load", "course.onset"
REVERSION = "course.reversion_rate"
WARM_UP = 40  # weeks before the start after which a mean-reverting load no longer depends on its first value
Value = Callable[[str], float]


@dataclass(frozen=True)
class NaturalCourse:
    """How circumstances change and spontaneous remissions begin in one population (canonical units).

    The load of circumstances has the SD `load_sd` within a person over a long time; life events add to it at
    `life_event_rate` (1/h) with exponential sizes of mean `life_event_size`; it returns to 0 at `reversion_rate` (1/h).
    Patients have been ill for a lognormal time of median `episode_duration` (h) and SD of the logarithm
    `episode_spread`; the share without spontaneous remission after a time t in the episode is
    (1 + t / remission_time) ^ -remission_exponent.
    """

    load_sd: float = 0.0
    life_event_rate: float = 0.0
    life_event_size: float = 0.0
    remission_time: float = 1.0
    remission_exponent: float = 0.0
    episode_duration: float = 0.0
    episode_spread: float = 0.0
    reversion_rate: float = 0.0

    def events(
        self, seed: int, patients: Sequence[int] | np.ndarray, begin: float, until: float, *, replicate: int = 0,
        in_progress: bool = False,
    ) -> tuple[DoseEvent, ...]:  # fmt: skip
        """Events of patients from `begin` to before `until` (h), whose times and amounts are arrays [patient].

        With `in_progress` the load at `begin` is that of a process that has run for a long time; otherwise it is 0,
        because the baseline of the patient is stated for that time.
        """
        weeks = max(0, int(np.ceil((until - begin) / WEEK)))
        drawn = self._uniforms(seed, patients, replicate, 3 + 3 * (WARM_UP + weeks))
        changes = self._weekly_changes(drawn[:, 3:].reshape(len(drawn), -1, 3))
        found = []
        if in_progress:
            kept = np.exp(-self.reversion_rate * WEEK * np.arange(WARM_UP, 0, -1))
            found.append(DoseEvent(begin, LOAD, np.sum(changes[:, :WARM_UP] * kept, axis=1)))
        for k in range(weeks):
            time = begin + WEEK * (k + drawn[:, 0])
            found.append(DoseEvent(time, LOAD, np.where(time < until, changes[:, WARM_UP + k], 0.0)))
        onset = begin + self._time_to_remission(drawn[:, 1], drawn[:, 2])
        found.append(DoseEvent(np.minimum(onset, until), ONSET, np.where(onset < until, 1.0, 0.0)))
        return tuple(found)

    def _uniforms(self, seed: int, patients: Sequence[int] | np.ndarray, replicate: int, count: int) -> np.ndarray:
        """Uniform random numbers [patient, count]; more numbers change none of the first."""
        streams = patient_streams(seed, patients, "course", replicate=replicate)
        return np.array([generator.random(count) for generator in streams]).reshape(len(patients), count)

    def _weekly_changes(self, u: np.ndarray) -> np.ndarray:
        """Changes of load [patient, week] of mean 0, from uniform numbers [patient, week, 3]."""
        from scipy.special import ndtri

        weekly_sd = self.load_sd * np.sqrt(-np.expm1(-2 * self.reversion_rate * WEEK))
        chance = -np.expm1(-self.life_event_rate * WEEK)
        sizes = np.where(u[:, :, 1] < chance, -self.life_event_size * np.log1p(-u[:, :, 2]), 0.0)
        usual = np.clip(u[:, :, 0], 1e-12, 1 - 1e-12)
        return np.asarray(weekly_sd * ndtri(usual) + sizes - chance * self.life_event_size)

    def _time_to_remission(self, u_episode: np.ndarray, u_remission: np.ndarray) -> np.ndarray:
        """Time (h) to a spontaneous remission of patients who have been ill for some time without one [patient]."""
        from scipy.special import ndtri

        if not self.remission_exponent:
            return np.full(len(u_episode), np.inf)
        ill = self.episode_duration * np.exp(self.episode_spread * ndtri(np.clip(u_episode, 1e-12, 1 - 1e-12)))
        with np.errstate(over="ignore"):
            factor = np.power(1 - u_remission, -1 / self.remission_exponent) - 1
        return np.asarray((self.remission_time + ill) * factor)


def natural_course(population: str, value: Value) -> NaturalCourse:
    """The natural course in a population; `value` looks up a parameter by name (canonical units)."""
    tables = load_natural_course()
    cells = {**tables[BASE_POPULATION], **tables.get(population, {})}
    numbers = {name: value(cell) if isinstance(cell, str) else cell for name, cell in cells.items()}
    return NaturalCourse(**numbers, reversion_rate=value(REVERSION))


@cache
def load_natural_course(file: Path = FILE) -> Mapping[str, Mapping[str, float | str]]:
    """{population: {quantity: number in canonical units, or name of a parameter}}. Raises InputError."""
    found: dict[str, dict[str, float | str]] = {}
    for row in read_table(file, ("population", "quantity", "value", "unit", "status", "evidence", "why")):
        found.setdefault(row.required("population", "a name"), {})[_quantity(row)] = _cell(row)
    return found


def _quantity(row: CsvRow) -> str:
    known = [name for name in NaturalCourse.__dataclass_fields__ if name != "reversion_rate"]
    if row["quantity"] not in known:
        near = closest_match(row["quantity"], known)
        raise row.error("quantity", f"there is no quantity '{row['quantity']}'", expected=", ".join(known), near=near)
    return row["quantity"]


def _cell(row: CsvRow) -> float | str:
    text = row.required("value", "a number of 0 or more, or a parameter")
    if "." in text and text[0].isalpha():
        return text
    number = row.number("value")
    if number < 0:
        raise row.error("value", f"{number:g} is negative", expected="a number of 0 or more")
    return float(number * unit(row["unit"]).factor)
