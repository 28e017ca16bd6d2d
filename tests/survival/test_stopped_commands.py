"""Every long command, stopped in the middle: --resume goes on, to the same results, and a cluster gives the same."""

import contextlib
import errno
import hashlib
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ketamech.core.checkpoint as kit
from ketamech.cli.main import app
from ketamech.core import InputError
from ketamech.trials import run_trial

COMMANDS = {
    "trial": ("trial", "murrough2013", "--replicates", "4"),
    "sensitivity": (
        "sensitivity", "--parameters", "mood.rate_constant,mood.expectancy_weight,expectancy.decay", "--endpoints",
        "mood.madrs at 24 h", "--trajectories", "4", "--sobol-n", "8", "--sobol-top", "2",
    ),
    "design": (
        "design", "--doses", "esketamine {dose} mg nasal = 28, 84", "--schedules", "weekly", "--weeks", "1",
        "--patients", "10", "--draws", "3",
    ),
    "simulate": (
        "simulate", "racemic 0.5 mg/kg IV over 40 min", "--patients", "24", "--chunk", "8", "--times", "0, 24",
    ),
}  # fmt: skip
MADE_WHEN = ("report.html", "summary.json", "cohort.json", "journal.txt", "lock", "manifest.json")  # dates, command


def call(name, place, *more):
    return CliRunner().invoke(app, [*COMMANDS[name], "--out", str(place), *more])


def results(place):
    """Every file of numbers by its content; pictures and pages may hold dates and command lines."""
    kept = (p for p in sorted(place.rglob("*")) if p.is_file() and p.suffix != ".svg" and p.name not in MADE_WHEN)
    return {p.relative_to(place).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_stopped_command_goes_on_to_the_same_results(name, tmp_path, monkeypatch, model):
    monkeypatch.setattr(run_trial, "PATIENTS_PER_GROUP", 100)  # a trial a piece
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    if name == "sensitivity":
        from ketamech.analysis import sensitivity

        known = [row.name for row in sensitivity.varied_parameters(model, ["mood"])][:3]
        COMMANDS[name] = tuple(",".join(known) if "mood.rate_constant" in word else word for word in COMMANDS[name])
    done = call(name, tmp_path / "whole")
    assert done.exit_code == 0, done.output + repr(done.exception)
    usual, kept = kit.Checkpoint.record, []

    def stopped(self, piece, *rest):
        usual(self, piece, *rest)
        kept.append(piece)
        if len(kept) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(kit.Checkpoint, "record", stopped)
    done = call(name, tmp_path / "part")
    assert done.exit_code == 130, done.output + repr(done.exception)
    assert "2 finished parts are saved; continue with the same command and --resume" in done.stderr
    monkeypatch.setattr(kit.Checkpoint, "record", usual)
    done = call(name, tmp_path / "part")
    assert isinstance(done.exception, InputError)
    assert done.exception.type_this == "--resume"
    done = call(name, tmp_path / "part", "--resume")
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert results(tmp_path / "part") == results(tmp_path / "whole")


def test_a_finished_command_may_be_given_again(tmp_path, model):
    for _ in range(2):
        done = call("design", tmp_path / "d")
        assert done.exit_code == 0, done.output + repr(done.exception)
    done = call("design", tmp_path / "d", "--seed", "2", "--resume")
    assert "started with seed 1, and this run has 2" in str(done.exception)


def test_a_finished_cohort_makes_way_for_the_same_question_only(tmp_path, model, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")  # results carry their date to the second
    place = tmp_path / "c"
    assert call("simulate", place).exit_code == 0
    before = results(place)
    done = call("simulate", place, "--seed", "5")
    assert "started with seed 1, and this run has 5" in str(done.exception)
    assert results(place) == before
    assert call("simulate", place).exit_code == 0
    assert results(place) == before


def test_a_disk_that_is_full_while_results_are_drawn_says_how_to_go_on(tmp_path, monkeypatch, model):
    from ketamech.report import analysis_figures

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(analysis_figures, "draw_front", full)
    done = call("design", tmp_path / "d")
    assert isinstance(done.exception, InputError), done.exception
    assert "the disk is full: 3 finished units are kept" in str(done.exception)
    assert done.exception.type_this == "--resume"
    monkeypatch.undo()
    assert call("design", tmp_path / "d", "--resume").exit_code == 0


def test_results_that_fail_half_way_leave_the_former_ones(tmp_path):
    from ketamech.exchange.output_folder import read_manifest, replace_folder

    with replace_folder(tmp_path) as draft:
        (draft / "a.csv").write_text("1")
    (tmp_path / "mine.txt").write_text("precious")
    with contextlib.suppress(ZeroDivisionError), replace_folder(tmp_path) as draft:
        (draft / "a.csv").write_text("2")
        raise ZeroDivisionError
    assert (tmp_path / "a.csv").read_text() == "1"
    with replace_folder(tmp_path) as draft:
        (draft / "a.csv").write_text("3")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "manifest.json", "mine.txt"]
    assert list(read_manifest(tmp_path)["files"]) == ["a.csv"]


def test_results_that_cannot_be_moved_leave_the_former_ones(tmp_path, monkeypatch):
    from ketamech.exchange.output_folder import read_manifest, replace_folder

    def write(text):
        with replace_folder(tmp_path) as draft:
            (draft / "a.csv").write_text(text)
            (draft / "pages").mkdir()
            (draft / "pages" / "one.html").write_text(text)

    write("former")
    before, move = read_manifest(tmp_path), os.replace

    def refuse_one(source, target):
        if Path(target) == tmp_path / "pages":
            raise OSError("disk error")
        move(source, target)

    monkeypatch.setattr(os, "replace", refuse_one)
    with pytest.raises(OSError, match="disk error"):
        write("new")
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "pages" / "one.html").read_text() == "former"
    assert read_manifest(tmp_path) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "manifest.json", "pages"]


def test_changed_curves_are_not_read(tmp_path, model):
    from ketamech.exchange.curves_io import read_run

    done = CliRunner().invoke(app, ["simulate", "racemic 0.5 mg/kg IV over 40 min", "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    assert read_run(tmp_path / "run").sizes["patient"] == 2
    path = tmp_path / "run" / "curves.zarr" / "mood.madrs" / "c.0.0"
    raw = path.read_bytes()
    path.write_bytes(raw[:20] + bytes([raw[20] ^ 1]) + raw[21:])
    with pytest.raises(InputError, match=r"mood\.madrs.* was changed after it was written"):
        read_run(tmp_path / "run")


def test_resume_and_scheduler_are_for_many_patients(model):
    for words in (["--resume"], ["--scheduler", "tcp://127.0.0.1:9"]):
        done = CliRunner().invoke(app, ["simulate", "racemic 0.5 mg/kg IV over 40 min", *words])
        assert "is for many patients" in str(done.exception)
