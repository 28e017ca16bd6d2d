"""Lists of numbers and names as options of commands."""

import pytest

from ketamech.cli.options import listed_names, listed_numbers
from ketamech.core import InputError
from ketamech.core.csv_table import parts


def test_numbers_are_joined_by_commas_or_blanks():
    assert listed_numbers("0, 2,24 672,", "--times", "0, 2") == [0, 2, 24, 672]
    assert listed_numbers("1e-3", "--times", "0, 2") == [0.001]


@pytest.mark.parametrize("text", ["", " , ", "1, x", "nan", "1, inf", "1; 2"])
def test_anything_else_is_refused_with_what_to_type(text):
    with pytest.raises(InputError, match="is not a list of numbers") as caught:
        listed_numbers(text, "--times", "0, 2")
    assert "--times '0, 2'" in str(caught.value)


def test_numbers_that_must_be_positive():
    assert listed_numbers("0", "--times", "0, 2") == [0]
    with pytest.raises(InputError, match="positive numbers"):
        listed_numbers("0, 1", "--doses", "1, 2", positive=True)


def test_names_and_parts_lose_blanks_and_empty_parts():
    assert listed_names("mood.madrs, mood.madrs,,nmda.occupancy") == ("mood.madrs", "nmda.occupancy")
    assert parts(" a;b ;; c=1 ") == ("a", "b", "c=1")
    assert parts("", ",") == ()
