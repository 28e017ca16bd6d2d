"""Results of public test suites on the pages of the documentation; `scripts/publish.py` writes them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.conformance import OTHER, PASSED, RESULT_ORDER
from ketamech.core import InputError
from ketamech.report.number_format import markdown_table
from scripts.pages import WRITTEN

COLLECTIONS = {  # folder of a run: what was run
    "sbml-suite": "SBML semantic test cases, all",
    "biomodels": "BioModels, 200 random models, within 1e-4 of libRoadRunner up to 99.7 units of time",
    "petab-v1": "PEtab test suite, version 1",
    "petab-v2": "PEtab test suite, version 2, SBML",
}
INTRODUCTION = f"""# Cases of public test suites

{WRITTEN} from `python -m benchmarks conformance`; do not edit.

Each case that did not pass, and why; [exchange formats](exchange.md) has the counts and what is read.
"""


def read_runs(folder: Path) -> dict[str, pd.DataFrame]:
    """The results [case, result, reason] of each collection. Raises InputError if one is missing."""
    paths = {name: folder / name / "cases.csv" for name in COLLECTIONS}
    for name, path in paths.items():
        if not path.is_file():
            raise InputError(f"no results of '{name}'", file=path, expected="python -m benchmarks conformance --out")
    return {name: pd.read_csv(path, dtype=str).fillna("") for name, path in paths.items()}


def counts_table(runs: dict[str, pd.DataFrame]) -> str:
    """Number of cases of each collection by result."""
    rows = []
    for name, cases in runs.items():
        number = cases["result"].value_counts()
        applicable = len(cases) - number.get(OTHER, 0)
        share = f"{100 * number.get(PASSED, 0) / applicable:.1f} %"
        rows.append((COLLECTIONS[name], len(cases), *(number.get(result, 0) for result in RESULT_ORDER), share))
    return markdown_table(("collection", "cases", *RESULT_ORDER, "passed of the applicable"), rows)


def conformance_page(runs: dict[str, pd.DataFrame]) -> str:
    """Every case that did not pass with its result and reason, as Markdown."""
    sections = [INTRODUCTION]
    for name, cases in runs.items():
        others = cases[cases["result"] != PASSED]
        rows = [(f"`{row.case}`", row.result, row.reason.replace("|", "\\|")) for row in others.itertuples()]
        shown = markdown_table(("case", "result", "reason"), rows) if rows else "All cases passed."
        sections.append(f"## {COLLECTIONS[name]}\n{shown}\n")
    return "\n".join(sections)
