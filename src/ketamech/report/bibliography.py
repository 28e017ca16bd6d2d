"""The papers a run owes, as text and as BibTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from ketamech.core import InputError
from ketamech.core.atomic_files import read_json
from ketamech.core.constants import PAPERS
from ketamech.evidence import Evidence, Reference, load_evidence
from ketamech.exchange.output_folder import read_manifest

FILE = "bibliography.json"


def bibliography(
    parameters: Mapping[str, Iterable[str]], drawn: Iterable[str], evidence: Evidence
) -> list[dict[str, Any]]:
    """One entry a paper: key, citation, links, the parameters it stands behind and the rows drawn in figures.

    `parameters`: evidence ids by parameter name; `drawn`: ids of the published points over the curves.
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
    links = {"key": paper.key, "citation": paper.citation, "title": paper.title}
    links |= {"doi": paper.doi, "pmid": paper.pmid, "url": paper.url}
    return links | {name: list(behind[name]) for name in ("parameters", "evidence", "drawn")}


def cite(run: xr.Dataset | Path | str, *, bibtex: bool = False) -> str:
    """The papers whose values a run used, one per line, or as BibTeX.

    `run` is a Dataset of `ketamech.simulate` or of a trial, a folder of results, or a file of them (.nc, .zarr,
    .parquet, .csv). Raises InputError for anything else, and for results of a version that cites other papers.
    """
    known = load_evidence().references
    keys, name = (_keys_of_dataset(run), "the Dataset") if isinstance(run, xr.Dataset) else (_keys(Path(run)), str(run))
    missing = [key for key in keys if key not in known]
    if missing:
        what = f"'{name}' cites '{missing[0]}', which this version does not ship"
        raise InputError(what, expected="results of this version", type_this="ketamech simulate SCENARIO")
    papers = [known[key] for key in keys]
    return as_bibtex(papers) if bibtex else as_text(papers)


def _keys_of_dataset(dataset: xr.Dataset) -> list[str]:
    if PAPERS not in dataset.attrs:
        what = f"the Dataset has no attribute '{PAPERS}'"
        raise InputError(what, expected="a Dataset as ketamech.simulate returns it", type_this="ketamech.cite(run)")
    return str(dataset.attrs[PAPERS]).split()


def _keys(place: Path) -> list[str]:
    """Keys of the papers that results owe."""
    from ketamech.exchange.cohort_store import STATE
    from ketamech.exchange.result_io import SUFFIXES, TRIAL, facts_of, read_results

    if read_manifest(place) and (place / FILE).is_file():
        return _listed(place / FILE)
    if place.suffix.lower() in SUFFIXES and place.exists():
        owed = facts_of(place).get(PAPERS)
    elif place.is_dir() and any((place / name).exists() for name in (TRIAL, STATE)):
        owed = read_results(place).attrs.get(PAPERS)
    elif read_manifest(place):
        files = (path for path in sorted(place.iterdir()) if path.suffix in SUFFIXES)
        owed = next((keys for path in files if (keys := facts_of(path).get(PAPERS))), None)
    else:
        what = f"'{place.name}' is not a KetaMech run" if place.exists() else f"there is no '{place}'"
        kinds = ", ".join(SUFFIXES)
        expected = f"a folder that ketamech wrote results to, or a file of results ({kinds})"
        raise InputError(what, expected=expected, type_this="ketamech simulate SCENARIO")
    if not owed:
        raise InputError(f"'{place.name}' does not say which papers it owes", expected="results that KetaMech wrote")
    return str(owed).split()


def _listed(path: Path) -> list[str]:
    try:
        return [str(entry["key"]) for entry in read_json(path)]
    except (ValueError, TypeError, KeyError):
        what = f"'{path.name}' is not the list of papers that was written"
        raise InputError(what, file=path.parent, expected="a run as it was written") from None


def as_text(papers: Iterable[Reference]) -> str:
    """One paper a line: short citation, title and link where they are known."""
    return "\n".join(". ".join(part for part in (p.citation, p.title, p.url) if part) for p in papers)


def as_bibtex(papers: Iterable[Reference]) -> str:
    """One entry a paper. An entry whose title is not known has its short citation as a note only."""
    return "\n\n".join(_bibtex(paper) for paper in papers)


def _bibtex(paper: Reference) -> str:
    fields = {
        "author": " and ".join(paper.authors), "year": paper.year, "title": paper.title, "journal": paper.journal,
        "volume": paper.volume, "pages": paper.page, "doi": paper.doi, "url": paper.url, "pmid": paper.pmid,
        "note": paper.citation,
    }  # fmt: skip
    if not paper.authors:
        fields["title"] = paper.title or paper.citation
    lines = [f"  {name} = {{{_escaped(text, name)}}}" for name, text in fields.items() if text]
    return f"@{'article' if paper.journal else 'misc'}{{{paper.key},\n" + ",\n".join(lines) + "\n}"


def _escaped(text: str, name: str) -> str:
    return text if name in ("url", "doi") else re.sub(r"([&%#_$])", r"\\\1", text)
