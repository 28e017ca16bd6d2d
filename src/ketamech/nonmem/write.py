"""Writes a regimen as a NONMEM-style table, and lists the features that such a table loses."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from ketamech.core import InputError, convert
from ketamech.dosing.dose_events import body_size
from ketamech.dosing.dose_records import compartment_number
from ketamech.dosing.drugs import NO_ROUTE
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Treatment
from ketamech.nonmem.read import person_columns
from ketamech.parameters import HUMAN, ParameterTable, load_parameters
from ketamech.parameters.species_tables import own_values
from ketamech.simulation.scenario import Scenario, is_weight_based

HEADER = (
    "ID", "TIME", "AMT", "RATE", "CMT", "EVID", "II", "ADDL", "SS", "MDV", "DV",
    "LAG", "MISSING", "DRUG", "ROUTE", "UNIT", "SALT",
)  # fmt: skip
SESSION, VISIT = "session", "placebo"
Record = dict[str, Any]


def doses_csv(
    regimen: Regimen, horizon: float, values: Mapping[str, float], parameters: ParameterTable, *,
    species: str = HUMAN,
) -> str:  # fmt: skip
    """The regimen of one subject as a table: one record per schedule, a last record (EVID 0) at the `horizon` (h).

    AMT is in mg, doses per kilogram at the weight of the subject, since other programs take AMT as it stands.
    `values` of person.* parameters (canonical units) are columns in the unit of the parameter tables, but for those
    that the `species` sets: an animal has a column SPECIES.
    """
    weight = values.get("person.weight", parameters["person.weight"].canonical)
    values = own_values(values, species)
    regimen = Regimen(tuple(_in_milligrams(treatment, weight) for treatment in regimen.treatments))
    rows = [row for treatment in regimen.treatments for row in _records(treatment, horizon)]
    _number_steady_states(rows)
    rows.sort(key=lambda row: (row["TIME"], row["SS"] or 3))  # SS of 2 adds to what SS of 1 has begun
    rows.append({"TIME": horizon, "EVID": 0, "MDV": 1})
    columns = person_columns([n.removeprefix("person.").upper() for n in values if n.startswith("person.")], parameters)
    parameter_rows = {column: parameters[name_] for column, name_ in columns.items()}
    constants = {c: repr(convert(values[row.name], row.canonical_unit, row.unit)) for c, row in parameter_rows.items()}
    constants |= {} if species == HUMAN else {"SPECIES": species}
    text = io.StringIO()
    writer = csv.DictWriter(text, (*HEADER, *constants), restval=".", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({"ID": 1, **{k: _cell(v) for k, v in row.items()}, **constants})
    return text.getvalue()


def lossy_features(scenario: Scenario) -> list[str]:
    """Features of a scenario that a dose table loses, or that another program interprets differently."""
    treatments = scenario.regimen.treatments
    features = ["the model: where a route leads, how it is absorbed, how long a swallowed dose takes (RATE 0 here)"]
    if any(t.end() is None for t in treatments):
        features.append(f"a frequency without an end: doses up to {scenario.horizon:g} h are written")
    if any(t.miss_probability for t in treatments):
        features.append("chance: the column MISSING holds the chance that a dose is missed, which only KetaMech reads")
    if any(t.salt != "base" for t in treatments):
        features.append("salts: the column SALT says what AMT is a mass of, which only KetaMech reads")
    if is_weight_based(scenario.regimen):
        weight = scenario.values.get("person.weight", load_parameters()["person.weight"].canonical)
        features.append(f"doses per kilogram: AMT is in mg at a weight of {weight:g} kg")
    if any(t.substance.is_session for t in treatments):
        features.append(f"treatments without a mass: AMT is 1 {SESSION}, AMT 0 for {VISIT}")
    if sum((t.schedule[0].times_a_week or 1) if t.schedule else 1 for t in treatments if t.at_steady_state) > 1:
        text = "a steady state of several doses: SS 1 with SS 2 after it, from before 0 h"
        features.append(f"{text}; other programs add them up")
    if scenario.species != HUMAN:
        features.append(f"the values of a {scenario.species}: the column SPECIES names it, which only KetaMech reads")
    features += [f"perturbations: {perturbation.text}" for perturbation in scenario.perturbations]
    if scenario.model_variant:
        features.append(f"the model variant {scenario.model_variant}, whose values are among the parameters")
    overrides = own_values(scenario.values, scenario.species)
    if other_names := sorted(name for name in overrides if not name.startswith("person.")):
        features.append(f"parameters that are set: {', '.join(other_names)}")
    if not scenario.control:
        features.append("the choice of no untreated control")
    return features


def _in_milligrams(treatment: Treatment, weight: float) -> Treatment:
    """The treatment with its dose in mg, or mg/h, at a body weight (kg)."""
    if treatment.amount is None or treatment.substance.is_session:
        return treatment
    mass, rate = treatment.unit.split("/")[0], "/h" if treatment.unit.endswith("/h") else ""
    amount = treatment.amount * body_size(treatment.unit, weight)
    return replace(treatment, amount=amount if mass == "mg" else convert(amount, mass, "mg"), unit=f"mg{rate}")


def _records(treatment: Treatment, horizon: float) -> Iterator[Record]:
    """The doses up to the `horizon`: one record a run of taken doses with one interval, by weekday."""
    begin, number = treatment.start, 0
    for i, phase in enumerate(treatment.schedule or (None,)):
        starts = list(phase.starts(begin, horizon)) if phase else [begin] * (begin < horizon)
        numbered_starts = list(enumerate(starts, number + 1))
        n_groups = phase.times_a_week or 1 if phase and phase.interval is None else 1  # doses by weekday
        for group in (numbered_starts[offset::n_groups] for offset in range(n_groups)):
            is_steady = treatment.at_steady_state and i == 0
            if is_steady and (not group or group[0][0] in treatment.skipped_doses):
                message = f"{treatment.drug} starts at steady state, and its first dose is missed or after the horizon"
                raise InputError(message, key="SS", expected="a first dose, for a table to begin the steady state with")
            for taken, run in groupby(group, key=lambda item: item[0] not in treatment.skipped_doses):
                if taken:
                    yield _record(treatment, [time for _, time in run], phase.period if phase else 0.0, is_steady)
                    is_steady = False
        number += len(starts)
        begin += (phase.duration or 0.0) if phase else 0.0


def _record(treatment: Treatment, times: list[float], gap: float, is_steady: bool) -> Record:
    is_session = treatment.substance.is_session
    total = _record_amount(treatment)
    is_repeated = len(times) > 1 or is_steady
    return {
        "TIME": times[0],
        "AMT": total,
        "RATE": total / treatment.duration if treatment.duration else 0,
        "CMT": compartment_number(treatment.route),
        "EVID": 1 if treatment.drug != VISIT else 2,
        "II": gap if is_repeated else 0,
        "ADDL": len(times) - 1,
        "SS": int(is_steady),
        "MDV": 1,
        "LAG": treatment.lag,
        "MISSING": treatment.miss_probability or ".",
        "DRUG": treatment.drug,
        "ROUTE": treatment.route or NO_ROUTE,
        "UNIT": SESSION if is_session else treatment.unit.removesuffix("/h"),
        "SALT": treatment.salt,
    }


def _record_amount(treatment: Treatment) -> float:
    """AMT: the whole dose, also of a rate; 1 for a session, 0 for a visit without a dose."""
    if treatment.amount is None or treatment.substance.is_session:
        return 0.0 if treatment.drug == VISIT else 1.0
    return treatment.amount * (treatment.duration if treatment.unit.endswith("/h") else 1.0)


def _number_steady_states(rows: Sequence[Record]) -> None:
    """Give the first of several schedules at steady state SS 1 and the others SS 2.

    A schedule acts from the TIME of its record on; if its first dose comes after 0 h, the dose before is written.
    """
    steady_rows = [row for row in rows if row["SS"]]
    first_time = min((row["TIME"] for row in steady_rows), default=0)
    if first_time:
        message = f"the steady state is {first_time:g} h before its first dose"
        raise InputError(message, key="SS", expected="a first dose at 0 h, for a table to begin the steady state with")
    for row in steady_rows:
        if row["TIME"]:
            row["TIME"], row["ADDL"] = row["TIME"] - row["II"], row["ADDL"] + 1
    for row in sorted(steady_rows, key=lambda row: float(row["TIME"]))[1:]:
        row["SS"] = 2


def _cell(value: object) -> str:
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
