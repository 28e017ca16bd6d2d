"""Published arms and the weights that meet them: moments to 1e-6, sources, refusals, tables."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from ketamech.calibration.published_arms import RESPONSE, published_arms, weigh_arm
from ketamech.evidence import load_evidence
from ketamech.report.calibration_report import arm_lines, arms_table, patients_table

PATIENTS = 1500


def simulated(arm, change, sd, patients=PATIENTS):
    """Ratings of an arm with a normal baseline (34, 5) and change, in whole points."""
    rng = np.random.default_rng(4)
    base = np.round(rng.normal(34, 5, patients))
    score = np.clip(np.round(base + rng.normal(change, sd, patients)), 0, 60)
    ratings = np.stack([base, score], axis=-1)[None]
    names = np.full((1, patients, 2), arm.arm)
    return xr.Dataset(
        {arm.scale: (("replicate", "patient", "visit"), ratings), "arm": (("replicate", "patient", "visit"), names)},
        coords={"replicate": [0], "patient": np.arange(patients), "visit": ["baseline", arm.visit]},
    )


def arm_of(trial, name, visit):
    return next(one for one in published_arms(trial) if (one.arm, one.visit) == (name, visit))


def test_the_weighted_arm_has_the_published_moments():
    arm = arm_of("synapse", "placebo", "24 h")
    assert arm.moments == pytest.approx(
        {"baseline mean": 35.0, "baseline SD": 5.18, "change": -5.7, "SD of change": 10.3, RESPONSE: 3.0}
    )
    found = weigh_arm(simulated(arm, -8, 9), arm)
    assert dict(found.weighted) == pytest.approx(dict(arm.moments), abs=1e-6)
    assert found.weights.mean() == pytest.approx(1)
    assert 10 < found.effective_size < PATIENTS
    assert found.simulated["change"] == pytest.approx(-8, abs=1)


def test_an_arm_that_is_as_published_keeps_equal_weights():
    """An arm whose own moments are the targets: every patient counts as one."""
    arm = arm_of("murrough2013", "ketamine", "24 h")
    data = simulated(arm, -16, 10)
    own = weigh_arm(data, arm).simulated
    same = weigh_arm(data, type(arm)(arm.trial, arm.arm, arm.scale, arm.visit, own, arm.evidence))
    assert same.effective_size == pytest.approx(PATIENTS, rel=1e-9)


def test_an_arm_far_from_the_simulated_one_is_refused_with_the_published_numbers():
    arm = arm_of("synapse", "placebo", "24 h")
    found = weigh_arm(simulated(arm, -30, 1), arm)
    assert found.effective_size == 0
    assert "no weights" in found.reason
    few = weigh_arm(simulated(arm, -12, 5, patients=60), arm)
    assert few.reason
    assert "10.3" in few.reason or "effective" in few.reason


def test_unrated_patients_and_other_arms_have_no_weight():
    arm = arm_of("synapse", "placebo", "24 h")
    data = simulated(arm, -8, 9)
    data[arm.scale][0, :100, 1] = np.nan
    data["arm"][0, 100:200] = "esketamine 84 mg"
    found = weigh_arm(data, arm)
    assert found.patients.tolist() == list(range(200, PATIENTS))


def test_the_moments_of_an_arm_are_rows_of_one_publication_that_can_be_opened():
    rows = load_evidence().observations
    arms = published_arms()
    assert len(arms) > 20
    assert len({(one.trial, one.arm, one.visit, one.scale) for one in arms}) == len(arms)
    for arm in arms:
        assert len({rows[name].reference for name in arm.evidence}) == 1
        assert all(rows[name].has_public_source for name in arm.evidence)
        assert {"SD", "SD of change"} & set(arm.moments)
    assert arm_of("murrough2013_six_infusions", "ketamine", "2 h").moments["change"] == -18.9  # printed as a fall


def test_tables_of_arms_and_of_patients():
    arm = arm_of("synapse", "placebo", "24 h")
    data = simulated(arm, -8, 9)
    found = [weigh_arm(data, arm), weigh_arm(simulated(arm, -30, 1), arm)]
    table = arms_table(found)
    assert table["effective"].iloc[1] == 0
    assert table["change"].tolist() == [-5.7, -5.7]
    patients = patients_table(data, found)
    assert len(patients) == PATIENTS
    assert patients["WEIGHT"].sum() == pytest.approx(PATIENTS)
    lines = arm_lines(table)
    assert lines[0][3].startswith("baseline mean 35 (34); baseline SD 5.18 (5.07); change −5.7 (")
    assert lines[1][-1] == "**refused**"
