"""`follow` and `settle` as LLVM modules for a processor: Numba compiles the steering once, whatever the equations.

The blocks are only declared here; the module of a system, linked to these, defines them. Imported only when there is
something to compile.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import llvmlite.binding as llvm
from numba import njit, types

from ketamech.engine.integration_loop import integration_loop
from ketamech.engine.lane_layout import Jit, lane_queue
from ketamech.engine.steady_state_loop import steady_state_loop

BLOCKS = ("prepare", "attempt", "accept", "glimpse", "relax", "move")
_KINDS = {"r": types.CPointer(types.float64), "w": types.CPointer(types.int64), "c": types.int64}
_PLAIN: dict[str, Any] = {"error_model": "numpy", "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_jit = njit(**_PLAIN)


def driver_modules(arguments: dict[str, str]) -> dict[str, str]:
    """LLVM text of entries; `arguments` {name of entry: its arguments}, a letter each: r numbers, w whole, c a count.

    `follow` and `settle` steer all lanes of a group; `follow_one` and `settle_one` steer the lane given last, whose
    blocks work at the pointer given first.
    """
    for name in (*BLOCKS, "take"):  # Numba looks names up as it compiles; the true ones are linked later
        llvm.add_symbol(name, 8)
    compiled = lane_loop(_jit, _blocks())
    entries = {
        "follow": _follow(compiled.follow),
        "settle": _settle(compiled.settle),
        "follow_one": _follow_one(compiled.follow),
        "settle_one": _settle_one(compiled.settle),
    }
    return {name: _module(name, entries[name], kinds) for name, kinds in arguments.items()}


def lane_loop(jit: Jit, b: SimpleNamespace) -> SimpleNamespace:
    """`follow` and `settle` compiled with `jit` over the blocks `b`, each called as block(place, lane)."""
    common = lane_queue(jit, b.take)
    return SimpleNamespace(follow=integration_loop(jit, b, common), settle=steady_state_loop(jit, b, common))


def _blocks() -> SimpleNamespace:
    """Blocks as outside functions of the workspace; which lane asked does not matter to them."""
    blocks = {name: _block(types.ExternalFunction(name, types.int64(_KINDS["r"]))) for name in BLOCKS}
    take = types.ExternalFunction("take", types.int64(_KINDS["w"]))
    return SimpleNamespace(**blocks, take=_jit(lambda counter: take(counter)))


def _block(external: Any) -> Any:
    @_jit
    def block(place, lane):
        external(place)

    return block


def _follow(follow: Any) -> Callable[..., None]:
    def entry(
        w, s, m, c, inputs, y, inflow, clock, step, first, time, kind, state, size,
        times, stride, wanted, out, counter, stop, count, report,
    ):  # fmt: skip
        people, given = (inputs, y, inflow, clock, step), (first, time, kind, state, size)
        follow(w, w, s, m, c, 0, m[0], people, given, (times, stride, wanted, out), (counter, stop, count), report)

    return entry


def _settle(settle: Any) -> Callable[..., None]:
    def entry(w, s, m, inputs, y, guess, source, counter, stop, count, report):
        settle(w, w, s, m, 0, m[0], inputs, y, guess, source, (counter, stop, count), report)

    return entry


def _follow_one(follow: Any) -> Callable[..., None]:
    def entry(
        place, w, s, m, c, inputs, y, inflow, clock, step, first, time, kind, state, size,
        times, stride, wanted, out, counter, stop, count, report, lane,
    ):  # fmt: skip
        people, given = (inputs, y, inflow, clock, step), (first, time, kind, state, size)
        asked = (times, stride, wanted, out)
        follow(w, place, s, m, c, lane, lane + 1, people, given, asked, (counter, stop, count), report)

    return entry


def _settle_one(settle: Any) -> Callable[..., None]:
    def entry(place, w, s, m, inputs, y, guess, source, counter, stop, count, report, lane):
        settle(w, place, s, m, lane, lane + 1, inputs, y, guess, source, (counter, stop, count), report)

    return entry


def _module(name: str, entry: Callable[..., None], kinds: str) -> str:
    """The compiled function behind a plain one: Numba's own takes a place for results and one for errors first."""
    dispatcher = _jit(entry)
    signature = types.void(*(_KINDS[kind] for kind in kinds))
    dispatcher.compile(signature)
    inner = dispatcher.get_compile_result(signature).fndesc.mangled_name
    typed = [f"{'i64' if kind == 'c' else 'ptr'} %a{i}" for i, kind in enumerate(kinds)]
    lines = [
        f"define void @{name}({', '.join(typed)}) {{",
        "  %result = alloca ptr",
        "  %error = alloca ptr",
        f'  %status = call i32 @"{inner}"(ptr %result, ptr %error, {", ".join(typed)})',
        "  ret void",
        "}",
    ]
    return dispatcher.inspect_llvm(signature.args) + "\n" + "\n".join(lines) + "\n"
