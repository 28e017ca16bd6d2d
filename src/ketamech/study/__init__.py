"""Drugs, regimens, scenarios, and the running of them."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazy_getattr, listing
from ketamech.dosing.dose_event import DoseEvent
from ketamech.dosing.dose_events import dose_events, dose_events_from_text
from ketamech.dosing.dose_records import DoseRecord, ev
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Phase, Treatment
from ketamech.population.cohort import Cohort
from ketamech.simulation.ensemble import Subject, output_times, run_subjects
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import Model, load_model
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import simulate, subjects

if TYPE_CHECKING:
    from ketamech.population.virtual_population import Population as Population
    from ketamech.population.virtual_population import VirtualPatients as VirtualPatients
    from ketamech.population.virtual_population import load_population as load_population
    from ketamech.simulation.scenario_schema import schema as schema
    from ketamech.trials.design import Trial as Trial
    from ketamech.trials.run_trial import run_trial as run_trial
    from ketamech.trials.trial_reader import load_trial as load_trial
    from ketamech.trials.trial_schema import trial_schema as trial_schema

__all__ = [
    "Cohort",
    "DoseEvent",
    "DoseRecord",
    "Model",
    "Phase",
    "Population",
    "Regimen",
    "Scenario",
    "Subject",
    "Treatment",
    "Trial",
    "VirtualPatients",
    "dose_events",
    "dose_events_from_text",
    "ev",
    "load_model",
    "load_population",
    "load_scenario",
    "load_trial",
    "output_times",
    "run_subjects",
    "run_trial",
    "schema",
    "simulate",
    "subjects",
    "trial_schema",
]
_LATER = {  # pydantic is not loaded for a sentence
    "VirtualPatients": "people",
    "Population": "people",
    "Trial": "trial",
    "load_population": "people",
    "load_trial": "trial_from_file",
    "run_trial": "conduct",
    "schema": "scenario_file",
    "trial_schema": "trial_file",
}
__getattr__ = lazy_getattr(__name__, _LATER)
__dir__ = listing(__name__, __all__)
