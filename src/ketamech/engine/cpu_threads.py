"""Threads that share out patients: each works on a group of lanes and takes the next patient nobody has taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread

import numpy as np

from ketamech.core import InputError
from ketamech.engine.gpu_kernel import PtxModule, run_on_gpu
from ketamech.engine.kernel import ARGUMENTS, CompiledSystem
from ketamech.engine.lane_layout import N_WHOLE

ALIGNMENT_BYTES = 64  # bytes: a full cache line and the widest register
POLL_SECONDS = 0.1  # s between two looks at how far the crew has come


def run_on_cpu(
    kernel: CompiledSystem,
    task: str,
    sizes: np.ndarray,
    arrays: Sequence[np.ndarray | int],
    report: np.ndarray,
    count: int,
    threads: int,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Run a task of the kernel over `count` patients on `threads` threads; which thread has whom changes no number.

    A kernel for a GPU runs on as many threads as the GPU has.

    On Ctrl-C the patients on board are finished, nobody else is begun, and KeyboardInterrupt goes on.
    """
    if threads < 1:
        raise InputError(f"{threads} threads", expected="at least 1")
    if isinstance(kernel.code, PtxModule):
        return run_on_gpu(kernel, kernel.code, task, sizes, arrays, report, count, progress)
    function = kernel.code.function(task, ARGUMENTS[task])
    counter, stop = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)

    def work() -> None:  # holds the arrays, so they last as long as any thread does
        place, whole = workspace(kernel), np.zeros(N_WHOLE * kernel.lanes, dtype=np.int64)
        own = [place.ctypes.data, whole.ctypes.data, sizes.ctypes.data]
        shared = [a if isinstance(a, int) else a.ctypes.data for a in arrays]
        function(*own, *shared, counter.ctypes.data, stop.ctypes.data, count, report.ctypes.data)

    workers = [Thread(target=work) for _ in range(min(threads, max(1, -(-count // kernel.lanes))))]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():
                worker.join(POLL_SECONDS)
                if progress:
                    progress(min(int(counter[0]), count))
    except BaseException:
        stop[0] = 1  # whoever was begun ends by itself; the interpreter waits for it at the latest when it leaves
        for worker in workers:
            if worker.is_alive():
                worker.join()
        raise


def workspace(kernel: CompiledSystem) -> np.ndarray:
    """A group's numbers, all zero, beginning at a full cache line."""
    size = kernel.rows.total * kernel.lanes
    raw = np.zeros(size + ALIGNMENT_BYTES // 8)
    skip = (-raw.ctypes.data % ALIGNMENT_BYTES) // 8
    return raw[skip : skip + size]
