"""What besides the job decides on the bits of its numbers: versions, sources, and the instructions that NumPy chooses.

Measured: the engine's own code gives the same bits for every x86-64 processor (it says itself where a product and a sum
are rounded together), but NumPy's logarithms, with which people are drawn, differ between instruction sets.
"""

from __future__ import annotations

import hashlib
import platform
from functools import lru_cache
from importlib import metadata
from pathlib import Path

RESULT_PACKAGES = ("ketamech", "numpy", "scipy", "numba", "llvmlite", "emcee", "SALib")
HASHED_PACKAGES = (
    "core",
    "evidence",
    "parameters",
    "model",
    "engine",
    "dosing",
    "simulation",
    "population",
    "trials",
    "estimation",
    "analysis",
)  # where numbers are made


@lru_cache(maxsize=1)
def environment() -> dict[str, str]:
    """Versions and sources of what computes, Python's first numbers, the kind of machine and NumPy's instructions."""
    import numpy as np

    found = {name: _version(name) for name in RESULT_PACKAGES}
    shown: dict[str, dict[str, list[str]]] = np.show_config(mode="dicts")  # type: ignore[assignment]
    sets = shown.get("SIMD Extensions", {}).get("found", [])
    return {
        **found,
        "sources": _sources(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": f"{platform.system()} {platform.machine()}",
        "instructions": " ".join(sets),
    }


def _sources(root: Path = Path(__file__).parents[1]) -> str:
    """A mark of the code and the tables that make numbers: a copy that was edited still bears the same version."""
    found = [path for room in HASHED_PACKAGES for path in (root / room).rglob("*") if path.suffix in (".py", ".lark")]
    found += [path for path in (root / "data").rglob("*") if path.suffix in (".csv", ".yaml")]
    content = hashlib.sha256()
    for path in sorted(found):
        content.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return content.hexdigest()[:16]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"
