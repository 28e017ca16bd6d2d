"""Stores the WebAssembly module of the shipped model in the package: `python scripts/package_kernel.py`.

Run it after a change of the equations or of the engine; it needs the linker (`pip install 'ketamech[site]'`).
"""

from __future__ import annotations

from ketamech.engine.packaged_kernel import FOLDER, write_packaged_files
from ketamech.simulation.model import Model, load_model


def package_kernel(model: Model) -> None:
    """Store the module of a model. Raises InputError where the linker is not installed."""
    write_packaged_files(model.layout.fingerprint, model.kernel.built_webassembly())


if __name__ == "__main__":
    package_kernel(load_model())
    print(f"written: {FOLDER}")
