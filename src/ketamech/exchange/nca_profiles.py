"""Concentration profiles for the non-compartmental analysis: from a data table with DV, or from simulated curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ketamech.core import convert
from ketamech.dosing.dose_events import micromoles, parameter_lookup
from ketamech.dosing.treatment import Treatment
from ketamech.parameters import ParameterTable
from ketamech.parameters.concentration_units import parent_enantiomers, shown
from ketamech.simulation.curves import AnyCurves
from ketamech.simulation.nca import BOLUS, EXTRAVASCULAR, INFUSION, NcaDose
from ketamech.simulation.nca_tables import PER_KG, SIMULATED_LLOQ, ConcentrationProfile, litres_per_dose
from ketamech.simulation.scenario import Scenario

FEWEST = 3  # levels of a dosing interval among several
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
        """Mask [sample] of those taken after a dose at `begin` and up to the next dose, at `until` (h)."""
        is_after = (self.time > begin + SAME_TIME) | ((np.abs(self.time - begin) < SAME_TIME) & ~self.before)
        return is_after & ((self.time < until - SAME_TIME) | (self.before & (self.time < until + SAME_TIME)))


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
    """The levels after each dose: (number of the dose, dose for the NCA, dose as given, h after it, levels).

    A level before a dose of the same time ends the interval before, and begins that of the dose unless it is a bolus.
    `interval` (h) between doses, if not as given; `steady_state`: after the first dose, or the only one.
    """
    merged_doses = _merge_simultaneous(doses)
    splits = []
    for k, source in enumerate(merged_doses):
        selected = samples.between(source.time, merged_doses[k + 1].time if k + 1 < len(merged_doses) else math.inf)
        at_dose = np.abs(samples.time - source.time) < SAME_TIME
        if source.kind != BOLUS and not (selected & at_dose).any():
            selected |= at_dose & samples.before
        if not selected.any() or (len(merged_doses) > 1 and selected.sum() < FEWEST):
            continue
        is_steady = source.steady_state or (steady_state and (k > 0 or len(merged_doses) == 1))
        dose = NcaDose(
            source.amount, source.kind, source.duration, interval or _interval(merged_doses, k), is_steady,
            carried_over=k > 0 or source.steady_state,
        )  # fmt: skip
        splits.append(
            (k + 1, dose, source, np.maximum(samples.time[selected] - source.time, 0.0), samples.level[selected])
        )
    return splits


def _merge_simultaneous(doses: Iterable[GivenDose]) -> list[GivenDose]:
    """Doses in order of time; those of one time are one dose, over the longest of their durations."""
    merged: list[GivenDose] = []
    for one in sorted(doses, key=lambda dose: dose.time):
        if merged and abs(merged[-1].time - one.time) < SAME_TIME:
            last = merged[-1]
            merged[-1] = replace(last, amount=last.amount + one.amount, duration=max(last.duration, one.duration))
        else:
            merged.append(one)
    return merged


def _interval(doses: Sequence[GivenDose], k: int) -> float | None:
    """Hours to the next dose; after the last dose, those of its frequency or of the dose before."""
    if k + 1 < len(doses):
        return doses[k + 1].time - doses[k].time
    return doses[k].interval or (doses[k].time - doses[k - 1].time if k else None)


def dosed_outputs(scenario: Scenario) -> tuple[str, ...]:
    """The drug of a scenario in venous blood: ketamine, or the enantiomer if only one is given; none without doses."""
    enantiomers_given = [
        one for treatment in scenario.regimen.treatments for one, x in treatment.substance.enantiomers.items() if x
    ]
    if not enantiomers_given:
        return ()
    enantiomers = set(enantiomers_given)
    return (f"venous.{'ketamine' if len(enantiomers) > 1 else 'esketamine' if enantiomers == {'s'} else 'arketamine'}",)


def profiles_of_curves(
    curves: AnyCurves, scenario: Scenario, parameters: ParameterTable, outputs: Sequence[str], *,
    lloq: bool = False, per_kilogram: bool = False,
) -> Profiles:  # fmt: skip
    """A profile for each patient, output and dose of a simulated scenario; concentrations in blood in ng/mL.

    `lloq`: a limit of quantification follows; without one, levels below a thousandth of the highest count as BLQ.
    `per_kilogram`: doses stay per kilogram, for patients of different weights.
    """
    profiles = Profiles()
    hours, names = curves["time"].values, [str(name) for name in curves["patient"].values if name != "control"]
    for output in outputs:
        factor, unit = shown(output, str(curves[output].attrs["units"]))
        doses = _doses_of(scenario, parameters, output, float(hours[-1]), per_kilogram=per_kilogram)
        is_parent = bool(doses)
        all_doses = doses or _doses_of(scenario, parameters, None, float(hours[-1]), per_kilogram=per_kilogram)
        values = curves[output].transpose("patient", "time").values[: len(names)] * factor
        for name, level in zip(names, values, strict=True):
            limit = 0.0 if lloq else SIMULATED_LLOQ * np.max(level, initial=0.0, where=np.isfinite(level))
            censored = np.where(level < limit, 0.0, level)
            for number, dose, source, time, levels in split_by_dose(all_doses, _samples_of(all_doses, hours, censored)):
                litres = litres_per_dose(source.unit, unit, None)
                nca_dose = replace(dose, litres=litres)
                if not is_parent:
                    nca_dose = replace(nca_dose, amount=None, missing_reason=OTHER_SUBSTANCE)
                profiles.profiles.append(
                    ConcentrationProfile(
                        name, output, time, levels, unit, nca_dose, source.unit, number, 1, source.time
                    )
                )
    if not lloq:
        profiles.note(
            f"levels below {100 * SIMULATED_LLOQ:g} % of the highest count as below the limit of quantification"
        )
    return profiles


def _samples_of(doses: Sequence[GivenDose], hours: np.ndarray, level: np.ndarray) -> Samples:
    """The points of a curve; at a later dose that is no bolus the level is also that before the dose."""
    dose_times = np.array([dose.time for dose in doses if dose.kind != BOLUS and dose.time > 0])
    doubled = np.flatnonzero(np.isin(np.round(hours, 6), np.round(dose_times, 6)))
    time, value = np.insert(hours, doubled, hours[doubled]), np.insert(level, doubled, level[doubled])
    before = np.zeros(len(time), dtype=bool)
    before[doubled + np.arange(len(doubled))] = True
    return Samples(time, value, before)


def _doses_of(
    scenario: Scenario, parameters: ParameterTable, output: str | None, until: float, *, per_kilogram: bool
) -> list[GivenDose]:
    """The doses of the substance of an output (of any drug for None) up to `until` (h), in mg or mg/kg."""
    enantiomers = "sr" if output is None else parent_enantiomers(output)
    doses = []
    for treatment in scenario.regimen.treatments:
        drug = treatment.substance
        share = sum(drug.enantiomers.get(enantiomer, 0.0) for enantiomer in enantiomers)
        if treatment.amount is None or not share:
            continue
        amount, unit = _amount(treatment, scenario.values, parameters, per_kilogram=per_kilogram)
        interval = treatment.schedule[0].interval if treatment.schedule else None
        for start in treatment.taken(until).values():
            doses.append(GivenDose(
                start, share * amount, unit, treatment.route, treatment.duration, interval,
                treatment.at_steady_state,
            ))  # fmt: skip
    return doses


def _amount(
    treatment: Treatment, values: Mapping[str, float], parameters: ParameterTable, *, per_kilogram: bool
) -> tuple[float, str]:
    """One dose in mg of free base, or in mg/kg."""
    number = parameter_lookup(parameters, values)
    molar_mass = treatment.substance.molar_mass
    assert molar_mass is not None
    milligrams = convert(float(micromoles(treatment, number)), "umol", "mg", molar_mass=parameters[molar_mass].value)
    if per_kilogram and PER_KG in treatment.unit:
        return milligrams / float(number("person.weight")), f"mg{PER_KG}"
    return milligrams, "mg"
