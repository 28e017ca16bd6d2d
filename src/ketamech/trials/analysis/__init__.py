"""Trials analysed as trialists do: change, response, relapse, exposure, power, and the tables they file."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazy_getattr, listing

if TYPE_CHECKING:
    from ketamech.analysis.trials.repeated_measures import gee_repeated_measures as gee_repeated_measures
    from ketamech.trials.analysis.adam_tables import adpc as adpc
    from ketamech.trials.analysis.adam_tables import adqs as adqs
    from ketamech.trials.analysis.adam_tables import adsl as adsl
    from ketamech.trials.analysis.analyse import TrialAnalysis as TrialAnalysis
    from ketamech.trials.analysis.analyse import analyse as analyse
    from ketamech.trials.analysis.exposure import exposure_response as exposure_response
    from ketamech.trials.analysis.exposure import non_compartmental as non_compartmental
    from ketamech.trials.analysis.survival import time_to_relapse as time_to_relapse
    from ketamech.trials.analysis.treatment_effects import ancova as ancova

_WHERE = {
    "TrialAnalysis": "analysed",
    "adpc": "tables",
    "adqs": "tables",
    "adsl": "tables",
    "analyse": "analysed",
    "ancova": "effects",
    "exposure_response": "exposure",
    "gee_repeated_measures": "repeated_measures",
    "non_compartmental": "exposure",
    "time_to_relapse": "survival",
}
__all__ = sorted(_WHERE)
__getattr__ = lazy_getattr(__name__, _WHERE)
__dir__ = listing(__name__, __all__)
