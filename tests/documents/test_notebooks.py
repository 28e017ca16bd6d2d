"""Every notebook runs from top to bottom in an empty folder, draws, and says what to try next."""

import re
import runpy

import matplotlib
import pytest
from document_texts import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.py"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch, model):
    matplotlib.use("Agg")
    from matplotlib import pyplot

    drawn = []
    monkeypatch.setattr(pyplot, "show", lambda: drawn.append(pyplot.gcf()) or pyplot.close("all"))
    monkeypatch.chdir(tmp_path)
    with matplotlib.rc_context():
        runpy.run_path(str(path))
    assert drawn
    assert all(any(axes.has_data() for axes in figure.axes) for figure in drawn)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_teaches(path):
    text = path.read_text(encoding="utf-8")
    assert "not treatment or dosing advice" in text
    assert "## What to try next" in text
    assert f"notebooks/{path.name}" in (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^# %% \[markdown\]", text, flags=re.M)) >= 5


def test_there_are_seven():
    assert len(NOTEBOOKS) == 7
