"""A broken table of evidence is refused, naming file, line and column."""

import csv
import shutil
from pathlib import Path

import pytest

from ketamech import evidence as room
from ketamech.core import InputError
from ketamech.core.csv_table import _warn
from ketamech.core.errors import RenamedWarning
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


@pytest.mark.parametrize("column", ["doi"])
def test_a_repeated_paper_is_refused(folder, column):
    path = folder / "references.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        taken = next(row[column] for row in csv.DictReader(stream) if row[column])
    spoil(path, {column: taken.upper()}, line=226)
    with pytest.raises(InputError, match="each paper once"):
        load_evidence(folder)


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


def test_a_missing_file_and_a_short_row_are_refused(folder):
    with (folder / "pk.csv").open("a", encoding="utf-8") as stream:
        stream.write("one,two\n")
    with pytest.raises(InputError, match=r"pk\.csv:547: 2 cells in a table of 24 columns"):
        load_evidence(folder)
    (folder / "pk.csv").unlink()
    with pytest.raises(InputError, match="cannot read"):
        load_evidence(folder)


def test_an_unclosed_quote_is_refused(folder):
    with (folder / "pk.csv").open("a", encoding="utf-8") as stream:
        stream.write('"never closed,\n')
    with pytest.raises(InputError, match=r"pk\.csv:547: broken CSV"):
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
    _warn.cache_clear()
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
