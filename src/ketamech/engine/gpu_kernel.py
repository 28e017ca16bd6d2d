"""Runs the integration on a GPU: the same task over the same arrays as `run_on_cpu`, with the same numbers."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ketamech.engine import cuda_driver
from ketamech.engine.cuda_driver import MULTIPROCESSORS, Address, CudaDevice
from ketamech.engine.lane_layout import N_WHOLE

if TYPE_CHECKING:
    from ketamech.engine.kernel import CompiledSystem

WARP = 32  # patients in a group: threads that a GPU runs in lockstep
GROUPS = 8  # groups for which a multiprocessor has registers
WORKSPACE_FRACTION = 0.5  # of the free memory
POLLS_PER_LAUNCH = (0.001, 0.1)  # s between two polls of the GPU, at first and at most
CHANGED_ARRAYS = {"follow": (2, 3, 4, 5, 14), "settle": (0, 1)}  # indices of the arrays that a task changes


class PtxModule:
    """A system's code for a GPU, loaded at first use. Raises InputError when there is no GPU."""

    def __init__(self, code: bytes) -> None:
        self.gpu = cuda_driver.open_device()
        self._code, self._kernels = code, dict[str, ctypes.c_void_p]()

    def start(self, task: str, groups: int, arguments: Sequence[int]) -> None:
        """Start a task on this many groups of lanes."""
        if task not in self._kernels:
            self._kernels[task] = self.gpu.kernel(self._code, task)
        self.gpu.start(self._kernels[task], groups, WARP, arguments)


def run_on_gpu(
    kernel: CompiledSystem,
    module: PtxModule,
    task: str,
    sizes: np.ndarray,
    arrays: Sequence[np.ndarray | int],
    report: np.ndarray,
    count: int,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Run a task of the kernel over `count` patients, one per thread.

    On Ctrl-C the started patients are finished, no others are started, and KeyboardInterrupt is raised. Raises
    SolverError when the GPU fails, mostly for lack of memory.
    """
    gpu = module.gpu
    gpu.enter()
    counter = np.zeros(1, dtype=np.int64)
    with _memory(gpu) as allocate:
        device_arrays = [a if isinstance(a, int) else allocate(a.nbytes, a) for a in (sizes, *arrays, counter, counter)]
        device_report = allocate(report.nbytes, report)
        bytes_a_group = 8 * WARP * kernel.rows.total
        groups = _groups(gpu, count, bytes_a_group)
        workspaces = [allocate(groups * bytes_a_group), allocate(groups * WARP * N_WHOLE * 8)]
        module.start(task, groups, [*workspaces, *device_arrays, count, device_report])
        _watch(
            gpu,
            device_arrays[-2],
            device_arrays[-1],
            lambda started: progress(min(started, count)) if progress else None,
        )
        for place in CHANGED_ARRAYS[task]:
            array, address = arrays[place], device_arrays[1 + place]
            assert isinstance(array, np.ndarray)
            gpu.read(address, array)
        gpu.read(device_report, report)


def _groups(gpu: CudaDevice, count: int, bytes_a_group: int) -> int:
    """Number of groups: enough for all patients, limited by the multiprocessors and the free memory."""
    fitting_groups = int(WORKSPACE_FRACTION * gpu.free()) // bytes_a_group
    return max(1, min(-(-count // WARP), gpu.query(MULTIPROCESSORS) * GROUPS, fitting_groups))


@contextmanager
def _memory(gpu: CudaDevice) -> Iterator[Callable[..., Address]]:
    """`allocate(bytes, values)` allocates memory and fills it; all of it is released at the end."""
    allocated = list[Address]()

    def allocate(size: int, values: np.ndarray | None = None) -> Address:
        allocated.append(gpu.allocate(size))
        if values is not None:
            gpu.write(allocated[-1], values)
        return allocated[-1]

    try:
        yield allocate
    finally:
        for address in allocated:
            gpu.release(address)


def _watch(gpu: CudaDevice, counter: Address, stop: Address, progress: Callable[[int], None]) -> None:
    """Wait for the end and report the number of started patients; if interrupted, start no more."""
    started, pause = np.zeros(1, dtype=np.int64), POLLS_PER_LAUNCH[0]
    try:
        while gpu.is_busy():
            time.sleep(pause)
            pause = min(2.0 * pause, POLLS_PER_LAUNCH[1])
            gpu.read(counter, started)
            progress(int(started[0]))
    except BaseException:
        gpu.write(stop, np.ones(1, dtype=np.int64))
        gpu.wait()
        raise
    gpu.wait()
