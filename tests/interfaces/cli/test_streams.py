"""Output goes to any encoding, into a closed stream and onto a full disk without a traceback."""

import os
import subprocess
import sys

import pytest

from ketamech.cli.main import plain

KETAMECH = [sys.executable, "-m", "ketamech"]
FULL = "/dev/full"
COMMANDS = {
    "help": ["--help"],
    "evidence": ["evidence", "list"],
    "one row": ["evidence", "show", "shaffer-ket-ic50"],
    "simulate": ["simulate", "racemic 0.5 mg/kg IV over 40 min", "--out", "run"],
    "claim": ["claims", "--claim", "ampa"],
    "equations": ["equations"],
    "error": ["simulate", "racemic −5 mg/kg IV µ"],
}


def run(words, folder, **settings):
    return subprocess.run(
        [*KETAMECH, *words], cwd=folder, capture_output=True, timeout=120, check=False, env={**os.environ, **settings}
    )


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_writes_in_any_encoding(command, encoding, tmp_path, model):
    done = run(COMMANDS[command], tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == (2 if command == "error" else 0), done.stderr
    assert b"Traceback" not in done.stderr
    said = done.stdout.decode(encoding) + done.stderr.decode(encoding)
    assert said.strip()


def test_signs_keep_their_meaning_in_ascii():
    assert plain("−1.5 µmol/L ≥ 2 × é … ≠ m² ½ ⅓ ∌ 图") == "-1.5 umol/L >= 2 x e ... != m^2 1/2 ? ? ?"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="closing a stream of a child needs a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["claims --claim ampa", "evidence list", "--help", "simulate nonsense"])
def test_a_closed_stream_is_no_error(words, closed, tmp_path, model):
    command = f"{sys.executable} -m ketamech {words} {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == (2 if "nonsense" in words else 0), done.stderr
    assert b"Traceback" not in done.stderr + done.stdout
    assert b"Exception ignored" not in done.stderr + done.stdout


@pytest.mark.skipif(not os.path.exists(FULL), reason="the system has no /dev/full")
def test_a_full_disk_under_the_output_is_one_clear_error(tmp_path):
    command = f"{sys.executable} -m ketamech evidence list > {FULL}"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(b"Error: No space left on device\n")
    assert b"Exception ignored" not in done.stderr


def test_a_reader_that_stops_early_is_no_error(tmp_path):
    command = f"{sys.executable} -m ketamech evidence list | head -1"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
