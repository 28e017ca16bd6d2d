"""A run that begins at steady state is compared with the drug-free patient, not with its own first moment."""

import numpy as np
import pytest

from ketamech import simulate
from ketamech.exchange.curves_io import read_run
from ketamech.parameters import load_parameters
from ketamech.population.cohort import Cohort
from ketamech.report.run_description import describe_run
from ketamech.report.run_folder import write_run
from ketamech.report.summary import curve_values, summary_rows_of
from ketamech.report.tracks import load_tracks
from ketamech.simulation.ensemble import Subject, baseline_of, run_subjects
from ketamech.simulation.load_scenario import load_scenario

SENTENCE = "racemic 50 mg oral daily for 4 weeks at steady state"


@pytest.fixture(scope="module")
def scenario(model):
    return load_scenario(SENTENCE, model.parameters)


@pytest.fixture(scope="module")
def steady(model, scenario):
    return simulate(scenario, model=model)


@pytest.fixture(scope="module")
def drug_free(model):
    return run_subjects(model, [Subject("nobody")], np.array([0.0]))


def test_the_baseline_is_that_of_a_person_without_drug(model, steady, drug_free):
    for name in model.layout.output_names:
        if name in steady:
            expected = float(drug_free[name].values[0, 0])
            assert baseline_of(steady, name) == pytest.approx(np.full(2, expected), rel=1e-6, abs=1e-9)
    assert steady["mood.madrs"].values[0, 0] < 0.8 * baseline_of(steady, "mood.madrs")[0]


def test_a_summary_counts_from_the_drug_free_baseline(model, scenario, steady, drug_free):
    lines = {line.outputs: line for line in summary_rows_of(steady, describe_run(scenario, model), load_parameters())}
    assert lines["mood.madrs"].baseline == pytest.approx(float(drug_free["mood.madrs"].values[0, 0]), rel=1e-6)
    lane = load_tracks()["bdnf"]
    times = curve_values(lane.curves[0], lane, steady, {})
    assert times[0, 0] != pytest.approx(1.0, abs=1e-3)
    assert lines[lane.curves[0].outputs].baseline == 1.0


def test_a_run_folder_keeps_the_baseline(model, scenario, steady, tmp_path):
    write_run(tmp_path / "run", steady, scenario, model, "ketamech simulate ...", png=False)
    kept = read_run(tmp_path / "run")
    assert (baseline_of(kept, "mood.madrs") == baseline_of(steady, "mood.madrs")).all()


def test_every_patient_of_a_cohort_has_a_baseline(model, scenario):
    hours = np.array([0.0, 24.0])
    found = Cohort(model, scenario, 3, ("mood.madrs",), hours).solve_patients([0, 2])
    plain = load_scenario("racemic 50 mg oral daily for 4 weeks", model.parameters)
    fresh = Cohort(model, plain, 3, ("mood.madrs",), hours).solve_patients([0, 2])
    assert baseline_of(found, "mood.madrs") == pytest.approx(fresh["mood.madrs"].values[:, 0], rel=1e-9)
