"""A scenario: regimen, perturbations, parameter values and horizon of one patient, and its checks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.core import InputError, convert
from ketamech.core.csv_table import read_table
from ketamech.core.deprecated_names import LoadedByCall, renamed_arguments
from ketamech.core.environment import DATA
from ketamech.core.units import YEAR, duration_text
from ketamech.dosing.dose_events import DoseEvent, ParameterLookup, body_size, dose_events
from ketamech.dosing.drugs import RACEMIC_NOSE, absorption
from ketamech.dosing.perturbations import AppliedPerturbation
from ketamech.dosing.regimen import Regimen, require_species_kinetics
from ketamech.dosing.treatment import MAX_HORIZON_H, Treatment
from ketamech.parameters import HUMAN, ParameterTable, Species, load_connectome, load_species
from ketamech.simulation.output_ranges import YOUNGEST_RATED, group_of

if TYPE_CHECKING:
    from ketamech.simulation.load_scenario import Settings

STUDIED_REGIMENS = DATA / "dosing" / "studied_regimens.csv"
STUDIED_COLUMNS = ("regimen", "control", "evidence", "why")
SAME_TIME = 1e-6  # h
REFERENCE_WEIGHT, LOWEST_ADULT_WEIGHT = 70.0, 35.0  # kg
ADULT_AGE, LONG_INFUSION = 18.0, 12.0  # years; h
UNUSUAL_DOSE, UNUSUAL_VALUE = 20.0, 10.0  # times the studied doses; times the value of the table


@dataclass(frozen=True)
class Scenario(metaclass=LoadedByCall, loader="read"):
    """A checked scenario, as `Scenario.read` makes it.

    `values` {parameter: value, canonical units} differ from the tables. `horizon` in h. `perturbations` are applied in
    addition to the treatment; those before 0 h start the simulation early. With `control` the same patient is also
    simulated without the drug. `notes` hold for every patient, `typical_patient_notes` do not hold for virtual
    patients, who have values of their own.
    """

    title: str
    description: str
    regimen: Regimen
    values: Mapping[str, float]
    horizon: float
    control: bool
    seed: int
    source: str
    notes: tuple[str, ...] = ()
    species: str = HUMAN
    perturbations: tuple[AppliedPerturbation, ...] = ()
    model_variant: str = ""
    typical_patient_notes: tuple[str, ...] = ()

    @classmethod
    @renamed_arguments(parameters="parameter_values")
    def read(
        cls, source: Regimen | Path | str, *, species: str | None = None, perturb: str | Sequence[str] = (),
        variant: str | None = None, person: Settings | None = None, parameter_values: Settings | None = None,
        horizon: float | None = None,
    ) -> Scenario:  # fmt: skip
        """The scenario of a sentence, a YAML file or a Regimen, with what is added, as in `ketamech.simulate`.

        `horizon` (h) replaces the usual one. Raises InputError with file, line, key, what was expected and the nearest
        valid name.
        """
        from ketamech.simulation.load_scenario import load_scenario

        scenario = load_scenario(
            source,
            species=species,
            perturbations=perturb,
            variant=variant,
            person=person,
            parameter_values=parameter_values,
        )
        return scenario if horizon is None else replace(scenario, horizon=horizon)

    @property
    def group(self) -> str:
        """The species, or `child` for a patient below the age of any rating; see `output_ranges`."""
        return group_of(self.species, self.values)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """All notes on what was assumed, and on input that is allowed but unusual."""
        return (*self.typical_patient_notes, *self.notes)

    def of_people(self) -> Scenario:
        """The scenario without the notes that do not hold for virtual patients."""
        return replace(self, typical_patient_notes=())

    def lasting_until(self, hour: float) -> Scenario:
        """The scenario with a horizon of at least `hour` h. Raises InputError beyond the longest simulated time."""
        if hour > MAX_HORIZON_H:
            longest = f"at most {MAX_HORIZON_H:g} h (two years)"
            raise InputError(f"an output time of {hour:g} h", key="times", expected=longest)
        horizon = max(self.horizon, hour)
        before = beyond_the_horizon(self.regimen, self.horizon)
        notes = (*(note for note in self.notes if note not in before), *beyond_the_horizon(self.regimen, horizon))
        return replace(self, horizon=horizon, notes=notes)

    def perturbation_events(self, number: ParameterLookup) -> tuple[DoseEvent, ...]:
        """Dose events of the perturbations, in order of time; `number` looks up a parameter (canonical units)."""
        events = [entry for perturbation in self.perturbations for entry in perturbation.events(number)]
        return tuple(sorted(events, key=lambda entry: float(entry.time)))

    def with_connectome(self, connectome: Path | None, receptors: Path | None) -> Scenario:
        """The scenario with a connectome, a receptor map or both from files; its own values take precedence."""
        named = [path for path in (connectome, receptors) if path]
        if not named:
            return self
        note = f"connectivity or receptor densities of brain areas from {' and '.join(path.name for path in named)}"
        values = {**load_connectome(connectome, receptors=receptors), **self.values}
        return replace(self, values=values, notes=(*self.notes, note))

    def steady_state_cycle(self, parameters: ParameterTable) -> tuple[Regimen, float]:
        """Regimen of the cycle that is repeated before the start, and its length (h; 0: a drug-free start)."""
        name = "expectancy.visit_gap"
        return self.regimen.steady_state_cycle(self.values.get(name, parameters[name].canonical))


def perturbation_parameters(
    table: ParameterTable, species: Species, own: Mapping[str, float], perturbations: Iterable[AppliedPerturbation]
) -> dict[str, float]:
    """Values that differ from the tables: of the species, then of the scenario (`own`), then of each perturbation."""
    values = {**species.canonical, **own}
    for perturbation in perturbations:
        values.update(perturbation.values(table))
    return values


def check_no_early_events(regimen: Regimen, perturbations: Iterable[AppliedPerturbation]) -> None:
    """Raise InputError for a perturbation before the start of a regimen at steady state."""
    early = [perturbation for perturbation in perturbations if perturbation.time < 0 and perturbation.target_states]
    if early and regimen.at_steady_state:
        what = f"'{early[0].text}' comes before the start of a regimen at steady state"
        expected, example = "a time of 0 h or later", f"{early[0].perturbation.name} at 0 h"
        raise InputError(what, key="with", expected=expected, type_this=example)


def validate(
    regimen: Regimen, table: ParameterTable, values: Mapping[str, float], horizon: float, species: Species | None = None
) -> None:
    """Raise InputError for a regimen that cannot be given to the typical patient, or starts after the horizon (h)."""
    require_species_kinetics(regimen, species or load_species(HUMAN))
    regimen.steady_state_cycle(table["expectancy.visit_gap"].canonical)
    dose_events(regimen, table, values, horizon)
    for treatment in regimen.treatments:
        if treatment.start >= horizon:
            what = f"{treatment.drug} would start at {treatment.start:g} h, after the horizon of {horizon:g} h"
            expected, later = "doses that start before the horizon", f"horizon: {treatment.start / 24 + 28:.0f} days"
            raise InputError(what, key="horizon", expected=expected, type_this=later)


def is_weight_based(regimen: Regimen) -> bool:
    """Whether a dose is per body weight or body surface."""
    return any(treatment.is_weight_based for treatment in regimen.treatments)


def notes_on_every_patient(
    regimen: Regimen, horizon: float, table: ParameterTable, values: Mapping[str, float], own: Mapping[str, float],
    species: str,
) -> tuple[str, ...]:  # fmt: skip
    """Notes on what was assumed of every patient, and on input that is allowed but unusual.

    `values` {parameter: value, canonical units} differ from the table; `own` are those that the user set.
    """
    notes = (
        *assumption_about_salt(regimen), *assumption_about_bolus(regimen), *doses_at_once(regimen, horizon),
        *long_infusions(regimen), *unusual_values(table, own), *beyond_the_horizon(regimen, horizon),
    )  # fmt: skip
    if species != HUMAN:
        return notes
    return (
        *notes, *unusual_doses(regimen, table, values), *notes_on_racemic_sprays(regimen, table, values),
        *notes_on_age(table, values),
    )  # fmt: skip


def notes_on_the_typical_patient(
    regimen: Regimen, table: ParameterTable, own: Mapping[str, float], species: Species
) -> tuple[str, ...]:
    """Notes that do not hold for virtual patients, who have values of their own; `own` are those that the user set."""
    return (
        *assumption_about_weight(regimen, table, own, species), *assumption_about_adherence(regimen),
        *(assumption_about_age(table, own) if species.name == HUMAN else ()),
    )  # fmt: skip


def assumption_about_weight(
    regimen: Regimen, table: ParameterTable, own: Mapping[str, float], species: Species
) -> tuple[str, ...]:
    """Note on a body weight that was not given, for doses that need one."""
    weight = species.values.get("person.weight", table["person.weight"])
    is_assumed = is_weight_based(regimen) and "person.weight" not in own
    return (f"body weight {weight.value:g} {weight.unit}, none was given",) if is_assumed else ()


def assumption_about_bolus(regimen: Regimen) -> tuple[str, ...]:
    """Notes on doses into a vein without a duration."""
    boluses = [t for t in regimen.treatments if t.route == "IV" and t.amount is not None and not t.duration]
    return tuple(f"{drug} IV is a bolus, no duration was named" for drug in dict.fromkeys(t.drug for t in boluses))


def doses_at_once(regimen: Regimen, horizon: float) -> tuple[str, ...]:
    """Notes on doses of one drug and route at the same time, and on infusions that overlap."""
    notes = []
    weighed = sorted((t for t in regimen.treatments if t.amount is not None), key=_drug_and_route)
    for (drug, route), group in groupby(weighed, key=_drug_and_route):
        spans = sorted((at, at + t.duration) for t in group for at in t.starts(horizon))
        both = next((b for a, b in pairwise(spans) if b[0] < max(a[1], a[0] + SAME_TIME) - SAME_TIME / 2), None)
        if both is not None:
            what = f"two doses of {drug} {route} are given at once from {duration_text(both[0], exact=False)} on"
            notes.append(f"{what}: they add up")
    return tuple(notes)


def long_infusions(regimen: Regimen) -> tuple[str, ...]:
    """Notes on infusions of many hours, which may be a duration in minutes."""
    infusions = {
        (t.drug, t.duration) for t in regimen.treatments if t.duration >= LONG_INFUSION and t.amount is not None
    }
    return tuple(
        f"an infusion of {drug} lasts {duration_text(hours, exact=False)}" for drug, hours in sorted(infusions)
    )


def _drug_and_route(treatment: Treatment) -> tuple[str, str]:
    return treatment.drug, treatment.route


@cache
def studied_doses() -> Mapping[str, tuple[float, float]]:
    """The smallest and the largest studied dose (mg at a body weight of 70 kg) of each drug."""
    by_drug: dict[str, list[float]] = {}
    for row in read_table(STUDIED_REGIMENS, STUDIED_COLUMNS):
        for treatment in Regimen.parse(row["regimen"]).treatments:
            by_drug.setdefault(treatment.drug, []).append(_milligrams(treatment, REFERENCE_WEIGHT))
    return {drug: (min(doses), max(doses)) for drug, doses in by_drug.items()}


def _milligrams(treatment: Treatment, weight: float) -> float:
    """One dose in mg; of a longer infusion, what enters in one hour."""
    assert treatment.amount is not None
    amount = convert(treatment.amount, treatment.unit.split("/")[0], "mg") * body_size(treatment.unit, weight)
    return float(amount) * (treatment.duration if treatment.unit.endswith("/h") else 1.0) / max(1.0, treatment.duration)


def unusual_doses(regimen: Regimen, table: ParameterTable, values: Mapping[str, float]) -> tuple[str, ...]:
    """Notes on doses that are many times smaller or larger than every dose studied in depression."""
    weight, notes = values.get("person.weight", table["person.weight"].canonical), []
    for treatment in regimen.treatments:
        if treatment.amount is None or treatment.drug not in studied_doses():
            continue
        low, high = (dose * weight / REFERENCE_WEIGHT for dose in studied_doses()[treatment.drug])
        dose = _milligrams(treatment, weight)
        if dose <= 0:  # rounded to 0 milligrams
            continue
        times = low / dose if dose < low else dose / high
        if times > UNUSUAL_DOSE:
            side, edge = ("below the smallest", low) if dose < low else ("above the largest", high)
            dose_text = f"{treatment.amount:g} {treatment.unit} of {treatment.drug}"
            notes.append(f"{dose_text} is {times:.2g} times {side} dose studied in depression, {edge:.3g} mg")
    return tuple(dict.fromkeys(notes))


def notes_on_racemic_sprays(regimen: Regimen, table: ParameterTable, values: Mapping[str, float]) -> tuple[str, ...]:
    """Note on the absorbed share of sprays and drops that are no devices of 28 mg."""
    parts = (part for t in regimen.treatments for part in absorption(t.substance, t.route))
    names = {part.fraction for part in parts if part.compartment == RACEMIC_NOSE}
    shares = ", ".join(f"{values.get(name, table[name].canonical):.0%}" for name in sorted(names))
    what = f"the nose absorbs {shares} of a racemic spray or of drops"
    return (f"{what}; published shares differ three- to fourfold between devices",) if names else ()


def notes_on_age(table: ParameterTable, values: Mapping[str, float]) -> tuple[str, ...]:
    """Notes on children and adolescents."""
    age = values.get("person.age", table["person.age"].canonical) / YEAR
    if group_of(HUMAN, values) != HUMAN:
        return (
            f"there are no ratings of patients below {YOUNGEST_RATED / YEAR:g} years: at {age:g} years the results are"
            " kinetics and mechanism, without clinical scales",
        )
    if age < ADULT_AGE:
        return (f"the model describes adults; a patient of {age:g} years is an extrapolation",)
    return ()


def assumption_about_age(table: ParameterTable, own: Mapping[str, float]) -> tuple[str, ...]:
    """Note on a low body weight that was given without an age."""
    weight, age = own.get("person.weight", math.inf), table["person.age"].canonical / YEAR
    is_assumed = weight < LOWEST_ADULT_WEIGHT and "person.age" not in own
    return (f"a patient of {weight:g} kg has an age of {age:g} years, no age was given",) if is_assumed else ()


def unusual_values(table: ParameterTable, own: Mapping[str, float]) -> tuple[str, ...]:
    """Notes on parameters that the user set to many times their value in the table."""
    notes = []
    for name, value in own.items():
        usual, row = table[name].canonical, table[name]
        if name.startswith("person.") or usual <= 0 or value <= 0 or row.spread.kind == "fixed":
            continue
        times = max(value / usual, usual / value)
        if times > UNUSUAL_VALUE:
            shown, side = value / usual * row.value, "above" if value > usual else "below"
            unit = "" if row.unit == "1" else f" {row.unit}"
            notes.append(f"{name} of {shown:g}{unit} is {times:.2g} times {side} its usual value, {row.value:g}{unit}")
    return tuple(notes)


def assumption_about_salt(regimen: Regimen) -> tuple[str, ...]:
    """Notes on the salt to which each mass refers."""
    weighed = [treatment for treatment in regimen.treatments if treatment.amount is not None]
    named = dict.fromkeys((treatment.drug, treatment.salt) for treatment in weighed)
    words = {"base": "free base, no salt was named", "hydrochloride": "hydrochloride, as named"}
    return tuple(f"doses of {drug} are masses of {words[salt]}" for drug, salt in named)


def assumption_about_adherence(regimen: Regimen) -> tuple[str, ...]:
    """Note on missed doses: they apply to virtual patients, but not to the typical patient."""
    by_chance = any(treatment.miss_probability for treatment in regimen.treatments)
    note = "the typical patient misses no dose at random; virtual patients (--patients, people) do"
    return (note,) if by_chance else ()


def beyond_the_horizon(regimen: Regimen, horizon: float) -> tuple[str, ...]:
    """Notes on infusions that end after the horizon (h), and on doses that would start after it."""
    notes, simulated = [], duration_text(horizon, exact=False)
    for treatment in regimen.treatments:
        starts = treatment.starts(horizon)
        if starts and treatment.duration and starts[-1] + treatment.lag + treatment.duration > horizon:
            end = duration_text(starts[-1] + treatment.lag + treatment.duration, exact=False)
            notes.append(f"an infusion of {treatment.drug} that ends after {end} is simulated for {simulated} only")
        end_of_schedule = treatment.end()
        if end_of_schedule is not None and end_of_schedule > horizon:
            planned = len(treatment.starts(end_of_schedule))
            if planned > len(starts):
                what = f"{len(starts)} of {planned} doses of {treatment.drug} are given"
                notes.append(f"{what}, because the simulation ends after {simulated}")
    return tuple(notes)
