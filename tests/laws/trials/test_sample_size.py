"""The sample size against the closed form of a t test, and the difference between arms in words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from test_trial_analysis import made

from ketamech.core import InputError
from ketamech.trials.analysis.analyse import analyse
from ketamech.trials.analysis.power import (
    FALSE_SUCCESS,
    MISSED,
    SuccessCriterion,
    chance_of_error,
    difference_sentences,
    interval_text,
    power,
    trial_successes,
)
from ketamech.trials.analysis.sample_size import (
    find_sample_size,
    fitted_effect,
    patients_for,
    sample_sizes,
    success_probability,
)
from ketamech.trials.analysis.treatment_effects import ancova
from ketamech.trials.trial_reader import shipped_trial

Z = 1.959964


@pytest.fixture(scope="module")
def trial():
    """A trial of two arms with the primary comparison at 24 h; its data are replaced by made ones."""
    from dataclasses import replace

    found = shipped_trial("nasal_four_weeks")
    arms = tuple(replace(arm, name=name, n=50) for arm, name in zip(found.arms, ("drug", "placebo"), strict=True))
    scales = {"MADRS": found.scales["MADRS"]}
    return replace(found, arms=arms, scales=scales, primary=("MADRS", "24 h"), relapse=None, events={})


def closed_form(effect, sd, target_z=0.841621):
    """Patients in both arms of a two-sided normal test at 5 %."""
    return 4 * ((Z + target_z) * sd / effect) ** 2


def test_the_sample_size_is_that_of_the_closed_form(trial):
    data = made(n=60, effect=-3.0, replicates=100, seed=4)  # residual SD 5 after adjustment for baseline
    (found,), table = sample_sizes(data, trial, target=0.8, criterion=SuccessCriterion())
    expected = closed_form(3.0, 5.0)
    assert found.patients == pytest.approx(expected, rel=0.12)
    assert found.low <= expected <= found.high
    assert found.patients_per_arm == {"drug": found.patients // 2, "placebo": found.patients // 2}
    assert found.type_2_error == pytest.approx(0.2, abs=0.015)
    assert table["power"].is_monotonic_increasing
    low, high = found.low // 2, math.ceil(found.high / 2)
    each = f"{found.patients // 2} patients in each arm, {found.patients} in all"
    assert f"{each} (95 % interval {low} to {high} in each arm)" in found.text
    assert "does not show the difference with a chance of 20 % (type II error)" in found.text


def test_a_spread_of_effects_limits_the_power():
    n = np.array([20.0, 60.0, 200.0, 600.0, 2000.0])
    effects, spreads = fitted_effect(n, 1e5 * success_probability(n, 0.2, 0.15, Z)[None], np.full((1, 5), 1e5), Z)
    assert (effects[0], spreads[0]) == (pytest.approx(0.2, rel=0.03), pytest.approx(0.15, rel=0.03))
    number = np.array([patients_for(0.2, 0.15, Z, 0.84)])
    assert success_probability(number, 0.2, 0.15, Z) == pytest.approx(0.7995, abs=1e-3)
    assert patients_for(0.2, 0.15, Z, 1.4) == math.inf, "0.2 / 0.15 is below 1.4"
    assert patients_for(-0.2, 0.0, Z, 0.84) == math.inf


def test_no_number_beyond_the_largest_simulated_trial(trial):
    data = made(n=12, effect=-1.0, replicates=40)
    (found,), _ = sample_sizes(data, trial, target=0.8, criterion=SuccessCriterion())
    assert found.patients is None
    assert "largest simulated trial, 24 patients" in found.text


def test_the_search_doubles_the_trial_until_its_power_is_enough(trial):
    asked = []

    def run(patients):
        asked.append(patients)
        return made(n=patients // 2, effect=-2.0, replicates=60, seed=2)

    found = find_sample_size(trial, run, target=0.8, criterion=SuccessCriterion(), most=1000)
    assert asked == [96, 192, 384]
    assert found.sizes[0].patients == pytest.approx(closed_form(2.0, 5.0), rel=0.2)
    asked.clear()
    weak = find_sample_size(
        trial, lambda patients: run(patients).assign(MADRS=made(n=patients // 2, effect=-0.4, replicates=30)["MADRS"]),
        target=0.8, criterion=SuccessCriterion(), most=400,
    )  # fmt: skip
    assert asked in ([96], [96, 192], [96, 192, 384], [96, 192, 384, 400])
    assert weak.sizes[0].patients is None
    assert weak.sizes[0].low is None or weak.sizes[0].low < closed_form(0.4, 5.0)
    with pytest.raises(InputError, match=r"power of 1\.2"):
        find_sample_size(trial, run, target=1.2, criterion=SuccessCriterion(), most=1000)


def test_non_inferiority_counts_trials_whose_worse_limit_is_nearer_than_the_margin():
    data = made(n=50, effect=0.5, replicates=80)
    table = ancova(data, "MADRS", "24 h", "placebo")
    assert (SuccessCriterion(margin=3.0).is_met(table) == (table["high"] < 3.0)).all()
    higher = SuccessCriterion(margin=3.0, better="higher")
    assert (higher.is_met(table) == (table["low"] > -3.0)).all()
    strict, lax = (power(data, "MADRS", "24 h", "placebo", [50], criterion=SuccessCriterion(alpha=alpha))
                   for alpha in (0.01, 0.2))  # fmt: skip
    assert strict["power"].item() < lax["power"].item()
    for wrong in ({"alpha": 0.0}, {"margin": -1.0}):
        with pytest.raises(InputError):
            SuccessCriterion(**wrong)


def test_a_type_2_error_of_non_inferiority_is_named_so(trial):
    data = made(n=60, effect=0.0, replicates=60, seed=4)
    (found,), _ = sample_sizes(data, trial, target=0.8, criterion=SuccessCriterion(margin=4.0))
    assert found.patients is not None
    assert "fails to show non-inferiority with a chance of" in found.text
    assert "misses" not in found.text


def test_the_spread_of_the_analysis_is_that_of_the_made_trial(trial):
    from ketamech.trials.analysis.analyse import change_sd_by_arm, residual_sd

    data = made(n=400, effect=-3.0, replicates=4, seed=4)  # residual SD 5 after adjustment for baseline
    assert residual_sd(analyse(data, trial)) == pytest.approx(5.0, rel=0.05)
    spreads = change_sd_by_arm(data, "MADRS", "24 h")
    assert set(spreads) == {"drug", "placebo"}
    last = data["visit"].values.tolist().index("24 h")
    rows = (data["MADRS"].values - data["MADRS"].values[:, :, :1])[:, :, last]
    drug = data["arm"].values[:, :, 0] == "drug"
    expected = np.sqrt(np.mean([row[own].var(ddof=1) for row, own in zip(rows, drug, strict=True)]))
    assert spreads["drug"] == pytest.approx(expected)


def test_published_spreads_of_the_change_scale_the_number_of_patients():
    from ketamech.calibration.change_sd import spread_rows, spread_sentences

    rows = {row["text"].split(" (")[0]: row for row in spread_rows("MADRS", 27 * 24, {"drug": 10.3, "placebo": 11.7})}
    popova = rows["Popova 2019"]
    assert popova["evidence"] == ["tf2-esk-d28", "tf2-pbo-d28"]
    variance = (101 * 12.32**2 + 100 * 13.88**2) / 201
    assert popova["patients_ratio"] == pytest.approx(variance / ((10.3**2 + 11.7**2) / 2), rel=1e-3)
    text = " ".join(spread_sentences("MADRS", 27 * 24, {"drug": 10.3, "placebo": 11.7}, 9.9))
    assert f"Popova 2019 (12.3 and 13.9, recalled): {popova['patients_ratio']:.1f}" in text
    assert "hold no SD" in " ".join(spread_sentences("MADRS", 14 * 24, {"drug": 10.3}, 9.9))


def test_no_patient_is_in_two_trials_of_one_replicate():
    found = trial_successes(made(n=30, replicates=2), "MADRS", "24 h", "placebo", [10, 20, 30], trials_per_replicate=4)
    assert found.groupby("size")["subsample"].nunique().tolist() == [3, 1, 1]


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(-6.2, -2.0, "6.2 to 2.0 lower"), (-3.1, 0.4, "3.1 lower to 0.4 higher"), (1.0, 2.0, "1.0 to 2.0 higher")],
)
def test_the_limits_of_an_interval_carry_their_direction(low, high, text):
    assert interval_text(low, high) == text


def test_the_difference_is_stated_with_its_direction(trial):
    one = made(n=200, effect=-5.0, replicates=1)
    (text,) = difference_sentences(analyse(one, trial), trial, SuccessCriterion())
    line = ancova(one, "MADRS", "24 h", "placebo").iloc[0]
    assert text.startswith(
        f"MADRS at 24 h: {-line['difference']:.1f} points lower on drug than on placebo, 95 % interval "
    )
    assert f"{-line['low']:.1f} to {-line['high']:.1f} lower, p < 0.0001." in text
    (text,) = difference_sentences(analyse(made(n=20, replicates=9), trial), trial, SuccessCriterion(margin=2.0))
    assert "mean of 9 trials" in text
    assert "not inferior by 2 points, two-sided alpha 0.05 in 9 of 9 trials." in text


def test_an_arm_that_is_worse_does_not_succeed():
    harmful = ancova(made(n=80, effect=8.0, replicates=5), "MADRS", "24 h", "placebo")
    assert (harmful["p"] < 1e-6).all()
    assert not SuccessCriterion().is_met(harmful).any()
    assert SuccessCriterion(better="higher").is_met(harmful).all()
    assert SuccessCriterion(better="none").is_met(harmful).all()


@pytest.mark.parametrize(("scale", "better"), [("MADRS", "lower"), ("CADSS", "lower"), ("SBP", "lower"),
                                               ("MOAAS", "higher"), ("esketamine", "none")])  # fmt: skip
def test_the_better_direction_belongs_to_the_scale(scale, better):
    """Non-inferiority on CADSS: ten points more are not within a margin of two."""
    from ketamech.trials.rating_scales import load_scales

    assert load_scales()[scale].better == better
    worse = ancova(made(n=80, effect=10.0, replicates=3), "MADRS", "24 h", "placebo")
    if better != "none":
        met = SuccessCriterion(margin=2.0, better=better).is_met(worse)
        assert met.all() == (better == "higher")


def test_arms_may_differ_in_size_between_replicates():
    data = made(n=30, effect=-5.0, replicates=3)
    for replicate, moved in ((0, 4), (1, 9)):
        arm = data["arm"].values[replicate]
        arm[np.flatnonzero(arm[:, 0] == "drug")[:moved]] = "placebo"
    found = trial_successes(data, "MADRS", "24 h", "placebo", [10, 21], trials_per_replicate=2)
    assert set(found["patients_per_arm"]) == {10, 21}
    with pytest.raises(InputError, match="22 patients in each arm"):
        trial_successes(data, "MADRS", "24 h", "placebo", [22])


def test_a_sentence_says_in_how_many_trials_a_worse_arm_is_significantly_worse(trial):
    worse, better = ((made(n=30, effect=effect, replicates=20, seed=2)) for effect in (8.0, -8.0))
    rows = ancova(worse, "MADRS", "24 h", "placebo")
    count = int(((rows["p"] < 0.05) & (rows["difference"] > 0)).sum())
    assert count > 0
    (text,) = difference_sentences(analyse(worse, trial), trial, SuccessCriterion())
    assert f"better with p < 0.05 in 0 of 20 trials, worse with p < 0.05 in {count}." in text
    assert text.count("p <") == 2, "p is printed once for each direction"
    (text,) = difference_sentences(analyse(better, trial), trial, SuccessCriterion())
    assert "worse" not in text


def test_the_interval_of_a_sentence_has_the_level_of_significance(trial):
    one = made(n=20, effect=-5.0, replicates=1)
    (text,) = difference_sentences(analyse(one, trial), trial, SuccessCriterion(alpha=0.01))
    assert "99 % interval" in text


@pytest.mark.parametrize(("effect", "margin", "answer", "words"), [
    (-6.0, None, MISSED, "it is better in the model"),
    (6.0, None, FALSE_SUCCESS, "it is not better in the model, and 0 of 40 trials of this size succeed: an expected"),
    (0.0, None, None, "40 trials are too few to tell whether it is better"),
    (10.0, 3.0, FALSE_SUCCESS, "it is not within 3 points of the reference or better in the model, and 0 of 40"),
    (1.0, 3.0, MISSED, "it is within 3 points of the reference or better in the model, and "),
])  # fmt: skip
def test_a_wrong_answer_of_a_trial_depends_on_the_true_difference(effect, margin, answer, words):
    part = ancova(made(n=40, effect=effect, replicates=40, seed=3), "MADRS", "24 h", "placebo")
    found = chance_of_error(part, SuccessCriterion(margin=margin))
    assert found.text.startswith(words)
    assert "true" not in found.text, "the difference is that of the model"
    assert (found.answer, found.share is None) == (answer, answer is None)
