"""The same patients, doses and outputs on this engine and on others, error beside time."""

from typing import TYPE_CHECKING

from ketamech.core.lazy import lazy_getattr, listing

if TYPE_CHECKING:
    from benchmarks.suite import benchmark as benchmark

_WHERE = {"benchmark": "suite"}

__all__ = sorted(_WHERE)
__getattr__ = lazy_getattr(__name__, _WHERE)
__dir__ = listing(__name__, __all__)
