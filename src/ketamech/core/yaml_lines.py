"""Reads a YAML file and records the line of each key, so that errors can name file, line and key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ketamech.core import InputError, UnknownNameError
from ketamech.core.atomic_files import AS_TEXT, read_text

YAML_SUFFIXES = (".yaml", ".yml")
MAX_FILE_BYTES = 1_000_000
MAX_DEPTH = 20
Path_ = tuple[str | int, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class YamlSource:
    """A file for errors about it: its path (None for a mapping) and the line of every key (empty without a file)."""

    path: Path | None
    lines: Mapping[Path_, int]

    def line(self, *places: Path_) -> int | None:
        """The line of the first of these keys that has one, or of the nearest key around it."""
        around = (where[:n] for where in places for n in range(len(where), 0, -1))
        return next((self.lines[key] for key in around if key in self.lines), None)

    def error(
        self, where: Path_, what: str, expected: str | None = None, near: str | None = None, type_: str | None = None
    ) -> InputError:
        """The error about a key in the file."""
        kind, line, key = UnknownNameError if near else InputError, self.line(where), spelled(where)
        return kind(what, file=self.path, line=line, key=key, expected=expected, nearest=near, type_this=type_)

    def with_location(self, where: Path_, make: Callable[[], T]) -> T:
        """The result of `make`; an InputError that it raises gets this location in the file."""
        try:
            return make()
        except InputError as problem:
            raise self.error(where, problem.what, problem.expected, problem.nearest, problem.type_this) from None


def read_yaml(path: Path) -> tuple[dict[str, Any], dict[Path_, int]]:
    """Content of a YAML mapping and the line of every key. Raises InputError for anything else."""
    return read_yaml_text(read_text(path, "a YAML file", MAX_FILE_BYTES), path)


def read_yaml_text(text: str, path: Path) -> tuple[dict[str, Any], dict[Path_, int]]:
    """The same for a text; `path` is its name in errors."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    _check_not_empty(text, path)
    try:
        _check_expansion(path, text)
        content = YAML(typ="rt").load(text)
    except MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        line = mark.line + 1 if mark else None
        what = (problem.problem or "not valid YAML").splitlines()[0]
        raise InputError(what, file=path, line=line, expected="a YAML mapping of keys and values") from None
    except TypeError:  # ruamel cannot use it as a key
        raise InputError("a key is a list or a mapping", file=path, expected="words as keys: treatments: ...") from None
    except NotImplementedError:  # ruamel keeps comments, but not two of one value
        what = "a value has a comment before it and another after it"
        expected = "comments on lines of their own, between keys"
        raise InputError(what, file=path, line=_last_line_read(text), expected=expected) from None
    except (YAMLError, ValueError, RecursionError) as problem:
        what = f"not valid YAML: {str(problem).splitlines()[0]}"
        raise InputError(what, file=path, expected="a YAML mapping") from None
    if not isinstance(content, dict):
        raise InputError("the file has no keys", file=path, line=1, expected="title:, treatments:, ...")
    lines: dict[Path_, int] = {}
    return _plain(content, (), lines, path), lines


def _last_line_read(text: str) -> int | None:
    """The line of the last key or value that is read before the comments of a value cannot be kept."""
    from ruamel.yaml import YAML

    line = None
    with suppress(NotImplementedError):
        for event in YAML(typ="rt").parse(text):
            line = event.start_mark.line + 1
    return line


def spelled(where: Path_) -> str:
    """A path of keys as text, e.g. treatments[0].dose."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).removeprefix(".")


def _check_not_empty(text: str, path: Path) -> None:
    if "\x00" in text:
        raise InputError("the file is not text", file=path, expected=f"a YAML file in {AS_TEXT}")
    if not text.strip():
        raise InputError("the file is empty", file=path, line=1, expected="title:, treatments:, ...")


def _check_expansion(path: Path, text: str) -> None:
    """Refuse aliases, tags, merges and deep nesting: a scenario needs none, and they can exhaust memory."""
    from ruamel.yaml import YAML
    from ruamel.yaml.events import AliasEvent, MappingStartEvent, SequenceStartEvent

    depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, AliasEvent):
            line = event.start_mark.line + 1
            raise InputError("aliases are not allowed", file=path, line=line, expected="plain values")
        if getattr(event, "tag", None) or getattr(event, "value", None) == "<<":
            what = "tags (!...) and merges (<<) are not allowed"
            raise InputError(what, file=path, line=event.start_mark.line + 1, expected="plain values")
        depth += isinstance(event, MappingStartEvent | SequenceStartEvent)
        depth -= type(event).__name__ in ("MappingEndEvent", "SequenceEndEvent")
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1
            raise InputError("nested too deeply", file=path, line=line, expected=f"{MAX_DEPTH} levels")


def _plain(node: Any, here: Path_, lines: dict[Path_, int], path: Path) -> Any:
    """Ordinary dicts and lists; records the line of each key."""
    marks = getattr(node, "lc", None)
    if isinstance(node, dict):
        for key in node:
            lines[(*here, key)] = line = marks.key(key)[0] + 1 if marks else 0
            if not isinstance(key, str):
                expected = "words as keys; a text with a comma between { and } needs quotes"
                raise InputError(f"the key {key!r} is not a word", file=path, line=line, expected=expected)
        return {key: _plain(value, (*here, key), lines, path) for key, value in node.items()}
    if isinstance(node, list):
        for i in range(len(node)):
            lines[(*here, i)] = marks.item(i)[0] + 1 if marks else 0
        return [_plain(value, (*here, i), lines, path) for i, value in enumerate(node)]
    return node.item() if hasattr(node, "item") else _scalar(node)


def _scalar(node: Any) -> Any:
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node
