"""Roots and powers of nothing have no finite slope: they are solved, and a step of nothing is never kept."""

import numpy as np
import pytest
from scipy.optimize import brentq

from ketamech.engine import events, load_kernel, solve
from ketamech.engine.codegen import native_code
from ketamech.engine.codegen.compile_system import compile_system
from ketamech.engine.codegen.ir import BasicBlock, Instruction, Slot, WorkspaceLayout
from ketamech.engine.codegen.llvm_writer import vector_module
from ketamech.engine.codegen.program import EXPORTED
from ketamech.engine.codegen.sparse_lu import factorise, sparse_lu
from ketamech.engine.kernel import CompiledSystem
from ketamech.engine.solve import workspace
from ketamech.model.assemble import build_system
from ketamech.model.functions import sqrt
from ketamech.model.stage import Stage
from toy_models import TABLE

LANES, TURNOVER = 4, TABLE["toy.turnover"].canonical


def tank(m: Stage) -> None:
    """An empty tank that fills, leaks through a hole below, and what came out."""
    turnover = m.parameter("toy.turnover")
    level, out = m.state("tank.level", "1"), m.state("tank.out", "1", is_sink=True)
    m.rate(level, turnover, because="filling")
    leak = m.output("tank.leak", turnover * sqrt(level), "1/h")
    m.rate(level, -leak, because="leak")
    m.rate(out, leak, because="leak")


def level_at(time):
    """Closed form of x' = k (1 - sqrt x) from 0: k t = -2 sqrt x - 2 log(1 - sqrt x)."""
    return brentq(lambda r: -2 * r - 2 * np.log1p(-r) - TURNOVER * time, 0, 1 - 1e-12, xtol=1e-15) ** 2


def test_a_tank_fills_as_in_closed_form():
    system = build_system(TABLE, [tank])
    kernel = load_kernel(system.layout, lambda: system)
    times = np.array([0.0, 1e-3, 0.1, 1.0, 5.0, 20.0])
    found = solve(kernel, np.zeros((1, 2)), np.array([[TURNOVER]]), [events([])], times, tolerance=1e-10)
    assert found.reason(0) == "ok"
    level, out = found.values[0, :, :2].T
    assert level == pytest.approx([level_at(t) for t in times], rel=1e-6)
    assert level + out == pytest.approx(TURNOVER * times, rel=1e-9, abs=1e-15)


def test_without_help_a_step_from_an_infinite_slope_is_not_kept(monkeypatch):
    monkeypatch.setattr("ketamech.engine.codegen.program.without_infinities", lambda slopes: [])
    system = build_system(TABLE, [tank])
    made = compile_system(system, LANES)
    code = native_code.NativeModule(native_code.object_code([made.text], EXPORTED))
    w = workspace(CompiledSystem(system.layout, LANES, made.rows, made.pattern, made.gamma, code))
    rows, starts, step = w.reshape(-1, LANES), made.rows.starts, 0.03
    rows[starts["P"]] = TURNOVER
    for name, value in (("SPEED", 1 / step), ("SHIFT", 1 / (step * made.gamma)), ("TOLERANCE", 1.0)):
        rows[starts[name]] = value
    for block in ("prepare", "attempt"):
        code.function(block, "r")(w.ctypes.data)
    assert np.isnan(rows[starts["ERROR"]]).all()


@pytest.mark.parametrize("slope", [-np.inf, np.inf, 0.0, -2.5e9])
def test_the_reciprocal_of_an_infinite_pivot_is_not_a_number(slope):
    pattern = [(0, 0)]
    ops = [Instruction("j0", "copy", (Slot("J", 0),)), *factorise(pattern, sparse_lu(1, pattern))]
    text = vector_module([BasicBlock("run", tuple(ops))], WorkspaceLayout({"J": 1, "SHIFT": 1, "L": 1}), LANES, ["run"])
    raw = np.zeros(3 * LANES + 8)
    place = raw[(-raw.ctypes.data % 64) // 8 :][: 3 * LANES]
    place[:LANES], place[LANES : 2 * LANES] = slope, 7.0
    code = native_code.NativeModule(native_code.object_code([text], ["run"]))
    code.function("run", "r")(place.ctypes.data)
    expected = np.nan if np.isinf(slope) else 1.0 / (7.0 - slope)
    assert np.array_equal(place[2 * LANES :], np.full(LANES, expected), equal_nan=True)
