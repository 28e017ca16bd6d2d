"""Doses of a fitted person: closed form, probabilities checked by counting, and bounds that win over targets."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fit_tables import UNIT, person, table

from ketamech.core import InputError, UnknownNameError
from ketamech.fitting.fit import FitSettings, fit
from ketamech.fitting.individual_dose import (
    DoseFinder,
    Individuals,
    dose_table,
    individuals,
    parse_goal,
    target_infusion,
)
from ketamech.fitting.observations import measurements_of, observed_output
from ketamech.fitting.predict import measured_sensitivities
from ketamech.fitting.sampling_times import sampling_design
from ketamech.nonmem.read import doses_in
from ketamech.population.virtual_population import load_population
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.simulate import ensemble_of_scenario

REGIMEN = "racemic {dose} mg/kg IV over 40 min"
NAMES = ("intrinsic_clearance_s", "shallow_volume")


@pytest.fixture(scope="module")
def made(model):
    rows = [f"{line},{weight}" for line, weight in zip(person(), [70] * 7, strict=True)]
    data = measurements_of(doses_in(table(*rows, header="ID,TIME,AMT,ROUTE,DUR,DRUG,DVID,DV,CENS,WT"), "levels.csv",
                                    model.parameters), model, [UNIT])  # fmt: skip
    return fit(data, model, FitSettings(NAMES, group=False))


@pytest.fixture(scope="module")
def known(made):
    return individuals(made, draws=60)


def finder(model, *goals, probability=0.9):
    return DoseFinder(model, REGIMEN, tuple(parse_goal(goal, model) for goal in goals), probability)


def test_draws_of_a_person_have_the_fitted_posterior_and_the_variability_of_the_rest(made, model, tmp_path):
    many = individuals(made, draws=4000)
    fitted = np.log(many.values["pharmacokinetics.intrinsic_clearance_s"][0])
    assert fitted.mean() == pytest.approx(made.mode[0, 0], abs=0.02)
    assert fitted.std() == pytest.approx(np.sqrt(made.person_covariance[0, 0, 0]), rel=0.15)
    tied = many.values["pharmacokinetics.intrinsic_clearance_r"][0]
    assert np.std(np.log(tied) - fitted) < 1e-9
    rest = np.log(many.values["dissociation.cadss_ec50"][0])
    row = next(r for r in load_population().tables.between if r.parameter == "dissociation.cadss_ec50")
    assert rest.std() == pytest.approx(row.person, rel=0.1)
    assert set(many.values["person.weight"][0]) == {70.0}
    many.save(tmp_path / "individuals.npz")
    read = Individuals.load(tmp_path / "individuals.npz")
    np.testing.assert_allclose(read.of("1")["dissociation.cadss_ec50"], many.of("1")["dissociation.cadss_ec50"], 1e-6)
    with pytest.raises(InputError, match="no ID 7"):
        read.of("7")


def test_a_target_is_reached_by_the_median(model, known):
    one = finder(model, "venous.ketamine peak = 200 ng/mL").find(known.of("1"), (0.05, 5))
    assert np.median(one.endpoints_at_dose[0]) == pytest.approx(200, rel=0.01)
    again = finder(model, "venous.ketamine cmax = 400 ng/mL").find(known.of("1"), (0.05, 5))
    assert again.dose == pytest.approx(2 * one.dose, rel=0.05)  # kinetics are almost linear
    hourly = finder(model, "venous.ketamine at 2 h = 50 ng/mL", "venous.ketamine auc >= 100 h*ng/mL")
    found = hourly.find(known.of("1"), (0.05, 5))
    assert np.median(found.endpoints_at_dose[0]) == pytest.approx(50, rel=0.01)
    assert (dose_table(hourly, {"1": found})["probability"].isna() == [True, False]).all()


def test_a_bound_holds_with_its_probability_and_wins_over_a_target(model, known):
    for share in (0.7, 0.9):
        wanted = finder(model, "venous.ketamine peak <= 200 ng/mL", probability=share)
        one = wanted.find(known.of("1"), (0.05, 5))
        assert np.mean(one.endpoints_at_dose[0] <= 200) == pytest.approx(share, abs=0.03)
        assert one.window == pytest.approx((0.05, one.dose))
    both = finder(model, "venous.ketamine peak = 1000 ng/mL", "venous.ketamine peak <= 200 ng/mL")
    limited = both.find(known.of("1"), (0.05, 5))
    assert limited.dose == pytest.approx(one.dose, rel=0.01)
    assert limited.remark == "limited by a bound"
    least = finder(model, "venous.ketamine peak >= 200 ng/mL").find(known.of("1"), (0.05, 5))
    assert np.mean(least.endpoints_at_dose[0] >= 200) == pytest.approx(0.9, abs=0.03)
    assert least.dose > one.dose
    far = finder(model, "venous.ketamine peak = 1 ng/mL").find(known.of("1"), (0.05, 5))
    assert far.dose == pytest.approx(0.05)
    assert "not reached by any dose" in far.remark
    never = finder(model, "venous.ketamine peak >= 200 ng/mL", "venous.ketamine peak <= 100 ng/mL")
    assert "no dose in the range" in never.find(known.of("1"), (0.05, 5)).remark


def test_the_range_of_doses_ends_where_the_program_refuses(model):
    made = finder(model, "venous.ketamine peak <= 200 ng/mL")
    low, high = made.range()
    assert made.is_allowed(high)
    assert not made.is_allowed(2 * high)
    assert low == pytest.approx(high / 1000)


@pytest.mark.parametrize(
    ("goal", "error", "words"),
    [
        ("venous.ketamine peak 200", InputError, "not a goal"),
        ("venous.ketamine peak = 200", InputError, "has no unit"),
        ("venous.ketamine peak = 200 mmHg", InputError, "cannot be measured in mmHg"),
        ("venous.ketamine auc = 200 ng/mL", InputError, "an area in 'ng/mL'"),
        ("venous.ketamin peak = 200 ng/mL", UnknownNameError, r"nearest: venous\.ketamine"),
    ],
)
def test_a_goal_that_cannot_be_read_says_what_to_type(model, goal, error, words):
    with pytest.raises(error, match=words):
        parse_goal(goal, model)


def test_a_regimen_without_a_dose_to_search_is_refused(model):
    goal = parse_goal("venous.ketamine peak = 200 ng/mL", model)
    with pytest.raises(InputError, match="names no dose"):
        DoseFinder(model, "racemic 0.5 mg/kg IV", (goal,))
    with pytest.raises(InputError, match="probability of 90"):
        replace(finder(model, "venous.ketamine peak = 200 ng/mL"), probability=90)


def test_a_target_infusion_reaches_its_levels(model):
    """Its regimen, simulated on its own, holds each level within 5 %; in the end the rate balances the clearance."""
    output = observed_output("venous.ketamine", "venous.ketamine", "ng/mL", model)
    found = target_infusion(model, "racemic", output, (50.0, 120.0), 0.5, threads=2)
    assert np.abs(found.ratio - 1).max() < 0.05
    scenario = load_scenario(found.regimen, model.parameters)
    solved = ensemble_of_scenario(model, scenario, {}, 1, 2.0).solve(
        np.array([0.25, 0.5, 0.75, 1.0]), ["venous.ketamine"]
    )
    levels = solved.values[0, :, 0] * output.factor
    np.testing.assert_allclose(levels, [50, 50, 120, 120], rtol=0.05)
    long = target_infusion(model, "racemic", output, (100.0,), 24.0, threads=2)
    clearance = long.rates[-1] / (100 / 1000)  # mg/h over mg/L
    assert clearance == pytest.approx(90, rel=0.15)
    with pytest.raises(InputError, match="no target levels"):
        target_infusion(model, "racemic", output, (), 1.0)


HOURS = (0.3, 0.7, 1.0, 2.0, 4.0, 8.0)


@pytest.fixture(scope="module")
def design(model):
    scenario = load_scenario("racemic 35 mg IV over 0.6667 h", model.parameters)
    return sampling_design(model, scenario, [UNIT], load_population(), times=HOURS, parameters=NAMES)


def test_exact_sensitivities_on_the_scale_of_a_fit(design, made):
    """Second method: central differences of the predictions of a table with the same times."""
    rows = [person()[0], *(f"1,{hour},0,.,.,.,venous.ketamine,10,0" for hour in HOURS)]
    data = measurements_of(
        doses_in(table(*rows), "x.csv", made.predictor.model.parameters), made.predictor.model, [UNIT]
    )
    other = replace(made.predictor, data=data)
    predicted, slopes = measured_sensitivities(other, other.typical)
    np.testing.assert_allclose(design.predicted[0, 0], predicted, rtol=1e-4)
    np.testing.assert_allclose(design.slopes[0, 0], slopes, rtol=2e-3, atol=1e-3 * predicted.max())


def test_the_best_times_beat_all_others(design):
    """Every pair is tried; and the expected covariance is that of a fit of levels that equal the predictions."""
    best = design.best(2)
    every = {(i, j): design.criterion([i, j]) for i in range(6) for j in range(i)}
    assert design.criterion(best) == pytest.approx(max(every.values()))
    assert design.efficiency([2, 3], best) < 1 == design.efficiency(best, best)
    few, more = design.table(best), design.table(design.best(4))
    assert (more["variance_reduction"] > few["variance_reduction"]).all()
    with pytest.raises(InputError, match="7 samples"):
        design.best(7)


def test_the_expected_precision_is_that_of_a_fit(design, model):
    levels = list(zip(HOURS, design.predicted[0, 0], strict=True))
    data = measurements_of(doses_in(table(*person(levels=levels)), "x.csv", model.parameters), model, [UNIT])
    made = fit(data, model, FitSettings(NAMES, group=False))
    expected = np.linalg.inv(design.precision(range(6)))[0]
    np.testing.assert_allclose(
        made.person_covariance[0], expected, rtol=0.06, atol=5e-4
    )  # the mode is near the population


def test_times_for_many_persons_are_those_of_the_mean_criterion(model):
    """Each person is a design of its own; a spread of 0 gives the typical person."""
    scenario = load_scenario("racemic 35 mg IV over 0.6667 h", model.parameters)
    how = {"times": HOURS, "parameters": NAMES, "errors": ["proportional 0.2"]}
    drawn = sampling_design(model, scenario, [UNIT], load_population(), draws=4, **how)
    assert drawn.predicted.shape == (4, 1, 6)
    each = [replace(drawn, predicted=drawn.predicted[i : i + 1], slopes=drawn.slopes[i : i + 1],
                    information=drawn.information[i : i + 1]) for i in range(4)]  # fmt: skip
    pairs = [[i, j] for i in range(6) for j in range(i)]
    mean = {tuple(pair): np.mean([one.criterion(pair) for one in each]) for pair in pairs}
    assert drawn.criterion(drawn.best(2)) == pytest.approx(max(mean.values()))
    relative = np.sqrt(drawn.information) * drawn.predicted  # of a proportional error, the same in each person
    np.testing.assert_allclose(relative, relative[0, 0, 0], rtol=1e-6)
    assert np.ptp(drawn.slopes[:, 0, 2, 0] / drawn.predicted[:, 0, 2]) > 0.01


@pytest.mark.parametrize(
    ("goal", "said"),
    {
        "venous.ketamine peak = -5 ng/mL": "at least 0 ng/mL",
        "venous.ketamine auc <= -5 h*ng/mL": "at least 0 h*ng/mL",
        "mood.madrs at 24 h = 80": "at most 60",
        "mood.madrs at 24 h <= -1": "at least 0",
        "venous.ketamine peak = 1e999 ng/mL": "is not a goal",
    }.items(),
)
def test_a_goal_that_no_dose_meets_is_refused(model, goal, said):
    with pytest.raises(InputError) as refused:
        parse_goal(goal, model)
    assert refused.value.key == "--goal"
    assert said in str(refused.value)


def test_a_wrong_output_of_a_goal_is_an_error_about_the_goal(model):
    with pytest.raises(InputError) as refused:
        parse_goal("venous.ketamin peak = 5 ng/mL", model)
    assert refused.value.key == "--goal"
