"""Scenarios and solves of the people of a dose table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ketamech.core import BadInput
from ketamech.engine.solve import checked_outputs
from ketamech.exchange.dose_reading import DoseTable, Occasion, Subject
from ketamech.exchange.scenario_writing import scenario_yaml
from ketamech.parameters import ParameterTable, load_species
from ketamech.simulation import Ensemble
from ketamech.study import Course, Model, Regimen, Scenario, entries
from ketamech.study.regimen import LONGEST
from ketamech.study.scenario import check, luck, per_kilogram, salts
from ketamech.study.simulate import felt

HAIR = 1e-9  # a value before a dose is that of so many hours earlier, relative to the time


def scenario_of(table: DoseTable, subject: Subject, parameters: ParameterTable) -> Scenario:
    """The scenario of one person with one occasion. Raises BadInput for one who is put back in the middle."""
    if len(subject.occasions) > 1:
        row = subject.occasions[1].rows[0] if subject.occasions[1].rows else subject.occasions[1].observations[0].row
        what = f"ID {subject.name} is put back to the start at TIME {subject.occasions[1].begin:g}"
        raise row.bad(what, "EVID", "a person who is not reset; several occasions are solved as a table")
    return _scenario(table, subject, subject.occasions[0], parameters)


def _scenario(table: DoseTable, subject: Subject, occasion: Occasion, parameters: ParameterTable) -> Scenario:
    regimen = occasion.regimen
    horizon = _horizon(occasion, regimen)
    refuse_impossible(regimen, parameters, subject, occasion, horizon)
    weight = parameters["person.weight"]
    assumed = per_kilogram(regimen) and "person.weight" not in subject.values
    notes = (f"body weight {weight.value:g} {weight.unit}, none was given",) if assumed else ()
    title = table.path.stem if len(table.subjects) == 1 else f"{table.path.stem}, ID {subject.name}"
    found = Scenario(
        title, f"Doses of {table.path.name}.", regimen, subject.values, horizon, True, 1, "",
        (*table.notes, *notes, *salts(regimen), *luck(regimen)), subject.species,
    )  # fmt: skip
    return replace(found, source=scenario_yaml(found, parameters))


def _horizon(occasion: Occasion, regimen: Regimen) -> float:
    """The last time asked for; a sensible one where none is, or where doses follow after it."""
    usual = min(regimen.horizon(), LONGEST)
    if not occasion.last or any(start >= occasion.last for t in regimen.treatments for start in t.starts(usual)):
        return usual
    return max(occasion.last, 1.0)


def refuse_impossible(
    regimen: Regimen, parameters: ParameterTable, subject: Subject, occasion: Occasion, horizon: float
) -> None:
    """Raise BadInput, at the first record with which it becomes so, for a regimen that cannot be given."""
    species = load_species(subject.species)
    try:
        check(regimen, parameters, subject.values, horizon, species)
    except BadInput as problem:
        for n, row in enumerate(occasion.rows, 1):
            try:
                check(Regimen(regimen.treatments[:n]), parameters, subject.values, horizon, species)
            except BadInput:
                raise row.placed(problem) from None
        raise


def solve_table(table: DoseTable, model: Model, outputs: Sequence[str]) -> pd.DataFrame:
    """What each person shows at each observation: columns ID, TIME, the outputs, and how each solve ended.

    One row a record that is looked at (EVID 0, 2 or 3), in the order of the table; a failed person is NaN.
    """
    names = checked_outputs(model.kernel, tuple(outputs))
    stays = [(s, o) for s in table.subjects for o in s.occasions if o.observations]
    if not stays:
        what = "no record of this table is looked at"
        raise BadInput(what, file=table.path, key="EVID", expected="records with EVID 0 for times to compute")
    courses = [_course(subject, stay, model) for subject, stay in stays]
    times = _padded([_moments(stay) for _, stay in stays])
    found = Ensemble.of_subjects(model, courses).solve(times, names)
    rows = []
    for i, (subject, stay) in enumerate(stays):
        for k, seen in enumerate(stay.observations):
            shown = dict(zip(names, found.values[i, k].tolist(), strict=True))
            rows.append({"ID": subject.name, "TIME": seen.time, **shown, "solve_status": found.reasons[i]})
    return pd.DataFrame(rows)


def _course(subject: Subject, stay: Occasion, model: Model) -> Course:
    regimen, parameters = stay.regimen, model.parameters
    horizon = (stay.last or 0.0) + 1e-6
    if stay.end is not None:
        horizon = min(horizon, stay.end - stay.begin)
    refuse_impossible(regimen, parameters, subject, stay, LONGEST)
    cycle, gap = regimen.cycle(subject.values.get("expectancy.visit_gap", parameters["expectancy.visit_gap"].canonical))
    wait = _wait(stay)
    entering = felt(subject.species, entries(regimen, parameters, subject.values, horizon))
    given = tuple(replace(entry, time=entry.time + wait) for entry in entering)
    repeated = felt(subject.species, entries(cycle, parameters, subject.values, gap)) if gap else ()
    return Course(subject.name, given, subject.values, repeated, gap)


def _moments(stay: Occasion) -> list[float]:
    """Hours from the begin at which each observation is made: a hair earlier where it comes before a dose."""
    starts = {start for t in stay.regimen.treatments for start in t.starts(LONGEST)}
    hours = [seen.time - stay.begin for seen in stay.observations]
    at_dose = [any(abs(hour - start) < HAIR for start in starts) for hour in hours]
    early = [seen.before and dosed for seen, dosed in zip(stay.observations, at_dose, strict=True)]
    wait = _wait(stay)
    return [h * (1 - HAIR) if sooner else h + wait for h, sooner in zip(hours, early, strict=True)]


def _wait(stay: Occasion) -> float:
    """A hair by which the first dose waits (h), where somebody is looked at before a dose at the very beginning."""
    return HAIR if any(seen.before and seen.time == stay.begin for seen in stay.observations) else 0.0


def _padded(moments: list[list[float]]) -> np.ndarray:
    longest = max(map(len, moments))
    return np.array([[*own, *([own[-1]] * (longest - len(own)))] for own in moments])
