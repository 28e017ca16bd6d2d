"""A system as PTX for NVIDIA GPUs, and as a WebAssembly module: the same blocks and loops as on a processor.

PTX runs one lane per thread. A group is a block of threads, `WARP` wide; its workspace has the layout of a group on a
processor, so that neighbouring threads access neighbouring numbers. Every operation is rounded as on a processor, exp
and log are the same code: a patient's numbers are the same to the last bit.

WebAssembly runs two patients in one SIMD128 register. `follow` and `settle` keep their arguments; pointers are 32-bit
addresses of the module's own memory, counts 64-bit integers. It has no fused multiply-add that is the same everywhere:
products are rounded before they are added, so that numbers differ from those of a processor in the last bits.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from ketamech.core import InputError
from ketamech.engine.codegen import native_code
from ketamech.engine.codegen.equation_code import EquationCode
from ketamech.engine.codegen.ir import WorkspaceLayout
from ketamech.engine.codegen.llvm_writer import vector_module
from ketamech.engine.codegen.program import EXPORTED, METHOD, blocks_of, compile_equations
from ketamech.engine.gpu_kernel import WARP
from ketamech.engine.lane_layout import N_WHOLE

_INDEX_REGISTERS = ("tid.x", "ctaid.x")


def ptx_files(code: EquationCode, loops: list[str], arguments: dict[str, str]) -> dict[str, bytes]:
    """PTX of a system and the metadata needed to use it; `loops` is the text of `follow_one` and `settle_one`."""
    texts, metadata = lane_modules(code, loops, arguments)
    kernels = _kernels(arguments)
    return {"kernel.ptx": native_code.ptx_code([*texts, kernels], list(arguments)), "facts.json": metadata}


def lane_modules(code: EquationCode, loops: list[str], arguments: dict[str, str]) -> tuple[list[str], bytes]:
    """LLVM text in which `follow_at` and `settle_at` run one thread (last arguments: group, lane); and metadata."""
    blocks, rows = blocks_of(code)
    metadata = {"rows": rows.sizes, "pattern": code.pattern, "gamma": METHOD.gamma}
    text = vector_module(blocks, rows, 1, EXPORTED, stride=WARP)
    return [text, *loops, _addressing_functions(rows, arguments)], json.dumps(metadata).encode()


def _addressing_functions(rows: WorkspaceLayout, arguments: dict[str, str]) -> str:
    """LLVM text of `follow_at` and `settle_at`, which compute the addresses of a lane's numbers."""
    return "\n".join(_addressing_function(name, kinds, rows.total * WARP) for name, kinds in arguments.items())


def _addressing_function(name: str, kinds: str, size: int) -> str:
    passed = ", ".join(_typed(kinds)[2:])
    return f"""declare void @{name}_one({", ".join(["ptr", *_types(kinds), "i64"])})
define void @{name}_at({", ".join([*_typed(kinds), "i64 %group", "i64 %lane"])}) {{
  %rows = mul i64 %group, {size}
  %w = getelementptr double, ptr %a0, i64 %rows
  %place = getelementptr double, ptr %w, i64 %lane
  %wholes = mul i64 %group, {N_WHOLE * WARP}
  %s = getelementptr i64, ptr %a1, i64 %wholes
  call void @{name}_one(ptr %place, ptr %w, ptr %s, {passed}, i64 %lane)
  ret void
}}
"""


def _kernels(arguments: dict[str, str]) -> str:
    """The entry points of a GPU: one thread per lane, one block per group."""
    declared = [f"declare i32 @llvm.nvvm.read.ptx.sreg.{register}()" for register in _INDEX_REGISTERS]
    return "\n".join([*declared, *(_kernel(name, kinds) for name, kinds in arguments.items())])


def _kernel(name: str, kinds: str) -> str:
    typed = ", ".join(_typed(kinds))
    return f"""declare void @{name}_at({", ".join([*_types(kinds), "i64", "i64"])})
define ptx_kernel void @{name}({typed}) {{
  %short_lane = call i32 @llvm.nvvm.read.ptx.sreg.{_INDEX_REGISTERS[0]}()
  %short_group = call i32 @llvm.nvvm.read.ptx.sreg.{_INDEX_REGISTERS[1]}()
  %lane = zext i32 %short_lane to i64
  %group = zext i32 %short_group to i64
  call void @{name}_at({typed}, i64 %group, i64 %lane)
  ret void
}}
"""


def _types(kinds: str) -> list[str]:
    return ["i64" if kind == "c" else "ptr" for kind in kinds]


def _typed(kinds: str) -> list[str]:
    return [f"{kind} %a{i}" for i, kind in enumerate(_types(kinds))]


STACK_BYTES = 256 * 1024
LINK_SECONDS = 120.0


def wasm_files(code: EquationCode, loops: list[str], entries: dict[str, str], lanes: int) -> dict[str, bytes]:
    """WebAssembly of a system and the metadata needed to use it; `loops` is the text of the functions `entries`.

    Raises InputError where the linker (the package ziglang) is not installed.
    """
    program = compile_equations(code, lanes)
    text = program.text.replace("@llvm.fma.", "@llvm.fmuladd.")  # becomes a product and a sum
    metadata = json.dumps({"rows": program.rows.sizes, "pattern": program.pattern, "gamma": program.gamma})
    machine_code = native_code.wasm_object([text, *loops], list(entries))
    return {"kernel.wasm": _linked(machine_code, list(entries)), "facts.json": metadata.encode()}


def _linked(code: bytes, exported: list[str]) -> bytes:
    """The module of one object, with its memory and the address `__heap_base` above which the memory is free."""
    if find_spec("ziglang") is None:
        message = "the linker of WebAssembly is not installed"
        raise InputError(message, expected="the package ziglang", type_this="pip install 'ketamech[site]'")
    options = ["--no-entry", "--strip-all", "--stack-first", "-z", f"stack-size={STACK_BYTES}"]
    options += [f"--export={name}" for name in (*exported, "__heap_base")]
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "kernel.o", Path(folder) / "kernel.wasm"
        source.write_bytes(code)
        command = [sys.executable, "-m", "ziglang", "wasm-ld", str(source), "-o", str(target), *options]
        process = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=LINK_SECONDS)
        if process.returncode:
            raise InputError(f"the WebAssembly module could not be linked: {process.stderr.strip()[:500]}")
        return target.read_bytes()
