"""Execution of the units of a long job: on this machine or on a cluster, with or without a checkpoint; same numbers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ketamech.core.checkpoint import Arrays, Checkpoint

Unit = TypeVar("Unit")
UnitFunction = Callable[[Any], Arrays]


class ClusterProtocol(Protocol):
    """An executor elsewhere that returns results as they are finished."""

    def map(self, unit_function: UnitFunction, units: list[Any]) -> Iterator[tuple[int, Arrays]]:
        """(number, result of `unit_function`) for each unit, in any order."""


@dataclass(frozen=True)
class Executor:
    """Executes units on the `cluster` or locally, and stores results in the `checkpoint` if there is one.

    Pickled to another process it becomes a plain local executor: only this process writes the checkpoint.
    """

    checkpoint: Checkpoint | None = None
    cluster: ClusterProtocol | None = None

    def map(
        self,
        units: Mapping[str, Unit],
        unit_function: Callable[[Unit], Arrays],
        batch_function: Callable[[list[Unit]], Iterator[Arrays]] | None = None,
    ) -> Iterator[Arrays]:
        """Results of all units by name, in order: finished ones from the checkpoint, the others computed and stored.

        `unit_function` computes one unit independently of the others; `batch_function` computes several in turn, where
        that is faster locally. A name must identify everything that determines the numbers of a unit within the job.
        """
        checkpoint = self.checkpoint
        missing = [name for name in units if checkpoint is None or name not in checkpoint]
        pending, computed = set(missing), dict[str, Arrays]()
        with closing(self._results([units[name] for name in missing], unit_function, batch_function)) as results:
            for name in units:
                if checkpoint and name not in pending:
                    yield checkpoint.read(name)
                    continue
                while name not in computed:  # a cluster returns results in any order
                    number, result = next(results)
                    computed[missing[number]] = result
                    if checkpoint:
                        checkpoint.save(missing[number], result)
                yield computed.pop(name)

    def _results(
        self,
        units: list[Unit],
        unit_function: Callable[[Unit], Arrays],
        batch_function: Callable[[list[Unit]], Iterator[Arrays]] | None,
    ) -> Generator[tuple[int, Arrays], None, None]:
        """(number, result) of each unit as it is finished."""
        if not units:
            return
        if self.cluster:
            yield from self.cluster.map(unit_function, units)
        else:
            yield from enumerate(batch_function(units) if batch_function else map(unit_function, units))

    def __reduce__(self) -> tuple[type[Executor], tuple[()]]:
        return Executor, ()


LOCAL_EXECUTOR = Executor()
