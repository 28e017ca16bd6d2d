"""The vector code: exp and log are exact enough, instructions really are vectors, the text is always the same."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ketamech.engine.codegen import native_code
from ketamech.engine.codegen.compile_system import compile_system
from ketamech.engine.codegen.ir import BasicBlock, Instruction, Loop, Slot, WorkspaceLayout
from ketamech.engine.codegen.llvm_writer import vector_module
from ketamech.engine.codegen.program import EXPORTED
from ketamech.model.assemble import build_system
from toy_models import TABLE, kinetics, response

LANES, COUNT = 8, 4000


def apply(kind, numbers):
    """One instruction on many numbers, through compiled vector code."""
    rows = numbers.reshape(-1, LANES)
    block = BasicBlock("run", (Loop(len(rows), (Instruction(Slot("OUT"), kind, (Slot("IN"),)),)),))
    text = vector_module([block], WorkspaceLayout({"IN": len(rows), "OUT": len(rows)}), LANES, ["run"])
    code = native_code.NativeModule(native_code.object_code([text], ["run"]))
    raw = np.zeros(2 * numbers.size + 8)
    place = raw[(-raw.ctypes.data % 64) // 8 :][: 2 * numbers.size]
    place[: numbers.size] = numbers
    code.function("run", "r")(place.ctypes.data)
    return place[numbers.size :].copy()


def apart(found, exact):
    """Largest difference in units of the last place."""
    return (np.abs(found - exact) / np.spacing(np.abs(exact))).max()


def test_exp_is_within_two_units_in_the_last_place():
    x = np.concatenate([np.linspace(-700, 700, COUNT), np.geomspace(1e-300, 1e-3, COUNT), np.linspace(-1, 1, COUNT)])
    exact = np.exp(x.astype(np.longdouble)).astype(float)
    assert apart(apply("exp", x), exact) < 2


def test_log_is_within_two_units_in_the_last_place():
    x = np.concatenate(
        [np.geomspace(1e-300, 1e300, COUNT), np.linspace(0.5, 2, COUNT), 1 + np.linspace(-1e-9, 1e-9, COUNT)]
    )
    exact = np.log(x.astype(np.longdouble)).astype(float)
    away = exact != 0  # log 1 = 0 has no last place of its own; it is looked at below
    assert apart(apply("log", x)[away], exact[away]) < 2


TURNS = {"sin": np.sin, "cos": np.cos, "atan": np.arctan}


@pytest.mark.parametrize("kind", TURNS)
def test_turns_are_within_two_units_in_the_last_place(kind):
    """Near 0, over many turns, and hard by multiples of a quarter turn, where sin or cos all but vanishes."""
    quarters = np.concatenate([np.arange(1, COUNT + 1), np.round(np.geomspace(1, 2**39, COUNT))]) * (np.pi / 2)
    many = np.concatenate([np.linspace(-10, 10, COUNT), np.geomspace(1, 2**40, COUNT), np.geomspace(1e-300, 1, COUNT)])
    x = np.concatenate([many, -many, quarters])
    exact = TURNS[kind](x.astype(np.longdouble))
    assert apart(apply(kind, x), exact.astype(float)) < 2


def test_floor_is_exact():
    x = np.concatenate([np.linspace(-9, 9, COUNT), np.geomspace(0.1, 1e300, COUNT), -np.geomspace(0.1, 1e300, COUNT)])
    assert np.array_equal(apply("floor", x), np.floor(x))


def test_what_is_not_used_is_not_written(written):
    assert "vector_exp" in written.text
    assert not any(f"vector_{name}" in written.text for name in ("sin", "cos", "atan", "floor"))


@pytest.mark.parametrize(
    ("kind", "x", "expected"),
    [
        ("exp", [np.inf, -np.inf, np.nan, 800, -800, 0, -0.0, 1e-320], [np.inf, 0, np.nan, np.inf, 0, 1, 1, 1]),
        (
            "log",
            [np.inf, 0, np.nan, -1, -np.inf, 1, -0.0, -1e-300],
            [np.inf, -np.inf, np.nan, np.nan, np.nan, 0, -np.inf, np.nan],
        ),
        (
            "sin",
            [np.inf, -np.inf, np.nan, 0, 2.0**41, -(2.0**41), 1e300, 1e-320],
            [np.nan, np.nan, np.nan, 0, np.nan, np.nan, np.nan, 0],
        ),
        (
            "cos",
            [np.inf, -np.inf, np.nan, 0, 2.0**41, -(2.0**41), 1e300, 1e-320],
            [np.nan, np.nan, np.nan, 1, np.nan, np.nan, np.nan, 1],
        ),
        (
            "atan",
            [np.inf, -np.inf, np.nan, 0, 1, -1, 1e300, -1e-320],
            [np.pi / 2, -np.pi / 2, np.nan, 0, np.pi / 4, -np.pi / 4, np.pi / 2, 0],
        ),
        ("floor", [np.inf, -np.inf, np.nan, 0, -0.5, 2, -2, 1e300], [np.inf, -np.inf, np.nan, 0, -1, 2, -2, 1e300]),
    ],
)
def test_what_is_not_an_ordinary_number(kind, x, expected):
    assert apply(kind, np.array(x, dtype=float)) == pytest.approx(np.array(expected), nan_ok=True)


@pytest.fixture(scope="module")
def written():
    return compile_system(build_system(TABLE, [kinetics, response]), LANES)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="reads x86 assembly")
def test_the_arithmetic_is_done_in_vectors(written):
    lines = native_code.assembly([written.text], EXPORTED).splitlines()
    arithmetic = [
        m
        for line in lines
        if (m := re.match(r"\s+v?(?:f?n?m?add|f?n?m?sub|fnm\w+|fm\w+|mul|div|sqrt)\w*?([ps])d\b", line))
    ]
    packed = sum(m.group(1) == "p" for m in arithmetic)
    assert len(arithmetic) > 300
    assert packed == len(arithmetic)


def test_the_text_does_not_depend_on_the_order_of_hashes(written):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hashlib; from toy_models import *;"
        "from ketamech.model.assemble import build_system as build;"
        "from ketamech.engine.codegen.compile_system import compile_system as program;"
        "print(hashlib.sha256(program(build(TABLE, [kinetics, response]), 8).text.encode()).hexdigest())"
    )
    tests = str(Path(__file__).parents[2])
    said = {
        subprocess.run(
            [sys.executable, "-c", code, tests],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(said) == 1


@pytest.mark.parametrize("interpreter", [sys.executable, "/nowhere/python"], ids=["two processes", "no second process"])
def test_a_function_compiled_apart_gives_the_same_bits(written, interpreter, monkeypatch):
    whole = native_code.object_codes(written.text, EXPORTED, "linearise")
    monkeypatch.setattr(native_code, "LARGE", 0)
    monkeypatch.setattr(sys, "executable", interpreter)
    parts = native_code.object_codes(written.text, EXPORTED, "linearise")
    assert (len(whole), len(parts)) == (1, 2)
    numbers = np.random.default_rng(1).uniform(0.5, 2.0, written.rows.total * LANES)

    def attempted(objects):
        raw = np.zeros(numbers.size + 8)
        place = raw[(-raw.ctypes.data % 64) // 8 :][: numbers.size]
        place[:] = numbers
        code = native_code.NativeModule(*objects)
        for block in ("prepare", "attempt"):
            code.function(block, "r")(place.ctypes.data)
        return place.copy()

    found = attempted(whole)
    assert not np.array_equal(found, numbers)
    assert np.array_equal(attempted(parts), found)
