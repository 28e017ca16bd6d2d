"""The verdicts that the scorecards gave when they were last reviewed: everything that is not a pass, by id.

`PYTHONPATH=src python tests/laws/analysis/expected_verdicts.py` writes `expected_verdicts.csv` again. Review the
difference before committing it: a line that appears is a published number that the model no longer reaches.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

FILE = Path(__file__).with_suffix(".csv")
COLUMNS = ("table", "id", "verdict")
PASSES = {"scorecard": "inside", "criteria": "reached", "perturbations": "right", "predictions": "right"}


def scorecard_verdicts(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    """(table, id, verdict) of every row of the scorecard of the typical patient."""
    ids = rows.id + " " + rows.protocol + " " + rows.output
    return [("scorecard", name, verdict) for name, verdict in zip(ids, rows.verdict, strict=True)]


def criteria_verdicts(table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """(table, id, verdict) of every acceptance criterion that has a limit."""
    words = {True: "reached", False: "not reached"}
    limited = table[table.reached.notna()]
    return [("criteria", name, words[bool(value)]) for name, value in zip(limited.goal, limited.reached, strict=True)]


def perturbation_verdicts(lines: pd.DataFrame, table: str = "perturbations") -> list[tuple[str, str, str]]:
    """(table, id, verdict) of every reading of the perturbation scorecard, or of the `predictions` in it."""
    ids = lines.evidence + " " + lines.output + " " + lines.when + " " + lines.statistic
    return [(table, name, verdict) for name, verdict in zip(ids, lines.verdict, strict=True)]


def not_passed(verdicts: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """The verdicts that are no pass, sorted."""
    return sorted(line for line in verdicts if line[2] != PASSES[line[0]])


def counts(verdicts: Iterable[tuple[str, str, str]]) -> dict[str, int]:
    """Number of rows by verdict."""
    return dict(Counter(verdict for _, _, verdict in verdicts))


def expected(table: str) -> list[tuple[str, str, str]]:
    """The reviewed verdicts of one table that are no pass."""
    with FILE.open(encoding="utf-8", newline="") as stream:
        return [tuple(row[name] for name in COLUMNS) for row in csv.DictReader(stream) if row["table"] == table]


def main() -> None:
    """Run the three scorecards and write the file."""
    from ketamech.analysis.perturbation_scorecard import load_predictions, score_perturbations
    from ketamech.analysis.scorecard import scorecard
    from ketamech.simulation.model import load_model

    model = load_model()
    card = scorecard(model=model)
    verdicts = [
        *scorecard_verdicts(card.rows),
        *criteria_verdicts(card.criteria),
        *perturbation_verdicts(score_perturbations(model)),
        *perturbation_verdicts(score_perturbations(model, rows=load_predictions()), "predictions"),
    ]
    with FILE.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([COLUMNS, *not_passed(verdicts)])


if __name__ == "__main__":
    main()
