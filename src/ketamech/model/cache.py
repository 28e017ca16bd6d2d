"""Layout and expression trees of the whole model, stored in the cache folder so that the model need not be built.

They depend on the stages, on the code that assembles and checks them, on the names and units of the parameters and on
SymPy; when one of these changes, or a file is damaged, they are computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import metadata
from typing import TYPE_CHECKING, TypeVar

from ketamech.core import cache_folder, environment
from ketamech.core.atomic_files import atomic_write_checksummed, ignore_disk_errors, read_checksummed
from ketamech.model.expression_tree import ExpressionTrees, expression_trees_of
from ketamech.model.layout import SystemLayout

if TYPE_CHECKING:
    from ketamech.model.stage import HasUnit
    from ketamech.model.system import System

Cached = TypeVar("Cached", SystemLayout, ExpressionTrees)
SOURCE_PATTERNS = ("core/units.py", "model/**/*.py")


def cached_layout(parameters: Mapping[str, HasUnit], build_system: Callable[[], System]) -> SystemLayout:
    """The layout of the whole model over these parameters; `build_system` is called only when it is not cached."""
    return _cached("layout", parameters, SystemLayout.from_json, lambda: build_system().layout)


def cached_expression_trees(parameters: Mapping[str, HasUnit], build_system: Callable[[], System]) -> ExpressionTrees:
    """The equations as plain trees; `build_system` is called only when they are not cached."""

    return _cached("trees", parameters, ExpressionTrees.from_json, lambda: expression_trees_of(build_system()))


def _cached(
    kind: str, parameters: Mapping[str, HasUnit], read: Callable[[str], Cached], make: Callable[[], Cached]
) -> Cached:
    name = f"{cache_key(parameters)}.{kind}.json"
    path = cache_folder() / "systems" / name
    for source in (path, environment.PREBUILT / "systems" / name):
        if (text := read_checksummed(source)) is not None:
            try:
                return read(text)
            except ValueError:
                pass  # another format: computed again
    computed = make()
    with ignore_disk_errors():
        atomic_write_checksummed(path, computed.to_json())
    return computed


def cache_key(parameters: Mapping[str, HasUnit]) -> str:
    """Hash of everything that the layout and trees depend on."""
    rows = (f"{name}|{row.unit}" for name, row in parameters.items())
    return environment.source_hash(*SOURCE_PATTERNS, extra=(metadata.version("sympy"), *rows))
