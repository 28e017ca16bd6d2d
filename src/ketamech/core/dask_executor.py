"""A Dask scheduler and its workers as a place where the units of a job are done.

Units are independent and tied to no worker: when one is killed, the scheduler hands its unit to another, at the price
of that unit's time. Results are fetched as soon as they are there, and so few are ahead that memory stays flat.
"""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as waited
from contextlib import contextmanager, suppress
from functools import partial
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ketamech.core import environment as surroundings
from ketamech.core.checkpoint import Arrays
from ketamech.core.environment import environment
from ketamech.core.errors import InputError

REPLY_SECONDS, WORKER_WAIT_SECONDS = (
    10.0,
    30.0,
)  # s to wait for an answer of the scheduler, and of its workers at the beginning
RETURN, POLL_SECONDS = 120.0, 10.0  # s to wait for a worker when all have gone, and between two looks whether they have
CLOSE = 5.0  # s to say goodbye to the scheduler
UNITS_AHEAD = 3  # units for each thread of the workers that may be ahead of the oldest unfinished one
SAME = "the same versions and processors on every machine"
WORKER = "dask worker ADDRESS on some machine"
One = Callable[[Any], Arrays]
Reply = TypeVar("Reply")


@contextmanager
def connect(address: str) -> Iterator[DaskCluster]:
    """The cluster behind a scheduler at `address`, e.g. tcp://127.0.0.1:8786.

    Raises BadInput when Dask is not installed, nobody answers, or no worker comes.
    """
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise InputError(
            "a cluster needs Dask", key="--scheduler", type_this='pip install "ketamech[distributed]"'
        ) from None
    loop = EventLoop("cluster")
    try:
        client = _client(loop, address)
        try:
            _await_worker(loop, client, address)
            _examine(loop, client)
            yield DaskCluster(loop, client)
        finally:
            with suppress(OSError):  # TimeoutError too: what is left ends with the loop
                loop.ask(client.close, CLOSE)
    finally:
        loop.close()


def _client(loop: EventLoop, address: str) -> Any:
    """A Dask client that belongs to the loop. Dask itself sets no limit to the first message from a scheduler."""
    try:
        _probe(address)
        return loop.ask(partial(_started, address), REPLY_SECONDS)
    except (OSError, ValueError) as problem:
        raise InputError(
            f"no scheduler answers at '{address}'", key="--scheduler", expected="tcp://HOST:PORT of a dask scheduler",
            type_this="--scheduler tcp://127.0.0.1:8786",
        ) from problem  # fmt: skip


async def _started(address: str) -> Any:
    from distributed import Client

    client = Client(address, timeout=REPLY_SECONDS, set_as_default=False, asynchronous=True)
    try:
        return await client
    except BaseException:
        await client.close()
        raise


def _await_worker(loop: EventLoop, client: Any, address: str) -> None:
    try:
        loop.ask(partial(client.wait_for_workers, 1), WORKER_WAIT_SECONDS)
    except TimeoutError:
        what = f"the scheduler at '{address}' has no workers"
        raise InputError(what, key="--scheduler", type_this=f"dask worker {address}") from None


def _examine(loop: EventLoop, client: Any) -> None:
    """Raise BadInput for the first worker that could not do its part, before anything is sent to it.

    What is asked travels as bytes: a worker without KetaMech would end itself over anything of ours.
    """
    question = partial(client.run, pickle.loads, pickle.dumps(_WorkerInfo()), on_error="return")
    try:
        answers = loop.ask(question, WORKER_WAIT_SECONDS)
    except TimeoutError:
        what = f"not every worker answers within {WORKER_WAIT_SECONDS:.0f} s"
        raise InputError(what, key="--scheduler", expected="workers that run", type_this=WORKER) from None
    for worker, found in answers.items():
        if isinstance(found, ModuleNotFoundError):
            what = f"the worker at '{worker}' has no module '{found.name}'"
            type_this = 'pip install "ketamech[distributed]"'
            raise InputError(what, key="--scheduler", expected="KetaMech on every machine", type_this=type_this)
        if isinstance(found, Exception):
            what = f"the worker at '{worker}' does not understand this process: {found}"
            raise InputError(what, key="--scheduler", expected=SAME)
        _compare(found, environment(), worker)


def _probe(address: str) -> None:
    """Raise OSError or ValueError when nobody listens: a Dask client that never connected may hang when thrown away."""
    place = urlsplit(address)
    if place.scheme not in ("tcp", "tls", "ws", "wss") or not place.hostname or not place.port:
        raise ValueError(address)
    socket.create_connection((place.hostname, place.port), timeout=REPLY_SECONDS).close()


class DaskCluster:
    """Units done by the workers of a Dask client; `one` and what it holds travel once to each worker.

    Every worker is asked what it computes with, also one that comes later. No wait is without a limit: while a unit
    takes its time, the scheduler and its workers are looked at again and again.
    """

    def __init__(self, loop: EventLoop, client: Any) -> None:
        self._loop, self._client, self._sent = loop, client, dict[str, Any]()
        self._address = client.scheduler.address

    def map(self, unit_function: One, units: list[Any]) -> Iterator[tuple[int, Arrays]]:
        """(number, result of `one`) for each unit as it is done.

        Raises BadInput when the scheduler goes away or no longer answers, all workers stay away, or each dies over the
        same unit.
        """
        from distributed.client import ClosedClientError
        from distributed.scheduler import KilledWorker

        number_of = dict[Any, int]()
        left, following = set(range(len(units))), 0
        try:
            sent = self._send(unit_function)
            while left:
                ahead = min(len(units), min(left) + UNITS_AHEAD * (self._threads() or 1))
                for number in range(following, ahead):
                    number_of[self._client.submit(_do, sent, units[number], environment(), pure=False)] = number
                following = max(following, ahead)
                for future in self._done(number_of):
                    found, number = self._fetch(future), number_of.pop(future)
                    future.release()  # or a worker that dies later would cost it too
                    left.discard(number)
                    yield number, found
        except KilledWorker as problem:
            what = "the workers die one after another over the same piece (memory?); finished pieces are kept"
            raise InputError(
                what, key="--scheduler", expected="more memory for a worker; its log says why it died",
                type_this="dask worker ADDRESS --memory-limit 8GiB, then --resume",
            ) from problem  # fmt: skip
        except (CancelledError, ClosedClientError) as problem:  # Dask cancels all futures of a lost scheduler
            raise _lost_scheduler() from problem
        finally:
            with suppress(OSError, CancelledError, ClosedClientError):
                self._loop.ask(partial(self._client.cancel, list(number_of)), CLOSE)

    def _done(self, futures: dict[Any, int]) -> list[Any]:
        """Those that are done, at least one, in the order of the units."""
        from distributed import wait

        async def first() -> list[Any]:
            with self._client.as_current():
                return list((await wait(list(futures), return_when="FIRST_COMPLETED")).done)

        return sorted(self._while_alive(first), key=futures.__getitem__)

    def _fetch(self, future: Any) -> Arrays:
        """The result of a future that was done. If its worker died since then, it is done again, and takes its time."""
        try:
            return self._while_alive(partial(self._client.gather, future))
        except OSError as problem:
            if future.status == "error":  # the unit's own
                raise
            raise _lost_scheduler() from problem

    def _while_alive(self, call: Callable[[], Awaitable[Reply]]) -> Reply:
        """The result of a coroutine, however long it takes, while the scheduler answers and has workers.

        Raises BadInput when either has been missing for RETURN seconds.
        """
        running, missing_since = self._loop.start(call), 0.0
        try:
            while not waited([running], POLL_SECONDS).done:
                threads = self._threads()
                missing_since = 0.0 if threads else missing_since or time.monotonic()
                if missing_since and time.monotonic() - missing_since >= RETURN:
                    raise _silent() if threads is None else _deserted()
            return running.result()
        finally:
            running.cancel()

    def _threads(self) -> int | None:
        """Threads of all workers, None when the scheduler does not answer now. Raises BadInput when it has gone."""
        if self._client.status != "running":
            raise _lost_scheduler()
        try:
            return sum(self._loop.ask(self._client.nthreads, REPLY_SECONDS).values())
        except TimeoutError:
            pass
        except OSError as problem:
            raise _lost_scheduler() from problem
        try:
            _probe(self._address)
        except ConnectionError as problem:  # nobody listens there any more; Dask would go on trying
            raise _lost_scheduler() from problem
        except OSError:
            pass
        return None

    def _send(self, one: One) -> Any:
        """The function as a result of the cluster's own, so that it can be made again wherever it was lost."""
        packed = pickle.dumps(one)
        name = hashlib.sha256(packed).hexdigest()
        if name not in self._sent:
            self._sent[name] = self._client.submit(pickle.loads, packed, pure=False)
        return self._sent[name]


class EventLoop:
    """Runs coroutines for other threads. A coroutine that never ends stops neither them nor the end of the process."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.SelectorEventLoop()  # what Dask needs on Windows, and the usual one elsewhere
        self._thread = Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def start(self, call: Callable[[], Awaitable[Reply]]) -> Future[Reply]:
        """Begin what `call` returns; `call` itself is made in the loop's thread."""

        async def called() -> Reply:
            return await call()

        return asyncio.run_coroutine_threadsafe(called(), self._loop)

    def ask(self, call: Callable[[], Awaitable[Reply]], limit: float) -> Reply:
        """The result of what `call` returns. Raises TimeoutError when there is none after `limit` seconds."""
        running = self.start(call)
        try:
            return running.result(limit)
        finally:
            running.cancel()

    def close(self) -> None:
        """Cancel what still runs and end the thread; one that does not end in time ends with the process."""
        waited([self.start(_cancel_others)], CLOSE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE)
        if not self._thread.is_alive():
            self._loop.close()


async def _cancel_others() -> None:
    others: set[asyncio.Task[Any]] = asyncio.all_tasks() - {asyncio.current_task()}
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _lost_scheduler() -> InputError:
    what = "the scheduler has gone; finished pieces are kept"
    return InputError(what, key="--scheduler", expected="a scheduler that runs", type_this="--resume")


def _silent() -> InputError:
    what = f"the scheduler has not answered for {RETURN:.0f} s; finished pieces are kept"
    return InputError(what, key="--scheduler", expected="a scheduler that runs", type_this="--resume")


def _deserted() -> InputError:
    what = "all workers have gone and none has come back; finished pieces are kept"
    return InputError(what, key="--scheduler", expected=WORKER, type_this="--resume")


class _WorkerInfo:
    """Unpacked, it is what the process that unpacks it computes with."""

    def __reduce__(self) -> tuple[Callable[[], dict[str, str]], tuple[()]]:
        return surroundings.environment, ()


def _compare(own: dict[str, str], wanted: dict[str, str], worker: str) -> None:
    """Raise BadInput when numbers made by a worker would be other bits than those made here."""
    for key in wanted:
        if own.get(key) != wanted[key]:
            what = f"the worker at '{worker}' has {key} {own.get(key)}, and this process {wanted[key]}"
            raise InputError(what, key="--scheduler", expected=SAME)


def _do(one: One, unit: Any, wanted: dict[str, str]) -> Arrays:
    """On a worker: a unit, unless its numbers would be other bits here."""
    from distributed import get_worker

    _compare(environment(), wanted, get_worker().address)
    return one(unit)
