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

from ketamech.core.errors import BadInput
from ketamech.core.pieces import Arrays
from ketamech.core.surroundings import made_with

ANSWER, ARRIVAL = 10.0, 30.0  # s to wait for a scheduler, and for its first worker
AHEAD = 3  # units for each thread of the workers that may be ahead of the oldest unfinished one
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
        yield DaskCluster(client)


def _knock(address: str) -> None:
    """Raise OSError or ValueError when nobody listens: a Dask client that never connected may hang when thrown away."""
    place = urlsplit(address)
    if place.scheme not in ("tcp", "tls", "ws", "wss") or not place.hostname or not place.port:
        raise ValueError(address)
    socket.create_connection((place.hostname, place.port), timeout=ANSWER).close()


class DaskCluster:
    """Units done by the workers of a Dask client; `one` and what it holds travel once to each worker."""

    def __init__(self, client: Any) -> None:
        self._client, self._sent = client, dict[str, Any]()

    def map(self, one: One, units: list[Any]) -> Iterator[tuple[int, Arrays]]:
        """(number, result of `one`) for each unit as it is done. Raises BadInput when the scheduler goes away."""
        from distributed import as_completed
        from distributed.client import FutureCancelledError
        from distributed.comm.core import CommClosedError

        under_way, number_of = as_completed(loop=self._client.loop), dict[Any, int]()
        left, following = set(range(len(units))), 0
        try:
            sent = self._send(one)
            while left:
                while following < min(len(units), min(left) + self._together()):
                    future = self._client.submit(_do, sent, units[following], pure=False)
                    number_of[future] = following
                    under_way.add(future)
                    following += 1
                future = next(under_way)
                found, number = future.result(), number_of.pop(future)
                left.discard(number)
                yield number, found
        except (CommClosedError, FutureCancelledError) as problem:
            what = "the scheduler has gone; finished pieces are kept"
            raise BadInput(what, key="--scheduler", expected="a scheduler that runs", type_this="--resume") from problem
        finally:
            self._client.cancel(list(number_of))

    def _together(self) -> int:
        return AHEAD * max(1, sum(self._client.nthreads().values()))

    def _send(self, one: One) -> Any:
        """The function as a result of the cluster's own, so that it can be made again wherever it was lost."""
        packed = pickle.dumps(one)
        name = hashlib.sha256(packed).hexdigest()
        if name not in self._sent:
            self._sent[name] = self._client.submit(_arrived, packed, made_with(), pure=False)
        return self._sent[name]


def _arrived(packed: bytes, wanted: dict[str, str]) -> One:
    """On a worker: the function, unless numbers made here would be other bits."""
    own = made_with()
    for key in wanted:
        if own.get(key) != wanted[key]:
            what = f"a worker has {key} {own.get(key)}, and this process {wanted[key]}"
            raise BadInput(what, key="--scheduler", expected="the same versions and processors on every machine")
    return pickle.loads(packed)


def _do(one: One, unit: Any) -> Arrays:
    return one(unit)
