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
from ketamech.exchange.nonmem.read import person_columns
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
    regimen: Regimen, horizon: float, values: Mapping[str, float], parameters: ParameterTable, *, name: str = "1",
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
    _one_begins(rows)
    rows.sort(key=lambda row: (row["TIME"], row["SS"] or 3))  # SS of 2 adds to what SS of 1 has begun
    rows.append({"TIME": horizon, "EVID": 0, "MDV": 1})
    people = person_columns([n.removeprefix("person.").upper() for n in values if n.startswith("person.")], parameters)
    rows_of = {column: parameters[name_] for column, name_ in people.items()}
    known = {c: repr(convert(values[row.name], row.canonical_unit, row.unit)) for c, row in rows_of.items()}
    known |= {} if species == HUMAN else {"SPECIES": species}
    text = io.StringIO()
    writer = csv.DictWriter(text, (*HEADER, *known), restval=".", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({"ID": name, **{k: _cell(v) for k, v in row.items()}, **known})
    return text.getvalue()


def lossy_features(asked: Scenario) -> list[str]:
    """Features of a scenario that a dose table loses, or that another program interprets differently."""
    given = asked.regimen.treatments
    found = ["the model: where a route leads, how it is absorbed, how long a swallowed dose takes (RATE 0 here)"]
    if any(t.end() is None for t in given):
        found.append(f"a frequency without an end: doses up to {asked.horizon:g} h are written")
    if any(t.miss_probability for t in given):
        found.append("chance: the column MISSING holds the chance that a dose is missed, which only KetaMech reads")
    if any(t.salt != "base" for t in given):
        found.append("salts: the column SALT says what AMT is a mass of, which only KetaMech reads")
    if is_weight_based(asked.regimen):
        weight = asked.values.get("person.weight", load_parameters()["person.weight"].canonical)
        found.append(f"doses per kilogram: AMT is in mg at a weight of {weight:g} kg")
    if any(t.substance.is_session for t in given):
        found.append(f"treatments without a mass: AMT is 1 {SESSION}, AMT 0 for {VISIT}")
    if sum((t.schedule[0].times_a_week or 1) if t.schedule else 1 for t in given if t.at_steady_state) > 1:
        several = "a steady state of several doses: SS 1 with SS 2 after it, from before 0 h"
        found.append(f"{several}; other programs add them up")
    if asked.species != HUMAN:
        found.append(f"the values of a {asked.species}: the column SPECIES names it, which only KetaMech reads")
    found += [f"what is done beside the doses: {one.text}" for one in asked.perturbations]
    if asked.model_variant:
        found.append(f"the model variant {asked.model_variant}, whose values are among the parameters")
    own = own_values(asked.values, asked.species)
    if other := sorted(name for name in own if not name.startswith("person.")):
        found.append(f"parameters that are set: {', '.join(other)}")
    if not asked.control:
        found.append("that no untreated control is wanted")
    return found


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
        numbered = list(enumerate(starts, number + 1))
        lanes = phase.times_a_week or 1 if phase and phase.interval is None else 1  # doses by weekday
        for lane in (numbered[k::lanes] for k in range(lanes)):
            steady = treatment.at_steady_state and i == 0
            if steady and (not lane or lane[0][0] in treatment.skipped_doses):
                what = f"{treatment.drug} starts at steady state, and its first dose is missed or after the horizon"
                raise InputError(what, key="SS", expected="a first dose, for a table to begin the steady state with")
            for taken, run in groupby(lane, key=lambda one: one[0] not in treatment.skipped_doses):
                if taken:
                    yield _record(treatment, [time for _, time in run], phase.period if phase else 0.0, steady)
                    steady = False
        number += len(starts)
        begin += (phase.duration or 0.0) if phase else 0.0


def _record(treatment: Treatment, times: list[float], gap: float, steady: bool) -> Record:
    counted = treatment.substance.is_session
    total = _total(treatment)
    repeated = len(times) > 1 or steady
    return {
        "TIME": times[0],
        "AMT": total,
        "RATE": total / treatment.duration if treatment.duration else 0,
        "CMT": compartment_number(treatment.route),
        "EVID": 1 if treatment.drug != VISIT else 2,
        "II": gap if repeated else 0,
        "ADDL": len(times) - 1,
        "SS": int(steady),
        "MDV": 1,
        "LAG": treatment.lag,
        "MISSING": treatment.miss_probability or ".",
        "DRUG": treatment.drug,
        "ROUTE": treatment.route or NO_ROUTE,
        "UNIT": SESSION if counted else treatment.unit.removesuffix("/h"),
        "SALT": treatment.salt,
    }


def _total(treatment: Treatment) -> float:
    """AMT: the whole dose, also of a rate; 1 for a session, 0 for a visit without a dose."""
    if treatment.amount is None or treatment.substance.is_session:
        return 0.0 if treatment.drug == VISIT else 1.0
    return treatment.amount * (treatment.duration if treatment.unit.endswith("/h") else 1.0)


def _one_begins(rows: Sequence[Record]) -> None:
    """Of several schedules at steady state, the first has SS 1, the others SS 2.

    A schedule acts from the TIME of its record on; if its first dose comes after 0 h, the dose before is written.
    """
    steady = [row for row in rows if row["SS"]]
    first = min((row["TIME"] for row in steady), default=0)
    if first:
        what = f"the steady state is {first:g} h before its first dose"
        raise InputError(what, key="SS", expected="a first dose at 0 h, for a table to begin the steady state with")
    for row in steady:
        if row["TIME"]:
            row["TIME"], row["ADDL"] = row["TIME"] - row["II"], row["ADDL"] + 1
    for row in sorted(steady, key=lambda row: float(row["TIME"]))[1:]:
        row["SS"] = 2


def _cell(value: object) -> str:
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
