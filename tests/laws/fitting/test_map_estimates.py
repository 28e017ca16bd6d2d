"""Most probable parameters of one person: known ones are found, intervals cover them, and no data leave the prior."""

import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parent))
from fit_tables import DOSE, HEADER, UNIT, person, table
from simulated_tables import Truth, simulated_table

from ketamech.core import InputError, UnknownNameError
from ketamech.fitting.error_models import error_models
from ketamech.fitting.fit import FitSettings, fit
from ketamech.fitting.fitted_parameters import named_parameters, prior_covariance
from ketamech.fitting.map_estimates import by_person, likelihood_terms, map_estimates
from ketamech.fitting.observations import measurements_of
from ketamech.fitting.predict import Predictor, measured_sensitivities
from ketamech.nonmem.read import doses_in
from ketamech.nonmem.solve_table import solve_table
from ketamech.population.virtual_population import load_population

NAMES = ("intrinsic_clearance_s", "shallow_volume", "arteriovenous_fast_share", "deep_volume")
TIMES = (0.3, 0.7, 1.0, 2.0, 4.0, 8.0)


def data_of(model, text, *observe):
    return measurements_of(doses_in(text, "levels.csv", model.parameters), model, observe or [UNIT])


@pytest.fixture(scope="module")
def predictor(model):
    parameters = named_parameters(NAMES, load_population(), model.parameters)
    return Predictor(model, data_of(model, table(*person())), parameters, threads=2)


def simulated(model, count, seed, *, medians=(1, 1, 1, 1), error="proportional 0.15", names=NAMES, **how):
    known = named_parameters(names, load_population(), model.parameters)
    truth = Truth(names, medians, tuple(one.sd for one in known), error)
    doses = [f"{i + 1},0,35,IV,0.6667,70" for i in range(count)]
    text, true = simulated_table(model, truth, doses=doses, times=TIMES, output="venous.ketamine", unit="ng/mL",
                                 seed=seed, **how)  # fmt: skip
    values = np.array([[float(x) for x in line.split(",")[1:]] for line in true.splitlines()[1:]])
    return data_of(model, text), known, values


SPRAYED = [line.replace("IV,0.6667", "nasal,.") for line in person()]


def reset_rows(occasions):
    """Rows of one person with a reset before each occasion but the first."""
    return [f"{line},{4 if number else 1}" if i == 0 else f"{line},0" for number in range(occasions)
            for i, line in enumerate(person())]  # fmt: skip


def fourth_order_slopes(predictor, free, step=0.02):
    """Derivatives [measurement, parameter] by differences of fourth order of tight solves."""
    tight, steps = replace(predictor, tolerance=1e-11), step * np.eye(free.shape[1])[:, None]
    up, down, far_up, far_down = (tight.predictions(free + k * steps) for k in (1, -1, 2, -2))
    return ((8 * (up - down) - (far_up - far_down)) / (12 * step)).T


@pytest.mark.parametrize(
    ("rows", "header", "names", "varying"),
    [(person(), HEADER, NAMES, ()), (person(), HEADER, ("intrinsic_clearance_r", "racemic_nasal_f"), ()),
     (SPRAYED, HEADER, NAMES, ()), (reset_rows(3), HEADER + ",EVID", NAMES, (2, 0))],
)  # fmt: skip
def test_sensitivities_of_levels_are_exact(model, rows, header, names, varying):
    """Two parameters that share a factor, a share, one that changes nothing, and deviations in periods."""
    parameters = named_parameters(names, load_population(), model.parameters)
    predictor = Predictor(model, data_of(model, table(*rows, header=header)), parameters, varying)
    assert predictor.is_exact
    size = len(names) + 3 * len(varying)
    free = np.pad(predictor.typical, ((0, 0), (0, size - len(names)))) + 0.05 * np.arange(size)
    predicted, slopes = measured_sensitivities(predictor, free)
    np.testing.assert_array_equal(predicted, predictor.predictions(free[None])[0])
    expected = fourth_order_slopes(predictor, free)
    np.testing.assert_allclose(slopes, expected, atol=1e-5 * np.abs(expected).max())
    assert (slopes[:, 1] == 0).all() == (names[1] == "racemic_nasal_f")


INHIBITOR = "perturbation.cyp3a4_inhibition"
CHANGING = [f"{line},{0 if i < 3 else 0.9}" for i, line in enumerate(person())]


@pytest.mark.parametrize(
    ("rows", "header", "names", "observe"),
    [([DOSE.format("1"), "1,24,0,.,.,.,mood.madrs,20,0"], HEADER, NAMES, "mood.madrs"),
     (SPRAYED, HEADER, ("racemic_nasal_f", "central_volume"), UNIT),
     (CHANGING, f"{HEADER},{INHIBITOR}", ("central_volume",), UNIT)],
)  # fmt: skip
def test_other_sensitivities_are_central_differences(model, rows, header, names, observe):
    """Of ratings, by parameters that change doses, and where covariates change with time."""
    parameters = named_parameters(names, load_population(), model.parameters)
    predictor = Predictor(model, data_of(model, table(*rows, header=header), observe), parameters)
    assert not predictor.is_exact
    free = predictor.typical + 0.05
    expected = fourth_order_slopes(predictor, free)
    _, slopes = measured_sensitivities(predictor, free)
    np.testing.assert_allclose(slopes, expected, atol=2e-3 * np.abs(expected).max())


def test_the_mode_does_not_depend_on_how_derivatives_are_found(predictor, monkeypatch):
    errors, covariance = error_models(predictor.data), prior_covariance(predictor.parameters, load_population())
    found = [map_estimates(predictor, predictor.typical, covariance, errors)]
    monkeypatch.setitem(vars(predictor), "is_exact", False)
    found.append(map_estimates(predictor, predictor.typical, covariance, errors))
    assert (found[0].slopes != found[1].slopes).any()
    np.testing.assert_allclose(found[0].mode, found[1].mode, atol=1e-3 * found[1].sd.min())
    np.testing.assert_allclose(found[0].sd, found[1].sd, rtol=1e-3)


def test_the_mode_is_that_of_another_optimiser(predictor, model):
    errors = error_models(predictor.data)
    mean, covariance = predictor.typical, prior_covariance(predictor.parameters, load_population())
    found = map_estimates(predictor, mean, covariance, errors)
    assert found.converged.all()

    def cost(at):
        terms = likelihood_terms(predictor.data, errors, predictor.predictions(at[None, None])[0])[0]
        apart = at - mean[0]
        return -by_person(predictor.data, terms)[0] + 0.5 * apart @ np.linalg.solve(covariance, apart)

    other = minimize(cost, mean[0], method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-4, "maxiter": 600})
    assert -found.log_posterior[0] <= other.fun + 1e-3
    np.testing.assert_allclose(found.mode[0], other.x, atol=0.05)


def test_four_parameters_from_six_levels_within_a_second(predictor):
    errors, population = error_models(predictor.data), load_population()
    covariance = prior_covariance(predictor.parameters, population)
    durations = []
    for _ in range(5):
        begin = time.perf_counter()
        map_estimates(predictor, predictor.typical, covariance, errors)
        durations.append(time.perf_counter() - begin)
    assert min(durations) < 1.0


def test_precise_levels_give_the_true_parameters(model):
    names = NAMES[:3]
    data, known, true = simulated(model, 3, 5, medians=(1, 1, 1), error="proportional 0.01", names=names)
    made = fit(data, model, FitSettings(names, ("proportional 0.01",), group=False))
    shown = np.array([[float(one.shown(made.mode[i, j])) for j, one in enumerate(known)] for i in range(3)])
    np.testing.assert_allclose(shown, true, rtol=0.12)


def test_intervals_cover_the_true_parameters(model):
    data, known, true = simulated(model, 200, 11)
    made = fit(data, model, FitSettings(NAMES, ("proportional 0.15",), group=False))
    low, high = made.interval(0.9)
    free = np.array([[float(one.free(true[i, j] * one.factor)) for j, one in enumerate(known)] for i in range(200)])
    inside = (low <= free) & (free <= high)
    assert 0.84 < inside.mean() < 0.95  # 0.9 expected; SD of the mean of 800 is about 0.01
    assert inside.mean(axis=0).min() > 0.84
    assert (made.person_covariance[:, 0, 0] < 0.8 * made.covariance[0, 0]).all()


def test_an_interval_is_that_of_the_integrated_posterior(model):
    """Second method: one wide parameter on a grid. The normal approximation differs."""
    rows = [DOSE.format("1"), "1,0.3,0,.,.,.,venous.ketamine,90,0", "1,2,0,.,.,.,venous.ketamine,60,0"]
    made = fit(data_of(model, table(*rows)), model, FitSettings(("shallow_volume",), group=False))
    sd = np.sqrt(made.covariance[0, 0])
    grid = made.mean[0, 0] + np.linspace(-5, 5, 401) * sd
    terms = likelihood_terms(made.data, made.errors, made.predictor.predictions(grid[:, None, None]))[0].sum(axis=1)
    weight = np.exp(terms - terms.max() - 0.5 * ((grid - made.mean[0, 0]) / sd) ** 2)
    total = np.cumsum(weight) / weight.sum()
    low, high = made.interval(0.9)
    own = np.sqrt(made.person_covariance[0, 0, 0])
    np.testing.assert_allclose([low[0, 0], high[0, 0]], np.interp([0.05, 0.95], total, grid), atol=0.25 * own)
    assert np.std(made.drawn_persons(400, np.random.default_rng(1))) == pytest.approx(own, rel=0.3)


def test_values_below_the_limit_inform_the_fit(model):
    """Levels that are known to be low raise the clearance; leaving them out would not."""
    low = [DOSE.format("1"), "1,0.7,0,.,.,.,venous.ketamine,140,0"]
    censored = [*low, *(f"1,{hour},0,.,.,.,venous.ketamine,8,1" for hour in (3, 4, 6))]
    settings = FitSettings(("intrinsic_clearance_s",), group=False)
    without, with_limit = (fit(data_of(model, table(*rows)), model, settings) for rows in (low, censored))
    assert with_limit.mode[0, 0] > without.mode[0, 0] + 0.2


def test_parameters_without_information_keep_their_prior_with_a_note(model):
    rows = [DOSE.format("1"), "1,0.7,0,.,.,.,venous.ketamine,150,0"]
    made = fit(data_of(model, table(*rows)), model, FitSettings(("gut_ka", "intrinsic_clearance_s"), group=False))
    assert made.mode[0, 0] == pytest.approx(made.mean[0, 0], abs=1e-3)
    assert made.variance_reduction[0, 0] == pytest.approx(0, abs=1e-3)
    assert any("gut_ka: posterior and prior are nearly the same" in note for note in made.notes)
    assert any("cannot be identified from the measurements of ID 1" in note for note in made.notes)


def test_the_chosen_parameters_matter_and_dose_parameters_are_among_them(model):
    infused = fit(data_of(model, table(*person())), model, FitSettings(group=False))
    names = [one.name for one in infused.parameters]
    assert "pharmacokinetics.intrinsic_clearance_s" in names
    assert not any("nose" in name or "nasal" in name for name in names)
    clearance = infused.parameters[names.index("pharmacokinetics.intrinsic_clearance_s")]
    assert clearance.shared_factors[0][0] == "pharmacokinetics.intrinsic_clearance_r"
    sprayed = [line.replace("IV,0.6667", "nasal,.") for line in person()]
    nasal = fit(data_of(model, table(*sprayed)), model, FitSettings(group=False))
    assert "pharmacokinetics.racemic_nasal_f" in [one.name for one in nasal.parameters]
    share = next(one for one in nasal.parameters if one.name == "pharmacokinetics.racemic_nasal_f")
    assert share.is_share


def test_doses_follow_a_fitted_absorbed_share(model):
    rows = [DOSE.format("1").replace("IV,0.6667", "nasal,."), *person()[1:]]
    parameters = named_parameters(["racemic_nasal_f"], load_population(), model.parameters)
    predictor = Predictor(model, data_of(model, table(*rows)), parameters)
    one = parameters[0]
    free = np.array([0.3, 0.6]).reshape(2, 1, 1)
    low, high = predictor.predictions(one.free(free))
    assert (high > 1.3 * low).all()


def test_predictions_follow_covariates_that_change(model):
    """Also where doses depend on a fitted parameter; second method: the table solved as such."""
    inhibitor = "perturbation.cyp3a4_inhibition"
    rows = [DOSE.format("1").replace("IV,0.6667", "nasal,.") + ",0",
            *(f"{line},{0 if i < 3 else 0.95}" for i, line in enumerate(person()[1:]))]  # fmt: skip
    data = data_of(model, table(*rows, header=f"{HEADER},{inhibitor}"))
    solved = solve_table(data.table, model, ("venous.ketamine",))["venous.ketamine"].to_numpy()
    for name in ("central_volume", "racemic_nasal_f"):
        parameters = named_parameters([name], load_population(), model.parameters)
        parameters = tuple(replace(one, typical=model.parameters[one.name].canonical) for one in parameters)
        predictor = Predictor(model, data, parameters)
        both = predictor.predictions(np.repeat(predictor.typical[None], 2, axis=0))
        np.testing.assert_allclose(both, np.tile(solved * data.outputs[0].factor, (2, 1)), rtol=1e-4)
    clearance = "pharmacokinetics.intrinsic_clearance_s"
    changing = [f"{line},{200 + i}" for i, line in enumerate(person())]
    with pytest.raises(InputError, match="intrinsic_clearance_s is a column of the table"):
        fit(data_of(model, table(*changing, header=f"{HEADER},{clearance}")), model, FitSettings((clearance,)))


TRUE = ((0.4, 150), (0.7, 165), (1, 80), (2, 45), (4, 24))


@pytest.mark.parametrize(
    ("unit", "factor", "words"),
    [("ng/mL", 1 / 237.7, "is DV in umol/L?"), ("umol/L", 1.0, "is DV in ng/mL?"),
     ("ng/mL", 1e-3, "is DV in a unit 1000 times larger?")],
)  # fmt: skip
def test_a_person_who_fits_nothing_is_flagged_with_the_unit(model, unit, factor, words):
    rows = person(levels=[(time, value * factor) for time, value in TRUE])
    data = measurements_of(doses_in(table(*rows), "levels.csv", model.parameters), model, [f"venous.ketamine [{unit}]"])
    made = fit(data, model, FitSettings(group=False))
    flag = next(flag for flag in made.flags if "no probable parameters" in flag.text)
    assert words in flag.text


@pytest.mark.parametrize(
    ("levels", "is_flagged"),
    [([(1, "1e9"), (2, "1e9")], True), ([(1, "5000,-1"), (2, "5000,-1")], True), ([(1, "5,1"), (2, "2,1")], True),
     ([(1, "50,-1"), (2, "20,-1")], False), ([(1, "120,1"), (2, "80,1")], False), ([(24, "1,1"), (30, "1,1")], False)],
)  # fmt: skip
def test_censored_and_extreme_levels_that_no_parameters_explain_are_flagged(model, levels, is_flagged):
    rows = [DOSE.format("1"), *(f"1,{time},0,.,.,.,venous.ketamine,{value}{'' if ',' in value else ',0'}"
                                for time, value in levels)]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = fit(data_of(model, table(*rows)), model, FitSettings(("intrinsic_clearance_s",), group=False))
    assert np.isfinite(made.interval()).all()
    assert any("no probable parameters" in flag.text for flag in made.flags) == is_flagged


def test_times_in_minutes_do_not_suggest_another_unit(model):
    rows = person(levels=[(60 * time, value) for time, value in TRUE])
    made = fit(data_of(model, table(*rows)), model, FitSettings(group=False))
    flag = next(flag for flag in made.flags if "no probable parameters" in flag.text)
    assert "check doses, times and units" in flag.text
    assert "is DV in" not in flag.text


def test_wrong_names_give_the_right_one(model):
    data = data_of(model, table(*person()))
    with pytest.raises(UnknownNameError, match=r"nearest: pharmacokinetics\.central_volume"):
        fit(data, model, FitSettings(("central_volum",)))
    words = r"(?s)'clearance' does not name one parameter.*nearest: pharmacokinetics\.intrinsic_clearance_s"
    with pytest.raises(UnknownNameError, match=words) as caught:
        fit(data, model, FitSettings(("clearance",)))
    assert "memantine.clearance" in str(caught.value)
    with pytest.raises(InputError, match="has no spread"):
        fit(data, model, FitSettings(("reference_weight",)))
    with pytest.raises(InputError, match="nearest: proportional"):
        fit(data, model, FitSettings(errors=("proportionel 0.2",)))
    with pytest.raises(InputError, match="has no lowest and highest value"):
        fit(data, model, FitSettings(errors=("bounded 0.3",)))
    with pytest.raises(InputError, match="one person is not a group"):
        fit(data, model, FitSettings(group=True))
    rows = [line + ",70" for line in person()]
    weighed = data_of(model, table(*rows, header=HEADER + ",WT"))
    with pytest.raises(InputError, match=r"person.weight is a column of the table|has no spread"):
        fit(weighed, model, FitSettings(("person.weight",)))
