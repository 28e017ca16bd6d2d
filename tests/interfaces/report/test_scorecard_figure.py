"""The scorecard's picture and files: every miss is named, nothing is dropped."""

import pandas as pd
import pytest

from ketamech.report.palette import BACKGROUND
from ketamech.report.scorecard_figure import MARKS, scorecard_figure, write_scorecard
from ketamech.report.svg_canvas import Shape, SvgText, save_png


class Card:
    """A small scorecard with one row of each kind."""

    rows = pd.DataFrame(
        [
            ("good", "pk", "a", "fold", 0.1, float("nan"), 0.4, "inside", 1.1),
            ("planted-miss", "pk", "a", "fold", 2.5, float("nan"), 11.0, "miss", 12.0),
            ("far-z", "mood", "b", "z", float("nan"), 4.0, 2.0, "miss", 3.0),
            ("wrong-way", "synapse", "c", "sign", float("nan"), float("nan"), 3.0, "miss", 0.9),
            (
                "no-number",
                "synapse",
                "c",
                "fold",
                float("nan"),
                float("nan"),
                float("nan"),
                "no result",
                float("nan"),
            ),
        ],
        columns=["id", "stage", "reference", "comparison", "log_fold", "z", "distance", "verdict", "simulated"],
    ).assign(
        citation="Someone 2020 Journal 1:1",
        published=1.0,
        expected="",
        fitted=[True, False, False, False, True],
    )
    by_source = criteria = uncovered = pd.DataFrame({"n": [1]})


def test_a_long_source_and_a_long_remark_are_wrapped_and_make_their_line_higher(tmp_path):
    long = "Someone and others 2020 Journal of " + "very " * 30 + "long titles 1:1"
    rows = Card.rows.assign(citation=long, expected="between " + "one and " * 20 + "two")
    figure = scorecard_figure(rows)
    texts = [shape for shape in figure.shapes if isinstance(shape, SvgText)]
    assert long in " ".join(text.text for text in texts if text.x == 22)
    assert figure.height > scorecard_figure(Card.rows).height
    save_png(figure, tmp_path / "long.png")
    assert "Someone" in figure.svg()


@pytest.mark.filterwarnings("error")
def test_every_source_with_a_miss_names_its_worst_row():
    texts = " ".join(shape.text for shape in scorecard_figure(Card.rows).shapes if isinstance(shape, SvgText))
    for name in ("planted-miss", "far-z", "no-number"):
        assert name in texts
    assert "good" not in texts


def test_every_row_has_its_mark():
    marks = [shape for shape in scorecard_figure(Card.rows).shapes if isinstance(shape, Shape) and shape.title]
    assert sorted(mark.title.split(":")[0] for mark in marks) == sorted(Card.rows.id)
    for mark, row in ((m, Card.rows.set_index("id").loc[m.title.split(":")[0]]) for m in marks):
        assert mark.stroke == MARKS[row.verdict][1]
        assert (mark.fill == BACKGROUND) == row.fitted


def test_the_files(tmp_path):
    paths = write_scorecard(tmp_path / "card", Card(), png=True)
    assert {p.name for p in paths} == {
        *("scorecard.csv", "by_source.csv", "acceptance_criteria.csv", "uncovered.csv"),
        *("scorecard.png", "scorecard.svg"),
    }
    assert all(p.stat().st_size for p in paths)
    assert list(pd.read_csv(tmp_path / "card" / "scorecard.csv").id)[:2] == ["no-number", "planted-miss"]
