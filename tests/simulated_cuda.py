"""A driver that pretends: the same calls as NVIDIA's, a GPU's threads run by the processor from the same LLVM text."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ketamech.engine.codegen.native_code import NativeModule, object_code
from ketamech.engine.codegen.ptx_and_wasm import lane_modules
from ketamech.engine.gpu_kernel import WARP
from ketamech.engine.kernel import ARGUMENTS, SINGLE_LANE_ARGUMENTS, driver_texts

OUT_OF_MEMORY, INVALID, NOT_READY = 2, 1, 600


def threads_of(code):
    """Machine code of `follow_at` and `settle_at` for the instructions of a system, which run one thread of a GPU."""
    texts, _ = lane_modules(code, driver_texts(SINGLE_LANE_ARGUMENTS), ARGUMENTS)
    return NativeModule(object_code(texts, [f"{name}_at" for name in ARGUMENTS]))


class PretendedDriver:
    """What is called cu... behaves as in CUDA's driver API; the rest is for tests to look at."""

    def __init__(self, code, *, free=2**30, multiprocessors=2, version=8, looks=2):
        self.code, self.room, self.facts = code, free, {16: multiprocessors, 75: version}
        self.memory, self.waiting, self.looks, self.launches = {}, {}, looks, []
        self.left, self.streams, self.stopped_before_anybody = 0, 0, False

    def cuInit(self, flags):
        return 0

    def cuDeviceGet(self, device, which):
        return 0

    def cuDeviceGetAttribute(self, found, what, device):
        found._obj.value = self.facts[what.value]
        return 0

    def cuDevicePrimaryCtxRetain(self, context, device):
        return 0

    def cuCtxSetCurrent(self, context):
        return 0

    def cuStreamCreate(self, stream, flags):
        self.streams += 1
        stream._obj.value = self.streams
        return 0

    def cuMemGetInfo_v2(self, free, whole):
        free._obj.value = self.room
        return 0

    def cuModuleLoadData(self, module, code):
        return 0 if code.value.lstrip().startswith(b"//") and b".visible .entry" in code.value else INVALID

    def cuModuleGetFunction(self, function, module, name):
        function._obj.value = 1 + list(ARGUMENTS).index(name.value.decode())
        return 0

    def cuMemAlloc_v2(self, address, size):
        if size.value > self.room:
            return OUT_OF_MEMORY
        memory = np.full(size.value, 0xA5, dtype=np.uint8)
        self.memory[memory.ctypes.data] = memory
        address._obj.value = memory.ctypes.data
        return 0

    def cuMemsetD8Async(self, address, value, size, stream):
        return self._later(stream, ctypes.memset, address.value, value.value, size.value)

    def cuMemFree_v2(self, address):
        del self.memory[address.value]
        return 0

    def cuMemcpyHtoDAsync_v2(self, target, source, size, stream):
        assert any(a <= target.value and target.value + size.value <= a + m.size for a, m in self.memory.items())
        return self._later(stream, ctypes.memmove, target.value, source.value, size.value)

    def cuMemcpyDtoHAsync_v2(self, target, source, size, stream):
        assert size.value <= self.memory[source.value].size
        return self._later(stream, ctypes.memmove, target.value, source.value, size.value)

    def cuLaunchKernel(self, function, gx, gy, gz, bx, by, bz, shared, stream, places, extra):
        task = list(ARGUMENTS)[function.value - 1]
        values = [ctypes.c_int64.from_address(place).value for place in places]
        assert len(values) == len(ARGUMENTS[task])
        assert (gy.value, gz.value, bx.value, by.value, bz.value) == (1, 1, WARP, 1, 1)
        assert not any(self.waiting.values()), "the memory is not ready"
        self.launches.append((task, gx.value))
        self.left = self.looks
        return self._later(stream, self._run, task, gx.value, values)

    def cuStreamQuery(self, stream):
        self.left -= 1
        return NOT_READY if self.left >= 0 else self.cuStreamSynchronize(stream)

    def cuStreamSynchronize(self, stream):
        for work, *arguments in self.waiting.pop(stream.value, []):
            work(*arguments)
        return 0

    def _later(self, stream, *work):
        """Nothing is done before its own stream is waited for: as late as a real driver may be."""
        self.waiting.setdefault(stream.value, []).append(work)
        return 0

    def cuGetErrorString(self, code, words):
        words._obj.value = b"out of memory"
        return 0

    def _run(self, task, groups, values):
        """All threads side by side in an order of their own; each has a share of patients for itself."""
        *first, counter, stop, count, report = values
        self.stopped_before_anybody = ctypes.c_int64.from_address(stop).value == 1
        function = self.code.function(f"{task}_at", ARGUMENTS[task] + "cc")
        shares = np.linspace(0, count, groups * WARP + 1).astype(np.int64)
        taken = shares[:-1].copy()
        order = np.random.Generator(np.random.Philox(5)).permutation(groups * WARP)

        def thread(k):
            mine = taken[k:].ctypes.data
            where = divmod(int(order[k]), WARP)
            function(*first, mine, stop, int(shares[k + 1]), report, *where)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(thread, range(groups * WARP)))
        self.workspace = self.memory[first[0]].view(float).copy()
        who = np.flatnonzero(np.diff(shares))
        self.places = {int(shares[k]): divmod(int(order[k]), WARP) for k in who}
        ctypes.c_int64.from_address(counter).value = int((taken - shares[:-1]).clip(max=np.diff(shares)).sum())
