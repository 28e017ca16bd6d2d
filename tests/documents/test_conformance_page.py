"""Results of public test suites on the pages: how they are written, and that the counts are those of the cases."""

import re

import pytest
from document_texts import ROOT

from ketamech.core import InputError
from scripts.conformance_page import COLLECTIONS, conformance_page, counts_table, read_runs

EXCHANGE, CASES = (
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("exchange", "conformance")
)  # fmt: skip
RESULTS = "case,result,reason\none,passed,\ntwo,wrong,x is 1\nthree,refused,a | b\nfour,not applicable,chaos\n"


@pytest.fixture
def folder(tmp_path):
    for name in COLLECTIONS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "cases.csv").write_text(
            RESULTS if name == "petab-v1" else "case,result,reason\none,passed,\n"
        )
    return tmp_path


def test_every_result_is_counted_and_every_case_that_did_not_pass_is_named(folder):
    runs = read_runs(folder)
    assert f"| {COLLECTIONS['petab-v1']} | 4 | 1 | 1 | 0 | 0 | 1 | 1 | 33.3 % |" in counts_table(runs)
    page = conformance_page(runs)
    assert "| `two` | wrong | x is 1 |" in page
    assert "| `three` | refused | a \\| b |" in page
    assert page.count("All cases passed.") == len(COLLECTIONS) - 1


def test_a_missing_collection_is_named(folder):
    (folder / "biomodels" / "cases.csv").unlink()
    with pytest.raises(InputError, match="no results of 'biomodels'"):
        read_runs(folder)


@pytest.mark.parametrize("title", COLLECTIONS.values())
def test_the_counts_are_those_of_the_named_cases(title):
    cases, passed, *others = map(
        int, re.search(rf"^\| {re.escape(title)} \|((?: \d+ \|)+)", EXCHANGE, re.M)[1].split("|")[:-1]
    )
    section = CASES.split(f"## {title}\n")[1].split("\n## ")[0]
    assert passed + sum(others) == cases
    assert len(re.findall(r"^\| `", section, re.M)) == sum(others)
