"""A second run on the same machine builds nothing, compiles nothing and loads no more than it needs."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from ketamech.cli.main import main
sys.argv = ["ketamech", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    heavy = {"sympy", "numba", "matplotlib", "zarr"}
    print(sorted(heavy & set(sys.modules)), end.code or 0, file=sys.stderr)
"""


def loaded_by(*words, **settings):
    """What of the heavy libraries a command loads, as it prints it, with its exit code."""
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        capture_output=True, encoding="utf-8", check=False, env={**os.environ, **settings}, timeout=120,
    )  # fmt: skip
    return found.stderr.splitlines()[-1]


def test_a_warm_run_loads_neither_sympy_nor_numba_nor_what_draws(model, tmp_path):
    from ketamech.simulation.simulate import simulate

    simulate("racemic 0.5 mg/kg IV over 40 min", model=model)  # whatever was missing is kept now
    words = ("simulate", "racemic 0.5 mg/kg IV over 40 min", "--out", str(tmp_path / "run"))
    assert loaded_by(*words) == "[] 0"
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8").count("<svg") > 10


def test_a_png_loads_what_draws(model, tmp_path):
    words = ("simulate", "racemic 0.5 mg/kg IV over 40 min", "--png", "--out", str(tmp_path / "run"))
    assert loaded_by(*words) == "['matplotlib'] 0"
    assert (tmp_path / "run" / "figures" / "timeline.png").is_file()


@pytest.mark.parametrize("words", [("--help",), ("simulate", "--help"), ("evidence", "list", "--stage", "nmda")])
def test_help_and_tables_load_nothing_heavy(words):
    assert loaded_by(*words) == "[] 0"


@pytest.mark.parametrize(
    ("words", "library", "extra"),
    [
        (("trial", "murrough2013"), "lifelines", "trials"),
        (("calibrate",), "emcee", "calibrate"),
        (("sensitivity",), "SALib", "calibrate"),
    ],
)
def test_a_library_that_is_not_installed_is_said_before_any_work(words, library, extra, monkeypatch):
    from typer.testing import CliRunner

    from ketamech.cli import terminal
    from ketamech.cli.main import app

    monkeypatch.setattr(terminal, "find_spec", lambda name: None if name == library else object())
    done = CliRunner().invoke(app, list(words))
    assert f"this needs {library}, which is not installed" in str(done.exception)
    assert done.exception.type_this == f'pip install "ketamech[{extra}]"'
