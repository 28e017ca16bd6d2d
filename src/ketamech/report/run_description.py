"""Description of a run for the report: treatments, subjects, control, assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ketamech.dosing.dose_events import DoseEvent, without_expectancy
from ketamech.dosing.regimen import Regimen
from ketamech.simulation.curves import AnyCurves
from ketamech.simulation.ensemble import Subject
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import subjects

CONTROL = "control"
OCCASION_GAP = 0.75  # h between two doses: below it, they are one occasion


@dataclass(frozen=True)
class RunDescription:
    """A run: title, treatments and one subject per patient, in the order of the Dataset.

    `treatments`: one sentence per treatment; `control`: label of the control patient, if there is one; `source` is
    the scenario as text; `values` are the parameters that differ from the table (canonical units). `regimen`: the
    treatments as they were read (None for curves alone).
    """

    title: str
    treatments: tuple[str, ...]
    subjects: tuple[Subject, ...]
    control: str | None = None
    source: str = ""
    seed: int | None = None
    description: str = ""
    assumptions: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    regimen: Regimen | None = None

    @property
    def treated(self) -> tuple[int, ...]:
        """Indices of the patients other than the control."""
        return tuple(i for i, subject in enumerate(self.subjects) if subject.label != self.control)

    @property
    def index_of_main(self) -> int:
        """Index of the patient that the report describes."""
        return self.treated[0] if self.treated else 0

    @property
    def index_of_control(self) -> int | None:
        """Index of the control patient."""
        return next((i for i, subject in enumerate(self.subjects) if subject.label == self.control), None)

    @property
    def dose_events(self) -> tuple[DoseEvent, ...]:
        """Dose events of the main patient without expectancy."""
        events = self.subjects[self.index_of_main].events if self.subjects else ()
        return without_expectancy(events)

    @property
    def first_dose_time(self) -> float:
        """Start of the first treatment (h)."""
        return min((event.time for event in self.dose_events if event.time >= 0), default=0.0)

    def occasions(self) -> list[tuple[float, float]]:
        """Start and end (h) of every treatment occasion; entries closer than OCCASION_GAP are one."""
        occasions: list[tuple[float, float]] = []
        for entry in sorted((event for event in self.dose_events if event.time >= 0), key=lambda event: event.time):
            end = entry.time + (entry.duration if entry.compartment.split(".")[-1].startswith("central") else 0.0)
            if occasions and entry.time - occasions[-1][1] < OCCASION_GAP:
                occasions[-1] = (occasions[-1][0], max(occasions[-1][1], end))
            else:
                occasions.append((entry.time, end))
        return occasions


def describe_run(scenario: Scenario, model: Model) -> RunDescription:
    """The description of a scenario."""
    patients = tuple(subjects(scenario, model))
    control = CONTROL if any(subject.label == CONTROL for subject in patients) else None
    perturbations = (f"with {perturbation.text}" for perturbation in scenario.perturbations)
    treatments = (*scenario.regimen.sentences(exact=False), *perturbations)
    return RunDescription(
        scenario.title, treatments, patients, control, scenario.source, scenario.seed, scenario.description.strip(),
        tuple(scenario.assumptions), scenario.values, scenario.regimen,
    )  # fmt: skip


def describe_dataset(dataset: AnyCurves) -> RunDescription:
    """The description from curves alone: patients, title, and a treatment start at 0 h."""
    labels = [str(label) for label in dataset["patient"].values]
    control = CONTROL if CONTROL in labels else None
    return RunDescription(str(dataset.attrs.get("title", "")), (), tuple(Subject(label) for label in labels), control)


def solved(dataset: AnyCurves, patient: int) -> bool:
    """Whether a patient was solved: the curves of a failed solve are NaN."""
    return any(bool(np.isfinite(variable.values[patient]).any()) for variable in dataset.data_vars.values())
