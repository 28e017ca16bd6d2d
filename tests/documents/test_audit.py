"""The audit of the locked dependencies: which versions an advisory is about, in both kinds of database."""

import json

import pytest

from scripts import audit

LOCK = """Some_Package==2.5.1 \\
    --hash=sha256:aa
other==1.0 ; python_version < '3.12'
other==1.2 ; python_version >= '3.12'
"""
RANGES = {
    "introduced: '0' | fixed: '2.5.1'": False,  # the first version without it
    "introduced: '2.5.1'": True,
    "introduced: '0' | last_affected: '2.5.1'": True,
    "introduced: '0' | last_affected: '2.5'": False,
    "fixed: '1.9' | introduced: '0'": False,  # in any order
    "introduced: '0' | fixed: '1.9' | introduced: '2.4' | fixed: '2.10'": True,  # 2.10 is above 2.5.1
}


@pytest.fixture(autouse=True)
def lock(tmp_path, monkeypatch):
    (tmp_path / "lock").write_text(LOCK)
    monkeypatch.setattr(audit, "LOCK", tmp_path / "lock")


def osv(folder, events, package="some-package", more=""):
    (folder / package).mkdir(parents=True, exist_ok=True)
    listed = "".join(f"    - {event}\n" for event in events.split(" | "))
    text = (
        f"id: PYSEC-1\nmodified: '2024-03-02T00:00:00Z'\n{more}affected:\n- ranges:\n  - type: ECOSYSTEM\n    events:\n"
    )
    (folder / package / "PYSEC-1.yaml").write_text(text + listed)
    return folder


@pytest.mark.parametrize("events", RANGES)
def test_a_range_of_versions_is_the_one_of_its_events(events, tmp_path, capsys):
    assert audit.main(osv(tmp_path / "vulns", events)) == RANGES[events]
    printed = capsys.readouterr().out
    assert ("some-package 2.5.1: PYSEC-1" in printed) == RANGES[events]
    assert "Database of 2024-03-02: 1 advisories about 1 of 2 locked packages" in printed


def test_listed_versions_count_and_withdrawn_advisories_do_not(tmp_path, capsys):
    folder = osv(tmp_path / "vulns", "introduced: '0'", more="withdrawn: '2024-03-03T00:00:00Z'\n")
    assert audit.main(folder) == 0
    osv(folder, "introduced: '3'", "other")
    assert audit.main(folder) == 0
    path = folder / "other" / "PYSEC-1.yaml"
    path.write_text(path.read_text() + "  versions:\n  - 0.1.fix1\n  - '1.2.0'\n")
    assert audit.main(folder) == 1
    assert "other 1.0, 1.2: PYSEC-1" in capsys.readouterr().out


@pytest.mark.parametrize(("specifiers", "affected"), [(["<2.5.1"], 0), (["<1", ">=2,<2.6"], 1)])
def test_a_file_of_safety_db_is_compared(specifiers, affected, tmp_path, capsys):
    entries = [{"cve": "CVE-1", "id": "pyup.io-1", "specs": specifiers}]
    content = {"$meta": {"timestamp": 1625119201}, "some.package": entries, "unrelated": entries}
    (tmp_path / "db.json").write_text(json.dumps(content))
    assert audit.main(tmp_path / "db.json") == affected
    assert "Database of 2021-07-01: 1 advisories about 1 of 2 locked packages" in capsys.readouterr().out
