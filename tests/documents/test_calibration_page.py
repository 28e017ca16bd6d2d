"""The page on the calibration shows every shipped diagnostic of the shipped posterior, with its pictures."""

from __future__ import annotations

import re

import pytest
from document_texts import documents

from ketamech.calibration.calibration_problem import load_estimated
from ketamech.calibration.clinical_targets import DIRECTORY
from ketamech.calibration.published_arms import published_arms
from ketamech.exchange.result_metadata import read_csv_metadata
from ketamech.report import calibration_report as tables
from ketamech.report.calibration_report import ARMS
from ketamech.trials.posterior_draws import load_posterior, posterior_hash


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    from makers.calibration import write_calibration

    folder = tmp_path_factory.mktemp("made")
    return folder, write_calibration(folder)["credibility/calibration"]


def test_diagnostics_belong_to_the_shipped_posterior():
    mark = posterior_hash(load_posterior())
    for name in (tables.SENSITIVITY, tables.DIRECTIONS, tables.UNIFORMITY, tables.RANKS, ARMS):
        assert read_csv_metadata(DIRECTORY / name)[tables.POSTERIOR_HASH_KEY] == mark, (
            f"{name}: see docs/decisions/0035"
        )


def test_every_parameter_and_arm_is_on_the_page_with_pictures(page):
    folder, text = page
    assert "made/credibility/calibration.md" in documents()["docs/trust.md"]
    assert "Not computed" not in text
    for one in load_estimated():
        assert text.count(f"| `{one.name}` |") >= 3
    for arm in published_arms():
        assert f"| {arm.trial} | {arm.arm} | {arm.visit} |" in text
    for picture in re.findall(r"!\[[^\]]+\]\((\S+)\)", text):
        assert (folder / picture).stat().st_size > 5000
    assert text.count("The trials ") >= 4
