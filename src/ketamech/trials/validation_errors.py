"""Says in this program's words what pydantic found wrong in a trial file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ketamech.core import InputError, UnknownNameError, closest_match
from ketamech.core.yaml_lines import Path_, spelled
from ketamech.trials.trial_schema import AllocationKeys, ArmKeys, DropoutKeys, StepKeys, TrialFile

INSIDE: Mapping[str, Any] = {
    "arms": ArmKeys, "steps": StepKeys, "rescue": StepKeys, "leave": DropoutKeys, "allocation": AllocationKeys,
}  # fmt: skip


def complaint(problem: ValidationError, path: Path | None, lines: Mapping[Path_, int]) -> InputError:
    """The first complaint of pydantic with file, line, key, expectation and nearest name."""
    error: Any = min(problem.errors(), key=lambda e: (e["type"] != "extra_forbidden", -len(e["loc"])))
    where = tuple(part for part in error["loc"] if not _branch(part))
    line = next((lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in lines), None)
    kind = INSIDE.get(str(where[0])) if len(where) > 1 else None
    fields = list((kind or TrialFile).model_fields)
    last = str(where[-1])
    if error["type"] == "extra_forbidden":
        what, near = f"'{last}' is not a key here", closest_match(last, fields)
        return UnknownNameError(
            what, file=path, line=line, key=spelled(where), expected=", ".join(fields), nearest=near
        )
    given = repr(error.get("input"))
    shown = given if len(given) <= 60 else f"{given[:60]}..."
    what = f"'{last}' is missing" if error["type"] == "missing" else f"{shown} cannot stand here"
    expected = error["msg"].removeprefix("Input should be ")
    return InputError(what, file=path, line=line, key=spelled(where), expected=expected)


def _branch(part: str | int) -> bool:
    """A kind of a union that pydantic tried, which is no key."""
    return part in ("str", "float", "int") or str(part).startswith(("list[", "dict["))
