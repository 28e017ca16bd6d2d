"""A broken table of evidence is refused, naming file, line and column."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from ketamech import evidence as room
from ketamech.core import InputError
from ketamech.core.errors import RenamedWarning, warn_renamed
from ketamech.evidence import load_evidence

TABLES = Path(room.__file__).parents[1] / "data" / "evidence"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(TABLES, tmp_path / "evidence"))


def spoil(path, changes, line=2):
    """Change cells of one record (line 2 is the first) and write the table back."""
    with path.open(encoding="utf-8", newline="") as stream:
        records = list(csv.reader(stream))
    for column, text in changes.items():
        records[line - 1][records[0].index(column)] = text
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(records)


def test_an_untouched_copy_loads(folder):
    assert load_evidence(folder).observations == load_evidence().observations


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"value": "abc"}, "not a number"),
        ({"value": ""}, "empty"),
        ({"value": "nan"}, "not a number"),
        ({"value": "inf"}, "not a number"),
        ({"unit": "furlongz"}, "not a unit"),
        ({"unit": ""}, "empty"),
        ({"reference": "perez-ruixo-2012"}, "perez-ruixo-2021"),
        ({"reference": ""}, "empty"),
        ({"use": "calibration"}, "calibrate"),
        ({"confidence": "4"}, "unknown"),
        ({"reading_source": "recaled"}, "recalled"),
        ({"reading_source": "source"}, "contradicts"),
        ({"source_location": "recalled"}, "contradicts"),
        ({"duplicate_of": "nobody"}, "no other row"),
        ({"duplicate_of": "perez-frn"}, "no other row"),
        ({"derived_from": "perez-frn-dose;nobody"}, "no other row"),
        ({"derived_from": "perez-frn"}, "no other row"),
        ({"spread": "CI95 0.6 to 0.7"}, "does not contain the value"),
        ({"id": ""}, "empty"),
        ({"id": "Perez FRn"}, "not an id"),
        ({"id": "perez-frn-dose"}, "already used"),
        ({"id": "berman00-ket-72h"}, "already used"),
        ({"stage": ""}, "empty"),
        ({"quantity": ""}, "empty"),
    ],
)
def test_a_bad_cell_is_refused(folder, changes, said):
    spoil(folder / "pk.csv", changes)
    with pytest.raises(InputError, match=said) as caught:
        load_evidence(folder)
    assert ".csv:" in str(caught.value)
    assert f"column '{next(iter(changes))}'" in str(caught.value) or "reading_source" in str(caught.value)


def test_the_message_names_the_line(folder):
    spoil(folder / "clinical.csv", {"value": "lots"}, line=30)
    with pytest.raises(InputError, match=r"clinical\.csv:30: 'lots' is not a number"):
        load_evidence(folder)


@pytest.mark.parametrize("name", ["DOI", "PMID", "PMCID"])
def test_a_repeated_paper_is_refused(folder, name):
    path = folder / "references.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    taken = next(entry for entry in entries if name in entry)
    entries[225][name] = taken[name].upper()
    path.write_text(json.dumps(entries), encoding="utf-8")
    with pytest.raises(InputError, match=f"belongs to {taken['id']}") as caught:
        load_evidence(folder)
    assert entries[225]["id"] in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "not JSON"),
        ("{}", "no list"),
        ("[1]", "no id"),
        ('[{"title": "A paper"}]', "entry 1"),
        ('[{"id": ""}]', "no id"),
        ('[{"id": "a", "title": "A paper"}]', "nothing to cite"),
        ('[{"id": "a", "citation-label": "A"}, {"id": "a", "citation-label": "B"}]', "already used"),
        ('[{"id": "a", "citation-label": "A"}]', "no reference"),
        ('[{"id": "a", "author": 1, "issued": 2, "citation-label": "A"}]', "no reference"),
    ],
)
def test_references_that_cannot_be_used_are_refused(folder, content, said):
    (folder / "references.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        load_evidence(folder)


def test_missing_references_are_refused(folder):
    (folder / "references.json").unlink()
    with pytest.raises(InputError, match="cannot read the references"):
        load_evidence(folder)


def test_a_reference_reads_as_the_field_cites_it(folder):
    paper = {
        "id": "a", "author": [{"family": "One"}, {"family": "Two"}, {"literal": "Three group"}],
        "issued": {"date-parts": [[2020, 5]]}, "container-title": "J Test", "volume": "3", "page": "14",
        "title": "What was found", "note": "TRIAL", "DOI": "10.1/x",
    }  # fmt: skip
    path = folder / "references.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps([*entries, paper]), encoding="utf-8")
    found = load_evidence(folder).references["a"]
    assert found.citation == "One, Two & Three group 2020 J Test 3:14 (TRIAL)"
    assert (found.title, found.year, found.authors[0], found.doi) == ("What was found", "2020", "One", "10.1/x")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"id,stage\x00\n", "NUL"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "not text"),
        (b"id,stage\n", "missing column"),
        (b"name,stage\n", "unknown column 'name'"),
    ],
)
def test_a_file_that_is_no_table_is_refused(folder, content, said):
    (folder / "mechanism.csv").write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        load_evidence(folder)
    assert "mechanism.csv" in str(caught.value)


def _last_line(folder):
    return len((folder / "pk.csv").read_text(encoding="utf-8").splitlines())


def test_a_missing_file_and_a_short_row_are_refused(folder):
    with (folder / "pk.csv").open("a", encoding="utf-8") as stream:
        stream.write("one,two\n")
    with pytest.raises(InputError, match=rf"pk\.csv:{_last_line(folder)}: 2 cells in a table of 24 columns"):
        load_evidence(folder)
    (folder / "pk.csv").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        load_evidence(folder)


def test_an_unclosed_quote_is_refused(folder):
    with (folder / "pk.csv").open("a", encoding="utf-8") as stream:
        stream.write('"never closed,\n')
    with pytest.raises(InputError, match=rf"pk\.csv:{_last_line(folder)}: broken CSV"):
        load_evidence(folder)


OLD = {"locator": "place", "source_location": "seen_at", "reading_source": "read_as", "duplicate_of": "same_as"}


def test_a_table_with_the_column_names_before_the_renaming_is_read(folder):
    for path in (folder / f"{table}.csv" for table in ("pk", "mechanism", "clinical")):
        with path.open(encoding="utf-8", newline="") as stream:
            records = list(csv.DictReader(stream))
        added = ("derived_from", "trial")
        header = [OLD.get(column, column) for column in records[0] if column not in added]
        cells = [[text for column, text in row.items() if column not in added] for row in records]
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows([header, *cells])
    warn_renamed.cache_clear()
    with pytest.warns(RenamedWarning, match="'seen_at' was renamed to 'source_location'") as caught:
        found = load_evidence(folder)
    assert len(caught) == len(OLD)  # one warning per column, not one per table
    assert found["perez-frn"].locator == "Table 3"
    assert found["perez-frn"].trial == "perez-ruixo-2021"
    assert found["perez-frn"].derived_from == ()


def test_an_old_column_name_beside_the_new_one_is_refused(folder):
    path = folder / "pk.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        records = list(csv.reader(stream))
    records[0][records[0].index("notes")] = "place"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(records)
    with pytest.raises(InputError, match="unknown column 'place'"):
        load_evidence(folder)
