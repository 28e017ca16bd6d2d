"""What the terminal shows: nothing a user writes is taken for markup, and starting is quick."""

import io
import subprocess
import sys
import warnings

import pytest
from rich.console import Console

from command_line import run
from ketamech.cli import main, simulate, terminal
from ketamech.core import InputError
from ketamech.core.atomic_files import CacheWarning
from ketamech.core.constants import DISCLAIMER

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
    main.print_error(InputError(f"'{text}' is not known", key=text))
    assert screen.getvalue().count(text) == 2


def test_an_error_keeps_its_path_on_one_line(screen):
    path = "/".join(["a-long-folder-name"] * 9) + "/bad.yaml"
    main.print_error(InputError("this is wrong", file=path, line=3))
    assert screen.getvalue() == f"Error: {path}:3: this is wrong\n"


@pytest.mark.parametrize("text", NASTY)
def test_a_table_is_shown_as_it_is(text, screen):
    terminal.table([{"name": text}], title=text)
    assert screen.getvalue().count(text) == 2


def test_numbers_stay_whole_in_a_narrow_terminal(screen):
    row = {"output": "Suicidal ideation (SSI) and more words", "unit": "points, 0 to 38", "at 24 h": "−12.345"}
    terminal.table([row | {f"day {i}": f"{i}00.123" for i in range(9)}], title="x")
    lines = screen.getvalue().splitlines()
    assert any("Suicidal" in line and "−12.345" in line and "000.123" in line for line in lines)
    assert all(any(f"{i}00.123" in line for line in lines) for i in range(9)), "columns that do not fit follow below"
    assert sum("Suicidal" in line for line in lines) > 1
    assert max(len(line) for line in lines) <= 80


def words_of(text):
    return set(text.split())


def test_words_of_a_wide_table_are_whole_at_80_columns(screen):
    """What is shown is shown whole: every word of every column that is not named as left out."""
    row = {
        "id": "gilling-ket-tauon-slow",
        "quantity": "onset time constant, slow, of receptors that were open before",
        "drug": "racemic ketamine",
        "time": "steady state, -70 mV, no Mg",
        "value": 0.00123,
        "source": "somebody 2017",
    }
    terminal.table([row], title="x")
    shown = screen.getvalue()
    left_out = shown.partition("also shows:")[2].replace(",", " ").split()
    kept = {name: text for name, text in row.items() if name not in left_out}
    assert set(row) - set(kept) == set(left_out)
    assert {"id", "quantity", "drug"} <= set(kept)
    for text in kept.values():
        assert words_of(str(text)) <= words_of(shown)
    assert max(map(len, shown.splitlines())) <= 80


def test_the_statement_of_a_claim_is_always_shown(screen):
    from ketamech.analysis.claims import load_claims
    from ketamech.evidence import load_evidence

    claims = load_claims(load_evidence())
    row = {"verdict": "not supported", "model": "not shown", "for": 10.25, "against": 12.5}
    rows = [{"claim": name, "statement": one.statement, **row} for name, one in claims.items()]
    terminal.table(rows)
    shown = words_of(screen.getvalue())
    for one in rows:
        assert words_of(one["statement"]) | {one["claim"]} <= shown, one["claim"]


def test_identifiers_fold_at_their_joints_and_numbers_never():
    assert terminal.folded_text("pharmacokinetics.hepatic_flow", 20) == ["pharmacokinetics.", "hepatic_flow"]
    assert terminal.folded_text("0.0009303", 20) == ["0.0009303"]
    assert terminal.folded_text("of 0.0009303", 9) == ["of", "0.0009303"]
    assert terminal.folded_text("two\nlines of", 5) == ["two", "lines", "of"]
    assert terminal.folded_text("", 5) == [""]


def test_two_columns_are_shown_however_narrow_the_terminal():
    rows = [{"a": "pharmacokinetics.hepatic_flow", "b": "intrinsic-clearance", "c": 1.0}]
    found = terminal.layout(["a", "b", "c"], rows, 20)
    assert list(found.widths) == ["a", "b"]
    assert found.left_out == ["c"]


@pytest.mark.parametrize("terminal_of", [True, False])
def test_a_path_stays_on_one_line(terminal_of, monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(
        terminal, "Console", lambda **_: Console(file=shown, force_terminal=terminal_of, width=80, color_system=None)
    )
    path = "/tmp/a long folder name " + "/".join(["with-many-parts"] * 8) + "/report.html"
    terminal.print_open_hint(path)
    terminal.print_written_files([path, path])
    lines = shown.getvalue().splitlines()
    assert f"Open {path}" in lines
    assert f"Written: {path}, {path}" in lines


def test_remarks_have_lines_of_any_length_where_there_is_no_terminal(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(terminal, "Console", lambda **_: Console(file=shown, force_terminal=False, width=80))
    terminal.progress().print("word " * 100)
    assert len(shown.getvalue().splitlines()) == 1


def test_text_is_folded_between_words_on_a_terminal_only(screen, monkeypatch, capsys):
    text = "  indented and " + "long " * 30
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    terminal.print_line(text)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1
    assert all(line.startswith("  ") and len(line) <= 80 for line in lines)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    terminal.print_line(text)
    assert capsys.readouterr().out == text + "\n"


def test_a_warning_of_the_program_is_shown_in_plain_words(monkeypatch, capsys):
    def warn():
        warnings.warn("the cache folder '/x' cannot be written to", CacheWarning, stacklevel=1)

    monkeypatch.setattr(main, "command_line", lambda only: warn)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    main.main()
    assert capsys.readouterr().err == "Warning: the cache folder '/x' cannot be written to\n"


def test_two_long_titles_do_not_share_a_folder():
    first = "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly for 4 weeks"
    second = "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly for 8 weeks"
    assert simulate.folder_name(first) != simulate.folder_name(second)
    assert simulate.folder_name("../../etc") == "etc"
    assert simulate.folder_name("...") == "run"


def test_help_does_not_wait_for_the_model():
    program = "import sys, ketamech.cli.main; print(sorted({'numba', 'sympy', 'xarray', 'pandas'} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [["schema"], ["evidence", "list", "--stage", "nmda"]])
def test_every_command_ends_with_the_disclaimer(command, tmp_path):
    ended = run(*command, cwd=tmp_path)
    assert ended.returncode == 0
    assert ended.stderr.endswith(f"{DISCLAIMER}\n")
    assert ended.stderr.count(DISCLAIMER) == 1
    assert DISCLAIMER not in run("--version", cwd=tmp_path).stderr


def test_in_a_pipe_each_table_after_the_first_has_its_title(monkeypatch):
    for _ in range(2):  # each stream by itself
        monkeypatch.setattr(sys, "stdout", out := io.StringIO())
        terminal.table([{"a": 1, "b": 2}], title="First")
        terminal.table([], title="Empty")
        terminal.table([{"a": 1, "b": 2}], title="Second")
        assert out.getvalue() == "a\tb\n1\t2\n\n# Second\na\tb\n1\t2\n"
