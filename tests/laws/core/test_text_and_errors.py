"""Text of unknown origin, and the place that is added to an error."""

import pytest

from ketamech.core import InputError, UnknownNameError
from ketamech.core.atomic_files import read_text
from ketamech.core.errors import FRAME, nearest_names

NAMES = ("mood.madrs", "mood.expectancy_weight", "pain.expectancy_weight", "venous.ketamine", "plasma.s_norketamine",
         "plasma.r_norketamine", "memantine.clearance", "kinetics.intrinsic_clearance")  # fmt: skip


def test_a_place_is_added_to_an_error_that_has_none():
    bare = UnknownNameError("no such drug", key="DRUG", expected="a drug", nearest="esketamine", type_this="esketamine")
    placed = bare.at("doses.csv", 3)
    assert isinstance(placed, UnknownNameError)
    assert str(placed) == f"doses.csv:3: {bare}"
    assert placed.at("other.csv", 9) is placed


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"\xff\xfe", "not text"), (b"a\x00b", "not text"), (b"12345678", "too large"), (None, "cannot be read")],
)
def test_what_is_no_text_is_refused_with_what_was_expected(content, what, tmp_path):
    path = tmp_path / "some.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=what) as refused:
        read_text(path, "a dose table", most=7)
    assert refused.value.file == path
    assert "at most 7 bytes" in str(refused.value) or "a dose table" in str(refused.value)


def test_a_byte_order_mark_is_no_text(tmp_path):
    (tmp_path / "some.csv").write_bytes(b"\xef\xbb\xbfTIME")
    assert read_text(tmp_path / "some.csv", "a dose table") == "TIME"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("madrs", "mood.madrs"),
        ("expectancy_weight", "pain.expectancy_weight, mood.expectancy_weight"),
        ("plasma.norketamine", "plasma.s_norketamine, plasma.r_norketamine"),
        ("kinetics.clearance", "kinetics.intrinsic_clearance"),
        ("venous.norketamine", "plasma.s_norketamine, plasma.r_norketamine"),
        ("venous.ketamin", "venous.ketamine"),
        ("NK", "plasma.s_norketamine, plasma.r_norketamine"),
        ("venous.r-norket", "plasma.r_norketamine"),
        ("colour", None),
        ("memantine.claerance", "memantine.clearance"),
        ("memantine.ketamien", "venous.ketamine"),
        ("memantine.k_on", None),  # similar by its stage alone
    ],
)
def test_the_nearest_names_hold_the_words_of_a_wrong_name(name, nearest):
    found = nearest_names(name, NAMES)
    assert (found and set(found.split(", "))) == (nearest and set(nearest.split(", ")))


def test_an_error_of_a_table_in_memory_names_the_row():
    assert str(InputError("'x' is not a number", file=FRAME, line=3)) == "DataFrame, row 3: 'x' is not a number"
