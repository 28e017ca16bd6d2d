"""The evidence tables in memory: look up, select, tabulate and cite rows, and describe them as text.

The papers behind the rows are read from CSL-JSON (data/evidence/references.json).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketamech.core import InputError, require_known
from ketamech.core.atomic_files import read_json
from ketamech.evidence.observation import RECALLED, Observation

if TYPE_CHECKING:
    import pandas as pd


IDENTIFIERS = ("DOI", "PMID", "PMCID")


@dataclass(frozen=True)
class Reference:
    """A paper, label or web page; text that is unknown is empty.

    `citation` is the short form for lists: authors, year, journal, volume and page, or the `citation-label` of an entry
    that has no such parts. `title_recalled`: the title was written from memory (`custom: {title: recalled}`).
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
    title_recalled: bool = False


def read_references(path: Path) -> dict[str, Reference]:
    """References by key, in the order of the file. Raises InputError naming the entry that cannot be used."""
    references: dict[str, Reference] = {}
    owners: dict[str, str] = {}
    for number, entry in enumerate(_entries(path), 1):
        reference = _reference(entry, path, number)
        if reference.key in references:
            raise _error(path, reference.key, f"'{reference.key}' is already used", "each reference once")
        for name in IDENTIFIERS:
            text = str(entry.get(name, "")).lower()
            if text and text in owners:
                raise _error(path, reference.key, f"{name} '{text}' belongs to {owners[text]}", "each paper once")
            owners[text] = reference.key
        references[reference.key] = reference
    return references


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
    authors, year, custom = _authors(entry), _year(entry), entry.get("custom")
    journal = str(entry.get("container-title", ""))
    citation = str(entry.get("citation-label", "")) or _short(authors, year, journal, texts, str(entry.get("note", "")))
    if not citation:
        raise _error(path, entry["id"], "nothing to cite", "author, issued and container-title, or a citation-label")
    return Reference(
        entry["id"], citation, doi=texts["DOI"], pmid=texts["PMID"], pmcid=texts["PMCID"], url=texts["URL"],
        title=texts["title"], authors=authors, year=year, journal=journal, volume=texts["volume"], page=texts["page"],
        title_recalled=isinstance(custom, Mapping) and custom.get("title") == RECALLED,
    )  # fmt: skip


def _authors(entry: Mapping[str, Any]) -> tuple[str, ...]:
    people = entry.get("author", [])
    if not isinstance(people, list):
        return ()
    return tuple(
        str(person.get("family") or person.get("literal") or "") for person in people if isinstance(person, Mapping)
    )


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


@dataclass(frozen=True)
class Evidence:
    """Observations by id and references by key."""

    observations: Mapping[str, Observation]
    references: Mapping[str, Reference]

    def __len__(self) -> int:
        return len(self.observations)

    def __repr__(self) -> str:
        return f"<Evidence: {len(self)} observations from {len(self.references)} references; .table() shows them>"

    def __getitem__(self, name: str) -> Observation:
        require_known(name, self.observations, f"no evidence row '{name}'", expected="an id of data/evidence/*.csv")
        return self.observations[name]

    def with_prefix(self, prefix: str) -> list[str]:
        """Ids that begin with `prefix`, in the order of the tables."""
        ids, places = self._ids
        same = takewhile(lambda name: name.startswith(prefix), islice(ids, bisect_left(ids, prefix), None))
        return sorted(same, key=places.__getitem__)

    @cached_property
    def _ids(self) -> tuple[list[str], dict[str, int]]:
        """All ids in alphabetical order, and their places in the tables."""
        return sorted(self.observations), {name: i for i, name in enumerate(self.observations)}

    def select(
        self,
        *,
        stage: str | None = None,
        drug: str | None = None,
        use: str | None = None,
        text: str | None = None,
    ) -> list[Observation]:
        """Rows of a stage and use (exact), with `drug` inside the drug or a compound and `text` anywhere (any case)."""
        return [
            row
            for row in self.observations.values()
            if (stage is None or row.stage == stage)
            and (use is None or row.use == use)
            and (drug is None or drug.lower() in "; ".join((row.drug, *row.compounds)).lower())
            and (text is None or text.lower() in self._search_text(row))
        ]

    def _search_text(self, row: Observation) -> str:
        parts = (row.id, row.stage, row.quantity, row.species, row.population, row.drug, row.dose, row.route)
        more = (row.time, row.comparator, row.locator, row.notes, self.references[row.reference].citation)
        return " ".join((*parts, *more)).lower()

    def studied_doses(self, stage: str, drug: str, route: str, unit: str) -> list[float]:
        """Single doses in `unit` (mg or mg/kg) of a drug by a route in human studies of a stage, from the smallest.

        `drug` and `route` are parts of the text of a row; no doses for an empty route.
        """
        rows = [row for row in self.select(stage=stage) if row.species == "human" and drug in row.drug]
        doses = {dose for row in rows if route and route.lower() in row.route.lower() for dose in row.doses_in(unit)}
        return sorted(doses - {0.0})

    def cite(self, ids: Iterable[str]) -> list[Reference]:
        """The papers of these rows, each once, sorted by citation; raises UnknownNameError."""
        keys = {self[name].reference for name in ids}
        return sorted((self.references[key] for key in keys), key=lambda paper: (paper.citation.lower(), paper.key))

    def table(self) -> pd.DataFrame:
        """One line per observation, with the spread as spread_kind, _low, _high and _text."""
        import pandas as pd

        frame = pd.DataFrame([_flat(row) for row in self.observations.values()])
        return frame.set_index("id", drop=False)


def _flat(row: Observation) -> dict[str, object]:
    cells = asdict(row)
    spread = cells.pop("spread")
    return {**cells, **{f"spread_{name}": part for name, part in spread.items()}}


_READING_SOURCE_LABELS = {"source": "", "transcription": "from a transcription", "recalled": "RECALLED, not confirmed"}


def format_listing(rows: Iterable[Observation]) -> list[dict[str, str]]:
    """One short dictionary per observation, all cells as text."""
    return [
        {
            "id": row.id,
            "stage": row.stage,
            "quantity": row.quantity,
            "drug": row.drug,
            "time": row.time,
            "value": f"{row.value:g} {row.unit}",
            "spread": row.spread.text,
            "reading_source": row.reading_source,
            "use": row.use,
            "reference": row.reference,
        }
        for row in rows
    ]


def format_row(evidence: Evidence, name: str) -> str:
    """Text about one observation: quantity, population, number, how it was read, and the paper."""
    row = evidence[name]
    lines = [
        f"{row.id}  ({row.table}.csv line {row.line}, stage {row.stage}, use {row.use})",
        f"  {row.quantity}",
        *_labelled("value", _number(row)),
        *_labelled("in whom", ", ".join(part for part in (row.species, row.population) if part)),
        *_labelled("n", row.n_text),
        *_labelled("given", ", ".join(part for part in (row.drug, row.dose, row.route) if part)),
        *_labelled("time", row.time),
        *_labelled("against", row.comparator),
        *_labelled(
            "read as",
            " ".join(part for part in (row.reading_source, _READING_SOURCE_LABELS[row.reading_source]) if part),
        ),
        *_labelled("same as", row.duplicate_of),
        *_labelled("notes", row.notes),
        *_labelled("source", citation(evidence.references[row.reference], row.locator)),
    ]
    return "\n".join(lines)


def citation(paper: Reference, place: str = "") -> str:
    """A paper on one line: citation, place inside it, and a link when one is known."""
    return ", ".join(part for part in (paper.citation, place, paper.url) if part)


def _labelled(label: str, text: str) -> list[str]:
    return [f"  {label + ':':9} {text}"] if text else []


def _number(row: Observation) -> str:
    printed = f"{row.value:g} {row.unit}" + (f" ({row.spread.text})" if row.spread.text else "")
    same = row.factor == 1 and row.canonical_unit == "1"
    return printed if same else f"{printed} = {row.canonical_value:.4g} {row.canonical_unit}"
