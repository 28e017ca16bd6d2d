"""Order of computation: every quantity after those it is computed from."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from ketamech.core import ModelError

Name = TypeVar("Name", bound=Hashable)


def topological_order(needs: Mapping[Name, Iterable[Name]]) -> list[Name]:
    """The names of `needs` so that each comes after those it needs, depth first in the order of the mapping.

    Needs that are not names of the mapping are ignored. Raises ModelError when names need each other in a loop.
    """
    inner = {name: [need for need in listed if need in needs] for name, listed in needs.items()}
    done: dict[Name, None] = {}
    for name in inner:
        path = [name]
        while path:
            missing = next((need for need in inner[path[-1]] if need not in done), None)
            if missing is None:
                done.setdefault(path.pop())
            elif missing in path:
                loop = ", ".join(map(str, path[path.index(missing) :]))
                raise ModelError(f"these quantities are computed from each other in a loop: {loop}")
            else:
                path.append(missing)
    return list(done)
