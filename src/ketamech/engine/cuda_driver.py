"""The driver API of an NVIDIA GPU, called directly: nothing else has to be installed."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from ketamech.core import InputError, SolverError

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
            where = ctypes.c_void_p(values.ctypes.data)
            self._call("cuMemcpyHtoDAsync_v2", ctypes.c_uint64(address), where, size, self._copy_stream)
            self._call("cuStreamSynchronize", self._copy_stream)

    def read(self, address: Address, values: np.ndarray) -> None:
        """Copy numbers from the GPU, also while a kernel runs."""
        size = ctypes.c_size_t(values.nbytes)
        if values.nbytes:
            where = ctypes.c_void_p(values.ctypes.data)
            self._call("cuMemcpyDtoHAsync_v2", where, ctypes.c_uint64(address), size, self._copy_stream)
            self._call("cuStreamSynchronize", self._copy_stream)

    def start(self, kernel: ctypes.c_void_p, blocks: int, threads: int, arguments: Sequence[int]) -> None:
        """Start a kernel; its arguments are addresses and counts, all of 8 bytes."""
        self._call("cuStreamSynchronize", self._copy_stream)  # until its memory is filled
        values = [ctypes.c_uint64(a) for a in arguments]
        places = (ctypes.c_void_p * len(values))(*(ctypes.addressof(v) for v in values))
        one, shape = ctypes.c_uint(1), (ctypes.c_uint(blocks), ctypes.c_uint(threads))
        self._call(
            "cuLaunchKernel",
            kernel,
            shape[0],
            one,
            one,
            shape[1],
            one,
            one,
            ctypes.c_uint(0),
            self._kernel_stream,
            places,
            None,
        )

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
