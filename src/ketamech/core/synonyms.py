"""Words that people type for words in the names of outputs and parameters, for keys and for scales (data/synonyms)."""

from __future__ import annotations

from functools import cache

from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA

FOLDER = DATA / "synonyms"


@cache
def synonyms() -> dict[str, tuple[str, ...]]:
    """{word: words of names} in lower case. Raises InputError for a word without a meaning."""
    return _read("synonyms.csv")


@cache
def key_synonyms() -> dict[str, tuple[str, ...]]:
    """{word: keys of scenario and trial files} in lower case. Raises InputError for a word without a meaning."""
    return _read("keys.csv")


@cache
def scale_synonyms() -> dict[str, tuple[str, ...]]:
    """{word: rating scales} in lower case; several are forms of one scale. Raises InputError as the others."""
    return _read("scales.csv")


def _read(name: str) -> dict[str, tuple[str, ...]]:
    rows = read_table(FOLDER / name, ("word", "means", "why"))
    for row in rows:
        row.required("means", "words of names")
    return {row.required("word", "an abbreviation").lower(): row.listed("means") for row in rows}
