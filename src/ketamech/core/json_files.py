"""JSON of unknown origin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json(source: Path | str) -> Any:
    """What a JSON text, or a file of it, holds.

    Raises ValueError for anything that is none, also where it is nested so deeply that Python gives up. OSError for a
    file that cannot be read.
    """
    text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
