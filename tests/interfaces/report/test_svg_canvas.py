"""The sheet: what is drawn is well-formed, says what it was told, and looks the same from fewer points."""

import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest

from ketamech.report.svg_canvas import Canvas, save_png, thinned
from ketamech.report.time_axis import Frame, TimeScale, round_steps

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def canvas():
    sheet = Canvas(200, 100)
    sheet.line([0, 50, np.nan, 100, 200], [10, 20, 30, 40, 50], dash=(4, 2), title="a <b> & 'c'")
    sheet.area([0, 100], [10, 20], 90, colour="#0072B2", opacity=0.2)
    sheet.box(1, 2, 3, 4, colour="#000000")
    for i, kind in enumerate("osD^vP"):
        sheet.mark(10 * i, 50, kind)
    sheet.text(12, 90, '<script>"&', bold=True, italic=True, halo=True, turn=90)
    return sheet


def test_user_text_is_never_executed(canvas):
    root = ElementTree.fromstring(canvas.svg(alt='"><script>'))
    assert root.get("aria-label") == '"><script>'
    assert [text.text for text in root.iter(f"{SVG}text")] == ['<script>"&']
    assert [title.text for title in root.iter(f"{SVG}title")] == ["a <b> & 'c'"]
    assert not list(root.iter(f"{SVG}script"))


def test_a_curve_breaks_where_it_is_not_known(canvas):
    way = next(ElementTree.fromstring(canvas.svg()).iter(f"{SVG}path")).get("d")
    assert way == "M0 10 50 20M100 40 200 50"


def test_a_curve_that_is_nowhere_known_draws_nothing():
    sheet = Canvas(10, 10)
    sheet.line([np.nan, np.nan], [1, 2])
    sheet.area([np.nan, np.nan], [1, 2], 0, colour="#000000")
    assert "<path" not in sheet.svg()


def test_the_same_sheet_gives_the_same_files(canvas, tmp_path):
    assert canvas.save(tmp_path / "a.svg") == (tmp_path / "a.svg").read_text(encoding="utf-8") == canvas.svg()
    for name in ("a.png", "b.png"):
        save_png(canvas, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_thinning_keeps_the_ends_and_every_peak():
    x = np.linspace(0, 500, 20_000)
    y = np.sin(x / 30) * 20
    y[7777], y[12345] = 50, -50
    kept = thinned(np.column_stack([x, y]))
    assert len(kept) < 6000
    assert (kept[0] == [x[0], y[0]]).all()
    assert (kept[-1] == [x[-1], y[-1]]).all()
    assert (kept[:, 1].max(), kept[:, 1].min()) == (50, -50)
    assert np.max(np.abs(np.interp(kept[:, 0], x, y) - kept[:, 1])) == 0
    assert np.all(np.diff(kept[:, 0]) > 0)


def test_a_short_curve_is_drawn_point_by_point():
    points = np.column_stack([np.arange(100.0), np.arange(100.0)])
    assert thinned(points) is points


@pytest.mark.parametrize(
    ("low", "high", "steps"),
    [(0, 1, [0, 0.25, 0.5, 0.75, 1]), (-0.3, 33, [0, 10, 20, 30]), (1e-6, 4.1e-6, [1e-6, 2e-6, 3e-6, 4e-6])],
)
def test_steps_are_round(low, high, steps):
    assert round_steps(low, high) == pytest.approx(steps)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (np.nan, 1), (2, 1)])
def test_no_range_has_no_steps(low, high):
    assert round_steps(low, high) == []


@pytest.mark.parametrize("logarithmic", [True, False])
def test_a_frame_places_the_first_and_the_last_moment_at_its_edges(logarithmic):
    frame = Frame(100, 10, 400, 50, TimeScale(logarithmic, 672.0), 0.0, 2.0)
    hours = np.array([-1.0, 1 / 60 if logarithmic else 0.0, 24.0, 672.0, 700.0])
    x = frame.x(hours)
    assert np.isnan(x[[0, 4]]).all()
    assert x[[1, 3]] == pytest.approx([100, 500])
    assert 100 < x[2] < 500
    assert frame.at(24.0) == pytest.approx(x[2])
    assert frame.y(np.array([0.0, 2.0])) == pytest.approx([60, 10])


def test_shapes_of_a_group_share_its_attributes_in_svg_and_are_drawn_in_png(tmp_path):
    canvas = Canvas(40, 20)
    with canvas.group(data_curve=1):
        canvas.line((0, 10), (0, 10), title="a < b")
        canvas.mark(5, 5)
    canvas.line((0, 10), (10, 0))
    assert re.search(
        r'<g data-curve="1"><path [^>]*><title>a &lt; b</title></path><path [^>]*></path></g>', canvas.svg()
    )
    save_png(canvas, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 100


@pytest.mark.parametrize(
    ("horizon", "first", "last"), [(4, "0 h", "4 h"), (72, "0 h", "72 h"), (168, "day 0", "day 7")]
)
def test_a_short_even_axis_is_labelled_in_hours_and_a_long_one_in_days(horizon, first, last):
    places, texts = TimeScale(False, horizon).ticks()
    assert (texts[0], texts[-1]) == (first, last)
    assert (places[0], 24 * places[-1]) == (0, horizon)
    assert 4 <= len(places) <= 10


def test_words_of_the_clock_do_not_touch_each_other():
    said = []
    canvas = mock.Mock(text=lambda x, y, text, **look: said.append((x, text, look)))
    Frame(0.0, 0.0, 250.0, 90.0, TimeScale(True, 2016.0)).draw_axes(canvas)
    shift = {"right": 1.0, "center": 0.5, "left": 0.0}
    edges = sorted((x - shift[look["anchor"]] * 4 * len(text), 4 * len(text)) for x, text, look in said)
    assert all(left + wide < after for (left, wide), (after, _) in pairwise(edges))
    assert {"1 min", "1 d", "12 wk"} <= {text for _, text, _ in said}
    assert "4 wk" not in {text for _, text, _ in said}
