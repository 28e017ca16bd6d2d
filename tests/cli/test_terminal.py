"""What the terminal shows: nothing a user writes is taken for markup, and starting is quick."""

import importlib
import io
import subprocess
import sys
import time

import pytest
from rich.console import Console

from ketamech.cli import simulate, terminal
from ketamech.core import BadInput

main = importlib.import_module("ketamech.cli.main")  # the module, not the function of that name
NASTY = ["[/bold]", "a [red]b", "treatments[0].dose", "[link=x]"]


@pytest.fixture
def screen(monkeypatch):
    """A terminal that can be read back."""
    shown = io.StringIO()

    def console(**_):
        return Console(file=shown, force_terminal=True, width=80, color_system=None)

    monkeypatch.setattr(main, "Console", console)
    monkeypatch.setattr(terminal, "Console", console)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    return shown


@pytest.mark.parametrize("text", NASTY)
def test_an_error_is_shown_as_it_is(text, screen):
    main.complain(BadInput(f"'{text}' is not known", key=text))
    assert screen.getvalue().count(text) == 2


@pytest.mark.parametrize("text", NASTY)
def test_a_table_is_shown_as_it_is(text, screen):
    terminal.table([{"name": text}], title=text)
    assert screen.getvalue().count(text) == 2


def test_numbers_stay_whole_in_a_narrow_terminal(screen):
    row = {"output": "Suicidal ideation (SSI) and more words", "unit": "points, 0 to 38", "at 24 h": "−12.345"}
    terminal.table([row | {f"day {i}": f"{i}00.123" for i in range(9)}], title="x")
    lines = screen.getvalue().splitlines()
    assert any("Suicidal" in line and "−12.345" in line and "000.123" in line for line in lines)
    assert "wider terminal also shows: day " in lines[-1]
    assert max(len(line) for line in lines) <= 80


def test_two_long_titles_do_not_share_a_folder():
    first = "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly for 4 weeks"
    second = "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly for 8 weeks"
    assert simulate._folder_name(first) != simulate._folder_name(second)
    assert simulate._folder_name("../../etc") == "etc"
    assert simulate._folder_name("...") == "run"


def test_help_does_not_wait_for_the_model():
    program = "import sys, ketamech.cli; print(sorted({'numba', 'sympy', 'xarray', 'pandas'} & set(sys.modules)))"
    began = time.perf_counter()
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    assert found.stdout.strip() == "[]"
    assert time.perf_counter() - began < 5
