"""Virtual patients: independent of the size of the sample, distributions as written, correlations, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ketamech.core import InputError, UnknownNameError
from ketamech.parameters import load_parameters
from ketamech.population.population_tables import load_tables, marginal
from ketamech.population.virtual_population import load_population, patients_at_quantiles_of_change, select_plausible

TABLE = load_parameters()


def value_of(name):
    return TABLE[name].canonical


def draw(who, name="trd", **words):
    return load_population(name).with_marginals(words, TABLE).draw(TABLE, 1, who)


def test_a_patient_does_not_depend_on_the_size_of_the_population():
    sample, two = draw(range(300)), draw([211, 4])
    for name, values in sample.values.items():
        assert (two.values[name] == values[[211, 4]]).all(), name


def test_another_population_differs_only_where_it_says():
    patients, old = draw(range(50)), draw(range(50), "elderly")
    assert (patients.values["person.baseline_madrs"] == old.values["person.baseline_madrs"]).all()
    assert (old.values["person.expectancy"] < patients.values["person.expectancy"]).all()
    assert old.values["person.age"].min() > patients.values["person.age"].max() * 0.9


def test_distributions_are_as_written():
    sample = draw(range(4000))
    madrs = sample.values["person.baseline_madrs"]
    assert madrs.mean() == pytest.approx(33.1, abs=0.3)
    assert madrs.std() == pytest.approx(3.8, abs=0.2)
    assert madrs.min() >= 20
    assert madrs.max() <= 56
    assert sample.covariates["covariate.male"].mean() == pytest.approx(0.4, abs=0.03)


def test_a_fixed_value_is_the_same_in_every_patient_and_setting():
    fixed = load_population().with_marginals({"weight": "fixed 70", "responsiveness": "fixed 0.8"}, TABLE)
    for replicate in (0, 3):
        sample = fixed.draw(TABLE, 1, range(300), replicate=replicate)
        assert (sample.values["person.weight"] == 70).all()
        assert (sample.values["person.responsiveness"] == 0.8).all()


def test_an_unknown_variable_is_answered_with_the_nearest_or_the_list():
    for name, nearest in (("wieght", "weight"), ("banana", None)):
        with pytest.raises(UnknownNameError, match=f"no variable '{name}'") as refused:
            load_population().with_marginals({name: "fixed 1"}, TABLE)
        assert refused.value.nearest == nearest
        assert {"age", "male", "weight"} <= set(refused.value.expected.split(", "))
        assert "ketamech equations" in refused.value.expected


def test_a_stated_distribution_has_its_mean_and_its_bounds():
    weight = draw(range(6000), weight="normal 75 8 in 51 99").values["person.weight"]
    assert weight.mean() == pytest.approx(75, abs=0.4)
    assert weight.std() == pytest.approx(8, abs=0.3)
    assert weight.min() >= 51
    assert weight.max() <= 99


def test_no_covariate_and_no_setting_moves_anybody_out_of_the_bounds_of_the_table():
    narrow = marginal("lognormal 78 0.18 in 60 90")
    people = load_population()
    people = replace(people, marginals={**people.marginals, "person.weight": narrow})
    weight = people.draw(TABLE, 1, range(2000)).values["person.weight"]
    assert (weight.min(), weight.max()) == (pytest.approx(60, abs=0.5), 90)
    healthy = load_population("healthy")
    samples = [healthy.draw(TABLE, 1, range(200), replicate=r).values["person.baseline_madrs"] for r in range(1, 6)]
    assert max(healthy.study_effects(1, r, value_of)["person.baseline_madrs"] for r in range(1, 6)) > 1.02
    assert np.max(samples) <= 4


def test_responsiveness_has_two_groups_of_the_share_in_the_table():
    high = draw(range(4000), "mdd")
    share = (high.values["person.responsiveness"] > 0.65).mean()
    assert share == pytest.approx(TABLE["people.responder_share"].canonical, abs=0.05)


def test_correlations_come_out_and_a_covariate_acts_on_its_parameter():
    sample = draw(range(4000))
    s, r = (np.log(sample.values[f"pharmacokinetics.intrinsic_clearance_{e}"]) for e in "sr")
    assert np.corrcoef(s, r)[0, 1] == pytest.approx(0.9, abs=0.03)
    male = sample.covariates["covariate.male"] == 1
    ratio = np.median(sample.values["person.weight"][male]) / np.median(sample.values["person.weight"][~male])
    assert ratio == pytest.approx(np.exp(0.17), rel=0.05)


def test_population_values_change_every_patient():
    higher = load_population().draw(TABLE, 1, range(20), base={"suicidality.mood_weight": 6.0})
    usual = load_population().draw(TABLE, 1, range(20))
    ratio = higher.values["suicidality.mood_weight"] / usual.values["suicidality.mood_weight"]
    assert ratio == pytest.approx(6.0 / TABLE["suicidality.mood_weight"].canonical)


def test_small_studies_have_larger_drug_effects_and_smaller_control_responses():
    people, reference = load_population(), int(TABLE["people.reference_study_size"].canonical)
    assert people.study_effects(1, 0, value_of, reference) == {}
    small = people.study_effects(1, 0, value_of, reference // 10)
    exponent = TABLE["people.responsiveness_size_exponent"].canonical
    assert small["person.responsiveness"] == pytest.approx(10**exponent)
    assert small["person.expectancy"] < 1
    assert "person.baseline_madrs" not in small
    few, many = (people.draw(TABLE, 1, range(50), study_size=n).values["person.responsiveness"] for n in (20, 200))
    assert few / many == pytest.approx(np.full(50, 10**exponent))


def test_settings_differ_between_replicates_but_not_within_one_and_never_in_replicate_0():
    people = load_population()
    usual, again, other = (people.draw(TABLE, 1, range(2000), replicate=r) for r in (0, 0, 3))
    assert people.study_effects(1, 0, value_of) == {}
    factors = [people.study_effects(1, r, value_of)["person.expectancy"] for r in range(1, 300)]
    assert np.log(factors).std() == pytest.approx(
        value_of(load_tables().study_effects["person.expectancy"].sd), rel=0.15
    )
    assert (usual.values["person.expectancy"] == again.values["person.expectancy"]).all()
    moved = np.median(other.values["person.expectancy"]) / np.median(usual.values["person.expectancy"])
    assert moved == pytest.approx(people.study_effects(1, 3, value_of)["person.expectancy"], rel=0.2)
    assert other.values["person.baseline_madrs"].max() <= 56


def test_occasions_differ_about_the_person_and_are_his_own():
    people = load_population()
    name = "pharmacokinetics.nasal_f_first"
    factors = people.occasion_factors(name, 1, range(800), 6)
    assert np.log(factors).std() == pytest.approx(0.15, abs=0.01)
    assert (people.occasion_factors(name, 1, [7], 6)[0] == factors[7]).all()
    assert (people.occasion_factors("person.age", 1, range(3), 2) == 1).all()


@pytest.mark.parametrize(
    "words",
    [
        "mixture 1.2 lognormal 1 0.2 | lognormal 0.3 0.2", "mixture 0.5 normal 1 0.2", "normal 33 -5",
        "lognormal -1 0.2", "normal 33 5 in 90 95", "normal 33 5 in 40 20", "bernoulli 1.4",
        "gaussian 1 2", "normal 33", "normal nan 5", "fixed inf", "normal 33 5 in nan nan",
    ],
)  # fmt: skip
def test_an_impossible_distribution_is_refused(words):
    with pytest.raises(InputError):
        marginal(words)


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("weight", "fixed -70"), ("weight", "normal 800 5"), ("weight", "normal 20 30"), ("age", "normal 8 9"),
        ("male", "fixed 7"), ("person.baseline_madrs", "uniform 20 90"), ("expectancy", "fixed 100"),
    ],
)  # fmt: skip
def test_a_distribution_outside_the_range_of_its_variable_is_refused(variable, words):
    with pytest.raises(InputError, match="gives values from"):
        draw(range(2), **{variable: words})


def test_no_patient_lies_outside_the_range_of_the_parameter_in_the_tail_of_a_stated_distribution():
    ages = draw(range(4000), age="normal 40 17").values["person.age"]
    assert ages.min() == TABLE["person.age"].bounds[0]
    assert 0 < (ages == ages.min()).mean() < 0.02


def test_a_distribution_of_the_tables_may_be_stated():
    tables = load_tables()
    for name, known in tables.marginals.items():
        for variable in known:
            load_population(name)._check_range(variable, "", known[variable], TABLE)


def test_a_name_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(UnknownNameError, match="elderly"):
        load_population("eldery")
    with pytest.raises(UnknownNameError, match=r"nearest: weight"):
        draw(range(2), weigth="fixed 70")


def test_correlations_out_of_range_or_at_odds_are_refused(tmp_path):
    source = load_tables.__wrapped__.__defaults__[0]
    for file in source.glob("*.csv"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    rows = tmp_path / "correlations.csv"
    text = rows.read_text(encoding="utf-8")
    rows.write_text(text + "person.age,person.stress,1.3,assumed,,x\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"correlations\.csv:12"):
        load_tables(tmp_path)
    odd = "person.age,person.stress,0.95,assumed,,x\nperson.age,person.inflammation,-0.95,assumed,,x\n"
    rows.write_text(text + odd, encoding="utf-8")
    load_tables.cache_clear()
    with pytest.raises(InputError, match="contradict"):
        load_population("trd", load_tables(tmp_path)).draw(TABLE, 1, range(2))
    load_tables.cache_clear()


def test_the_plausible_lie_within_bounds():
    mask = select_plausible(
        {"a": np.array([1.0, 5.0, np.nan]), "b": np.array([1.0, 1.0, 1.0])}, {"a": (0, 4), "b": (0, 2)}
    )
    assert mask.tolist() == [True, False, False]


def test_alleles_are_binomial():
    alleles = draw(range(6000)).covariates["covariate.cyp2b6_alleles"]
    assert [np.mean(alleles == k) for k in (0, 1, 2)] == pytest.approx([0.5625, 0.375, 0.0625], abs=0.02)


def test_the_spread_of_a_parameter_between_patients_is_the_one_of_the_table():
    people, values = load_population(), draw(range(6000)).values
    moved = {effect.parameter for effect in people.tables.effects} | set(people.marginals)
    rows = [row for row in people.tables.between if row.person and row.parameter not in moved]
    assert len(rows) > 10
    for row in rows:
        logs = np.log(values[row.parameter] / value_of(row.parameter))
        if values[row.parameter].max() < 0.999 or not TABLE[row.parameter].is_fraction:
            assert np.std(logs) == pytest.approx(row.person, rel=0.05), row.parameter
            assert np.median(logs) == pytest.approx(0.0, abs=0.05 * row.person + 1e-9), row.parameter


def test_occasions_are_independent_of_the_patient_and_of_one_another():
    people, ids = load_population(), range(3000)
    names = [row.parameter for row in people.tables.between if row.occasion]
    first = {name: np.log(people.occasion_factors(name, 1, ids, 2)) for name in names}
    for i, name in enumerate(names):
        own = np.log(people.draw(TABLE, 1, ids).values[name])
        for other in (own, first[name][:, 1], *(first[later][:, 0] for later in names[i + 1 :])):
            assert abs(np.corrcoef(first[name][:, 0], other)[0, 1]) < 0.07, name


def test_covariates_leave_the_population_centred_and_inside_its_bounds():
    """The table states 78 kg and enzyme activity 1, for 40 % men and a quarter of slow alleles."""
    for name in ("trd", "healthy"):
        sample = draw(range(4000), name).values
        assert np.median(sample["person.weight"]) == pytest.approx(78, rel=0.02)
        assert sample["person.weight"].min() >= 40
        assert sample["person.weight"].max() <= 160
        assert sample["person.cyp2b6"].mean() == pytest.approx(1, abs=0.01)


def test_no_absorbed_share_exceeds_one():
    sample = draw(range(4000)).values
    shares = [name for name in sample if TABLE[name].is_fraction]
    assert {"pharmacokinetics.nasal_f_first", "pharmacokinetics.sublingual_f"} <= set(shares)
    assert max(sample[name].max() for name in shares) <= 1


def test_values_have_units_and_the_table_those_of_the_parameter_tables():
    people = draw(range(3))
    assert people.units["person.age"] == "h"
    assert people.table().attrs["units"]["person.age"] == "year"
    assert people.table()["person.age"].to_numpy() == pytest.approx(people.values["person.age"] / 8766)


def test_patients_at_quantiles_of_change_are_complete_and_in_order_of_their_change():
    curves = np.array([[10.0, 9.0], [10.0, np.nan], [20.0, 2.0], [10.0, 5.0], [1.0, 0.7]])
    assert patients_at_quantiles_of_change(curves, 1, 2).tolist() == [3, 0]
    assert patients_at_quantiles_of_change(curves, 1, 4).tolist() == [2, 3, 4, 0]
    assert not len(patients_at_quantiles_of_change(curves, 1, 0))
    assert not len(patients_at_quantiles_of_change(curves[1:2], 1, 3))
