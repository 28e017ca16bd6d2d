"""Runs the WebAssembly module of a model by wasmtime in place of machine code, so that all of `Ensemble` runs on it."""

import ctypes
import sys
from contextlib import contextmanager

import numpy as np
import wasmtime

from ketamech.engine import kernel as kernels
from ketamech.engine.lane_layout import N_WHOLE
from ketamech.engine.solve import workspace

PAGE = 65536


class WasmKernel:
    """The module of a compiled system; `run` has the arguments of `solve.run_task`."""

    def __init__(self, system):
        engine = wasmtime.Engine()
        self.store = wasmtime.Store(engine)
        instance = wasmtime.Instance(self.store, wasmtime.Module(engine, system.code), [])
        self.exports = instance.exports(self.store)

    def run(self, system, task, sizes, arrays, report, count, threads, progress=None):
        lane = [workspace(system), np.zeros(N_WHOLE * system.lanes, dtype=np.int64), sizes]
        queue = [np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)]
        arguments = [*lane, *arrays, *queue, count, report]
        end, addresses = self.exports["__heap_base"].value(self.store), []
        for one in arguments:
            if isinstance(one, np.ndarray):
                end = -(-end // 64) * 64
                addresses.append(end)
                end += max(one.nbytes, 8)
            else:
                addresses.append(int(one))
        memory = self.exports["memory"]
        missing = end - memory.data_len(self.store)
        if missing > 0:
            memory.grow(self.store, -(-missing // PAGE))
        start = ctypes.addressof(memory.data_ptr(self.store).contents)
        for one, address in zip(arguments, addresses, strict=True):
            if isinstance(one, np.ndarray) and one.size:
                assert one.flags.c_contiguous
                ctypes.memmove(start + address, one.ctypes.data, one.nbytes)
        self.exports[task](self.store, *addresses)
        for one, address in zip(arguments, addresses, strict=True):
            if isinstance(one, np.ndarray) and one.size and one.flags.writeable:
                ctypes.memmove(one.ctypes.data, start + address, one.nbytes)


@contextmanager
def solved_by_wasm(model, monkeypatch):
    """Every run of this model inside the block is computed by its WebAssembly module."""
    system = model.kernel.webassembly()
    wasm = WasmKernel(system)
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["ketamech.engine.solve"], "run_task", wasm.run)
        patch.setattr(kernels.Kernel, "compiled_for", lambda kernel, device, patients: system)
        patch.setattr(kernels.Kernel, "fitting_slices", lambda kernel, device, receivers: [])
        yield
