"""Stores the WebAssembly module of the shipped model in the package: `python scripts/package_kernel.py`.

Run it after a change of the equations or of the engine; it needs the linker (`pip install 'ketamech[site]'`).
"""

from __future__ import annotations

import gzip
import hashlib
import json

from ketamech.core.atomic_files import atomic_write
from ketamech.core.environment import package_version
from ketamech.engine.packaged_kernel import FACTS_FILE, FOLDER, MODULE_FILE, engine_sources
from ketamech.simulation.model import Model, load_model

BUILDERS = ("numba", "llvmlite", "ziglang")


def package_kernel(model: Model) -> None:
    """Store the module of a model, built by the present engine. Raises InputError without the linker."""
    files = model.kernel.built_webassembly()
    metadata = {
        "fingerprint": model.layout.fingerprint,
        "engine": engine_sources(),
        "sha256": hashlib.sha256(files["kernel.wasm"]).hexdigest(),
        "built_with": builders(),
        "layout": json.loads(files["facts.json"]),
    }
    atomic_write(FOLDER / MODULE_FILE, gzip.compress(files["kernel.wasm"], mtime=0))
    atomic_write(FOLDER / FACTS_FILE, f"{json.dumps(metadata)}\n".encode())


def builders() -> dict[str, str]:
    """Installed versions of the packages that determine the bytes of the module; empty for one not installed."""
    return {name: package_version(name, "") for name in BUILDERS}


if __name__ == "__main__":
    package_kernel(load_model())
    print(f"written: {FOLDER}")
