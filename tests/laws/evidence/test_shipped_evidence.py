"""What the shipped tables of evidence promise."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from ketamech import evidence as room
from ketamech.core import UnknownNameError
from ketamech.evidence import cite, format_listing, format_row, load_evidence

TABLES = Path(room.__file__).parents[1] / "data" / "evidence"


@pytest.fixture(scope="module")
def evidence():
    return load_evidence()


def test_every_published_row_is_here(evidence):
    counts = Counter(row.table for row in evidence.observations.values())
    first = {"pk": 486, "mechanism": 326, "clinical": 318}  # the tables only ever grow
    assert all(counts[table] >= least for table, least in first.items())


def test_every_observation_has_a_reference_and_every_reference_is_used(evidence):
    used = {row.reference for row in evidence.observations.values()}
    assert used == set(evidence.references)


@pytest.mark.parametrize("column", ["doi", "pmid", "pmcid"])
def test_each_paper_appears_once(evidence, column):
    found = Counter(getattr(paper, column).lower() for paper in evidence.references.values())
    found.pop("", None)
    assert found
    assert max(found.values()) == 1


def test_no_two_references_share_a_journal_page(evidence):
    pages = Counter()
    for paper in evidence.references.values():
        words = paper.citation.split()
        pages.update((words[0], word) for word in words if ":" in word)
    assert max(pages.values()) == 1


def test_spellings_of_one_paper_were_merged(evidence):
    rows = evidence.select(text="Perez-Ruixo")
    assert {row.reference for row in rows} == {"perez-ruixo-2021"}
    assert {row.place for row in rows} == {"Table 3", "Table 4", "abstract"}
    assert evidence["zanos18-ad"].reference == evidence["zanos-t1-ad-cmax"].reference == "zanos-2018"


def test_recalled_rows_stay_recalled(evidence):
    recalled = {row.id for row in evidence.observations.values() if row.read_as == "recalled"}
    assert len(recalled) == 22 + 127 + 35
    with (TABLES / "clinical.csv").open(encoding="utf-8") as stream:
        marked = {line["id"] for line in csv.DictReader(stream) if line["seen_at"] == "recalled"}
    assert len(marked) == 35
    assert marked <= recalled
    assert "RECALLED" in format_row(evidence, "zarate06-d-24h")


def test_confidence_and_reading_agree(evidence):
    said = {(row.confidence, row.read_as) for row in evidence.observations.values()}
    assert said == {(3, "source"), (2, "transcription"), (1, "recalled")}


def test_a_number_reported_twice_points_to_the_first(evidence):
    pairs = [(row, evidence[row.same_as]) for row in evidence.observations.values() if row.same_as]
    assert len(pairs) == 10
    for second, first in pairs:
        assert second.value == first.value
        assert second.unit == first.unit
        assert second.reference == first.reference
        assert not first.same_as


def test_no_local_path_is_published():
    text = "".join(path.read_text(encoding="utf-8") for path in TABLES.glob("*.csv"))
    assert not [word for word in ("/work", "/tmp", "/home", "index id", "search:") if word in text]


def test_select_narrows_by_each_word(evidence):
    rows = evidence.select(stage="mood", drug="ketamine", use="calibrate", text="murrough")
    assert rows
    assert all(row.stage == "mood" and row.use == "calibrate" and "ketamine" in row.drug for row in rows)
    assert len(rows) < len(evidence.select(stage="mood")) < len(evidence.select())


def test_cite_names_each_paper_once_in_order(evidence):
    papers = evidence.cite(["zanos18-ad", "perez-frn", "zanos-t1-ad-cmax", "autry-rapa"])
    assert [paper.key for paper in papers] == ["autry-2011", "perez-ruixo-2021", "zanos-2018"]
    assert cite(["perez-frn", "perez-frn-dose"]) == [evidence.references["perez-ruixo-2021"]]


def test_an_unknown_id_suggests_the_nearest(evidence):
    with pytest.raises(UnknownNameError, match="perez-frn-japanese"):
        evidence.cite(["perez-frn-japanes"])


def test_the_table_has_a_line_for_each_observation(evidence):
    frame = evidence.table()
    assert list(frame.index) == list(evidence.observations)
    assert frame.loc["perez-frn", "canonical_value"] == pytest.approx(0.54)
    assert {"spread_kind", "spread_low", "spread_high", "time_h", "read_as"} <= set(frame.columns)


def test_listing_and_description_are_plain_text(evidence):
    rows = format_listing(evidence.select(text="dahan"))
    assert rows
    assert all(isinstance(cell, str) for row in rows for cell in row.values())
    text = format_row(evidence, "dahan11-c50")
    assert "Dahan 2011" in text
    assert "dahan-c50" in text
    assert "10.5 ng/mL" in text
