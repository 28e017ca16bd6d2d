"""Trialists' statistics against known truths and second roads."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from relapse_cases import with_relapse

from ketamech.core import InputError
from ketamech.trials.analysis.analyse import adqs, adsl
from ketamech.trials.analysis.power import power
from ketamech.trials.analysis.repeated_measures import mmrm
from ketamech.trials.analysis.survival import time_to_relapse
from ketamech.trials.analysis.treatment_effects import (
    ancova,
    arm_names,
    mean_change_by_arm,
    responders,
    share_interval,
)

VISITS = ("baseline", "24 h", "day 8")


def made(n=200, effect=-5.0, replicates=3, seed=1):
    """A two-arm trial with a known effect, correlated visits and 15 % missing at the last visit."""
    rng = np.random.default_rng(seed)
    base = rng.normal(33, 5, (replicates, 2 * n))
    drug = np.tile(np.arange(2 * n) % 2 == 0, (replicates, 1))
    own = rng.normal(0, 4, base.shape)
    scores = [base] + [0.8 * base + own + rng.normal(0, 3, base.shape) + effect * drug for _ in VISITS[1:]]
    values = np.stack(scores, axis=2)
    values[:, :, 2][rng.random(base.shape) < 0.15] = np.nan
    arm = np.repeat(np.where(drug, "drug", "placebo")[:, :, None], 3, axis=2)
    patient = ("replicate", "patient")
    return xr.Dataset(
        {
            "MADRS": ((*patient, "visit"), values),
            "true_MADRS": ((*patient, "visit"), values),
            "arm": ((*patient, "visit"), arm),
            "visit_time": ((*patient, "visit"), np.broadcast_to([0.0, 24.0, 168.0], values.shape)),
            "decision": (patient, np.full(base.shape, "")),
            "left": (patient, np.full(base.shape, np.nan)),
            "why_left": (patient, np.full(base.shape, "")),
            "solve_status": (patient, np.full(base.shape, "ok")),
        },
        {
            "visit": list(VISITS),
            "hour": ("visit", [0.0, 24.0, 168.0]),
            "replicate": range(replicates),
            "patient": range(2 * n),
        },
    )


def test_covariance_is_what_statsmodels_finds_and_finds_the_truth():
    from statsmodels.regression.linear_model import OLS

    data = made()
    found = ancova(data, "MADRS", "day 8", "placebo").iloc[1]
    score, base, drug = data.MADRS.values[1, :, 2], data.MADRS.values[1, :, 0], data.arm.values[1, :, 0] == "drug"
    known = np.isfinite(score)
    design = np.column_stack([np.ones(known.sum()), base[known], drug[known]])
    fit = OLS(score[known] - base[known], design).fit()
    assert found["difference"] == pytest.approx(fit.params[2], rel=1e-9)
    assert found["se"] == pytest.approx(fit.bse[2], rel=1e-9)
    assert found["p"] == pytest.approx(fit.pvalues[2], rel=1e-6)
    assert found["low"] < -5 < found["high"]


def test_repeated_measures_find_the_truth_at_every_visit():
    found = mmrm(made(), "MADRS", "placebo")
    assert (found["reason"] == "").all()
    assert list(found["visit"]) == ["24 h", "day 8"]
    assert (found["low"] < -5).all()
    assert (found["high"] > -5).all()
    assert (found["se"] < 0.8).all()


def test_repeated_measures_of_complete_data_are_the_analysis_of_covariance_of_each_visit():
    """The multivariate analysis of variance: least squares at each visit, with its n - 3 degrees of freedom."""
    data = made(n=12)
    data = data.assign(MADRS=data.MADRS.fillna(20.0))
    whole = mmrm(data, "MADRS", "placebo", replicate=2).set_index("visit")
    for visit in VISITS[1:]:
        alone = ancova(data, "MADRS", visit, "placebo").iloc[2]
        assert whole.loc[visit, "df"] == pytest.approx(24 - 3, rel=1e-4)
        for name in ("difference", "se", "low", "high", "p"):
            assert whole.loc[visit, name] == pytest.approx(alone[name], rel=1e-5), name


def test_repeated_measures_of_one_visit_are_the_analysis_of_covariance():
    data = made(n=6).isel(visit=[0, 1])
    alone, whole = ancova(data, "MADRS", "24 h", "placebo").iloc[0], mmrm(data, "MADRS", "placebo").iloc[0]
    assert [whole[name] for name in ("difference", "se", "p")] == pytest.approx(
        [alone[name] for name in ("difference", "se", "p")], rel=1e-5
    )


def test_intervals_of_the_truth_cover_at_their_rate():
    found = ancova(made(n=60, replicates=400, seed=3), "MADRS", "24 h", "placebo")
    covered = ((found["low"] < -5) & (found["high"] > -5)).mean()
    assert covered == pytest.approx(0.95, abs=0.03)


def test_an_arm_or_visit_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="no visit"):
        ancova(made(n=10), "MADRS", "day 9", "placebo")
    with pytest.raises(InputError, match="no arm"):
        ancova(made(n=10), "MADRS", "day 8", "saline")


def test_missing_people_are_no_responders_but_leave_the_completers():
    data = made()
    found = responders(data, "MADRS", 0.5, 10).set_index(["arm", "visit"]).loc[("drug", "day 8")]
    score, base = data.MADRS.values[:, :, 2], data.MADRS.values[:, :, 0]
    drug = data.arm.values[:, :, 0] == "drug"
    hits = (score <= 0.5 * base) & drug
    assert found["response"] == pytest.approx(hits.sum() / drug.sum())
    assert found["response_completers"] == pytest.approx(hits.sum() / (drug & np.isfinite(score)).sum())


def test_arms_are_named_in_order_of_appearance():
    assert arm_names(np.array([["b", "b"], ["a", "c"], ["b", "a"]])) == ["b", "a", "c"]
    assert arm_names(np.array([], dtype=object)) == []


def test_tables_have_the_arms_in_the_order_of_the_file():
    assert arm_names(np.array(["b", "a", "c"]), ["c", "x", "b"]) == ["c", "b", "a"]
    data = made()
    names = sorted(arm_names(data["arm"].values))
    for order in (names, names[::-1]):
        ordered = data.assign_attrs(arms=order)
        assert list(dict.fromkeys(mean_change_by_arm(ordered, "MADRS")["arm"])) == order
        assert list(dict.fromkeys(responders(ordered, "MADRS", 0.5, 10)["arm"])) == order


def test_means_by_arm_are_means():
    data = made()
    found = mean_change_by_arm(data, "MADRS").set_index(["arm", "visit"])
    drug = data.arm.values[:, :, 1] == "drug"
    change = (data.MADRS.values[:, :, 1] - data.MADRS.values[:, :, 0])[drug]
    assert found.loc[("drug", "24 h"), "change"] == pytest.approx(change.mean())
    assert found.loc[("drug", "24 h"), "sd"] == pytest.approx(change.std(ddof=1))


def test_wilson_interval_of_a_share():
    low, high = share_interval(np.array([30]), np.array([47]))  # Wilson 1927 by hand
    assert (low, high) == pytest.approx((0.4955, 0.7598), abs=0.003)


def test_relapse_is_confirmed_at_the_next_visit_and_censored_at_the_last():
    visits = ["baseline", "day 2", "day 4", "day 6", "day 8"]
    scores = np.array([[[40, 10, 30, 10, 10], [40, 10, 10, 30, 30], [40, 10, 10, 10, 10], [40, 30, 30, 30, 30]]], float)
    patient = ("replicate", "patient")
    data = xr.Dataset(
        {
            "MADRS": ((*patient, "visit"), scores),
            "arm": ((*patient, "visit"), np.full(scores.shape, "drug")),
            "visit_time": ((*patient, "visit"), np.broadcast_to(24.0 * np.array([0, 1, 3, 5, 7]), scores.shape)),
            "decision": (patient, np.full((1, 4), "")),
        },
        {"visit": visits},
    )
    found = time_to_relapse(with_relapse(data, [0, 24, 72, 120, 168], 24)).events
    assert found["patient"].tolist() == [0, 1, 2]
    assert found["relapsed"].tolist() == [False, True, False]
    assert found["days"].tolist() == [6.0, 4.0, 6.0]


def test_the_last_two_ratings_make_a_relapse_and_the_last_alone_does_not():
    rows = [[40, 10, 10, 30, 30], [40, 10, 10, 10, 30], [40, 10, 30, np.nan, 30], [40, 10, 30, 10, np.nan]]
    rows += [[40, 10, np.nan, np.nan, np.nan], [40, 20, 20, 20, 20]]
    scores = np.array([rows], dtype=float)
    patient = ("replicate", "patient")
    hours = np.broadcast_to(24.0 * np.array([0, 1, 3, 5, 7]), scores.shape)
    data = xr.Dataset(
        {
            "MADRS": ((*patient, "visit"), scores),
            "arm": ((*patient, "visit"), np.full(scores.shape, "drug")),
            "visit_time": ((*patient, "visit"), hours),
            "decision": (patient, np.full((1, 6), "")),
        },
        {"visit": ["baseline", "day 2", "day 4", "day 6", "day 8"]},
    )
    found = time_to_relapse(with_relapse(data, [0, 24, 72, 120, 168], 24)).events
    assert found["patient"].tolist() == [0, 1, 2, 3, 4, 5]  # half of baseline is a response, and no relapse
    assert found["relapsed"].tolist() == [True, False, True, False, False, False]
    assert found["days"].tolist() == [4.0, 6.0, 2.0, 4.0, 0.0, 6.0]


def test_power_rises_with_size_and_is_the_level_without_effect():
    data = made(n=100, effect=-3.0, replicates=40)
    found = power(data, "MADRS", "24 h", "placebo", [10, 80], trials_per_replicate=2)
    found = found.set_index("patients_per_arm")["power"]
    assert found[10] < found[80]
    assert found[80] > 0.9
    without = made(n=100, effect=0.0, replicates=100)
    nothing = power(without, "MADRS", "24 h", "placebo", [50], trials_per_replicate=2)["power"].iloc[0]
    assert nothing < 0.12
    with pytest.raises(InputError, match="2 to 100"):
        power(data, "MADRS", "24 h", "placebo", [101])


def test_long_tables_have_the_names_trialists_use():
    data = made(n=20)
    long, subjects = adqs(data), adsl(data)
    assert {"USUBJID", "TRTP", "PARAMCD", "AVISIT", "AVAL", "BASE", "CHG", "PCHG"} <= set(long.columns)
    assert len(subjects) == 3 * 40
    assert len(long) == np.isfinite(data.MADRS.values).sum()
    one = long[(long.USUBJID == "1-4") & (long.AVISIT == "24 h")].iloc[0]
    assert pytest.approx(float(data.MADRS[1, 4, 1] - data.MADRS[1, 4, 0])) == one.CHG


def test_percentage_change_is_of_the_baseline_of_the_same_period_and_baselines_are_flagged():
    values = np.array([[[40.0, 10, 20, 15], [0.0, 5, 30, np.nan]]])
    patient = ("replicate", "patient")
    visits = ["period 1: baseline", "period 1: 24 h", "period 2: baseline", "period 2: 24 h"]
    data = xr.Dataset(
        {
            "MADRS": ((*patient, "visit"), values),
            "true_MADRS": ((*patient, "visit"), values),
            "arm": ((*patient, "visit"), np.full(values.shape, "drug")),
            "visit_time": ((*patient, "visit"), np.broadcast_to([0.0, 24, 168, 192], values.shape)),
        },
        {"visit": visits, "replicate": [0], "patient": [0, 1]},
    )
    long = adqs(data).set_index(["USUBJID", "AVISIT"])
    first = long.loc["0-0"]
    assert first["BASE"].tolist() == [40, 40, 20, 20]
    assert first["CHG"].tolist() == [0, -30, 0, -5]
    assert first["PCHG"].tolist() == [0, -75, 0, -25]
    assert first["ABLFL"].tolist() == ["Y", "", "Y", ""]
    assert first["AVISITN"].tolist() == [0, 1, 2, 3]
    second = long.loc["0-1"]
    assert second["PCHG"].isna().tolist() == [True, True, False]  # a baseline of 0 has no percentage
    assert second["CHG"].tolist() == [0, 5, 0]


def test_half_of_baseline_is_a_response_and_the_limit_is_a_remission():
    dims = ("replicate", "patient", "visit")
    scores = np.array([[[40, 20], [40, 21], [20, 10], [20, 11]]], float)
    data = xr.Dataset(
        {"MADRS": (dims, scores), "arm": (dims, np.full(scores.shape, "drug"))},
        {"visit": ["baseline", "day 2"], "hour": ("visit", [0.0, 24.0])},
    )
    (found,) = responders(data, "MADRS", 0.5, 11).to_dict("records")
    assert (found["response"], found["remission"]) == (0.5, 0.5)


def test_power_is_the_share_of_trials_below_five_percent():
    dims, chance = ("replicate", "patient", "visit"), np.random.default_rng(1)
    arm = np.broadcast_to(np.repeat(["drug", "placebo"], 10)[:, None], (80, 20, 2))
    scores = 30 + 8 * chance.standard_normal(arm.shape) - 6.0 * (arm == "drug") * np.array([0, 1])
    data = xr.Dataset(
        {"MADRS": (dims, scores), "arm": (dims, arm)},
        {"visit": ["baseline", "day 2"], "replicate": np.arange(80), "patient": np.arange(20)},
    )
    p = ancova(data, "MADRS", "day 2", "placebo")["p"].to_numpy()
    assert ((p >= 0.05) & (p < 0.1)).any()
    assert power(data, "MADRS", "day 2", "placebo", [10], trials_per_replicate=1)["power"].item() == (p < 0.05).mean()
