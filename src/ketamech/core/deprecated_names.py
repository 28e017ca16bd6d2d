"""Names of parameters, outputs and scenario keys changed after 0.2.0: old ones work for one release, with a warning."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection
from functools import cache
from typing import Any

from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.core.errors import RenamedWarning

RENAMED_FOLDER = DATA / "renamed"
_DOTTED_NAME = re.compile(r"(?<![\w.])[A-Za-z]\w*(?:\.\w+)+")


@cache
def renamed_names() -> dict[str, str]:
    """{old: new} names of parameters and outputs (data/renamed/names.csv)."""
    return {row["old"]: row["new"] for row in read_table(RENAMED_FOLDER / "names.csv", ("old", "new"))}


def current_name(name: str) -> str:
    """The present name of a parameter or output; an old name gives one warning, any other text is returned as it is."""
    new = renamed_names().get(name)
    if new is None:
        return name
    _warn(name, new)
    return new


def with_current_names(text: str) -> str:
    """The text with every old name of a parameter or output in it replaced, e.g. in "mood.drive at 24 h"."""
    return _DOTTED_NAME.sub(lambda found: current_name(found[0]), text)


def with_current_keys(content: Any, former: Collection[str]) -> Any:
    """The keys of a file with each of the `former` ones replaced by its present name, unless both are given."""
    if not isinstance(content, dict):
        return content
    names = {key: key for key in content}
    for key in names.keys() & set(former):
        if renamed_names()[key] not in content:
            names[key] = current_name(key)
    return {names[key]: value for key, value in content.items()}


@cache
def _warn(old: str, new: str) -> None:
    """Warn once for each name."""
    warnings.warn(
        f"'{old}' was renamed to '{new}'; the old name will stop working in the next release",
        RenamedWarning,
        stacklevel=3,
    )
