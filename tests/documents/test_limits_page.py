"""Numbers of the typical patient in the limits of use are those of the model."""

import numpy as np
import pytest
from document_texts import ROOT

PAGE = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
INFUSION, END = "racemic 0.5 mg/kg IV over 40 min", 40 / 60
BOLUS = "racemic 2 mg/kg IV over 1 min"
TIMES = [*np.arange(0, 3, 0.02), 24.0]  # h: fine enough for the time of a peak
DOSES = (0.1, 0.5, 1, 1.5, 3)  # mg/kg over 40 min


def treated(model, sentence, *outputs):
    """Times (h) and the curve of each output of the treated patient."""
    run = model.simulate(sentence, outputs=outputs, times=TIMES)
    return run["time"].values, *(run[name].sel(patient="treated").values for name in outputs)


def fall(model, sentence):
    """Times (h), and MADRS of the control minus that of the treated patient."""
    run = model.simulate(sentence, outputs=["mood.madrs"], times=TIMES)
    curves = run["mood.madrs"]
    return run["time"].values, curves.sel(patient="control").values - curves.sel(patient="treated").values


def bolus_mood(model):
    hours, madrs = treated(model, BOLUS, "mood.madrs")
    return f"lowest MADRS {madrs.min():.1f} at {hours[madrs.argmin()]:.1f} h, {np.interp(24, hours, madrs):.1f} at 24 h"


def score_at_waking(model):
    hours, awake, score = treated(model, BOLUS, "sedation.consciousness", "dissociation.cadss")
    asleep = np.flatnonzero(awake < 0.5)
    waking = np.interp(0.5, awake[asleep[-1] : asleep[-1] + 2], hours[asleep[-1] : asleep[-1] + 2])
    return f"CADSS at waking from 2 mg/kg | {np.interp(waking, hours, score):.0f} points, {score.max():.0f} soon after"


def largest_effect(model):
    hours, points = fall(model, INFUSION)
    return f"{points.max():.1f} points at {hours[points.argmax()]:.0f} h, {np.interp(24, hours, points):.1f} at 24 h"


def pyramidal_block(model):
    hours, blocked = treated(model, INFUSION, "nmda.blocked_pyramidal")
    return f"| pyramidal NMDA block, end of infusion | {100 * np.interp(END, hours, blocked):.1f} % |"


def unbound_peak(model):
    _, s, r = treated(model, INFUSION, "brain.esketamine", "brain.arketamine")
    return f"unbound brain concentration peaks at {(s + r).max():.2f} umol/L"


def bdnf(model):
    hours, level = treated(model, INFUSION, "plasticity.bdnf")
    return f"| BDNF at 24 h | {np.interp(24, hours, level):.2f} |"


def dose_response(model):
    effects = [np.interp(24, *fall(model, f"racemic {dose} mg/kg IV over 40 min")) for dose in DOSES]
    first, *others = (f"{effect:.1f} at {dose:g}" for dose, effect in zip(DOSES, effects, strict=True))
    text = f"{', '.join(others[:-1])} and {others[-1]} mg/kg"
    return f"{first.replace(' at', ' points at')} mg/kg in 40 min, {text}"


@pytest.mark.parametrize(
    "stated",
    [bolus_mood, score_at_waking, largest_effect, pyramidal_block, unbound_peak, bdnf, dose_response],
    ids=lambda f: f.__name__,
)
def test_the_page_states_what_the_model_gives(stated, model):
    assert stated(model) in PAGE
