"""Doses back from the experiments of a PEtab 2 problem as KetaMech writes it: one course an experiment."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ketamech.core import InputError
from ketamech.core.atomic_files import read_json
from ketamech.exchange.sbml.ids import INFLOW, own_name
from ketamech.exchange.sbml.read_doses import ParsedDoses, doses_of_sbml
from ketamech.exchange.sbml.reader import text_of
from ketamech.parameters import ParameterTable

EXPECTED = "a problem.yaml of version 2 as KetaMech writes it"
Cells = list[dict[str, str]]


def doses_of_petab(problem: Path, parameters: ParameterTable) -> dict[str, tuple[ParsedDoses, float]]:
    """What each experiment puts into whom, and the last hour at which it is looked at. Raises BadInput, naming it."""
    config = _config(problem)
    models = config.get("model_files")
    first = next(iter(models.values()), None) if isinstance(models, dict) and len(models) == 1 else None
    if not isinstance(first, dict) or not isinstance(first.get("location"), str):
        raise InputError("not one model", file=problem, key="model_files", expected=EXPECTED)
    model = text_of(_beside(problem, first["location"]))
    conditions: dict[str, Cells] = {}
    for row in _tables(problem, config, "condition", ("conditionId", "targetId", "targetValue")):
        conditions.setdefault(row["conditionId"], []).append(row)
    last: dict[str, float] = {}
    for row in _tables(problem, config, "measurement", ("experimentId", "time")):
        last[row["experimentId"]] = max(last.get(row["experimentId"], 0.0), _number(row["time"], problem))
    periods: dict[str, list[tuple[float, str]]] = {}
    for row in _tables(problem, config, "experiment", ("experimentId", "time", "conditionId")):
        periods.setdefault(row["experimentId"], []).append((_number(row["time"], problem), row["conditionId"]))
    found = {}
    for name, each in periods.items():
        begun = doses_of_sbml(model, parameters)
        _put(begun, sorted(each), conditions, problem)
        found[name] = (begun, last.get(name, 0.0))
    return found


def _put(found: ParsedDoses, periods: list[tuple[float, str]], conditions: Mapping[str, Cells], problem: Path) -> None:
    """The changes of every period; at the first one a value is start plus dose, and the start is none."""
    flowing: dict[str, float] = {}
    for at, condition in periods:
        if condition and condition not in conditions:
            raise InputError(f"there is no condition '{condition}'", file=problem, key=condition, expected=EXPECTED)
        for row in conditions.get(condition, ()):
            target, text = row["targetId"], row["targetValue"]
            state = own_name(target)
            if target.startswith(f"{INFLOW}__"):
                speed = _number(text, problem)
                found.entering.step(state, at, speed - flowing.get(state, 0.0))
                flowing[state] = speed
                continue
            same, _, more = text.partition(" + ")
            if (more and same != target) or (not more and at > 0):
                what = f"condition '{condition}' does more to {target} than a dose"
                raise InputError(what, file=problem, key=condition, expected="the state plus a number")
            found.entering.add(state, at, _number(more or text, problem))


def _config(problem: Path) -> dict[str, Any]:
    try:
        config = read_json(text_of(problem))
    except ValueError:
        raise InputError("this is no problem of KetaMech", file=problem, expected=EXPECTED) from None
    if not isinstance(config, dict) or not str(config.get("format_version", "")).startswith("2"):
        raise InputError("this is no PEtab problem of version 2", file=problem, key="format_version", expected=EXPECTED)
    return config


def _tables(problem: Path, config: Mapping[str, Any], kind: str, columns: tuple[str, ...]) -> Cells:
    places = config.get(f"{kind}_files", [])
    if not isinstance(places, list) or not all(isinstance(place, str) for place in places):
        raise InputError(f"no list of {kind} tables", file=problem, key=f"{kind}_files", expected=EXPECTED)
    rows: Cells = []
    for place in places:
        path = _beside(problem, place)
        for row in csv.DictReader(text_of(path).splitlines(), delimiter="\t"):
            if any(not isinstance(row.get(column), str) for column in columns):
                raise InputError("a row lacks a column", file=path, expected=", ".join(columns))
            rows.append({column: row[column].strip() for column in columns})
    return rows


def _beside(problem: Path, name: str) -> Path:
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputError(f"'{name}' is not beside the problem", file=problem, expected="a file in its folder")
    return problem.parent / name


def _number(text: str, problem: Path) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) < float("inf"):
        raise InputError(f"'{text[:60]}' is not a number", file=problem, expected="a finite number")
    return number
