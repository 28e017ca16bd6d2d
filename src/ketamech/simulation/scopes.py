"""The scope of a run: which outputs may be read from it, from the tables of `data/slices`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from ketamech.core.csv_table import read_table
from ketamech.core.environment import DATA
from ketamech.engine.scope import Scope, Slice
from ketamech.model.layout import SystemLayout

FOLDER = DATA / "slices"
ANY = "*"  # at the end of a name: any rest


def scopes_of(layout: SystemLayout) -> tuple[Scope, ...]:
    """The scopes of a model, each within the next, that are smaller than the model.

    A scope of which an output or a receiver does not exist is left out, as are its slices. Raises InputError naming
    file, line and column.
    """
    found, wanted = list[Scope](), list[str]()
    for name, patterns in _scope_rows():
        outputs = _matching(patterns, layout.output_names)
        if outputs is None:
            return tuple(found)
        wanted += outputs
        parts = (
            (part, _matching(receivers, layout.state_names))
            for scope, part, receivers in _slice_rows()
            if scope == name
        )
        place = {state: i for i, state in enumerate(layout.state_names)}
        slices = tuple(
            Slice(part, frozenset(place[one] for one in names)) for part, names in parts if names is not None
        )
        found.append(Scope.of(layout, name, wanted, slices))
    return tuple(found)


def scope_of(scopes: Sequence[Scope], outputs: Iterable[str] | None) -> Scope | None:
    """The first scope that covers the outputs; None, the whole model, where none does or all outputs are asked for."""
    names = None if outputs is None else tuple(outputs)
    return next((scope for scope in scopes if names is not None and scope.covers(names)), None)


@cache
def _scope_rows() -> tuple[tuple[str, tuple[str, ...]], ...]:
    rows = read_table(FOLDER / "scopes.csv", ("scope", "outputs", "why"))
    return tuple((row.required("scope", "levels"), _names(row["outputs"])) for row in rows)


@cache
def _slice_rows() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    scopes = [name for name, _ in _scope_rows()]
    rows = read_table(FOLDER / "slices.csv", ("scope", "slice", "receivers", "why"))
    return tuple(
        (row.one_of("scope", scopes), row.required("slice", "ketamine"), _names(row["receivers"])) for row in rows
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(";") if name.strip())


def _matching(patterns: Sequence[str], names: Sequence[str]) -> list[str] | None:
    """The names that match; None where a pattern matches none."""
    found = list[str]()
    for pattern in patterns:
        if pattern.endswith(ANY):
            matching = [name for name in names if name.startswith(pattern.removesuffix(ANY))]
        else:
            matching = [name for name in names if name == pattern]
        if not matching:
            return None
        found += matching
    return found
