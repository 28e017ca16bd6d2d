"""Dose events of a sentence, for tests of stages and of the grammar."""

from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.regimen import Regimen


def dose_events_from_text(sentence, parameters, values, horizon):
    """Dose events of a regimen sentence; `values` are parameters that differ from the table (canonical units)."""
    return dose_events(Regimen.parse(sentence), parameters, values, horizon)
