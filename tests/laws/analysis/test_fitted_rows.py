"""A row that set a value of the model is fitted wherever it is scored, and so is what follows from it."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from ketamech.analysis.reference_protocols import load_protocols
from ketamech.analysis.scorecard_targets import fitted_rows, load_targets, named_rows, roles
from ketamech.analysis.trial_scorecard import standardised_difference
from ketamech.calibration.clinical_targets import (
    exact_share_interval,
    load_clinical_targets,
    load_spread_targets,
    published_interval,
)
from ketamech.core.environment import DATA
from ketamech.evidence import Evidence, load_evidence
from ketamech.parameters import load_parameters

EVIDENCE = load_evidence()
FITTED = fitted_rows(EVIDENCE)
SCORED = {target.evidence for target in load_targets(EVIDENCE, load_protocols())}
SCORED |= {target.row.id for target in load_clinical_targets()}


def cells(pattern, column="evidence"):
    """(row, ids) of every record of the shipped tables with an evidence column."""
    for path in DATA.glob(pattern):
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                yield row, [name.strip() for name in (row.get(column) or "").split(";") if name.strip()]


@pytest.mark.parametrize("pattern", ["parameters/*.csv", "species/*.csv", "people/*.csv", "scales/scales.csv"])
def test_a_row_that_a_shipped_table_names_is_fitted(pattern):
    named = {name for _, ids in cells(pattern) for name in ids if name in EVIDENCE.observations}
    assert named
    assert named <= FITTED
    assert named & SCORED, "the law says nothing if no named row is scored"


def test_a_row_of_a_parameter_is_fitted_whatever_its_status():
    for parameter in load_parameters().values():
        assert set(parameter.evidence) <= FITTED, parameter.name


def test_a_row_that_the_calibration_fits_is_fitted():
    for target in (*load_clinical_targets(), *load_spread_targets()):
        assert not target.fitted or target.row.id in FITTED, target.row.id
    set_by_hand = {row["evidence"] for row, _ in cells("calibration/rows.csv") if row["fitted"] == "population"}
    assert {"ketect17-sal-b", "threed-10-b"} <= set_by_hand <= FITTED


def test_what_follows_from_fitted_rows_is_fitted():
    for row in EVIDENCE.observations.values():
        if row.duplicate_of:
            assert (row.id in FITTED) == (row.duplicate_of in FITTED), row.id
        if any(source in FITTED for source in row.derived_from):
            assert row.id in FITTED, row.id
    assert {"murrough13-or", "murrough13-diff-24h", "synapse-diff-84-24h", "synapse-base-pbo"} <= FITTED


def planted(**relations):
    """Evidence of copies of one row with the given relations, in one trial each."""
    first = EVIDENCE["perez-frn"]
    rows = {name: replace(first, id=name, **{"trial": name, **kept}) for name, kept in relations.items()}
    return Evidence(rows, EVIDENCE.references)


class Named:
    def __init__(self, *evidence):
        self.evidence = evidence


def test_relations_are_followed_forwards_and_duplicates_both_ways():
    known = planted(
        arm={}, other={}, difference={"derived_from": ("arm", "other")}, copy={"duplicate_of": "difference"},
        ratio={"derived_from": ("copy",)}, unrelated={},
    )  # fmt: skip
    assert fitted_rows(known, {"p": Named("arm")}) == {"arm", "difference", "copy", "ratio"}
    assert fitted_rows(known, {"p": Named("copy")}) == {"difference", "copy", "ratio"}
    assert fitted_rows(known, {"p": Named("unrelated", "not-a-row")}) == {"unrelated"}
    assert fitted_rows(known, {}) == frozenset()


def test_rows_of_the_trial_of_a_fitted_row_are_no_independent_test():
    known = planted(a={}, b={"trial": "a"}, c={})
    assert roles(["a", "b", "c"], known, frozenset({"a"})) == ["fitted", "same trial", "independent"]


def test_named_rows_include_patterns_with_a_star():
    assert {"kamp20-a-0.5h", "kamp20-b-0.5h"} <= named_rows(EVIDENCE) | FITTED


CLINICAL = {target.row.id: target for target in load_clinical_targets()}


def test_printed_intervals_are_used_as_printed():
    assert published_interval(CLINICAL["murrough13-or"]) == (1.21, 4.14)
    assert published_interval(CLINICAL["murrough13-diff-24h"]) == (-12.71, -3.2)


@pytest.mark.parametrize("name", ["phillips19-lit-relapse", "spravato-diss-lo", "spravato-diss-plo"])
def test_a_printed_range_is_no_interval(name):
    target = CLINICAL[name]
    assert target.row.spread.kind == "range"
    assert np.isnan(published_interval(target)).all()  # of several trials, whose number is not printed


def test_shares_have_exact_intervals_from_0_to_100_percent():
    for target in CLINICAL.values():
        low, high = published_interval(target)
        if target.is_share and np.isfinite(low):
            assert 0 <= low <= target.published <= high <= 100, target.row.id
    assert exact_share_interval(0, 15) == (0.0, pytest.approx(100 * (1 - 0.025 ** (1 / 15))))
    assert exact_share_interval(50, 10) == pytest.approx((18.709, 81.291), abs=0.001)


def test_a_ratio_is_compared_on_the_log_scale():
    target = CLINICAL["murrough13-or"]
    standard_error = np.log(4.14 / 1.21) / (2 * 1.959964)
    for simulated in (2.18 * 3, 2.18 / 3):
        expected = np.sign(simulated - 2.18) * np.log(3) / standard_error
        assert standardised_difference(target, np.full(4, simulated)) == pytest.approx(expected, rel=1e-3)


def test_two_ends_of_one_printed_range_are_scored_once():
    for row in EVIDENCE.observations.values():
        if row.duplicate_of and row.spread.kind == "range":
            assert row.id not in SCORED, row.id
            first = EVIDENCE[row.duplicate_of].spread
            assert first.low <= row.value <= first.high
