"""A Dask scheduler and its workers as a place where the units of a job are done.

Units are independent and tied to no worker: when one is killed, the scheduler hands its unit to another, at the price
of that unit's time. Results are fetched as soon as they are there, and so few are ahead that memory stays flat.
"""

from __future__ import annotations

import hashlib
import pickle
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from ketamech.core import surroundings
from ketamech.core.errors import BadInput
from ketamech.core.pieces import Arrays
from ketamech.core.surroundings import made_with

ANSWER, ARRIVAL = 10.0, 30.0  # s to wait for a scheduler, and for its first worker
RETURN, LOOK = 120.0, 10.0  # s to wait for a worker when all have gone, and between two looks whether they have
AHEAD = 3  # units for each thread of the workers that may be ahead of the oldest unfinished one
SAME = "the same versions and processors on every machine"
One = Callable[[Any], Arrays]


@contextmanager
def connected(address: str) -> Iterator[DaskCluster]:
    """The cluster behind a scheduler at `address`, e.g. tcp://127.0.0.1:8786.

    Raises BadInput when Dask is not installed, nobody answers, or no worker comes.
    """
    try:
        from distributed import Client
    except ImportError:
        raise BadInput(
            "a cluster needs Dask", key="--scheduler", type_this='pip install "ketamech[distributed]"'
        ) from None
    try:
        _knock(address)
        client = Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, ValueError) as problem:
        raise BadInput(
            f"no scheduler answers at '{address}'", key="--scheduler", expected="tcp://HOST:PORT of a dask scheduler",
            type_this="--scheduler tcp://127.0.0.1:8786",
        ) from problem  # fmt: skip
    with client:
        try:
            client.wait_for_workers(1, timeout=ARRIVAL)
        except TimeoutError:
            what = f"the scheduler at '{address}' has no workers"
            raise BadInput(what, key="--scheduler", type_this=f"dask worker {address}") from None
        _examine(client)
        yield DaskCluster(client)


def _examine(client: Any) -> None:
    """Raise BadInput for the first worker that could not do its part, before anything is sent to it.

    What is asked travels as bytes: a worker without KetaMech would end itself over anything of ours.
    """
    answers = client.run(pickle.loads, pickle.dumps(_Facts()), on_error="return")
    for worker, found in answers.items():
        if isinstance(found, ModuleNotFoundError):
            what = f"the worker at '{worker}' has no module '{found.name}'"
            type_this = 'pip install "ketamech[distributed]"'
            raise BadInput(what, key="--scheduler", expected="KetaMech on every machine", type_this=type_this)
        if isinstance(found, Exception):
            what = f"the worker at '{worker}' does not understand this process: {found}"
            raise BadInput(what, key="--scheduler", expected=SAME)
        _compare(found, made_with(), worker)


def _knock(address: str) -> None:
    """Raise OSError or ValueError when nobody listens: a Dask client that never connected may hang when thrown away."""
    place = urlsplit(address)
    if place.scheme not in ("tcp", "tls", "ws", "wss") or not place.hostname or not place.port:
        raise ValueError(address)
    socket.create_connection((place.hostname, place.port), timeout=ANSWER).close()


class DaskCluster:
    """Units done by the workers of a Dask client; `one` and what it holds travel once to each worker.

    Every worker is asked what it computes with, also one that comes later.
    """

    def __init__(self, client: Any) -> None:
        self._client, self._sent = client, dict[str, Any]()

    def map(self, one: One, units: list[Any]) -> Iterator[tuple[int, Arrays]]:
        """(number, result of `one`) for each unit as it is done.

        Raises BadInput when the scheduler goes away, all workers stay away, or each dies over the same unit.
        """
        from distributed.client import FutureCancelledError, FuturesCancelledError
        from distributed.comm.core import CommClosedError
        from distributed.scheduler import KilledWorker

        number_of = dict[Any, int]()
        left, following = set(range(len(units))), 0
        try:
            sent = self._send(one)
            while left:
                while following < min(len(units), min(left) + self._together()):
                    number_of[self._client.submit(_do, sent, units[following], made_with(), pure=False)] = following
                    following += 1
                for future in self._done(number_of):
                    found, number = future.result(), number_of.pop(future)
                    left.discard(number)
                    yield number, found
        except KilledWorker as problem:
            what = "the workers die one after another over the same piece (memory?); finished pieces are kept"
            raise BadInput(
                what, key="--scheduler", expected="more memory for a worker; its log says why it died",
                type_this="dask worker ADDRESS --memory-limit 8GiB, then --resume",
            ) from problem  # fmt: skip
        except (CommClosedError, FutureCancelledError, FuturesCancelledError) as problem:
            raise _gone() from problem
        finally:
            self._client.cancel(list(number_of))

    def _done(self, futures: dict[Any, int]) -> list[Any]:
        """Those that are done, at least one. Raises BadInput when no worker is left and none comes."""
        from distributed import wait

        alone = 0.0
        while alone < RETURN:
            try:
                with self._client.as_current():
                    ready = wait(list(futures), timeout=LOOK, return_when="FIRST_COMPLETED").done
                return sorted(ready, key=futures.__getitem__)
            except TimeoutError:
                alone = 0.0 if self._threads() else alone + LOOK
        what = "all workers have gone and none has come back; finished pieces are kept"
        raise BadInput(what, key="--scheduler", expected="dask worker ADDRESS on some machine", type_this="--resume")

    def _together(self) -> int:
        return AHEAD * max(1, self._threads())

    def _threads(self) -> int:
        try:
            return sum(self._client.nthreads().values())
        except OSError as problem:
            raise _gone() from problem

    def _send(self, one: One) -> Any:
        """The function as a result of the cluster's own, so that it can be made again wherever it was lost."""
        packed = pickle.dumps(one)
        name = hashlib.sha256(packed).hexdigest()
        if name not in self._sent:
            self._sent[name] = self._client.submit(pickle.loads, packed, pure=False)
        return self._sent[name]


def _gone() -> BadInput:
    what = "the scheduler has gone; finished pieces are kept"
    return BadInput(what, key="--scheduler", expected="a scheduler that runs", type_this="--resume")


class _Facts:
    """Unpacked, it is what the process that unpacks it computes with."""

    def __reduce__(self) -> tuple[Callable[[], dict[str, str]], tuple[()]]:
        return surroundings.made_with, ()


def _compare(own: dict[str, str], wanted: dict[str, str], worker: str) -> None:
    """Raise BadInput when numbers made by a worker would be other bits than those made here."""
    for key in wanted:
        if own.get(key) != wanted[key]:
            what = f"the worker at '{worker}' has {key} {own.get(key)}, and this process {wanted[key]}"
            raise BadInput(what, key="--scheduler", expected=SAME)


def _do(one: One, unit: Any, wanted: dict[str, str]) -> Arrays:
    """On a worker: a unit, unless its numbers would be other bits here."""
    from distributed import get_worker

    _compare(made_with(), wanted, get_worker().address)
    return one(unit)
