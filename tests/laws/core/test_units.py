import pytest

from ketamech.core import InputError, closest_match, convert, unit


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (1.48, "L/min", "L/h", 88.8),
        (0.71, "micromolar", "umol/L", 0.71),
        (1, "nmol/mL", "umol/L", 1.0),
        (50, "percent", "1", 0.5),
        (10.9, "day", "h", 261.6),
        (112, "L/h/70kg", "L/h", 112),
        (150000, "1/M/s", "L/umol/h", 540.0),
    ],
)
def test_units_convert(value, source, target, expected):
    assert convert(value, source, target) == pytest.approx(expected, rel=1e-12)


def test_a_mass_becomes_an_amount_only_through_a_molar_mass():
    assert convert(237.73, "mg", "umol", molar_mass=237.73) == pytest.approx(1000.0)
    assert convert(0.42064526794, "umol/L", "ng/mL", molar_mass=237.73) == pytest.approx(100.0)
    with pytest.raises(InputError, match="molar mass"):
        convert(1, "mg", "umol")


def test_nonsense_is_not_a_unit():
    with pytest.raises(InputError, match="not a unit"):
        unit("furlongs of joy")


def test_points_and_pressures_do_not_mix():
    with pytest.raises(InputError):
        convert(1, "points", "mmHg")


def test_the_nearest_name_is_offered():
    assert closest_match("plasma.esketamin", ["plasma.esketamine", "brain.esketamine"]) == "plasma.esketamine"
    assert closest_match("zzzz", ["plasma.esketamine"]) is None


@pytest.mark.parametrize("text", ["5 kg", "10 mg", ",5 kg", "2mg"])
def test_a_quantity_is_not_a_unit(text):
    with pytest.raises(InputError, match="contains a number"):
        unit(text)


@pytest.mark.parametrize("text", ["1/h", "L/h/70kg", "L**2", "umol^-1", "1/uM/h"])
def test_exponents_and_reciprocals_are_units(text):
    assert unit(text).factor > 0
