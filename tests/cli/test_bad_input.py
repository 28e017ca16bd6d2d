"""Everything a hand can get wrong ends in one clear error, exit code 2, and nothing half-written."""

import subprocess
import sys

import pytest

CASES = {
    "unknown key": ("title: x\ntretments:\n  - racemic 1 mg IV\n", ["bad.yaml:2", "nearest: treatments"]),
    "unknown person": ("treatments: [racemic 1 mg IV]\nperson:\n  wieght: 70 kg\n", ["bad.yaml:3", "nearest: weight"]),
    "wrong unit": ("treatments: [racemic 1 mg IV]\nperson:\n  weight: 70 L\n", ["bad.yaml:3", "quantity in kg"]),
    "negative weight": (
        "treatments: [racemic 1 mg IV]\nperson:\n  weight: -5 kg\n",
        ["bad.yaml:3", "between 20 and 300"],
    ),
    "negative dose": ("treatments:\n  - racemic 0.5 mg/kg IV\n  - racemic -1 mg IV\n", ["bad.yaml:3", "positive"]),
    "unknown route": (
        "treatments:\n  - drug: memantine\n    dose: 20 mg\n    route: IV\n",
        ["bad.yaml:4", "cannot be given by route", "expected: oral"],
    ),
    "missing weight": ("treatments: [racemic 0.5 mg/kg IV]\n", ["bad.yaml:1", "needs a body weight", "weight: 70 kg"]),
    "null weight": (
        "treatments: [racemic 0.5 mg/kg IV]\nperson:\n  weight:\n",
        ["bad.yaml:3", "needs a body weight"],
    ),
    "absurd dose": ("treatments: [racemic 9000 mg IV]\n", ["no one is given that"]),
    "overlapping": (
        "treatments:\n  - racemic 70 mg IV over 2 h\n  - racemic 70 mg IV over 2 h at 1 h\n",
        ["overlap", "at 2 h"],
    ),
    "out of order": (
        "treatments:\n  - racemic 70 mg IV at 5 h\n  - racemic 70 mg IV at 1 h\n",
        ["out of order", "listed after one at 5 h"],
    ),
    "unknown pathway": (
        "treatments: [racemic 1 mg IV]\npathways:\n  habenulla: off\n",
        ["bad.yaml:3", "nearest: habenula"],
    ),
    "unknown parameter": (
        "treatments: [racemic 1 mg IV]\nparameters:\n  spines.rom: 2\n",
        ["bad.yaml:3", "nearest: spines.room"],
    ),
    "doubled key": ("title: a\ntitle: b\ntreatments: [racemic 1 mg IV]\n", ["bad.yaml:2", "duplicate key"]),
    "not a mapping": ("- a\n- b\n", ["holds no keys"]),
    "broken yaml": ("title: [a\ntreatments: b\n", ["bad.yaml"]),
    "no treatments": ("title: x\n", ["treatments", "missing"]),
    "empty treatments": ("treatments: []\n", ["bad.yaml:1"]),
    "bomb": ("a: &a [x, x]\nb: [*a, *a]\n", ["bad.yaml:2", "aliases"]),
    "deep": ("a: " + "[" * 60 + "]" * 60 + "\n", ["nested too deeply"]),
    "nan": ("treatments: [racemic 1 mg IV]\nperson:\n  age: .nan\n", ["bad.yaml:3", "out of range"]),
    "horizon": ("treatments: [racemic 1 mg IV]\nhorizon: 90 years\n", ["bad.yaml:2", "2 years"]),
    "empty": ("", ["empty"]),
    "too many doses": ("treatments:\n  - racemic 1 mg IV every 1 min for 60 days\nhorizon: 90 days\n", ["5000 doses"]),
}


def run(*arguments, cwd):
    command = [sys.executable, "-c", "from ketamech.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def refused(result, *, folder):
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "runs").exists()
    return result.stderr


@pytest.mark.parametrize("case", CASES)
def test_a_bad_scenario_file(case, tmp_path):
    text, expected = CASES[case]
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    message = refused(run("simulate", "bad.yaml", cwd=tmp_path), folder=tmp_path)
    for part in expected:
        assert part in message, message


def test_a_binary_file(tmp_path):
    (tmp_path / "bad.yaml").write_bytes(bytes(range(256)))
    assert "not text" in refused(run("simulate", "bad.yaml", cwd=tmp_path), folder=tmp_path)


def test_a_file_that_is_not_there(tmp_path):
    assert "cannot be read" in refused(run("simulate", "gone.yaml", cwd=tmp_path), folder=tmp_path)


def test_a_bad_sentence(tmp_path):
    assert "nearest: esketamine" in refused(run("simulate", "esketamin 84 mg nasal", cwd=tmp_path), folder=tmp_path)


def test_an_unknown_stage_and_an_unknown_evidence_row(tmp_path):
    assert "nearest: shaffer-ket-ic50" in refused(
        run("evidence", "show", "shafer-ket-ic50", cwd=tmp_path), folder=tmp_path
    )


def test_a_folder_that_is_no_run(tmp_path):
    refused(run("cite", str(tmp_path), cwd=tmp_path), folder=tmp_path)


@pytest.mark.parametrize("command", ["simulate", "scorecard", "check", "describe", "cite", "demo", "evidence"])
def test_help_teaches(command, tmp_path):
    result = run(command, "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) > 6
