"""Errors for unknown commands, unknown options and missing arguments, with what to type instead.

Commands and options that were renamed after version 0.2.0 work for one release, with one warning line.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup

from ketamech.core import InputError, UnknownNameError, closest_match
from ketamech.core.csv_table import read_table
from ketamech.core.deprecated_names import RENAMED_FOLDER


@cache
def renamed_words() -> dict[str, dict[str, str]]:
    """{command: {old: new}} (data/renamed/cli.csv); the command is '' for names of commands and for common options."""
    renamed: dict[str, dict[str, str]] = {}
    for row in read_table(RENAMED_FOLDER / "cli.csv", ("command", "old", "new")):
        renamed.setdefault(row["command"], {})[row["old"]] = row["new"]
    return renamed


def former_commands() -> dict[str, str]:
    """{old: new} names of commands, in one word: `wirings` for `explain wirings`."""
    return {old.split()[-1]: new for old, new in renamed_words()[""].items() if not old.startswith("--")}


def current_arguments(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments with old names of commands and options replaced; prints one warning if there are any."""
    command_index = next((i for i, word in enumerate(arguments) if not word.startswith("-")), None)
    if command_index is None:
        return list(arguments)
    leading, (typed_command, *rest) = arguments[:command_index], arguments[command_index:]
    changes: dict[str, str] = {}
    command, rest = _current_command(typed_command, rest, changes)
    options = {**renamed_words()[""], **renamed_words().get(command, {})}
    end = rest.index("--") if "--" in rest else len(rest)
    current = [*leading, command, *(_current_option(word, options, changes) for word in rest[:end]), *rest[end:]]
    if changes:
        changes_text = ", ".join(f"'{old}' is now '{new}'" for old, new in changes.items())
        sys.stderr.write(f"Warning: {changes_text}; the old names will stop working in the next release\n")
    return current


def _current_command(typed_command: str, rest: list[str], changes: dict[str, str]) -> tuple[str, list[str]]:
    """The present name of a command and the words after it; `explain wirings` was one command in two words."""
    commands = renamed_words()[""]
    for i, word in enumerate(rest):
        if renamed := commands.get(f"{typed_command} {word}"):
            changes[f"{typed_command} {word}"] = renamed
            return renamed, rest[:i] + rest[i + 1 :]
    if typed_command in commands:
        changes[typed_command] = commands[typed_command]
    return commands.get(typed_command, typed_command), rest


def _current_option(word: str, options: dict[str, str], changes: dict[str, str]) -> str:
    """The present name of an option, which may hold its value after '='."""
    name, sign, value = word.partition("=")
    if not name.startswith("--") or name not in options:
        return word
    changes[name] = options[name]
    return options[name] + sign + value


class Command(TyperCommand):
    """A command whose errors name the nearest option and give its example."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Raises UnknownNameError for an option that does not exist and InputError for a missing argument."""
        return _parse(self, ctx, args, super().parse_args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command. An InputError about a value that an option holds names the option."""
        try:
            return super().invoke(ctx)
        except InputError as problem:
            names = {parameter.name: parameter.opts[0] for parameter in self.params}
            option = names.get(problem.key or "") if problem.file is None else None
            raise problem.replace(key=option) if option and option.startswith("--") else problem from None


class Group(TyperGroup):
    """A group of commands whose errors name the nearest command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Raises UnknownNameError for an option that does not exist."""
        return _parse(self, ctx, args, super().parse_args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Raises UnknownNameError for a command that does not exist."""
        command = args[0] if args else ""
        if command and not command.startswith("-") and self.get_command(ctx, command) is None:
            raise self._no_command(_path(ctx), args)
        return super().resolve_command(ctx, args)

    def _no_command(self, path: list[str], args: list[str]) -> UnknownNameError:
        renamed = former_commands() if "simulate" in self.commands else {}
        closest_name = closest_match(args[0], [*self.commands, *renamed])
        closest_name = renamed.get(closest_name, closest_name) if closest_name else None
        if closest_name is None and " " in args[0] and "simulate" in self.commands:
            return UnknownNameError(f"'{args[0]}' is not a command", type_this=f'{path[0]} simulate "{args[0]}"')
        message = f"there is no command '{' '.join([*path[1:], args[0]])}'"
        suggested_command = (
            _command_text([*path, closest_name, *args[1:]]) if closest_name else _command_text([*path, "--help"])
        )
        return UnknownNameError(message, nearest=closest_name, type_this=suggested_command)


class _PlainValue:
    """Converts the text of an option or argument as Typer does, which imports Pydantic for every one of them.

    A value that is missing, a text, and the path of a file that does not exist yet need none of it; Typer converts the
    others.
    """

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value of the parameter. Raises the errors of Typer."""
        kind, stated = param.type_descriptor.annotation, param.type_descriptor.parameter_info
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if stated.parser is None and isinstance(value, str):
            if kind is str:
                return value
            if kind is Path and not (stated.exists or stated.resolve_path or os.path.lexists(value)):
                return Path(value)
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def example(text: str) -> str | None:
    """The first command line in a help text."""
    match = re.search(r"(?:^|\s)(ketamech .+)$", text, flags=re.M)
    return match[1].split("  #")[0].strip() if match else None


def _parse(command: Any, ctx: Any, args: list[str], parse: Callable[[Any, list[str]], list[str]]) -> list[str]:
    """Parse arguments; an error says what to type instead."""
    for parameter in command.get_params(ctx):
        if getattr(parameter, "_runtime_param", parameter) is None:
            parameter._runtime_param = _PlainValue()
    arguments = list(args)
    try:
        return parse(ctx, args)
    except Exception as problem:
        raise _improved_error(command, ctx, arguments, problem) from None


def _improved_error(command: Any, ctx: Any, args: list[str], problem: Exception) -> Exception:
    """An error that says what to type, if an option does not exist or an argument is missing; else the problem itself.

    Errors are recognised by name, because Typer uses Click's errors or its own copy, depending on its version.
    """
    kind, path = type(problem).__name__, _path(ctx)
    name = " ".join(path[1:]) or path[0]
    if kind == "MissingParameter":
        missing_name = max(getattr(getattr(problem, "param", None), "opts", None) or ["an argument"], key=len)
        missing_name = missing_name if missing_name.startswith("-") else missing_name.upper()
        message = f"'{name}' needs {missing_name}"
        return InputError(message, type_this=example(command.help or "") or _command_text([*path, "--help"]))
    if "unexpected extra argument" in str(getattr(problem, "message", "")):
        return _extra_words(command, ctx, args)
    if kind != "NoSuchOption":
        return problem
    option = str(getattr(problem, "option_name", ""))
    options = [text for parameter in command.get_params(ctx) for text in (*parameter.opts, *parameter.secondary_opts)]
    names = {text.removeprefix("--"): text for text in options if text.startswith("--")}  # every name has the dashes
    nearest = names.get(closest_match(option.removeprefix("--"), names) or "")
    suggestion = [*path, *(_corrected_option(word, option, nearest) for word in args)] if nearest else [*path, "--help"]
    return UnknownNameError(f"'{name}' has no option '{option}'", nearest=nearest, type_this=_command_text(suggestion))


def _extra_words(command: Any, ctx: Any, args: list[str]) -> InputError:
    """The error about more words than a command takes: a sentence without quotes, or a folder without --out."""
    path = _path(ctx)
    first_option = next((i for i, word in enumerate(args) if word.startswith("-")), len(args))
    words, options = args[:first_option], args[first_option:]
    arguments = [parameter for parameter in command.get_params(ctx) if parameter.param_type_name == "argument"]
    count = f"{len(arguments) or 'no'} argument{'s' * (len(arguments) != 1)}"
    message = f"'{' '.join(path[1:])}' takes {count}" + (f", not {len(words)}" if len(words) > len(arguments) else "")
    if len(arguments) == 1 and len(words) > 1:
        return InputError(message, type_this=_command_text([*path, " ".join(words), *options]))
    has_folder = any("--out" in parameter.opts for parameter in command.get_params(ctx))
    if not arguments and len(words) == 1 and "/" in words[0] and not re.search(r"\s", words[0]) and has_folder:
        return InputError(message, type_this=_command_text([*path, "--out", *words, *options]))
    return InputError(message, type_this=_command_text([*path, "--help"]))


def _corrected_option(word: str, option: str, closest_option: str) -> str:
    return closest_option + word.removeprefix(option) if word == option or word.startswith(f"{option}=") else word


def _command_text(words: list[str]) -> str:
    """A command line, with words that contain blanks in double quotes, which every shell accepts."""
    quoted_words = [
        f'"{word}"' if re.fullmatch(r"[^\s\"$`\\!]*(\s[^\"$`\\!]*)", word) else shlex.quote(word) for word in words
    ]
    return " ".join(quoted_words)


def _path(ctx: Any) -> list[str]:
    """The words of a command, beginning with `ketamech` however the program was started."""
    _, *rest = ctx.command_path.removeprefix("python -m ").split()
    return ["ketamech", *rest]
