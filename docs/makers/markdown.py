"""Small pieces of Markdown: tables, cells, and text without its common indentation."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence

NOTICE = "<!-- Made from the program by `make docs`: do not edit. -->"


def cell(text: object) -> str:
    """One table cell: no line breaks, no bars, no stray markup."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;") or " "


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table as lines, or nothing where there are no rows."""
    lines = [f"| {' | '.join(cell(part) for part in row)} |" for row in rows]
    return [f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *lines, ""] if lines else []


def code(text: object) -> str:
    """A cell of program text, or an empty one."""
    found = " ".join(str(text).split())
    return f"`{found}`" if found else ""


def blocks(text: str) -> str:
    """A docstring as Markdown: lines indented below the rest, or a run of example commands, become code."""
    lines: list[str] = []
    inside = False
    for line in inspect.cleandoc(text).splitlines():
        indented = line.startswith("  ") and bool(line.strip())
        if indented and not inside:
            lines += ["", "```"]
        if inside and line.strip() and not indented:
            lines += ["```", ""]
            inside = False
        inside = inside or indented
        if not (inside and not line.strip()):
            lines.append(line[2:] if inside else line)
    return "\n".join([*lines, "```"] if inside else lines)
