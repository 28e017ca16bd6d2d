"""Drugs, regimens, scenarios, and the running of them."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazily
from ketamech.study.cohort import Cohort
from ketamech.study.dosing import DoseRecord
from ketamech.study.giving import entries, sentence_entries
from ketamech.study.regimen import Phase, Regimen, Treatment
from ketamech.study.running import Course, Entry, Model, load_model, run, story_times
from ketamech.study.scenario import Scenario, load_scenario
from ketamech.study.simulate import courses, simulate

if TYPE_CHECKING:
    from ketamech.study.scenario_file import schema as schema

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
__getattr__ = lazily(__name__, {"schema": "scenario_file"})  # pydantic is not loaded for a sentence
