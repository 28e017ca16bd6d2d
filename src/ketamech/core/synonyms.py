"""Words that people type for words in the names of outputs and parameters (data/synonyms)."""

from __future__ import annotations

from functools import cache

from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA

FILE = DATA / "synonyms" / "synonyms.csv"


@cache
def synonyms() -> dict[str, tuple[str, ...]]:
    """{word: words of names} in lower case. Raises InputError for a word without a meaning."""
    rows = read_table(FILE, ("word", "means", "why"))
    for row in rows:
        row.required("means", "words of names")
    return {row.required("word", "an abbreviation").lower(): row.listed("means") for row in rows}
