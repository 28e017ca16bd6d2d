"""Claims people meet, for the badges of the story."""

from __future__ import annotations

from typing import Any

from ketamech.app.engine import Engine
from ketamech.app.optional import part, present


def claims_of(engine: Engine) -> dict[str, Any]:
    """Every claim by key; empty with `present` false in a version without them."""
    if not present("claims"):
        return {"present": False, "claims": {}}
    part("claims")
    return {"present": True, "claims": {}}
