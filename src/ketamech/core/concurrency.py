"""Parts of a long computation, computed two at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from ketamech.core.progress import context_until

Part = TypeVar("Part")
Result = TypeVar("Result")
AHEAD = 2  # parts that are begun before the result of an earlier one is taken


def in_pairs(compute: Callable[[Part, int], Result], parts: Sequence[Part], threads: int) -> Iterator[Result]:
    """`compute(part, threads)` of each part, in order: two parts at a time, each on half of the threads.

    So what no thread can share of one part is done while the other is computed. A last part without a partner has all
    threads. At most three results are in memory. Once the iterator is left, computations that check for interrupts end.
    """
    ended, begun = Event(), deque[Future[Result]]()
    shares = [-(-threads // 2)] * (len(parts) // 2 * 2) + [threads]
    with ThreadPoolExecutor(min(2, threads)) as pool:
        try:
            for part, share in zip(parts, shares, strict=False):
                begun.append(pool.submit(context_until(ended).run, compute, part, share))
                if len(begun) > AHEAD:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            ended.set()
            pool.shutdown(cancel_futures=True)
