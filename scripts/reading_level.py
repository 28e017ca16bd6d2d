"""Reading level of the plain text: Flesch-Kincaid grade, SMOG and Dale-Chall of each chapter, the summary and all.

    python scripts/reading_level.py

Needs textstat. Exits with 1 where a chapter is above a bound: grade 8, SMOG 9, Dale-Chall 8.
"""

import re
import sys

import textstat

from ketamech.app.routes.metadata import TableRow, load_story_texts

BOUNDS = {"Flesch-Kincaid": 8, "SMOG": 9, "Dale-Chall": 8}
# Numbers of the summary, in words: numerals are familiar words of Dale and Chall, and textstat counts them as hard.
SUMMARY_VALUES = {name: "ten" for name in ("before", "score", "without")} | {
    name: "ten of a hundred" for name in ("sites", "blocked_interneuron")
}
CHANGE = "ten percent more"


def plain_texts() -> dict[str, str]:
    """What a reader of the plain level reads, by chapter: paragraphs, and the words around a guess."""
    tables = load_story_texts()
    found: dict[str, list[str]] = {}
    for row in tables["paragraphs"]:
        if row["level"] in ("plain", "every"):
            found.setdefault(str(row["chapter"]), []).append(str(row["text"]))
    for row in tables["guesses"]:
        found[str(row["chapter"])].append(f"{row['question']} {row['hint']} {row['lesson']}")
    found["summary"] = summary_texts(tables["summary"], [str(row["by"]) for row in tables["ways"]])
    return {chapter: " ".join(texts) for chapter, texts in found.items()}


def summary_texts(rows: list[TableRow], ways: list[str]) -> list[str]:
    """The statements of the summary, each with its numbers, and once for each way that it can name."""
    texts = [re.sub(r"\d+", "ten", str(row["text"])) for row in rows]
    filled = [re.sub(r"{(?!way})(\w+)}", lambda name: SUMMARY_VALUES.get(name[1], CHANGE), text) for text in texts]
    return [text.replace("{way}", way) for text in filled for way in (ways if "{way}" in text else ways[:1])]


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
