"""One value of the model: number, unit, spread, status and source."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ketamech.core import InputError, convert, unit
from ketamech.core.units import format_dimensions

_NUMBER_AND_UNIT = re.compile(r"^([-+]?[\d.]+(?:[eE][-+]?\d+)?|)(.*)$", re.DOTALL)


@dataclass(frozen=True)
class Distribution:
    """Uncertainty or variability of a value.

    kind lognormal: `a` = SD of the logarithm. normal: `a` = SD in the row's unit. uniform: from `a` to `b` in the
    row's unit. fixed: a definition, a switch or a constant.
    """

    kind: str
    a: float | None = None
    b: float | None = None


@dataclass(frozen=True)
class Parameter:
    """A named value in the unit of its source, with its location (`file`, `line` of the table).

    status: measured (read from a source) | derived (arithmetic on published numbers) | calibrated (fitted to rows) |
    assumed | set (given by the user in place of the table's value).
    """

    name: str
    value: float
    unit: str
    spread: Distribution
    status: str
    evidence: tuple[str, ...]
    locator: str
    reason: str
    file: str
    line: int

    @property
    def canonical(self) -> float:
        """The value in canonical units (hours, litres, micromoles, kilograms)."""
        return self.value * unit(self.unit).factor

    @property
    def canonical_unit(self) -> str:
        """The canonical unit, e.g. L/h for a value published in mL/min."""
        return format_dimensions(unit(self.unit).dims)

    def with_value(self, new_value: float | str) -> Parameter:
        """This parameter with a number in canonical units, or with text with a unit such as "30 mL/min".

        Raises InputError when the text is not a number with a unit of the same kind.
        """
        value = self._from_text(new_value) if isinstance(new_value, str) else float(new_value) / unit(self.unit).factor
        if value - value != 0:  # nan or infinite
            raise InputError(f"{self.name} cannot be {new_value}", expected="a finite number")
        return replace(self, value=value, status="set")

    def _from_text(self, text: str) -> float:
        number, unit_text = _NUMBER_AND_UNIT.match(text.strip()).groups()  # type: ignore[union-attr]  # always matches
        try:
            return convert(float(number), unit_text.strip() or "1", self.unit)
        except (ValueError, InputError) as error:
            expected = f"a number and a unit of the kind {self.unit}"
            example = f'"{self.value:g} {self.unit}"'
            raise InputError(f"{self.name} cannot be '{text}'", expected=expected, type_this=example) from error
