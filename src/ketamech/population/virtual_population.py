"""Virtual populations: distributions of covariates and parameters, draws of patients, and their natural course.

There are two levels of variability. Population values of a replicate (`base`) apply to all its patients; a replicate
other than 0 also has study effects, by which its means differ. A patient differs from these by covariates, their
effects, and variability between patients, all drawn from the stream of the patient through a Gaussian copula. Patient i
is the same in any cohort, and differs between populations only where their distributions do.

Plausible patients are those whose simulated outputs lie within published bounds (Allen, Rieger and Musante 2016, CPT
Pharmacometrics Syst Pharmacol 5:140). `weights` weights virtual patients to a target population.

The natural course (changing circumstances, life events, remission) is a series of events in time from the stream
"course" of the patient: it does not depend on the other patients, on the end of the simulation, or on any treatment.
The typical patient has no such events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from ketamech.core import InputError, UnknownNameError, closest_match, require_known, unit
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.deprecated_names import LoadedByCall
from ketamech.core.environment import DATA
from ketamech.core.units import WEEK, number_text
from ketamech.dosing.dose_events import AdherenceFunction, DoseEvent
from ketamech.dosing.regimen import Regimen
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.population.population_tables import (
    BASE_POPULATION,
    MarginalDistribution,
    PeopleTables,
    Value,
    load_tables,
    marginal,
)
from ketamech.population.random_draws import adherence_function, patient_streams

if TYPE_CHECKING:
    import pandas as pd


FILE = DATA / "people" / "natural_course.csv"
LOAD, EVENT_LOAD, ONSET = "course.load", "course.event_load", "course.onset"
REVERSION = "course.reversion_rate"
WARM_UP = 40  # weeks; a mean-reverting load then no longer depends on its first value
MAX_SHARE_OUTSIDE = 0.01  # of either tail of a stated distribution, beyond the range of its variable: set to its edge
RANGE_TAIL = 1e-4  # share of either tail of a distribution of the tables that does not count to the range


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
        self, seed: int, patient_ids: Sequence[int] | np.ndarray, begin: float, until: float, *, replicate: int = 0,
        in_progress: bool = False,
    ) -> tuple[DoseEvent, ...]:  # fmt: skip
        """Events of patients from `begin` to before `until` (h), whose times and amounts are arrays [patient].

        With `in_progress` the load at `begin` is that of a process that has run for a long time; otherwise it is 0,
        because the baseline of the patient is stated for that time. Treatment begins at 0 h: life events from then on
        enter a load of their own, from which a drug can protect.
        """
        weeks = max(0, int(np.ceil((until - begin) / WEEK)))
        drawn = self._uniforms(seed, patient_ids, replicate, 3 + 3 * (WARM_UP + weeks))
        usual, adverse = self._weekly_changes(drawn[:, 3:].reshape(len(drawn), -1, 3))
        events = []
        if in_progress:
            remaining = np.exp(-self.reversion_rate * WEEK * np.arange(WARM_UP, 0, -1))
            events.append(DoseEvent(begin, LOAD, np.sum((usual + adverse)[:, :WARM_UP] * remaining, axis=1)))
        for k in range(weeks):
            time = begin + WEEK * (k + drawn[:, 0])
            before, now, later = time < 0, WARM_UP + k, (time >= 0) & (time < until)
            change = usual[:, now] + np.where(before, adverse[:, now], 0.0)
            events.append(DoseEvent(time, LOAD, np.where(before | later, change, 0.0)))
            if begin + WEEK * (k + 1) > 0:
                events.append(DoseEvent(time, EVENT_LOAD, np.where(later, adverse[:, now], 0.0)))
        onset = begin + self._time_to_remission(drawn[:, 1], drawn[:, 2])
        events.append(DoseEvent(np.minimum(onset, until), ONSET, np.where(onset < until, 1.0, 0.0)))
        return tuple(events)

    def _uniforms(self, seed: int, patient_ids: Sequence[int] | np.ndarray, replicate: int, count: int) -> np.ndarray:
        """Uniform random numbers [patient, count]; more numbers change none of the first."""
        streams = patient_streams(seed, patient_ids, "course", replicate=replicate)
        return np.array([generator.random(count) for generator in streams]).reshape(len(patient_ids), count)

    def _weekly_changes(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Usual changes of load and adverse life events [patient, week], from uniform numbers [patient, week, 3].

        Their sum has mean 0.
        """
        from scipy.special import ndtri

        weekly_sd = self.load_sd * np.sqrt(-np.expm1(-2 * self.reversion_rate * WEEK))
        chance = -np.expm1(-self.life_event_rate * WEEK)
        sizes = np.where(u[:, :, 1] < chance, -self.life_event_size * np.log1p(-u[:, :, 2]), 0.0)
        usual = np.clip(u[:, :, 0], 1e-12, 1 - 1e-12)
        return np.asarray(weekly_sd * ndtri(usual) - chance * self.life_event_size), sizes

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
def load_natural_course() -> Mapping[str, Mapping[str, float | str]]:
    """{population: {quantity: number in canonical units, or name of a parameter}}. Raises InputError."""
    courses: dict[str, dict[str, float | str]] = {}
    for row in read_table(FILE, ("population", "quantity", "value", "unit", "status", "evidence", "why")):
        courses.setdefault(row.required("population", "a name"), {})[_quantity(row)] = _cell(row)
    return courses


def _quantity(row: CsvRow) -> str:
    known = [name for name in NaturalCourse.__dataclass_fields__ if name != "reversion_rate"]
    return row.known("quantity", known, ", ".join(known), what="there is no quantity")


def _cell(row: CsvRow) -> float | str:
    text = row.required("value", "a number of 0 or more, or a parameter")
    if "." in text and text[0].isalpha():
        return text
    number = row.number("value")
    if number < 0:
        raise row.error("value", f"{number:g} is negative", expected="a number of 0 or more")
    return float(number * unit(row["unit"]).factor)


COVARIATE = "covariate."
REFERENCE_STUDY_SIZE = "people.reference_study_size"


@dataclass(frozen=True)
class VirtualPatients:
    """Drawn patients: `patient_ids`, `values` {parameter: [patient], canonical units}, and other `covariates`.

    `values` vary about those of `parameters`; `units` names the canonical unit of each, and `table()` has the units of
    the parameter tables. `seed` and `replicate` are those of their random numbers; `redraw(table, patient_ids=numbers)`
    draws patients about the values of another table (None: no population has drawn them). `independent`: every value
    was drawn from the spread of its own parameter; such patients also vary about the values that a scenario sets.
    """

    patient_ids: np.ndarray
    values: Mapping[str, np.ndarray]
    covariates: Mapping[str, np.ndarray]
    parameters: ParameterTable = field(repr=False, compare=False)
    seed: int = 1
    replicate: int = 0
    redraw: Callable[..., VirtualPatients] | None = field(default=None, repr=False, compare=False)
    independent: bool = False

    def __len__(self) -> int:
        return len(self.patient_ids)

    def __repr__(self) -> str:
        return f"<VirtualPatients: {len(self)} patients, seed {self.seed}; .table() shows them>"

    def with_parameters(self, parameters: ParameterTable) -> VirtualPatients:
        """The same patients with values that vary about those of `parameters`; values changed since the draw stay."""
        table = ParameterTable({**self.parameters, **parameters})
        if self.redraw is None or table == self.parameters:
            return self
        before, after = (self.redraw(one, patient_ids=self.patient_ids).values for one in (self.parameters, table))
        moved = {n: np.where(self.values[n] == before[n], after[n], self.values[n]) for n in before if n in self.values}
        return replace(self, values={**self.values, **moved}, parameters=table)

    def values_in(self, parameters: ParameterTable, own: Mapping[str, float]) -> Mapping[str, np.ndarray]:
        """Values {parameter: [patient]} that vary about `parameters` in a scenario that sets the values `own`.

        All are in canonical units.
        """
        if self.independent:
            return self.with_parameters(parameters.with_canonical_values(own)).values
        drawn = self.with_parameters(parameters).values
        return {name: numbers for name, numbers in drawn.items() if name not in own}

    def adherence(self, regimen: Regimen, until: float) -> AdherenceFunction:
        """The doses before `until` (h) that each patient takes; some are missed by chance where the regimen says so."""
        return adherence_function(regimen, until, self.seed, self.patient_ids, self.replicate)

    def subset(self, index: np.ndarray) -> VirtualPatients:
        """Some of the patients, by their indices [new patient] or by a mask [patient]."""
        values, covariates = ({n: v[index] for n, v in part.items()} for part in (self.values, self.covariates))
        return replace(self, patient_ids=self.patient_ids[index], values=values, covariates=covariates)

    @property
    def units(self) -> dict[str, str]:
        """The unit of each of `values`, e.g. h for person.age."""
        return {name: self.parameters[name].canonical_unit for name in self.values}

    def table(self) -> pd.DataFrame:
        """One row for each patient, in the units of the parameter tables (`attrs["units"]`)."""
        import pandas as pd

        known = {n.removeprefix(COVARIATE): v for n, v in self.covariates.items()}
        known |= {n: v / _factor(self.parameters, n) for n, v in self.values.items()}
        table = pd.DataFrame({"person": self.patient_ids, **known})
        table.attrs["units"] = {name: self.parameters[name].unit for name in self.values}
        return table


@dataclass(frozen=True)
class Population(metaclass=LoadedByCall, loader="named"):
    """A population: every variable with its distribution, and the tables of effects and correlations.

    `Population.named("trd")` is a shipped one. `seed`: patient i is the same in every sample of a seed. `user_defined`
    are the variables whose distribution the user gave: covariates do not act on these, so that the draws have the
    requested mean and bounds.
    """

    name: str
    marginals: Mapping[str, MarginalDistribution]
    tables: PeopleTables = field(repr=False)
    user_defined: frozenset[str] = frozenset()
    seed: int = 1

    def __repr__(self) -> str:
        return f"<Population {self.name}: {len(self.marginals)} variables, seed {self.seed}>"

    @classmethod
    def named(cls, name: str = "trd", *, seed: int = 1) -> Population:
        """The population trd, mdd, bipolar, suicidal, elderly, healthy, crps, surgical or adult.

        Raises UnknownNameError for another name.
        """
        return replace(load_population(name), seed=seed)

    def sample(self, patients: int, *, first: int = 0) -> VirtualPatients:
        """Patients number `first` to `first + patients - 1`, with covariates and parameter values of their own.

        `.values` {parameter: [patient]} in canonical units; `.table()` is one row per patient in the units of the
        parameter tables. They vary about the shipped parameter values; `.with_parameters(model.parameters)` are the
        same patients about those of a model, as `Model.simulate` simulates them. Raises InputError for fewer than one
        patient.
        """
        return self.draw(load_parameters(), self.seed, patient_numbers(patients, first))

    def with_marginals(self, words: Mapping[str, str], parameters: ParameterTable) -> Population:
        """The population with other distributions of some variables, e.g. {"person.age": "normal 70 4 in 65 85"}.

        Raises UnknownNameError for an unknown variable, and InputError for a text that is not a distribution or that
        gives many patients a value that the parameter cannot have.
        """
        known, user_defined = {**self.marginals}, []
        for name, text in words.items():
            full = self._full_name(name)
            if full not in self.tables.variables and full not in parameters:
                known_names = {n.removeprefix(COVARIATE).removeprefix("person."): n for n in self.tables.variables}
                near = closest_match(name.removeprefix("person."), [*known_names, *parameters])
                simple = ", ".join(sorted(known for known in known_names if "." not in known))
                raise UnknownNameError(
                    f"there is no variable '{name}' in a population", key=name, nearest=near,
                    expected=f"{simple}, or a parameter, which 'ketamech equations' lists",
                )  # fmt: skip
            known[full] = marginal(str(text), 1.0 if full.startswith(COVARIATE) else _factor(parameters, full))
            self._check_range(full, str(text), known[full], parameters)
            user_defined.append(full)
        return replace(self, marginals=known, user_defined=self.user_defined.union(user_defined))

    def _full_name(self, name: str) -> str:
        covariate = f"{COVARIATE}{name}"
        return name if "." in name else covariate if covariate in self.tables.variables else f"person.{name}"

    def _range(self, name: str, parameters: ParameterTable) -> tuple[float, float]:
        """Lowest and highest value (canonical units) that a stated distribution may give a variable.

        The range of a parameter, wider where its distribution in the tables is wider; a covariate has the values that
        it has in the tables.
        """
        ranges = [parameters[name].bounds] if name in parameters else []
        ranges += [
            _range_of_draws(known[name], lambda other: parameters[other].canonical)
            for known in self.tables.marginals.values()
            if name in known
        ]
        lows, highs = zip(*ranges, strict=True)
        return min(lows), max(highs)

    def _check_range(self, name: str, text: str, stated: MarginalDistribution, parameters: ParameterTable) -> None:
        """Raise InputError where a stated distribution gives values outside the range of the variable."""
        tails = np.array([MAX_SHARE_OUTSIDE, 1 - MAX_SHARE_OUTSIDE])
        lowest, highest = stated.quantile(tails, lambda other: parameters[other].canonical)
        low, high = self._range(name, parameters)
        if not low <= lowest <= highest <= high:
            size, words = (_factor(parameters, name), parameters[name].unit) if name in parameters else (1.0, "1")
            shown = [number_text(edge / size, exact=False) for edge in (lowest, highest, low, high)]
            words = "" if words == "1" else f" {words}"
            what = f"'{text}' gives values from {shown[0]} to {shown[1]}{words}"
            raise InputError(what, key=name, expected=f"values from {shown[2]} to {shown[3]}{words}")

    def draw(
        self, parameters: ParameterTable, seed: int, patient_ids: Sequence[int] | np.ndarray, *, replicate: int = 0,
        base: Mapping[str, float] | None = None, study_size: int | None = None,
    ) -> VirtualPatients:  # fmt: skip
        """The patients with these numbers [patient]: each is the same with any others.

        `base` {parameter: population value, canonical units} differs from the tables. `study_size`: number of patients
        of the study they take part in, which changes its mean effects. Raises UnknownNameError.
        """
        population_values = dict(base or {})

        def value(name: str) -> float:
            if name not in population_values:
                require_known(name, parameters, f"there is no parameter '{name}'")
            return population_values.get(name, parameters[name].canonical)

        z = self._correlated(seed, patient_ids, replicate)
        ranks = {name: _uniform(z[name]) for name in self.marginals}
        drawn = {name: known.quantile(ranks[name], value) for name, known in self.marginals.items()}
        for row in self.tables.between:
            if row.person and row.parameter not in drawn:
                drawn[row.parameter] = value(row.parameter) * np.exp(row.person * z[row.parameter])
        for effect in self.tables.effects:
            name = effect.parameter
            if name in self.user_defined:
                continue
            usual = drawn[name] if name in drawn else np.full(len(patient_ids), value(name))
            deviation = drawn[effect.covariate] - effect.reference
            drawn[name] = self._within_bounds(name, usual, usual * np.exp(effect.log_effect * deviation))
        for name, factor in self.study_effects(seed, replicate, value, study_size).items():
            usual = drawn[name] if name in drawn else np.full(len(patient_ids), value(name))
            drawn[name] = self._within_bounds(name, usual, usual * factor)
        for name in self.user_defined:
            drawn[name] = np.clip(drawn[name], *self._range(name, parameters))
        values = {name: numbers for name, numbers in drawn.items() if not name.startswith(COVARIATE)}
        others = {name: numbers for name, numbers in drawn.items() if name.startswith(COVARIATE)}
        redraw = partial(self.draw, seed=seed, replicate=replicate, base=base, study_size=study_size)
        ids, values = np.asarray(patient_ids), _clip_to_bounds(values, parameters)
        return VirtualPatients(ids, values, others, parameters, seed, replicate, redraw)

    def study_effects(
        self, seed: int, replicate: int, value: Callable[[str], float], study_size: int | None = None
    ) -> dict[str, float]:
        """Factors {parameter: factor} by which the means of a study differ from those of the population.

        A random factor of each replicate (none in replicate 0), and a factor that depends on the number of patients:
        small studies report larger drug effects and smaller control responses. `value` returns the population value of
        a parameter that holds a number.
        """
        effects = self.tables.study_effects
        normals = np.zeros(len(effects))
        if replicate:
            (chance,) = patient_streams(seed, [0], "study_effects", replicate=replicate)
            normals = chance.standard_normal(len(effects))
        log_size = np.log(study_size / value(REFERENCE_STUDY_SIZE)) if study_size else 0.0

        def number(cell: float | str) -> float:
            return value(cell) if isinstance(cell, str) else cell

        factors = {
            name: float(np.exp(number(effect.sd) * z + effect.size_sign * number(effect.size_exponent) * log_size))
            for (name, effect), z in zip(effects.items(), normals, strict=True)
        }
        return {name: factor for name, factor in factors.items() if factor != 1.0}

    def _within_bounds(self, name: str, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Values `after` an effect, clipped to the bounds of the distribution; a fixed variable keeps `before`."""
        if name not in self.marginals:
            return after
        if self.marginals[name].fixed:
            return before
        low, high = self.marginals[name].bounds
        return np.clip(after, np.minimum(low, before), np.maximum(high, before))

    def occasion_factors(
        self, name: str, seed: int, patient_ids: Sequence[int] | np.ndarray, count: int, *, replicate: int = 0
    ) -> np.ndarray:
        """Factors [patient, occasion] by which a parameter differs from the patient's own value at each dose."""
        spread = {row.parameter: row.occasion for row in self.tables.between}.get(name, 0.0)
        if not spread or not count:
            return np.ones((len(patient_ids), count))
        block = 1 + [row.parameter for row in self.tables.between].index(name)
        streams = patient_streams(seed, patient_ids, "people", replicate=replicate, block=block)
        return np.exp(spread * np.array([chance.standard_normal(count) for chance in streams]))

    def course_events(
        self, parameters: ParameterTable, seed: int, patient_ids: Sequence[int] | np.ndarray, begin: float,
        until: float, *, replicate: int = 0, base: Mapping[str, float] | None = None, in_progress: bool = False,
    ) -> tuple[DoseEvent, ...]:  # fmt: skip
        """Events of the natural course of these patients from `begin` to before `until` (h); see `NaturalCourse`."""
        own = dict(base or {})
        course = natural_course(self.name, lambda name: own.get(name, parameters[name].canonical))
        return course.events(seed, patient_ids, begin, until, replicate=replicate, in_progress=in_progress)

    @cached_property
    def _factors(self) -> dict[str, list[tuple[str, float]]]:
        """Each correlated variable as a weighted sum of independent ones: rows of the Cholesky factor."""
        names = [n for n in self.tables.variables if any(n in pair for pair in self.tables.correlations)]
        matrix = np.eye(len(names))
        for (a, b), rho in self.tables.correlations.items():
            i, j = names.index(a), names.index(b)
            matrix[i, j] = matrix[j, i] = rho
        try:
            lower = np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError:
            what = "these correlations contradict each other"
            raise InputError(what, key="rho", expected="a positive definite matrix") from None
        return {n: [(names[j], float(lower[i, j])) for j in range(i + 1) if lower[i, j]] for i, n in enumerate(names)}

    def _correlated(self, seed: int, patient_ids: Sequence[int] | np.ndarray, replicate: int) -> dict[str, np.ndarray]:
        names = (*self.tables.variables, *sorted(set(self.marginals).difference(self.tables.variables)))
        streams = patient_streams(seed, patient_ids, "people", replicate=replicate)
        raw = np.array([chance.standard_normal(len(names)) for chance in streams]).reshape(len(patient_ids), len(names))
        plain = {name: raw[:, i] for i, name in enumerate(names)}
        for name, row in self._factors.items():  # term by term, so that sums do not depend on the batch
            plain[name] = np.sum([weight * raw[:, names.index(other)] for other, weight in row], axis=0)
        return plain


def patient_numbers(patients: int, first: int = 0) -> range:
    """The numbers of so many patients from `first` on. Raises InputError for fewer than one."""
    if int(patients) != patients or patients < 1:
        raise InputError(f"{patients} patients", key="patients", expected="a whole number, at least 1")
    return range(first, first + int(patients))


def load_population(name: str = "trd", tables: PeopleTables | None = None) -> Population:
    """A population of data/people/populations.csv. Raises UnknownNameError."""
    known = load_tables() if tables is None else tables
    what, expected = f"there is no population '{name}'", ", ".join(sorted(known.marginals))
    require_known(name, known.marginals, what, key="population", expected=expected)
    return Population(name, {**known.marginals[BASE_POPULATION], **known.marginals[name]}, known)


def _uniform(z: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return np.clip(ndtr(z), 1e-12, 1 - 1e-12)


def _clip_to_bounds(values: dict[str, np.ndarray], parameters: ParameterTable) -> dict[str, np.ndarray]:
    """Values with fractions limited to 1."""
    return {n: np.minimum(v, 1.0) if n in parameters and parameters[n].is_fraction else v for n, v in values.items()}


def _range_of_draws(known: MarginalDistribution, value: Value) -> tuple[float, float]:
    """Lowest and highest value of a distribution: its bounds, or else what all but RANGE_TAIL of either tail have."""
    ends = known.quantile(np.array([RANGE_TAIL, 1 - RANGE_TAIL]), value)
    low, high = (float(end if np.isinf(bound) else bound) for end, bound in zip(ends, known.bounds, strict=True))
    return low, high


def _factor(parameters: ParameterTable, name: str) -> float:
    return unit(parameters[name].unit).factor


def select_plausible(outputs: Mapping[str, np.ndarray], bounds: Mapping[str, tuple[float, float]]) -> np.ndarray:
    """Mask [patient] of patients whose `outputs` {name: [patient]} all lie within `bounds`; NaN is not plausible."""
    masks = [(outputs[name] >= low) & (outputs[name] <= high) for name, (low, high) in bounds.items()]
    return np.all(masks, axis=0)


def patients_at_quantiles_of_change(curves: np.ndarray, index: int, count: int) -> np.ndarray:
    """Indices of `count` patients at even quantiles of their relative change from the first time to time `index`.

    `curves` [patient, time]; patients whose curves are incomplete are left out.
    """
    complete = np.flatnonzero(np.isfinite(curves).all(axis=1))
    if not count or not len(complete):
        return np.array([], dtype=int)
    change = curves[complete, index] / np.maximum(curves[complete, 0], 1e-9)
    ranks = ((np.arange(count) + 0.5) / count * len(complete)).astype(int)
    return complete[np.argsort(change, kind="stable")[ranks]]
