"""Figures of a trial: arms in the order of the file, each with a style of its own."""

from types import SimpleNamespace

import pandas as pd
import pytest
from matplotlib.colors import to_hex

from ketamech.report.palette import bar_style, line_style
from ketamech.report.style import draw
from ketamech.report.trial_folder import change_figure, power_figure, response_figure

ARMS = ["zeta", "eta", "placebo", "alpha", "mu", "beta", "midazolam", "oral"]
BARS = "95 % interval"
RANDOMISED = sorted(ARMS)  # the order of the tables, another than that of the file


def rows(**columns):
    return pd.DataFrame([{"arm": arm, "visit": f"{h} h", "hour": h, **columns} for arm in RANDOMISED for h in (0, 24)])


@pytest.fixture
def analysis():
    means = rows(n=10, change=-5.0, low=-7.0, high=-3.0)
    shares = rows(response=0.5, response_low=0.3, response_high=0.7, remission=0.2)
    return SimpleNamespace(means={"MADRS": means}, shares={"MADRS": shares}, primary=pd.DataFrame())


def drawn(tmp_path, make):
    kept = []
    draw(tmp_path, "figure", lambda: kept.append(make()) or kept[0])
    return kept[0].axes[0]


def legend(axes):
    """Names by row and column of the legend, as they are read."""
    names = [text.get_text().partition(" (")[0] for text in axes.get_legend().get_texts()]
    columns = 4
    return [name for row in range(len(names) // columns) for name in names[row :: len(names) // columns]]


def test_curves_and_bars_have_the_order_of_the_file(tmp_path, analysis):
    change = drawn(tmp_path, lambda: change_figure(analysis, "Trial", ARMS, BARS))
    response = drawn(tmp_path, lambda: response_figure(analysis, "Trial", ARMS, BARS))
    assert legend(change) == legend(response) == ARMS
    x = [line.get_xdata()[0] for line, *_ in (curve.lines for curve in change.containers)]
    assert x == sorted(x)
    first_bars = [bars[0] for bars in response.containers if hasattr(bars, "patches")][::2]
    assert [bar.get_x() for bar in first_bars] == sorted(bar.get_x() for bar in first_bars)


def test_an_arm_has_one_colour_in_all_figures(tmp_path, analysis):
    power = pd.DataFrame({"arm": RANDOMISED, "patients_per_arm": 10, "power": 0.3, "low": 0.2, "high": 0.4})
    compared = power[power["arm"] != "placebo"]
    colours = []
    for make in (
        lambda: change_figure(analysis, "Trial", ARMS, BARS),
        lambda: power_figure(compared, "Trial", ARMS),
    ):
        axes = drawn(tmp_path, make)
        lines = {curve.get_label().partition(" (")[0]: curve.lines[0] for curve in axes.containers}
        colours.append({name: (to_hex(line.get_color()), line.get_linestyle()) for name, line in lines.items()})
    assert len(colours[0]) == 8
    assert {name: colours[0][name] for name in colours[1]} == colours[1]
    assert len(set(colours[0].values())) == 8


def test_twenty_lines_and_bars_differ():
    for style in (line_style, bar_style):
        assert len({tuple(style(k).values()) for k in range(20)}) == 20
    first = [line_style(k) for k in range(8)]
    assert len({style["color"] for style in first}) == 8
    assert [style["ls"] for style in first] == ["-"] * 7 + ["--"]
