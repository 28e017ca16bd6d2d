"""Comparison with other simulators: the largest difference of every output of an exported scenario."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core import InputError
from ketamech.exchange.external_simulators import ENGINES, Simulate
from ketamech.exchange.omex import SCENARIO, SIMULATION, TOLERANCE, build_archive, read_archive, write_archive
from ketamech.exchange.sbml.ids import sbml_id
from ketamech.exchange.sedml import UniformTimeCourse, read_time_courses, time_courses
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.scenario_reader import scenario_from_text
from ketamech.simulation.simulate import subjects

MAX_DIFFERENCE = 1e-4  # of each output's scale
REFERENCE = "racemic 0.5 mg/kg IV over 40 min"  # changes every output, so that no scale is rounding error
PACKAGES = ("ketamech", "libroadrunner", "python-copasi", "python-libsbml", "python-libsedml", "python-libcombine")
SLOW_PACKAGES = {"AMICI": "amici"}  # needed only for this simulator
COLUMNS = ("scenario", "output", "engine", "difference", "hour", "unit", "scale")


@dataclass(frozen=True)
class CrossSimulatorCheck:
    """Differences (columns COLUMNS, `difference` as a share of `scale`) and the package versions."""

    table: pd.DataFrame
    versions: Mapping[str, str]
    fingerprint: str

    @property
    def largest(self) -> float:
        """The largest difference; NaN where a simulator gave no number."""
        return float(self.table["difference"].max(skipna=False))

    @property
    def within_goal(self) -> bool:
        """Whether every difference is within the goal."""
        return self.largest <= MAX_DIFFERENCE


def compare_simulators(
    scenarios: Mapping[str, Scenario],
    model: Model,
    folder: Path,
    *,
    engines: Mapping[str, Simulate] = ENGINES,
    tell: Callable[[str], None] = lambda line: None,
) -> CrossSimulatorCheck:
    """Write the archive of each scenario into `folder`, simulate it in each engine, and compare with KetaMech."""
    folder.mkdir(parents=True, exist_ok=True)

    def written(name: str) -> Mapping[str, str]:
        tell(f"{name}: writing the archive")
        place = folder / f"{name}.omex"
        write_archive(place, build_archive(scenarios[name], model))
        return read_archive(place)

    told = {name: _KetaMechCurves.of(asked, model, time_courses(asked.horizon)) for name, asked in scenarios.items()}
    return _check(told, written, model, engines, tell)


def compare_archives(
    paths: Iterable[Path],
    model: Model,
    *,
    engines: Mapping[str, Simulate] = ENGINES,
    tell: Callable[[str], None] = lambda line: None,
) -> CrossSimulatorCheck:
    """Simulate existing archives in each engine and compare with KetaMech.

    Raises InputError for an archive without the scenario and the simulation that `ketamech export` writes.
    """
    files = {path.stem: _complete(read_archive(path), path) for path in paths}
    told = {}
    for name, found in files.items():
        scenario = scenario_from_text(found[SCENARIO], model.parameters, f"{name}:{SCENARIO}")
        told[name] = _KetaMechCurves.of(scenario, model, read_time_courses(found[SIMULATION])[1])
    return _check(told, files.__getitem__, model, engines, tell)


def _complete(files: Mapping[str, str], path: Path) -> Mapping[str, str]:
    for place in (SIMULATION, SCENARIO):
        if place not in files:
            raise InputError(f"the archive holds no {place}", file=path, expected="what ketamech export writes")
    return files


def _check(
    told: Mapping[str, _KetaMechCurves],
    archive: Callable[[str], Mapping[str, str]],
    model: Model,
    engines: Mapping[str, Simulate],
    tell: Callable[[str], None],
) -> CrossSimulatorCheck:
    reference = load_scenario(REFERENCE, model.parameters)
    largest = _KetaMechCurves.of(reference, model, time_courses(reference.horizon))
    scales = _scales(model, [*told.values(), largest])
    found: list[tuple[object, ...]] = []
    for name, here in told.items():
        found += [(name, *row) for row in _differences(archive(name), here, model, scales, engines, tell)]
    packages = [*PACKAGES, *(package for engine, package in SLOW_PACKAGES.items() if engine in engines)]
    versions = {one: metadata.version(one) for one in packages}
    return CrossSimulatorCheck(pd.DataFrame(found, columns=list(COLUMNS)), versions, model.layout.fingerprint)


@dataclass(frozen=True)
class _KetaMechCurves:
    """The curves of KetaMech for a scenario at the times of its SED-ML."""

    course: Subject
    curves: xr.Dataset

    @classmethod
    def of(cls, scenario: Scenario, model: Model, asked: Iterable[UniformTimeCourse]) -> _KetaMechCurves:
        treated = subjects(scenario, model)[0]
        times = compared_times(treated, asked)
        return cls(treated, run_subjects(model, [treated], times, tolerance=TOLERANCE))


def _scales(model: Model, told: Iterable[_KetaMechCurves]) -> dict[str, float]:
    """The scale of each output: declared for states, otherwise the largest value in any scenario or the reference."""
    declared = {state.name: state.scale for state in model.layout.states}
    largest: dict[str, float] = {}
    for here in told:
        for name in model.layout.output_names:
            largest[name] = max(largest.get(name, 0.0), float(np.abs(here.curves[name].values).max()))
    return {name: declared.get(name) or largest[name] or 1.0 for name in largest}


def _differences(
    files: Mapping[str, str],
    here: _KetaMechCurves,
    model: Model,
    scales: Mapping[str, float],
    engines: Mapping[str, Simulate],
    tell: Callable[[str], None],
) -> Iterable[tuple[object, ...]]:
    model_file, asked = read_time_courses(files[SIMULATION])
    times, layout = compared_times(here.course, asked), model.layout
    ids = {name: sbml_id(name) for name in layout.output_names}
    for engine, simulate in engines.items():
        tell(f"{engine}: {here.course.label}")
        theirs = simulate(files[model_file], times, list(ids.values()), {ids[n]: s for n, s in scales.items()})
        for i, output in enumerate(layout.output_names):
            apart = np.abs(here.curves[output].values[0] - theirs[:, i]) / scales[output]
            worst = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
            row = (output, engine, float(apart[worst]), float(times[worst]), layout.units[output], scales[output])
            yield row


def compared_times(course: Subject, asked: Iterable[UniformTimeCourse]) -> np.ndarray:
    """Times of all time courses, except the exact times of dose events."""
    grids = [np.linspace(0.0, one.end, one.steps + 1)[1:] for one in asked]
    times = np.unique(np.round(np.concatenate(grids), 9))
    moments = np.array([t for e in course.events for t in (e.time, e.time + e.duration)] or [-1.0])
    return times[np.abs(times[:, None] - moments).min(axis=1) > 1e-7]
