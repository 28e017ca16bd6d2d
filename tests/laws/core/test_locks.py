"""A folder's lock is waited for, but not for ever, and no process is waited for without a limit."""

import ast
import os
from pathlib import Path

import pytest

from ketamech.core import InputError, SolverError, atomic_files
from ketamech.core.atomic_files import locked

ROOT = Path(__file__).parents[3]
POSIX = pytest.mark.skipif(os.name != "posix", reason="folders are locked on POSIX")


@POSIX
def test_a_lock_that_is_never_released_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_files, "LOCK_WAIT", 0.1)
    with locked(tmp_path), pytest.raises(InputError, match=r"another process has held the lock on '.*' for 0\.1 s"):
        locked(tmp_path, wait=True).__enter__()


@POSIX
def test_a_lock_that_is_given_up_is_had(tmp_path, monkeypatch):
    """It is given up at the first look that finds it taken."""
    held, looks = locked(tmp_path), []
    held.__enter__()

    def look(seconds):
        looks.append(seconds)
        held.__exit__(None, None, None)

    monkeypatch.setattr(atomic_files.time, "sleep", look)
    with locked(tmp_path, wait=True) as had:
        assert had
    assert looks == [atomic_files.LOCK_POLL]


def test_a_benchmark_whose_process_does_not_end_is_reported(monkeypatch):
    from benchmarks import scaling, startup_time

    monkeypatch.setattr(startup_time, "PROCESS_LIMIT", 0.2)
    with pytest.raises(SolverError, match=r"has not ended after 0\.2 s"):
        startup_time.running_process("import time; time.sleep(60)")
    monkeypatch.setattr(scaling, "START_LIMIT", 0.1)
    monkeypatch.setattr(scaling, "SECONDS_PER_PATIENT", 0.0)
    with pytest.raises(SolverError, match=r"4 patients on 1 threads has not ended after 0\.1 s"):
        scaling.in_process(4, 1)


def test_every_process_that_is_waited_for_has_a_limit():
    endless = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for folder in ("src", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("subprocess.run", "subprocess.check_output", "subprocess.check_call")
        and "timeout" not in [word.arg for word in call.keywords]
    ]
    assert endless == []
