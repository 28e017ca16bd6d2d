"""Runs the integration on an NVIDIA GPU: the same task over the same arrays as `run_task`, with the same numbers.

The driver API of the GPU is called directly, so that nothing but the driver has to be installed.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ketamech.core import InputError, SolverError
from ketamech.engine.lane_layout import N_WHOLE

if TYPE_CHECKING:
    from ketamech.engine.kernel import CompiledSystem


LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
NOT_READY = 600
MIN_DRIVER_VERSION = 7  # lowest compute capability (major) of the code
MULTIPROCESSORS, VERSION = 16, 75  # device attributes
NON_BLOCKING = 1  # a stream that does not wait for others
Address = int


def _no_device(reason: str) -> InputError:
    return InputError(f"no CUDA device: {reason}", expected="an NVIDIA GPU with its driver", type_this="--device cpu")


@cache
def open_device() -> CudaDevice:
    """The first GPU of this machine. Raises InputError when there is no usable GPU."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        raise _no_device(f"{LIBRARY}, the driver, is not installed") from None
    return CudaDevice(library)


class CudaDevice:
    """Memory and kernels of one GPU; a failing method raises SolverError with the message of the driver."""

    def __init__(self, library: Any) -> None:
        self._library = library
        if library.cuInit(ctypes.c_uint(0)):
            raise _no_device("the driver finds no GPU")
        self._device, self._context = ctypes.c_int(), ctypes.c_void_p()
        self._call("cuDeviceGet", ctypes.byref(self._device), ctypes.c_int(0))
        if self.query(VERSION) < MIN_DRIVER_VERSION:
            raise _no_device("the GPU is older than Volta")
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), self._device)
        self.enter()
        self._kernel_stream, self._copy_stream = self._stream(), self._stream()

    def enter(self) -> None:
        """Make the GPU current for the calling thread."""
        self._call("cuCtxSetCurrent", self._context)

    def query(self, attribute: int) -> int:
        """An attribute of the GPU."""
        value = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(value), ctypes.c_int(attribute), self._device)
        return value.value

    def free(self) -> int:
        """Bytes of free memory."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value

    def kernel(self, code: bytes, name: str) -> ctypes.c_void_p:
        """A kernel of a module in PTX."""
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuModuleLoadData", ctypes.byref(module), ctypes.c_char_p(code))
        self._call("cuModuleGetFunction", ctypes.byref(function), module, ctypes.c_char_p(name.encode()))
        return function

    def allocate(self, size: int) -> Address:
        """Memory of `size` bytes, all zero."""
        address = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(max(size, 8)))
        self._call("cuMemsetD8Async", address, ctypes.c_ubyte(0), ctypes.c_size_t(max(size, 8)), self._copy_stream)
        return address.value

    def release(self, address: Address) -> None:
        """Free allocated memory; an earlier failure of the GPU has already been reported."""
        self._library.cuMemFree_v2(ctypes.c_uint64(address))

    def write(self, address: Address, values: np.ndarray) -> None:
        """Copy numbers to the GPU, also while a kernel runs."""
        size = ctypes.c_size_t(values.nbytes)
        if values.nbytes:
            source = ctypes.c_void_p(values.ctypes.data)
            self._call("cuMemcpyHtoDAsync_v2", ctypes.c_uint64(address), source, size, self._copy_stream)
            self._call("cuStreamSynchronize", self._copy_stream)

    def read(self, address: Address, values: np.ndarray) -> None:
        """Copy numbers from the GPU, also while a kernel runs."""
        size = ctypes.c_size_t(values.nbytes)
        if values.nbytes:
            target = ctypes.c_void_p(values.ctypes.data)
            self._call("cuMemcpyDtoHAsync_v2", target, ctypes.c_uint64(address), size, self._copy_stream)
            self._call("cuStreamSynchronize", self._copy_stream)

    def start(self, kernel: ctypes.c_void_p, blocks: int, threads: int, arguments: Sequence[int]) -> None:
        """Start a kernel; its arguments are addresses and counts, all of 8 bytes."""
        self._call("cuStreamSynchronize", self._copy_stream)  # until its memory is filled
        values = [ctypes.c_uint64(a) for a in arguments]
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(v) for v in values))
        one, shape = ctypes.c_uint(1), (ctypes.c_uint(blocks), ctypes.c_uint(threads))
        self._call(
            "cuLaunchKernel", kernel, shape[0], one, one, shape[1], one, one, ctypes.c_uint(0), self._kernel_stream,
            pointers, None,
        )  # fmt: skip

    def is_busy(self) -> bool:
        """Whether the kernel is still running."""
        code = self._library.cuStreamQuery(self._kernel_stream)
        self._check(0 if code == NOT_READY else code)
        return bool(code == NOT_READY)

    def wait(self) -> None:
        """Wait until the kernel has ended."""
        self._call("cuStreamSynchronize", self._kernel_stream)

    def _stream(self) -> ctypes.c_void_p:
        stream = ctypes.c_void_p()
        self._call("cuStreamCreate", ctypes.byref(stream), ctypes.c_uint(NON_BLOCKING))
        return stream

    def _call(self, name: str, *arguments: Any) -> None:
        self._check(getattr(self._library, name)(*arguments), name)

    def _check(self, code: int, name: str = "the kernel") -> None:
        if code:
            driver_text = ctypes.c_char_p()
            self._library.cuGetErrorString(ctypes.c_int(code), ctypes.byref(driver_text))
            message = (driver_text.value or b"").decode() or f"error {code}"
            raise SolverError(f"the GPU failed in {name}: {message}; try fewer patients at once, or --device cpu")


WARP = 32  # patients in a group: threads that a GPU runs in lockstep
GROUPS = 8  # groups for which a multiprocessor has registers
WORKSPACE_FRACTION = 0.5  # of the free memory
POLLS_PER_LAUNCH = (0.001, 0.1)  # s between two polls of the GPU, at first and at most
CHANGED_ARRAYS = {"follow": (2, 3, 4, 5, 14), "settle": (0, 1)}  # indices of the arrays that a task changes


class PtxModule:
    """A system's code for a GPU, loaded at first use. Raises InputError when there is no GPU."""

    def __init__(self, code: bytes) -> None:
        self.gpu = open_device()
        self._code, self._kernels = code, dict[str, ctypes.c_void_p]()

    def start(self, task: str, groups: int, arguments: Sequence[int]) -> None:
        """Start a task on this many groups of lanes."""
        if task not in self._kernels:
            self._kernels[task] = self.gpu.kernel(self._code, task)
        self.gpu.start(self._kernels[task], groups, WARP, arguments)


def run_on_gpu(
    kernel: CompiledSystem, module: PtxModule, task: str, sizes: np.ndarray, arrays: Sequence[np.ndarray | int],
    report: np.ndarray, count: int, progress: Callable[[int], None] | None = None,
) -> None:  # fmt: skip
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
        if kernel.left_out is not None:
            mask = np.repeat(kernel.left_out.astype(float), WARP)
            for first in range(workspaces[0], workspaces[0] + groups * bytes_a_group, bytes_a_group):
                gpu.write(first + 8 * WARP * kernel.rows.starts["LEFT_OUT"], mask)
        module.start(task, groups, [*workspaces, *device_arrays, count, device_report])
        _watch(
            gpu,
            device_arrays[-2],
            device_arrays[-1],
            lambda started: progress(min(started, count)) if progress else None,
        )
        for index in CHANGED_ARRAYS[task]:
            array, address = arrays[index], device_arrays[1 + index]
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
