"""Reading level of the plain text of the story: Flesch-Kincaid grade, SMOG and Dale-Chall of each chapter and of all.

    python scripts/reading_level.py

Needs textstat. Exits with 1 where a chapter is above a bound: grade 8, SMOG 9, Dale-Chall 8.
"""

import sys

import textstat

from ketamech.app.routes.metadata import load_story_texts

BOUNDS = {"Flesch-Kincaid": 8, "SMOG": 9, "Dale-Chall": 8}


def plain_texts() -> dict[str, str]:
    """What a reader of the plain level reads, by chapter: paragraphs, and the words around a guess."""
    tables = load_story_texts()
    found: dict[str, list[str]] = {}
    for row in tables["paragraphs"]:
        if row["level"] in ("plain", "every"):
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
    """Print the table; 1 where a chapter is above a bound."""
    texts = plain_texts()
    levels = {name: reading_level(text) for name, text in {**texts, "all": " ".join(texts.values())}.items()}
    for name, found in levels.items():
        marks = (f"{kind} {value:4.1f}{' *' if value > BOUNDS[kind] else '  '}" for kind, value in found.items())
        print(f"{name:14}", " ".join(marks))
    return int(any(value > BOUNDS[kind] for found in levels.values() for kind, value in found.items()))


if __name__ == "__main__":
    sys.exit(main())
