"""What besides the job decides on the bits of its numbers: versions, and the instructions that NumPy chooses.

Measured: the engine's own code gives the same bits for every x86-64 processor (it says itself where a product and a sum
are rounded together), but NumPy's logarithms, with which people are drawn, differ between instruction sets.
"""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib import metadata

DECIDING = ("ketamech", "numpy", "scipy", "numba", "llvmlite", "emcee", "SALib")


@lru_cache(maxsize=1)
def made_with() -> dict[str, str]:
    """Versions of what computes, Python's first two numbers, the machine's kind and NumPy's instruction sets."""
    import numpy as np

    found = {name: _version(name) for name in DECIDING}
    shown: dict[str, dict[str, list[str]]] = np.show_config(mode="dicts")  # type: ignore[assignment]
    sets = shown.get("SIMD Extensions", {}).get("found", [])
    return {
        **found,
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": f"{platform.system()} {platform.machine()}",
        "instructions": " ".join(sets),
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"
