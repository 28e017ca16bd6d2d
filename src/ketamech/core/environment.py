"""The folders of the package, and everything besides a job that determines the bits of its numbers.

These are versions, sources and the CPU instructions of NumPy. Measured: the engine's own code gives the same bits on
every x86-64 processor (it states where a product and a sum are rounded together), but NumPy's logarithms, used to draw
patients, differ between instruction sets.
"""

from __future__ import annotations

import hashlib
import platform
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
DATA = PACKAGE / "data"
PREBUILT = PACKAGE / "prebuilt"  # what is computed from the sources alone; in wheels, laid out as the cache folder


RESULT_PACKAGES = ("ketamech", "numpy", "scipy", "numba", "llvmlite", "emcee", "SALib")
HASHED_PACKAGES = (
    "core", "evidence", "parameters", "model", "engine", "dosing", "simulation", "population", "trials", "estimation",
    "analysis",
)  # packages that determine numbers  # fmt: skip


@lru_cache(maxsize=1)
def environment() -> dict[str, str]:
    """Versions and sources of the numerical code, Python version, kind of machine and NumPy's CPU instructions."""
    import numpy as np

    entries = {name: _version(name) for name in RESULT_PACKAGES}
    numpy_config: dict[str, dict[str, list[str]]] = np.show_config(mode="dicts")  # type: ignore[assignment]
    simd_extensions = numpy_config.get("SIMD Extensions", {}).get("found", [])
    return {
        **entries,
        "sources": _sources(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": f"{platform.system()} {platform.machine()}",
        "instructions": " ".join(simd_extensions),
    }


def _sources(root: Path = Path(__file__).parents[1]) -> str:
    """Hash of the code and tables that determine numbers: an edited copy has the same version."""
    entries = [path for name in HASHED_PACKAGES for path in (root / name).rglob("*") if path.suffix in (".py", ".lark")]
    entries += [path for path in (root / "data").rglob("*") if path.suffix in (".csv", ".yaml")]
    content = hashlib.sha256()
    for path in sorted(entries):
        content.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return content.hexdigest()[:16]


def _version(name: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"
