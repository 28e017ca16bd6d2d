"""The list of guides: every page of the folder that no other page takes into its table of contents."""

from __future__ import annotations

import re
from pathlib import Path

from makers.markdown import NOTICE, table

FIRST = ("scenarios", "trials", "adding-a-term")
HOMES = ("index", "tutorial", "reference", "theory", "trust", "project")


def guides(docs: Path) -> str:
    """A table of guides with what each says first, and their table of contents; to be included by the page above."""
    taken = {*HOMES, "how-to"}
    for home in HOMES:
        taken |= set(re.findall(r"^[\w/-]+$", (docs / f"{home}.md").read_text(encoding="utf-8"), flags=re.M))
    found = {path.stem for path in docs.glob("*.md")} - taken
    names = [*(name for name in FIRST if name in found), *sorted(found - set(FIRST))]
    rows = [(f"[{_title(docs / f'{name}.md')}]({name}.md)", _parts(docs / f"{name}.md")) for name in names]
    contents = ["```{toctree}", ":hidden:", "", *names, "```", ""]
    return "\n".join([NOTICE, "", *table(("guide", "holds"), rows), *contents])


def _title(page: Path) -> str:
    return re.search(r"^# (.*)$", page.read_text(encoding="utf-8"), flags=re.M).group(1)  # type: ignore[union-attr]


def _parts(page: Path) -> str:
    """The headings of a page, which say what can be done with it."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return "; ".join(re.findall(r"^## (.*)$", text, flags=re.M) or re.findall(r"^\d\. \*\*(.*?)\*\*", text, flags=re.M))
