"""Where the program keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where compiled models are kept: $KETAMECH_CACHE, or the user's cache folder."""
    if named := os.environ.get("KETAMECH_CACHE"):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("ketamech", appauthor=False))
