"""The WebAssembly module of the shipped model, stored in the package so that a page needs no compiler and no linker.

`python scripts/package_kernel.py` writes it again. The module is used only for the equations and the engine
for which it was built; for others a new one is built. The same sources and the same versions of Numba, llvmlite and
ziglang give the same bytes on every processor.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ketamech.core.atomic_files import atomic_write
from ketamech.core.environment import DATA, source_hash

FOLDER = DATA / "kernel"
MODULE_FILE, FACTS_FILE = "kernel.wasm.gz", "facts.json"
BUILDERS = ("numba", "llvmlite", "ziglang")
CODE_GENERATOR = ("engine/**/*.py", "model/jacobian.py")


def packaged_files(fingerprint: str, folder: Path = FOLDER) -> dict[str, bytes] | None:
    """Files of the packaged module, as from `wasm_files`; None for other equations or another engine."""
    try:
        metadata = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
        if (metadata["fingerprint"], metadata["engine"]) != (fingerprint, engine_sources()):
            return None
        code = gzip.decompress((folder / MODULE_FILE).read_bytes())
    except (OSError, ValueError, KeyError, EOFError):
        return None
    if hashlib.sha256(code).hexdigest() != metadata["sha256"]:
        return None
    return {"kernel.wasm": code, "facts.json": json.dumps(metadata["layout"]).encode()}


def write_packaged_files(fingerprint: str, files: dict[str, bytes], folder: Path = FOLDER) -> None:
    """Store a module built for these equations by the present engine."""
    metadata = {
        "fingerprint": fingerprint,
        "engine": engine_sources(),
        "sha256": hashlib.sha256(files["kernel.wasm"]).hexdigest(),
        "built_with": builders(),
        "layout": json.loads(files["facts.json"]),
    }
    atomic_write(folder / MODULE_FILE, gzip.compress(files["kernel.wasm"], mtime=0))
    atomic_write(folder / FACTS_FILE, f"{json.dumps(metadata)}\n".encode())


def builders() -> dict[str, str]:
    """Installed versions of the packages that determine the bytes of the module; empty for one not installed."""
    return {name: _version(name) for name in BUILDERS}


def engine_sources() -> str:
    """Hash of the sources that turn equations into machine code."""
    return source_hash(*CODE_GENERATOR)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
