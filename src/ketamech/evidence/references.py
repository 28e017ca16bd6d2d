"""The papers behind the evidence rows, as CSL-JSON (data/evidence/references.json)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ketamech.core import InputError
from ketamech.core.atomic_files import read_json

IDENTIFIERS = ("DOI", "PMID", "PMCID")


@dataclass(frozen=True)
class Reference:
    """A paper, label or web page; text that is unknown is empty.

    `citation` is the short form for lists: authors, year, journal, volume and page, or the `citation-label` of an entry
    that has no such parts.
    """

    key: str
    citation: str
    doi: str = ""
    pmid: str = ""
    pmcid: str = ""
    url: str = ""
    title: str = ""
    authors: tuple[str, ...] = ()
    year: str = ""
    journal: str = ""
    volume: str = ""
    page: str = ""


def read_references(path: Path) -> dict[str, Reference]:
    """References by key, in the order of the file. Raises InputError naming the entry that cannot be used."""
    found: dict[str, Reference] = {}
    owners: dict[str, str] = {}
    for number, entry in enumerate(_entries(path), 1):
        reference = _reference(entry, path, number)
        if reference.key in found:
            raise _error(path, reference.key, f"'{reference.key}' is already used", "each reference once")
        for name in IDENTIFIERS:
            text = str(entry.get(name, "")).lower()
            if text and text in owners:
                raise _error(path, reference.key, f"{name} '{text}' belongs to {owners[text]}", "each paper once")
            owners[text] = reference.key
        found[reference.key] = reference
    return found


def _entries(path: Path) -> list[Any]:
    expected = "a list of CSL-JSON entries, as reference managers export it"
    try:
        entries = read_json(path)
    except OSError as problem:
        raise InputError("cannot read the references", file=path, expected=expected) from problem
    except ValueError as problem:
        raise InputError(f"the file is not JSON: {problem}", file=path, expected=expected) from problem
    if not isinstance(entries, list):
        raise InputError("the file holds no list", file=path, expected=expected)
    return entries


def _reference(entry: Any, path: Path, number: int) -> Reference:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str) or not entry["id"]:
        raise _error(path, f"entry {number}", "no id", "an object with an id such as perez-ruixo-2021")
    texts = {name: str(entry.get(name, "")) for name in (*IDENTIFIERS, "URL", "title", "volume", "page")}
    authors, year = _authors(entry), _year(entry)
    journal = str(entry.get("container-title", ""))
    citation = str(entry.get("citation-label", "")) or _short(authors, year, journal, texts, str(entry.get("note", "")))
    if not citation:
        raise _error(path, entry["id"], "nothing to cite", "author, issued and container-title, or a citation-label")
    return Reference(
        entry["id"], citation, doi=texts["DOI"], pmid=texts["PMID"], pmcid=texts["PMCID"], url=texts["URL"],
        title=texts["title"], authors=authors, year=year, journal=journal, volume=texts["volume"], page=texts["page"],
    )  # fmt: skip


def _authors(entry: Mapping[str, Any]) -> tuple[str, ...]:
    people = entry.get("author", [])
    if not isinstance(people, list):
        return ()
    return tuple(str(one.get("family") or one.get("literal") or "") for one in people if isinstance(one, Mapping))


def _year(entry: Mapping[str, Any]) -> str:
    try:
        return str(entry["issued"]["date-parts"][0][0])
    except (KeyError, IndexError, TypeError):
        return ""


def _short(authors: tuple[str, ...], year: str, journal: str, texts: Mapping[str, str], note: str) -> str:
    """For example "Clements & Nimmo 1981 Br J Anaesth 53:27"; empty without author and year."""
    if not authors or not year:
        return ""
    people = " & ".join(part for part in (", ".join(authors[:-1]), authors[-1]) if part)
    place = ":".join(part for part in (texts["volume"], texts["page"]) if part)
    return " ".join(part for part in (people, year, journal, place, f"({note})" if note else "") if part)


def _error(path: Path, key: str, what: str, expected: str) -> InputError:
    return InputError(what, file=path, key=key, expected=expected)
