"""Machine code of a system, cached on disk under the hash of its sources.

The instructions of a system (generated with SymPy) and the loops (compiled by Numba, the same for all systems) are
cached as text. Neither depends on the processor, so a wheel can contain them. Machine code of the loops is cached
separately: a new system compiles its equations only. When that of a system is cached, neither SymPy nor Numba is
needed.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from itertools import product
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ketamech.core import UnknownNameError, cache_folder, closest_match, environment
from ketamech.core.atomic_files import atomic_write, ignore_disk_errors, read_json
from ketamech.core.environment import short_hash, source_hash
from ketamech.core.progress import LineProgress
from ketamech.engine.codegen import native_code
from ketamech.engine.codegen.ir import WorkspaceLayout
from ketamech.engine.events import EventTable
from ketamech.engine.gpu_kernel import WARP, PtxModule, open_device
from ketamech.engine.lane_layout import SIZES
from ketamech.engine.packaged_kernel import CODE_GENERATOR, packaged_files
from ketamech.engine.scope import Scope, Slice
from ketamech.engine.tangents import Tangents
from ketamech.model.layout import SystemLayout

if TYPE_CHECKING:
    from ketamech.engine.codegen.equation_code import EquationCode
    from ketamech.model.system import System

LANES = 4  # patients side by side, in one AVX2 register
WIDE_LANES = 8  # in one AVX-512 register; the workspace then exceeds the L1 cache, which few processors make up for
WIDE_PROCESSORS = {  # on which eight lanes were measured to be faster (decision 36): name in LLVM, feature it must have
    "znver5": "avx512f",
    "rocketlake": "amx-tile",  # an Intel server of 2023 or later that hides its model: Rocket Lake itself has no AMX
}
TANGENTS, SLICE_TANGENTS = 4, 8  # largest number of derivatives computed with each number, of all and of a slice
WORTH_PART = 2 / 3  # share of the states of a slice below which code for the derivatives of these alone is compiled
WASM_LANES = 2  # in one SIMD128 register
ARGUMENTS = {  # r: pointer to floats, w: pointer to integers, c: a count
    "follow": "rwwrrrrrrwrwwrrcwrwwcr",
    "settle": "rwwrrrwwwcr",
}
SINGLE_LANE_ARGUMENTS = {
    f"{name}_one": f"r{kinds}c" for name, kinds in ARGUMENTS.items()
}  # of a single lane: pointer to its numbers first, its index last
COMPILE_SECONDS = 10.0  # to compile a slice; approximate, as the shares of a run that other code saves:
SLICE_SHARE, LANES_SHARE = 0.5, 0.1  # a slice; the better number of lanes
DEVICES = {"cpu": "cpu", "cuda": "cuda", "gpu": "cuda", "nvidia": "cuda"}  # accepted names


@dataclass(frozen=True)
class CompiledSystem:
    """Code of one system for `lanes` patients side by side, for a processor or a GPU, or a WebAssembly module (bytes).

    `rows` is the layout of the workspace, `pattern` the non-zero entries of the Jacobian, `gamma` the diagonal
    coefficient of the method. The code of a slice holds only `states` (indices in the whole system) and needs the
    states `absent` to be 0; code of the whole system leaves the states of the mask `left_out` out of the error.
    `stretched`: the times of events have tangents.
    """

    layout: SystemLayout
    lanes: int
    rows: WorkspaceLayout
    pattern: tuple[tuple[int, int], ...]
    gamma: float
    code: native_code.NativeModule | PtxModule | bytes
    states: np.ndarray | None = None
    absent: np.ndarray | None = None
    left_out: np.ndarray | None = None
    stretched: bool = False

    def sizes(
        self, times: int = 0, wanted: int = 0, tangents: int = 0, moving: Collection[int] | np.ndarray = ()
    ) -> np.ndarray:
        """Sizes and row numbers in the order of SIZES, for a run with this many output times, outputs and tangents.

        `moving` are the inputs (indices) that have tangents.
        """
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
            "moving": len(moving),
            "distance": self.rows.distance,
        }
        return np.array([*(values.get(name, starts.get(name, 0)) for name in SIZES), *moving], dtype=np.int64)

    def output_rows(self, names: tuple[str, ...]) -> np.ndarray:
        """Workspace rows of outputs after `interpolate`: states, then time-varying outputs."""
        index = self.layout.output_index
        n, starts = len(self.layout.states), self.rows.starts
        rows = [starts["V"] + index[x] if index[x] < n else starts["S"] + index[x] - n for x in names]
        return np.array(rows, dtype=np.int64)

    def baseline_rows(self, scope: Scope | None) -> np.ndarray:
        """Workspace rows of the sources of baseline values; values that are not computed are their own source."""
        names, first = self.layout.baseline_names, self.rows.starts["P"] + len(self.layout.parameter_names)
        computed = self.layout.output_index.keys() & (scope.output_names if scope else set(names))
        rows = [self.output_rows((name,))[0] if name in computed else first + k for k, name in enumerate(names)]
        return np.array(rows, dtype=np.int64)

    def is_valid_for(self, levels: Sequence[np.ndarray]) -> bool:
        """Whether all states that the code assumes to be 0 are 0 in all `levels` [patient, state] that are finite."""
        return self.absent is None or not any(holds(state, self.absent).any() for state in levels)


def holds(values: np.ndarray, columns: Sequence[int] | np.ndarray | slice) -> np.ndarray:
    """Mask [patient] of those with a number in `columns` of `values` [patient, number] that is neither 0 nor NaN."""
    chosen = values[:, columns]
    present = chosen != 0.0
    return np.asarray((present & ~np.isnan(chosen)).any(axis=1) if present.any() else np.zeros(len(values), bool))


class Kernel:
    """A system ready to be solved; code that is not cached is generated and compiled at first use.

    `announce` receives a line of text when something has to be compiled. Runs of a kernel with a `scope` can read only
    its outputs.
    """

    def __init__(
        self, layout: SystemLayout, build_system: Callable[[], System], announce: LineProgress | None = None
    ) -> None:
        self.layout, self.build_system, self._announce = layout, build_system, announce
        self.scope: Scope | None = None
        self._compiled: dict[str, CompiledSystem | None] = {}
        self._scoped: dict[str, Kernel] = {}
        self._activities: dict[tuple[str, frozenset[str], frozenset[int]], Activity] = {}
        self._seconds_lost: dict[str, float] = {}
        self._lock = Lock()

    def within(self, scope: Scope | None) -> Kernel:
        """The kernel for runs of which only outputs of this scope are read (None: all)."""
        if scope is None:
            return self
        if (cached := self._scoped.get(scope.name)) is not None:
            return cached
        scoped = copy(self)
        scoped.scope = scope
        return self._scoped.setdefault(scope.name, scoped)  # another thread may have been first

    @property
    def compiled(self) -> CompiledSystem:
        """The machine code for this processor, from the cache if present."""
        return self.compiled_for("cpu")

    def compiled_for(self, device: str, patients: int = 1) -> CompiledSystem:
        """The code for a device, cpu or cuda, and for runs of this many patients; all give the same numbers.

        Where only code of other lanes is compiled, this. Raises UnknownNameError for another device and InputError when
        there is no GPU.
        """
        if DEVICES.get(device) != device:
            nearest = DEVICES.get(device.lower()) or closest_match(device, DEVICES.values())
            raise UnknownNameError(f"there is no device '{device}'", expected="cpu or cuda", nearest=nearest)
        widths = lane_choices(device, patients)
        for lanes in widths:
            if code := self._whole_system_code(device, lanes, compiled_only=True):
                return code
        return self._compiled_whole_system(device, widths[0])

    def code_with_tangents(
        self, solves: int, receivers: Iterable[int] = (), outputs: Iterable[str] | None = None
    ) -> CompiledSystem:
        """Code for this processor that also computes derivatives: the first slice of the scope that fits, else all.

        It is compiled at first use. The numbers themselves are those of `code_for_run`, to the last bit. `solves` is
        the number of patients times directions, which changes no bit. Derivatives may be left out where the `outputs`
        (default: all) do not depend on them.
        """
        received = frozenset(receivers)
        for slice_ in self.fitting_slices("cpu", received):
            active = self._active(slice_, outputs, received)
            if code := self.slice_code(slice_, run_lanes(solves), SLICE_TANGENTS, active):
                return code
        return self._whole_with_tangents()

    def _whole_with_tangents(self) -> CompiledSystem:
        return self._with_error_mask(self._compiled_whole_system("cpu", LANES, TANGENTS))

    def codes_with_tangents(
        self, events: EventTable, levels: np.ndarray, tangents: Tangents, outputs: Iterable[str] | None = None
    ) -> list[tuple[np.ndarray, CompiledSystem]]:
        """Patients (indices) and the code with derivatives for them, by their own events, `levels` and `tangents`.

        Derivatives by a slice that is linear differ in the last bits from those by other code, so that the slice of a
        patient must not depend on other patients. `levels` is [patient, state]; `outputs` as in `code_with_tangents`.
        """

        def moves(states: Sequence[int] | np.ndarray) -> np.ndarray:
            """Mask [patient] of those of whom one of these states or its derivative is not 0."""
            own = tangents.values[:, :, np.isin(tangents.moving, states)].reshape(len(levels), -1)
            return holds(levels, states) | holds(own, slice(None))

        waiting, groups = np.ones(len(levels), dtype=bool), []
        lanes = run_lanes(len(levels) * tangents.count)
        for slice_ in self.scope.slices if self.scope else ():
            fitting = waiting.copy()
            fitting[events.owner[~np.isin(events.state, list(slice_.receivers))]] = False
            if not fitting.any():
                continue
            received = frozenset(events.where(fitting[events.owner]).receivers.tolist())
            active = self._active(slice_, outputs, received, moves)
            if code := self.slice_code(slice_, lanes, SLICE_TANGENTS, active):
                if code.absent is not None:
                    fitting &= ~moves(code.absent)
                groups.append((np.flatnonzero(fitting), code))
                waiting &= ~fitting
        if waiting.any():
            groups.append((np.flatnonzero(waiting), self._whole_with_tangents()))
        return [(patients, code) for patients, code in groups if patients.size]

    def _active(
        self, slice_: Slice, outputs: Iterable[str] | None, receivers: frozenset[int],
        moves: Callable[[Sequence[int]], np.ndarray] | None = None,
    ) -> tuple[int, ...] | None:  # fmt: skip
        """Outputs (indices) of a slice, states first, that `outputs` need and that doses into `receivers` can move.

        None (all) where most states of the slice are among them. States at 0 that no dose moves are left out unless
        they are not 0 in a patient, by the mask [patient] of `moves`.
        """
        if outputs is None:
            return None
        key = (self._slice_name(slice_), frozenset(outputs), receivers)
        if (found := self._activities.get(key)) is None:
            found = self._activities[key] = self._activity(slice_, self.layout.needed_outputs(outputs), receivers)
        active = set(found.active)
        if moves is not None and moves(found.resting).any():
            active.update(found.resting)
        moving = sum(i < len(self.layout.states) for i in active)
        return tuple(sorted(active)) if moving <= WORTH_PART * found.states else None

    def _activity(self, slice_: Slice, needed: frozenset[int], receivers: frozenset[int]) -> Activity:
        """`slice_activity`, from the cache if present: the instructions take half a second to read."""
        assert self.scope is not None
        scope, identity = self.scope, short_hash(json.dumps([sorted(needed), sorted(receivers)]))

        def generate() -> dict[str, bytes]:
            found = slice_activity(self._equation_code(), scope, slice_, needed, receivers)
            return {"activity.json": json.dumps(found._asdict()).encode()}

        folder = _portable_folder(self.layout.fingerprint, "activity", self._slice_name(slice_), identity)
        return Activity(**json.loads(cached_files(folder, generate)["activity.json"]))

    def _compiled_whole_system(self, device: str, lanes: int, tangents: int = 0) -> CompiledSystem:
        """Code of the whole system, compiled where it is not yet."""
        code = self._whole_system_code(device, lanes, tangents)
        assert code is not None
        return code

    def _whole_system_code(
        self, device: str, lanes: int, tangents: int = 0, *, compiled_only: bool = False
    ) -> CompiledSystem | None:
        """Code of the whole system; None with `compiled_only` where it is not compiled yet."""
        name = f"{device} tangents {tangents}" if tangents else device
        load = partial(self._load_whole_system, device, lanes, tangents)
        return self._code(name, lanes, load, compiled_only=compiled_only)

    def _code(
        self, name: str, lanes: int, load: Callable[[Path], CompiledSystem], *, compiled_only: bool
    ) -> CompiledSystem | None:
        """Code loaded from its cache folder; threads that need it at the same time wait for one compilation."""
        key = f"{name} {lanes}"
        with self._lock:
            if self._compiled.get(key) is None and not (compiled_only and key in self._compiled):
                folder = _native_folder(self.layout.fingerprint, name, str(lanes))
                missing = compiled_only and _read_cached_files(folder) is None
                self._compiled[key] = None if missing else load(folder)
            return self._compiled[key]

    def _with_error_mask(self, code: CompiledSystem) -> CompiledSystem:
        """Code of the whole system whose error leaves out the states outside the scope."""
        return code if self.scope is None else replace(code, left_out=~self.scope.states)

    def code_for_run(
        self, device: str, receivers: Iterable[int] = (), levels: Sequence[np.ndarray] = (), *, patients: int = 1
    ) -> CompiledSystem:
        """Code for a run of `patients` in which doses enter the states `receivers`, from the `levels` (each [patient,
        state]).

        Returns the first slice of the scope that fits and is compiled already, else the whole system. Where neither is
        compiled, the last slice that fits is compiled, because it takes less time. All of them give the same bits.
        """
        slices, widths = self.fitting_slices(device, receivers), lane_choices(device, patients)
        for slice_, lanes in product(slices, widths):
            if (code := self.slice_code(slice_, lanes, compiled_only=True)) and code.is_valid_for(levels):
                return code
        if (
            slices
            and not self.is_compiled(device)
            and (code := self.slice_code(slices[-1], widths[0]))
            and code.is_valid_for(levels)
        ):
            return code
        return self._with_error_mask(self.compiled_for(device, patients))

    def generate(self) -> None:
        """Generate the instructions and the loops, which are the same on every processor, unless they are cached."""
        self._equation_code()
        driver_texts(ARGUMENTS)

    def compile_slices(self, patients: int) -> None:
        """Compile every slice of the scope that is not compiled yet, for runs of this many patients."""
        for slice_ in self.scope.slices if self.scope else ():
            self.slice_code(slice_, run_lanes(patients))

    def count_time(self, code: CompiledSystem, receivers: Iterable[int], patients: int, seconds: float) -> None:
        """Count the `seconds` of a run; compile the code that fits best once runs have lost the time to compile it.

        That is the first slice that fits, or else the whole system, with the lanes for this many patients. The total
        time is therefore at most about twice that of the best choice.
        """
        if not isinstance(code.code, native_code.NativeModule):
            return
        lanes, slices = run_lanes(patients), self.fitting_slices("cpu", receivers)
        best = partial(self.slice_code, slices[0]) if slices else partial(self._whole_system_code, "cpu")
        if best(lanes, compiled_only=True):
            return
        other_lanes = not slices or code is best(code.lanes, compiled_only=True)
        name = f"{self._slice_name(slices[0]) if slices else 'cpu'} {lanes}"
        lost = seconds * (LANES_SHARE if other_lanes else SLICE_SHARE)
        self._seconds_lost[name] = self._seconds_lost.get(name, 0.0) + lost
        if self._seconds_lost[name] > COMPILE_SECONDS:
            best(lanes)

    def fitting_slices(self, device: str, receivers: Iterable[int]) -> list[Slice]:
        """Slices of the scope that take doses into all `receivers` within it, in order of preference."""
        if self.scope is None or device != "cpu":
            return []
        receivers_in_scope = {state for state in receivers if self.scope.states[state]}
        return [slice_ for slice_ in self.scope.slices if slice_.receivers >= receivers_in_scope]

    def is_compiled(self, device: str) -> bool:
        """Whether the code of all outputs is in memory or in the cache, with any number of lanes."""
        widths = lane_choices(device, patients=1)
        return any(self._whole_system_code(device, lanes, compiled_only=True) for lanes in widths)

    def _slice_name(self, slice_: Slice, tangents: int = 0, active: Sequence[int] | None = None) -> str:
        assert self.scope is not None
        part = "" if active is None else f" {short_hash(json.dumps(active))}"
        return f"cpu {self.scope.identity(slice_)}" + (f" tangents {tangents}{part}" if tangents else "")

    def slice_code(
        self, slice_: Slice, lanes: int, tangents: int = 0, active: Sequence[int] | None = None, *,
        compiled_only: bool = False,
    ) -> CompiledSystem | None:  # fmt: skip
        """The code of a slice; None with `compiled_only` where it is not compiled yet.

        With `active`, only these outputs (indices), states among them, have tangents.
        """
        load = partial(self._load_slice, slice_, lanes, tangents, active)
        return self._code(self._slice_name(slice_, tangents, active), lanes, load, compiled_only=compiled_only)

    def _load_slice(
        self, slice_: Slice, lanes: int, tangents: int, active: Sequence[int] | None, folder: Path
    ) -> CompiledSystem:
        assert self.scope is not None
        scope = self.scope
        if self._announce and _read_cached_files(folder) is None:
            noun = "derivatives of the part" if tangents else "part"
            once = "once for this model" if active is None else "once for these outputs and routes"
            self._announce(f"Compiling the {noun} of the equations for {slice_.name}, {once} ...")
        files = cached_files(
            folder, lambda: _generate_slice(self._equation_code(), scope, slice_, lanes, tangents, active)
        )
        metadata = json.loads(files["facts.json"])
        layout = self.layout.part(metadata["states"], metadata["observed"])
        code = self._compiled_system(files, lanes, _native_module(files), layout)
        return replace(code, states=np.array(metadata["states"]), absent=np.array(metadata["absent"], dtype=np.int64))

    def _equation_code(self) -> EquationCode:
        """The instructions of the whole system, from the cache if present."""
        from ketamech.engine.codegen.equation_code import EquationCode

        def generate() -> dict[str, bytes]:
            from ketamech.engine.codegen.compile_system import equation_code

            return {"equations.json": equation_code(self.build_system()).to_json().encode()}

        files = cached_files(_portable_folder(self.layout.fingerprint, "equations"), generate)
        return EquationCode.from_json(files["equations.json"].decode())

    def webassembly(self) -> CompiledSystem:
        """The WebAssembly module: the packaged one, or one from the cache, or one built now.

        Raises InputError where it must be built and the linker is not installed.
        """
        files = packaged_files(self.layout.fingerprint) or self.built_webassembly()
        return self._compiled_system(files, WASM_LANES, files["kernel.wasm"])

    def built_webassembly(self) -> dict[str, bytes]:
        """The WebAssembly module built by the installed compilers, from the cache if present; see `wasm_files`."""
        from ketamech.engine.codegen.ptx_and_wasm import wasm_files

        def generate() -> dict[str, bytes]:
            return wasm_files(self._equation_code(), driver_texts(ARGUMENTS), ARGUMENTS, WASM_LANES)

        return cached_files(_native_folder(self.layout.fingerprint, "wasm32", str(WASM_LANES)), generate)

    def _load_whole_system(self, device: str, lanes: int, tangents: int, folder: Path) -> CompiledSystem:
        if device == "cuda":
            open_device()  # raises when there is no GPU
        if self._announce and _read_cached_files(folder) is None:
            noun = "derivatives of the equations" if tangents else "equations"
            self._announce(f"Compiling the {noun} ({len(self.layout.states)} states), once for this model ...")
        files = cached_files(folder, lambda: self._generate_whole_system(device, lanes, tangents))
        code = PtxModule(files["kernel.ptx"]) if device == "cuda" else _native_module(files)
        return self._compiled_system(files, lanes, code)

    def _generate_whole_system(self, device: str, lanes: int, tangents: int) -> dict[str, bytes]:
        """Files {name: content}: code of the whole system, and the metadata needed to use it."""
        if device == "cuda":
            from ketamech.engine.codegen.ptx_and_wasm import ptx_files

            return ptx_files(self._equation_code(), driver_texts(SINGLE_LANE_ARGUMENTS), ARGUMENTS)
        return _machine_code(self._equation_code(), lanes, tangents)

    def _compiled_system(
        self, files: dict[str, bytes], lanes: int, code: native_code.NativeModule | PtxModule | bytes,
        layout: SystemLayout | None = None,
    ) -> CompiledSystem:  # fmt: skip
        metadata = json.loads(files["facts.json"])
        pattern = tuple((row, column) for row, column in metadata["pattern"])
        rows = WorkspaceLayout(metadata["rows"], metadata.get("tangents", 0))
        return CompiledSystem(layout or self.layout, lanes, rows, pattern, metadata["gamma"], code)


@cache
def cpu_lanes() -> int:
    """Most patients side by side on this processor; their number changes no bit of a result."""
    feature = WIDE_PROCESSORS.get(native_code.processor_name())
    return WIDE_LANES if feature and native_code.has_feature(feature) else LANES


def run_lanes(patients: int) -> int:
    """Lanes of code for this many patients, or patients times directions: a few leave wide registers half empty."""
    return LANES if patients <= LANES else cpu_lanes()


def lane_choices(device: str, patients: int) -> list[int]:
    """Numbers of lanes that code for a device may have, the best for this many patients first."""
    if device == "cuda":
        return [WARP]
    return sorted({LANES, cpu_lanes()}, key=lambda lanes: lanes != run_lanes(patients))


_LOADED: dict[str, Kernel] = {}


def load_kernel(
    layout: SystemLayout, build_system: Callable[[], System], *, announce: LineProgress | None = None
) -> Kernel:
    """The kernel of the system that `layout` describes; `build_system` is called only if it has to be compiled."""
    return _LOADED.setdefault(layout.fingerprint, Kernel(layout, build_system, announce))


def _machine_code(
    code: EquationCode, lanes: int, tangents: int = 0, active: Sequence[int] | None = None
) -> dict[str, bytes]:
    """Files {name: content}: machine code of the instructions, and the metadata needed to use it."""
    from ketamech.engine.codegen.program import EXPORTED, compile_equations

    program = compile_equations(code, lanes, tangents=tangents, active=active)
    rows, pattern = program.rows.sizes, program.pattern
    metadata = json.dumps({"rows": rows, "tangents": tangents, "pattern": pattern, "gamma": program.gamma})
    objects = native_code.object_codes(program.text, [*EXPORTED, "take"], apart="" if tangents else "linearise")
    return {f"kernel{i}.o": data for i, data in enumerate(objects)} | {"facts.json": metadata.encode()}


def _native_module(files: dict[str, bytes]) -> native_code.NativeModule:
    """The loaded machine code of a system and of the loops."""
    return native_code.NativeModule(loops_object(), *(data for name, data in files.items() if name.endswith(".o")))


def loops_object() -> bytes:
    """Machine code of the loops, from the cache if present."""

    def generate() -> dict[str, bytes]:
        return {"loops.o": native_code.object_code(driver_texts(ARGUMENTS), list(ARGUMENTS))}

    return cached_files(loops_folder(), generate)["loops.o"]


def loops_folder() -> Path:
    """Cache folder of the machine code of the loops for this processor."""
    return _native_folder("loops", *ARGUMENTS)


def _generate_slice(
    code: EquationCode, scope: Scope, slice_: Slice, lanes: int, tangents: int, active: Sequence[int] | None
) -> dict[str, bytes]:
    """Files {name: content}: machine code of a slice, and the metadata needed to use it."""
    states, absent, observed = slice_states(code, scope, slice_)
    part = None if active is None else active_rows(scope, states, observed, active)
    files = _machine_code(code.slice(states, absent, observed), lanes, tangents, part)
    metadata = {**json.loads(files["facts.json"]), "states": states, "absent": absent, "observed": observed}
    return {**files, "facts.json": json.dumps(metadata).encode()}


def slice_states(code: EquationCode, scope: Scope, slice_: Slice) -> tuple[list[int], list[int], list[int]]:
    """States that a slice holds, states that it needs to be 0, and time-varying outputs that it computes (indices)."""
    states, n = scope.layout.states, len(scope.layout.states)
    needed = {i for i in scope.outputs if i < n}
    absent = code.absent_states(i for i in needed - slice_.receivers if states[i].initial_guess == 0.0)
    return sorted(needed - absent), sorted(absent), sorted(i - n for i in scope.outputs if i >= n)


class Activity(NamedTuple):
    """Outputs (indices) of a slice that others need, without states that stay 0 (`resting`); its number of `states`."""

    active: list[int]
    resting: list[int]
    states: int


def slice_activity(
    code: EquationCode, scope: Scope, slice_: Slice, needed: frozenset[int], receivers: frozenset[int]
) -> Activity:
    """Of the outputs `needed`, those that move in a slice where doses enter `receivers` alone."""
    states = scope.layout.states
    held, absent, _ = slice_states(code, scope, slice_)
    candidates = {i for i in needed.intersection(held) - receivers if states[i].initial_guess == 0.0}
    still = code.absent_states(candidates.union(absent))
    return Activity(sorted(needed.difference(still, absent)), sorted(still.intersection(held)), len(held))


def active_rows(scope: Scope, states: Sequence[int], observed: Sequence[int], active: Collection[int]) -> list[int]:
    """Numbers of the outputs `active` in a slice of these `states` and `observed` outputs, states first."""
    rows = [*states, *(len(scope.layout.states) + output for output in observed)]
    return [k for k, row in enumerate(rows) if row in active]


def driver_texts(entries: dict[str, str]) -> list[str]:
    """LLVM text of the loops with some of their entries, from the cache if present: the same for every processor.

    Numba optimises for one processor for the life of a process: another process compiles for a generic one.
    """

    def generate() -> dict[str, bytes]:
        module = "ketamech.engine.codegen.driver_jit"
        command = [sys.executable, "-m", module, json.dumps(entries)]
        variables = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
        process = subprocess.run(command, capture_output=True, encoding="utf-8", env=variables, check=True, timeout=300)
        return {f"{name}.ll": text.encode() for name, text in json.loads(process.stdout).items()}

    return [text.decode() for text in cached_files(_portable_folder("driver", *entries), generate).values()]


@cache
def _code_generator() -> str:
    """Hash of the sources and the version of SymPy that determine the generated code."""
    return source_hash(*CODE_GENERATOR, extra=(version("sympy"),))


def _native_folder(*parts: str) -> Path:
    """Cache folder of code for this processor; `parts` identify it."""
    return _hashed_folder(*parts, native_code.processor(), version("numba"))


def _portable_folder(*parts: str) -> Path:
    """Cache folder of LLVM text, which is the same for every processor; `parts` identify it."""
    return _hashed_folder(*parts, native_code.llvm_version())


def _hashed_folder(*parts: str) -> Path:
    return cache_folder() / "kernels" / short_hash("|".join([*parts, _code_generator()]), 20)


def cached_files(folder: Path, generate: Callable[[], dict[str, bytes]]) -> dict[str, bytes]:
    """Files {name: content} of a cache folder, or prebuilt ones; generated again when one is missing or damaged."""
    files = _read_cached_files(folder) or _read_cached_files(environment.PREBUILT / "kernels" / folder.name)
    if files is None:
        files = generate()
        checksums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        with ignore_disk_errors():
            for name, data in {**files, "checksums.json": json.dumps(checksums).encode()}.items():
                atomic_write(folder / name, data)
    return dict(files)


def _read_cached_files(folder: Path) -> dict[str, bytes] | None:
    try:
        checksums = dict(read_json(folder / "checksums.json"))
        files = {name: (folder / name).read_bytes() for name in checksums}
    except (OSError, ValueError, TypeError):
        return None
    intact = files and all(hashlib.sha256(files[name]).hexdigest() == checksum for name, checksum in checksums.items())
    return files if intact else None
