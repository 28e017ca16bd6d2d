"""Writes every made page, only where its text has changed, so that a second build is quick."""

from __future__ import annotations

from pathlib import Path

from makers.calibration import write_calibration
from makers.commands import command_pages
from makers.credibility import write_credibility
from makers.files import file_pages
from makers.guides import guides
from makers.interface import interface_pages
from makers.quantities import quantity_pages
from makers.theory import theory_pages


def made_pages(docs: Path) -> dict[str, str]:
    """{page: Markdown} of everything that the program says of itself; pictures are written below `docs`."""
    from ketamech.model.assemble import build_system

    system = build_system()
    pages = command_pages() | interface_pages() | file_pages() | theory_pages(system) | quantity_pages(system)
    folder = docs / "made" / "credibility"
    return pages | write_credibility(system, folder) | write_calibration(folder) | {"guides": guides(docs)}


def write_pages(docs: Path) -> None:
    """Write the made pages into `docs`/made and remove those that are no longer made."""
    folder = docs / "made"
    pages = {folder / f"{name}.md": text for name, text in made_pages(docs).items()}
    for old in set(folder.rglob("*.md")) - set(pages):
        old.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def write_notebooks(sources: Path, folder: Path) -> None:
    """Each notebook as .ipynb without outputs, to take away."""
    import jupytext

    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(sources.glob("*.py")):
        jupytext.write(jupytext.read(source, fmt="py:percent"), folder / f"{source.stem}.ipynb")
