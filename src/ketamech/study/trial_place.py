"""Places in a trial file: complaints get the file, line and key at which they arose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from ketamech.core import BadInput, UnknownName
from ketamech.parameters import ParameterTable
from ketamech.study.reading import Path_, spelled
from ketamech.study.regimen import LONGEST, Regimen
from ketamech.study.scenario import check
from ketamech.study.trial_words import share, time

T = TypeVar("T")


@dataclass(frozen=True)
class File:
    """One file: its path (None for a mapping), the line of every key, the parameters it may name."""

    path: Path | None
    lines: Mapping[Path_, int]
    table: ParameterTable

    def at(self, where: Path_, make: Callable[[], T]) -> T:
        """What `make` makes; its complaint gets this place of the file."""
        try:
            return make()
        except BadInput as problem:
            raise self.bad(where, problem.what, problem.expected, problem.nearest, problem.type_this) from None

    def bad(
        self, where: Path_, what: str, expected: str | None = None, near: str | None = None, type_: str | None = None
    ) -> BadInput:
        """The complaint about a place."""
        line = next((self.lines[where[:n]] for n in range(len(where), 0, -1) if where[:n] in self.lines), None)
        kind = UnknownName if near else BadInput
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
        return self.possible(where, self.at(where, partial(Regimen.parse, text)))

    def possible(self, where: Path_, regimen: Regimen) -> Regimen:
        """The regimen, when a typical person can be given all of it from a drug-free start on."""
        if any(treatment.steady for treatment in regimen.treatments):
            what = "a start at steady state: everybody in a trial is rated drug-free at baseline"
            raise self.bad(where, what, "doses that lead there, and a visit after them", type_="... daily for 4 weeks")
        self.at(where, lambda: check(regimen, self.table, {}, min(regimen.horizon(), LONGEST)))
        return regimen

    def refuse_shares(self, where: Path_, shares: Mapping[str, float], count: int) -> None:
        """Raise BadInput unless there are `count` positive shares that add up to 1."""
        total = sum(shares.values())
        if len(shares) != count or min(shares.values(), default=0) <= 0 or abs(total - 1) > 1e-6:
            what = f"the shares of {', '.join(shares)} add up to {total:g}"
            fair = ", ".join(f"{value / total:.3g}" for value in shares.values()) if total > 0 else None
            raise self.bad(where, what, "positive shares, one for each, that add up to 1", type_=fair)
