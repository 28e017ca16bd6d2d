"""Trials analysed as trialists do: change, response, relapse, exposure, power, and the tables they file."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazily, listing

if TYPE_CHECKING:
    from ketamech.analysis.trials.analysed import TrialAnalysis as TrialAnalysis
    from ketamech.analysis.trials.analysed import analyse as analyse
    from ketamech.analysis.trials.effects import ancova as ancova
    from ketamech.analysis.trials.exposure import exposure_response as exposure_response
    from ketamech.analysis.trials.exposure import non_compartmental as non_compartmental
    from ketamech.analysis.trials.repeated_measures import gee_repeated_measures as gee_repeated_measures
    from ketamech.analysis.trials.survival import time_to_relapse as time_to_relapse
    from ketamech.analysis.trials.tables import adpc as adpc
    from ketamech.analysis.trials.tables import adqs as adqs
    from ketamech.analysis.trials.tables import adsl as adsl

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
__getattr__ = lazily(__name__, _WHERE)
__dir__ = listing(__name__, __all__)
