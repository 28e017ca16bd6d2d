"""Where the program keeps what it can make again, and files that are whole or not there."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


def cache_folder() -> Path:
    """Where compiled models are kept: $KETAMECH_CACHE, or the user's cache folder."""
    if named := os.environ.get("KETAMECH_CACHE"):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("ketamech", appauthor=False))


def write_sealed(target: Path, text: str) -> None:
    """Write a text under its own hash, so that a reader sees all of it or nothing, and knows which."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=target.parent, suffix=".tmp", delete=False, encoding="utf-8") as part:
        part.write(f"{_seal(text)}\n{text}")
    os.replace(part.name, target)


def read_sealed(target: Path) -> str | None:
    """The text that `write_sealed` wrote; None when there is none or it was damaged."""
    try:
        seal, _, text = target.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return text if seal == _seal(text) else None


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
