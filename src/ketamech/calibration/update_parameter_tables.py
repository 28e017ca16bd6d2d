"""Posterior medians as rows of the parameter tables, with status `calibrated` and the informative evidence.

Parameters that the trials hardly inform keep their row. The lines are rewritten in place, for review before a commit.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from ketamech.calibration.calibration_problem import CalibrationProblem, in_table_units
from ketamech.calibration.surrogate_posterior import QuadraticEmulator, prior_contraction
from ketamech.core import require_known
from ketamech.core.csv_table import parts
from ketamech.core.environment import DATA
from ketamech.core.statistics import INTERVAL_95, percentiles
from ketamech.parameters import Parameter

MIN_CONTRACTION = 0.1  # with a smaller contraction the trials do not inform the parameter
MIN_EFFECT = 0.25  # a row is informative if one prior SD of the parameter changes it by at least this many noise SD
MAX_ROWS = 6  # evidence ids in a cell
DIRECTORY = DATA / "parameters"


def updated_rows(task: CalibrationProblem, draws: np.ndarray, emulator: QuadraticEmulator) -> dict[str, list[str]]:
    """The new cells {parameter: cells} of every parameter whose posterior is narrower than its prior.

    `draws` [draw, parameter]: standardised logarithms; value and spread are their median and SD.
    """
    middle, narrower = np.median(draws, axis=0), prior_contraction(draws)
    values = in_table_units(task, middle[None])[0]
    low, high = percentiles(in_table_units(task, draws), INTERVAL_95, axis=0)
    ids = informative_rows(task, emulator, middle)
    rows = {}
    for i, p in enumerate(task.estimated):
        if narrower[i] >= MIN_CONTRACTION and ids[p.name]:
            row = task.model.parameters[p.name]
            place = f"median of the posterior of whole trials; 95 % {low[i]:.3g} to {high[i]:.3g}"
            rows[p.name] = _cells(row, values[i], p.prior_log_sd * float(draws[:, i].std()), ids[p.name], place)
    return rows


def of_stages(rows: dict[str, list[str]], words: str) -> dict[str, list[str]]:
    """The rows of the stages named in `words` ("people, mood"). Raises UnknownNameError for a stage without rows."""
    known = {name.split(".")[0] for name in rows}
    chosen = parts(words, ",")
    for word in chosen:
        what = f"the posterior is not narrower than the prior for any row of '{word}'"
        require_known(word, known, what, key="--write-tables", expected=", ".join(sorted(known)))
    return {name: cells for name, cells in rows.items() if name.split(".")[0] in chosen}


def informative_rows(task: CalibrationProblem, emulator: QuadraticEmulator, middle: np.ndarray) -> dict[str, list[str]]:
    """For each parameter the fitted rows that are most sensitive to it, by id, strongest first."""
    rows = {}
    for i, p in enumerate(task.estimated):
        step = 0.5 * np.eye(len(middle))[i]
        up, down = emulator(np.array([middle + step, middle - step]))
        moved = np.abs(up - down) / task.noise
        order = [k for k in np.argsort(-moved) if moved[k] >= MIN_EFFECT]
        rows[p.name] = list(dict.fromkeys(task.rows[k].row.id for k in order))[:MAX_ROWS]
    return rows


def write_updated_tables(task: CalibrationProblem, rows: dict[str, list[str]], folder: Path = DIRECTORY) -> list[Path]:
    """Replace the lines of these parameters only; returns the changed files."""
    changed: dict[Path, list[str]] = {}
    for name, cells in rows.items():
        row = task.model.parameters[name]
        file = folder / Path(row.file).name
        lines = changed.setdefault(file, file.read_text(encoding="utf-8").splitlines(keepends=True))
        bounds = " ".join(f"{edge:g}" for edge in row.row_bounds or ())
        lines[row.line - 1] = _line([*cells, bounds] if "bounds" in lines[0].strip().split(",") else cells)
    for file, lines in changed.items():
        file.write_text("".join(lines), encoding="utf-8")
    return list(changed)


def _cells(row: Parameter, value: float, spread: float, ids: list[str], place: str) -> list[str]:
    return [
        row.name, f"{value:.3g}", row.unit, f"lognormal {spread:.2g}", "calibrated", ";".join(ids), place, row.reason,
    ]  # fmt: skip


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
