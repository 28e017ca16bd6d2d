"""Trials: read, run, decided on the way, reproducible, and refused with file and line where they make no sense."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ketamech.core import InputError, UnknownNameError
from ketamech.core.synonyms import scale_synonyms
from ketamech.dosing.parsed_values import single_conditions
from ketamech.simulation.model import load_model
from ketamech.trials.rating_scales import load_scales, scale
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial, shipped_trial

PLAIN = """title: Two arms
arms:
  drug: {treatment: racemic 0.5 mg/kg IV over 40 min, n: 12}
  placebo: {treatment: placebo IV, n: 8}
visits:
  MADRS: [2 h, 24 h, day 8]
  CADSS: [40 min]
"""


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture
def trial(tmp_path):
    def make(text=PLAIN, **changes):
        for old, new in changes.values():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "t.yaml").write_text(text, encoding="utf-8")
        return load_trial(tmp_path / "t.yaml")

    return make


def test_a_trial_runs_and_its_arms_have_their_size(model, trial):
    data = run_trial(trial(), model, threads=1)
    assert dict(data.sizes) == {"replicate": 1, "visit": 5, "patient": 20}
    arms, counts = np.unique(data.arm.values[0, :, 0], return_counts=True)
    assert dict(zip(arms, counts, strict=True)) == {"drug": 12, "placebo": 8}
    assert (data.solve_status.values == "ok").all()
    assert np.isnan(data.CADSS.sel(visit="24 h").values).all()
    assert (data.MADRS.values[np.isfinite(data.MADRS.values)] % 1 == 0).all()


def test_the_drug_works_and_is_felt(model, trial):
    data = run_trial(trial(), model, patients=200)
    change = (data.true_MADRS - data.true_MADRS.isel(visit=0)).sel(visit="24 h").values[0]
    drug = data.arm.values[0, :, 0] == "drug"
    assert change[drug].mean() < change[~drug].mean() - 3
    felt = data.true_CADSS.sel(visit="40 min").values[0]
    assert felt[drug].mean() > 10
    assert felt[~drug].max() < 0.1


def test_same_bits_for_threads_and_for_replicates_run_apart(model, trial):
    planned = trial(more=("  CADSS: [40 min]\n", "  CADSS: [40 min]\nwindow: 6 h\ndropout: 10 %\nadherence: 80 %\n"))
    one = run_trial(planned, model, replicates=3, threads=1)
    two = run_trial(planned, model, replicates=3, threads=2)
    last = run_trial(planned, model, replicates=1, first=2, threads=2)
    for name in ("MADRS", "visit_time", "left", "arm"):
        np.testing.assert_array_equal(one[name].values, two[name].values)
        np.testing.assert_array_equal(one[name].values[2], last[name].values[0])


def test_who_leaves_is_missing_from_then_on(model, trial):
    data = run_trial(trial(PLAIN + "dropout: 30 %\n"), model, patients=600)
    left, hours, score = data.left.values[0], data.visit_time.values[0], data.MADRS.values[0]
    gone = hours > left[:, None]
    assert np.isnan(score[gone]).all()
    assert np.isfinite(left).mean() == pytest.approx(0.3, abs=0.06)
    assert (data.why_left.values[0][np.isfinite(left)] == "other reasons").all()


def test_a_short_recall_keeps_part_of_the_baseline():
    day, week = scale("MADRS-24h"), scale("MADRS")
    now, before = np.array([10.0]), np.array([40.0])
    assert week.true_scores(now, before)[0] == 10
    assert day.true_scores(now, before)[0] == pytest.approx(10 + day.carried_share * 30)


def test_ups_and_downs_are_alike_when_close_and_keep_their_spread():
    rated = scale("MADRS")
    z = np.random.default_rng(1).standard_normal((4000, 3))
    found = rated.fluctuations(np.tile([0.0, 1.0, 2000.0], (4000, 1)), z)
    assert np.corrcoef(found[:, 0], found[:, 1])[0, 1] > 0.95
    assert abs(np.corrcoef(found[:, 1], found[:, 2])[0, 1]) < 0.05
    assert found.std(axis=0) == pytest.approx(rated.fluctuation_sd, rel=0.05)


def test_a_crossover_gives_every_patient_all_arms_in_random_order(model):
    data = run_trial(shipped_trial("crossover_saline"), model, patients=40)
    first, second = data.arm.values[0, :, 0], data.arm.values[0, :, -1]
    assert (first != second).all()
    assert (first == "ketamine").sum() == 20
    assert data.visit.values[0] == "period 1: baseline"


def test_decisions_at_visits_change_what_is_given(model):
    data = run_trial(shipped_trial("withdrawal"), model, patients=120)
    decided = data.decision.values[0]
    assert {"goes on", "placebo", "the others"} <= set(decided)
    late = data.true_MADRS.sel(visit="day 50").values[0] - data.true_MADRS.sel(visit="day 29").values[0]
    assert np.nanmean(late[decided == "placebo"]) > np.nanmean(late[decided == "goes on"]) + 1
    remitted = data.MADRS.sel(visit="day 29").values[0]
    assert np.nanmedian(remitted[decided == "placebo"]) < np.nanmedian(remitted[decided == "the others"])


def test_belief_follows_the_blinding(model, trial):
    steady = "parameters: {people.load_sd: 0, people.life_event_rate: 0, people.remission_exponent: 0}\n"
    text = (PLAIN + steady).replace("n: 8}", "n: 8, belief: open}").replace("n: 12}", "n: 12, belief: none}")
    data = run_trial(trial(text.replace("racemic 0.5 mg/kg IV over 40 min", "placebo IV")), model, patients=100)
    change = (data.true_MADRS - data.true_MADRS.isel(visit=0)).sel(visit="24 h").values[0]
    told = data.arm.values[0, :, 0] == "placebo"
    assert change[told].mean() < -4
    assert np.abs(change[~told]).max() < 0.01


def test_other_numbers_of_patients_keep_the_proportions(trial):
    assert [arm.n for arm in trial().replace(patients=100).arms] == [60, 40]
    with pytest.raises(InputError, match="at least one"):
        trial().replace(patients=1)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("racemic 0.5 mg/kg IV over 40 min", "racemic 0.5 mg/kg IV over 40 min at day 3", "before the first dose"),
        ("n: 12}", "share: 0.7}", "add up to"),
        ("racemic 0.5 mg/kg IV over 40 min", "''", "without doses"),
        ("  MADRS:", "  MADRSS:", "no scale 'MADRSS'"),
        ("title: Two arms", "title: Two arms\ndropout: 100 %", "'100 %' is not possible"),
        ("title: Two arms", "title: Two arms\npeople: {age: normal 40 5 in 90 95}", "is impossible"),
        ("title: Two arms", "title: Two arms\npopulation: trdd", "no population"),
        ("title: Two arms", "title: Two arms\nblindness: double", "is not a key"),
        ("24 h, day 8", "24 h, soon", "is not a time"),
        ("title: Two arms", "title: Two arms\nprimary: MADRS at 3 h", "is not a visit"),
        ("racemic 0.5", "racemik 0.5", "racemik"),
    ],
)  # fmt: skip
def test_an_invalid_trial_file_is_refused_with_file_and_line(trial, old, new, says):
    with pytest.raises((InputError, UnknownNameError), match=says) as caught:
        trial(PLAIN.replace(old, new))
    assert "t.yaml" in str(caught.value)
    assert caught.value.line


def test_every_shipped_trial_can_be_read():
    from ketamech.trials.trial_reader import TRIALS

    names = sorted(path.stem for path in TRIALS.glob("*.yaml"))
    assert len(names) >= 15
    for name in names:
        assert shipped_trial(name).arms


def test_a_scale_is_known_by_its_other_names():
    hamilton = ("HDRS-17", "HDRS17", "hdrs 17", "HAMD-17", "HAM-D17", "Ham-D 17", "HRSD-17")
    assert {scale(name) for name in hamilton} == {load_scales()["HDRS-17"]}
    assert scale("madrs") is load_scales()["MADRS"]
    assert scale("QIDS SR-16") is load_scales()["QIDS-SR16"]
    keys = {"title": "t", "arms": {"drug": {"treatment": "racemic 35 mg IV over 40 min", "n": 4}}}
    trial = load_trial({**keys, "visits": {"HAM-D-21": ["24 h"]}, "primary": "HAM-D-21 at 24 h"})
    assert trial.scales["HAM-D-21"] == scale("HDRS-21")
    with pytest.raises(UnknownNameError, match="'HAM-D' does not say which form") as refused:
        load_trial({**keys, "visits": {"HAM-D": ["24 h"]}, "primary": "HAM-D at 24 h"})
    assert refused.value.nearest == "HDRS-17"
    assert refused.value.key == "visits.HAM-D"


def test_a_scale_with_a_slash_is_a_variable_without_one():
    arms = {"drug": {"treatment": "racemic 35 mg IV over 40 min", "n": 4}}
    keys = {"title": "t", "arms": arms, "visits": {"MOAA/S": ["40 min"], "heart rate": ["40 min"]}}
    events = {"sedation": "MOAA/S <= 4", "again": "moaas <= 4 and HR rises by 20"}
    more = {"thresholds": {"MOAA/S": {"remission": 5}}, "primary": "MOAA/S at 40 min", "events": events}
    trial = load_trial({**keys, **more})
    assert (list(trial.scales), trial.primary) == (["MOAAS", "heart rate"], ("MOAAS", "40 min"))
    conditions = [condition for rule in trial.events.values() for condition in single_conditions(rule)]
    assert [condition.scale for condition in conditions] == ["MOAAS", "MOAAS", "heart rate"]
    with pytest.raises(UnknownNameError, match="no scale 'MOAA/T'"):
        load_trial({**keys, "visits": {"MOAA/T": ["40 min"]}})


def test_other_names_of_scales_are_names_of_scales():
    spellings = [re.sub(r"[-\s]", "", name.lower()) for name in load_scales()]
    assert len(spellings) == len(set(spellings))
    for word, means in scale_synonyms().items():
        assert set(means) <= set(load_scales()), word
        assert word == re.sub(r"[-\s]", "", word.lower())  # hyphens and blanks do not count
        assert word not in spellings
