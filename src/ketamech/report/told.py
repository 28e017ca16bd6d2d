"""What a run was asked to do, as the report needs to know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from ketamech.study import Course, Entry, Model, Phase, Scenario, Treatment, courses

CONTROL = "control"


@dataclass(frozen=True)
class Told:
    """A run in words and courses: one course per patient of the Dataset, in the same order.

    `given` has one sentence a treatment; `control` is the label of the control patient, if there is one; `source` is
    the scenario as written; `values` are the parameters that differ from the table (canonical units).
    """

    title: str
    given: tuple[str, ...]
    courses: tuple[Course, ...]
    control: str | None = None
    source: str = ""
    seed: int | None = None
    description: str = ""
    assumptions: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def treated(self) -> tuple[int, ...]:
        """Places of the patients who are not the control."""
        return tuple(i for i, course in enumerate(self.courses) if course.label != self.control)

    @property
    def main(self) -> int:
        """The patient whose story is told."""
        return self.treated[0] if self.treated else 0

    @property
    def control_place(self) -> int | None:
        """Place of the control patient."""
        return next((i for i, course in enumerate(self.courses) if course.label == self.control), None)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything the main patient gets, belief left out."""
        found = self.courses[self.main].entries if self.courses else ()
        return tuple(entry for entry in found if not entry.state.startswith("expectancy."))

    @property
    def first(self) -> float:
        """When the first treatment starts (h)."""
        return min((entry.time for entry in self.entries if entry.time >= 0), default=0.0)

    def occasions(self, apart: float = 0.75) -> list[tuple[float, float]]:
        """Start and end (h) of every treatment occasion; entries closer than `apart` hours are one occasion."""
        found: list[tuple[float, float]] = []
        for entry in sorted((e for e in self.entries if e.time >= 0), key=lambda e: e.time):
            end = entry.time + (entry.duration if entry.state.split(".")[-1].startswith("central") else 0.0)
            if found and entry.time - found[-1][1] < apart:
                found[-1] = (found[-1][0], max(found[-1][1], end))
            else:
                found.append((entry.time, end))
        return found


def told(scenario: Scenario, model: Model) -> Told:
    """A scenario as the report tells it."""
    both = tuple(courses(scenario, model))
    control = CONTROL if any(course.label == CONTROL for course in both) else None
    treatments = tuple(in_words(treatment) for treatment in scenario.regimen.treatments)
    given = (*treatments, *(f"with {one.text}" for one in scenario.perturbations))
    notes = tuple(scenario.assumptions)
    return Told(
        scenario.title,
        given,
        both,
        control,
        scenario.source,
        scenario.seed,
        scenario.description.strip(),
        notes,
        scenario.values,
    )


def in_words(treatment: Treatment) -> str:
    """A treatment as a person would say it: "esketamine 84 mg nasal, 2 times a week for 4 weeks, then weekly"."""
    parts = [treatment.drug]
    if treatment.amount is not None:
        parts.append(f"{treatment.amount:g} {treatment.unit}")
    parts += [f"(as {treatment.salt})"] if treatment.salt != "base" else []
    parts += [treatment.route] if treatment.route else []
    parts += [f"over {_long(treatment.duration)}"] if treatment.duration else []
    parts += [f"starting at {_long(treatment.start)}"] if treatment.start else []
    phases = [_phase(phase) for phase in treatment.phases]
    return " ".join(parts) + (", " + ", then ".join(phases) if phases else "")


def _phase(phase: Phase) -> str:
    week = phase.every == 168.0 or (phase.every is None and (phase.times_a_week or 1) == 1)
    rhythms = {24.0: "daily", 12.0: "twice daily"}
    other = f"{phase.times_a_week} times a week" if phase.every is None else f"every {_long(phase.every)}"
    rhythm = "weekly" if week else rhythms.get(phase.every or 0.0, other)
    return rhythm + (f" for {_long(phase.length)}" if phase.length else "")


def _long(hours: float) -> str:
    """40 min, 24 h, 5 days, 4 weeks."""
    if hours < 1:
        return f"{hours * 60:.3g} min"
    if hours % 168 == 0:
        return f"{hours / 168:.0f} week{'s' if hours > 168 else ''}"
    return f"{hours:.4g} h" if hours < 48 or hours % 24 else f"{hours / 24:.0f} days"


def told_by(dataset: xr.Dataset) -> Told:
    """What the curves alone tell: patients, their title, and that treatment starts at hour 0."""
    labels = [str(label) for label in dataset["patient"].values]
    control = CONTROL if CONTROL in labels else None
    return Told(str(dataset.attrs.get("title", "")), (), tuple(Course(label) for label in labels), control)


def solved(dataset: xr.Dataset, place: int) -> bool:
    """Whether a patient's curves are there: a failed solve is NaN everywhere."""
    return any(bool(np.isfinite(variable.values[place]).any()) for variable in dataset.data_vars.values())
