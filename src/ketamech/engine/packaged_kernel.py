"""The WebAssembly module of the shipped model, stored in the package so that a page needs no compiler and no linker.

`python scripts/package_kernel.py` writes it again. The module is used only for the equations and the engine
for which it was built; for others a new one is built. The same sources and the same versions of Numba, llvmlite and
ziglang give the same bytes on every processor.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

from ketamech.core.environment import DATA, source_hash

FOLDER = DATA / "kernel"
MODULE_FILE, FACTS_FILE = "kernel.wasm.gz", "facts.json"
CODE_GENERATOR = ("engine/**/*.py", "model/rates_and_jacobian.py")


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


def engine_sources() -> str:
    """Hash of the sources that turn equations into machine code."""
    return source_hash(*CODE_GENERATOR)
