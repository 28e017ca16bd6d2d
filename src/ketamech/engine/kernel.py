"""A system as machine code, kept on disk under the hash of what it was made from.

Two parts are kept: the equations of a system, and the steering, which serves all systems. When both are there, neither
SymPy nor Numba is needed.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ketamech.core import cache_folder
from ketamech.engine import machine
from ketamech.engine.instructions import Rows
from ketamech.engine.steering import SIZES
from ketamech.system import Layout, System

LANES = 8  # patients side by side: one AVX-512 register, two of AVX2, four of SSE2 or NEON
ARGUMENTS = {  # r: pointer to numbers, w: to whole numbers, c: a count
    "follow": "rwwrrrrrrwrwwrrcwrwwcr",
    "settle": "rwwrrrwwwcr",
}


@dataclass(frozen=True, eq=False)
class Kernel:
    """Compiled functions of one system; `compiled_before` tells whether the machine code was found on disk.

    `rows` say where a lane's numbers are, `pattern` which entries of the Jacobian are not zero, `gamma` is the method's
    coefficient on the diagonal.
    """

    layout: Layout
    build_system: Callable[[], System]
    rows: Rows
    pattern: tuple[tuple[int, int], ...]
    gamma: float
    code: machine.Machine
    compiled_before: bool

    @cached_property
    def scales(self) -> np.ndarray:
        """Declared scale of each state."""
        return np.array([state.scale for state in self.layout.states])

    @cached_property
    def sizes(self) -> np.ndarray:
        """Sizes and row numbers in the order of SIZES; those of a single run are 0."""
        layout, starts = self.layout, self.rows.starts
        known = {
            "lanes": LANES,
            "states": len(layout.states),
            "inputs": len(layout.inputs),
            "parameters": len(layout.parameter_names),
            "rests": len(layout.rested),
        }
        return np.array([known.get(name, starts.get(name, 0)) for name in SIZES], dtype=np.int64)

    def sizes_of_run(self, times: int, wanted: int) -> np.ndarray:
        """The same for a run with `times` output times and `wanted` outputs."""
        found = self.sizes.copy()
        found[SIZES.index("times")], found[SIZES.index("wanted")] = times, wanted
        return found

    def output_rows(self, names: tuple[str, ...]) -> np.ndarray:
        """Workspace rows of outputs, as `glimpse` leaves them: states, then offers."""
        place = {name: i for i, name in enumerate(self.layout.output_names)}
        n, starts = len(self.layout.states), self.rows.starts
        rows = [starts["V"] + place[x] if place[x] < n else starts["S"] + place[x] - n for x in names]
        return np.array(rows, dtype=np.int64)


_LOADED: dict[str, Kernel] = {}


def load_kernel(
    layout: Layout, build_system: Callable[[], System], *, announce: Callable[[str], None] | None = None
) -> Kernel:
    """The kernel of the system that `layout` describes, written and compiled on first use.

    `announce` is called once with a line of text if something has to be compiled.
    """
    key = _key(layout.fingerprint, _sources(), machine.processor(), str(LANES))
    if key not in _LOADED:
        steering = _key(_sources(), machine.processor(), version("numba"))
        before = _read(_folder(key)) is not None and _read(_folder(steering)) is not None
        if announce and not before:
            announce(f"Compiling the equations ({len(layout.states)} states), once for this model ...")
        code = _kept(_folder(key), lambda: _equations(build_system()))
        driver = _kept(_folder(steering), _steering)
        facts = json.loads(code.pop("facts.json"))
        loaded = machine.Machine([*code.values(), *driver.values()])
        pattern = tuple((row, column) for row, column in facts["pattern"])
        _LOADED[key] = Kernel(layout, build_system, Rows(facts["rows"]), pattern, facts["gamma"], loaded, before)
    return _LOADED[key]


def _equations(system: System) -> dict[str, bytes]:
    from ketamech.engine.program import EXPORTED, program

    made = program(system, LANES)
    facts = json.dumps({"rows": made.rows.sizes, "pattern": made.pattern, "gamma": made.gamma})
    return {"equations.o": machine.object_code([made.text], [*EXPORTED, "take"]), "facts.json": facts.encode()}


def _steering() -> dict[str, bytes]:
    from ketamech.engine.steering_code import steering_modules

    modules = steering_modules(ARGUMENTS)
    return {"steering.o": machine.object_code(list(modules.values()), list(modules))}


def _sources() -> str:
    """The code that writes kernels."""
    return "".join(p.read_text(encoding="utf-8") for p in sorted(Path(__file__).parent.glob("*.py")))


def _key(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:20]


def _folder(key: str) -> Path:
    return cache_folder() / "kernels" / key


def _kept(folder: Path, make: Callable[[], dict[str, bytes]]) -> dict[str, bytes]:
    """Files kept in a folder, made anew when one is missing or not what was once written."""
    found = _read(folder)
    if found is None:
        found = make()
        folder.mkdir(parents=True, exist_ok=True)
        seals = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
        for name, data in {**found, "seals.json": json.dumps(seals).encode()}.items():
            _write(folder / name, data)
    return dict(found)


def _read(folder: Path) -> dict[str, bytes] | None:
    try:
        seals = json.loads((folder / "seals.json").read_bytes())
        found = {name: (folder / name).read_bytes() for name in seals}
    except (OSError, ValueError, TypeError):
        return None
    whole = found and all(hashlib.sha256(found[name]).hexdigest() == seal for name, seal in seals.items())
    return found if whole else None


def _write(target: Path, data: bytes) -> None:
    """Write a file so that a reader never sees half of it."""
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".tmp", delete=False) as part:
        part.write(data)
    os.replace(part.name, target)
