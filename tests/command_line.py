"""The command line inside the test process, as a user would type it."""

import contextlib
import io
import re
import subprocess
import sys
from typing import NamedTuple
from unittest import mock

import pytest

from ketamech.cli.main import main


class Ended(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments, cwd):
    """The command in this process: an error that is not ours breaks the test by itself."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["ketamech", *arguments]),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return Ended(ended.value.code or 0, out.getvalue(), err.getvalue())


def run_alone(*arguments, cwd):
    """The command as a user starts it."""
    command = [sys.executable, "-c", "from ketamech.cli.main import main; main()", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, encoding="utf-8", timeout=120)


def refused(result, *, folder):
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("Error: ")
    assert not re.search(r"BadInput|UnknownName|UnitClash", result.stderr)
    assert not (folder / "runs").exists()
    return result.stderr
