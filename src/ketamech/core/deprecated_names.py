"""Names and calls that changed after 0.2.0: the old ones work for one release, with a warning."""

from __future__ import annotations

import dataclasses
import inspect
import re
import warnings
from collections.abc import Callable, Collection
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.core.errors import RenamedWarning, require_known, warn_renamed

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

RENAMED_FOLDER = DATA / "renamed"
_DOTTED_NAME = re.compile(r"(?<![\w.])[A-Za-z]\w*(?:\.\w+)+")
P = ParamSpec("P")
R = TypeVar("R")


@cache
def renamed_names() -> dict[str, str]:
    """{old: new} names of parameters and outputs (data/renamed/names.csv)."""
    return {row["old"]: row["new"] for row in read_table(RENAMED_FOLDER / "names.csv", ("old", "new"))}


def current_name(name: str) -> str:
    """The present name of a parameter or output; an old name gives one warning, any other text is returned as it is."""
    new = renamed_names().get(name)
    if new is None:
        return name
    warn_renamed(f"'{name}'", new, stacklevel=3)
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
def renamed_result_columns() -> dict[str, dict[str, tuple[str, float]]]:
    """{table: {old: (new, factor)}} of tables of results, by the stem of their files (data/renamed/results.csv)."""
    tables: dict[str, dict[str, tuple[str, float]]] = {}
    for row in read_table(RENAMED_FOLDER / "results.csv", ("table", "old", "new", "factor")):
        tables.setdefault(row["table"], {})[row["old"]] = row["new"], row.number_or("factor", 1.0)
    return tables


def with_current_columns(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """A table of results of version 0.2 with the present columns, and fractions in place of percentages.

    `name`: the stem of its file, such as "totals". Each old column gives one warning; a table without one is returned
    as it is. Raises UnknownNameError for a table whose columns were not renamed.
    """
    require_known(name, renamed_result_columns(), f"no column of '{name}' was renamed", key="name")
    changes = {old: change for old, change in renamed_result_columns()[name].items() if old in table}
    names = {old: new for old, (new, _) in changes.items() if new != old and new not in table}
    if not names:
        return table
    for old, new in names.items():
        warn_renamed(f"the column '{old}' of '{name}'", new, stacklevel=3)
    scaled = {old: table[old] * factor for old, (_, factor) in changes.items() if factor != 1}
    return table.assign(**scaled).rename(columns=names)


def with_current_variables(dataset: xr.Dataset) -> xr.Dataset:
    """A dataset of results with the present names of its outputs; each old name gives one warning."""
    names = {name: current_name(str(name)) for name in dataset.data_vars}
    return dataset.rename({old: new for old, new in names.items() if new != old and new not in dataset})


def renamed_arguments(**new_names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator: for one release a function also takes the arguments {old: new} by their old names, with a warning.

    The function raises TypeError where an argument is given by both names.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **options: P.kwargs) -> R:
            for old, new in new_names.items():
                if old in options:
                    if new in options:
                        raise TypeError(f"{function.__name__}() got '{old}' and '{new}', which are the same")
                    warnings.warn(
                        f"{function.__name__}: the argument '{old}' is now '{new}'; the old name will stop working in"
                        " the next release",
                        RenamedWarning,
                        stacklevel=2,
                    )
                    options[new] = options.pop(old)
            return function(*args, **options)

        return call

    return decorate


def as_fraction(value: float, name: str) -> float:
    """A fraction; for one release a number above 1 is taken as a percentage, with a warning."""
    if value <= 1:
        return value
    warnings.warn(
        f"{name} {value:g} is read as {value:g} %; type {value / 100:g} or '{value:g} %', because a number above 1 will"
        " stop working in the next release",
        RenamedWarning,
        stacklevel=3,
    )
    return value / 100


class LoadedByCall(type):
    """Metaclass of a dataclass that the class method `loader` loads: a call of the class with a source does so too.

    `Scenario("racemic 40 mg IV")` is `Scenario.read("racemic 40 mg IV")` with a RenamedWarning. A call with all
    required fields constructs an instance as usual.
    """

    loader: str

    def __new__(mcs, name: str, bases: tuple[type, ...], content: dict[str, Any], *, loader: str = "") -> LoadedByCall:
        """A class with the name of its loader."""
        made = super().__new__(mcs, name, bases, content)
        made.loader = loader or getattr(made, "loader", "")
        return made

    def __init__(cls, name: str, bases: tuple[type, ...], content: dict[str, Any], **_: Any) -> None:
        super().__init__(name, bases, content)

    def __call__(cls, *args: Any, **fields: Any) -> Any:
        """An instance with these fields, or loaded from a source."""
        known = dataclasses.fields(cls)  # type: ignore[arg-type]
        given = {*(one.name for one in known[: len(args)]), *fields}
        optional = (dataclasses.MISSING, dataclasses.MISSING)
        if all(one.name in given for one in known if (one.default, one.default_factory) == optional):
            return super().__call__(*args, **fields)
        warnings.warn(
            f"{cls.__name__}(...) is now {cls.__name__}.{cls.loader}(...); the old call will stop working in the next"
            " release",
            RenamedWarning,
            stacklevel=2,
        )
        load = getattr(cls, cls.loader)
        later = {one.name for one in known} - set(inspect.signature(load).parameters)
        loaded = load(*args, **{name: value for name, value in fields.items() if name not in later})
        return dataclasses.replace(loaded, **{name: value for name, value in fields.items() if name in later})
