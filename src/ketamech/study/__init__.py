"""Drugs, regimens, scenarios, and the running of them."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazily, listing
from ketamech.study.cohort import Cohort
from ketamech.study.dosing import DoseRecord, ev
from ketamech.study.giving import entries, sentence_entries
from ketamech.study.regimen import Phase, Regimen, Treatment
from ketamech.study.running import Course, Entry, Model, load_model, run, story_times
from ketamech.study.scenario import Scenario, load_scenario
from ketamech.study.simulate import courses, simulate

if TYPE_CHECKING:
    from ketamech.study.conduct import run_trial as run_trial
    from ketamech.study.people import People as People
    from ketamech.study.people import Population as Population
    from ketamech.study.people import load_population as load_population
    from ketamech.study.scenario_file import schema as schema
    from ketamech.study.trial import Trial as Trial
    from ketamech.study.trial_file import trial_schema as trial_schema
    from ketamech.study.trial_from_file import load_trial as load_trial

__all__ = [
    "Cohort",
    "Course",
    "DoseRecord",
    "Entry",
    "Model",
    "People",
    "Phase",
    "Population",
    "Regimen",
    "Scenario",
    "Treatment",
    "Trial",
    "courses",
    "entries",
    "ev",
    "load_model",
    "load_population",
    "load_scenario",
    "load_trial",
    "run",
    "run_trial",
    "schema",
    "sentence_entries",
    "simulate",
    "story_times",
    "trial_schema",
]
_LATER = {  # pydantic is not loaded for a sentence
    "People": "people",
    "Population": "people",
    "Trial": "trial",
    "load_population": "people",
    "load_trial": "trial_from_file",
    "run_trial": "conduct",
    "schema": "scenario_file",
    "trial_schema": "trial_file",
}
__getattr__ = lazily(__name__, _LATER)
__dir__ = listing(__name__, __all__)
