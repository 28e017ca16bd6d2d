"""A compiled kernel: its generated source kept on disk under the hash of what it was made from."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numba

from ketamech.core import cache_folder
from ketamech.engine import elimination, mathematics, rosenbrock, settling, writer
from ketamech.system import System


@dataclass(frozen=True)
class Kernel:
    """Compiled functions of one system; `compiled_before` tells whether the machine code was found on disk."""

    system: System
    module: ModuleType
    compiled_before: bool


_LOADED: dict[str, ModuleType] = {}


def load_kernel(system: System, *, announce: Callable[[str], None] | None = None) -> Kernel:
    """The kernel of a system, written and compiled on first use.

    `announce` is called once with a line of text when the first solve will have to compile.
    """
    key = _key(system)
    folder = cache_folder() / "kernels" / key
    before = any(folder.glob("__pycache__/*.nbi"))
    if key not in _LOADED:
        if announce and not before:
            announce(f"Compiling the equations ({len(system.states)} states), once for this model ...")
        _LOADED[key] = _import(_kept(folder, system), key)
    return Kernel(system, _LOADED[key], before)


def _key(system: System) -> str:
    """What a kernel depends on: the equations, the code that writes it, and what compiles it."""
    written_by = (elimination, mathematics, rosenbrock, settling, writer)
    sources = "".join(inspect.getsource(module) for module in written_by)
    text = f"{system.fingerprint}|{sources}|{numba.__version__}|{sys.version}"
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _kept(folder: Path, system: System) -> Path:
    """The kernel's source on disk, written anew when it is missing or not what was once written."""
    target, seal = folder / "kernel.py", folder / "kernel.sha256"
    if target.is_file() and seal.is_file():
        if hashlib.sha256(target.read_bytes()).hexdigest() == seal.read_text(encoding="utf-8", errors="replace"):
            return target
        shutil.rmtree(folder)
    source = writer.write_kernel(system)
    folder.mkdir(parents=True, exist_ok=True)
    _write(target, source)
    _write(seal, hashlib.sha256(source.encode()).hexdigest())
    return target


def _write(target: Path, text: str) -> None:
    """Write a file so that a reader never sees half of it."""
    with tempfile.NamedTemporaryFile("w", dir=target.parent, suffix=".tmp", delete=False, encoding="utf-8") as part:
        part.write(text)
    os.replace(part.name, target)


def _import(path: Path, key: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ketamech_kernel_{key}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
