"""Finished pieces: kept whole, read only as they were, for one writer and one job."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import ketamech.core.checkpoint as kit
from ketamech.cli.long_run import table_hashes
from ketamech.core import InputError
from ketamech.core.checkpoint import Checkpoint, open_checkpoint, read_journal
from ketamech.core.execution import Executor

JOB = {"seed": 3, "persons": 10}


def unit(number):
    return {"x": np.arange(number + 1.0), "word": np.array(f"unit {number}")}


def do(folder, count, *, job=JOB, resume=True, done=None, finish=False):
    """Do units 0 to count - 1; `done` collects those that were computed and not read."""

    def one(number):
        if done is not None:
            done.append(number)
        return unit(number)

    with open_checkpoint(folder, job, resume=resume) as pieces:
        found = list(Executor(pieces).map({f"u{i}": i for i in range(count)}, one))
        if finish:
            pieces.finish()
        return found, pieces.damaged


def same(found):
    return all(
        np.array_equal(a["x"], b["x"]) and a["word"] == b["word"]
        for a, b in zip(found, map(unit, range(len(found))), strict=True)
    )


def test_what_is_finished_is_read_and_not_done_again(tmp_path):
    do(tmp_path, 3)
    done = []
    found, damaged = do(tmp_path, 5, done=done)
    assert done == [3, 4]
    assert same(found)
    assert not damaged


def test_the_journal_says_what_made_it_and_the_checksum_of_everything(tmp_path):
    with open_checkpoint(tmp_path, JOB, about={"command_line": "ketamech trial x"}) as pieces:
        pieces.save("u0", unit(0), {"failed": 2})
    with open_checkpoint(tmp_path, JOB, resume=True) as pieces:
        assert pieces.about == {"command_line": "ketamech trial x"}
        assert pieces.metadata("u0") == {"failed": 2}
    head = json.loads((tmp_path / "pieces" / "journal.txt").read_text(encoding="utf-8").split("\n")[0][17:])
    assert head["job"] == JOB
    assert {"ketamech", "numpy", "scipy", "python", "sources", "instructions"} <= set(head["made_with"])
    assert list(read_journal(tmp_path)["u0"]["files"]) == ["pieces/u0.npz"]


def damage(path, how):
    raw = path.read_bytes()
    if how == "truncated":
        path.write_bytes(raw[: len(raw) // 2])
    elif how == "edited":
        path.write_bytes(raw[:200] + bytes([raw[200] ^ 1]) + raw[201:])
    elif how == "emptied":
        path.write_bytes(b"")
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["truncated", "edited", "emptied", "removed"])
def test_a_damaged_piece_is_named_and_made_again(tmp_path, how):
    do(tmp_path, 4)
    damage(tmp_path / "pieces" / "u2.npz", how)
    done = []
    found, damaged = do(tmp_path, 4, done=done)
    assert (done, damaged) == ([2], ("u2",))
    assert same(found)
    assert do(tmp_path, 4)[1] == ()


@pytest.mark.parametrize("how", ["truncated", "edited", "removed"])
def test_a_piece_that_is_damaged_while_it_is_in_use_is_refused(tmp_path, how):
    do(tmp_path, 1)
    with open_checkpoint(tmp_path, JOB, resume=True) as pieces:
        damage(tmp_path / "pieces" / "u0.npz", how)
        with pytest.raises((InputError, FileNotFoundError)):
            pieces.read("u0")


def test_an_edited_line_of_the_journal_does_not_count(tmp_path):
    do(tmp_path, 4)
    journal = tmp_path / "pieces" / "journal.txt"
    lines = journal.read_text(encoding="utf-8").split("\n")
    lines[2] = lines[2].replace("u1.npz", "u3.npz")
    journal.write_text("\n".join(lines), encoding="utf-8")
    done = []
    found, damaged = do(tmp_path, 4, done=done)
    assert (done, damaged) == ([1], ("a line of the journal",))
    assert same(found)


@pytest.mark.parametrize("cut", [1, 30, 90])
def test_half_a_line_at_the_end_never_counted(tmp_path, cut):
    do(tmp_path, 3)
    journal = tmp_path / "pieces" / "journal.txt"
    journal.write_bytes(journal.read_bytes()[:-cut])
    done = []
    assert same(do(tmp_path, 3, done=done)[0])
    assert done == [2]


def test_a_line_of_another_journal_does_not_count(tmp_path):
    do(tmp_path / "a", 1)
    do(tmp_path / "b", 2, job={**JOB, "seed": 4})
    stolen = (tmp_path / "b" / "pieces" / "journal.txt").read_bytes().split(b"\n")[2]
    with (tmp_path / "a" / "pieces" / "journal.txt").open("ab") as journal:
        journal.write(stolen + b"\n")
    assert list(read_journal(tmp_path / "a")) == ["u0"]


@pytest.mark.parametrize("text", ["", "x", "0" * 16 + ' {"format": 1}', "\x00\xff"])
def test_a_journal_without_its_head_is_refused(tmp_path, text):
    do(tmp_path, 2)
    (tmp_path / "pieces" / "journal.txt").write_text(text + "\n", encoding="latin-1")
    for resume in (True, False):
        with pytest.raises(InputError, match=r"journal of .* is damaged"):
            do(tmp_path, 2, resume=resume)
    assert (tmp_path / "pieces" / "u0.npz").exists()


def test_unfinished_work_is_not_deleted_by_mistake(tmp_path):
    do(tmp_path, 2)
    with pytest.raises(InputError, match="2 finished units of an interrupted run") as problem:
        do(tmp_path, 2, resume=False)
    assert problem.value.type_this == "--resume"
    do(tmp_path, 2, finish=True)
    done = []
    do(tmp_path, 2, resume=False, done=done)
    assert done == [0, 1]


def test_another_job_or_other_versions_are_refused_by_name(tmp_path, monkeypatch):
    do(tmp_path, 2)
    with pytest.raises(InputError, match="started with seed 3, and this run has 4"):
        do(tmp_path, 2, job={**JOB, "seed": 4})
    monkeypatch.setattr(kit, "environment", lambda: {**kit_made_with, "numpy": "1.0"})
    with pytest.raises(InputError, match=r"started with numpy .*, and this run has .1\.0"):
        do(tmp_path, 2)


kit_made_with = kit.environment()


def test_a_job_without_results_leaves_no_file(tmp_path):
    for there, left in (("a/b", []), ("", [])):
        with pytest.raises(ZeroDivisionError), open_checkpoint(tmp_path / there, JOB):
            raise ZeroDivisionError
        assert list(tmp_path.iterdir()) == left


def test_python_objects_are_never_stored(tmp_path):
    with open_checkpoint(tmp_path, JOB) as pieces, pytest.raises(TypeError, match="Python objects"):
        pieces.save("u0", {"x": np.array([{}], dtype=object)})


def test_two_writers_do_not_share_a_folder(tmp_path):
    program = (
        f"from ketamech.core.checkpoint import open_checkpoint\nwith open_checkpoint({str(tmp_path)!r}, {JOB!r}):\n"
    )
    program += "    print('in', flush=True)\n    import time\n    time.sleep(60)\n"
    other = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, encoding="utf-8")
    assert other.stdout.readline() == "in\n"
    with pytest.raises(InputError, match="another process is writing"):
        do(tmp_path, 2)
    other.kill()
    other.communicate(timeout=30)
    assert same(do(tmp_path, 2)[0])  # the lock went with the process, without a clock


@pytest.mark.skipif(os.name != "posix", reason="the lock of POSIX")
def test_a_disk_without_locks_is_reported(tmp_path, monkeypatch):
    import fcntl

    def unknown(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unknown)
    with pytest.raises(InputError, match="does not support locks"):
        do(tmp_path, 2)


def test_clocks_that_jump_change_nothing(tmp_path, monkeypatch):
    do(tmp_path, 2)
    for path in (tmp_path / "pieces").iterdir():
        os.utime(path, (0, 0))
    monkeypatch.setattr(time, "time", lambda: 1e12)
    monkeypatch.setattr(time, "monotonic", lambda: -5.0)
    done = []
    assert same(do(tmp_path, 3, done=done)[0])
    assert done == [2]


@pytest.mark.parametrize("moment", ["savez", "replace", "fsync"])
def test_a_full_disk_keeps_what_is_finished_and_goes_on_when_there_is_room(tmp_path, monkeypatch, moment):
    owner = np if moment == "savez" else os
    usual, calls = getattr(owner, moment), []

    def full(*arguments, **more):
        calls.append(1)
        if len(calls) > 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        return usual(*arguments, **more)

    monkeypatch.setattr(owner, moment, full)
    with pytest.raises(InputError, match=r"the disk is full: [1-9]"):
        do(tmp_path, 30)
    monkeypatch.undo()
    done = []
    found, damaged = do(tmp_path, 30, done=done)
    assert same(found)
    assert 0 < len(done) < 30
    assert not damaged


@pytest.mark.skipif(os.name != "posix", reason="limits a process")
def test_a_disk_that_is_really_full_leaves_no_half_a_piece(tmp_path):
    """The system refuses the bytes beyond 20 kB of any file, in the middle of a write."""
    program = f"""
import resource, numpy as np
from ketamech.core.checkpoint import open_checkpoint
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
with open_checkpoint({str(tmp_path)!r}, {JOB!r}) as pieces:
    pieces.save("small", {{"x": np.zeros(100)}})
    pieces.save("large", {{"x": np.zeros(10_000)}})
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=False, timeout=60
    )
    assert "InputError: the disk is full: 1 finished units are kept" in done.stderr
    assert sorted(p.name for p in (tmp_path / "pieces").iterdir()) == ["journal.txt", "lock", "small.npz"]


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_ctrl_c_in_the_middle_loses_nothing(tmp_path):
    program = f"""
import sys, time
sys.path[:0] = {[str(tmp_path.parent), *sys.path]!r}
import signal; signal.signal(signal.SIGINT, signal.default_int_handler)
import numpy as np
from ketamech.core.checkpoint import open_checkpoint
from ketamech.core.execution import Executor
def one(i):
    time.sleep(0.01)
    return {{"x": np.arange(i + 1.0), "word": np.array(f"unit {{i}}")}}
with open_checkpoint({str(tmp_path)!r}, {JOB!r}) as pieces:
    for n, _ in enumerate(Executor(pieces).map({{f"u{{i}}": i for i in range(2000)}}, one)):
        print(n, flush=True)
"""
    running = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(5):
        running.stdout.readline()
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode != 0
    done = []
    assert same(do(tmp_path, 20, done=done)[0])
    assert len(done) <= 15


def test_a_piece_may_be_files_written_elsewhere_in_the_folder(tmp_path):
    with open_checkpoint(tmp_path, JOB) as pieces:
        (tmp_path / "big.bin").write_bytes(b"x" * 1000)
        pieces.record("big", [tmp_path / "big.bin"])
    (tmp_path / "big.bin").write_bytes(b"y" * 1000)
    with open_checkpoint(tmp_path, JOB, resume=True) as pieces:
        assert pieces.damaged == ("big",)
        assert "big" not in pieces


def test_sent_to_another_process_work_is_plain(tmp_path):
    import pickle

    with open_checkpoint(tmp_path, JOB) as pieces:
        assert isinstance(pieces, Checkpoint)
        assert pickle.loads(pickle.dumps(Executor(pieces))) == Executor()


def test_a_job_is_the_same_wherever_the_program_is_installed(model):
    tables = table_hashes(model)
    moved = {name: replace(row, file=f"/elsewhere/{Path(row.file).name}") for name, row in model.parameters.items()}
    assert table_hashes(SimpleNamespace(layout=model.layout, parameters=moved)) == tables
    first = next(iter(moved))
    changed = moved | {first: replace(moved[first], value=moved[first].value * 1.01)}
    assert table_hashes(SimpleNamespace(layout=model.layout, parameters=changed)) != tables
