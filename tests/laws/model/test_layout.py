"""A layout says what a system holds, and survives being written down."""

import subprocess
import sys

import pytest

from ketamech.model.assemble import build_system
from ketamech.model.layout import SystemLayout
from toy_models import TABLE, kinetics


def test_a_layout_says_what_its_system_says(system):
    layout = system.layout
    for part in ("state_names", "output_names", "inputs", "parameter_names", "baseline_names", "fingerprint"):
        assert getattr(layout, part) == getattr(system, part)
    for part in ("units", "descriptions", "stage_of"):
        assert getattr(layout, part) == {name: getattr(system, part)[name] for name in layout.output_names}
    assert [(row.initial_guess, row.scale, row.bounds) for row in layout.states] == [
        (state.initial_guess, state.scale, state.bounds) for state in system.states
    ]


def test_what_is_fixed_is_not_in_the_layout():
    def fixed(m):
        m.constant(
            "fixed.size", m.parameter("toy.volume") / m.parameter("toy.other_volume"), "1", description="a ratio"
        )

    assert "fixed.size" not in build_system(TABLE, [kinetics, fixed]).layout.units


def test_a_layout_written_and_read_is_the_same(system):
    assert SystemLayout.from_json(system.layout.to_json()) == system.layout


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"states": 1}', "null"])
def test_what_is_no_layout_is_refused(text):
    with pytest.raises(ValueError):
        SystemLayout.from_json(text)


def test_a_layout_with_a_missing_cell_is_refused(system):
    with pytest.raises(ValueError, match="not a layout"):
        SystemLayout.from_json(system.layout.to_json().replace('"scale"', '"size"'))


def test_a_layout_needs_no_symbols():
    asked = "import sys, ketamech.model.layout; sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False, timeout=60).returncode == 0
