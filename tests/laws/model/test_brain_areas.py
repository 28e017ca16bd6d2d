"""Brain areas: readouts against the exact linear network, who gains and who loses, and what treatments reach."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.linalg import solve_continuous_lyapunov

from ketamech import simulate
from ketamech.model.stages.brain_network import AREAS, DEFAULT_MODE
from ketamech.parameters import load_brain_areas
from ketamech.parameters.connectome import coupling_name
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.output_times import output_times

INFUSION = "racemic 0.5 mg/kg IV over 40 min"
READOUTS = {
    "brain_network.default_mode": list(combinations(DEFAULT_MODE, 2)),
    "brain_network.insula_default_mode": [("insula", other) for other in DEFAULT_MODE],
    "brain_network.subgenual_default_mode": [("subgenual_cingulate", other) for other in DEFAULT_MODE],
    "brain_network.salience": [("insula", "dorsal_cingulate")],
    "brain_network.prefrontal_connectivity": [
        (one, other) for one in ("dorsolateral_prefrontal", "medial_prefrontal") for other in AREAS if other != one
    ],
}


@pytest.fixture(scope="module")
def infused(model):
    return simulate(INFUSION, model=model)


def resting(model, **values):
    course = Subject("rest", (), {name.replace("__", "."): value for name, value in values.items()})
    return run_subjects(model, [course], output_times(24.0)).isel(patient=0, time=0)


def at(curves, name, hours):
    return float(np.interp(hours, curves.time.values, curves[name].values[0]))


def couplings(table):
    weights = np.zeros((len(AREAS), len(AREAS)))
    for i, j in combinations(range(len(AREAS)), 2):
        weights[i, j] = weights[j, i] = table[coupling_name(AREAS[i], AREAS[j])].canonical
    return table["brain_network.global_coupling"].canonical * weights


def exact(weights, active, pairs):
    """Mean correlation of pairs in dx = (-1 + a W a) x dt + noise, by the Lyapunov equation."""
    dynamics = weights * np.outer(active, active) - np.eye(len(active))
    assert np.linalg.eigvalsh(dynamics).max() < 0
    covariance = solve_continuous_lyapunov(dynamics, -np.eye(len(active)))
    size = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(size, size)
    return np.mean([correlation[AREAS.index(one), AREAS.index(other)] for one, other in pairs])


def test_the_stage_and_the_table_name_the_same_areas():
    assert tuple(area.area for area in load_brain_areas()) == AREAS


def test_couplings_are_symmetric_not_negative_and_far_from_instability(model):
    weights = couplings(model.parameters)
    assert (weights >= 0).all()
    assert (weights > 0).sum() / 2 >= 40
    assert np.linalg.eigvalsh(weights).max() == pytest.approx(0.37, abs=0.02)


@pytest.mark.parametrize("name", READOUTS)
def test_readouts_follow_the_exact_solution_of_the_linear_network(model, infused, name):
    """Two steps over couplings against the full solve, as a share of the healthy value: days closer than the peak."""
    weights, healthy = couplings(model.parameters), np.ones(len(AREAS))
    usual = exact(weights, healthy, READOUTS[name])
    for hour, close in ((0.0, 0.012), (0.667, 0.035), (24.0, 0.012), (72.0, 0.012), (336.0, 0.012)):
        active = np.array([at(infused, f"brain_network.{area}_activity", hour) for area in AREAS])
        assert at(infused, name, hour) == pytest.approx(exact(weights, active, READOUTS[name]) / usual, abs=close)


def test_weaker_couplings_make_the_second_order_exact(model):
    """Halving the couplings takes away more than two thirds of the relative error: the third order is missing."""
    active = np.linspace(0.8, 1.2, len(AREAS))

    def error(scale):
        weights = scale * couplings(model.parameters)
        effective = weights * np.outer(active, active)
        pairs = READOUTS["brain_network.insula_default_mode"]
        cut = effective + effective @ effective
        short = np.mean([cut[AREAS.index(one), AREAS.index(other)] for one, other in pairs])
        return abs(short / exact(weights, active, pairs) - 1)

    assert error(0.25) < 0.3 * error(0.5) < 0.3 * error(1.0)


def test_stress_takes_from_cortex_and_hippocampus_and_gives_to_amygdala_and_accumbens(model):
    ill, well = resting(model), resting(model, person__stress=0.0)
    for area in ("dorsolateral_prefrontal", "medial_prefrontal", "dorsal_cingulate", "hippocampus"):
        assert float(ill[f"brain_network.{area}_strength"]) < 0.95 < float(well[f"brain_network.{area}_strength"])
    for area in ("amygdala", "accumbens"):
        assert float(ill[f"brain_network.{area}_strength"]) > 1.02
    for area in AREAS:
        assert float(well[f"brain_network.{area}_activity"]) == pytest.approx(1.0, abs=0.03)
    for name in READOUTS:
        assert float(well[name]) == pytest.approx(1.0, abs=0.03)


def test_days_after_an_infusion_areas_have_moved_towards_the_healthy(infused):
    for area in ("medial_prefrontal", "hippocampus", "subgenual_cingulate", "amygdala"):
        before, after = (at(infused, f"brain_network.{area}_activity", hour) for hour in (0.0, 48.0))
        assert abs(after - 1) < abs(before - 1)
        assert (after - before) * (1 - before) > 0


def test_a_silent_habenula_frees_the_accumbens_within_hours(model, infused):
    assert (
        at(infused, "brain_network.accumbens_activity", 4.0)
        > at(infused, "brain_network.accumbens_activity", 0.0) + 0.05
    )
    deaf = simulate(replace(load_scenario(INFUSION), values={"pathway.habenula": 0.0}), model=model)
    assert at(deaf, "brain_network.accumbens_activity", 4.0) == pytest.approx(
        at(deaf, "brain_network.accumbens_activity", 0.0), abs=0.02
    )


def test_magnetic_stimulation_reaches_areas_by_coupling_and_seizures_reach_all(model):
    tms = simulate("TMS 5 times a week for 6 weeks", model=model)
    gain = {
        area: at(tms, f"brain_network.{area}_strength", 1008.0) - at(tms, f"brain_network.{area}_strength", 0.0)
        for area in AREAS
        if area != "habenula"
    }
    assert max(gain, key=gain.get) == "dorsolateral_prefrontal"
    assert gain["medial_prefrontal"] > 3 * gain["hippocampus"] > 0
    ect = simulate("ECT twice weekly for 4 weeks", model=model)
    for area in gain:
        assert at(ect, f"brain_network.{area}_strength", 672.0) > at(ect, f"brain_network.{area}_strength", 0.0) + 0.01


def test_thought_turns_after_mood(infused):
    """Beliefs within hours, rumination over days, each away from the ill side."""
    assert at(infused, "cognition.belief_updating", 0.667) < 1 < at(infused, "cognition.belief_updating", 4.0)
    rumination = infused["cognition.rumination"].values[0]
    assert rumination.min() < 0.95
    assert infused.time.values[rumination.argmin()] > infused.time.values[infused["mood.madrs"].values[0].argmin()]


def test_an_area_without_couplings_is_on_its_own(model):
    """Nothing restrains the subgenual cingulate and nothing excites it: what is left is its own synapses."""
    area = "subgenual_cingulate"
    cut = {coupling_name(area, other): 0.0 for other in AREAS if other != area}
    alone = run_subjects(model, [Subject("alone", (), cut)], output_times(24.0)).isel(patient=0, time=0)
    assert float(alone[f"brain_network.{area}_coupling"]) == 0.0
    assert float(alone[f"brain_network.{area}_tone"]) == pytest.approx(float(alone[f"brain_network.{area}_strength"]))
    assert float(resting(model)[f"brain_network.{area}_tone"]) > float(alone[f"brain_network.{area}_tone"]) + 0.1
