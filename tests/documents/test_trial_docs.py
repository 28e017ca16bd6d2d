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
