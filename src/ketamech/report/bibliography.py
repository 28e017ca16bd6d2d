"""The papers that a run cites, as text and BibTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ketamech.core import InputError
from ketamech.core.json_files import read_json
from ketamech.evidence import Evidence, Reference, load_evidence
from ketamech.exchange.cohort_store import STATE
from ketamech.exchange.output_folder import read_manifest
from ketamech.exchange.result_dataset import TRIAL, read_results
from ketamech.exchange.result_io import SUFFIXES, facts_of
from ketamech.exchange.result_metadata import PAPERS

FILE = "bibliography.json"
_CITATION = re.compile(r"^(?P<author>.+?) (?P<year>(?:19|20)\d\d)\b[ ,]*(?P<rest>.*)$")
_PLACE = re.compile(r"^(?P<journal>.+?) (?P<volume>\d+)(?:\([^)]*\))?:(?P<pages>[\w.-]+)(?P<note>.*)$")


def bibliography(
    parameters: Mapping[str, Iterable[str]], drawn: Iterable[str], evidence: Evidence
) -> list[dict[str, Any]]:
    """One entry per paper: key, citation, links, the parameters it supports and its rows drawn in figures.

    `parameters`: evidence ids by parameter name; `drawn`: ids of the published points in the figures.
    """
    shown = tuple(dict.fromkeys(drawn))
    behind: dict[str, dict[str, Any]] = {}
    for name, ids in parameters.items():
        for row in ids:
            entry = behind.setdefault(evidence[row].reference, {"evidence": {}, "parameters": {}, "drawn": []})
            entry["evidence"][row] = None
            entry["parameters"][name] = None
    for row in shown:
        behind.setdefault(evidence[row].reference, {"evidence": {}, "parameters": {}, "drawn": []})["drawn"].append(row)
    papers = evidence.cite([*(row for ids in parameters.values() for row in ids), *shown])
    return [_entry(paper, behind[paper.key]) for paper in papers]


def _entry(paper: Reference, behind: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "key": paper.key,
        "citation": paper.citation,
        "doi": paper.doi,
        "pmid": paper.pmid,
        "url": paper.url,
        "parameters": list(behind["parameters"]),
        "evidence": list(behind["evidence"]),
        "drawn": list(behind["drawn"]),
    }


def cite(run: Path | str, *, bibtex: bool = False) -> str:
    """The papers that results cite, one per line or as BibTeX.

    `run` is a results folder or a results file (.nc, .zarr, .parquet, .csv). Raises InputError for anything else, and
    for results of a version that cites other papers.
    """
    place = Path(run)
    known = load_evidence().references
    keys = _keys(place)
    missing = [key for key in keys if key not in known]
    if missing:
        what = f"'{place.name}' cites '{missing[0]}', which this version does not ship"
        raise InputError(what, expected="results of this version", type_this="ketamech simulate SCENARIO")
    papers = [known[key] for key in keys]
    return as_bibtex(papers) if bibtex else as_text(papers)


def _keys(place: Path) -> list[str]:
    """Keys of the papers that results cite."""
    if read_manifest(place) and (place / FILE).is_file():
        return _listed(place / FILE)
    if place.suffix.lower() in SUFFIXES and place.exists():
        keys = facts_of(place).get(PAPERS)
    elif place.is_dir() and any((place / name).exists() for name in (TRIAL, STATE)):
        keys = read_results(place).attrs.get(PAPERS)
    elif read_manifest(place):
        files = (path for path in sorted(place.iterdir()) if path.suffix in SUFFIXES)
        keys = next((found for path in files if (found := facts_of(path).get(PAPERS))), None)
    else:
        what = f"'{place.name}' is not a KetaMech run" if place.exists() else f"there is no '{place}'"
        kinds = ", ".join(SUFFIXES)
        expected = f"a folder that ketamech wrote results to, or a file of results ({kinds})"
        raise InputError(what, expected=expected, type_this="ketamech simulate SCENARIO")
    if not keys:
        raise InputError(f"'{place.name}' does not list the papers it cites", expected="results that KetaMech wrote")
    return str(keys).split()


def _listed(path: Path) -> list[str]:
    try:
        return [str(entry["key"]) for entry in read_json(path)]
    except (ValueError, TypeError, KeyError):
        what = f"'{path.name}' is not a valid bibliography file"
        raise InputError(what, file=path.parent, expected="an unmodified run folder") from None


def as_text(papers: Iterable[Reference]) -> str:
    """One paper per line, with its link if known."""
    return "\n".join(". ".join(part for part in (paper.citation, paper.url) if part) for paper in papers)


def as_bibtex(papers: Iterable[Reference]) -> str:
    """One entry per paper. The evidence tables hold no titles, so the short citation is given as a note."""
    return "\n\n".join(_bibtex(paper) for paper in papers)


def _bibtex(paper: Reference) -> str:
    fields = {**_parsed(paper.citation), "doi": paper.doi, "url": paper.url, "note": paper.citation}
    if paper.pmid:
        fields["pmid"] = paper.pmid
    kind = "article" if "journal" in fields else "misc"
    lines = [f"  {name} = {{{_escaped(text, name)}}}" for name, text in fields.items() if text]
    return f"@{kind}{{{paper.key},\n" + ",\n".join(lines) + "\n}"


def _parsed(citation: str) -> dict[str, str]:
    found = _CITATION.match(citation)
    if not found:
        return {"title": citation}
    fields = {"author": found["author"].replace(" & ", " and "), "year": found["year"]}
    place = _PLACE.match(found["rest"])
    if place:
        fields |= {name: place[name] for name in ("journal", "volume", "pages")}
    return fields


def _escaped(text: str, name: str) -> str:
    return text if name in ("url", "doi") else re.sub(r"([&%#_$])", r"\\\1", text)
