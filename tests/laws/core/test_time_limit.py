"""A test that hangs ends the run, even where it waits in C and waits again as it is cleaned up."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
HUNG = """
import threading
import time

def test_hung():
    try:
        time.sleep(3600)
    finally:
        threading.Event().wait()
"""


def test_every_test_has_a_limit(pytestconfig):
    assert 0 < float(pytestconfig.getini("timeout")) <= 300
    assert pytestconfig.getini("timeout_method") == "thread"


def test_a_hung_test_ends_the_run_and_says_where(tmp_path):
    (tmp_path / "test_hung.py").write_text(HUNG, encoding="utf-8")
    settings = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "no:cacheprovider", "--timeout=1"]
    command = [sys.executable, "-m", "pytest", *settings, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=120)
    assert ended.returncode != 0
    assert "Timeout" in ended.stdout + ended.stderr
    assert "time.sleep(3600)" in ended.stdout + ended.stderr
