"""Folders shipped with the package."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
DATA = PACKAGE / "data"
