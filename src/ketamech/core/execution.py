"""How the units of a long job are done: here or on a cluster, kept in a folder or not. The numbers are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ketamech.core.checkpoint import Arrays, Checkpoint

Unit = TypeVar("Unit")
UnitFunction = Callable[[Any], Arrays]


class ClusterProtocol(Protocol):
    """Something that does units elsewhere and hands their results back as they are done."""

    def map(self, unit_function: UnitFunction, units: list[Any]) -> Iterator[tuple[int, Arrays]]:
        """(number, result of `one`) for each unit, in any order."""


@dataclass(frozen=True)
class Executor:
    """`pieces` of the job on disk, and the `cluster` that does it; with neither, units are simply done here.

    Sent to another process it arrives as plain work: what is computed there is kept here.
    """

    pieces: Checkpoint | None = None
    cluster: ClusterProtocol | None = None

    def map(
        self,
        units: Mapping[str, Unit],
        one: Callable[[Unit], Arrays],
        batch_function: Callable[[list[Unit]], Iterator[Arrays]] | None = None,
    ) -> Iterator[Arrays]:
        """Results of all units by name, in order: finished ones from disk, the others computed and kept.

        `one` does a unit and must not depend on any other; `many` does several one after another, where that is quicker
        here. A name must stand for all that decides on a unit's numbers within the job.
        """
        missing = [name for name in units if not self.pieces or name not in self.pieces]
        lacking, arrived = set(missing), dict[str, Arrays]()
        with closing(self._pending_units([units[name] for name in missing], one, batch_function)) as fresh:
            for name in units:
                while name in lacking and name not in arrived:
                    number, found = next(fresh)
                    arrived[missing[number]] = found
                    if self.pieces:
                        self.pieces.save(missing[number], found)
                yield arrived.pop(name) if name in lacking or not self.pieces else self.pieces.read(name)

    def _pending_units(
        self,
        todo: list[Unit],
        one: Callable[[Unit], Arrays],
        many: Callable[[list[Unit]], Iterator[Arrays]] | None,
    ) -> Any:
        if not todo:
            return
        if self.cluster:
            yield from self.cluster.map(one, todo)
        else:
            yield from enumerate(many(todo) if many else map(one, todo))

    def __reduce__(self) -> tuple[type[Executor], tuple[()]]:
        return Executor, ()


LOCAL = Executor()
