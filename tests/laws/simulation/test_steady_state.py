"""Starts at steady state: whatever is measured comes back after each round of doses and visits."""

from dataclasses import replace

import numpy as np
import pytest

from ketamech.core import InputError
from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.regimen import Regimen
from ketamech.engine import drug_free_steady_state, events, solve
from ketamech.engine.events import to_table
from ketamech.parameters import load_parameters
from ketamech.population.cohort import Cohort
from ketamech.simulation.ensemble import run_subjects
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.periodic_steady_state import carried_over, is_periodic, periodic_steady_state, repeated
from ketamech.simulation.simulate import subjects

VISITS = load_parameters()["expectancy.visit_gap"].canonical


@pytest.mark.parametrize(
    ("words", "length"),
    [
        ("esketamine 84 mg nasal twice weekly for 4 weeks at steady state", 168.0),
        ("racemic 50 mg oral daily for 4 weeks at steady state", 72.0),
        ("racemic 0.2 mg/kg IV every 36 h for 4 weeks at steady state", 72.0),
        ("racemic 20 mg IV at 30 h every 3 days for 4 weeks at steady state", 72.0),
    ],
)
def test_mood_comes_back_after_each_round(model, words, length):
    """Doses and hopes both repeat: two doses a week come back weekly, daily tablets with every visit that counts."""
    scenario = load_scenario(words, model.parameters)
    assert scenario.steady_state_cycle(model.parameters)[1] == length
    times = length * np.arange(4.0)
    found = Cohort(model, scenario, 6, ("mood.madrs", "plasma.s_norketamine"), times).solve_patients(range(6))
    assert (found["solve_status"] == "ok").all()
    for values in (found["mood.madrs"].values, found["plasma.s_norketamine"].values):
        assert values[:, 1:] == pytest.approx(np.repeat(values[:, :1], 3, axis=1), rel=1e-3)


def test_a_round_takes_every_dose():
    plan = Regimen.parse("racemic 50 mg oral daily for 2 weeks missing dose 1 at steady state")
    repeated, length = plan.steady_state_cycle(VISITS)
    given = dose_events(repeated, load_parameters(), {}, length)
    assert sorted({e.time for e in given if e.compartment.endswith("gut_s")}) == [0.0, 24.0, 48.0]
    assert [e.time for e in given if e.compartment == "expectancy.belief"] == [0.0]


def test_a_regimen_that_starts_at_rest_has_no_round():
    plan = Regimen.parse("racemic 0.5 mg/kg IV")
    assert plan.steady_state_cycle(VISITS) == (plan, 0.0)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("racemic 20 mg IV at day 3 every 12 h at steady state", "a first dose at 48 h"),
        ("esketamine 84 mg nasal at day 6 twice weekly for 4 weeks at steady state", "a first dose at 120 h"),
        ("racemic 20 mg IV daily at steady state; racemic 20 mg IM weekly at steady state", "another frequency"),
    ],
)
def test_a_start_that_no_round_reaches_is_refused(words, complaint):
    with pytest.raises(InputError, match=complaint):
        Regimen.parse(words).steady_state_cycle(VISITS)


def inputs_of(model, count):
    inputs = np.zeros((count, len(model.layout.inputs)))
    values = [model.parameters[name].canonical for name in model.layout.parameter_names]
    inputs[:, : len(values)] = values
    return inputs


def test_an_infusion_longer_than_its_cycle_adds_up_and_changes_no_neighbour(model):
    """80 h of infusion every 72 h: as if given for ever, and the neighbour's state has the same bits as alone."""
    state = model.layout.state_names.index("pharmacokinetics.central_s")
    short = events([(0.0, 1, state, 1.0), (2.0, 1, state, -1.0)])
    long = replace(short, time=np.array([0.0, 80.0]))
    inputs = inputs_of(model, 2)
    start, _ = drug_free_steady_state(model.kernel, inputs)
    both, steady = periodic_steady_state(model.kernel, start, inputs, to_table([long, short]), 72.0)
    alone, _ = periodic_steady_state(model.kernel, start[1:], inputs[1:], to_table([short]), 72.0)
    assert steady.all()
    assert (both[1] == alone[0]).all()
    many = [row for k in range(14) for row in ((72.0 * k, 1, state, 1.0), (72.0 * k + 80.0, 1, state, -1.0))]
    given = solve(model.kernel, start[:1], inputs[:1], [events(many)], np.array([0.0, 72.0 * 14]))
    place = model.layout.state_names.index("pharmacokinetics.central_r")
    assert both[0, state] == pytest.approx(given.final_state[0, state], rel=1e-3)
    assert both[0, place] == pytest.approx(given.final_state[0, place], rel=1e-3, abs=1e-12)


@pytest.mark.parametrize(("hours", "every"), [(24.0, 24.0), (0.7, 0.7), (30.0, 24.0)])
def test_an_infusion_that_never_ends_has_a_constant_level(model, hours, every):
    """The steady level of a constant infusion: rate over clearance, from the first hour on and hour after hour."""
    rate = 1.0  # mg/h
    words = f"esketamine {rate * hours:g} mg IV over {hours:g} h every {every:g} h for 3 days at steady state"
    scenario = load_scenario(words, model.parameters)
    treated = run_subjects(model, subjects(scenario, model)[:1], np.array([0.0, 1.0, 7.0, 24.0, 47.0]), tolerance=1e-8)
    level = treated["plasma.esketamine"].values[0]
    value = {name: row.canonical for name, row in model.parameters.items()}
    flow, own = value["pharmacokinetics.hepatic_flow"], value["pharmacokinetics.intrinsic_clearance_s"]
    micromoles = rate * 1e-6 / value["drug.ketamine_molar_mass"]
    if hours == every:
        assert level == pytest.approx(np.full(5, level[0]), rel=2e-4)
        assert level[0] == pytest.approx(micromoles / (flow * own / (flow + own)), rel=0.05)
    else:
        assert level[[0, 3]] == pytest.approx(np.full(2, level[0]), rel=2e-4)


def test_a_cycle_carries_over_what_is_not_over(model):
    """An infusion that runs 2.5 cycles: at each start two earlier ones still run."""
    cycle = to_table([events([(0.0, 1, 4, 3.0), (25.0, 1, 4, -3.0), (12.0, 0, 7, 1.0)])])
    after = carried_over(cycle, np.array([10.0]))
    assert after.time.tolist() == [0.0, 0.0, 2.0, 5.0, 15.0]
    assert after.size.tolist() == [3.0, 3.0, 1.0, -3.0, -3.0]
    assert not len(carried_over(cycle, np.array([0.0])).time)
    assert repeated(cycle, np.array([10.0])).time.tolist() == [0.0, 0.0, 0.0, 2.0, 5.0]


def test_changes_that_shrink_slowly_are_not_yet_periodic():
    """Changes that shrink by a ratio r add up to r / (1 - r) of the last one, which must stay below 1e-4."""
    ratio, change = np.array([0.9, 0.92, 0.95]), np.full(3, 9e-6)  # remaining change 8.1e-5, 1.04e-4, 1.7e-4
    assert is_periodic(change, change / ratio, 1e-6).tolist() == [True, False, False]
    assert is_periodic(np.array([0.9e-5, 1.1e-5]), np.full(2, np.inf), 1e-6).tolist() == [True, False]
