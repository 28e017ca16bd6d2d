"""A trial file during its reading: texts with their place in the file, for errors with file, line and key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from ketamech.core.yaml_lines import Path_, YamlSource
from ketamech.dosing.parsed_values import Rule
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import MAX_HORIZON_H
from ketamech.parameters import ParameterTable
from ketamech.simulation.scenario import validate
from ketamech.trials.rating_scales import RatingScale
from ketamech.trials.trial_text import condition, share, time

Scales = Mapping[str, RatingScale]


@dataclass(frozen=True)
class SourceFile(YamlSource):
    """A trial file, and the table of the parameters that it may name."""

    table: ParameterTable

    def time(self, where: Path_, text: str) -> float:
        """Time after the first dose (h)."""
        return self.with_location(where, partial(time, text))

    def times(self, where: Path_, texts: str | list[str]) -> tuple[float, ...]:
        """Times after the first dose (h)."""
        return tuple(self.time(where, text) for text in ([texts] if isinstance(texts, str) else texts))

    def condition(self, where: Path_, text: str, scales: Scales) -> Rule:
        """A condition on scales that are rated in this trial."""
        return self.with_location(where, partial(condition, text, scales))

    def share(self, where: Path_, text: str, most: float = 1.0) -> float:
        """A fraction up to `most`, from a percentage."""
        return self.with_location(where, partial(share, text, most))

    def regimen(self, where: Path_, text: str) -> Regimen:
        """A regimen that can be given to the typical patient."""
        return self.check_regimen(where, self.with_location(where, partial(Regimen.parse, text)))

    def check_regimen(self, where: Path_, regimen: Regimen) -> Regimen:
        """The regimen, if the typical patient can receive all of it from a drug-free start. Raises InputError."""
        if any(treatment.at_steady_state for treatment in regimen.treatments):
            what = "a start at steady state: all patients of a trial are drug-free at baseline"
            expected = "doses that lead there, and a visit after them"
            raise self.error(where, what, expected, type_="... daily for 4 weeks")
        self.with_location(where, lambda: validate(regimen, self.table, {}, min(regimen.horizon(), MAX_HORIZON_H)))
        return regimen

    def check_shares(self, where: Path_, shares: Mapping[str, float], count: int) -> None:
        """Raise InputError unless there are `count` positive fractions that add up to 1."""
        total = sum(shares.values())
        if len(shares) != count or min(shares.values(), default=0) <= 0 or abs(total - 1) > 1e-6:
            what = f"the shares of {', '.join(shares)} add up to {total:g}"
            fair = ", ".join(f"{value / total:.3g}" for value in shares.values()) if total > 0 else None
            raise self.error(where, what, "positive shares, one for each, that add up to 1", type_=fair)
