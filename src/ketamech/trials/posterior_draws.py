"""The posterior file: draws of the estimated parameters, used by simulated trials."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ketamech.core import InputError, require_known, unit
from ketamech.core.csv_table import read_records
from ketamech.core.environment import DATA, short_hash
from ketamech.parameters import ParameterTable, load_parameters
from ketamech.simulation.model import Model, folder_of_equations

FILE = DATA / "calibration" / "posterior.csv"
PosteriorSource = Sequence[Mapping[str, float | str]] | Path | str


def posterior_folder(model: Model) -> Path:
    """The folder with the shipped posterior of a model.

    A variant with equations of its own has its own posterior once it was calibrated; until then it uses that of the
    full model, which varies the parameters that both have.
    """
    own = folder_of_equations(model.variant) if model.variant else FILE.parent
    return own if (own / FILE.name).exists() else FILE.parent


def posterior_of(model: Model, source: str | Path) -> list[dict[str, float]]:
    """Draws for runs of a model: "shipped", "none" (the values of its tables) or a file. Raises InputError."""
    if source == "none":
        return []
    return load_posterior(posterior_folder(model) / FILE.name if source == "shipped" else source, model.parameters)


def canonical_draws(model: Model, source: PosteriorSource) -> Sequence[Mapping[str, float]]:
    """Draws of `posterior_of`, or those of a user, {parameter: value in the unit of its table}, in canonical units."""
    if isinstance(source, Path | str):
        return posterior_of(model, source)
    rows = model.parameters
    return [{name: rows[name].with_value(value).canonical for name, value in draw.items()} for draw in source]


def load_posterior(file: str | Path | None = None, table: ParameterTable | None = None) -> list[dict[str, float]]:
    """Draws as {parameter: value in canonical units}; from the shipped file by default. Raises InputError with file
    and line.

    The file has one column per parameter, in the unit of its table.
    """
    path, known = Path(file) if file else FILE, table or load_parameters()
    if not path.exists():
        raise InputError("there is no such file", file=path, expected="a file written by `ketamech calibrate`")
    rows = read_records(path)
    if not rows:
        raise InputError("the posterior has no draws", file=path, expected="a header and one line per draw")
    factors = {}
    for name in rows[0].cells:
        require_known(name, known, f"no parameter '{name}'", file=path, line=1)
        factors[name] = unit(known[name].unit).factor
    return [{name: row.number(name) * factor for name, factor in factors.items()} for row in rows]


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
