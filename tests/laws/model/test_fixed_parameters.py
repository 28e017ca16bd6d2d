import pytest

from ketamech.core import ModelError
from ketamech.model.assemble import build_system
from toy_models import TABLE, kinetics


def test_what_is_fixed_for_a_person_is_no_curve():
    def fixed(m):
        size = m.constant(
            "fixed.size", m.parameter("toy.volume") / m.parameter("toy.other_volume"), "1", description="a ratio"
        )
        m.output("fixed.scaled", size * m.input("kinetics.concentration", "umol/L"), "umol/L")

    system = build_system(TABLE, [kinetics, fixed])
    assert "fixed.size" not in system.output_names
    assert "fixed.scaled" in system.output_names


def test_a_fixed_quantity_may_not_move():
    def wrong(m):
        m.constant("wrong.level", m.input("kinetics.concentration", "umol/L"), "umol/L", description="moves")

    with pytest.raises(ModelError, match=r"changes with kinetics.concentration"):
        build_system(TABLE, [kinetics, wrong])
