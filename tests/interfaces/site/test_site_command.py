"""`ketamech site` writes the folder, and says what to install where the page is not installed."""

import importlib.util

from command_line import run


def test_the_command_writes_a_folder_and_its_size(tmp_path):
    ended = run("site", "--out", "web", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "web" / "index.html").exists()
    assert (tmp_path / "web" / "engine" / "kernel.wasm").read_bytes().startswith(b"\0asm")
    assert "compressed before the first figure" in ended.stderr


def test_a_missing_web_extra_is_named_before_anything_is_written(tmp_path, monkeypatch):
    installed = importlib.util.find_spec
    without = {"uvicorn": None, "fastapi": None}
    monkeypatch.setattr("ketamech.cli.terminal.find_spec", lambda name: without.get(name, installed(name)))
    ended = run("site", "--out", "web", cwd=tmp_path)
    assert ended.returncode == 2
    assert list(tmp_path.iterdir()) == []
    assert 'pip install "ketamech[web]"' in ended.stderr
