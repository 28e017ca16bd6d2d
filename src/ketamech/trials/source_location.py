"""Places in a trial file: complaints get the file, line and key at which they arose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from ketamech.core import InputError, UnknownNameError
from ketamech.core.yaml_lines import Path_, spelled
from ketamech.dosing.regimen import MAX_HORIZON_H, Regimen
from ketamech.parameters import ParameterTable
from ketamech.simulation.scenario import validate
from ketamech.trials.trial_text import share, time

T = TypeVar("T")


@dataclass(frozen=True)
class SourceFile:
    """One file: its path (None for a mapping), the line of every key, the parameters it may name."""

    path: Path | None
    lines: Mapping[Path_, int]
    table: ParameterTable

    def at(self, where: Path_, make: Callable[[], T]) -> T:
        """What `make` makes; its complaint gets this place of the file."""
        try:
            return make()
        except InputError as problem:
            raise self.error(where, problem.what, problem.expected, problem.nearest, problem.type_this) from None

    def error(
        self, where: Path_, what: str, expected: str | None = None, near: str | None = None, type_: str | None = None
    ) -> InputError:
        """The complaint about a place."""
        line = next((self.lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in self.lines), None)
        kind = UnknownNameError if near else InputError
        return kind(
            what, file=self.path, line=line, key=spelled(where), expected=expected, nearest=near, type_this=type_
        )

    def time(self, where: Path_, text: str) -> float:
        """Hours after the first dose."""
        return self.at(where, partial(time, text))

    def share(self, where: Path_, text: str, most: float = 1.0) -> float:
        """A share up to `most`."""
        return self.at(where, partial(share, text, most))

    def regimen(self, where: Path_, text: str) -> Regimen:
        """A regimen that a typical person can be given."""
        return self.one_of(where, self.at(where, partial(Regimen.parse, text)))

    def one_of(self, where: Path_, regimen: Regimen) -> Regimen:
        """The regimen, when a typical person can be given all of it from a drug-free start on."""
        if any(treatment.at_steady_state for treatment in regimen.treatments):
            what = "a start at steady state: everybody in a trial is rated drug-free at baseline"
            raise self.error(
                where, what, "doses that lead there, and a visit after them", type_="... daily for 4 weeks"
            )
        self.at(where, lambda: validate(regimen, self.table, {}, min(regimen.horizon(), MAX_HORIZON_H)))
        return regimen

    def check_shares(self, where: Path_, shares: Mapping[str, float], count: int) -> None:
        """Raise BadInput unless there are `count` positive shares that add up to 1."""
        total = sum(shares.values())
        if len(shares) != count or min(shares.values(), default=0) <= 0 or abs(total - 1) > 1e-6:
            what = f"the shares of {', '.join(shares)} add up to {total:g}"
            fair = ", ".join(f"{value / total:.3g}" for value in shares.values()) if total > 0 else None
            raise self.error(where, what, "positive shares, one for each, that add up to 1", type_=fair)
