"""Optional parts of KetaMech; the page works without them."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from ketamech.app.responses import NotFound

MODULES = {"claims": "ketamech.analysis.claims", "attribution": "ketamech.analysis.attribution"}


def has_feature(part: str) -> bool:
    """Whether this version has an optional part."""
    return find_spec(MODULES[part]) is not None


def feature_module(name: str) -> Any:
    """The module of an optional part. Raises NotFound."""
    if not has_feature(name):
        raise NotFound(f"this version has no {name}")
    return import_module(MODULES[name])
