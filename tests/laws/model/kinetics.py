"""The kinetic stages alone, quick to build: every course of the kinetics tests is solved in one batch."""

import numpy as np

from dose_sentences import dose_events_from_text
from ketamech.engine import load_kernel
from ketamech.evidence import load_evidence
from ketamech.model.assemble import build_system
from ketamech.model.stages.brain import brain
from ketamech.model.stages.pharmacokinetics import pharmacokinetics
from ketamech.parameters import load_parameters
from ketamech.parameters.concentration_units import factors
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.model import Model

YEAR = 8766.0
HORIZON = 400.0
HOURS = np.unique(
    np.concatenate([np.arange(0, 8, 1 / 60), np.arange(8, 24.01, 0.25), np.arange(24, HORIZON, 2)]).round(9)
)
EVIDENCE = load_evidence()
NG_PER_ML = factors()["venous.ketamine"]  # in 1 umol/L of ketamine or an enantiomer


def kinetic_model():
    system = build_system(load_parameters(), [pharmacokinetics, brain])
    return Model(system.layout, system.parameters, load_kernel(system.layout, lambda: system), lambda: system)


def course(model, label, sentence, values=None):
    """A regimen sentence as a course of this small model, which has no expectancy."""
    values = values or {}
    given = dose_events_from_text(sentence, model.parameters, values, HORIZON)
    return Subject(label, tuple(e for e in given if e.compartment.startswith("pharmacokinetics.")), values)


class Curves:
    """Simulated curves by course label."""

    def __init__(self, model, courses):
        solved = run_subjects(model, courses, HOURS)
        assert list(solved.solve_status.values) == ["ok"] * len(courses)
        self.given = {c.label: sum(e.amount for e in c.events) for c in courses}
        self._solved = solved.assign_coords(patient=[c.label for c in courses])

    def __call__(self, label, name):
        """A curve (umol/L or umol); names joined by + are added."""
        return sum(self._solved[part.strip()].sel(patient=label).values for part in name.split("+"))

    def at(self, label, name, hours):
        return np.interp(hours, HOURS, self(label, name))

    def peak(self, label, name, begin=0.0, end=HORIZON):
        inside = (begin <= HOURS) & (end >= HOURS)
        return float(self(label, name)[inside].max())

    def peak_hour(self, label, name):
        return float(HOURS[self(label, name).argmax()])

    def area(self, label, name, end=HORIZON):
        inside = end >= HOURS
        return float(np.trapezoid(self(label, name)[inside], HOURS[inside]))


def published(start):
    """Times (h) and values (canonical units) of the evidence rows whose id starts so."""
    rows = [row for row in EVIDENCE.observations.values() if row.id.startswith(start)]
    assert rows, start
    return np.array([row.time_h for row in rows]), np.array([row.canonical_value for row in rows])


def mean_fold_error(simulated, observed):
    """exp of the mean |ln(simulated / observed)|."""
    return float(np.exp(np.mean(np.abs(np.log(np.asarray(simulated) / np.asarray(observed))))))
