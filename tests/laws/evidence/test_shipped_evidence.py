"""What the shipped tables of evidence promise."""

import csv
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ketamech import evidence as room
from ketamech.core import UnknownNameError
from ketamech.dosing.drugs import load_drugs
from ketamech.evidence import cite, format_listing, format_row, load_evidence
from ketamech.evidence.observation import load_compounds
from ketamech.report.bibliography import as_bibtex

TABLES = Path(room.__file__).parents[1] / "data" / "evidence"


@pytest.fixture(scope="module")
def evidence():
    return load_evidence()


def test_every_published_row_is_here(evidence):
    counts = Counter(row.table for row in evidence.observations.values())
    first = {"pk": 545, "mechanism": 381, "clinical": 646}  # the tables only ever grow
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


def test_most_papers_have_a_title_and_recalled_ones_say_so(evidence):
    papers = [paper for paper in evidence.references.values() if paper.journal]
    titles = [paper.title for paper in papers if paper.title]
    assert len(titles) >= 0.8 * len(papers)
    assert len({title.lower() for title in titles}) == len(titles)
    assert all(paper.title for paper in papers if paper.title_recalled)
    recalled, seen = (evidence.references[key] for key in ("lepack-2014", "moghaddam-1997"))
    assert recalled.title_recalled
    assert "; title recalled}" in as_bibtex([recalled])
    assert not seen.title_recalled
    assert "recalled" not in as_bibtex([seen])


def test_no_two_references_share_a_journal_page(evidence):
    pages = Counter()
    for paper in evidence.references.values():
        words = paper.citation.split()
        pages.update((words[0], word) for word in words if ":" in word)
    assert max(pages.values()) == 1


def test_spellings_of_one_paper_were_merged(evidence):
    rows = evidence.select(text="Perez-Ruixo")
    assert {row.reference for row in rows} == {"perez-ruixo-2021"}
    assert {row.locator for row in rows} == {"Table 3", "Table 4", "abstract"}
    assert evidence["zanos18-ad"].reference == evidence["zanos-t1-ad-cmax"].reference == "zanos-2018"


def test_recalled_rows_stay_recalled(evidence):
    recalled = {row.id for row in evidence.observations.values() if row.reading_source == "recalled"}
    for table in ("pk", "mechanism", "clinical"):
        with (TABLES / f"{table}.csv").open(encoding="utf-8") as stream:
            marked = {line["id"] for line in csv.DictReader(stream) if line["source_location"] == "recalled"}
        assert marked
        assert marked <= recalled
    assert "RECALLED" in format_row(evidence, "zarate06-d-24h")


def test_a_row_to_calibrate_on_has_an_address_that_can_be_opened(evidence):
    calibrate = evidence.select(use="calibrate")
    assert len(calibrate) > 1000
    assert [row.id for row in calibrate if not row.has_public_source] == []
    assert [row.id for row in calibrate if row.reading_source == "recalled"] == []


@pytest.mark.parametrize(
    ("address", "has_public_source"),
    [
        ("https://pubmed.ncbi.nlm.nih.gov/9915326/", True),
        ("10.1038/s41380-021-01246-3", True),
        ("PMC8872981", True),
        ("nlmixr2/nlmixr2lib:inst/modeldb/PerezRuixo_2020_esketamine.R", True),
        ("recalled", False),
        ("secondary or mirror page", False),
        ("", False),
        ("https://somewhere", False),
        ("PMC6673961 (a title)", False),
    ],
)
def test_what_counts_as_an_address(evidence, address, has_public_source):
    assert replace(evidence["perez-frn"], source_location=address).has_public_source is has_public_source


def test_corrected_rows_hold_the_printed_numbers(evidence):
    """pKi 4.38 at mu and 4.55 at kappa receptors: ketamine binds kappa more tightly than mu."""
    for name, printed in (("mu", 4.38), ("kappa", 4.55)):
        assert evidence[f"hirota-{name}-rac"].value == pytest.approx(1e6 * 10**-printed, rel=0.005)
        assert evidence[f"hirota-{name}-rac"].value == evidence[f"hirota99-{name}-rac"].value
    assert {evidence[name].use for name in ("hirota-mu-s", "hirota-mu-r")} == {"context"}
    assert evidence["a1r-block"].reference == "lazarevic-2021"
    assert (evidence["murrough13-or"].spread.low, evidence["murrough13-or"].spread.high) == (1.21, 4.14)


def test_confidence_and_reading_agree(evidence):
    said = {(row.confidence, row.reading_source) for row in evidence.observations.values()}
    assert said == {(3, "source"), (2, "transcription"), (1, "recalled")}


def test_a_number_reported_twice_points_to_the_first(evidence):
    pairs = [(row, evidence[row.duplicate_of]) for row in evidence.observations.values() if row.duplicate_of]
    assert pairs
    for second, first in pairs:
        ends = (first.spread.low, first.spread.high) if first.spread.kind == "range" else ()
        assert second.value in (first.value, *ends)
        assert second.unit == first.unit
        assert second.reference == first.reference
        assert not first.duplicate_of


def test_no_local_path_is_published():
    text = "".join(path.read_text(encoding="utf-8") for path in TABLES.glob("*.csv"))
    local = re.compile(r"(/work|/tmp|/home|index id|search:)(?![a-z])")
    assert local.findall(text) == []


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
    assert {"spread_kind", "spread_low", "spread_high", "time_h", "reading_source"} <= set(frame.columns)


def test_listing_and_description_are_plain_text(evidence):
    rows = format_listing(evidence.select(text="dahan"))
    assert rows
    assert all(isinstance(cell, str) for row in rows for cell in row.values())
    text = format_row(evidence, "dahan11-c50")
    assert "Dahan 2011" in text
    assert "dahan-c50" in text
    assert "10.5 ng/mL" in text


def test_doses_are_read_in_their_unit_and_by_route(evidence):
    row = next(iter(evidence.observations.values()))
    assert replace(row, dose="0.5 mg/kg, then 28 mg or 56 mg").doses_in("mg") == [28.0, 56.0]
    assert replace(row, dose="0.5 mg/kg, then 28 mg or 56 mg").doses_in("mg/kg") == [0.5]
    assert evidence.studied_doses("mood", "esketamine", "nasal", "mg") == [28.0, 56.0, 84.0]
    assert evidence.studied_doses("mood", "racemic", "infusion", "mg/kg") == [0.1, 0.2, 0.5, 0.8, 1.0]
    assert evidence.studied_doses("mood", "racemic", "", "mg") == []


def test_every_compound_has_one_name():
    rows = load_evidence().observations.values()
    words, compounds = {row.drug for row in rows}, {name for row in rows for name in row.compounds}
    table = load_compounds()
    assert set(table) <= words, "words of a source"
    assert not set(table) & compounds, "a name stands for itself"
    assert len({name.lower() for name in compounds}) == len(compounds)
    aliases = {alias for one in load_drugs() if one.drug_class in ("ketamine", "placebo") for alias in one.aliases}
    assert not {name for name in compounds if name.lower() in aliases - {"sham"}}, "another name of a drug"
