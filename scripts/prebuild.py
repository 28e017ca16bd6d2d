"""Write what is computed from the sources alone into the package, so that a wheel built afterwards holds it.

    python scripts/prebuild.py

Layout, expression trees and instructions of the shipped model, and the loops as LLVM text. With them a first start
needs LLVM only, neither SymPy nor Numba. They are named by a hash of the sources: after a change they are not used.
"""

from __future__ import annotations

import os
import shutil

from ketamech.core.environment import PREBUILT


def main() -> None:
    """Empty the folder and write it again."""
    shutil.rmtree(PREBUILT, ignore_errors=True)
    os.environ["KETAMECH_CACHE"] = str(PREBUILT)
    from ketamech.simulation.model import load_model

    model = load_model(announce=print)
    model.kernel.generate()
    _ = model.expression_trees
    size = sum(path.stat().st_size for path in PREBUILT.rglob("*") if path.is_file())
    print(f"Written: {PREBUILT} ({size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
