"""The page of claims: whole, offline, and the same numbers as the experiments."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ketamech.analysis.claims import evaluate_claims
from ketamech.core.constants import DISCLAIMER
from ketamech.report.claims_page import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    draw,
    write_claims,
)
from ketamech.report.svg_canvas import SvgGroup
from ketamech.report.time_axis import enclosing_steps
from scripts import pages


@pytest.fixture(scope="module")
def answers(model):
    return evaluate_claims(model)


@pytest.fixture(scope="module")
def page(answers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("claims")
    return write_claims(folder, answers)[0].read_text(encoding="utf-8")


class Balance(HTMLParser):
    """Counts tags that are opened and never closed."""

    void = ("meta", "link", "br", "img", "line", "circle", "path")

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        pass


def test_the_page_is_well_formed_and_fetches_nothing(page):
    parser = Balance()
    parser.feed(page)
    assert not parser.open
    assert not re.findall(r"""(?:src|@import|url)\s*[=(]""", page)
    assert "fetch(" not in page
    assert all("rel=" in tag for tag in re.findall(r'<a href="http[^>]*>', page))


def test_every_claim_has_a_live_figure_with_a_switch_for_each_curve(page, answers):
    articles = page.split("<article")[1:]
    assert len(articles) == len(answers)
    for article, answer in zip(articles, answers.values(), strict=True):
        curves = set(re.findall(r'data-curve="(\d)"', article))
        switches = re.findall(r'aria-pressed="true" data-toggle="(\d)"', article)
        assert set(switches) == curves
        assert len(switches) == len(answer.claim.figure.curves) >= 2
        assert re.search(r'role="img" aria-label="Model, .{40,}"', article)
        assert "<summary>The figure as a table</summary>" in article
    assert page.count(DISCLAIMER) >= 2


def test_a_figure_draws_the_numbers_of_its_run(answers):
    answer = answers["esketamine-no-dissociation"]
    drawing = draw(answer)
    number = [key.label for key in drawing.keys].index("Esketamine spray")
    spray = [shape for shape in drawing.canvas.shapes if isinstance(shape, SvgGroup)][number]
    assert spray.attributes == {"data-curve": number}
    frame, top = drawing.frame, min(path[:, 1].min() for path in spray.shapes[0].paths)
    peak = frame.low + (frame.bottom - top) / frame.height * (frame.high - frame.low)
    assert peak == pytest.approx(answer.test_results[0].value, rel=0.02)


def test_everything_drawn_lies_on_the_sheet(answers):
    for answer in answers.values():
        drawing = draw(answer)
        groups = [shape for shape in drawing.canvas.shapes if isinstance(shape, SvgGroup)]
        assert len(groups) == len(drawing.keys) + len(drawing.marks)
        for group in groups:
            points = np.concatenate([path for shape in group.shapes for path in shape.paths])
            assert (points.min(axis=0) >= [LEFT - 5, TOP - 5]).all(), answer.claim.id
            assert (points.max(axis=0) <= [WIDTH - RIGHT + 5, HEIGHT - BOTTOM + 5]).all(), answer.claim.id


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-17.3, 0), (0.97, 1.21), (3, 2000), (-0.002, 0.001)])
def test_steps_cover_the_range_with_round_numbers(low, high):
    steps = enclosing_steps(low, high)
    assert steps[0] <= low
    assert steps[-1] >= high
    assert 4 <= len(steps) <= 9


def test_evidence_is_cited_by_id_on_page_and_document(page, answers):
    text = pages.claims_page(answers)
    for answer in answers.values():
        for exhibit in answer.claim.evidence_items:
            assert f"<code>{exhibit.row.id}</code>" in page
            assert f"`{exhibit.row.id}`" in text


def test_the_limit_of_a_robust_conclusion_is_a_percentage():
    assert "Below 90 % the conclusion is marked" in pages.ROBUSTNESS_HEAD
