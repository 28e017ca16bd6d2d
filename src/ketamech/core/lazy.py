"""Rooms whose names are loaded when they are first used, so that nobody waits for what they do not use."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def lazy_getattr(room: str, where: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a room: public name -> the module of the room that defines it.

    No public name may also be the name of a module of the room: the module would hide it.
    """

    def load(name: str) -> Any:
        if name in where:
            return getattr(importlib.import_module(f"{room}.{where[name]}"), name)
        raise AttributeError(f"module '{room}' has no attribute '{name}'")

    return load


def listing(room: str, names: Iterable[str]) -> Callable[[], list[str]]:
    """The `__dir__` of a room: its public names, loaded or not, and what Python itself keeps in a module."""

    def listed() -> list[str]:
        own = (name for name in vars(sys.modules[room]) if name.startswith("__"))
        return sorted({*names, *own})

    return listed
