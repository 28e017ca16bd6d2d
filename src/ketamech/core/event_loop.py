"""An event loop in a daemon thread. Other threads wait for its coroutines with a limit, and Ctrl-C ends such a wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import Any, TypeVar

Answer = TypeVar("Answer")
END = 5.0  # s that cancelled coroutines have to end, and then the thread


class EventLoop:
    """Runs coroutines for other threads. A coroutine that never ends stops neither them nor the end of the process."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.SelectorEventLoop()  # what Dask needs on Windows, and the usual one elsewhere
        self._thread = Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def start(self, call: Callable[[], Awaitable[Answer]]) -> Future[Answer]:
        """Begin what `call` returns; `call` itself is made in the loop's thread."""

        async def called() -> Answer:
            return await call()

        return asyncio.run_coroutine_threadsafe(called(), self._loop)

    def ask(self, call: Callable[[], Awaitable[Answer]], limit: float) -> Answer:
        """The result of what `call` returns. Raises TimeoutError when there is none after `limit` seconds."""
        running = self.start(call)
        try:
            return running.result(limit)
        finally:
            running.cancel()

    def close(self) -> None:
        """Cancel what still runs and end the thread; one that does not end in time ends with the process."""
        wait([self.start(_cancel_others)], END)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(END)
        if not self._thread.is_alive():
            self._loop.close()


async def _cancel_others() -> None:
    others: set[asyncio.Task[Any]] = asyncio.all_tasks() - {asyncio.current_task()}
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)
