"""The reference of the Python interface, made from signatures and docstrings of every public name of every room."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Collection
from typing import Any

import ketamech
from makers.markdown import NOTICE, blocks

ROOMS = (
    "study",
    "analysis",
    "exchange",
    "report",
    "parameters",
    "evidence",
    "system",
    "simulation",
    "engine",
    "stages",
    "core",
)


def interface_pages() -> dict[str, str]:
    """{page: Markdown}: the package's own names first, then a page a room."""
    pages = {"reference/python/ketamech": _page("ketamech", ketamech, "The names most people need.")}
    described: set[int] = set()  # a name that two rooms offer is described in the first
    for room in ROOMS:
        module = importlib.import_module(f"ketamech.{room}")
        pages[f"reference/python/{room}"] = _page(f"ketamech.{room}", module, "", described)
        described |= {id(getattr(module, name)) for name in module.__all__}
    return pages


def _page(name: str, module: Any, words: str, elsewhere: Collection[int] = ()) -> str:
    about = inspect.cleandoc(module.__doc__ or "")
    lines = [NOTICE, "", f"# {name}", "", about, "", words, "", f"```{{py:module}} {name}", "```", ""]
    for public in sorted((n for n in module.__all__ if id(getattr(module, n)) not in elsewhere), key=str.lower):
        lines += _entry(public, getattr(module, public))
    return "\n".join(lines) + "\n"


def _entry(name: str, item: Any) -> list[str]:
    if inspect.isclass(item):
        return _class(name, item)
    if callable(item):
        return _directive("py:function", f"{name}{_signature(item)}", item.__doc__ or "", ())
    return _directive("py:data", name, f"{type(item).__name__}", ())


def _class(name: str, item: type) -> list[str]:
    protocol = getattr(item, "_is_protocol", False)
    plain = not protocol and not issubclass(item, Exception)
    head = f"{name}{_signature(item)}" if plain else name
    members: list[str] = []
    fields = {f.name for f in dataclasses.fields(item)} if dataclasses.is_dataclass(item) else set()
    for attribute, member in vars(item).items():
        if not attribute.startswith("_") and attribute not in fields:
            members += _member(attribute, member)
    return _directive("py:class", head, item.__doc__ or "", members)


def _member(name: str, member: Any) -> list[str]:
    if isinstance(member, classmethod | staticmethod):
        return _directive("py:method", f"{name}{_signature(member.__func__)}", member.__doc__ or "", (), deep=True)
    if inspect.isfunction(member):
        return _directive("py:method", f"{name}{_signature(member)}", member.__doc__ or "", (), deep=True)
    if isinstance(member, property) or type(member).__name__ == "cached_property":
        return _directive("py:property", name, member.__doc__ or "", (), deep=True)
    return []


def _signature(item: Any) -> str:
    try:
        signature = inspect.signature(item)
    except (TypeError, ValueError):
        return "(...)"
    parts = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
    default = inspect.Parameter.empty
    shown = [p if p.default is default or _short(p.default) else p.replace(default=...) for p in parts]
    return str(signature.replace(parameters=shown)).replace("'", "").replace("<factory>", "...")


def _short(value: object) -> bool:
    return len(repr(value)) < 30 and " at 0x" not in repr(value)


def _directive(kind: str, head: str, words: str, inner: Any, *, deep: bool = False) -> list[str]:
    fence = ":::" if deep else "::::"
    return [f"{fence}{{{kind}}} {head}", "", blocks(words), "", *inner, fence, ""]
