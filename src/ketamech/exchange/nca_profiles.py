"""Concentration profiles for the non-compartmental analysis: from a data table with DV, or from simulated curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr

from ketamech.core import convert
from ketamech.dosing.dose_events import micromoles
from ketamech.dosing.treatment import Treatment
from ketamech.parameters import ParameterTable
from ketamech.parameters.concentration_units import parent_enantiomers, shown
from ketamech.simulation.nca import BOLUS, EXTRAVASCULAR, INFUSION, NcaDose
from ketamech.simulation.nca_tables import PER_KG, ConcentrationProfile, litres_per_dose
from ketamech.simulation.scenario import Scenario

FEWEST = 3  # levels of a dosing interval among several
SIMULATED_LLOQ = 1e-3  # of the highest level, where no limit of quantification is given
OTHER_SUBSTANCE = "the dose is of another substance"
SAME_TIME = 1e-9  # h


@dataclass(frozen=True)
class GivenDose:
    """One dose: time (h), amount in `unit`, route and duration (h); `interval` (h) of its frequency, if it has one."""

    time: float
    amount: float
    unit: str
    route: str
    duration: float = 0.0
    interval: float | None = None
    steady_state: bool = False

    @property
    def kind(self) -> str:
        """Bolus, infusion or extravascular."""
        return EXTRAVASCULAR if self.route != "IV" else INFUSION if self.duration else BOLUS


@dataclass(frozen=True)
class Samples:
    """Levels at times (h) [sample]; `before`: taken before a dose of the same time."""

    time: np.ndarray
    level: np.ndarray
    before: np.ndarray

    def between(self, begin: float, until: float) -> np.ndarray:
        """Which were taken after a dose at `begin` and before or at the time of the next dose, at `until` [sample]."""
        after = (self.time > begin + SAME_TIME) | ((np.abs(self.time - begin) < SAME_TIME) & ~self.before)
        return after & ((self.time < until - SAME_TIME) | (self.before & (self.time < until + SAME_TIME)))


@dataclass
class Profiles:
    """The profiles of a source, and what was assumed or left out."""

    profiles: list[ConcentrationProfile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add a note once."""
        if text not in self.notes:
            self.notes.append(text)


Split = tuple[int, NcaDose, GivenDose, np.ndarray, np.ndarray]


def split_by_dose(
    doses: Iterable[GivenDose], samples: Samples, interval: float | None = None, *, steady_state: bool = False
) -> list[Split]:
    """The levels after each dose: (number of the dose, dose, as given, h after it, levels).

    A level before a dose of the same time ends the interval before, and begins that of the dose unless it is a bolus.
    `interval` (h) between doses, if not as given; `steady_state`: after the first dose, or the only one.
    """
    given = _together(doses)
    found = []
    for k, one in enumerate(given):
        own = samples.between(one.time, given[k + 1].time if k + 1 < len(given) else math.inf)
        now = np.abs(samples.time - one.time) < SAME_TIME
        if one.kind != BOLUS and not (own & now).any():
            own |= now & samples.before
        if not own.any() or (len(given) > 1 and own.sum() < FEWEST):
            continue
        steady = one.steady_state or (steady_state and (k > 0 or len(given) == 1))
        dose = NcaDose(
            one.amount, one.kind, one.duration, interval or _interval(given, k), steady,
            carried_over=k > 0 or one.steady_state,
        )  # fmt: skip
        found.append((k + 1, dose, one, np.maximum(samples.time[own] - one.time, 0.0), samples.level[own]))
    return found


def _together(doses: Iterable[GivenDose]) -> list[GivenDose]:
    """Doses in order of time; those of one time are one dose, over the longest of their durations."""
    found: list[GivenDose] = []
    for one in sorted(doses, key=lambda dose: dose.time):
        if found and abs(found[-1].time - one.time) < SAME_TIME:
            last = found[-1]
            found[-1] = replace(last, amount=last.amount + one.amount, duration=max(last.duration, one.duration))
        else:
            found.append(one)
    return found


def _interval(given: Sequence[GivenDose], k: int) -> float | None:
    """Hours to the next dose; after the last dose, those of its frequency or of the dose before."""
    if k + 1 < len(given):
        return given[k + 1].time - given[k].time
    return given[k].interval or (given[k].time - given[k - 1].time if k else None)


def dosed_outputs(scenario: Scenario) -> tuple[str, ...]:
    """The drug of a scenario in venous blood: ketamine, or the enantiomer if only one is given; none without doses."""
    given = [
        one for treatment in scenario.regimen.treatments for one, x in treatment.substance.enantiomers.items() if x
    ]
    if not given:
        return ()
    kinds = set(given)
    return (f"venous.{'ketamine' if len(kinds) > 1 else 'esketamine' if kinds == {'s'} else 'arketamine'}",)


def profiles_of_curves(
    curves: xr.Dataset, scenario: Scenario, parameters: ParameterTable, outputs: Sequence[str], *,
    lloq: bool = False, per_kilogram: bool = False,
) -> Profiles:  # fmt: skip
    """A profile for each patient, output and dose of a simulated scenario; concentrations in blood in ng/mL.

    `lloq`: a limit of quantification follows; without one, levels below a thousandth of the highest count as BLQ.
    `per_kilogram`: doses per body weight stay so, for patients of different weights.
    """
    found = Profiles()
    hours, names = curves["time"].values, [str(name) for name in curves["patient"].values if name != "control"]
    for output in outputs:
        factor, printed = shown(output, str(curves[output].attrs["units"]))
        doses = _doses_of(scenario, parameters, output, float(hours[-1]), per_kilogram=per_kilogram)
        known = bool(doses)
        every = doses or _doses_of(scenario, parameters, None, float(hours[-1]), per_kilogram=per_kilogram)
        values = curves[output].transpose("patient", "time").values[: len(names)] * factor
        for name, level in zip(names, values, strict=True):
            limit = 0.0 if lloq else SIMULATED_LLOQ * np.max(level, initial=0.0, where=np.isfinite(level))
            limited = np.where(level < limit, 0.0, level)
            for number, dose, given, time, own in split_by_dose(every, _samples_of(every, hours, limited)):
                litres = litres_per_dose(given.unit, printed, None)
                stated = replace(dose, litres=litres)
                if not known:
                    stated = replace(stated, amount=None, missing_reason=OTHER_SUBSTANCE)
                found.profiles.append(
                    ConcentrationProfile(name, output, time, own, printed, stated, given.unit, number, 1, given.time)
                )
    if not lloq:
        found.note(f"levels below {100 * SIMULATED_LLOQ:g} % of the highest count as below the limit of quantification")
    return found


def _samples_of(doses: Sequence[GivenDose], hours: np.ndarray, level: np.ndarray) -> Samples:
    """The points of a curve; at a later dose that is no bolus the level is also that before the dose."""
    starts = np.array([dose.time for dose in doses if dose.kind != BOLUS and dose.time > 0])
    both = np.flatnonzero(np.isin(np.round(hours, 6), np.round(starts, 6)))
    time, value = np.insert(hours, both, hours[both]), np.insert(level, both, level[both])
    before = np.zeros(len(time), dtype=bool)
    before[both + np.arange(len(both))] = True
    return Samples(time, value, before)


def _doses_of(
    scenario: Scenario, parameters: ParameterTable, output: str | None, until: float, *, per_kilogram: bool
) -> list[GivenDose]:
    """The doses of the substance of an output (of any drug for None) up to `until` (h), in mg or mg/kg."""
    enantiomers = "sr" if output is None else parent_enantiomers(output)
    found = []
    for treatment in scenario.regimen.treatments:
        drug = treatment.substance
        share = sum(drug.enantiomers.get(one, 0.0) for one in enantiomers)
        if treatment.amount is None or not share:
            continue
        amount, printed = _amount(treatment, scenario.values, parameters, per_kilogram=per_kilogram)
        interval = treatment.schedule[0].interval if treatment.schedule else None
        for start in treatment.taken(until).values():
            found.append(GivenDose(
                start, share * amount, printed, treatment.route, treatment.duration, interval,
                treatment.at_steady_state,
            ))  # fmt: skip
    return found


def _amount(
    treatment: Treatment, values: Mapping[str, float], parameters: ParameterTable, *, per_kilogram: bool
) -> tuple[float, str]:
    """One dose in mg of free base, or in mg/kg."""

    def number(name: str) -> float:
        return float(values[name] if name in values else parameters[name].canonical)

    molar_mass = treatment.substance.molar_mass
    assert molar_mass is not None
    milligrams = convert(float(micromoles(treatment, number)), "umol", "mg", molar_mass=parameters[molar_mass].value)
    if per_kilogram and PER_KG in treatment.unit:
        return milligrams / number("person.weight"), f"mg{PER_KG}"
    return milligrams, "mg"
