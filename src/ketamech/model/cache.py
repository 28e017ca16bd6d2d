"""What is known of the whole story without building it: its layout and outline, kept in the cache folder.

They depend on the stages, on what joins and checks them, on the names and units of the parameters and on SymPy; when
one of these changes they are made anew, and so is a file that is not what was once written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ketamech.core import cache_folder
from ketamech.core.atomic_files import atomic_write_checksummed, ignore_disk_errors, read_checksummed
from ketamech.model.expression_tree import ExpressionTrees, expression_trees_of
from ketamech.model.layout import SystemLayout

if TYPE_CHECKING:
    from ketamech.model.stage import HasUnit
    from ketamech.model.system import System

Kept = TypeVar("Kept", SystemLayout, ExpressionTrees)
_ROOT = Path(__file__).parents[1]
_READ = ("core/units.py", "model/**/*.py")


def cached_layout(parameters: Mapping[str, HasUnit], build_system: Callable[[], System]) -> SystemLayout:
    """The layout of the whole story over these parameters; `build_system` is called only when it is not kept yet."""
    return _kept("layout", parameters, SystemLayout.from_json, lambda: build_system().layout)


def cached_expression_trees(parameters: Mapping[str, HasUnit], build_system: Callable[[], System]) -> ExpressionTrees:
    """The equations as plain trees; `build_system` is called only when they are not kept yet."""

    return _kept("trees", parameters, ExpressionTrees.from_json, lambda: expression_trees_of(build_system()))


def _kept(what: str, parameters: Mapping[str, HasUnit], read: Callable[[str], Kept], make: Callable[[], Kept]) -> Kept:
    place = cache_folder() / "systems" / f"{_key(parameters)}.{what}.json"
    if (text := read_checksummed(place)) is not None:
        try:
            return read(text)
        except ValueError:
            pass  # written by something else: made anew
    made = make()
    with ignore_disk_errors():
        atomic_write_checksummed(place, made.to_json())
    return made


def _key(parameters: Mapping[str, HasUnit]) -> str:
    """What a layout depends on."""
    sources = (path.read_text(encoding="utf-8") for path in _sources())
    rows = (f"{name}|{row.unit}" for name, row in parameters.items())
    text = "\n".join((metadata.version("sympy"), *rows, *sources))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _sources() -> Iterable[Path]:
    return (path for pattern in _READ for path in sorted(_ROOT.glob(pattern)))
