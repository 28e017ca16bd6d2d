"""Compare the locked dependencies with a database of known vulnerabilities: python scripts/audit.py DATABASE.

DATABASE is `insecure_full.json` of the package safety-db, or a folder with one folder of OSV files for each package,
such as `vulns` of a clone of pypa/advisory-database. Prints the date of the database and each vulnerability of a locked
version; the exit code is 1 if there is one, 2 without a database.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, canonicalize_version
from packaging.version import Version

LOCK = Path(__file__).parents[1] / "requirements.lock"
_PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", re.MULTILINE)
_MODIFIED = re.compile(r"^modified: '?(\d{4}-\d\d-\d\d)", re.MULTILINE)


@dataclass(frozen=True)
class Advisory:
    """One advisory about a package, and whether it is about the locked version."""

    package: str
    identifier: str
    affects: bool


def locked_versions(text: str) -> dict[str, list[Version]]:
    """The versions of each package in a lock file (several where they depend on the platform)."""
    versions: dict[str, list[Version]] = {}
    for name, version in _PINNED.findall(text):
        versions.setdefault(canonicalize_name(name), []).append(Version(version))
    return versions


def safety_advisories(database: Path, versions: Mapping[str, list[Version]]) -> tuple[str, list[Advisory]]:
    """The date of a file of safety-db, and its advisories about locked packages."""
    content = json.loads(database.read_text(encoding="utf-8"))
    date = datetime.fromtimestamp(content.pop("$meta")["timestamp"], UTC).date().isoformat()
    found = []
    for name, entries in content.items():
        for entry in entries if canonicalize_name(name) in versions else ():
            specifiers = [SpecifierSet(text, prereleases=True) for text in entry["specs"]]
            pinned = versions[canonicalize_name(name)]
            affects = any(version in one for one in specifiers for version in pinned)
            found.append(Advisory(name, str(entry.get("cve") or entry["id"]), affects))
    return date, found


def osv_advisories(folder: Path, versions: Mapping[str, list[Version]]) -> tuple[str, list[Advisory]]:
    """The date of the newest file of a folder in OSV format, and its advisories about locked packages."""
    dates, found = [""], []
    for path in sorted(folder.glob("*/*.yaml")):
        text = path.read_text(encoding="utf-8")
        dates += _MODIFIED.findall(text)
        if (pinned := versions.get(canonicalize_name(path.parent.name))) is None:
            continue
        content = yaml.safe_load(text)
        if "withdrawn" not in content:
            affects = any(_is_affected(part, version) for part in content["affected"] for version in pinned)
            found.append(Advisory(path.parent.name, content["id"], affects))
    return max(dates), found


def _is_affected(part: Mapping[str, Any], version: Version) -> bool:
    listed = {canonicalize_version(text) for text in part.get("versions", ())}
    ranges = [one["events"] for one in part.get("ranges", ()) if one["type"] == "ECOSYSTEM"]
    return canonicalize_version(version) in listed or any(_in_range(events, version) for events in ranges)


def _in_range(events: list[Mapping[str, str]], version: Version) -> bool:
    """Whether the last event up to the version introduces the vulnerability."""
    affected = False
    for kind, bound in sorted(_bounds(events), key=lambda item: item[1]):
        if version >= bound:
            affected = kind == "introduced" or (kind == "last_affected" and version == bound)
    return affected


def _bounds(events: list[Mapping[str, str]]) -> Iterator[tuple[str, Version]]:
    return ((kind, Version(text)) for event in events for kind, text in event.items() if kind != "limit")


def main(database: Path) -> int:
    """Print the result; returns the exit code."""
    versions = locked_versions(LOCK.read_text(encoding="utf-8"))
    date, found = (osv_advisories if database.is_dir() else safety_advisories)(database, versions)
    affected = [advisory for advisory in found if advisory.affects]
    for advisory in affected:
        pinned = ", ".join(map(str, versions[canonicalize_name(advisory.package)]))
        print(f"{advisory.package} {pinned}: {advisory.identifier}")
    print(
        f"Database of {date or 'unknown date'}: {len(found)} advisories about"
        f" {len({canonicalize_name(one.package) for one in found})} of {len(versions)} locked packages,"
        f" {len(affected)} about a locked version. Vulnerabilities that became known later are not in it."
    )
    return 1 if affected else 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).exists():
        print("Error: no database of advisories\n  type: make audit", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(Path(sys.argv[1])))
