"""The papers that a run cites, as text and as BibTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketamech.core import InputError
from ketamech.core.atomic_files import read_json
from ketamech.core.constants import PAPERS
from ketamech.evidence import Evidence, Reference, load_evidence
from ketamech.exchange.output_folder import read_manifest

if TYPE_CHECKING:
    import xarray as xr

FILE = "bibliography.json"


def bibliography(
    parameters: Mapping[str, Iterable[str]], drawn_rows: Iterable[str], evidence: Evidence
) -> list[dict[str, Any]]:
    """One entry a paper: key, citation, links, its parameters and its evidence rows drawn in figures.

    `parameters`: evidence ids by parameter name; `drawn_rows`: ids of the published points over the curves.
    """
    shown_rows = tuple(dict.fromkeys(drawn_rows))
    papers_cited: dict[str, dict[str, Any]] = {}
    for name, ids in parameters.items():
        for row in ids:
            entry = papers_cited.setdefault(evidence[row].reference, {"evidence": {}, "parameters": {}, "drawn": []})
            entry["evidence"][row] = None
            entry["parameters"][name] = None
    for row in shown_rows:
        papers_cited.setdefault(evidence[row].reference, {"evidence": {}, "parameters": {}, "drawn": []})[
            "drawn"
        ].append(row)
    papers = evidence.cite([*(row for ids in parameters.values() for row in ids), *shown_rows])
    return [_entry(paper, papers_cited[paper.key]) for paper in papers]


def _entry(paper: Reference, entry: Mapping[str, Any]) -> dict[str, Any]:
    links = {"key": paper.key, "citation": paper.citation, "title": paper.title}
    links |= {"doi": paper.doi, "pmid": paper.pmid, "url": paper.url}
    return links | {name: list(entry[name]) for name in ("parameters", "evidence", "drawn")}


def cite(run: xr.Dataset | Path | str, *, bibtex: bool = False) -> str:
    """The papers whose values a run used, one per line, or as BibTeX.

    `run` is a Dataset of `ketamech.simulate` or of a trial, a folder of results, or a file of them (.nc, .zarr,
    .parquet, .csv). Raises InputError for anything else, and for results of a version that cites other papers.
    """
    import xarray as xr

    references = load_evidence().references
    keys, name = (
        (_keys_of_dataset(run), "the Dataset") if isinstance(run, xr.Dataset) else (_cited_keys(Path(run)), str(run))
    )
    missing = [key for key in keys if key not in references]
    if missing:
        message = f"'{name}' cites '{missing[0]}', which this version does not ship"
        raise InputError(message, expected="results of this version", type_this="ketamech simulate SCENARIO")
    papers = [references[key] for key in keys]
    return as_bibtex(papers) if bibtex else as_text(papers)


def _keys_of_dataset(dataset: xr.Dataset) -> list[str]:
    if PAPERS not in dataset.attrs:
        message = f"the Dataset has no attribute '{PAPERS}'"
        raise InputError(message, expected="a Dataset as ketamech.simulate returns it", type_this="ketamech.cite(run)")
    return str(dataset.attrs[PAPERS]).split()


def _cited_keys(source: Path) -> list[str]:
    """Keys of the papers that results cite."""
    from ketamech.exchange.cohort_store import STATE
    from ketamech.exchange.result_io import SUFFIXES, TRIAL, metadata_of, read_results

    if read_manifest(source) and (source / FILE).is_file():
        return _bibliography_keys(source / FILE)
    if source.suffix.lower() in SUFFIXES and source.exists():
        papers = metadata_of(source).get(PAPERS)
    elif source.is_dir() and any((source / name).exists() for name in (TRIAL, STATE)):
        papers = read_results(source).attrs.get(PAPERS)
    elif read_manifest(source):
        files = (path for path in sorted(source.iterdir()) if path.suffix in SUFFIXES)
        papers = next((keys for path in files if (keys := metadata_of(path).get(PAPERS))), None)
    else:
        message = f"'{source.name}' is not a KetaMech run" if source.exists() else f"there is no '{source}'"
        kinds = ", ".join(SUFFIXES)
        expected = f"a folder that ketamech wrote results to, or a file of results ({kinds})"
        raise InputError(message, expected=expected, type_this="ketamech simulate SCENARIO")
    if not papers:
        raise InputError(
            f"'{source.name}' does not list the papers that it cites", expected="results that KetaMech wrote"
        )
    return str(papers).split()


def _bibliography_keys(path: Path) -> list[str]:
    try:
        return [str(entry["key"]) for entry in read_json(path)]
    except (ValueError, TypeError, KeyError):
        message = f"'{path.name}' is not the list of papers that was written"
        raise InputError(message, file=path.parent, expected="a run as it was written") from None


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
        "note": f"{paper.citation}; title recalled" if paper.title_recalled else paper.citation,
    }  # fmt: skip
    if not paper.authors:
        fields["title"] = paper.title or paper.citation
    lines = [f"  {name} = {{{_escaped(text, name)}}}" for name, text in fields.items() if text]
    return f"@{'article' if paper.journal else 'misc'}{{{paper.key},\n" + ",\n".join(lines) + "\n}"


def _escaped(text: str, name: str) -> str:
    return text if name in ("url", "doi") else re.sub(r"([&%#_$])", r"\\\1", text)
