"""A job killed at random instants loses nothing that was finished, and ends in the same bits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks and kills")
LOOP = Path(__file__).with_name("repeated_kills.py")
OFTEN = int(os.environ.get("KETAMECH_KILLS", "20"))  # `make survive` asks for 200


@pytest.mark.parametrize(("kind", "kills"), [("toy", max(50, OFTEN)), ("cohort", OFTEN)])
def test_kills_at_random_instants_lose_nothing(kind, kills, model, tmp_path):
    command = [sys.executable, str(LOOP), kind, str(tmp_path), str(kills), "11"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(found)
    assert found["kills"] == kills
    assert found["lost"] == 0
