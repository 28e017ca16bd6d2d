"""The posterior file: draws of the estimated parameters, used by simulated trials."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ketamech.core import InputError, require_known, unit
from ketamech.core.environment import DATA, short_hash
from ketamech.parameters import ParameterTable, load_parameters

FILE = DATA / "calibration" / "posterior.csv"


def load_posterior(file: str | Path | None = None, table: ParameterTable | None = None) -> list[dict[str, float]]:
    """Draws as {parameter: value in canonical units}; from the shipped file by default. Raises InputError with file
    and line.

    The file has one column per parameter, in the unit of its table.
    """
    path, known = Path(file) if file else FILE, table or load_parameters()
    if not path.exists():
        raise InputError("there is no such file", file=path, expected="a file written by `ketamech calibrate`")
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        what = f"the posterior cannot be read: {str(problem).splitlines()[0]}"
        raise InputError(what, file=path, expected="a CSV table in UTF-8") from None
    if len(rows) < 2:
        raise InputError("the posterior has no draws", file=path, expected="a header and one line per draw")
    names = rows[0]
    for name in names:
        require_known(name, known, f"no parameter '{name}'", file=path, line=1)
    return [_draw(path, line, names, cells, known) for line, cells in enumerate(rows[1:], 2)]


def save_posterior(file: Path, names: Sequence[str], draws: np.ndarray) -> None:
    """Write draws [draw, parameter], in the units of the tables."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([[f"{value:.6g}" for value in draw] for draw in draws])


def posterior_hash(draws: Sequence[Mapping[str, float]]) -> str:
    """Twelve hexadecimal digits that identify a posterior; empty for none."""
    if not draws:
        return ""
    text = "|".join(f"{name}={value!r}" for draw in draws for name, value in sorted(draw.items()))
    return short_hash(text, 12)


def _draw(path: Path, line: int, names: list[str], cells: list[str], known: ParameterTable) -> dict[str, float]:
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        raise InputError("a draw has a cell that is not a number", file=path, line=line) from None
    if len(values) != len(names) or not np.all(np.isfinite(values)):
        raise InputError(f"{len(values)} numbers for {len(names)} parameters", file=path, line=line)
    return {name: value * unit(known[name].unit).factor for name, value in zip(names, values, strict=True)}
