"""Says in this program's words what pydantic found wrong in a scenario file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ketamech.core import InputError, UnknownNameError, closest_match
from ketamech.core.yaml_lines import Path_, spelled
from ketamech.simulation.scenario_schema import ScenarioFile, TreatmentKeys

BRANCHES = ("str", "TreatmentKeys", "float", "function-after")  # where pydantic tried each kind of a union
KINDS = {
    "string_type": "text",
    "list_type": "a list, one treatment a line after '- '",
    "dict_type": "keys and values",
    "model_type": "a sentence, or drug:, dose:, route: ...",
    "bool_parsing": "on or off",
    "bool_type": "on or off",
    "string_pattern_mismatch": "base or hydrochloride",
}


def to_input_error(errors: Sequence[Any], path: Path, lines: Mapping[Path_, int]) -> InputError:
    """The most telling of pydantic's errors as an error with file, line, key, expectation and nearest name."""
    error = min(errors, key=_specificity)
    where = tuple(part for part in error["loc"] if part not in BRANCHES)
    key = spelled(where)
    line = next((lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in lines), None)
    if error["type"] == "extra_forbidden":
        fields = (ScenarioFile if len(where) == 1 else TreatmentKeys).model_fields
        what, near = f"'{where[-1]}' is not a key of a scenario", closest_match(str(where[-1]), fields)
        return UnknownNameError(what, file=path, line=line, key=key, expected=", ".join(fields), nearest=near)
    if error["type"] == "missing":
        what, expected = f"'{where[-1]}' is missing", f"{where[-1]}: ..."
        return InputError(what, file=path, line=line, key=key, expected=expected, type_this=f"{where[-1]}:")
    given = repr(error.get("input"))
    shown = given if len(given) <= 60 else f"{given[:60]}..."
    return InputError(f"{shown} cannot stand here", file=path, line=line, key=key, expected=_expected(error, where))


def _specificity(error: Any) -> tuple[bool, bool, int]:
    """A misspelled key explains most; of the tries at a sentence and at a mapping, the deeper one knows more."""
    is_mapping = isinstance(error.get("input"), dict) and error["type"] == "string_type"
    return error["type"] != "extra_forbidden", is_mapping, -len(error["loc"])


def _expected(error: Any, where: Path_) -> str:
    if where[0] == "treatments" and len(where) == 2:
        return KINDS["model_type"]
    kind = KINDS.get(error["type"]) or error["msg"].removeprefix("Input should be ")
    fields = TreatmentKeys.model_fields if where[0] == "treatments" and len(where) > 1 else ScenarioFile.model_fields
    last = str(where[-1])
    described = fields[last].description if last in fields else None
    return f"{kind} ({described})" if described else kind
