"""All parameters of the model by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ketamech.core import UnknownNameError, closest_match
from ketamech.parameters.parameter import Parameter

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ParameterTable(Mapping[str, Parameter]):
    """A read-only mapping from name (`stage.quantity`) to Parameter; a change returns another table."""

    rows: Mapping[str, Parameter]

    def __getitem__(self, name: str) -> Parameter:
        if name not in self.rows:
            near = closest_match(name, self.rows)
            raise UnknownNameError(f"no parameter '{name}'", expected="a name of data/parameters/*.csv", nearest=near)
        return self.rows[name]

    def __contains__(self, name: object) -> bool:
        return name in self.rows

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def get(self, name: str, default: Parameter | None = None) -> Parameter | None:  # type: ignore[override]
        """The parameter, or `default`."""
        return self.rows.get(name, default)

    def stage(self, name: str) -> ParameterTable:
        """The parameters of one stage (or of person, pathway, perturbation)."""
        return ParameterTable({key: row for key, row in self.rows.items() if key.split(".")[0] == name})

    def with_values(self, values: Mapping[str, float | str]) -> ParameterTable:
        """A table with some values set: numbers are in canonical units, text has its unit ("30 mL/min").

        Raises UnknownNameError for a name that does not exist and InputError for a value that does not fit.
        """
        return ParameterTable({**self.rows, **{name: self[name].with_value(value) for name, value in values.items()}})

    def table(self) -> pd.DataFrame:
        """One line per parameter, with its canonical value and unit and its sources joined by ';'."""
        import pandas as pd

        return pd.DataFrame([_flat(row) for row in self.rows.values()]).set_index("name", drop=False)


def _flat(row: Parameter) -> dict[str, object]:
    return {
        "name": row.name,
        "value": row.value,
        "unit": row.unit,
        "canonical": row.canonical,
        "canonical_unit": row.canonical_unit,
        "spread": row.spread.kind,
        "spread_a": row.spread.a,
        "spread_b": row.spread.b,
        "status": row.status,
        "evidence": ";".join(row.evidence),
        "place": row.locator,
        "why": row.reason,
        "file": Path(row.file).name,
        "line": row.line,
    }
