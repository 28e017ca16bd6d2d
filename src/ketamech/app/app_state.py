"""State shared by all requests: the model, limits on parallel work and a cache of responses."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from threading import Lock
from typing import Any

import anyio
from anyio import CapacityLimiter

from ketamech.app.limits import LIMITS, Limits
from ketamech.evidence import Evidence, load_evidence
from ketamech.simulation.model import Model, load_model


class LruCache:
    """A thread-safe cache of the `most` responses used last."""

    def __init__(self, most: int) -> None:
        self._most, self._known, self._lock = most, OrderedDict[Any, Any](), Lock()

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        """The stored value of a key; computed by `make` when it is not stored."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        found = make()
        with self._lock:
            self._known[key] = found
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return found


class AppState:
    """The model, its limits and its response cache. Thread-safe."""

    def __init__(self, model: Model | None = None, limits: Limits = LIMITS) -> None:
        self._given, self.limits = model, limits
        self.answers = LruCache(limits.cache_size)
        self._lock = Lock()

    @cached_property
    def model(self) -> Model:
        """The compiled model; the first call compiles it."""
        with self._lock:
            if self._given is None:
                self._given = load_model()
            _ = self._given.kernel.compiled
            return self._given

    @cached_property
    def evidence(self) -> Evidence:
        """Published numbers and papers."""
        return load_evidence()

    @cached_property
    def _turns(self) -> dict[bool, CapacityLimiter]:
        """Separate limits for quick and long requests, so that a curve never waits for a band."""
        return {False: CapacityLimiter(self.limits.max_parallel), True: CapacityLimiter(self.limits.computing_long)}

    async def compute(self, work: Callable[[], Any], *, long: bool = False) -> Any:
        """Run `work` on a thread, within the limits."""
        return await anyio.to_thread.run_sync(work, limiter=self._turns[long])
