"""Many threads of a GPU share out patients: the same task over the same arrays as `crew`, and the same numbers."""

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

WARP = 32  # patients in a group: threads that a GPU runs in step
GROUPS = 8  # groups a multiprocessor has registers for at the same time
SHARE = 0.5  # of the free memory, for workspaces
POLLS_PER_LAUNCH = (0.001, 0.1)  # s between two looks at how far the GPU has come, at first and at most
CHANGED = {"follow": (2, 3, 4, 5, 14), "settle": (0, 1)}  # which arrays of a task come back changed


class PtxModule:
    """A system's code for a GPU, loaded when it is first used. Raises BadInput when there is no GPU."""

    def __init__(self, code: bytes) -> None:
        self.gpu = cuda_driver.open_device()
        self._code, self._kernels = code, dict[str, ctypes.c_void_p]()

    def start(self, task: str, groups: int, arguments: Sequence[int]) -> None:
        """Set a task to work on so many groups of lanes."""
        if task not in self._kernels:
            self._kernels[task] = self.gpu.kernel(self._code, task)
        self.gpu.start(self._kernels[task], groups, WARP, arguments)


def run_on_gpu(
    kernel: CompiledSystem,
    graphics: PtxModule,
    task: str,
    sizes: np.ndarray,
    arrays: Sequence[np.ndarray | int],
    report: np.ndarray,
    count: int,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Run a task of the kernel over `count` patients, one a thread.

    On Ctrl-C the patients on board are finished, nobody else is begun, and KeyboardInterrupt goes on. Raises
    SolveFailed when the GPU does not go along, mostly for want of memory.
    """
    gpu = graphics.gpu
    gpu.enter()
    counter = np.zeros(1, dtype=np.int64)
    with _memory(gpu) as hold:
        given = [a if isinstance(a, int) else hold(a.nbytes, a) for a in (sizes, *arrays, counter, counter)]
        ended = hold(report.nbytes, report)
        bytes_a_group = 8 * WARP * kernel.rows.total
        groups = _groups(gpu, count, bytes_a_group)
        own = [hold(groups * bytes_a_group), hold(groups * WARP * N_WHOLE * 8)]
        graphics.start(task, groups, [*own, *given, count, ended])
        _watch(gpu, given[-2], given[-1], lambda begun: progress(min(begun, count)) if progress else None)
        for place in CHANGED[task]:
            array, address = arrays[place], given[1 + place]
            assert isinstance(array, np.ndarray)
            gpu.read(address, array)
        gpu.read(ended, report)


def _groups(gpu: CudaDevice, count: int, bytes_a_group: int) -> int:
    """Enough for everybody at once, but not more than can be at work or fit into memory."""
    room = int(SHARE * gpu.free()) // bytes_a_group
    return max(1, min(-(-count // WARP), gpu.query(MULTIPROCESSORS) * GROUPS, room))


@contextmanager
def _memory(gpu: CudaDevice) -> Iterator[Callable[..., Address]]:
    """`hold(bytes, values)` takes memory and fills it; all of it is given back at the end."""
    taken = list[Address]()

    def hold(size: int, values: np.ndarray | None = None) -> Address:
        taken.append(gpu.allocate(size))
        if values is not None:
            gpu.write(taken[-1], values)
        return taken[-1]

    try:
        yield hold
    finally:
        for address in taken:
            gpu.release(address)


def _watch(gpu: CudaDevice, counter: Address, stop: Address, progress: Callable[[int], None]) -> None:
    """Wait for the end, telling now and then how many patients have been begun; if interrupted, begin nobody else."""
    begun, pause = np.zeros(1, dtype=np.int64), POLLS_PER_LAUNCH[0]
    try:
        while gpu.is_busy():
            time.sleep(pause)
            pause = min(2.0 * pause, POLLS_PER_LAUNCH[1])
            gpu.read(counter, begun)
            progress(int(begun[0]))
    except BaseException:
        gpu.write(stop, np.ones(1, dtype=np.int64))
        gpu.wait()
        raise
    gpu.wait()
