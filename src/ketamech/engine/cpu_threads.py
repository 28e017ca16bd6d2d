"""Runs the integration on CPU threads: each works on a group of lanes and takes patients from a shared counter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread

import numpy as np

from ketamech.core import InputError
from ketamech.engine.gpu_kernel import PtxModule, run_on_gpu
from ketamech.engine.kernel import ARGUMENTS, CompiledSystem
from ketamech.engine.lane_layout import N_WHOLE

ALIGNMENT_BYTES = 64  # bytes: a full cache line and the widest register
POLL_SECONDS = 0.1  # s between two reports of progress


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
    """Run a task of the kernel over `count` patients on `threads` threads; the number of threads changes no number.

    A kernel for a GPU runs on the GPU instead. On Ctrl-C the started patients are finished, no others are started, and
    KeyboardInterrupt is raised.
    """
    if threads < 1:
        raise InputError(f"{threads} threads", expected="at least 1")
    if isinstance(kernel.code, PtxModule):
        return run_on_gpu(kernel, kernel.code, task, sizes, arrays, report, count, progress)
    function = kernel.code.function(task, ARGUMENTS[task])
    counter, stop = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)

    def run_thread() -> None:  # keeps references to the arrays while any thread runs
        floats, integers = workspace(kernel), np.zeros(N_WHOLE * kernel.lanes, dtype=np.int64)
        thread_pointers = [floats.ctypes.data, integers.ctypes.data, sizes.ctypes.data]
        shared_pointers = [a if isinstance(a, int) else a.ctypes.data for a in arrays]
        function(*thread_pointers, *shared_pointers, counter.ctypes.data, stop.ctypes.data, count, report.ctypes.data)

    workers = [Thread(target=run_thread) for _ in range(min(threads, max(1, -(-count // kernel.lanes))))]
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():
                worker.join(POLL_SECONDS)
                if progress:
                    progress(min(int(counter[0]), count))
    except BaseException:
        stop[0] = 1  # started patients are finished; the interpreter waits for the threads at exit
        for worker in workers:
            if worker.is_alive():
                worker.join()
        raise


def workspace(kernel: CompiledSystem) -> np.ndarray:
    """The zero-filled workspace of a group, aligned to a cache line."""
    size = kernel.rows.total * kernel.lanes
    raw = np.zeros(size + ALIGNMENT_BYTES // 8)
    offset = (-raw.ctypes.data % ALIGNMENT_BYTES) // 8
    return raw[offset : offset + size]
