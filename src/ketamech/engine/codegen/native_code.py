"""From LLVM text to machine code and back from disk, for the processor at hand."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import llvmlite.binding as llvm

_OPTIMISE = 2


def _target() -> llvm.TargetMachine:
    """The processor at hand, as a new object each time: an execution engine keeps the one it is given."""
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
    """Any NVIDIA GPU since 2018."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple("nvptx64-nvidia-cuda").create_target_machine(cpu="sm_70", opt=_OPTIMISE)


def processor() -> str:
    """What machine code is made for: processor, its features, and the LLVM that makes it."""
    version = ".".join(map(str, llvm.llvm_version_info))
    return f"{llvm.get_host_cpu_name()}|{llvm.get_host_cpu_features().flatten()}|{version}"


def compile_module(
    texts: Sequence[str], exported: Sequence[str], target: Callable[[], llvm.TargetMachine] = _target
) -> llvm.ModuleRef:
    """One optimised module in which only the `exported` functions can be seen from outside."""
    module = llvm.parse_assembly(texts[0])
    for text in texts[1:]:
        module.link_in(llvm.parse_assembly(text))
    module.triple, module.data_layout = target().triple, str(target().target_data)
    module.verify()
    for function in module.functions:
        if not function.is_declaration and function.name not in exported:
            function.linkage = "internal"
    for variable in module.global_variables:  # Numba's notes on its functions, which nothing refers to
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


def assembly(texts: Sequence[str], exported: Sequence[str]) -> str:
    """The same as readable assembly, to see which instructions are used."""
    return str(_target().emit_assembly(compile_module(texts, exported)))


def ptx_code(texts: Sequence[str], exported: Sequence[str]) -> bytes:
    """The same as PTX, which the driver of an NVIDIA GPU turns into code for the GPU at hand."""
    return str(_nvptx_target().emit_assembly(compile_module(texts, exported, _nvptx_target))).encode()


class NativeModule:
    """Loaded machine code; functions are called with the global interpreter lock released."""

    def __init__(self, code: bytes) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def function(self, name: str, kinds: str) -> ctypes._FuncPointer:
        """A function by name; `kinds` one letter an argument: r and w pointers, c a count."""
        types = [ctypes.c_int64 if kind == "c" else ctypes.c_void_p for kind in kinds]
        address = self._engine.get_function_address(name)
        return ctypes.CFUNCTYPE(None, *types)(address)
