"""Rooms whose names are loaded when they are first used, so that nobody waits for what they do not use."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazily(room: str, where: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a room: public name -> the module of the room that defines it.

    No public name may also be the name of a module of the room: the module would hide it.
    """

    def load(name: str) -> Any:
        if name in where:
            return getattr(importlib.import_module(f"{room}.{where[name]}"), name)
        raise AttributeError(f"module '{room}' has no attribute '{name}'")

    return load
