"""The demo ends with what to type next, also where the shell does not find the command."""

import sys

from ketamech.cli import demo


def installed(folder, *names):
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in names:
        (folder / ".venv" / "bin" / name).write_text("")
    return str(folder / ".venv" / "bin" / "python")


def test_a_command_that_is_found_is_typed_as_it_is(monkeypatch):
    monkeypatch.setattr(demo.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert demo.next_command() == 'Next, type:  ketamech simulate "racemic 0.5 mg/kg IV over 40 min"'


def test_a_command_in_an_environment_that_is_not_active_says_how_to_reach_it(tmp_path, monkeypatch):
    monkeypatch.setattr(demo.shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "executable", installed(tmp_path, "ketamech", "activate"))
    monkeypatch.chdir(tmp_path)
    first, second = demo.next_command().splitlines()
    assert first.startswith("Next, type:  source .venv/bin/activate  and then  ketamech simulate ")
    assert second.startswith("or, without activation:  .venv/bin/ketamech simulate ")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert f"source {tmp_path}/.venv/bin/activate" in demo.next_command()
