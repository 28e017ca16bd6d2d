"""Trials that are too small or too uniform: what can be estimated comes, the rest is NaN with its reason."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from relapse_cases import with_relapse

from ketamech.report.trial_folder import _median_text, difference_rows, relapse_rows, summary_of, write_trial
from ketamech.trials.analysis.analyse import analyse
from ketamech.trials.analysis.power import SUPERIORITY, difference_sentences, relapse_sentence
from ketamech.trials.analysis.repeated_measures import mmrm
from ketamech.trials.analysis.survival import median_times, time_to_relapse
from ketamech.trials.analysis.treatment_effects import ancova, mean_change_by_arm, responders
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial, shipped_trial

VISITS = ("baseline", "24 h", "day 8")
HOURS = (0.0, 24.0, 168.0)
NUMBERS = ["difference", "se", "p", "low", "high"]
SHIPPED = [
    "adaptive_nasal", "anaesthesia", "berman2000", "bowdle1998", "crossover_saline", "ect", "fava2018",
    "grunebaum2018", "murrough2013", "murrough2013_six_infusions", "nasal_four_weeks", "sigtermans2009", "ssri",
    "su2023", "synapse", "tms", "withdrawal", "zarate2006",
]  # fmt: skip


def rated(scores, arms, decisions=None):
    """A dataset of one replicate with MADRS [patient, visit] in the arm of each patient."""
    values = np.array(scores, dtype=float)[None]
    patient = ("replicate", "patient")
    visits = VISITS if values.shape[2] == 3 else tuple(f"day {k}" for k in range(values.shape[2]))
    names = ("baseline", *visits[1:])
    hours = HOURS if values.shape[2] == 3 else 24.0 * np.arange(values.shape[2])
    arm = np.repeat(np.array(arms)[None, :, None], values.shape[2], axis=2)
    return xr.Dataset(
        {
            "MADRS": ((*patient, "visit"), values),
            "arm": ((*patient, "visit"), arm),
            "visit_time": ((*patient, "visit"), np.broadcast_to(hours, values.shape)),
            "decision": (patient, np.array(decisions or [""] * len(arms))[None]),
        },
        {"visit": list(names), "hour": ("visit", list(hours)), "replicate": [0], "patient": range(len(arms))},
    )


def compared(scores, arms):
    return ancova(rated(scores, arms), "MADRS", "day 8", "placebo").set_index("arm").loc["drug"]


def test_one_patient_an_arm_gives_no_difference_and_says_why():
    found = compared([[30, 20, 15], [34, 30, 29]], ["drug", "placebo"])
    assert found[NUMBERS].isna().all()
    assert found["reason"] == "2 patients do not separate the effects of arm and baseline"


def test_three_patients_give_a_difference_without_an_error():
    found = compared([[30, 20, 15], [34, 30, 29], [31, 30, 25]], ["drug", "placebo", "placebo"])
    assert found["difference"] == pytest.approx(-15 - (-6 - 1 / 3), abs=1e-9)
    assert found[["se", "p", "low", "high"]].isna().all()
    assert "no degrees of freedom are left" in found["reason"]


@pytest.mark.parametrize("gone", ["drug", "placebo"])
def test_an_arm_without_ratings_is_not_an_arm_without_effect(gone):
    arms = ["drug"] * 4 + ["placebo"] * 4
    scores = [[30 + i, 20, np.nan if arm == gone else 12 + i % 3] for i, arm in enumerate(arms)]
    found = compared(scores, arms)
    assert found[NUMBERS].isna().all()
    assert found["reason"] == f"no patient in '{gone}' is rated"


def test_a_trial_without_rated_patients_gives_an_empty_row():
    found = compared([[30, 20, np.nan]] * 6, ["drug", "placebo"] * 3)
    assert found[NUMBERS].isna().all()
    assert found["n"] == 0


def test_changes_without_any_variance_have_no_p():
    found = compared([[30, 20, 15]] * 4 + [[30, 28, 27]] * 4, ["drug"] * 4 + ["placebo"] * 4)
    assert found["difference"] == pytest.approx(-12)
    assert found[["se", "p"]].isna().all()
    assert "no error to estimate" in found["reason"]


def test_a_baseline_without_variance_does_not_hide_the_difference():
    rng = np.random.default_rng(1)
    scores = [[30, 20, 15 + rng.normal() + 5 * (i % 2)] for i in range(40)]
    found = compared(scores, ["drug", "placebo"] * 20)
    plain = np.array(scores)[:, 2]
    assert found["difference"] == pytest.approx(plain[::2].mean() - plain[1::2].mean(), abs=1e-9)
    errors = (plain[::2].var(ddof=1) + plain[1::2].var(ddof=1)) / 20
    assert found["se"] == pytest.approx(np.sqrt(errors), rel=1e-9)  # 38 degrees of freedom, not 37


def test_means_and_shares_of_an_arm_that_has_gone_are_blank_rows():
    arms = ["drug", "drug", "placebo"]
    data = rated([[30, 20, 10], [31, 12, 11], [33, 30, np.nan]], arms)
    means = mean_change_by_arm(data, "MADRS").set_index(["arm", "visit"])
    assert means.loc[("placebo", "day 8"), ["mean", "change", "sd", "low", "high"]].isna().all()
    assert means.loc[("placebo", "day 8"), "n"] == 0
    assert np.isnan(means.loc[("placebo", "24 h"), "sd"])
    assert means.loc[("drug", "day 8"), "change"] == -20
    shares = responders(data, "MADRS", 0.5, 10).set_index(["arm", "visit"])
    assert shares.loc[("placebo", "day 8"), "response"] == 0  # who is gone counts as failed
    assert np.isnan(shares.loc[("placebo", "day 8"), "response_completers"])


def test_tables_of_nothing_keep_their_columns():
    data = rated([[np.nan] * 3] * 2, ["drug", "placebo"])
    assert list(mean_change_by_arm(data, "MADRS").columns[:2]) == ["arm", "visit"]
    assert list(responders(data, "MADRS", 0.5, 10).columns[:2]) == ["arm", "visit"]
    assert len(mean_change_by_arm(data, "MADRS")) == len(responders(data, "MADRS", 0.5, 10)) == 0


@pytest.mark.parametrize(
    ("count", "says"), [(2, "do not determine"), (4, "needs 5"), (0, "no patient is rated after baseline")]
)
def test_repeated_measures_of_too_few_are_blank(count, says):
    rng = np.random.default_rng(3)
    scores = [[33 + rng.normal(), 20 + rng.normal(), 18 + rng.normal()] for _ in range(max(count, 2))]
    if not count:
        scores = [[33, np.nan, np.nan]] * 2
    found = mmrm(rated(scores, (["drug", "placebo"] * 3)[: len(scores)]), "MADRS", "placebo")
    assert len(found) == (2 if count else 0)
    if count:
        assert found[NUMBERS].isna().all().all()
        assert found["reason"].str.contains(says).all()


@pytest.mark.parametrize("patients", [2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(4))
def test_two_to_five_patients_an_arm_with_missing_visits_give_numbers_or_a_reason(patients, seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal([33.0, 22.0, 20.0], 4.0, (2 * patients, 3))
    scores[:, 1:][rng.random((2 * patients, 2)) < 0.25] = np.nan
    data = rated(scores.tolist(), ["drug", "placebo"] * patients)
    for found in (mmrm(data, "MADRS", "placebo"), ancova(data, "MADRS", "day 8", "placebo")):
        said = found["reason"] != ""
        assert (np.isfinite(found["p"]) != said).all()
        assert (found.loc[~said, "low"] < found.loc[~said, "high"]).all()


def test_repeated_measures_without_variance_are_blank():
    scores = [[30 + i % 4, 20 + i % 4, 15 + i % 4] for i in range(24)]
    found = mmrm(rated(scores, ["drug", "placebo"] * 12), "MADRS", "placebo")
    assert found[NUMBERS].isna().all().all()
    assert (found["reason"] != "").all()


def relapses(rows, groups):
    """Scores [patient, visit] from a baseline of 40; a response on day 1 in everybody."""
    return time_to_relapse(with_days(rated([[40, 10, *row] for row in rows], groups)))


def with_days(data):
    """The relapses of daily ratings, from day 1 on."""
    return with_relapse(data, [24 * k for k in range(data.sizes["visit"])], 24)


def test_no_patient_at_risk_and_no_relapse_are_reported():
    found = time_to_relapse(with_days(rated([[40, 39, 38, 37]], ["drug"])))
    assert len(found.events) == 0
    assert "no patient is at risk" in found.reason
    found = relapses([[10, 10, 10]] * 4, ["drug", "drug", "placebo", "placebo"])
    assert np.isnan(found.hazard_ratio["hazard_ratio"])
    assert found.reason == "no patient relapses"
    assert np.isinf(found.median["median_days"]).all()


def test_relapse_in_one_group_only_has_a_p_but_no_ratio():
    found = relapses([[10, 10, 10]] * 5 + [[30, 30, 30]] * 5, ["drug"] * 5 + ["placebo"] * 5)
    assert np.isnan(found.hazard_ratio["hazard_ratio"])
    assert found.hazard_ratio["p"] < 0.01
    assert "no patient in 'drug' relapses" in found.reason
    row = relapse_rows(type("Found", (), {"relapse": found}))[0]
    assert row["in words"].startswith("no hazard ratio")


def test_groups_that_relapse_one_after_all_of_the_other_have_no_ratio():
    early, late = [30, 30, 30, 30, 30], [10, 10, 10, 30, 30]
    found = relapses([early] * 5 + [late] * 5, ["drug"] * 5 + ["placebo"] * 5)
    assert np.isnan(found.hazard_ratio["hazard_ratio"])
    assert "does not converge" in found.reason


def test_the_sentence_on_relapse_states_the_ratio_of_each_replicate():
    rows = [[10, 10, 10], [10, 30, 30], [10, 10, 10], [30, 30, 30], [10, 10, 10], [10, 30, 30]]
    orders = (range(6), (3, 1, 0, 2, 4, 5))
    events = [relapses([rows[k] for k in order], ["a", "a", "a", "b", "b", "b"]).events for order in orders]
    one = relapses(rows, ["a", "a", "a", "b", "b", "b"])
    analysis = type("Found", (), {"relapse": one})
    ratio = one.hazard_ratio
    assert relapse_sentence(analysis, 0.05) == (
        f"Relapse: the hazard on b is {ratio['hazard_ratio']:.2f} times that on a, 95 % interval {ratio['low']:.2f} to "
        f"{ratio['high']:.2f}, log-rank p = {ratio['p']:.2g}."
    )
    both = replace(one, events=pd.concat([events[0], events[1].assign(replicate=1)]))
    ratios = both.hazard_ratios["hazard_ratio"]
    assert ratios[0] == pytest.approx(ratio["hazard_ratio"])
    assert ratios[0] != pytest.approx(ratios[1])
    mean = np.sqrt(ratios[0] * ratios[1])
    assert f"is {mean:.2f} times that on a, geometric mean of 2 trials; 95 %" in relapse_sentence(
        type("Found", (), {"relapse": both}), 0.05
    )
    none = relapses([[10, 10, 10]] * 4, ["a", "a", "b", "b"])
    text = relapse_sentence(type("Found", (), {"relapse": none}), 0.05)
    assert text == "Relapse: the hazard on b relative to a cannot be estimated (no patient relapses)."
    assert relapse_sentence(type("Found", (), {"relapse": None}), 0.05) == ""


def test_groups_are_compared_in_the_requested_order():
    rows = [[30, 30, 10], [10, 30, 30], [10, 10, 10], [30, 30, 30], [10, 10, 10], [10, 30, 30]]
    data = rated([[40, 10, *row] for row in rows], ["drug"] * 6, ["others", "b", "a", "b", "a", "a"])
    found = time_to_relapse(with_days(data), order=("a", "b"))
    assert found.compared == ("a", "b")
    assert found.hazard_ratio["hazard_ratio"] > 1
    assert list(found.median["group"]) == ["a", "b", "others"]


def test_the_median_of_one_trial_has_the_interval_of_its_curve():
    days = np.random.default_rng(1).exponential(30, 100).round(1) + 0.1
    one = pd.DataFrame({"replicate": 0, "days": days, "relapsed": True})
    found = median_times(one, "drug")
    survival = [np.mean(days > day) for day in np.sort(days)]  # nobody is censored
    assert found["median_days"] == np.sort(days)[np.searchsorted(-np.array(survival), -0.5)]
    inside = np.mean((days > found["low"]) & (days < found["high"]))
    assert 0.15 < inside < 0.25  # a share of 2 * 1.96 * 0.5 / sqrt(100) of the patients
    assert found["low"] < found["median_days"] < found["high"]
    never = median_times(one.assign(relapsed=False), "drug")
    assert np.isinf([never[name] for name in ("median_days", "low", "high")]).all()


@pytest.mark.parametrize(("scores", "said"), [
    ([[30, 20, 15], [34, 30, 29], [31, 30, 25]], "; its mean change is -8.7 points, 95 % interval -22.3 to 5.0."),
    ([[30, 20, 15]], "; its mean change is -15.0 points."),
    ([[30, 20, np.nan]], "; nobody is rated there."),
])  # fmt: skip
def test_a_trial_of_one_arm_says_that_nothing_is_compared(scores, said):
    arm = {"drug": {"treatment": "racemic 0.5 mg/kg IV over 40 min", "n": len(scores)}}
    trial = load_trial({"title": "one arm", "arms": arm, "visits": {"MADRS": ["24 h", "day 8"]}})
    means = mean_change_by_arm(rated(scores, ["drug"] * len(scores)), "MADRS")
    found = SimpleNamespace(
        means={"MADRS": means}, primary=pd.DataFrame(), first_period=pd.DataFrame(), carry_over=pd.DataFrame(),
        reference="drug", relapse=None,
    )  # fmt: skip
    (sentence,) = difference_sentences(found, trial, SUPERIORITY)
    assert sentence == f"MADRS at day 8: one arm (drug), so that no difference is tested{said}"


def test_a_withdrawal_compares_what_was_drawn_by_lot(model):
    trial = shipped_trial("withdrawal")
    found = analyse(run_trial(trial, model, threads=1), trial)
    assert found.relapse.compared == ("goes on", "placebo")
    (sentence,) = difference_sentences(found, trial, SUPERIORITY)
    assert sentence == relapse_sentence(found, 0.05)
    assert f"{found.relapse.hazard_ratio['hazard_ratio']:.2f} times" in sentence
    assert found.relapse.hazard_ratio["hazard_ratio"] > 1.1  # 2.0 (1.2 to 3.4) in SUSTAIN-1, with more patients


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_trial_of_one_patient_an_arm_gives_a_folder(name, model, tmp_path):
    planned = shipped_trial(name)
    trial = replace(planned, arms=tuple(replace(arm, n=1) for arm in planned.arms))
    found_in(trial, model, tmp_path, replicates=1)


@pytest.mark.parametrize("name", ["adaptive_nasal", "murrough2013", "nasal_four_weeks", "withdrawal"])
def test_small_shipped_trials_of_two_replicates_give_a_folder(name, model, tmp_path):
    planned = shipped_trial(name)
    trial = replace(planned, arms=tuple(replace(arm, n=3) for arm in planned.arms))
    found_in(trial, model, tmp_path, replicates=2)


def test_a_trial_that_every_patient_leaves_gives_a_folder(model, tmp_path):
    keys = {
        "title": "gone",
        "arms": {"drug": {"treatment": "racemic 35 mg IV", "n": 4}, "saline": {"treatment": "placebo IV", "n": 4}},
        "visits": {"MADRS": ["day 4", "day 8", "day 12", "day 16", "day 22", "day 29"]},
        "leave": [{"when": "MADRS >= 0", "chance": "90 %", "reason": "moved away"}],
        "primary": "MADRS at day 29",
    }
    found = found_in(load_trial(keys), model, tmp_path, replicates=1)
    assert found.not_estimated["difference (ANCOVA)"] == "no patient in 'saline' is rated"


def test_a_trial_without_a_rating_after_baseline_gives_a_folder(model, tmp_path):
    keys = {
        "title": "missed",
        "arms": {"drug": {"treatment": "racemic 35 mg IV", "n": 1}, "saline": {"treatment": "placebo IV", "n": 1}},
        "visits": {"MADRS": ["24 h"], "QIDS-SR16": ["day 8"]},
        "missed_visits": "90 %",
        "seed": 1,
    }
    trial = load_trial(keys)
    data = run_trial(trial, model, threads=1)
    found = analyse(data, trial)
    assert not any(len(table) for table in found.shares.values())
    assert "no patient in" in write_trial(tmp_path, data, trial, found).read_text(encoding="utf-8")
    assert not (tmp_path / "figures" / "response.png").exists()


def found_in(trial, model, folder, *, replicates):
    """Run, analyse and write a trial; every number that is missing has its reason."""
    data = run_trial(trial, model, replicates=replicates, threads=1)
    found = analyse(data, trial)
    page = write_trial(folder, data, trial, found).read_text(encoding="utf-8")
    for table in (found.primary, found.repeated, found.response):
        if len(table):
            assert (table.loc[table["p"].isna(), "reason"] != "").all()
    for reason in found.not_estimated.values():
        assert reason.split("'")[0] in page
    primary = "within patients" if trial.washout else "ANCOVA"
    compared = [row for row in difference_rows(found, trial) if row["analysis"] == primary]
    assert len(compared) == (0 if len(trial.arms) == 1 else len(trial.arms) - 1)
    assert summary_of(found)
    return found


def test_a_median_that_is_not_reached_has_no_unit_and_no_interval_of_its_own():
    none = pd.Series({"median_days": np.inf, "low": np.inf, "high": np.inf})
    assert _median_text(none) == "median not reached"
    assert _median_text(pd.Series({**none, "low": 12.4})) == "median not reached (12 d to not reached)"
    assert _median_text(pd.Series({"median_days": 20.2, "low": 12.4, "high": 31.0})) == "median 20 d (12 d to 31 d)"
