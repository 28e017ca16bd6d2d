"""The treatments that the scorecard simulates, from data/scorecard/protocols.csv."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ketamech.core import InputError, require_known, unit
from ketamech.core.constants import PROTOCOL_TOLERANCE
from ketamech.core.csv_table import CsvRow, read_table, rows_by
from ketamech.core.environment import DATA
from ketamech.dosing.dose_events import DoseEvent, dose_events, parameter_lookup
from ketamech.dosing.parse import parse_duration
from ketamech.dosing.perturbations import AppliedPerturbation, read_perturbations
from ketamech.dosing.regimen import Regimen, require_species_kinetics
from ketamech.parameters import HUMAN, SPECIES, ParameterTable, load_species
from ketamech.simulation.curves import Curves
from ketamech.simulation.ensemble import Subject, curves_of_subjects
from ketamech.simulation.model import Model
from ketamech.simulation.observable import TimeCourse
from ketamech.simulation.output_times import output_times
from ketamech.simulation.scenario import Scenario, perturbation_parameters

DIRECTORY = DATA / "scorecard"
COLUMNS = ("id", "species", "treatment", "with", "control", "settings", "horizon", "reason")
KETAMINE_INPUT = re.compile(r"^pharmacokinetics\.\w+_[sr]$")


@dataclass(frozen=True)
class Protocol:
    """One treatment of a typical patient or animal: regimen sentence (empty: untreated), perturbations, horizon (h).

    `settings`: parameters of the patient in the units of the parameter tables (years, kg, points).
    """

    id: str
    treatment: str
    control: str
    settings: Mapping[str, float]
    horizon: float
    species: str = HUMAN
    perturbations: tuple[AppliedPerturbation, ...] = ()

    @property
    def regimen(self) -> Regimen:
        """The treatment as a regimen. Raises InputError."""
        return Regimen.parse(self.treatment) if self.treatment else Regimen(())

    def values(self, parameters: ParameterTable) -> dict[str, float]:
        """Parameters that differ from the tables (canonical): species, settings and perturbations."""
        own = {name: number * unit(parameters[name].unit).factor for name, number in self.settings.items()}
        return perturbation_parameters(parameters, load_species(self.species), own, self.perturbations)

    def scenario(self, parameters: ParameterTable) -> Scenario:
        """The protocol as a scenario."""
        return Scenario(
            self.id, "", self.regimen, self.values(parameters), self.horizon, False, 1, "",
            species=self.species, perturbations=self.perturbations,
        )  # fmt: skip

    def events(self, parameters: ParameterTable) -> tuple[DoseEvent, ...]:
        """All dose events, in time order."""
        values = self.values(parameters)
        number = parameter_lookup(parameters, values)
        beside = tuple(entry for events in self.perturbations for entry in events.events(number))
        if not self.treatment:
            return beside
        events = dose_events(self.regimen, parameters, values, self.horizon)
        return tuple(sorted((*events, *beside), key=lambda entry: float(entry.time)))


def load_protocols(path: Path | None = None) -> dict[str, Protocol]:
    """Protocols by id. Raises InputError with the line of a repeated id or an unknown control.

    The sentences of a user's table are parsed at once; those of the shipped table, which a test parses, when used.
    """
    rows = rows_by(read_table(path or DIRECTORY / "protocols.csv", COLUMNS), "id", "a name such as iv-0.5-over-40-min")
    protocols = {name: _protocol(name, row) for name, row in rows.items()}
    if path is not None:
        for protocol in protocols.values():
            require_species_kinetics(protocol.regimen, load_species(protocol.species))
    for row in rows.values():
        if row["control"]:
            row.known("control", protocols, "the id of a protocol", what="no protocol")
    return protocols


def _protocol(name: str, row: CsvRow) -> Protocol:
    try:
        horizon = parse_duration(row.required("horizon", "a time such as 24 h or 28 day"))
    except InputError as problem:
        what = f"'{row['horizon']}' is not a time"
        raise row.error("horizon", what, expected="a time such as 24 h or 28 day") from problem
    species, treatment = row.one_of("species", SPECIES), row["treatment"]
    try:
        beside = read_perturbations(row.listed("with"))
    except InputError as problem:
        raise row.error("with", problem.what, expected=problem.expected or "", near=problem.nearest) from problem
    return Protocol(name, treatment, row["control"], row.settings("settings"), horizon, species, beside)


def simulate_protocols(
    model: Model, protocols: Iterable[Protocol], moments: Iterable[float] = (),
    progress: Callable[[str], None] | None = None,
) -> dict[str, TimeCourse]:  # fmt: skip
    """Time courses by protocol id: one batch per horizon, one drug-free patient for every set of settings."""
    chosen = list(protocols)
    events_by_protocol = {p.id: p.events(model.parameters) for p in chosen}
    rest = _baselines(model, chosen)
    batches: dict[float, list[Protocol]] = defaultdict(list)
    for protocol in chosen:
        batches[protocol.horizon].append(protocol)
    curves: dict[str, TimeCourse] = {}
    for horizon, batch in sorted(batches.items()):
        if progress:
            progress(f"{len(batch)} treatments over {horizon:g} h")
        courses = [Subject(p.id, events_by_protocol[p.id], p.values(model.parameters)) for p in batch]
        solved = curves_of_subjects(model, courses, _times(horizon, courses, moments), tolerance=PROTOCOL_TOLERANCE)
        time, values = solved["time"].values, _arrays(solved)
        for i, p in enumerate(batch):
            outputs = {name: array[i] for name, array in values.items()}
            curves[p.id] = TimeCourse(time, outputs, rest[_key(p)], dosed_micromoles(events_by_protocol[p.id]))
    return curves


def _times(horizon: float, courses: Iterable[Subject], moments: Iterable[float]) -> np.ndarray:
    """Dense times after every start and end, from five seconds on, and the exact published times."""
    entries = [entry for course in courses for entry in course.events]
    starts = {entry.time for entry in entries} | {entry.time + entry.duration for entry in entries}
    starts = {start for start in starts if start >= 0}
    seconds = {start + second / 3600 for start in starts for second in (5, 10, 20, 30, 45)}
    exact = np.array(sorted(t for t in {*starts, *seconds, *moments} if t <= horizon))
    return np.unique(np.round(np.concatenate([output_times(horizon, sorted(starts)), exact]), 6))


def _key(protocol: Protocol) -> tuple[object, ...]:
    sets = {
        name: value
        for perturbation in protocol.perturbations
        for name, value in perturbation.perturbation.parameter_values.items()
    }
    held = tuple(perturbation.text for perturbation in protocol.perturbations if perturbation.is_constant)
    return (protocol.species, held, *sorted({**protocol.settings, **sets}.items()))


def _baselines(model: Model, protocols: Iterable[Protocol]) -> dict[tuple[object, ...], dict[str, float]]:
    people = {_key(protocol): protocol.values(model.parameters) for protocol in protocols}
    courses = [Subject("drug-free", (), values) for values in people.values()]
    values = _arrays(curves_of_subjects(model, courses, np.array([0.0, 1e-3]), tolerance=PROTOCOL_TOLERANCE))
    return {key: {name: float(array[i, 0]) for name, array in values.items()} for i, key in enumerate(people)}


def _arrays(solved: Curves) -> dict[str, np.ndarray]:
    return {name: variable.values for name, variable in solved.data_vars.items()}


def dosed_micromoles(entries: Iterable[DoseEvent]) -> float:
    """Total dose of both enantiomers of ketamine (umol)."""
    return sum(entry.amount for entry in entries if KETAMINE_INPUT.match(entry.compartment))


def check_settings(protocols: Mapping[str, Protocol], parameters: ParameterTable) -> None:
    """Raise InputError for a protocol that sets an unknown parameter."""
    for protocol in protocols.values():
        for name in protocol.settings:
            require_known(name, parameters, f"protocol '{protocol.id}' sets '{name}', which no table has")
