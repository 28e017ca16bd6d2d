"""Trialists' statistics against known truths and second roads."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from ketamech.analysis.trials import adqs, adsl, ancova, exposure_response, mmrm, non_compartmental, time_to_relapse
from ketamech.analysis.trials.effects import by_arm, responders, share_interval
from ketamech.analysis.trials.power import power
from ketamech.core import BadInput

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
    assert list(found["visit"]) == ["24 h", "day 8"]
    assert (found["low"] < -5).all()
    assert (found["high"] > -5).all()
    assert (found["se"] < 0.8).all()


def test_intervals_of_the_truth_cover_at_their_rate():
    found = ancova(made(n=60, replicates=400, seed=3), "MADRS", "24 h", "placebo")
    covered = ((found["low"] < -5) & (found["high"] > -5)).mean()
    assert covered == pytest.approx(0.95, abs=0.03)


def test_an_arm_or_visit_that_is_not_there_is_refused():
    with pytest.raises(BadInput, match="no visit"):
        ancova(made(n=10), "MADRS", "day 9", "placebo")
    with pytest.raises(BadInput, match="no arm"):
        ancova(made(n=10), "MADRS", "day 8", "saline")


def test_missing_people_are_no_responders_but_leave_the_completers():
    data = made()
    found = responders(data, "MADRS", 0.5, 10).set_index(["arm", "visit"]).loc[("drug", "day 8")]
    score, base = data.MADRS.values[:, :, 2], data.MADRS.values[:, :, 0]
    drug = data.arm.values[:, :, 0] == "drug"
    hits = (score <= 0.5 * base) & drug
    assert found["response"] == pytest.approx(100 * hits.sum() / drug.sum())
    assert found["response_completers"] == pytest.approx(100 * hits.sum() / (drug & np.isfinite(score)).sum())


def test_means_by_arm_are_means():
    data = made()
    found = by_arm(data, "MADRS").set_index(["arm", "visit"])
    drug = data.arm.values[:, :, 1] == "drug"
    change = (data.MADRS.values[:, :, 1] - data.MADRS.values[:, :, 0])[drug]
    assert found.loc[("drug", "24 h"), "change"] == pytest.approx(change.mean())
    assert found.loc[("drug", "24 h"), "sd"] == pytest.approx(change.std(ddof=1))


def test_wilson_interval_of_a_share():
    low, high = share_interval(np.array([30]), np.array([47]))  # Wilson 1927 by hand
    assert (low, high) == pytest.approx((49.55, 75.98), abs=0.3)


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
    found = time_to_relapse(data, "MADRS", "day 2", 0.5).events
    assert found["patient"].tolist() == [0, 1, 2]
    assert found["relapsed"].tolist() == [False, True, False]
    assert found["days"].tolist() == [6.0, 4.0, 6.0]


def test_exposure_of_a_bolus_has_its_closed_form():
    """One compartment: C = D/V exp(-k t), so AUC = D/(V k) and CL = k V."""
    dose, volume, k = 100.0, 20.0, 0.25
    time = np.array([0.0, 0.25, 0.5, 1, 2, 4, 6, 8, 12])
    found = non_compartmental(time, dose / volume * np.exp(-k * time), dose, extravascular=False)
    assert found["LAMZ"] == pytest.approx(k, rel=1e-9)
    assert found["AUCIFO"] == pytest.approx(dose / (volume * k), rel=1e-9)
    assert found["CLO"] == pytest.approx(k * volume, rel=1e-9)
    assert found["VZO"] == pytest.approx(volume, rel=1e-9)
    assert found["CMAX"] == 5.0


def test_exposure_of_nothing_is_unknown():
    assert all(np.isnan(v) for v in non_compartmental(np.arange(4.0), np.zeros(4)).values())


def test_exposure_response_finds_a_slope():
    rng = np.random.default_rng(2)
    x = rng.lognormal(0, 0.7, 500)
    found = exposure_response(x, -3 * np.log2(x) + rng.normal(0, 2, 500)).iloc[0]
    assert found["low"] < -3 < found["high"]


def test_power_rises_with_size_and_is_the_level_without_effect():
    data = made(n=100, effect=-3.0, replicates=40)
    found = power(data, "MADRS", "24 h", "placebo", [10, 80], draws=2).set_index("n_per_arm")["power"]
    assert found[10] < found[80]
    assert found[80] > 95
    nothing = power(made(n=100, effect=0.0, replicates=100), "MADRS", "24 h", "placebo", [50], draws=2)["power"].iloc[0]
    assert nothing < 12
    with pytest.raises(BadInput, match="2 to 100"):
        power(data, "MADRS", "24 h", "placebo", [101])


def test_long_tables_have_the_names_trialists_use():
    data = made(n=20)
    long, subjects = adqs(data), adsl(data)
    assert {"USUBJID", "TRTP", "PARAMCD", "AVISIT", "AVAL", "BASE", "CHG", "PCHG"} <= set(long.columns)
    assert len(subjects) == 3 * 40
    assert len(long) == np.isfinite(data.MADRS.values).sum()
    one = long[(long.USUBJID == "1-4") & (long.AVISIT == "24 h")].iloc[0]
    assert pytest.approx(float(data.MADRS[1, 4, 1] - data.MADRS[1, 4, 0])) == one.CHG
