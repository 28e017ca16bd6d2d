"""The documents that are kept, and the makers of the others on the path."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))


def documents():
    """README and every page that is written by hand, or by a command and kept: {name: text}."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs" / "notebooks").glob("*.py")]
    kept = [path for path in pages if "made" not in path.relative_to(ROOT).parts]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted(kept)}
