"""Slices of the shipped model: the bits of the whole model with the same outputs, for every example and any outputs."""

from pathlib import Path

import numpy as np
import pytest

from ketamech.engine import Kernel
from ketamech.engine.solve import TOLERANCE
from ketamech.model.rates_and_jacobian import sparse_jacobian
from ketamech.simulation.ensemble import Ensemble
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import scope_of
from ketamech.simulation.simulate import subjects
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial

EXAMPLES = sorted(Path("examples").glob("*.yaml"))
SENTENCES = (
    "esketamine 84 mg nasal twice weekly for 4 weeks",
    "racemic 50 mg oral daily for 4 weeks at steady state",
    "racemic 0.5 mg/kg IV over 40 min with NBQX at -30 min",
)
OUTPUTS = ("mood.madrs", "dissociation.cadss", "haemodynamics.systolic_rise", "plasma.esketamine")
WEEK = np.array([0.0, 0.7, 2.0, 24.0, 168.0])


@pytest.fixture(scope="module")
def compiled(model):
    """The model with the code of all slices."""
    for scope in model.scopes:
        model.kernel.within(scope).compile_slices(patients=1)
    return model


def ensemble(model, source):
    scenario = load_scenario(source, model.parameters)
    return Ensemble.of_subjects(model, subjects(scenario, model))


def by_the_whole(monkeypatch, act):
    with monkeypatch.context() as patch:
        patch.setattr(Kernel, "fitting_slices", lambda kernel, device, receivers: [])
        return act()


def codes_used(monkeypatch):
    """Sizes (states) of the code of each run."""
    used, choose = [], Kernel.code_for_run

    def noted(kernel, *arguments, **options):
        found = choose(kernel, *arguments, **options)
        used.append(len(found.layout.states))
        return found

    monkeypatch.setattr(Kernel, "code_for_run", noted)
    return used


@pytest.mark.parametrize("source", [*EXAMPLES, *SENTENCES], ids=lambda source: getattr(source, "stem", source))
def test_every_example_has_the_same_bits_by_a_slice_and_by_the_whole_model(compiled, source, monkeypatch):
    patients = ensemble(compiled, source)
    used = codes_used(monkeypatch)
    found = patients.solve(WEEK, OUTPUTS, tolerance=1e-4)
    whole = by_the_whole(monkeypatch, lambda: patients.solve(WEEK, OUTPUTS, tolerance=1e-4))
    assert np.array_equal(found.values, whole.values)
    assert np.array_equal(found.steps, whole.steps)
    assert np.array_equal(found.baseline, whole.baseline)
    if source in SENTENCES[:2]:
        assert used[0] < 120


def test_random_outputs_have_the_numbers_of_the_whole_model(compiled):
    """A scope takes other steps than the whole model: the tolerance of the solver."""
    chance, known = np.random.default_rng(3), compiled.layout.output_names
    patients = ensemble(compiled, "racemic 0.5 mg/kg IV over 40 min")
    whole = patients.solve(WEEK, tolerance=TOLERANCE)
    seen = set()
    for scope in (*compiled.scopes, None):
        pool = sorted(scope.output_names) if scope else known
        for size in (1, 3, 8):
            names = tuple(str(name) for name in chance.choice(pool, size, replace=False))
            names += () if scope else ("pain.score",)  # of no scope
            chosen = scope_of(compiled.scopes, names)
            seen.add(chosen and chosen.name)
            found = patients.solve(WEEK, names, tolerance=TOLERANCE)
            for name in names:
                sizes = np.abs(whole.of(name)).max()
                assert found.of(name) == pytest.approx(whole.of(name), rel=1e-4, abs=1e-5 * max(sizes, 1e-3)), name
    assert seen == {"levels", "depression", None}


def test_scopes_hold_each_other_and_all_that_they_read(model):
    levels, depression = model.scopes
    assert levels.outputs < depression.outputs
    for scope in model.scopes:
        for i in scope.outputs:
            assert scope.outputs.issuperset(model.layout.reads[i])
    assert scope_of(model.scopes, None) is None
    assert scope_of(model.scopes, ["pain.score"]) is None
    assert scope_of(model.scopes, ["venous.ketamine", "mood.madrs"]).name == "depression"


def test_no_state_of_a_scope_has_a_slope_by_a_state_outside(model):
    """The second method: the Jacobian, by differentiation."""
    slopes = sparse_jacobian(model.system).entries
    for scope in model.scopes:
        for row, column in slopes:
            assert scope.states[column] or not scope.states[row]


def test_a_trial_has_the_same_bits_by_slices(compiled, monkeypatch):
    keys = {
        "title": "two arms", "arms": {
            "racemic": {"treatment": "racemic 0.5 mg/kg IV over 40 min twice weekly for 2 weeks", "n": 3},
            "nasal": {"treatment": "esketamine 84 mg nasal twice weekly for 2 weeks", "n": 3},
        }, "visits": {"MADRS": ["24 h", "15 days"], "CADSS": ["40 min"]}, "population": "trd",
    }  # fmt: skip
    trial = load_trial(keys, compiled.parameters)
    used = codes_used(monkeypatch)
    found = run_trial(trial, compiled, threads=1)
    assert max(used) < 120
    assert found.equals(by_the_whole(monkeypatch, lambda: run_trial(trial, compiled, threads=1)))


def test_a_patient_has_the_same_bits_beside_one_who_needs_the_whole_model(compiled):
    """Same bits whoever is solved together, whatever code runs."""
    alone = ensemble(compiled, SENTENCES[0])
    parts = [subjects(load_scenario(words, compiled.parameters), compiled) for words in (SENTENCES[0], SENTENCES[2])]
    together = Ensemble.of_subjects(compiled, [*parts[0], *parts[1]])
    times = np.array([-0.6, *WEEK])
    found = together.solve(times, OUTPUTS, tolerance=1e-4)
    assert np.array_equal(found.values[:2], alone.solve(times, OUTPUTS, tolerance=1e-4).values)
