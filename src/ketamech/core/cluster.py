"""A Dask scheduler and its workers as a place where the units of a job are done.

Units are independent and tied to no worker: when one is killed, the scheduler hands its unit to another, at the price
of that unit's time. Results come back in the order of the units; only so many are under way that memory stays flat.
"""

from __future__ import annotations

import hashlib
import pickle
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ketamech.core.errors import BadInput
from ketamech.core.pieces import Arrays
from ketamech.core.surroundings import made_with

ANSWER, ARRIVAL = 10.0, 30.0  # s to wait for a scheduler, and for its first worker
AHEAD = 3  # units under way for each thread of the workers
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
        client = Client(address, timeout=ANSWER, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as problem:
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


class DaskCluster:
    """Units done by the workers of a Dask client; `one` and what it holds travel once to each worker."""

    def __init__(self, client: Any) -> None:
        self._client, self._sent = client, dict[str, Any]()

    def map(self, one: One, units: list[Any]) -> Iterator[Arrays]:
        """Results of `one` for each unit, in order. Raises BadInput when the scheduler goes away."""
        from distributed.client import FutureCancelledError
        from distributed.comm.core import CommClosedError

        waiting = iter(units)
        under_way: deque[Any] = deque()
        try:
            sent = self._send(one)
            while True:
                for unit in waiting:
                    under_way.append(self._client.submit(_do, sent, unit, pure=False))
                    if len(under_way) >= self._together():
                        break
                if not under_way:
                    return
                yield under_way.popleft().result()
        except (CommClosedError, FutureCancelledError) as problem:
            what = "the scheduler has gone; finished pieces are kept"
            raise BadInput(what, key="--scheduler", expected="a scheduler that runs", type_this="--resume") from problem
        finally:
            self._client.cancel(list(under_way))

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
