"""The integration and steady-state loops as LLVM modules: Numba compiles them once, for all equations.

The blocks are only declared here; the module of a system, linked to these, defines them. Imported only when there is
something to compile.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import llvmlite.binding as llvm
from numba import njit, types

from ketamech.engine.integration_loop import integration_loop
from ketamech.engine.lane_layout import Jit, lane_queue
from ketamech.engine.steady_state_loop import steady_state_loop

BLOCKS = ("prepare", "attempt", "accept", "interpolate", "relax", "move")
_KINDS = {"r": types.CPointer(types.float64), "w": types.CPointer(types.int64), "c": types.int64}
_NUMBA_OPTIONS: dict[str, Any] = {
    "error_model": "numpy",
    "_nrt": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
_jit = njit(**_NUMBA_OPTIONS)


def driver_modules(arguments: dict[str, str]) -> dict[str, str]:
    """LLVM text of entries; `arguments` {name of entry: its arguments}, a letter each: r floats, w integers, c a count.

    `follow` and `settle` run all lanes of a group; `follow_one` and `settle_one` run the lane given last, whose blocks
    work at the pointer given first.
    """
    for name in (*BLOCKS, "take"):  # Numba resolves names when it compiles; the definitions are linked later
        llvm.add_symbol(name, 8)
    compiled = lane_loop(_jit, _blocks())
    entries = {
        "follow": _follow(compiled.follow),
        "settle": _settle(compiled.settle),
        "follow_one": _follow_one(compiled.follow),
        "settle_one": _settle_one(compiled.settle),
    }
    return {name: _module(name, entries[name], kinds) for name, kinds in arguments.items()}


def lane_loop(jit: Jit, blocks: SimpleNamespace) -> SimpleNamespace:
    """`follow` and `settle` compiled with `jit` over the blocks `blocks`, each called as block(pointer, lane).

    `follow` integrates patients, `settle` finds their steady states. Both are independent of the equations: they call
    blocks of a system, which work on all lanes at once, and read single numbers of the workspace. The same source runs
    on a processor (all lanes of a group in turn) and on a GPU (one lane per thread). The numbers of a lane depend on
    its own patient alone.
    """
    common = lane_queue(jit, blocks.take)
    return SimpleNamespace(follow=integration_loop(jit, blocks, common), settle=steady_state_loop(jit, blocks, common))


def _blocks() -> SimpleNamespace:
    """Blocks as external functions of the workspace; they do not depend on the calling lane."""
    blocks = {name: _block(types.ExternalFunction(name, types.int64(_KINDS["r"]))) for name in BLOCKS}
    take = types.ExternalFunction("take", types.int64(_KINDS["w"]))
    return SimpleNamespace(**blocks, take=_jit(lambda counter: take(counter)))


def _block(external: Any) -> Any:
    @_jit
    def block(pointer, lane):
        external(pointer)

    return block


def _follow(follow: Any) -> Callable[..., None]:
    def entry(
        workspace, lane_state, sizes, settings, inputs, y, inflow, clock, step, first, time, kind, state, size,
        times, stride, wanted, out, counter, stop, count, report,
    ):  # fmt: skip
        patients, events = (inputs, y, inflow, clock, step), (first, time, kind, state, size)
        follow(
            workspace, workspace, lane_state, sizes, settings, 0, sizes[0], patients, events,
            (times, stride, wanted, out), (counter, stop, count), report,
        )  # fmt: skip

    return entry


def _settle(settle: Any) -> Callable[..., None]:
    def entry(workspace, lane_state, sizes, inputs, y, guess, source, counter, stop, count, report):
        settle(
            workspace, workspace, lane_state, sizes, 0, sizes[0], inputs, y, guess, source, (counter, stop, count),
            report,
        )  # fmt: skip

    return entry


def _follow_one(follow: Any) -> Callable[..., None]:
    def entry(
        pointer, workspace, lane_state, sizes, settings, inputs, y, inflow, clock, step, first, time, kind, state, size,
        times, stride, wanted, out, counter, stop, count, report, lane,
    ):  # fmt: skip
        patients, events = (inputs, y, inflow, clock, step), (first, time, kind, state, size)
        outputs = (times, stride, wanted, out)
        follow(
            workspace, pointer, lane_state, sizes, settings, lane, lane + 1, patients, events, outputs,
            (counter, stop, count), report,
        )  # fmt: skip

    return entry


def _settle_one(settle: Any) -> Callable[..., None]:
    def entry(pointer, workspace, lane_state, sizes, inputs, y, guess, source, counter, stop, count, report, lane):
        settle(
            workspace, pointer, lane_state, sizes, lane, lane + 1, inputs, y, guess, source, (counter, stop, count),
            report,
        )  # fmt: skip

    return entry


def _module(name: str, entry: Callable[..., None], kinds: str) -> str:
    """The compiled function behind a plain entry: Numba's own takes pointers for results and errors first."""
    dispatcher = _jit(entry)
    signature = types.void(*(_KINDS[kind] for kind in kinds))
    dispatcher.compile(signature)
    mangled_name = dispatcher.get_compile_result(signature).fndesc.mangled_name
    typed_arguments = [f"{'i64' if kind == 'c' else 'ptr'} %a{i}" for i, kind in enumerate(kinds)]
    lines = [
        f"define void @{name}({', '.join(typed_arguments)}) {{",
        "  %result = alloca ptr",
        "  %error = alloca ptr",
        f'  %status = call i32 @"{mangled_name}"(ptr %result, ptr %error, {", ".join(typed_arguments)})',
        "  ret void",
        "}",
    ]
    return dispatcher.inspect_llvm(signature.args) + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(json.dumps(driver_modules(json.loads(sys.argv[1]))))
