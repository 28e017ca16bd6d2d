"""Sentences of the story that need more than one number; the others are in data/story/sentence_checks.csv."""

import numpy as np
import pytest

from ketamech.analysis.attribution_text import load_pathways
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


def effect_after_a_day(curves, **keys):
    times, (treated,), control = curves("mood", **keys)
    return float(np.interp(24, times, treated) - np.interp(24, times, control))


def test_block_of_mtorc1_leaves_more_than_half_of_the_effect(curves):
    assert "block of mTORC1 removes less than half of the effect on mood after one day" in TEXT
    left = effect_after_a_day(curves, perturbations=["rapamycin"]) / effect_after_a_day(curves)
    assert 0.5 < left < 1


def test_the_number_of_pathways(curves):
    assert "The model contains eight published hypotheses, and each can be switched off" in TEXT
    assert len(load_pathways()) == 8


def test_pathways_are_not_additive(curves):
    assert "The losses do not add up" in TEXT
    whole = effect_after_a_day(curves)
    losses = [effect_after_a_day(curves, pathways={name: False}) - whole for name in load_pathways()]
    assert abs(sum(losses) + whole) > 0.1 * abs(whole)
