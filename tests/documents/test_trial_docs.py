"""The files in the guide load, and run."""

import re
from pathlib import Path

import pytest

import ketamech
from ketamech.core import InputError
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import load_trial

ROOT = Path(ketamech.__file__).parents[2]
TEXT = (ROOT / "docs" / "trials.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.S)


def test_the_file_in_the_guide_runs(model, tmp_path):
    path = tmp_path / "trial.yaml"
    path.write_text(BLOCKS[0], encoding="utf-8")
    found = run_trial(load_trial(path), model, threads=1)
    assert found.sizes["patient"] == 60
    assert (found["solve_status"] == "ok").all()
    assert found["rescued_at"].notnull().any()


def test_the_steps_in_the_guide_load(tmp_path):
    path = tmp_path / "trial.yaml"
    before = "title: x\narms: {a: {treatment: placebo IV, n: 9}}\nvisits: {MADRS: [day 29]}\n"
    path.write_text(before + BLOCKS[1], encoding="utf-8")
    assert load_trial(path).steps[0].names == ("goes on", "placebo")


def test_the_titrations_in_the_guide_load(tmp_path):
    path = tmp_path / "trial.yaml"
    rated = "title: x\nvisits: {MADRS: [day 8, day 28], CADSS: [40 min], SBP: [40 min]}\n"
    path.write_text(rated + BLOCKS[2], encoding="utf-8")
    assert load_trial(path).arms[0].titration.amounts == (56, 84)
    arm = "arms:\n  drug:\n    treatment: esketamine 56 mg nasal twice weekly for 4 weeks\n    n: 9\n"
    path.write_text(rated + arm + BLOCKS[3], encoding="utf-8")
    assert [(step.origin, step.to) for step in load_trial(path).arms[0].titration.steps] == [(1, 0), (0, 1)]


def test_the_relapse_in_the_guide_loads(tmp_path):
    path = tmp_path / "trial.yaml"
    arms = "title: x\narms: {esketamine: {treatment: placebo IV, n: 9}, placebo: {treatment: placebo IV, n: 9}}\n"
    path.write_text(arms + "visits: {MADRS: [day 99, day 106, day 113, day 120]}\n" + BLOCKS[4], encoding="utf-8")
    assert load_trial(path).relapse.last_event == 59


def test_the_error_in_the_guide_is_the_programs(tmp_path):
    path = tmp_path / "trial.yaml"
    saline = "placebo IV at day 5"
    path.write_text(f"title: x\narms: {{saline: {{treatment: {saline}, n: 9}}}}\nvisits: {{MADRS: [24 h]}}\n")
    with pytest.raises(InputError) as found:
        load_trial(path)
    assert found.value.what in TEXT
    assert str(found.value.expected) in TEXT


def test_every_shipped_file_is_in_the_guide():
    for path in (ROOT / "src" / "ketamech" / "data" / "trials").glob("*.yaml"):
        assert f"`{path.stem}`" in TEXT
