"""Machine code of a system, cached on disk under the hash of its sources.

The loops, which are the same for all systems, are cached separately as machine code, so that Numba is needed once and
a new system compiles its equations only; when those are cached, neither SymPy nor Numba is needed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ketamech.core import UnknownNameError, cache_folder, closest_match
from ketamech.core.atomic_files import atomic_write, ignore_disk_errors, read_json
from ketamech.engine.codegen import native_code
from ketamech.engine.codegen.ir import WorkspaceLayout
from ketamech.engine.gpu_kernel import WARP, PtxModule, open_device
from ketamech.engine.lane_layout import SIZES
from ketamech.model.layout import SystemLayout

if TYPE_CHECKING:
    from ketamech.model.system import System

Progress = Callable[[str], None]
LANES = 4  # patients side by side, in one AVX2 register: with eight (AVX-512) the workspace exceeds the L1 cache
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

    def sizes(self, times: int = 0, wanted: int = 0) -> np.ndarray:
        """Sizes and row numbers in the order of SIZES, for a run with this many output times and outputs."""
        layout, starts = self.layout, self.rows.starts
        values = {
            "lanes": self.lanes,
            "states": len(layout.states),
            "inputs": len(layout.inputs),
            "parameters": len(layout.parameter_names),
            "baselines": len(layout.baseline_names),
            "times": times,
            "wanted": wanted,
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
        if device not in self._compiled:
            self._compiled[device] = self._load(device, WARP if device == "cuda" else LANES)
        return self._compiled[device]

    def webassembly(self) -> CompiledSystem:
        """The WebAssembly module, from the cache if present. Raises InputError where the linker is not installed."""
        from ketamech.engine.codegen.wasm_writer import LANES as WASM_LANES
        from ketamech.engine.codegen.wasm_writer import wasm_files

        def make() -> dict[str, bytes]:
            return wasm_files(self.build_system(), driver_texts(ARGUMENTS), ARGUMENTS)

        made = _cache_file(_folder(self.layout.fingerprint, "wasm32", str(WASM_LANES)), make)
        return self._compiled_system(made, WASM_LANES, made["kernel.wasm"])

    def _load(self, device: str, lanes: int) -> CompiledSystem:
        if device == "cuda":
            open_device()  # raises when there is no GPU
        folder = _folder(self.layout.fingerprint, device, str(lanes))
        if self._announce and _read(folder) is None:
            self._announce(f"Compiling the equations ({len(self.layout.states)} states), once for this model ...")
        made = _cache_file(folder, lambda: _generate_code(self.build_system(), device, lanes))
        if device == "cuda":
            return self._compiled_system(made, lanes, PtxModule(made["kernel.ptx"]))
        return self._compiled_system(made, lanes, native_code.NativeModule(_loops_object(), made["kernel.o"]))

    def _compiled_system(
        self, made: dict[str, bytes], lanes: int, code: native_code.NativeModule | PtxModule | bytes
    ) -> CompiledSystem:
        facts = json.loads(made["facts.json"])
        pattern = tuple((row, column) for row, column in facts["pattern"])
        return CompiledSystem(self.layout, lanes, WorkspaceLayout(facts["rows"]), pattern, facts["gamma"], code)


_LOADED: dict[str, Kernel] = {}


def load_kernel(
    layout: SystemLayout, build_system: Callable[[], System], *, announce: Progress | None = None
) -> Kernel:
    """The kernel of the system that `layout` describes; `build_system` is called only if it has to be compiled."""
    return _LOADED.setdefault(layout.fingerprint, Kernel(layout, build_system, announce))


def _generate_code(system: System, device: str, lanes: int) -> dict[str, bytes]:
    """Machine code of a system, and the metadata needed to use it."""
    if device == "cuda":
        from ketamech.engine.codegen.ptx_writer import ptx_files

        return ptx_files(system, driver_texts(SINGLE_LANE_ARGUMENTS), ARGUMENTS)
    from ketamech.engine.codegen.compile_system import EXPORTED, compile_system

    made = compile_system(system, lanes)
    facts = json.dumps({"rows": made.rows.sizes, "pattern": made.pattern, "gamma": made.gamma})
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
