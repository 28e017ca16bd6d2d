"""Facts about a result (model hash, seed, versions, command line, papers) as comment lines at the head of a CSV."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

MARK = "# "
PAPERS = "ketamech papers"  # the keys of the papers whose numbers stand behind a result, joined by blanks


def csv_with_facts(table: pd.DataFrame, facts: Mapping[str, object]) -> str:
    """The table as CSV text below one line a fact: `# name: value`, read by pandas with comment="#"."""
    head = "".join(f"{MARK}{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in facts.items())
    return head + str(table.to_csv(index=False, lineterminator="\n"))


def facts_of_csv(path: Path) -> dict[str, object]:
    """The facts at the head of a CSV; none where it has no such lines."""
    found: dict[str, object] = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith(MARK):
                break
            name, _, value = line.removeprefix(MARK).partition(": ")
            try:
                found[name] = json.loads(value)
            except ValueError:
                continue
    return found
