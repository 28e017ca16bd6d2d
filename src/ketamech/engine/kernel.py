"""Machine code of a system, cached on disk under the hash of its sources.

The loops, which are the same for all systems, are cached separately as machine code, so that Numba is needed once and
a new system compiles its equations only; when those are cached, neither SymPy nor Numba is needed.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from ketamech.core import UnknownNameError, cache_folder, closest_match
from ketamech.core.atomic_files import atomic_write, ignore_disk_errors, read_json
from ketamech.engine.codegen import native_code
from ketamech.engine.codegen.ir import WorkspaceLayout
from ketamech.engine.gpu_kernel import WARP, PtxModule, open_device
from ketamech.engine.lane_layout import SIZES
from ketamech.engine.packaged_kernel import packaged_files
from ketamech.model.layout import SystemLayout

if TYPE_CHECKING:
    from ketamech.model.system import System

Progress = Callable[[str], None]
LANES = 4  # patients side by side, in one AVX2 register: with eight (AVX-512) the workspace exceeds the L1 cache
TANGENTS = 4  # most derivatives beside each number
WASM_LANES = 2  # in one SIMD128 register
ARGUMENTS = {  # r: pointer to floats, w: pointer to integers, c: a count
    "follow": "rwwrrrrrrwrwwrrcwrwwcr",
    "settle": "rwwrrrwwwcr",
}
SINGLE_LANE_ARGUMENTS = {
    f"{name}_one": f"r{kinds}c" for name, kinds in ARGUMENTS.items()
}  # of a single lane: pointer to its numbers first, its index last
DEVICES = {"cpu": "cpu", "cuda": "cuda", "gpu": "cuda", "nvidia": "cuda"}  # accepted names


@dataclass(frozen=True)
class CompiledSystem:
    """Code of one system for `lanes` patients side by side, for a processor or a GPU, or a WebAssembly module (bytes).

    `rows` is the layout of the workspace, `pattern` the non-zero entries of the Jacobian, `gamma` the diagonal
    coefficient of the method.
    """

    layout: SystemLayout
    lanes: int
    rows: WorkspaceLayout
    pattern: tuple[tuple[int, int], ...]
    gamma: float
    code: native_code.NativeModule | PtxModule | bytes

    def sizes(self, times: int = 0, wanted: int = 0, tangents: int = 0) -> np.ndarray:
        """Sizes and row numbers in the order of SIZES, for a run with this many output times, outputs and tangents."""
        layout, starts = self.layout, self.rows.starts
        values = {
            "lanes": self.lanes,
            "states": len(layout.states),
            "inputs": len(layout.inputs),
            "parameters": len(layout.parameter_names),
            "baselines": len(layout.baseline_names),
            "times": times,
            "wanted": wanted,
            "tangents": tangents,
            "distance": self.rows.distance,
        }
        return np.array([values.get(name, starts.get(name, 0)) for name in SIZES], dtype=np.int64)

    def output_rows(self, names: tuple[str, ...]) -> np.ndarray:
        """Workspace rows of outputs after `interpolate`: states, then time-varying outputs."""
        place = {name: i for i, name in enumerate(self.layout.output_names)}
        n, starts = len(self.layout.states), self.rows.starts
        rows = [starts["V"] + place[x] if place[x] < n else starts["S"] + place[x] - n for x in names]
        return np.array(rows, dtype=np.int64)


class Kernel:
    """A system ready to be solved; code that is not cached is generated and compiled at first use.

    `announce` receives a line of text when something has to be compiled.
    """

    def __init__(
        self, layout: SystemLayout, build_system: Callable[[], System], announce: Progress | None = None
    ) -> None:
        self.layout, self.build_system, self._announce = layout, build_system, announce
        self._compiled: dict[str, CompiledSystem] = {}
        self._lock = Lock()

    @property
    def compiled(self) -> CompiledSystem:
        """The machine code for this processor, from the cache if present."""
        return self.compiled_for("cpu")

    def compiled_for(self, device: str) -> CompiledSystem:
        """The code for a device, cpu or cuda; both give the same numbers.

        Raises UnknownNameError for another device and InputError when there is no GPU.
        """
        if DEVICES.get(device) != device:
            near = DEVICES.get(device.lower()) or closest_match(device, DEVICES.values())
            raise UnknownNameError(f"there is no device '{device}'", expected="cpu or cuda", nearest=near)
        with self._lock:  # threads that need the code at the same time wait for one compilation
            if device not in self._compiled:
                self._compiled[device] = self._load(device, WARP if device == "cuda" else LANES)
            return self._compiled[device]

    @property
    def compiled_with_tangents(self) -> CompiledSystem:
        """The code for this processor that computes derivatives beside each number, from the cache if present.

        The numbers themselves are those of `compiled`, to the last bit.
        """
        if "tangents" not in self._compiled:
            self._compiled["tangents"] = self._load("cpu", LANES, TANGENTS)
        return self._compiled["tangents"]

    def webassembly(self) -> CompiledSystem:
        """The WebAssembly module: the packaged one, or one from the cache, or one built now.

        Raises InputError where it must be built and the linker is not installed.
        """
        made = packaged_files(self.layout.fingerprint) or self.built_webassembly()
        return self._compiled_system(made, WASM_LANES, made["kernel.wasm"])

    def built_webassembly(self) -> dict[str, bytes]:
        """The WebAssembly module built by the installed compilers, from the cache if present; see `wasm_files`."""
        from ketamech.engine.codegen.wasm_writer import wasm_files

        def make() -> dict[str, bytes]:
            return wasm_files(self.build_system(), portable_driver_texts(ARGUMENTS), ARGUMENTS, WASM_LANES)

        return _cache_file(_folder(self.layout.fingerprint, "wasm32", str(WASM_LANES)), make)

    def _load(self, device: str, lanes: int, tangents: int = 0) -> CompiledSystem:
        if device == "cuda":
            open_device()  # raises when there is no GPU
        folder = _folder(self.layout.fingerprint, device, str(lanes), *([f"tangents {tangents}"] if tangents else []))
        if self._announce and _read(folder) is None:
            what = "derivatives of the equations" if tangents else "equations"
            self._announce(f"Compiling the {what} ({len(self.layout.states)} states), once for this model ...")
        made = _cache_file(folder, lambda: _generate_code(self.build_system(), device, lanes, tangents))
        if device == "cuda":
            return self._compiled_system(made, lanes, PtxModule(made["kernel.ptx"]))
        return self._compiled_system(made, lanes, native_code.NativeModule(_loops_object(), made["kernel.o"]))

    def _compiled_system(
        self, made: dict[str, bytes], lanes: int, code: native_code.NativeModule | PtxModule | bytes
    ) -> CompiledSystem:
        facts = json.loads(made["facts.json"])
        pattern = tuple((row, column) for row, column in facts["pattern"])
        rows = WorkspaceLayout(facts["rows"], facts.get("tangents", 0))
        return CompiledSystem(self.layout, lanes, rows, pattern, facts["gamma"], code)


_LOADED: dict[str, Kernel] = {}


def load_kernel(
    layout: SystemLayout, build_system: Callable[[], System], *, announce: Progress | None = None
) -> Kernel:
    """The kernel of the system that `layout` describes; `build_system` is called only if it has to be compiled."""
    return _LOADED.setdefault(layout.fingerprint, Kernel(layout, build_system, announce))


def _generate_code(system: System, device: str, lanes: int, tangents: int) -> dict[str, bytes]:
    """Machine code of a system, and the metadata needed to use it."""
    if device == "cuda":
        from ketamech.engine.codegen.ptx_writer import ptx_files

        return ptx_files(system, driver_texts(SINGLE_LANE_ARGUMENTS), ARGUMENTS)
    from ketamech.engine.codegen.compile_system import EXPORTED, compile_system

    made = compile_system(system, lanes, tangents=tangents)
    facts = json.dumps({"rows": made.rows.sizes, "tangents": tangents, "pattern": made.pattern, "gamma": made.gamma})
    return {"kernel.o": native_code.object_code([made.text], [*EXPORTED, "take"]), "facts.json": facts.encode()}


def _loops_object() -> bytes:
    """Machine code of the loops, from the cache if present."""

    def make() -> dict[str, bytes]:
        return {"loops.o": native_code.object_code(driver_texts(ARGUMENTS), list(ARGUMENTS))}

    return _cache_file(_folder("loops", *ARGUMENTS), make)["loops.o"]


def driver_texts(entries: dict[str, str]) -> list[str]:
    """LLVM text of the loops with some of its entries, from the cache if present."""

    def make() -> dict[str, bytes]:
        from ketamech.engine.codegen.driver_jit import driver_modules

        return {f"{name}.ll": text.encode() for name, text in driver_modules(entries).items()}

    return [text.decode() for text in _cache_file(_folder("driver", *entries), make).values()]


def portable_driver_texts(entries: dict[str, str]) -> list[str]:
    """LLVM text of the loops for any processor, from the cache if present.

    Numba optimises for one processor for the life of a process: another process compiles for a generic one.
    """

    def make() -> dict[str, bytes]:
        module = "ketamech.engine.codegen.driver_jit"
        command = [sys.executable, "-m", module, json.dumps(entries)]
        environment = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
        done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment, check=True, timeout=300)
        return {f"{name}.ll": text.encode() for name, text in json.loads(done.stdout).items()}

    return [text.decode() for text in _cache_file(_folder("portable driver", *entries), make).values()]


def _sources() -> str:
    """The source of the code generator."""
    return "".join(p.read_text(encoding="utf-8") for p in sorted(Path(__file__).parent.rglob("*.py")))


def _folder(*parts: str) -> Path:
    """Cache folder of something that depends on `parts`, on the code generator and on its compilers."""
    text = "|".join([*parts, _sources(), native_code.processor(), version("numba")])
    return cache_folder() / "kernels" / hashlib.sha256(text.encode()).hexdigest()[:20]


def _cache_file(folder: Path, make: Callable[[], dict[str, bytes]]) -> dict[str, bytes]:
    """Files cached in a folder, computed again when one is missing or damaged."""
    found = _read(folder)
    if found is None:
        found = make()
        checksums = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
        with ignore_disk_errors():
            for name, data in {**found, "checksums.json": json.dumps(checksums).encode()}.items():
                atomic_write(folder / name, data)
    return dict(found)


def _read(folder: Path) -> dict[str, bytes] | None:
    try:
        checksums = dict(read_json(folder / "checksums.json"))
        found = {name: (folder / name).read_bytes() for name in checksums}
    except (OSError, ValueError, TypeError):
        return None
    intact = found and all(hashlib.sha256(found[name]).hexdigest() == checksum for name, checksum in checksums.items())
    return found if intact else None
