"""Drugs, regimens, scenarios, and the running of them."""

from ketamech.study.cohort import Cohort
from ketamech.study.dosing import DoseRecord
from ketamech.study.giving import entries, sentence_entries
from ketamech.study.regimen import Phase, Regimen, Treatment
from ketamech.study.running import Course, Entry, Model, load_model, run, story_times
from ketamech.study.scenario import Scenario, load_scenario
from ketamech.study.scenario_file import schema
from ketamech.study.simulate import courses, simulate

__all__ = [
    "Cohort",
    "Course",
    "DoseRecord",
    "Entry",
    "Model",
    "Phase",
    "Regimen",
    "Scenario",
    "Treatment",
    "courses",
    "entries",
    "load_model",
    "load_scenario",
    "run",
    "schema",
    "sentence_entries",
    "simulate",
    "story_times",
]
