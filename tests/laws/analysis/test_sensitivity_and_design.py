"""Sensitivity against closed forms through the same code, endpoints in words, and the front of regimens."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ketamech import simulate
from ketamech.analysis.regimen_search import (
    CandidateRegimen,
    _resampled_means,
    candidates,
    compare_regimens,
    evidence_of_regimen,
    load_studied_regimens,
    pareto_front,
)
from ketamech.analysis.sensitivity import (
    Endpoint,
    SensitivityProblem,
    morris,
    parse_endpoints,
    quantile,
    sobol,
    tornado,
    varied_parameters,
)
from ketamech.core import InputError, UnknownNameError
from ketamech.dosing.regimen import Regimen
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import load_model

A, B = 7.0, 0.1


def ishigami(ranks, progress=None):
    """Ishigami and Homma 1990: x uniform from -pi to pi."""
    x = -np.pi + 2 * np.pi * ranks
    return (np.sin(x[:, 0]) + A * np.sin(x[:, 1]) ** 2 + B * x[:, 2] ** 4 * np.sin(x[:, 0]))[:, None]


def asked(evaluate, count=3):
    rows = tuple(SimpleNamespace(name=f"x{i}") for i in range(count))
    return SimpleNamespace(parameters=rows, endpoints=(Endpoint("y", "y", "at"),), evaluate=evaluate)


def test_sobol_indices_of_the_ishigami_function():
    found = sobol(asked(ishigami), 4096).set_index("parameter")
    one, two = 0.5 * (1 + B * np.pi**4 / 5) ** 2, A**2 / 8
    both = 8 * B**2 * np.pi**8 / 225
    variance = one + two + both
    assert found.loc["x0", "first"] == pytest.approx(one / variance, abs=0.03)
    assert found.loc["x1", "first"] == pytest.approx(two / variance, abs=0.03)
    assert found.loc["x2", "first"] == pytest.approx(0, abs=0.03)
    assert found.loc["x2", "total"] == pytest.approx(both / variance, abs=0.03)


def test_morris_and_tornado_of_a_straight_line_are_its_slopes():
    line = asked(lambda ranks, progress=None: (ranks @ np.array([3.0, -2.0, 0.0]))[:, None])
    effects = morris(line, 10).set_index("parameter")
    assert effects["mu_star"].to_dict() == pytest.approx(
        {"x0": 2.7, "x1": 1.8, "x2": 0.0}, abs=1e-9
    )  # as in the tornado: from the 5th to the 95th percentile
    assert effects["sigma"].max() < 1e-9
    swings = tornado(line).set_index("parameter")["swing"]
    assert swings.to_dict() == pytest.approx({"x0": 2.7, "x1": 1.8, "x2": 0.0}, abs=1e-9)


def test_a_failed_solve_leaves_its_block_out():
    def some_fail(ranks, progress=None):
        found = ishigami(ranks)
        found[7] = np.nan
        return found

    assert np.isfinite(sobol(asked(some_fail), 1024)["total"]).all()
    with pytest.raises(InputError, match="too few points"):
        sobol(asked(lambda ranks, progress=None: np.full((len(ranks), 1), np.nan)), 64)


def test_ranks_become_values_by_the_spread_of_a_row():
    rows = {row.name: row for row in varied_parameters(load_model())}
    middle = quantile(rows["mood.rate_constant"], np.array([0.5]))[0]
    assert middle == pytest.approx(load_model().parameters["mood.rate_constant"].canonical)
    assert (quantile(rows["sedation.waking_level"], np.array([1e-6, 0.5])) > 0).all()
    flat = quantile(rows["person.stress"], np.array([0.25]))[0]
    assert flat == pytest.approx(0.25)


def test_the_model_answers_which_parameter_moves_what():
    model = load_model()
    scenario = load_scenario("racemic 0.5 mg/kg IV over 40 min", model.parameters)
    names = ["dissociation.cadss_ec50", "spines.mature_loss_rate", "mood.connectivity_weight"]
    question = SensitivityProblem(
        model,
        scenario,
        parse_endpoints("dissociation.cadss peak; mood.madrs at day 8", model),
        varied_parameters(model, names),
    )
    found = tornado(question).groupby("endpoint").first()["parameter"]
    assert found["dissociation.cadss peak"] == "dissociation.cadss_ec50"
    assert found["mood.madrs at day 8"] == "mood.connectivity_weight"


def test_screening_agrees_with_the_tornado_on_what_matters():
    model = load_model()
    question = SensitivityProblem(
        model, load_scenario("racemic 0.5 mg/kg IV over 40 min", model.parameters),
        parse_endpoints("MADRS at 24 h", model), varied_parameters(model, ["person", "expectancy", "mood", "spines"]),
    )  # fmt: skip
    screened = list(morris(question, 8)["parameter"].head(6))
    assert set(tornado(question)["parameter"].head(3)) <= set(screened)


def test_a_peak_is_found_after_whichever_dose_it_follows():
    model = load_model()
    rows = varied_parameters(model, ["dissociation.cadss_ec50", "dissociation.cadss_steepness"])

    def peak(sentence):
        scenario = load_scenario(sentence, model.parameters)
        return tornado(SensitivityProblem(model, scenario, parse_endpoints("CADSS peak", model), rows))["usual"].iloc[0]

    now, later = (peak(f"racemic 0.5 mg/kg IV over 40 min{when}") for when in ("", " on day 8"))
    assert later == pytest.approx(now, rel=0.02)


def test_what_the_scenario_sets_stays_set():
    model = load_model()
    asked_for = load_scenario("racemic 0.5 mg/kg IV over 40 min", model.parameters)
    heavy = replace(asked_for, values={"person.weight": 120.0})
    names = ["dissociation.cadss_ec50", "dissociation.cadss_steepness"]
    peaks = [
        tornado(
            SensitivityProblem(
                model, one, parse_endpoints("CADSS peak", model), varied_parameters(model, names, one.values)
            )
        )["usual"].iloc[0]
        for one in (asked_for, heavy)
    ]
    assert peaks[1] > 1.05 * peaks[0]
    assert "person.weight" not in {row.name for row in varied_parameters(model, ["person"], heavy.values)}
    with pytest.raises(InputError, match="scenario sets"):
        varied_parameters(model, ["person.weight"], heavy.values)


def test_the_drug_effect_is_the_treated_curve_minus_that_of_the_control():
    """Against the two curves of `simulate`, a second path to the same numbers."""
    model = load_model()
    scenario = load_scenario("racemic 0.5 mg/kg IV over 40 min", model.parameters)
    rows, endpoints = varied_parameters(model, ["dissociation"]), parse_endpoints("mood.madrs at day 8", model)
    effect = SensitivityProblem(model, scenario, endpoints, rows)
    absolute = replace(effect, absolute=True)
    both = simulate(scenario, model=model, times=[168.0])["mood.madrs"].values[:, 0]
    middle = np.full((1, len(rows)), 0.5)
    nothing = {row.name for row in rows if quantile(row, np.array([0.5]))[0] != pytest.approx(row.canonical)}
    assert not nothing  # the medians are the values of the tables
    assert absolute.evaluate(middle)[0, 0] == pytest.approx(both[0], rel=1e-3)
    assert effect.evaluate(middle)[0, 0] == pytest.approx(both[0] - both[1], abs=1e-2)


def test_the_baseline_moves_the_absolute_score_more_than_the_drug_effect():
    model = load_model()
    scenario = load_scenario("racemic 0.5 mg/kg IV over 40 min", model.parameters)
    rows = varied_parameters(model, ["person.baseline_madrs", "mood.connectivity_weight"])
    effect = SensitivityProblem(model, scenario, parse_endpoints("mood.madrs at day 29", model), rows)
    swings = [
        tornado(one).set_index("parameter")["swing"]["person.baseline_madrs"]
        for one in (effect, replace(effect, absolute=True))
    ]
    assert swings[0] < 0.5 * swings[1]
    assert "treated minus control" in effect.title


def test_a_placebo_has_no_drug_effect():
    model = load_model()
    scenario = load_scenario("placebo IV over 40 min", model.parameters)
    rows, endpoints = varied_parameters(model, ["mood"]), parse_endpoints("mood.madrs at 24 h", model)
    with pytest.raises(InputError, match="no drug effect"):
        SensitivityProblem(model, scenario, endpoints, rows)
    assert SensitivityProblem(model, scenario, endpoints, rows, absolute=True).absolute


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("racemic 0.5 mg/kg IV over 40 min", "controlled trial"),
        ("racemic 0.5 mg/kg IV over 45 min twice weekly for 4 weeks", "controlled trial"),
        ("racemic 0.5 mg/kg IV over 40 min 3 times a week for 2 weeks", "uncontrolled study"),
        ("racemic 0.5 mg/kg IV over 40 min every 5 days for 4 weeks", "dose studied, schedule not"),
        ("racemic 0.5 mg/kg IV over 90 min", "without evidence"),
        ("racemic 0.75 mg/kg IV over 40 min", "without evidence"),
        ("racemic 100 mg oral weekly for 4 weeks", "without evidence"),
        ("esketamine 84 mg nasal twice weekly for 4 weeks", "controlled trial"),
        ("esketamine 84 mg nasal weekly for 4 weeks", "dose studied, schedule not"),
        ("racemic 0.5 mg/kg IV over 40 min; racemic 0.5 mg/kg IV over 40 min on day 8", "without evidence"),
    ],
)
def test_the_evidence_of_a_regimen_is_that_of_its_dose_and_schedule(sentence, kind):
    found = evidence_of_regimen(Regimen.parse(sentence), 672.0)
    assert found.kind == kind
    assert bool(found.evidence) == (kind != "without evidence")


def test_every_studied_regimen_is_its_own_evidence():
    for one in load_studied_regimens():
        found = evidence_of_regimen(Regimen((one.treatment,)), 672.0)
        assert found.kind in ("controlled trial", "uncontrolled study"), one.treatment
        assert found.kind == "controlled trial" or not one.has_control


def test_intervals_narrow_as_points_are_added_and_failures_are_counted():
    found = sobol(asked(ishigami), 1024)
    steps = found.attrs["convergence"].groupby("base")["total_half_width"].max()
    assert list(steps.index) == [128, 256, 512, 1024]
    assert steps[1024] < 0.6 * steps[128]
    assert found.attrs["failed"] == 0
    broken = asked(lambda ranks, progress=None: np.where(np.arange(len(ranks))[:, None] == 3, np.nan, ishigami(ranks)))
    assert sobol(broken, 256).attrs["failed"] == 1


def test_no_regimen_is_compared_that_no_one_is_given():
    absurd = candidates({"racemic {dose} mg/kg IV over {over}": [400]}, [40.0], ["weekly"], 1)
    with pytest.raises(InputError, match="above the limit"):
        compare_regimens(load_model(), absurd, weeks=1, patients=10)


def test_the_interval_holds_the_sampling_error_of_the_patients():
    """With one draw it is that of the mean of independent patients: it narrows with their number."""
    one = candidates({"racemic {dose} mg/kg IM": [0.5]}, [], ["weekly"], 1)
    few, more = (compare_regimens(load_model(), one, weeks=1, patients=n).iloc[0] for n in (10, 60))
    for name in ("benefit", "cadss", "systolic"):
        assert few[f"{name}_low"] < few[name] < few[f"{name}_high"]
        assert more[f"{name}_high"] - more[f"{name}_low"] < few[f"{name}_high"] - few[f"{name}_low"]
    sizes = {n: np.random.default_rng(2).normal(0, 1, n) for n in (40, 160)}
    widths = {n: np.ptp(np.percentile(_resampled_means(x[None, None, None], 1), [2.5, 97.5])) for n, x in sizes.items()}
    assert widths == pytest.approx({n: 2 * 1.96 * sizes[n].std() / n**0.5 for n in sizes}, rel=0.2)


def test_what_is_not_there_is_named():
    model = load_model()
    with pytest.raises(UnknownNameError, match=r"mood\.madrs"):
        parse_endpoints("mood.madr at 24 h", model)
    with pytest.raises(UnknownNameError, match="no output 'mood'"):
        parse_endpoints("mood", model)
    with pytest.raises(InputError, match="'MADRS' is not an endpoint"):
        parse_endpoints("MADRS", model)
    with pytest.raises(InputError, match="no endpoint is given"):
        parse_endpoints(" ; ", model)
    with pytest.raises(InputError, match="before the first day"):
        parse_endpoints("MADRS at day 0", model)
    with pytest.raises(UnknownNameError, match="spines"):
        varied_parameters(model, ["spine"])


def test_levels_are_read_in_the_unit_that_is_shown():
    model = load_model()
    level, mood = parse_endpoints("venous.ketamine peak; mood.madrs at 24 h", model)
    assert (level.unit, mood.unit, mood.factor) == ("ng/mL", "points", 1.0)
    assert level.factor == pytest.approx(model.parameters["drug.ketamine_molar_mass"].value)


def test_the_pareto_front_holds_the_points_that_are_not_dominated():
    points = np.array([[1.0, 1.0], [2.0, 0.5], [0.5, 2.0], [0.9, 0.9], [1.0, 1.0], [np.nan, 3.0]])
    assert pareto_front(points).tolist() == [True, True, True, False, True, False]


def test_regimens_are_compared_on_the_same_people():
    regimens = candidates({"racemic {dose} mg/kg IV over {over}": [0.25, 0.5]}, [40.0], ["weekly"], 1)
    assert [r.name for r in regimens] == [
        "racemic 0.25 mg/kg IV over 40 min, weekly",
        "racemic 0.5 mg/kg IV over 40 min, weekly",
    ]
    table = compare_regimens(load_model(), regimens, weeks=1, patients=40)
    assert table["benefit"].iloc[1] > table["benefit"].iloc[0] > 0
    assert table["cadss"].iloc[1] > table["cadss"].iloc[0]
    assert table["front"].all()
    assert list(table["evidence"]) == ["without evidence", "controlled trial"]  # one dose in this week


def test_doses_that_are_missed_by_chance_do_not_help_in_a_design():
    words = "racemic 0.5 mg/kg IV over 40 min weekly for 1 week"
    regimens = [CandidateRegimen("all", words), CandidateRegimen("few", f"{words}, missing 90 %")]
    table = compare_regimens(load_model(), regimens, weeks=1, patients=40).set_index("regimen")
    assert table["benefit"]["few"] < 0.3 * table["benefit"]["all"]


def test_what_no_trial_informs_is_uncertain_in_a_design():
    regimens = candidates({"racemic {dose} mg/kg IV over {over}": [0.5]}, [40.0], ["weekly"], 1)
    line = compare_regimens(load_model(), regimens, weeks=1, patients=30, posterior=[{}] * 8, draws=8).iloc[0]
    assert line["cadss_high"] > 1.3 * line["cadss_low"]
    assert line["systolic_high"] > 1.3 * line["systolic_low"]
    assert line["dissociating_share_high"] > line["dissociating_share_low"]
