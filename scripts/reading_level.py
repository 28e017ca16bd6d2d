"""Reading level of the plain text of the story: Flesch-Kincaid grade, SMOG and Dale-Chall of each chapter and of all.

    python scripts/reading_level.py

Needs textstat. Exits with 1 where the whole is outside the bounds: grade 6 to 8, SMOG at most 9, Dale-Chall at most 8.
"""

import sys

import textstat

from ketamech.app.routes.metadata import load_story_texts

BOUNDS = {"Flesch-Kincaid": (6, 8), "SMOG": (0, 9), "Dale-Chall": (0, 8)}


def plain_texts() -> dict[str, str]:
    """What a reader of the plain level reads, by chapter: paragraphs, and the words around a guess."""
    tables = load_story_texts()
    found: dict[str, list[str]] = {}
    for row in tables["paragraphs"]:
        if row["level"] == "plain":
            found.setdefault(str(row["chapter"]), []).append(str(row["text"]))
    for row in tables["guesses"]:
        found[str(row["chapter"])].append(f"{row['question']} {row['hint']} {row['lesson']}")
    return {chapter: " ".join(texts) for chapter, texts in found.items()}


def reading_level(text: str) -> dict[str, float]:
    """Grade of school (Flesch-Kincaid, SMOG) and score of unfamiliar words (Dale-Chall)."""
    return {
        "Flesch-Kincaid": textstat.flesch_kincaid_grade(text),
        "SMOG": textstat.smog_index(text),
        "Dale-Chall": textstat.dale_chall_readability_score(text),
    }


def main() -> int:
    """Print the table; 1 where the whole is outside the bounds."""
    texts = plain_texts()
    whole = reading_level(" ".join(texts.values()))
    for name, levels in {**{name: reading_level(text) for name, text in texts.items()}, "all": whole}.items():
        print(f"{name:14}", "  ".join(f"{kind} {value:4.1f}" for kind, value in levels.items()))
    return int(not all(low <= whole[kind] <= high for kind, (low, high) in BOUNDS.items()))


if __name__ == "__main__":
    sys.exit(main())
