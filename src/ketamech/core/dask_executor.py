"""Executes the units of a job on the workers of a Dask scheduler.

Units are independent and not bound to a worker: when a worker dies, the scheduler gives its unit to another, at the
cost of that unit's time. Results are fetched as soon as they are available, and few are in progress at a time, so that
memory use stays constant.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for_futures
from contextlib import contextmanager, suppress
from functools import partial
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ketamech.core import environment as environment_module
from ketamech.core.checkpoint import Arrays
from ketamech.core.environment import environment, short_hash
from ketamech.core.errors import InputError
from ketamech.core.execution import UnitFunction

REPLY_SECONDS, WORKER_WAIT_SECONDS = 10.0, 30.0  # s to wait for a reply of the scheduler, and for its first workers
RECONNECT_SECONDS, POLL_SECONDS = 120.0, 10.0  # s to wait for workers when all are lost, and between two checks
CLOSE_SECONDS = 5.0  # s to close the connection, and for cancelled coroutines and their thread to end
LAST_WAITS_SECONDS = 0.1  # s for Dask's waits of a few milliseconds, which cannot be cancelled, to end before the loop
UNITS_AHEAD = 3  # units for each thread of the workers that may be ahead of the oldest unfinished one
SAME_ENVIRONMENT = "the same versions and processors on every machine"
WORKER_COMMAND = "dask worker ADDRESS on some machine"
INSTALL = 'pip install "ketamech[distributed]"'
Reply = TypeVar("Reply")


@contextmanager
def connect(address: str) -> Iterator[DaskCluster]:
    """The cluster behind a scheduler at `address`, e.g. tcp://127.0.0.1:8786.

    Raises InputError when Dask is not installed, the scheduler does not answer, or it has no workers.
    """
    try:
        import distributed  # noqa: F401
    except ImportError:
        what = "a cluster needs Dask"
        raise InputError(what, key="--scheduler", type_this=INSTALL) from None
    loop = EventLoop("cluster")
    try:
        client = _client(loop, address)
        try:
            _await_worker(loop, client, address)
            _check_workers(loop, client)
            yield DaskCluster(loop, client)
        finally:
            with suppress(OSError):  # TimeoutError too: the rest ends with the loop
                loop.run_coroutine(client.close, CLOSE_SECONDS)
    finally:
        loop.close()


def _client(loop: EventLoop, address: str) -> Any:
    """A Dask client that belongs to the loop. Dask itself sets no time limit to the first message from a scheduler."""
    try:
        require_listener(address)
        return loop.run_coroutine(partial(_started, address), REPLY_SECONDS)
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
        loop.run_coroutine(partial(client.wait_for_workers, 1), WORKER_WAIT_SECONDS)
    except TimeoutError:
        what = f"the scheduler at '{address}' has no workers"
        raise InputError(what, key="--scheduler", type_this=f"dask worker {address}") from None


def _check_workers(loop: EventLoop, client: Any) -> None:
    """Raise InputError for the first worker that cannot compute units, before anything is sent to it.

    The query travels as bytes: a worker without KetaMech would end when it unpickles objects of KetaMech.
    """
    query = partial(client.run, pickle.loads, pickle.dumps(_WorkerInfo()), on_error="return")
    try:
        replies = loop.run_coroutine(query, WORKER_WAIT_SECONDS)
    except TimeoutError:
        what = f"not every worker answers within {WORKER_WAIT_SECONDS:.0f} s"
        raise InputError(what, key="--scheduler", expected="workers that run", type_this=WORKER_COMMAND) from None
    for worker, reply in replies.items():
        if isinstance(reply, ModuleNotFoundError):
            what = f"the worker at '{worker}' has no module '{reply.name}'"
            raise InputError(what, key="--scheduler", expected="KetaMech on every machine", type_this=INSTALL)
        if isinstance(reply, Exception):
            what = f"the worker at '{worker}' cannot unpickle objects of this process: {reply}"
            raise InputError(what, key="--scheduler", expected=SAME_ENVIRONMENT)
        _compare(reply, environment(), worker)


def require_listener(address: str) -> None:
    """Raise OSError or ValueError when nothing listens: a Dask client that never connected may hang when closed."""
    place = urlsplit(address)
    if place.scheme not in ("tcp", "tls", "ws", "wss") or not place.hostname or not place.port:
        raise ValueError(address)
    socket.create_connection((place.hostname, place.port), timeout=REPLY_SECONDS).close()


class DaskCluster:
    """Units computed by the workers of a Dask client; `unit_function` and its data travel once to each worker.

    The environment of every worker is checked, also of workers that join later. Every wait has a limit: while a unit
    is computed, the scheduler and its workers are checked periodically.
    """

    def __init__(self, loop: EventLoop, client: Any) -> None:
        self._loop, self._client, self._sent = loop, client, dict[str, Any]()
        self._address = client.scheduler.address

    @property
    def threads(self) -> int:
        """Threads of all workers: units that are computed at the same time."""
        return self._threads() or 1

    def map(self, unit_function: UnitFunction, units: list[Any]) -> Iterator[tuple[int, Arrays]]:
        """(number, result of `unit_function`) for each unit as it is finished.

        Raises InputError when the scheduler is lost or no longer answers, all workers are gone, or each worker dies
        over the same unit.
        """
        from distributed.client import ClosedClientError
        from distributed.scheduler import KilledWorker

        number_of = dict[Any, int]()
        unfinished, next_number = set(range(len(units))), 0
        try:
            function = self._send(unit_function)
            while unfinished:
                ahead = min(len(units), min(unfinished) + UNITS_AHEAD * self.threads)
                for number in range(next_number, ahead):
                    number_of[self._client.submit(_run_unit, function, units[number], environment(), pure=False)] = (
                        number
                    )
                next_number = max(next_number, ahead)
                for future in self._done(number_of):
                    result, number = self._fetch(future), number_of.pop(future)
                    future.release()  # otherwise it is recomputed when its worker dies later
                    unfinished.discard(number)
                    yield number, result
        except KilledWorker as problem:
            what = "every worker that ran this unit stopped, possibly for lack of memory; finished units are kept"
            expected = "more memory for a worker; its log says why it died"
            example = "dask worker ADDRESS --memory-limit 8GiB, then --resume"
            raise InputError(what, key="--scheduler", expected=expected, type_this=example) from problem
        except (CancelledError, ClosedClientError) as problem:  # Dask cancels all futures of a lost scheduler
            raise _lost() from problem
        finally:
            with suppress(OSError, CancelledError, ClosedClientError):
                self._loop.run_coroutine(partial(self._client.cancel, list(number_of)), CLOSE_SECONDS)

    def _done(self, futures: dict[Any, int]) -> list[Any]:
        """The finished futures, at least one, in the order of the units."""
        from distributed import wait

        async def first() -> list[Any]:
            with self._client.as_current():
                return list((await wait(list(futures), return_when="FIRST_COMPLETED")).done)

        return sorted(self._while_alive(first), key=futures.__getitem__)

    def _fetch(self, future: Any) -> Arrays:
        """The result of a finished future. If its worker has died since then, the unit is computed again."""
        try:
            return self._while_alive(partial(self._client.gather, future))
        except OSError as problem:
            if future.status == "error":  # an error of the unit itself
                raise
            raise _lost() from problem

    def _while_alive(self, call: Callable[[], Awaitable[Reply]]) -> Reply:
        """The result of a coroutine, without time limit, while the scheduler answers and has workers.

        Raises InputError when either has been missing for RETURN_SECONDS seconds.
        """
        running, missing_since = self._loop.start(call), 0.0
        try:
            while not wait_for_futures([running], POLL_SECONDS).done:
                threads = self._threads()
                missing_since = 0.0 if threads else missing_since or time.monotonic()
                if missing_since and time.monotonic() - missing_since >= RECONNECT_SECONDS:
                    if threads is None:
                        raise _lost(f"the scheduler has not answered for {RECONNECT_SECONDS:.0f} s")
                    raise _lost("all workers are lost and none has returned", WORKER_COMMAND)
            return running.result()
        finally:
            running.cancel()

    def _threads(self) -> int | None:
        """Threads of all workers, None when the scheduler does not answer. Raises InputError when it is lost."""
        if self._client.status != "running":
            raise _lost()
        try:
            return sum(self._loop.run_coroutine(self._client.nthreads, REPLY_SECONDS).values())
        except TimeoutError:
            pass
        except OSError as problem:
            raise _lost() from problem
        try:
            require_listener(self._address)
        except ConnectionError as problem:  # nothing listens there any more; Dask would retry
            raise _lost() from problem
        except OSError:
            pass
        return None

    def _send(self, unit_function: UnitFunction) -> Any:
        """The function as a result on the cluster, so that it can be recreated wherever it is lost."""
        packed = pickle.dumps(unit_function)
        name = short_hash(packed, 64)
        if name not in self._sent:
            self._sent[name] = self._client.submit(pickle.loads, packed, pure=False)
        return self._sent[name]


class EventLoop:
    """Runs coroutines in a daemon thread for other threads, which wait with a limit; Ctrl-C ends such a wait.

    A coroutine that never ends blocks neither them nor the end of the process.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.SelectorEventLoop()  # needed by Dask on Windows, the default elsewhere
        self._thread = Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def start(self, call: Callable[[], Awaitable[Reply]]) -> Future[Reply]:
        """Start the coroutine that `call` returns; `call` itself runs in the loop's thread."""

        async def called() -> Reply:
            return await call()

        return asyncio.run_coroutine_threadsafe(called(), self._loop)

    def run_coroutine(self, call: Callable[[], Awaitable[Reply]], limit: float) -> Reply:
        """The result of the coroutine that `call` returns. Raises TimeoutError after `limit` seconds."""
        running = self.start(call)
        try:
            return running.result(limit)
        finally:
            running.cancel()

    def close(self) -> None:
        """Cancel running coroutines and end the thread; if it does not end in time, it ends with the process."""
        wait_for_futures([self.start(_cancel_others)], CLOSE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()


async def _cancel_others() -> None:
    other_tasks: set[asyncio.Task[Any]] = asyncio.all_tasks() - {asyncio.current_task()}
    for task in other_tasks:
        task.cancel()
    await asyncio.gather(*other_tasks, return_exceptions=True)
    await asyncio.sleep(LAST_WAITS_SECONDS)  # else asyncio prints that the end of such a wait was never retrieved


def _lost(what: str = "the scheduler is lost", expected: str = "a scheduler that runs") -> InputError:
    return InputError(f"{what}; finished units are kept", key="--scheduler", expected=expected, type_this="--resume")


class _WorkerInfo:
    """Unpickling returns the environment of the process that unpickles."""

    def __reduce__(self) -> tuple[Callable[[], dict[str, str]], tuple[()]]:
        return environment_module.environment, ()


def _compare(own: dict[str, str], wanted: dict[str, str], worker: str) -> None:
    """Raise InputError when a worker would compute other bits than this process."""
    for key, value in wanted.items():
        if own.get(key) != value:
            what = f"the worker at '{worker}' has {key} {own.get(key)}, and this process {value}"
            raise InputError(what, key="--scheduler", expected=SAME_ENVIRONMENT)


def _run_unit(unit_function: UnitFunction, unit: Any, wanted: dict[str, str]) -> Arrays:
    """On a worker: compute a unit, unless its numbers would have other bits here."""
    from distributed import get_worker

    _compare(environment(), wanted, get_worker().address)
    return unit_function(unit)
