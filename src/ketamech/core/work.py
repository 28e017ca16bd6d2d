"""How the units of a long job are done: here or on a cluster, kept in a folder or not. The numbers are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ketamech.core.pieces import Arrays, Pieces

Unit = TypeVar("Unit")
One = Callable[[Any], Arrays]


class Cluster(Protocol):
    """Something that does units elsewhere and hands their results back in order."""

    def map(self, one: One, units: list[Any]) -> Iterator[Arrays]:
        """Results of `one` for each unit, in the order of the units."""


@dataclass(frozen=True)
class Work:
    """`pieces` of the job on disk, and the `cluster` that does it; with neither, units are simply done here.

    Sent to another process it arrives as plain work: what is computed there is kept here.
    """

    pieces: Pieces | None = None
    cluster: Cluster | None = None

    def each(
        self,
        units: Mapping[str, Unit],
        one: Callable[[Unit], Arrays],
        many: Callable[[list[Unit]], Iterator[Arrays]] | None = None,
    ) -> Iterator[Arrays]:
        """Results of all units by name, in order: finished ones from disk, the others computed and kept.

        `one` does a unit and must not depend on any other; `many` does several one after another, where that is quicker
        here. A name must stand for all that decides on a unit's numbers within the job.
        """
        missing = [name for name in units if not self.pieces or name not in self.pieces]
        todo, lacking = [units[name] for name in missing], set(missing)
        with closing(self._fresh(todo, one, many)) as fresh:
            for name in units:
                if self.pieces and name not in lacking:
                    yield self.pieces.read(name)
                    continue
                found = next(fresh)
                if self.pieces:
                    self.pieces.keep(name, found)
                yield found

    def _fresh(
        self,
        todo: list[Unit],
        one: Callable[[Unit], Arrays],
        many: Callable[[list[Unit]], Iterator[Arrays]] | None,
    ) -> Any:
        if not todo:
            return
        if self.cluster:
            yield from self.cluster.map(one, todo)
        elif many:
            yield from many(todo)
        else:
            yield from map(one, todo)

    def __reduce__(self) -> tuple[type[Work], tuple[()]]:
        return Work, ()


HERE = Work()
