"""Sentences of the story that state what a figure shows, compared with the simulation."""

import numpy as np
import pytest

from ketamech.analysis.pathways import load_pathways
from ketamech.core.csv_table import read_records
from ketamech.core.environment import DATA

INFUSION = "racemic 0.5 mg/kg IV over 40 min"
TEXT = " ".join(row["text"] for row in read_records(DATA / "story" / "paragraphs.csv"))


@pytest.fixture(scope="module")
def curves(client):
    """Treated values [curve] of a track as functions of the time in hours."""

    def simulate(track, treatment=INFUSION, **keys):
        person = {} if keys.get("species") else {"weight": "70 kg"}
        scenario = {"treatments": [treatment], "person": person, **keys}
        answer = client.post("/api/curves", json={"scenario": scenario, "tracks": [track]}).json()
        found = answer["tracks"][0]["curves"]
        return np.array(answer["time"]), [np.array(one["treated"]) for one in found], np.array(found[0]["control"])

    return simulate


def test_fractions_of_blocked_nmda_receptors(curves):
    assert "about a quarter of all channels hold a ketamine molecule, and fewer than one in ten on pyramidal" in TEXT
    assert "An anaesthetic dose fills most channels" in TEXT
    _, (whole, interneurons, pyramidal, *_), _ = curves("nmda")
    assert 20 < whole.max() < 30
    assert pyramidal.max() < 10 < interneurons.max()
    _, (whole, *_), _ = curves("nmda", "racemic 2 mg/kg IV over 1 min")
    assert whole.max() > 50


def test_a_dose_close_to_anaesthesia_hardly_changes_glutamate(curves):
    assert "In the model, such a dose hardly changes glutamate, and an anaesthetic dose lowers it" in TEXT
    times, (glutamate,), _ = curves("glutamate", "racemic 50 mg/kg IP", species="rat")
    assert np.abs(glutamate[times < 4] - 1).max() < 0.2
    times, (glutamate,), _ = curves("glutamate", "racemic 200 mg/kg IP", species="rat")
    assert glutamate[(times > 0.1) & (times < 2)].max() < 0.95
    times, (glutamate,), _ = curves("glutamate", "racemic 10 mg/kg IP", species="rat")
    assert glutamate[(times > 0) & (times < 1)].max() > 1.2


def effect_after_a_day(curves, **keys):
    times, (treated,), control = curves("mood", **keys)
    return float(np.interp(24, times, treated) - np.interp(24, times, control))


def test_block_of_mtorc1_leaves_more_than_half_of_the_effect(curves):
    assert "block of mTORC1 removes less than half of the effect on mood after one day" in TEXT
    left = effect_after_a_day(curves, perturbations={"rapamycin": 0.9}) / effect_after_a_day(curves)
    assert 0.5 < left < 1


def test_the_number_of_pathways(curves):
    assert "The model contains eight published hypotheses, and each can be switched off" in TEXT
    assert len(load_pathways()) == 8


def test_pathways_are_not_additive(curves):
    assert "The losses do not add up" in TEXT
    whole = effect_after_a_day(curves)
    losses = [effect_after_a_day(curves, pathways={name: False}) - whole for name in load_pathways()]
    assert abs(sum(losses) + whole) > 0.1 * abs(whole)


def test_the_dashed_line_of_mood_is_expectancy(curves):
    assert "The dashed line shows this part" in TEXT
    _, (treated,), control = curves("mood")
    assert treated.min() < control.min() < control[0] - 3


def test_the_pain_relief_of_days_of_infusion_outlasts_the_drug(curves):
    assert "after days of infusion, part of it lasts for weeks" in TEXT
    times, (acute, sustained, *_), _ = curves("pain", "esketamine 15 mg/h IV over 96 h", horizon="60 days")
    assert np.interp(21 * 24, times, acute) < 1
    assert np.interp(21 * 24, times, sustained) > 10
