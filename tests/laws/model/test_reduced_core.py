"""The reduced core: its size, its laws, the kinetics it shares with the full model, and its own posterior."""

from __future__ import annotations

import numpy as np
import pytest

import ketamech
from ketamech import simulate
from ketamech.analysis.model_checks import run_checks
from ketamech.analysis.trial_scorecard import recordable
from ketamech.calibration.calibration_problem import load_estimated
from ketamech.calibration.clinical_targets import load_clinical_targets
from ketamech.calibration.leave_one_trial_out import load_left_out
from ketamech.core import InputError, UnknownNameError
from ketamech.engine.scope import Scope
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import Model, load_variant
from ketamech.trials.posterior_draws import posterior_folder, posterior_of

VARIANT = "reduced-core"
TIMES = np.array([0.25, 0.67, 1.5, 4.0, 12.0, 24.0])
ELSEWHERE = ("pharmacokinetics", "brain", "other_treatments", "sedation")  # kinetics, comparators, wakefulness


@pytest.fixture(scope="module")
def core() -> Model:
    return load_variant(VARIANT)


def test_at_most_fifteen_states_carry_the_brain_level_to_mood_and_dissociation(core: Model) -> None:
    scope = Scope.of(core.layout, "clinical", ["mood.madrs", "dissociation.cadss"], ())
    names = np.array(core.layout.state_names)[scope.states]
    assert 10 <= sum(name.split(".")[0] not in ELSEWHERE for name in names) <= 15
    assert len(core.layout.state_names) < 62


def test_every_check_of_the_full_model_passes(core: Model) -> None:
    assert not [found for found in run_checks(core) if not found.passed]


@pytest.mark.parametrize("doses", ["racemic 0.5 mg/kg IV over 40 min", "esketamine 84 mg nasal", "racemic 100 mg oral"])
def test_levels_are_those_of_the_full_model(core: Model, model: Model, doses: str) -> None:
    found = [simulate(doses, model=one, times=TIMES).isel(patient=0) for one in (core, model)]
    for name in ("venous.esketamine", "venous.arketamine", "brain.esketamine"):
        ours, theirs = (one[name].interp(time=TIMES).values for one in found)
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-4 * float(theirs.max()))


def test_more_drug_has_more_effect_and_one_dose_is_over_in_two_weeks(core: Model) -> None:
    def below_control(dose: str, hours: float) -> float:
        curves = simulate(f"racemic {dose} mg/kg IV over 40 min", model=core, times=[0.0, hours])["mood.madrs"]
        treated, control = curves.sel(time=hours).values
        return float(control - treated)

    day = [below_control(dose, 24.0) for dose in ("0.1", "0.5", "1")]
    assert 0.5 < day[0] < day[1] < day[2]
    assert below_control("0.5", 336.0) < day[1] / 4


@pytest.mark.parametrize(
    "doses",
    [
        "racemic 0.1 mg/kg IV over 40 min",
        "racemic 0.5 mg/kg IV over 40 min",
        "racemic 0.5 mg/kg IV over 40 min three times weekly for 2 weeks",
        "esketamine 84 mg nasal twice weekly for 4 weeks",
    ],
)
def test_the_typical_patient_follows_the_full_model(core: Model, model: Model, doses: str) -> None:
    times = np.array([0.0, 2.0, 24.0, 72.0, 168.0, 240.0, 336.0, 504.0, 672.0])
    ours, theirs = (simulate(doses, model=one, times=times)["mood.madrs"].isel(patient=0) for one in (core, model))
    assert np.abs(ours.sel(time=times).values - theirs.sel(time=times).values).max() < 1.5


def test_its_prior_adds_two_parameters_and_its_posterior_fits_it(core: Model) -> None:
    estimated = {one.name for one in load_estimated(core.parameters, VARIANT)}
    assert estimated - {one.name for one in load_estimated()} == {
        "reduced_core.unbinding_rate",
        "reduced_core.commitment_rate",
    }
    assert set(posterior_of(core, "shipped")[0]) <= estimated
    assert load_left_out(posterior_folder(core), core.parameters).keys() == load_left_out().keys()


def test_a_trial_runs_on_it_with_the_same_patients(core: Model, model: Model) -> None:
    trial = ketamech.Trial.read("murrough2013")
    ours, theirs = (
        trial.run(model=one, replicates=2, seed=3).dataset for one in (ketamech.Model.load(variant=VARIANT), model)
    )
    assert np.array_equal(ours["MADRS-24h"][:, :, 0], theirs["MADRS-24h"][:, :, 0])  # baselines
    change = [float((one["MADRS-24h"][:, :, 4] - one["MADRS-24h"][:, :, 0]).mean()) for one in (ours, theirs)]
    assert change[0] != change[1]


def test_a_trial_has_the_mean_of_the_full_model(core: Model, model: Model) -> None:
    trial, scale = ketamech.Trial.read("murrough2013"), "MADRS-24h"
    ours, theirs = (trial.run(model=one, replicates=8, seed=3).dataset[scale] for one in (core, model))
    falls = [float((one[:, :, 4] - one[:, :, 0]).mean()) for one in (ours, theirs)]
    assert falls[0] == pytest.approx(falls[1], abs=1.5)


def test_its_scorecard_leaves_out_the_trial_of_pain(core: Model, model: Model) -> None:
    targets = load_clinical_targets()
    assert recordable(targets, model) == list(targets)
    assert {row.trial for row in targets} - {row.trial for row in recordable(targets, core)} == {"sigtermans2009"}


def test_a_scenario_refuses_it_and_an_unknown_name_is_refused() -> None:
    with pytest.raises(InputError, match="ketamech trial"):
        load_scenario("racemic 0.5 mg/kg IV over 40 min", variant=VARIANT)
    with pytest.raises(UnknownNameError, match=VARIANT):
        load_variant("reduced-cor")
