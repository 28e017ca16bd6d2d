"""Words that people type for words in the names of outputs and parameters, for keys and for scales (data/synonyms)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA

FOLDER = DATA / "synonyms"
COLUMNS, KEY_COLUMNS = ("word", "means", "why"), ("word", "means", "keeps_value", "why")


@cache
def synonyms() -> dict[str, tuple[str, ...]]:
    """{word: words of names} in lower case. Raises InputError for a word without a meaning."""
    return _read("synonyms.csv")


@dataclass(frozen=True)
class KeySynonym:
    """The keys of scenario and trial files for which a word is typed, and those under which its value may stand."""

    keys: tuple[str, ...]
    keeps_value: tuple[str, ...]


@cache
def key_synonyms() -> dict[str, KeySynonym]:
    """Words that are typed for keys, in lower case. Raises InputError for a word without a meaning."""
    rows = {row["word"].lower(): row for row in read_table(FOLDER / "keys.csv", KEY_COLUMNS)}
    keys = _read("keys.csv", KEY_COLUMNS)
    return {word: KeySynonym(keys[word], row.listed("keeps_value")) for word, row in rows.items()}


@cache
def scale_synonyms() -> dict[str, tuple[str, ...]]:
    """{word: rating scales}; several are forms of one scale. Words are in lower case without hyphens and blanks.

    Raises InputError as the others.
    """
    return _read("scales.csv")


def _read(name: str, columns: tuple[str, ...] = COLUMNS) -> dict[str, tuple[str, ...]]:
    rows = read_table(FOLDER / name, columns)
    for row in rows:
        row.required("means", "words of names")
    return {row.required("word", "an abbreviation").lower(): row.listed("means") for row in rows}
