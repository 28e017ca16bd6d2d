"""The reference of the command line, generated from the commands, arguments and options of the program."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup

from ketamech.cli.main import app
from makers.markdown import NOTICE, blocks, code, table

KINDS = {"str": "text", "int": "whole number", "float": "number", "Path": "file or folder", "bool": "yes or no"}


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its full name, also those of groups: ('evidence list', command)."""
    root = typer.main.get_command(app)
    yield "", root
    for name, command in sorted(root.commands.items()):
        if isinstance(command, TyperGroup):
            yield from ((f"{name} {inner}", part) for inner, part in command.commands.items())
        else:
            yield name, command


def command_pages() -> dict[str, str]:
    """{page: Markdown}: one page for the whole command line."""
    lines = [NOTICE, "", "# Commands", "", "Every command, argument and option, as the program itself states them.", ""]
    found = list(commands())
    lines += table(("command", "what it does"), [(_link(n), _first(c)) for n, c in found if n])
    for name, command in found:
        lines += _section(name, command)
    return {"reference/commands": "\n".join(lines) + "\n"}


def _link(name: str) -> str:
    return f"[`ketamech {name}`](#ketamech-{name.replace(' ', '-')})"


def _first(command: Any) -> str:
    return (command.help or "").strip().split("\n\n")[0]


def _section(name: str, command: Any) -> list[str]:
    title = f"ketamech {name}" if name else "Before the command"
    lines = [f"({'ketamech-' + name.replace(' ', '-') if name else 'root-options'})=", f"## {title}", ""]
    if name:
        lines += [blocks(command.help or ""), ""]
    hints = typing.get_type_hints(inspect.unwrap(command.callback)) if command.callback else {}
    arguments = [p for p in command.params if isinstance(p, TyperArgument)]
    options = [p for p in command.params if not isinstance(p, TyperArgument)]
    lines += table(("argument", "takes", "meaning"), [(code(p.name), _kind(p, hints), p.help or "") for p in arguments])
    rows = [(spelled(p), _kind(p, hints), _default(p), p.help or "") for p in options]
    return lines + table(("option", "takes", "default", "meaning"), rows)


def spelled(option: Any) -> str:
    """An option as it is typed: `--out`, `-o`."""
    return ", ".join(code(text) for text in (*option.opts, *option.secondary_opts))


def _kind(parameter: Any, hints: dict[str, Any]) -> str:
    if getattr(parameter, "is_flag", False):
        return "nothing"
    return _in_words(hints.get(parameter.name, str))


def _in_words(hint: Any) -> str:
    parts = [part for part in typing.get_args(hint) if part is not type(None)]
    if typing.get_origin(hint) in (list, tuple):
        return f"{_in_words(parts[0])}, several"
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(_in_words(part) for part in parts)
    if typing.get_origin(hint) is typing.Literal or hasattr(hint, "__members__"):
        return " or ".join(str(getattr(part, "value", part)) for part in (parts or list(hint)))
    return KINDS.get(getattr(hint, "__name__", str(hint)), getattr(hint, "__name__", str(hint)))


def _default(option: Any) -> str:
    value = option.default
    if value is None or value is False or value == () or "[default" in (option.help or ""):
        return ""
    return code("yes" if value is True else value)
