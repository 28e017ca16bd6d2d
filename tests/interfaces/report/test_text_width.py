"""Widths of letters against the font that draws them, wrapping, and the look at the texts of written figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from ketamech.report.svg_canvas import Canvas, save_png
from ketamech.report.text_width import text_width, wrapped


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize(
    "text", ["Simulated against published", "0.5 mg/kg IV over 40 min, (2R,6R)-HNK; 100 %", "µmol/L × 10⁻³ ≤ Ångström"]
)
def test_the_width_of_a_text_is_that_of_the_font(text, bold):
    font = FontProperties(family="DejaVu Sans", size=100, weight="bold" if bold else "normal")
    measured = sum(TextToPath().get_text_width_height_descent(letter, font, False)[0] for letter in text)
    assert text_width(text, 100, bold=bold) == pytest.approx(measured, rel=0.002)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=382), max_size=200), st.floats(10, 300))
def test_no_line_is_wider_than_its_limit_and_no_letter_is_lost(text, width):
    lines = wrapped(text, width, 8)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(text_width(line, 8) <= width for line in lines if len(line) > 1)


@pytest.mark.parametrize(
    ("x", "text", "fault"),
    [(150, "beyond the edge", "outside"), (5, "shortened ...", "cut"), (60, "covers another", "covered")],
)
def test_a_cut_text_and_a_text_beyond_the_edge_are_found(x, text, fault, figures_with_whole_texts, tmp_path):
    canvas = Canvas(200, 100)
    canvas.text(x, 50, text)
    if fault == "covered":
        canvas.text(x - 20, 50, "another one")
    canvas.save(tmp_path / "a.svg")
    save_png(canvas, tmp_path / "a.png")
    figure = Figure(figsize=(2, 1))
    figure.text(x / 200, 0.5, text, size=9)
    if fault == "covered":
        figure.text(x / 200 - 0.1, 0.5, "another one", size=9)
    figure.savefig(tmp_path / "b.svg")
    found = [text.split(": ")[:2] for text in figures_with_whole_texts]
    figures_with_whole_texts.clear()
    assert found == [["canvas", fault], ["a.png", fault], ["b.svg", fault]]
