"""Sensitivities: closed forms, central differences of tight solves, and refusals where there is no derivative."""

import numpy as np
import pytest

from ketamech.core import InputError, UnknownNameError
from ketamech.dosing.dose_events import DoseEvent
from ketamech.engine.solve import TOLERANCE
from ketamech.simulation.ensemble import Ensemble, Subject
from ketamech.simulation.forward_sensitivities import scenario_sensitivities, sensitivities
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import load_model
from ketamech.simulation.simulate import ensemble_of_scenario
from toy_models import TABLE, kinetics

TIMES = np.array([0.5, 1.0, 4.0, 12.0, 23.0])
TIGHT = 1e-11
STEP = 1e-3  # of a parameter, in differences of fourth order
OUTPUTS = (
    "plasma.esketamine",
    "plasma.s_norketamine",
    "mood.madrs",
    "dissociation.cadss",
    "haemodynamics.systolic_rise",
)
PARAMETERS = (
    "pharmacokinetics.central_volume",
    "pharmacokinetics.intrinsic_clearance_s",
    "pharmacokinetics.swallowed_duration",
    "pharmacokinetics.nasal_f_first",
    "pharmacokinetics.spray_interval",
    "mood.rate_constant",
    "mood.self_maintenance_steepness",
    "dissociation.cadss_steepness",
    "haemodynamics.sympathetic_ec50",
    "nmda.unbinding_rate",
    "person.baseline_madrs",
    "person.weight",
)
SCENARIOS = {
    "racemic 0.5 mg/kg IV over 40 min": [0.25, 0.5, 1.0, 4.0, 24.0, 72.0],
    "esketamine 84 mg nasal twice weekly for 4 weeks": [0.3, 1.5, 24.0, 97.0, 168.0],
    "esketamine 84 mg nasal twice weekly for 4 weeks at steady state": [0.0, 0.3, 1.5, 24.0, 168.0],
}


@pytest.fixture(scope="module")
def toy():
    return load_model(TABLE, [kinetics])


def bolus(model, values, size, *, dose=20.0, time=0.0, length=0.0):
    events = [DoseEvent(time, "kinetics.central", dose)]
    if not length:
        return Ensemble.of(model, values, events, size)
    return Ensemble.of(model, values, events, size, cycle=events, length=length)


def one_compartment(model, size=1, **changed):
    """Without the second compartment, A(t) = D exp(-CL / V t)."""
    return bolus(model, {"toy.exchange": 0.0}, size, **changed)


def test_a_bolus_has_its_closed_form(toy):
    found, slopes = sensitivities(
        one_compartment(toy), ["toy.clearance", "toy.volume"], TIMES, ["kinetics.central", "kinetics.concentration"],
        tolerance=TIGHT,
    )  # fmt: skip
    clearance, volume = (TABLE[name].canonical for name in ("toy.clearance", "toy.volume"))
    amount = 20.0 * np.exp(-clearance / volume * TIMES)
    assert found.of("kinetics.central")[0] == pytest.approx(amount, rel=1e-9)
    by_rate = -TIMES * amount  # d A / d k
    assert slopes[0, :, 0, 0] == pytest.approx(by_rate / volume, rel=1e-8)
    assert slopes[0, :, 0, 1] == pytest.approx(-by_rate * clearance / volume**2, rel=1e-8)
    expected = -by_rate * clearance / volume**3 - amount / volume**2
    assert slopes[0, :, 1, 1] == pytest.approx(expected, rel=1e-8, abs=1e-12)


def test_a_parameter_that_changes_has_its_closed_form(toy):
    """Clearance doubles at 4 h and a second dose is given then; another patient has no change, and a third has two."""
    given = (DoseEvent(0.0, "kinetics.central", 20.0), DoseEvent(4.0, "kinetics.central", 20.0))
    rate = TABLE["toy.clearance"].canonical / TABLE["toy.volume"].canonical
    alone, usual = {"toy.exchange": 0.0}, TABLE["toy.clearance"].canonical
    changes = [
        ((4.0, {"toy.clearance": 2 * usual}),),
        (),
        ((1.0, {"toy.clearance": 0.0}), (4.0, {"toy.clearance": usual})),
    ]
    ensemble = Ensemble.of_subjects(toy, [Subject(str(i), given, alone, changes=own) for i, own in enumerate(changes)])
    exposures = np.array([[np.interp(TIMES, [0, 4, 99], [0, 4 * rate, 194 * rate]), TIMES * rate,
                           np.interp(TIMES, [0, 1, 4, 99], [0, rate, rate, 96 * rate])]])[0]  # fmt: skip
    at_four = np.array([4.0, 4.0, 1.0])[:, None] * rate
    expected = 20 * np.exp(-exposures) + 20 * np.exp(-(exposures - at_four)) * (TIMES >= 4)
    found = ensemble.solve(TIMES, ["kinetics.central"], tolerance=TIGHT)
    np.testing.assert_allclose(found.values[:, :, 0], expected, rtol=1e-8, atol=1e-10)
    tiled = ensemble.tiled(2, {}).solve(TIMES, ["kinetics.central"], tolerance=TIGHT)
    np.testing.assert_array_equal(tiled.values, np.concatenate([found.values, found.values]))


def test_a_periodic_steady_state_has_its_closed_form(toy):
    """A(t) = D exp(-k t) / (1 - exp(-k T)) at steady state, with a half-life longer than the cycle."""
    length, parameters = 24.0, ["toy.clearance", "toy.volume"]
    clearance, volume = 0.4, TABLE["toy.volume"].canonical
    values = {"toy.exchange": 0.0, "toy.clearance": clearance}
    ensemble = bolus(toy, values, 1, length=length)
    found, slopes = sensitivities(ensemble, parameters, TIMES, ["kinetics.central"], tolerance=1e-10)
    k = clearance / volume
    left = np.exp(-k * length)
    amount = 20.0 * np.exp(-k * TIMES) / (1 - left)
    by_rate = amount * (-TIMES - length * left / (1 - left))
    assert found.of("kinetics.central")[0] == pytest.approx(amount, rel=1e-4)
    assert slopes[0, :, 0, 0] == pytest.approx(by_rate / volume, rel=1e-4)
    assert slopes[0, :, 0, 1] == pytest.approx(-by_rate * clearance / volume**2, rel=1e-4)


def test_amounts_and_times_of_doses_may_depend_on_parameters(toy):
    """A dose of `width` umol after a lag of `turnover` h: two parameters that act in no equation of this model."""
    table = {**TABLE}

    def build(values, size):
        dose, lag = (values.get(name, table[name].canonical) for name in ("toy.width", "toy.turnover"))
        return one_compartment(toy, size, dose=dose, time=lag)

    _, slopes = sensitivities(
        build({}, 2), ["toy.width", "toy.turnover"], TIMES, ["kinetics.central"], build=build, tolerance=TIGHT
    )
    k = TABLE["toy.clearance"].canonical / TABLE["toy.volume"].canonical
    share = np.exp(-k * (TIMES - TABLE["toy.turnover"].canonical))
    for patient in slopes:
        assert patient[:, 0, 0] == pytest.approx(share, rel=1e-7)
        assert patient[:, 0, 1] == pytest.approx(k * TABLE["toy.width"].canonical * share, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("length", [0.0, 24.0])
def test_derivatives_along_directions_are_sums_of_those_by_parameters(toy, length):
    """Of a dose, a time and a clearance that change together, at different rates in two patients."""
    names = ["toy.clearance", "toy.width", "toy.turnover"]

    def build(values, size):
        dose, lag = (values.get(name, TABLE[name].canonical) for name in names[1:])
        usual = {"toy.exchange": 0.0, "toy.clearance": np.full(size, 0.4)}
        own = {name: value for name, value in values.items() if name == names[0]}
        return bolus(toy, {**usual, **own}, size, dose=dose, time=lag, length=length)

    along = np.random.default_rng(1).standard_normal((2, 4, 3))
    how = {"outputs": ["kinetics.central"], "build": build, "tolerance": TIGHT}
    curves, slopes = sensitivities(build({}, 2), names, TIMES, **how)
    same, found = sensitivities(build({}, 2), names, TIMES, along=along, **how)
    assert found.shape == (2, len(TIMES), 1, 4)
    np.testing.assert_array_equal(same.values, curves.values)
    expected = np.einsum("ptoi,pdi->ptod", slopes, along)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_where_there_is_no_derivative_it_is_refused(toy):
    def changing(values, size):
        dose = values.get("toy.width", np.array(0.1))
        return one_compartment(toy, size, dose=np.where(dose < 0.1, 0.0, dose))

    def parting(values, size):
        events = [DoseEvent(1.0, "kinetics.central", 1.0)]
        events.append(DoseEvent(values.get("toy.width", 0.1) * 10.0, "kinetics.other", 1.0))
        return Ensemble.of(toy, {}, events, size)

    def leaving(values, size):
        return bolus(toy, {}, size, time=values.get("toy.width", np.full(size, 0.1)) - 0.1, length=24.0)

    refused = {
        "the number or the kind of dose events": changing,
        "two dose events at 1 h": parting,
        "events before 0 h of patients who start at steady": leaving,
    }
    for words, build in refused.items():
        with pytest.raises(InputError, match=words):
            sensitivities(build({}, 1), ["toy.width"], TIMES, build=build)
    with pytest.raises(InputError, match=r"'toy\.width' acts in no equation"):
        sensitivities(one_compartment(toy), ["toy.width"], TIMES)
    with pytest.raises(UnknownNameError, match=r"there is no parameter 'toy\.clearence'"):
        sensitivities(one_compartment(toy), ["toy.clearence"], TIMES)
    with pytest.raises(InputError, match="is given twice"):
        sensitivities(one_compartment(toy), ["toy.volume", "toy.volume"], TIMES)
    subject = Subject("x", (DoseEvent(0.0, "kinetics.central", 20.0),), changes=((4.0, {"toy.volume": 9.0}),))
    with pytest.raises(InputError, match="parameters that change with time"):
        sensitivities(Ensemble.of_subjects(toy, [subject]), ["toy.clearance"], TIMES)
    with pytest.raises(InputError, match="output times before 0 h of patients at steady state"):
        sensitivities(one_compartment(toy, length=24.0), ["toy.volume"], np.array([-1.0, 2.0]))


def test_a_failed_patient_has_no_derivatives_and_the_reason_of_the_ensemble(toy):
    values = {"toy.exchange": 0.0, "toy.volume": np.array([20.0, np.nan, 20.0])}
    ensemble = bolus(toy, values, 3)
    found, slopes = sensitivities(ensemble, ["toy.clearance"], TIMES, ["kinetics.central"])
    usual = ensemble.solve(TIMES, ["kinetics.central"])
    assert list(found.reasons) == list(usual.reasons)
    assert np.isnan(slopes[1]).all()
    assert np.isfinite(slopes[[0, 2]]).all()
    assert (slopes[0] == slopes[2]).all()
    assert np.array_equal(found.values, usual.values, equal_nan=True)


@pytest.mark.parametrize(
    ("words", "outputs", "tolerance"),
    [*((words, OUTPUTS, TOLERANCE) for words in SCENARIOS), (list(SCENARIOS)[1], OUTPUTS[:2], 1e-8)],
)
def test_derivatives_of_the_model_agree_with_central_differences(model, words, outputs, tolerance):
    """Kinetic, effect and baseline parameters and body weight, at the usual tolerance: 1e-5 of each output's scale.

    The code of levels alone is that of linear equations; its steps are longer, so that its tolerance is smaller here.
    """
    names = [name for name in PARAMETERS if outputs is OUTPUTS or name.startswith(("pharmacokinetics.", "person.w"))]
    scenario, times = load_scenario(words, model.parameters), np.array(SCENARIOS[words])
    until = max(float(times[-1]) + 1.0, scenario.horizon)
    curves, slopes = scenario_sensitivities(model, scenario, names, times, outputs, tolerance=tolerance)
    usual = ensemble_of_scenario(model, scenario, {}, 1, until).solve(times, outputs, tolerance=tolerance)
    assert all((curves[name].values == usual.of(name)).all() for name in outputs)
    base = np.array([scenario.values.get(name, model.default_values[name]) for name in names])
    moved = np.array([1 + STEP, 1 - STEP, 1 + 2 * STEP, 1 - 2 * STEP])
    rows = np.tile(base, (len(base), 4, 1))
    rows[np.arange(len(base)), :, np.arange(len(base))] *= moved
    values = {name: rows[..., k].ravel() for k, name in enumerate(names)}
    exact = ensemble_of_scenario(model, scenario, values, rows[..., 0].size, until).solve(
        times, outputs, tolerance=TIGHT
    )
    up, down, far_up, far_down = exact.values.reshape(len(base), 4, len(times), len(outputs)).swapaxes(0, 1)
    expected = (8 * (up - down) - (far_up - far_down)) / (12 * STEP)  # times the parameter
    for i, name in enumerate(outputs):
        scale = np.abs(curves[name].values).max()
        found = slopes[name].values[0].T * base[:, None]
        assert np.abs(found - expected[:, :, i]).max() < 1e-5 * scale, name
    assert np.abs(expected).max(axis=(1, 2)).min() > 0 or "IV" in words  # a spray acts through every parameter
    assert slopes[outputs[0]].dims == ("patient", "time", "parameter")
    assert slopes.unit.sel(parameter="person.weight") == "kg"


@pytest.mark.parametrize("words", [*SCENARIOS][:2])
def test_derivatives_of_few_outputs_have_the_bits_of_those_of_all(model, words):
    """Code for what the outputs read and what the doses move; sprays have moving dose times."""
    levels = [name for name in model.layout.output_names if name.startswith(("plasma.", "venous."))]
    names = [name for name in PARAMETERS if name.startswith(("pharmacokinetics.", "person.w"))]
    scenario, times = load_scenario(words, model.parameters), np.array(SCENARIOS[words])
    for output in ("venous.ketamine", "plasma.s_norketamine"):
        (_, few), (_, all_of_them) = (
            scenario_sensitivities(model, scenario, names, times, outputs) for outputs in ([output], levels)
        )
        np.testing.assert_array_equal(few[output].values, all_of_them[output].values)
        assert np.abs(few[output].values).max(axis=(0, 1)).min() > 0 or "IV" in words


def test_a_level_after_an_infusion_has_derivatives_of_few_states(model):
    kernel = model.kernel_for(["venous.ketamine"])
    infused = frozenset(model.layout.output_index[f"pharmacokinetics.central_{form}"] for form in "sr")
    slice_, states = kernel.fitting_slices("cpu", infused)[0], len(model.layout.states)

    def counted(outputs, level=0.0):
        levels = np.full((1, states), level)
        active = kernel._active(slice_, outputs, infused, lambda resting: levels[:, list(resting)].any(axis=1))
        return active and sum(i < states for i in active)

    assert counted(["venous.ketamine"]) == 12
    assert counted(["venous.ketamine"], 1.0) == 28  # depots of other routes too
    assert counted(["venous.norketamine"]) == 20
    assert counted(["venous.norketamine"], 1.0) is None  # 36 of 46: code of all
    assert counted(None) is None
