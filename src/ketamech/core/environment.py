"""Folders of the package, and the versions and sources on which the bits of results depend.

The CPU instructions of NumPy are among them. Measured: the engine's own code gives the same bits on
every x86-64 processor (it states where a product and a sum are rounded together), but NumPy's logarithms, used to draw
patients, differ between instruction sets.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
DATA = PACKAGE / "data"
PREBUILT = PACKAGE / "prebuilt"  # what is computed from the sources alone; in wheels, laid out as the cache folder


RESULT_PACKAGES = ("ketamech", "numpy", "scipy", "numba", "llvmlite", "emcee", "SALib")
TABLES = ("data/**/*.csv", "data/**/*.yaml")
NUMERICAL_PACKAGES = (
    "core", "evidence", "parameters", "model", "engine", "dosing", "simulation", "population", "nonmem", "trials",
    "calibration", "fitting", "analysis", "exchange",
)  # fmt: skip


def source_hash(*patterns: str, root: Path = PACKAGE, extra: Iterable[str] = ()) -> str:
    """Hash of the files of the package that match any of `patterns`, of their names, and of the texts `extra`.

    The end of a line (Unix or Windows) does not count.
    """
    content = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in root.glob(pattern)}):
        name = path.relative_to(root).as_posix()
        content.update(name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    for text in extra:
        content.update(b"\0" + text.encode())
    return content.hexdigest()[:20]


@lru_cache(maxsize=1)
def environment() -> dict[str, str]:
    """Versions and sources of the numerical code, Python version, kind of machine and NumPy's CPU instructions."""
    import numpy as np

    entries = {name: package_version(name) for name in RESULT_PACKAGES}
    numpy_config: dict[str, dict[str, list[str]]] = np.show_config(mode="dicts")  # type: ignore[assignment]
    simd_extensions = numpy_config.get("SIMD Extensions", {}).get("found", [])
    return {
        **entries,
        "sources": numerical_sources(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "machine": f"{platform.system()} {platform.machine()}",
        "instructions": " ".join(simd_extensions),
    }


def peak_memory() -> float | None:
    """Peak memory of this process (MiB); None where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**20


def numerical_sources(root: Path = PACKAGE) -> str:
    """Hash of the code and tables that determine numbers: an edited copy has the same version."""
    code = (f"{name}/**/*{suffix}" for name in NUMERICAL_PACKAGES for suffix in (".py", ".lark"))
    return source_hash(*code, *TABLES, root=root)


def package_version(name: str, missing: str = "none") -> str:
    """The version of an installed package."""
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return missing


def available_threads(threads: int | None = None, scheduler: str | None = None) -> int:
    """`threads` if stated, else all cores of this machine, or one thread for each task where a cluster is used."""
    return threads or (1 if scheduler else os.cpu_count() or 1)


def short_hash(content: str | bytes, digits: int = 16) -> str:
    """The first hexadecimal digits of SHA-256."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()[:digits]
