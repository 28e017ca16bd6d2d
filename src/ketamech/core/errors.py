"""Every error that KetaMech raises on purpose.

An error says what was wrong, where, what was expected, the nearest valid name and what to type.
"""

from __future__ import annotations

from pathlib import Path


class KetaMechError(Exception):
    """Base class: the command line prints it without a traceback and exits with code 2."""


class InputError(KetaMechError):
    """A file, value or name from the user that cannot be used."""

    def __init__(
        self,
        what: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        key: str | None = None,
        expected: str | None = None,
        nearest: str | None = None,
        type_this: str | None = None,
    ) -> None:
        self.what, self.file, self.line, self.key = what, file, line, key
        self.expected, self.nearest, self.type_this = expected, nearest, type_this
        super().__init__(self._format())

    def _format(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        lines = [f"{place}: {self.what}" if place else self.what]
        extras = (
            ("key", self.key),
            ("expected", self.expected),
            ("nearest", self.nearest),
            ("type", self.type_this),
        )
        lines += [f"  {label}: {text}" for label, text in extras if text]
        return "\n".join(lines)


class UnknownNameError(InputError):
    """A name (of a state, output, parameter, drug, route ...) that does not exist."""


class UnitError(KetaMechError):
    """Units that do not fit: names stage, term and both units, and underlines the part of the expression."""


class ModelError(KetaMechError):
    """A stage that cannot become an equation (an input that no stage declares, a loop of outputs ...)."""


class SolverError(KetaMechError):
    """The integration failed, or no drug-free steady state was found."""
