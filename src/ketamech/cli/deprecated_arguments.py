"""Commands and options that were renamed after 0.2.0: the old ones work for one release, with one warning line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache

from ketamech.core.csv_table import read_table
from ketamech.core.deprecated_names import RENAMED


@cache
def renamed_words() -> dict[str, dict[str, str]]:
    """{command: {old: new}} (data/renamed/cli.csv); the command is '' for names of commands and for common options."""
    found: dict[str, dict[str, str]] = {}
    for row in read_table(RENAMED / "cli.csv", ("command", "old", "new")):
        found.setdefault(row["command"], {})[row["old"]] = row["new"]
    return found


def former_commands() -> dict[str, str]:
    """{old: new} names of commands, in one word: `wirings` for `explain wirings`."""
    return {old.split()[-1]: new for old, new in renamed_words()[""].items() if not old.startswith("--")}


def current_arguments(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments with old names of commands and options replaced; prints one warning if there are any."""
    command_at = next((i for i, word in enumerate(arguments) if not word.startswith("-")), None)
    if command_at is None:
        return list(arguments)
    before, (typed, *rest) = arguments[:command_at], arguments[command_at:]
    changes: dict[str, str] = {}
    command, rest = _current_command(typed, rest, changes)
    options = {**renamed_words()[""], **renamed_words().get(command, {})}
    end = rest.index("--") if "--" in rest else len(rest)
    found = [*before, command, *(_current_option(word, options, changes) for word in rest[:end]), *rest[end:]]
    if changes:
        listed = ", ".join(f"'{old}' is now '{new}'" for old, new in changes.items())
        sys.stderr.write(f"Warning: {listed}; the old names will stop working in the next release\n")
    return found


def _current_command(typed: str, rest: list[str], changes: dict[str, str]) -> tuple[str, list[str]]:
    """The present name of a command and the words after it; `explain wirings` was one command in two words."""
    commands = renamed_words()[""]
    for i, word in enumerate(rest):
        if new := commands.get(f"{typed} {word}"):
            changes[f"{typed} {word}"] = new
            return new, rest[:i] + rest[i + 1 :]
    if typed in commands:
        changes[typed] = commands[typed]
    return commands.get(typed, typed), rest


def _current_option(word: str, options: dict[str, str], changes: dict[str, str]) -> str:
    """The present name of an option, which may hold its value after '='."""
    name, sign, value = word.partition("=")
    if not name.startswith("--") or name not in options:
        return word
    changes[name] = options[name]
    return options[name] + sign + value
