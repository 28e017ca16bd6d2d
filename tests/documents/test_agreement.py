"""The counts of compared rows in the limits of use: how they are made, and that they are those of the tables."""

import re

import pandas as pd
import pytest
from document_texts import ROOT

from ketamech.analysis.reference_protocols import load_protocols
from ketamech.analysis.scorecard_targets import fitted_rows, load_targets, load_uncovered, roles
from ketamech.evidence import load_evidence
from ketamech.parameters import load_parameters
from scripts import pages, publish


@pytest.fixture
def results(tmp_path):
    """Tables as `ketamech scorecard` writes them."""
    verdicts = ["inside", "inside", "near", "miss", "no result"]
    used = ["calibrate", "calibrate", "calibrate", "calibrate", "context"]
    independence = ["fitted", "independent", "independent", "same trial", "independent"]
    rows = pd.DataFrame({"verdict": verdicts, "use": used, "role": independence})
    rows.to_csv(tmp_path / "scorecard.csv", index=False)
    criteria = pd.DataFrame({"goal": ["peak", "area", "shown"], "reached": [True, False, None]})
    criteria.to_csv(tmp_path / "acceptance_criteria.csv", index=False)
    reasons = ["needs a population", "no such output", "needs a population"]
    pd.DataFrame({"reason": reasons}).to_csv(tmp_path / "uncovered.csv", index=False)
    return tmp_path


def test_the_sentences_count_rows_goals_and_reasons(results):
    text = pages.agreement(results)
    assert "5 published numbers are compared: 2 inside, 1 near, 2 missed." in text
    assert "4 of them have a source that can be opened" in text
    assert "only 2 belong to trials that set no value: 1 inside, 1 near, 0 missed." in text
    assert "Of 2 goals with bounds 1 are missed (area)." in text
    assert "3 further rows for calibration are not compared, 2 of them because they need a population" in text


def test_the_page_counts_the_rows_of_the_tables():
    """What does not depend on a simulation; the verdicts are those of the last `ketamech scorecard`."""
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    block = page.split(f"<!-- {publish.AGREEMENT_BLOCK}:")[1].split("<!-- end")[0]
    evidence, parameters = load_evidence(), load_parameters()
    targets = load_targets(evidence, load_protocols())
    names = [target.evidence for target in targets if evidence[target.evidence].use == "calibrate"]
    own = roles(names, evidence, fitted_rows(evidence, parameters)).count("independent")
    left = load_uncovered(evidence, targets)["reason"]
    counts = [len(targets), len(names), own, len(left), int((left == "needs a population").sum())]
    stated = re.search(
        r"(\d+) published.* (\d+) of them have a source.* only (\d+) belong.*\n(\d+) further.* (\d+) of them because",
        block,
    )
    assert list(map(int, stated.groups())) == counts
    inside, near, missed = map(int, re.search(r"compared: (\d+) inside, (\d+) near, (\d+) missed", block).groups())
    assert inside + near + missed == len(targets)
