"""Description of the computer on which a benchmark ran."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Processor, usable cores, memory, system and Python version; no host name and no path."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = {"processor": _processor(), "cores": cores, "memory_gib": _memory()}
    return found | {"system": platform.system(), "python": platform.python_version()}


def _processor() -> str:
    return line_of("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()


def _memory() -> float | None:
    text = line_of("/proc/meminfo", "MemTotal")
    return round(int(text.split()[0]) / 2**20, 1) if text else None


def line_of(file: str, key: str) -> str:
    """The value of a key in a file of `key: value` lines; empty without the file or the key."""
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
