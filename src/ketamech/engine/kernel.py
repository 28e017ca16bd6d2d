"""A system as machine code, kept on disk under the hash of what it was made from.

The steering, which is the same for all systems, is kept apart as LLVM text, so that Numba is needed once; when the
machine code of a system is there, neither SymPy nor Numba is.
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

from ketamech.core import UnknownName, cache_folder, nearest
from ketamech.core.folders import if_there_is_room, write_whole
from ketamech.core.json_text import read_json
from ketamech.engine import machine
from ketamech.engine.cuda import WARP, Graphics
from ketamech.engine.cuda_driver import gpu
from ketamech.engine.instructions import Rows
from ketamech.engine.lane import SIZES
from ketamech.system import Layout

if TYPE_CHECKING:
    from ketamech.system import System

Announce = Callable[[str], None]
LANES = 4  # patients side by side, in one AVX2 register: eight (AVX-512) leave no room in the nearest cache
ARGUMENTS = {  # r: pointer to numbers, w: to whole numbers, c: a count
    "follow": "rwwrrrrrrwrwwrrcwrwwcr",
    "settle": "rwwrrrwwwcr",
}
ONE = {f"{name}_one": f"r{kinds}c" for name, kinds in ARGUMENTS.items()}  # of a single lane: its place first, it last
DEVICES = {"cpu": "cpu", "cuda": "cuda", "gpu": "cuda", "nvidia": "cuda"}  # and what those who type them mean


@dataclass(frozen=True)
class Compiled:
    """Machine code of one system for `lanes` patients side by side, for a processor or a GPU.

    `rows` say where a lane's numbers are, `pattern` which entries of the Jacobian are not zero, `gamma` is the method's
    coefficient on the diagonal.
    """

    layout: Layout
    lanes: int
    rows: Rows
    pattern: tuple[tuple[int, int], ...]
    gamma: float
    code: machine.Machine | Graphics

    def sizes(self, times: int = 0, wanted: int = 0) -> np.ndarray:
        """Sizes and row numbers in the order of SIZES, for a run with so many output times and outputs."""
        layout, starts = self.layout, self.rows.starts
        known = {
            "lanes": self.lanes,
            "states": len(layout.states),
            "inputs": len(layout.inputs),
            "parameters": len(layout.parameter_names),
            "rests": len(layout.rested),
            "times": times,
            "wanted": wanted,
        }
        return np.array([known.get(name, starts.get(name, 0)) for name in SIZES], dtype=np.int64)

    def output_rows(self, names: tuple[str, ...]) -> np.ndarray:
        """Workspace rows of outputs, as `glimpse` leaves them: states, then offers."""
        place = {name: i for i, name in enumerate(self.layout.output_names)}
        n, starts = len(self.layout.states), self.rows.starts
        rows = [starts["V"] + place[x] if place[x] < n else starts["S"] + place[x] - n for x in names]
        return np.array(rows, dtype=np.int64)


class Kernel:
    """A system ready to be solved; what is missing on disk is written and compiled when it is first needed.

    `announce` is told in a line of text when something has to be compiled.
    """

    def __init__(self, layout: Layout, build_system: Callable[[], System], announce: Announce | None = None) -> None:
        self.layout, self.build_system, self._announce = layout, build_system, announce
        self._compiled: dict[str, Compiled] = {}

    @property
    def compiled(self) -> Compiled:
        """The machine code for the processor at hand, from disk if it is there."""
        return self.compiled_for("cpu")

    def compiled_for(self, device: str) -> Compiled:
        """The code for a device, cpu or cuda: it gives the same numbers whichever it is.

        Raises UnknownName for another device and BadInput when there is no GPU.
        """
        if DEVICES.get(device) != device:
            near = DEVICES.get(device.lower()) or nearest(device, DEVICES.values())
            raise UnknownName(f"there is no device '{device}'", expected="cpu or cuda", nearest=near)
        if device not in self._compiled:
            self._compiled[device] = self._load(device, WARP if device == "cuda" else LANES)
        return self._compiled[device]

    def _load(self, device: str, lanes: int) -> Compiled:
        if device == "cuda":
            gpu()  # there is nothing to compile for where there is none
        folder = _folder(self.layout.fingerprint, device, str(lanes))
        if self._announce and _read(folder) is None:
            self._announce(f"Compiling the equations ({len(self.layout.states)} states), once for this model ...")
        made = _kept(folder, lambda: _written(self.build_system(), device, lanes))
        facts = json.loads(made["facts.json"])
        code = Graphics(made["kernel.ptx"]) if device == "cuda" else machine.Machine(made["kernel.o"])
        pattern = tuple((row, column) for row, column in facts["pattern"])
        return Compiled(self.layout, lanes, Rows(facts["rows"]), pattern, facts["gamma"], code)


_LOADED: dict[str, Kernel] = {}


def load_kernel(layout: Layout, build_system: Callable[[], System], *, announce: Announce | None = None) -> Kernel:
    """The kernel of the system that `layout` describes; `build_system` is called only if it has to be compiled."""
    return _LOADED.setdefault(layout.fingerprint, Kernel(layout, build_system, announce))


def _written(system: System, device: str, lanes: int) -> dict[str, bytes]:
    """Machine code of a system with the steering, and the facts needed to use it."""
    if device == "cuda":
        from ketamech.engine.cuda_code import graphics_files

        return graphics_files(system, steering_texts(ONE), ARGUMENTS)
    from ketamech.engine.program import EXPORTED, program

    made = program(system, lanes)
    facts = json.dumps({"rows": made.rows.sizes, "pattern": made.pattern, "gamma": made.gamma})
    steering = steering_texts(ARGUMENTS)
    code = machine.object_code([made.text, *steering], [*EXPORTED, *ARGUMENTS])
    return {"kernel.o": code, "facts.json": facts.encode()}


def steering_texts(entries: dict[str, str]) -> list[str]:
    """LLVM text of the steering with some of its entries, from disk if it is there."""

    def make() -> dict[str, bytes]:
        from ketamech.engine.steering_code import steering_modules

        return {f"{name}.ll": text.encode() for name, text in steering_modules(entries).items()}

    return [text.decode() for text in _kept(_folder("steering", *entries), make).values()]


def _sources() -> str:
    """The code that writes kernels."""
    return "".join(p.read_text(encoding="utf-8") for p in sorted(Path(__file__).parent.glob("*.py")))


def _folder(*parts: str) -> Path:
    """Where something is kept that depends on `parts`, on the code that writes kernels and on what compiles them."""
    text = "|".join([*parts, _sources(), machine.processor(), version("numba")])
    return cache_folder() / "kernels" / hashlib.sha256(text.encode()).hexdigest()[:20]


def _kept(folder: Path, make: Callable[[], dict[str, bytes]]) -> dict[str, bytes]:
    """Files kept in a folder, made anew when one is missing or not what was once written."""
    found = _read(folder)
    if found is None:
        found = make()
        seals = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
        with if_there_is_room():
            for name, data in {**found, "seals.json": json.dumps(seals).encode()}.items():
                write_whole(folder / name, data)
    return dict(found)


def _read(folder: Path) -> dict[str, bytes] | None:
    try:
        seals = dict(read_json(folder / "seals.json"))
        found = {name: (folder / name).read_bytes() for name in seals}
    except (OSError, ValueError, TypeError):
        return None
    whole = found and all(hashlib.sha256(found[name]).hexdigest() == seal for name, seal in seals.items())
    return found if whole else None
