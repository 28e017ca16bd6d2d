"""Patients solved together: nobody depends on who else is there, and pieces give the whole."""

from dataclasses import replace

import numpy as np
import pytest

from ketamech.core import InputError, UnknownNameError
from ketamech.dosing.dose_events import DoseEvent
from ketamech.population.cohort import Cohort
from ketamech.simulation.ensemble import Ensemble, Subject, event_table
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.simulate import subjects

TIMES = np.array([0.0, 1.0, 24.0, 100.0])
OUTPUTS = ("mood.madrs", "plasma.esketamine", "expectancy.belief")
SENTENCES = (
    "racemic 0.5 mg/kg IV over 40 min",
    "racemic 0.5 mg/kg IV over 40 min with NBQX at -30 min",
    "racemic 50 mg oral daily for 4 weeks at steady state",
    "esketamine 24 mg IV over 24 h every 24 h for 4 weeks at steady state",
    "racemic 0.2 mg/kg IV every 36 h for 4 weeks at steady state",
)


@pytest.fixture(scope="module")
def treated(model):
    return [subjects(load_scenario(sentence, model.parameters), model)[0] for sentence in SENTENCES]


def test_no_patient_depends_on_the_others(model, treated):
    """Early events, cycles of different lengths and drug-free starts in one batch: the bits of each alone."""
    together = Ensemble.of_subjects(model, treated).solve(TIMES, OUTPUTS, threads=2)
    assert list(together.reasons) == ["ok"] * len(treated)
    for i, subject in enumerate(treated):
        alone = Ensemble.of_subjects(model, [subject]).solve(TIMES, OUTPUTS)
        assert np.array_equal(together.values[i], alone.values[0]), subject
        assert np.array_equal(together.baseline[i], alone.baseline[0])


def test_times_may_differ_between_patients(model, treated):
    several = np.stack([TIMES, TIMES + 1.0])
    found = Ensemble.of_subjects(model, treated[:2]).solve(several, OUTPUTS)
    usual = Ensemble.of_subjects(model, treated[:2]).solve(TIMES, OUTPUTS)
    assert found.of("mood.madrs")[0] == pytest.approx(usual.of("mood.madrs")[0], rel=1e-4)


def test_what_is_given_on_the_way_is_what_is_given_at_once(model):
    first, second = (
        DoseEvent(0.0, "pharmacokinetics.central_s", 70.0, 0.5),
        DoseEvent(24.0, "pharmacokinetics.central_s", 35.0),
    )
    whole = Ensemble.of(model, {}, [first, second], 2).solve(np.array([1.0, 20.0, 30.0]), OUTPUTS, tolerance=1e-8)
    moving = Ensemble.of(model, {}, [first], 2).start(tolerance=1e-8)
    early = moving.advance(np.array([1.0, 20.0]), OUTPUTS)
    moving.add_events([second], np.full(2, 20.0))
    late = moving.advance(np.array([30.0]), OUTPUTS)
    assert np.hstack([early.values[:, :, 1], late.values[:, :, 1]]) == pytest.approx(whole.values[:, :, 1], rel=1e-5)


def test_one_list_of_events_may_be_a_bolus_for_one_and_an_infusion_for_another(model):
    duration = np.array([0.0, 2.0])
    both = Ensemble.of(model, {}, [DoseEvent(0.0, "pharmacokinetics.central_s", 70.0, duration)], 2)
    found = both.solve(TIMES, OUTPUTS)
    for i, own in enumerate(duration):
        alone = Ensemble.of(model, {}, [DoseEvent(0.0, "pharmacokinetics.central_s", 70.0, own)], 1)
        assert np.array_equal(found.values[i], alone.solve(TIMES, OUTPUTS).values[0])


def test_doses_that_are_the_same_for_all_are_the_table_of_doses_of_each(model):
    """Doses of one number for all are put in order once; the table is that of numbers for each patient."""
    given = ((30.0, 5.0, 1.5), (2.0, 7.0, 0.0), (2.0, 0.0, 0.0), (2.0, 3.0, 0.0))  # time, amount, duration
    doses = [DoseEvent(time, "pharmacokinetics.central_s", amount, duration) for time, amount, duration in given]
    each = [replace(dose, amount=np.full(3, dose.amount)) for dose in doses]
    one, many = (event_table(model, entries, 3) for entries in (doses, each))
    assert one.first.tolist() == [0, 4, 8, 12]
    for name in ("first", "time", "kind", "state", "size"):
        found, expected = getattr(one, name), getattr(many, name)
        assert np.array_equal(found, expected)
        assert found.dtype == expected.dtype


def test_overlapping_infusions_add_up(model):
    """A loading infusion within a maintenance infusion: the curves of the same rates one after another."""
    times = np.array([0.25, 0.5, 1.0, 9.0, 12.0])
    words = "racemic 10 mg IV over 30 min; racemic 40 mg IV over 10 h"
    parts = "racemic 12 mg IV over 30 min; racemic 38 mg IV over 9.5 h at 30 min"
    found, split = (
        Ensemble.of_subjects(model, subjects(load_scenario(text, model.parameters), model)[:1]).solve(
            times, ("plasma.esketamine",), tolerance=1e-9
        )
        for text in (words, parts)
    )
    assert found.values == pytest.approx(split.values, rel=1e-6)


def test_what_is_not_there_is_named(model):
    with pytest.raises(UnknownNameError, match=r"person\.wheight"):
        Ensemble.of(model, {"person.wheight": 70.0}, (), 1)
    with pytest.raises(UnknownNameError, match="no state"):
        Ensemble.of(model, {}, [DoseEvent(0.0, "pharmacokinetics.central_x", 1.0)], 1)


def test_nothing_comes_before_a_steady_state(model):
    early, dose = DoseEvent(-1.0, "tool_compounds.nbqx", 1.0), DoseEvent(0.0, "pharmacokinetics.central_s", 1.0)
    with pytest.raises(InputError, match="before 0 h"):
        Ensemble.of_subjects(model, [Subject("one", (early,), {}, (dose,), 24.0)])
    with pytest.raises(InputError, match="before 0 h"):
        Ensemble.of_subjects(model, [Subject("one", (), {}, (dose,), 24.0)]).solve(np.array([-1.0, 2.0]))


def test_one_without_a_start_is_missing_with_a_reason_and_no_other(model, monkeypatch):
    from ketamech.simulation import ensemble

    settle = ensemble.drug_free_steady_state

    def second_never_rests(kernel, inputs, **how):
        start, rested = settle(kernel, inputs, **how)
        rested[1] = False
        return start, rested

    monkeypatch.setattr(ensemble, "drug_free_steady_state", second_never_rests)
    found = Ensemble.of(model, {}, (), 3).solve(TIMES, OUTPUTS)
    assert list(found.reasons) == ["ok", "no rest state", "ok"]
    assert np.isnan(found.values[1]).all()
    assert np.isnan(found.baseline[1]).all()
    assert np.isfinite(found.values[[0, 2]]).all()


@pytest.mark.parametrize("sentence", [*SENTENCES, "racemic 10 mg/kg IP"])
def test_a_cohort_has_the_same_bits_in_any_chunks_and_threads(model, sentence):
    species = "rat" if "IP" in sentence else "human"
    scenario = load_scenario(sentence, model.parameters, species=species)
    outputs = ("forced_swim.immobility", "plasma.esketamine") if species == "rat" else OUTPUTS
    whole = Cohort(model, scenario, 7, outputs, TIMES, threads=2)
    parts = list(Cohort(model, scenario, 7, outputs, TIMES, threads=1, chunk=3).chunks())
    found = whole.solve_patients(range(7))
    for name in outputs:
        assert np.array_equal(found[name].values, np.concatenate([part[name].values for part in parts]))


def test_an_event_at_a_stop_acts_once(model):
    """An integration that stops at the time of a dose, and is given new events there, equals one without a stop."""
    name = "tool_compounds.nbqx"
    patients = Ensemble.of(model, {}, [DoseEvent(1.0, name, 2.0)], 1)
    whole = patients.solve(np.array([1.0, 2.0]), (name,)).of(name)
    integration = patients.start()
    assert integration.advance(np.array([1.0]), (name,)).of(name)[0, 0] == pytest.approx(whole[0, 0])
    integration.add_events([], np.array([1.0]))
    assert integration.advance(np.array([2.0]), (name,)).of(name)[0, 0] == pytest.approx(whole[0, 1], rel=1e-4)
