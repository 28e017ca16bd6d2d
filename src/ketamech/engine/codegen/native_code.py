"""Compiles LLVM text to machine code for this processor, to PTX or to WebAssembly, and loads machine code.

Run as a program, it compiles the LLVM text on standard input and exports the function named by its argument.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import llvmlite.binding as llvm

_OPTIMISE = 2
LARGE = 500_000  # characters of a module that is worth a second process
TIME_LIMIT = 300.0  # s that the second process may take
JITLINK = sys.platform == "linux" and platform.machine() == "x86_64" and hasattr(llvm, "create_lljit_compiler")
LIBRARY = "kernel"
LOADING_MEMORY = 64 << 20  # bytes; many times the code
_FUNCTION = re.compile(r"^define [^@\n]*@([\w.]+)\(.*?^}\n", re.M | re.S)


def _target() -> llvm.TargetMachine:
    """A new target machine of this processor; each execution engine needs one of its own."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=_OPTIMISE,
        reloc="pic",
        codemodel="small",
    )


def _nvptx_target() -> llvm.TargetMachine:
    """A target machine of NVIDIA GPUs since 2018 (Volta)."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple("nvptx64-nvidia-cuda").create_target_machine(cpu="sm_70", opt=_OPTIMISE)


def _wasm_target() -> llvm.TargetMachine:
    """A target machine of browsers since 2023: vectors of two doubles, copies of memory in one instruction."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    features = "+simd128,+bulk-memory,+nontrapping-fptoint"
    return llvm.Target.from_triple("wasm32-unknown-unknown").create_target_machine(
        cpu="generic", features=features, opt=_OPTIMISE, reloc="static"
    )


def processor() -> str:
    """Text that identifies the target of machine code: processor, its features, and the LLVM version."""
    return f"{processor_name()}|{llvm.get_host_cpu_features().flatten()}|{llvm_version()}"


@cache
def processor_name() -> str:
    """LLVM's name of this processor, e.g. znver5."""
    return str(llvm.get_host_cpu_name())


def has_feature(name: str) -> bool:
    """Whether this processor has a feature by LLVM's name, e.g. avx512f."""
    return bool(llvm.get_host_cpu_features().get(name))


def llvm_version() -> str:
    """The version of LLVM."""
    return ".".join(map(str, llvm.llvm_version_info))


def compile_module(
    texts: Sequence[str], exported: Sequence[str], target: Callable[[], llvm.TargetMachine] = _target
) -> llvm.ModuleRef:
    """One optimised module in which only the `exported` functions are visible."""
    module = llvm.parse_assembly(texts[0])
    for text in texts[1:]:
        module.link_in(llvm.parse_assembly(text))
    module.triple, module.data_layout = target().triple, str(target().target_data)
    module.verify()
    for function in module.functions:
        if not function.is_declaration and function.name not in exported:
            function.linkage = "internal"
    for variable in module.global_variables:  # unused metadata of Numba
        if not variable.is_declaration:
            variable.linkage = "internal"
    options = llvm.create_pipeline_tuning_options(speed_level=_OPTIMISE)
    options.slp_vectorization = options.loop_vectorization = False
    passes = llvm.create_pass_builder(target(), options)
    passes.getModulePassManager().run(module, passes)
    return module


def object_code(texts: Sequence[str], exported: Sequence[str]) -> bytes:
    """Machine code of modules as a relocatable object."""
    return bytes(_target().emit_object(compile_module(texts, exported)))


def object_codes(text: str, exported: Sequence[str], apart: str) -> list[bytes]:
    """Machine code of a module. A large one becomes two objects: another process compiles the function `apart`.

    LLVM compiles in one thread. The function `apart` takes half of the time, so two processes halve it.
    """
    if not apart or len(text) < LARGE:
        return [object_code([text], exported)]
    functions = {match[1]: match[0] for match in _FUNCTION.finditer(text)}
    rest = text.replace(functions[apart], f"declare i64 @{apart}(ptr)\n")
    apart_text = text.replace(f"define internal i64 @{apart}(", f"define i64 @{apart}(")
    for name, body in functions.items():
        apart_text = apart_text if name == apart or name.startswith("vector_") else apart_text.replace(body, "")
    with ThreadPoolExecutor(1) as pool:
        command = [sys.executable, "-P", __file__, apart]
        apart_object = pool.submit(
            subprocess.run, command, input=apart_text.encode(), capture_output=True, check=True, timeout=TIME_LIMIT
        )
        rest_object = object_code([rest], exported)
        try:
            return [rest_object, apart_object.result().stdout]
        except (OSError, subprocess.SubprocessError):
            return [rest_object, object_code([apart_text], [apart])]


def wasm_object(texts: Sequence[str], exported: Sequence[str]) -> bytes:
    """WebAssembly of modules as a relocatable object."""
    return bytes(_wasm_target().emit_object(compile_module(texts, exported, _wasm_target)))


def assembly(texts: Sequence[str], exported: Sequence[str]) -> str:
    """Machine code as readable assembly, to inspect the instructions."""
    return str(_target().emit_assembly(compile_module(texts, exported)))


def ptx_code(texts: Sequence[str], exported: Sequence[str]) -> bytes:
    """PTX, which the driver of an NVIDIA GPU compiles for its GPU."""
    return str(_nvptx_target().emit_assembly(compile_module(texts, exported, _nvptx_target))).encode()


def _check_memory() -> None:
    """Raise InputError where there is no memory to load machine code: LLVM would end the process."""
    try:
        mmap.mmap(-1, LOADING_MEMORY).close()
    except OSError:
        from ketamech.core import InputError  # this file is also run as a program, which compiles only

        what = f"machine code needs {LOADING_MEMORY >> 20} MB of memory, which this process cannot get"
        raise InputError(what, expected="more memory, or a higher limit", type_this="ulimit -v unlimited") from None


class NativeModule:
    """Loaded machine code of objects that call one another; functions release the global interpreter lock.

    JITLink places an object in one block of memory and reaches others from any distance. MCJIT places every section
    by itself and ends the process (`isInt<32>(RealOffset)`) where code and its constants are over 2 GB apart, which
    happens in a large process with fragmented addresses. JITLink is used where it was tested.
    """

    def __init__(self, *objects: bytes) -> None:
        self._addresses: dict[str, int] = {}
        _check_memory()
        if JITLINK:
            self._engine = llvm.create_lljit_compiler(_target(), use_jit_link=True)
            library = llvm.JITLibraryBuilder()
            for code in objects:
                library.add_object_img(code)
            self._links = [library.link(self._engine, LIBRARY)]
            return
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
        for code in objects:
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def function(self, name: str, kinds: str) -> ctypes._FuncPointer:
        """A function by name; `kinds` has one letter per argument: r and w pointers, c a count."""
        types = [ctypes.c_int64 if kind == "c" else ctypes.c_void_p for kind in kinds]
        if name not in self._addresses:
            self._addresses[name] = self._address(name)
        return ctypes.CFUNCTYPE(None, *types)(self._addresses[name])

    def _address(self, name: str) -> int:
        if not JITLINK:
            return int(self._engine.get_function_address(name))
        self._links.append(self._engine.lookup(LIBRARY, name))  # the library is unloaded with the first of its links
        return int(self._links[-1][name])


if __name__ == "__main__":
    sys.stdout.buffer.write(object_code([sys.stdin.buffer.read().decode()], sys.argv[1:]))
