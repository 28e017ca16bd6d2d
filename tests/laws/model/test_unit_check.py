import pytest

from ketamech.core import ModelError, UnitError, UnknownNameError
from ketamech.model.assemble import build_system
from toy_models import TABLE, kinetics, response


def test_the_toy_passes():
    assert build_system(TABLE, [kinetics, response]).output_names[-1] == "response.rise"


def test_a_sum_of_different_units_is_underlined():
    def wrong(m):
        x = m.state("wrong.level", "1")
        m.rate(x, m.parameter("toy.turnover") * (x + m.parameter("toy.half")), because="a slip")

    with pytest.raises(UnitError) as clash:
        build_system(TABLE, [wrong])
    text = str(clash.value)
    assert "stage 'wrong'" in text
    assert "a slip" in text
    assert "umol/L" in text
    line, underline = text.splitlines()[-2:]
    start = underline.index("~")
    assert line[start : start + underline.count("~")] in ("toy.half", "wrong.level")


def test_a_rate_must_be_per_hour():
    def wrong(m):
        x = m.state("wrong.level", "1")
        m.rate(x, -m.parameter("toy.gain") * x, because="forgot the rate constant")

    with pytest.raises(UnitError, match=r"gives 1 where 1/h is expected"):
        build_system(TABLE, [wrong])


def test_an_exponent_must_be_a_number():
    from ketamech.model.functions import exp

    def wrong(m):
        m.output("wrong.output", exp(m.parameter("toy.half")), "1")

    with pytest.raises(UnitError, match="pure number"):
        build_system(TABLE, [wrong])


def test_a_hill_half_point_must_match():
    from ketamech.model.functions import hill

    def wrong(m):
        m.output("wrong.output", hill(m.parameter("toy.volume"), m.parameter("toy.half"), 1), "1")

    with pytest.raises(UnitError, match="half point"):
        build_system(TABLE, [wrong])


def test_a_need_in_another_unit_clashes():
    def wrong(m):
        m.output("wrong.output", m.input("kinetics.concentration", "umol"), "umol")

    with pytest.raises(UnitError, match=r"needs 'kinetics\.concentration' in umol"):
        build_system(TABLE, [kinetics, wrong])


def test_an_input_that_no_stage_declares_names_the_nearest():
    def wrong(m):
        m.output("wrong.output", m.input("kinetics.concentrations", "umol/L"), "umol/L")

    with pytest.raises(ModelError, match=r"nearest: 'kinetics.concentration'"):
        build_system(TABLE, [kinetics, wrong])


def test_a_loop_of_offers_is_refused():
    def one(m):
        m.output("one.a", m.input("two.b", "1"), "1")

    def two(m):
        m.output("two.b", m.input("one.a", "1"), "1")

    with pytest.raises(ModelError, match="loop"):
        build_system(TABLE, [one, two])


def test_an_unknown_parameter_names_the_nearest():
    def wrong(m):
        m.parameter("toy.clearence")

    with pytest.raises(UnknownNameError, match=r"toy\.clearance"):
        build_system(TABLE, [wrong])


def test_a_stage_may_not_change_another_stages_state():
    def wrong(m):
        m.rate(m.input("kinetics.central", "umol"), 0, because="meddling")

    with pytest.raises(ModelError, match="does not declare"):
        build_system(TABLE, [kinetics, wrong])
