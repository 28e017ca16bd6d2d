"""Whether the archive of a scenario says elsewhere what it says here: the largest differences of every output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from ketamech.exchange.archive import SIMULATION, TOLERANCE, package, read_archive, write_archive
from ketamech.exchange.elsewhere import ENGINES, Elsewhere
from ketamech.exchange.sbml_words import sbml_id
from ketamech.exchange.sedml import TimeCourse, read_time_courses
from ketamech.study import Course, Model, Scenario, courses
from ketamech.study.running import run

GOAL = 1e-4  # of each output's scale
PACKAGES = ("ketamech", "libroadrunner", "python-copasi", "python-libsbml", "python-libsedml", "python-libcombine")
COLUMNS = ("scenario", "output", "engine", "difference", "hour", "unit", "scale")


@dataclass(frozen=True)
class Certificate:
    """Differences (columns COLUMNS, `difference` as a share of `scale`) and the versions they were found with."""

    table: pd.DataFrame
    versions: Mapping[str, str]
    fingerprint: str

    @property
    def largest(self) -> float:
        """The largest difference of all; NaN where one could not be computed."""
        return float(self.table["difference"].max(skipna=False))

    @property
    def kept(self) -> bool:
        """Whether every difference is within the goal."""
        return self.largest <= GOAL


def certify(
    scenarios: Mapping[str, Scenario],
    model: Model,
    folder: Path,
    *,
    engines: Mapping[str, Elsewhere] = ENGINES,
    tell: Callable[[str], None] = lambda line: None,
) -> Certificate:
    """Write the archive of each scenario into `folder`, run what is in it in each engine, and compare with our own."""
    folder.mkdir(parents=True, exist_ok=True)
    found: list[tuple[object, ...]] = []
    for name, scenario in scenarios.items():
        tell(f"{name}: writing the archive")
        place = folder / f"{name}.omex"
        write_archive(place, package(scenario, model))
        found += [(name, *row) for row in _compared(read_archive(place), scenario, model, engines, name, tell)]
    versions = {one: metadata.version(one) for one in PACKAGES}
    return Certificate(pd.DataFrame(found, columns=list(COLUMNS)), versions, model.layout.fingerprint)


def _compared(
    files: Mapping[str, str],
    scenario: Scenario,
    model: Model,
    engines: Mapping[str, Elsewhere],
    name: str,
    tell: Callable[[str], None],
) -> Iterable[tuple[object, ...]]:
    model_file, asked = read_time_courses(files[SIMULATION])
    treated, layout = courses(scenario, model)[0], model.layout
    times = compared_times(treated, asked)
    ours = run(model, [treated], times, tolerance=TOLERANCE)
    declared = {state.name: state.scale for state in layout.states}
    ids = [sbml_id(output) for output in layout.output_names]
    for engine, elsewhere in engines.items():
        tell(f"{name}: {engine}")
        theirs = elsewhere(files[model_file], times, ids, {sbml_id(one): scale for one, scale in declared.items()})
        for i, output in enumerate(layout.output_names):
            mine = ours[output].values[0]
            scale = declared.get(output) or float(np.abs(mine).max()) or 1.0
            apart = np.abs(mine - theirs[:, i]) / scale
            worst = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
            yield output, engine, float(apart[worst]), float(times[worst]), layout.units[output], scale


def compared_times(course: Course, asked: Iterable[TimeCourse]) -> np.ndarray:
    """Hours of all time courses, but for the very moments at which something is given or ends."""
    grids = [np.linspace(0.0, one.end, one.steps + 1)[1:] for one in asked]
    times = np.unique(np.round(np.concatenate(grids), 9))
    moments = np.array([t for e in course.entries for t in (e.time, e.time + e.duration)] or [-1.0])
    return times[np.abs(times[:, None] - moments).min(axis=1) > 1e-7]
