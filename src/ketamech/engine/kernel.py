"""A compiled kernel: its generated source kept on disk under the hash of what it was made from."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numba
import platformdirs

from ketamech.engine.writer import write_kernel
from ketamech.system import System


@dataclass(frozen=True)
class Kernel:
    """Compiled functions of one system; `compiled_before` tells whether the machine code was found on disk."""

    system: System
    module: ModuleType
    compiled_before: bool


def cache_folder() -> Path:
    """Where kernels are kept: $KETAMECH_CACHE, or the user's cache folder."""
    named = os.environ.get("KETAMECH_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("ketamech", appauthor=False))


_LOADED: dict[str, ModuleType] = {}


def load_kernel(system: System, *, announce: Callable[[str], None] | None = None) -> Kernel:
    """The kernel of a system, written and compiled on first use.

    `announce` is called once with a line of text when the first solve will have to compile.
    """
    source = write_kernel(system)
    key = hashlib.sha256(f"{source}|{numba.__version__}|{sys.version}".encode()).hexdigest()[:20]
    folder = cache_folder() / "kernels" / key
    before = any(folder.glob("__pycache__/*.nbi"))
    if key not in _LOADED:
        if announce and not before:
            announce(f"Compiling the equations ({len(system.states)} states), once for this model ...")
        _LOADED[key] = _import(_keep(folder, source), key)
    return Kernel(system, _LOADED[key], before)


def _keep(folder: Path, source: str) -> Path:
    """Write the source where it can be found again; a reader never sees half a file."""
    target = folder / "kernel.py"
    if target.exists() and target.read_text(encoding="utf-8") == source:
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False, encoding="utf-8") as part:
        part.write(source)
    os.replace(part.name, target)
    return target


def _import(path: Path, key: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ketamech_kernel_{key}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
