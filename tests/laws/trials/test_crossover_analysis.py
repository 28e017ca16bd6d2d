"""Comparison within the patients of a crossover: known truths, closed forms and another program."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from crossover_file import crossover_file
from scipy.stats import kstest, nct, ttest_ind
from scipy.stats import t as student

from ketamech.core import InputError
from ketamech.report.trial_folder import difference_rows, write_trial
from ketamech.trials.analysis.analyse import adqs, adsl, analyse
from ketamech.trials.analysis.crossover import carry_over, compare_arms, mixed_model, sequence_names, within_patients
from ketamech.trials.analysis.power import difference_sentences, power, success_criterion
from ketamech.trials.analysis.repeated_measures import mmrm
from ketamech.trials.analysis.sample_size import sample_sizes
from ketamech.trials.analysis.treatment_effects import ancova
from ketamech.trials.trial_reader import load_trial

SD_BETWEEN, SD_WITHIN, PERIOD_EFFECT = 4.0, 3.0, -1.5
NUMBERS = ["difference", "se", "df", "p", "low", "high"]
FILE = crossover_file("drug", 12, {"MADRS": ["24 h"]}, "MADRS at 24 h")


def made(
    n=12, effect=0.0, replicates=1, seed=1, *, names=("drug", "saline"), missing=0.0, carried=0.0, between=SD_BETWEEN
):
    """A crossover with a random patient, a period effect, a known effect of the first arm and of what is left of it.

    With a negative `between` the changes of a patient are negatively correlated (two periods).
    """
    rng = np.random.default_rng(seed)
    sequences = np.array(list(permutations(names)))
    periods, shape = len(names), (replicates, n, len(names))
    arm = sequences[np.tile(np.arange(n) % len(sequences), (replicates, 1))]
    own = np.abs(between) * rng.normal(size=(replicates, n, 1))
    signs = np.where(np.arange(periods) % 2, np.sign(between), 1.0) if between else np.zeros(periods)
    change = own * signs + SD_WITHIN * rng.normal(size=shape) + PERIOD_EFFECT * np.arange(periods)
    change += effect * (arm == names[0])
    base = 30 + 4 * rng.normal(size=(replicates, n, 1)) + 2 * rng.normal(size=shape)
    base[:, :, 1] += carried * (arm[:, :, 0] == names[0])
    after = np.where(rng.random(shape) < missing, np.nan, base + change)
    values = np.stack([base, after], axis=3).reshape(replicates, n, 2 * periods)
    patient, by_visit = ("replicate", "patient"), ("replicate", "patient", "visit")
    hours = (np.arange(periods)[:, None] * 168 + [0, 24]).ravel()
    data = {
        "MADRS": (by_visit, values), "true_MADRS": (by_visit, values), "arm": (by_visit, np.repeat(arm, 2, axis=2)),
        "visit_time": (by_visit, np.broadcast_to(hours.astype(float), values.shape)),
        "decision": (patient, np.full((replicates, n), "")), "left": (patient, np.full((replicates, n), np.nan)),
        "why_left": (patient, np.full((replicates, n), "")), "solve_status": (patient, np.full((replicates, n), "ok")),
    }  # fmt: skip
    labels = [f"period {k + 1}: {visit}" for k in range(periods) for visit in ("baseline", "24 h")]
    period = ("visit", np.repeat(np.arange(periods) + 1, 2))
    coordinates = {"visit": labels, "hour": ("visit", hours.astype(float)), "period": period}
    return xr.Dataset(data, {**coordinates, "replicate": range(replicates), "patient": range(n)})


def long_table(data, replicate=0):
    """Rated changes of one replicate as a table for another program."""
    rows = adqs(data.isel(replicate=[replicate]))
    rows = rows[rows["AVISIT"].str.endswith("24 h")]
    sequence = pd.Series(sequence_names(data)[replicate], index=adsl(data.isel(replicate=[replicate]))["USUBJID"])
    return rows.assign(sequence=sequence[rows["USUBJID"]].to_numpy())


def within(data):
    return within_patients(data, "MADRS", "24 h", "saline")


def test_without_an_effect_p_is_uniform():
    for settings in ({}, {"missing": 0.15}, {"between": -3.0}, {"names": ("drug", "other", "saline"), "n": 18}):
        table = within(made(replicates=600, seed=5, **settings))
        for _, part in table.groupby("arm"):
            assert kstest(part["p"], "uniform").pvalue > 0.01
    shifted = within(made(replicates=600, seed=5, effect=-1.5))
    assert kstest(shifted["p"], "uniform").pvalue < 1e-6  # the test can fail


@pytest.mark.parametrize(("between", "missing"), [(4.0, 0.15), (-3.0, 0.0), (0.0, 0.1)])
def test_without_an_effect_p_of_the_mixed_model_is_uniform(between, missing):
    data = made(n=14, replicates=200, seed=11, between=between, missing=missing)
    p = [mixed_model(data, "MADRS", "saline", r)["p"].iloc[0] for r in range(200)]
    assert kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_a_known_effect_is_found_whatever_the_period_and_the_patients(missing):
    table = within(made(n=20, effect=-5.0, replicates=800, seed=2, missing=missing, between=15.0))
    error = table["difference"].std() / np.sqrt(800)
    assert abs(table["difference"].mean() + 5) < 3 * error
    assert ((table["low"] < -5) & (table["high"] > -5)).mean() == pytest.approx(0.95, abs=0.025)


def test_the_variance_is_twice_that_within_patients():
    n, replicates = 16, 2000
    table = within(made(n=n, replicates=replicates, seed=3))
    expected = 2 * SD_WITHIN**2 / n
    assert (table["se"] ** 2).mean() == pytest.approx(expected, rel=0.04)
    assert table["difference"].var() == pytest.approx(expected, rel=0.1)
    alone = ancova(made(n=n, replicates=replicates, seed=3), "MADRS", "period 1: 24 h", "saline")
    assert (alone["se"] ** 2).mean() > 4 * expected  # two groups of half the size, with the patients' variance
    other_patients = within(made(n=n, replicates=replicates, seed=3, between=20.0))
    assert np.allclose(other_patients["se"], table["se"])


def test_two_arms_are_the_t_test_of_the_period_differences():
    data = made(n=15, effect=-3.0, seed=7)
    change = data["MADRS"].values[0][:, [1, 3]] - data["MADRS"].values[0][:, [0, 2]]
    difference, first = change[:, 0] - change[:, 1], data["arm"].values[0, :, 0] == "drug"
    classical = ttest_ind(difference[first], difference[~first])
    found = within(data).iloc[0]
    assert found["difference"] == pytest.approx((difference[first].mean() - difference[~first].mean()) / 2)
    assert (found["p"], found["df"]) == (pytest.approx(classical.pvalue), 13)


@pytest.mark.parametrize("names", [("drug", "saline"), ("drug", "other", "saline")])
def test_least_squares_with_a_column_for_each_patient_gives_the_same(names):
    import statsmodels.formula.api as smf

    data = made(n=18, effect=-3.0, seed=4, names=names, missing=0.2)
    formula = "CHG ~ C(TRTP, Treatment('saline')) + C(APERIOD) + C(USUBJID)"
    table = long_table(data)
    pairs = table[table.groupby("USUBJID")["CHG"].transform("size") > 1]
    fit = smf.ols(formula, pairs).fit()
    for line in within(data).itertuples():
        name = f"C(TRTP, Treatment('saline'))[T.{line.arm}]"
        theirs = [fit.params[name], fit.bse[name], fit.df_resid, fit.pvalues[name], *fit.conf_int().loc[name]]
        assert [getattr(line, key) for key in NUMBERS] == pytest.approx(theirs)


@pytest.mark.parametrize("names", [("drug", "saline"), ("drug", "other", "saline")])
def test_the_mixed_model_is_that_of_statsmodels(names):
    import statsmodels.formula.api as smf

    data = made(n=24, effect=-3.0, seed=6, names=names, missing=0.2)
    table = long_table(data)
    formula = "CHG ~ C(TRTP, Treatment('saline')) + C(APERIOD) + C(sequence)"
    model = smf.mixedlm(formula, table, groups=table["USUBJID"])
    fit = model.fit(reml=True)
    # their errors are those of all parameters together; the errors of the coefficients follow from their variances
    same = table["USUBJID"].to_numpy()[:, None] == table["USUBJID"].to_numpy()
    covariance = fit.scale * np.eye(len(table)) + float(fit.cov_re.iloc[0, 0]) * same
    errors = np.sqrt(np.diag(np.linalg.inv(model.exog.T @ np.linalg.solve(covariance, model.exog))))
    for line in mixed_model(data, "MADRS", "saline").itertuples():
        name = f"C(TRTP, Treatment('saline'))[T.{line.arm}]"
        assert line.difference == pytest.approx(fit.params[name], abs=1e-3)
        assert line.se == pytest.approx(errors[model.exog_names.index(name)], rel=1e-3)


def test_with_complete_pairs_the_mixed_model_is_the_comparison_within_patients():
    for between in (4.0, -3.0):
        data = made(n=13, effect=-4.0, seed=9, between=between)
        one, other = within(data).iloc[0], mixed_model(data, "MADRS", "saline").iloc[0]
        assert [one[key] for key in NUMBERS] == pytest.approx([other[key] for key in NUMBERS], rel=1e-3)


def test_an_unstructured_covariance_is_not_what_the_mixed_model_has():
    """Two periods with one rating each: exchangeable periods have fewer parameters than the visits of `mmrm`."""
    data = made(n=20, seed=8, missing=0.2)
    assert len(mixed_model(data, "MADRS", "saline")) == 1
    assert mmrm(data, "MADRS", "saline")["visit"].tolist() == ["period 1: 24 h", "period 2: 24 h"]


def test_what_is_left_at_the_second_baseline_is_found():
    table = carry_over(made(n=20, carried=-6.0, replicates=500, seed=10), "MADRS", "saline")
    assert abs(table["difference"].mean() + 6) < 3 * table["difference"].std() / np.sqrt(500)
    none = carry_over(made(n=20, replicates=500, seed=10), "MADRS", "saline")
    assert kstest(none["p"], "uniform").pvalue > 0.01


def exact_power(n, effect):
    """Power of the t test within patients, by the noncentral t distribution; the better side only."""
    df, shift = n - 2, abs(effect) / (SD_WITHIN * np.sqrt(2 / n))
    return float(nct.sf(student.ppf(0.975, df), df, shift))


def test_power_is_that_of_the_paired_t_test():
    data, trial = made(n=48, effect=-3.0, replicates=400, seed=12), load_trial(FILE)
    table = power(data, "MADRS", "24 h", "saline", [8, 12, 20, 48], criterion=success_criterion(trial))
    for line in table.itertuples():
        assert line.power == pytest.approx(exact_power(line.patients_per_arm, -3.0), abs=0.04)
    assert table["trials"].tolist() == [1600, 1600, 800, 400]
    with pytest.raises(InputError, match="49 patients"):
        power(data, "MADRS", "24 h", "saline", [49])


def test_the_whole_trial_is_the_largest_size():
    data = made(n=7, effect=-4.0, replicates=50, seed=13)
    found = power(data, "MADRS", "24 h", "saline", [7])["power"].item()
    table = compare_arms(data, "MADRS", "24 h", "saline")
    assert found == ((table["p"] < 0.05) & (table["difference"] < 0)).mean()


def test_the_sample_size_is_that_of_the_paired_t_test():
    trial = load_trial(FILE)
    data = made(n=64, effect=-2.5, replicates=400, seed=14)
    (size,), _ = sample_sizes(data, trial, target=0.8, criterion=success_criterion(trial))
    needed = next(n for n in range(4, 100) if exact_power(n, -2.5) >= 0.8)
    assert size.low <= needed <= size.high
    assert abs(size.patients - needed) <= 3
    assert size.patients_per_arm == {"drug": size.patients, "saline": size.patients}
    assert f"{size.patients} patients, each in every arm" in size.text


def test_what_cannot_be_estimated_has_a_reason():
    data = made(n=12, seed=15)
    one_sequence = data.isel(patient=slice(0, None, 2))
    assert "do not separate the effects of arm and period" in within(one_sequence)["reason"].item()
    assert "do not determine" in mixed_model(one_sequence, "MADRS", "saline")["reason"].item()
    two = data.isel(patient=[0, 1])
    assert "no degrees of freedom" in within(two)["reason"].item()
    assert "leave no error to estimate" in mixed_model(two, "MADRS", "saline")["reason"].item()
    unpaired = data.copy(deep=True)
    unpaired["MADRS"][:, :, 3] = np.nan
    assert "no patient in 'saline' is rated" in within(unpaired)["reason"].item()
    with pytest.raises(InputError, match="there is no visit 'day 9'"):
        within_patients(data, "MADRS", "day 9", "saline")


def test_patients_with_one_period_count_in_the_mixed_model_only():
    data = made(n=12, seed=16)
    data["MADRS"][0, 3, 3] = np.nan
    assert within(data)["n"].item() == 11
    assert mixed_model(data, "MADRS", "saline")["n"].item() == 12


def test_the_analysis_states_both_the_pairs_and_the_first_period():
    trial, data = load_trial(FILE), made(n=12, effect=-6.0, seed=17)
    analysis = analyse(data, trial)
    pd.testing.assert_frame_equal(analysis.primary, within(data))
    pd.testing.assert_frame_equal(analysis.first_period, ancova(data, "MADRS", "period 1: 24 h", "saline"))
    pairs, first, carried = difference_sentences(analysis, trial, success_criterion(trial))
    assert pairs.startswith("MADRS at 24 h, within patients: ")
    assert first.startswith("MADRS at 24 h, first period alone: ")
    assert carried.startswith("Carry-over, MADRS at the baseline of the second period: ")
    assert "after drug than after saline" in carried


def test_the_folder_of_a_trial_has_every_comparison(tmp_path):
    data, trial = made(n=12, effect=-6.0, carried=-8.0, seed=17).assign_attrs(seed=1), load_trial(FILE)
    analysis = analyse(data, trial)
    rows = difference_rows(analysis, trial)
    methods = [row["analysis"] for row in rows]
    assert methods == ["within patients", "mixed model", "ANCOVA", "ANCOVA", "Fisher, Newcombe"]
    assert ["first period" in row["comparison"] for row in rows] == [False, False, True, False, True]
    assert rows[3]["in words"] == "lower after drug"
    page = write_trial(tmp_path / "out", data, trial, analysis).read_text(encoding="utf-8")
    assert "random patient" in page
    assert "MMRM" not in page
    table = read_csv(tmp_path / "out" / "carry_over.csv")
    assert table["difference"].item() == pytest.approx(analysis.carry_over["difference"].item())
    assert {"primary", "mixed_model", "first_period"} <= {path.stem for path in (tmp_path / "out").glob("*.parquet")}


def read_csv(path):
    """A table of a folder."""
    return pd.read_csv(path, comment="#")


def test_the_tables_name_period_and_sequence():
    data = made(n=4)
    subjects = adsl(data)
    assert subjects["TRTSEQP"].tolist() == ["drug, then saline", "saline, then drug"] * 2
    assert (subjects["TRT01P"] + ", then " + subjects["TRT02P"]).equals(subjects["TRTSEQP"])
    ratings = adqs(data)
    assert set(zip(ratings["APERIOD"], ratings["AVISIT"].str[:9], strict=True)) == {(1, "period 1:"), (2, "period 2:")}
