"""Scenario files: the examples, the published schema, and what a file means."""

import json
from pathlib import Path

import numpy as np
import pytest

from ketamech.study import load_scenario, schema, simulate

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def test_the_published_schema_is_the_programs():
    published = json.loads((ROOT / "docs" / "schema" / "scenario.schema.json").read_text(encoding="utf-8"))
    assert published == schema()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_every_example_runs_and_something_happens(path, model):
    curves = simulate(path, model=model)
    assert list(curves.solve_status.values) == ["ok", "ok"]
    assert float(np.ptp(curves["mood.madrs"].sel(patient="treated").values)) > 1.0
    assert curves["mood.madrs"].attrs["units"] == "points"
    assert np.isfinite(curves["mood.madrs"].values).all()


def test_there_are_six_examples():
    assert len(EXAMPLES) == 6


def test_a_sentence_and_a_file_are_the_same_run(model, tmp_path):
    file = tmp_path / "same.yaml"
    file.write_text("treatments: [racemic 0.5 mg/kg IV over 40 min]\nperson: {weight: 70 kg}\n", encoding="utf-8")
    a, b = simulate(file, model=model), simulate("racemic 0.5 mg/kg IV over 40 min", model=model)
    assert (a["mood.madrs"].values == b["mood.madrs"].values).all()


def test_a_pathway_that_is_off_changes_the_curves(model, tmp_path):
    file = tmp_path / "off.yaml"
    text = "treatments: [racemic 0.5 mg/kg IV over 40 min]\nperson: {weight: 70 kg}\npathways: {habenula: off}\n"
    file.write_text(text, encoding="utf-8")
    curves = simulate(file, model=model)
    assert float(np.ptp(curves["habenula.bursting"].values)) < 1e-6


def test_a_sentence_says_which_weight_it_assumed():
    assert "70 kg" in load_scenario("racemic 0.5 mg/kg IV over 40 min").assumptions[0]


def test_the_weight_of_a_person_scales_the_dose(model, tmp_path):
    peaks = []
    for weight in (50, 100):
        file = tmp_path / f"{weight}.yaml"
        text = f"treatments: [racemic 0.5 mg/kg IV over 40 min]\nperson: {{weight: {weight} kg}}\n"
        file.write_text(text, encoding="utf-8")
        peaks.append(float(simulate(file, model=model)["plasma.esketamine"].max()))
    assert peaks[0] == pytest.approx(peaks[1], rel=0.15)
