"""A second run on the same machine builds nothing, compiles nothing and loads no more than it needs."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from ketamech.exchange.curves_io import read_run

PROGRAM = """
import gc, sys
from ketamech.cli.main import main
sys.argv = ["ketamech", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert gc.get_freeze_count() > 10_000, "Python searches every object at its exit"
    names = {name.split(".")[0] for name in sys.modules} | {"dask.array"} & set(sys.modules)
    print(*sorted({HEAVY} & names), end.code or 0, file=sys.stderr)
"""


HEAVY = {
    "dask.array", "jinja2", "lark", "llvmlite", "matplotlib", "numba", "numpy", "pandas", "pint", "pyarrow", "pydantic",
    "ruamel", "scipy", "statsmodels", "sympy", "xarray", "zarr",
}  # fmt: skip
CURVES = "lark llvmlite numpy pyarrow"  # sentences, machine code, results
SENTENCE = "racemic 0.5 mg/kg IV over 40 min"


def loaded_by(*words, **settings):
    """What of the heavy libraries a command loads, as it prints it, with its exit code."""
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{HEAVY}", repr(HEAVY)), *words],
        capture_output=True, encoding="utf-8", check=False, env={**os.environ, **settings}, timeout=120,
    )  # fmt: skip
    return found.stderr.splitlines()[-1]


def test_importing_the_package_loads_no_library():
    program = f"import sys, ketamech; print(sorted({HEAVY!r} & set(sys.modules)), len(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    loaded, count = found.stdout.rsplit(maxsplit=1)
    assert loaded == "[]"
    assert int(count) < 120, "modules of Python that a bare `import typing` does not load"


@pytest.fixture
def compiled(model):
    """Whatever was missing in the cache is there."""
    from ketamech import simulate

    return simulate(SENTENCE, model=model)


def test_a_warm_run_loads_what_solves_and_stores_and_what_fills_pages(compiled, tmp_path):
    assert loaded_by("simulate", SENTENCE, "--out", str(tmp_path / "run")) == f"jinja2 {CURVES} 0"
    assert (tmp_path / "run" / "report.html").read_text(encoding="utf-8").count("<svg") > 10


def test_a_run_without_a_report_has_the_same_results_and_loads_nothing_that_fills_pages(compiled, tmp_path):
    assert loaded_by("simulate", SENTENCE, "--no-report", "--out", str(tmp_path / "run")) == f"{CURVES} 0"
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names.isdisjoint({"report.html", "figures"})
    assert {"curves.zarr", "curves.parquet", "summary.json", "bibliography.txt", "scenario.yaml"} <= names
    assert read_run(tmp_path / "run").identical(compiled.assign_attrs(read_run(tmp_path / "run").attrs))


def test_a_png_loads_what_draws(compiled, tmp_path):
    assert "matplotlib" in loaded_by("simulate", SENTENCE, "--png", "--out", str(tmp_path / "run")).split()
    assert (tmp_path / "run" / "figures" / "timeline.png").is_file()


def test_a_run_without_a_report_has_no_png(tmp_path):
    from ketamech.cli.main import app

    done = CliRunner().invoke(app, ["simulate", SENTENCE, "--no-report", "--png", "--out", str(tmp_path / "run")])
    assert "--no-report with --png" in str(done.exception)


@pytest.mark.parametrize("words", ["--help", "simulate --help", "trial --help", "evidence list --stage nmda"])
def test_help_and_tables_load_nothing_heavy(words):
    assert loaded_by(*words.split()) == "0"


def test_a_schema_loads_what_writes_it():
    assert loaded_by("schema") == "pydantic 0"


@pytest.mark.parametrize(
    ("words", "library", "extra"),
    [
        (("trial", "murrough2013"), "lifelines", "trials"),
        (("calibrate",), "emcee", "calibrate"),
        (("sensitivity",), "SALib", "calibrate"),
    ],
)
def test_a_missing_library_is_reported_before_any_work(words, library, extra, monkeypatch):
    from ketamech.cli import terminal
    from ketamech.cli.main import app

    monkeypatch.setattr(terminal, "find_spec", lambda name: None if name == library else object())
    done = CliRunner().invoke(app, list(words))
    assert f"this needs {library}, which is not installed" in str(done.exception)
    assert done.exception.type_this == f'pip install "ketamech[{extra}]"'
