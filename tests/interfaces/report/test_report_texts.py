"""Times and numbers as people say them."""

import pytest

from ketamech.report.number_format import hours_in_words, number, sentence_case, signed, stage_in_words


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (0, "the start"),
        (38 / 60, "38 min"),
        (2, "2 h"),
        (2.34, "2.3 h"),
        (24, "24 h"),
        (60, "2.5 d"),
        (28 * 24, "28 d"),
    ],
)
def test_times_read_like_speech(hours, words):
    assert hours_in_words(hours) == words


def test_numbers_keep_three_digits_and_a_true_minus_sign():
    assert [number(x) for x in (0, 1.4159, 225.4, -8.13, 0.0421, float("nan"))] == [
        "0",
        "1.42",
        "225",
        "−8.13",
        "0.0421",
        "n/a",
    ]
    assert signed(2.5) == "+2.50"


def test_names_begin_as_the_field_writes_them():
    assert [stage_in_words(name) for name in ("nmda", "memantine", "ampa")] == ["NMDA", "Memantine", "AMPA"]
    assert [sentence_case(words) for words in ("mTORC1 above rest", "share of cells", "IL-6")] == [
        "mTORC1 above rest", "Share of cells", "IL-6",
    ]  # fmt: skip
