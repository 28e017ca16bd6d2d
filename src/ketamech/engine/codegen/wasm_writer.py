"""A system as a WebAssembly module: the same blocks and loops as on a processor, two patients in one SIMD128 register.

`follow` and `settle` keep their arguments; pointers are 32-bit addresses of the module's own memory, counts 64-bit
integers. WebAssembly has no fused multiply-add that is the same everywhere: products are rounded before they are added,
so that numbers differ from those of a processor in the last bits.
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
from ketamech.engine.codegen.program import compile_equations

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
