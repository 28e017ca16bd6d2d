"""Runs the semantic cases of the SBML Test Suite in a user's folder: passed, wrong, or refused with the reason.

A case is a folder NNNNN with `NNNNN-settings.txt`, `NNNNN-results.csv` and models `NNNNN-sbml-lXvY.xml`; the newest
level is used. A value passes within `absolute` + `relative` times the expected value, as the suite defines.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ketamech.core import InputError, KetaMechError
from ketamech.exchange.sbml.importer import import_sbml
from ketamech.exchange.sbml.simulate import simulate_imported

LEVELS = ("l3v2", "l3v1", "l2v5", "l2v4", "l2v3", "l2v2", "l2v1", "l1v2")
PASSED, WRONG, REFUSED, FAILED, CRASHED = "passed", "wrong", "refused", "not solved", "crashed"
OTHER = "no time course"  # flux balances, which are no simulations
ORDER = (PASSED, WRONG, CRASHED, FAILED, REFUSED, OTHER)
TIME_LIMIT = 60.0  # s, of one case


@dataclass(frozen=True)
class Settings:
    """The settings of a case."""

    start: float
    duration: float
    steps: int
    variables: tuple[str, ...]
    absolute: float
    relative: float
    amounts: frozenset[str]
    concentrations: frozenset[str]

    @property
    def times(self) -> np.ndarray:
        """Output times."""
        return np.linspace(self.start, self.start + self.duration, self.steps + 1)


@dataclass(frozen=True)
class CaseResult:
    """The outcome of a case and its reason."""

    case: str
    outcome: str
    reason: str = ""


def find_cases(folder: Path) -> list[Path]:
    """The folders of the cases, in order. Raises InputError where there is none."""
    cases = sorted(path.parent for path in folder.rglob("*-settings.txt")) if folder.is_dir() else []
    if not cases:
        expected = "folders with NNNNN-settings.txt"
        raise InputError("no semantic cases", file=folder, expected=expected, type_this="--sbml-suite semantic")
    return cases


def run_suite(
    cases: Sequence[Path], *, every: int = 1, time_limit: float = TIME_LIMIT,
    tell: Callable[[str], None] = lambda line: None, done: Callable[[CaseResult], None] = lambda one: None,
) -> list[CaseResult]:  # fmt: skip
    """Each `every`th of the cases, in order; `done` gets each result at once."""
    found = []
    for i, case in enumerate(cases[::every]):
        tell(f"{case.name}, {i * every} of {len(cases)}")
        found.append(run_case(case, time_limit))
        done(found[-1])
    return found


def summary(outcomes: Sequence[CaseResult]) -> list[dict[str, object]]:
    """Number of cases by outcome and reason."""
    counts = Counter((one.outcome, _reason(one)) for one in outcomes)
    ordered = sorted(counts.items(), key=lambda item: (ORDER.index(item[0][0]), -item[1]))
    return [{"outcome": word, "cases": number, "why": why} for (word, why), number in ordered]


def run_case(folder: Path, time_limit: float = TIME_LIMIT) -> CaseResult:
    """Run one case; unsupported features are refused."""
    name = folder.name
    try:
        if _is_flux_balance(folder):
            return CaseResult(name, OTHER, "a flux balance")
        asked = read_settings(folder / f"{name}-settings.txt")
        expected = read_results(folder / f"{name}-results.csv")
        model = import_sbml(_newest(folder))
        tolerance = float(np.clip(asked.relative * 1e-4, 1e-11, 1e-8))
        found = simulate_imported(model, asked.times, tolerance=tolerance, time_limit=time_limit)
        return _compare(name, asked, expected, found)
    except InputError as problem:
        return CaseResult(name, REFUSED, problem.what)
    except KetaMechError as problem:
        return CaseResult(name, FAILED, str(problem).splitlines()[0])
    except Exception as problem:  # an unexpected error fails one case and not the whole suite
        return CaseResult(name, CRASHED, f"{type(problem).__name__}: {problem}".splitlines()[0])


def _is_flux_balance(folder: Path) -> bool:
    """Whether a case has no times, as the cases of the package fbc."""
    lines = (folder / f"{folder.name}-settings.txt").read_text(encoding="utf-8").splitlines()
    return any(line.partition(":")[0].strip() == "duration" and not line.partition(":")[2].strip() for line in lines)


def _compare(name: str, asked: Settings, expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> CaseResult:
    for variable in asked.variables:
        wanted = expected.get(variable)
        key = f"amount({variable})" if variable in asked.amounts else variable
        key = f"concentration({variable})" if variable in asked.concentrations else key
        given = found.get(f"value({variable})", found.get(key, found.get(variable)))  # an id may be `time`
        if wanted is None or given is None:
            return CaseResult(name, REFUSED, f"'{variable}' is not among the values that are computed")
        with np.errstate(invalid="ignore"):
            apart = np.abs(given - wanted) - asked.absolute - asked.relative * np.abs(wanted)
        same = (given == wanted) | (np.isnan(given) & np.isnan(wanted)) | (apart <= 0)
        if not same.all():
            worst = int(np.argmin(same))
            why = f"{variable} is {given[worst]:.6g}, expected {wanted[worst]:.6g}, row {worst}"
            return CaseResult(name, WRONG, why)
    return CaseResult(name, PASSED)


def suite_page(outcomes: Sequence[CaseResult]) -> str:
    """The counts as a page of Markdown, with each case that neither passes nor is refused."""
    rows = summary(outcomes)
    lines = [
        "# SBML semantic test cases",
        "",
        "Written by `ketamech compare-simulators --sbml-suite DIR --markdown FILE`.",
    ]
    applicable = [one for one in outcomes if one.outcome != OTHER]
    passed = sum(one.outcome == PASSED for one in applicable)
    lines += [
        "",
        f"{passed} of {len(applicable)} time courses pass.",
        "",
        "| outcome | cases | reason |",
        "|---|---|---|",
    ]
    lines += [f"| {row['outcome']} | {row['cases']} | {row['why']} |" for row in rows]
    left = [one for one in applicable if one.outcome not in (PASSED, REFUSED)]
    lines += ["", *(f"- {one.case}: {one.outcome}, {one.reason}" for one in left)]
    return "\n".join(lines).rstrip() + "\n"


def _reason(one: CaseResult) -> str:
    """The reason without names of the model."""
    if one.outcome != REFUSED:
        return ""
    return " ".join(word for word in one.reason.split() if not word.startswith(("'", '"')))


def _newest(folder: Path) -> Path:
    found = [path for level in LEVELS if (path := folder / f"{folder.name}-sbml-{level}.xml").is_file()]
    if not found:
        raise InputError("no model of this case", file=folder, expected=f"{folder.name}-sbml-l3v1.xml")
    return found[0]


def read_settings(path: Path) -> Settings:
    """The settings of a case. Raises InputError for another file."""
    try:
        lines = [line.partition(":") for line in path.read_text(encoding="utf-8").splitlines() if ":" in line]
        cells = {name.strip().lower(): value.strip() for name, _, value in lines}
        return Settings(
            float(cells["start"]), float(cells["duration"]), int(cells["steps"]), tuple(_names(cells["variables"])),
            float(cells["absolute"]), float(cells["relative"]), frozenset(_names(cells.get("amount", ""))),
            frozenset(_names(cells.get("concentration", ""))),
        )  # fmt: skip
    except (OSError, KeyError, ValueError) as problem:
        what = f"settings that cannot be read: {problem}"
        raise InputError(what, file=path, expected="start:, duration:, ...") from None


def read_results(path: Path) -> dict[str, np.ndarray]:
    """The expected values by variable. Raises InputError for another file."""
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        names = [name.strip().rpartition("`")[2] for name in _cells(rows[0])]
        table = np.array([[float(cell) for cell in _cells(row)] for row in rows[1:] if row])
        return dict(zip(names, table.T, strict=True))
    except (OSError, ValueError, IndexError) as problem:
        raise InputError(f"results that cannot be read: {problem}", file=path, expected="time and variables") from None


def _cells(row: list[str]) -> list[str]:
    """The cells of a line; a trailing comma starts no cell."""
    return row[:-1] if row and not row[-1].strip() else row


def _names(text: str) -> Iterator[str]:
    return (name.strip() for name in text.split(",") if name.strip())
