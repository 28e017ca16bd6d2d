"""Translation of pydantic's validation errors into input errors that name file, line, key and expectation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ketamech.core import InputError, UnknownNameError, closest_match
from ketamech.core.yaml_lines import Path_, spelled

BRANCHES = (
    "str",
    "float",
    "int",
    "function-after",
)  # in the location of an error: the member of a union that was tried
MAX_SHOWN = 60  # characters of a value that an error repeats
KINDS = {
    "string_type": "text",
    "list_type": "a list, one item a line after '- '",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "bool_parsing": "on or off",
    "bool_type": "on or off",
}


@dataclass(frozen=True)
class FileSchema:
    """A kind of YAML file: its name in errors, and the model of its keys.

    `nested` are the models of the items of some keys; `items` says in words what an item of a key is.
    """

    name: str
    keys: type[BaseModel]
    nested: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    items: Mapping[str, str] = field(default_factory=dict)

    def model_at(self, where: Path_) -> type[BaseModel]:
        """The model that holds the last key of a location."""
        return self.nested.get(str(where[0]), self.keys) if len(where) > 1 else self.keys

    def is_branch(self, part: str | int) -> bool:
        """Whether a part of a location names a member of a union that pydantic tried, and not a key."""
        models = {model.__name__ for model in self.nested.values()}
        return part in BRANCHES or part in models or str(part).startswith(("list[", "dict["))


def to_input_error(
    errors: Sequence[Any], path: Path | None, lines: Mapping[Path_, int], schema: FileSchema
) -> InputError:
    """The most specific of pydantic's errors, with file, line, key, expectation and nearest key.

    `path` is None and `lines` is empty where there is no file.
    """
    error = min(errors, key=_specificity)
    where = tuple(part for part in error["loc"] if not schema.is_branch(part))
    key = spelled(where)
    line = next((lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in lines), None)
    if error["type"] == "extra_forbidden":
        fields = schema.model_at(where).model_fields
        what, near = f"'{where[-1]}' is not a key of a {schema.name} file", closest_match(str(where[-1]), fields)
        return UnknownNameError(what, file=path, line=line, key=key, expected=", ".join(fields), nearest=near)
    if error["type"] == "missing":
        what, expected = f"'{where[-1]}' is missing", f"{where[-1]}: ..."
        return InputError(what, file=path, line=line, key=key, expected=expected, type_this=f"{where[-1]}:")
    value = repr(error.get("input"))
    shown = value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}..."
    what, expected = f"{shown} is not a valid value", _expected(error, where, schema)
    return InputError(what, file=path, line=line, key=key, expected=expected)


def _specificity(error: Any) -> tuple[bool, bool, int]:
    """Sorting key, most specific first: a misspelled key, then the deeper of the members of a union that were tried."""
    is_mapping = isinstance(error.get("input"), dict) and error["type"] == "string_type"
    return error["type"] != "extra_forbidden", is_mapping, -len(error["loc"])


def _expected(error: Any, where: Path_, schema: FileSchema) -> str:
    if len(where) == 2 and str(where[0]) in schema.items:
        return schema.items[str(where[0])]
    kind = KINDS.get(error["type"]) or error["msg"].removeprefix("Input should be ")
    if error["type"] == "string_pattern_mismatch":
        kind = " or ".join(error["ctx"]["pattern"].strip("^$()").split("|"))
    fields, last = schema.model_at(where).model_fields, str(where[-1])
    described = fields[last].description if last in fields else None
    return f"{kind} ({described})" if described else kind
