"""Comparison with other simulators: the largest difference of every output of an exported scenario.

Other simulators on an SBML document: libRoadRunner (CVODE), COPASI (LSODA) and AMICI (CVODES). Tellurium executes the
archive itself, as its SED-ML says.

`simulate_*` take SBML text, times (h, rising, above 0), ids of the outputs and a scale for each state, and return
curves [time, id]. A value at the exact time of an event may be the one before or the one after it. The benchmarks use
the classes directly, to solve one loaded model for many patients.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ketamech.core import InputError, SolverError
from ketamech.core.checkpoint import Arrays
from ketamech.core.environment import package_version, short_hash
from ketamech.core.execution import LOCAL_EXECUTOR, Executor
from ketamech.core.optional_libraries import import_optional
from ketamech.exchange.document_libraries import with_fields
from ketamech.exchange.omex import (
    SCENARIO,
    TOLERANCE,
    build_archive,
    time_courses,
    write_archive,
)
from ketamech.exchange.sbml.ids import sbml_id
from ketamech.exchange.sedml_simulation import SedmlFile
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.load_scenario import load_scenario, scenario_from_text
from ketamech.simulation.model import Model
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import subjects

RELATIVE, ABSOLUTE = 1e-9, 1e-11  # absolute: a share of each state's scale
MAX_STEPS = 1_000_000
PURPOSE = "running a model in another simulator"
Simulate = Callable[[Any, np.ndarray, Sequence[str], Mapping[str, float]], np.ndarray]  # Any: SBML text or an archive


class RoadRunnerModel:
    """An SBML model compiled by libRoadRunner. Raises InputError where libroadrunner is not installed."""

    def __init__(self, sbml: str, outputs: Sequence[str] | None = None) -> None:
        """Load a model that reports `outputs` (default: its states)."""
        roadrunner = import_optional("roadrunner", "libroadrunner", PURPOSE)
        roadrunner.Logger.disableLogging()
        self._simulator = roadrunner.RoadRunner(sbml)
        self._simulator.integrator.maximum_num_steps = MAX_STEPS
        model = self._simulator.model
        species = model.getFloatingSpeciesIds()
        ids_with_rules = {*self._simulator.getAssignmentRuleIds(), *self._simulator.getRateRuleIds()}
        self.states = (*self._simulator.getRateRuleIds(), *(name for name in species if name not in ids_with_rules))
        self._simulator.timeCourseSelections = list(self.states if outputs is None else outputs)
        self._place = {name: i for i, name in enumerate(model.getGlobalParameterIds())}
        self._species = {name: i for i, name in enumerate(species)}

    def set_values(self, ids: Sequence[str], values: np.ndarray) -> None:
        """Reset to time 0 with these parameters and initial states; every compartment has 1 L."""
        model = self._simulator.model
        self._simulator.reset()
        value_by_id = dict(zip(ids, values.tolist(), strict=True))
        parameters = [name for name in value_by_id if name in self._place]
        species = [name for name in value_by_id if name in self._species]
        model.setGlobalParameterValues([self._place[n] for n in parameters], [value_by_id[n] for n in parameters])
        model.setFloatingSpeciesAmounts([self._species[n] for n in species], [value_by_id[n] for n in species])

    def set_tolerances(self, relative: float, absolute: Mapping[str, float]) -> None:
        """One absolute tolerance for each state: CVODE would multiply a single one by each present value."""
        self._simulator.integrator.relative_tolerance = relative
        self._simulator.integrator.absolute_tolerance = [absolute[state] for state in self.states]

    def simulate(self, times: np.ndarray, start: float = 0.0) -> np.ndarray:
        """Outputs [time, output] at `times` after `start`. Raises SolverError."""
        try:
            return np.array(self._simulator.simulate(times=[start, *times.tolist()]))[1:]
        except RuntimeError as problem:
            raise SolverError(f"libRoadRunner could not solve the model: {problem}") from None


class CopasiModel:
    """An SBML model loaded by COPASI, to be closed after use. Raises InputError where python-copasi is not
    installed.
    """

    def __init__(self, sbml: str, outputs: Sequence[str], times: np.ndarray) -> None:
        self._copasi = import_optional("COPASI", "python-copasi", PURPOSE)
        self._outputs, self._times = list(outputs), times
        self._data = self._copasi.CRootContainer.addDatamodel()
        if not self._data.importSBMLFromString(sbml):
            self.close()
            raise SolverError(f"COPASI cannot read the model: {self._copasi.CCopasiMessage.getAllMessageText()}")
        self._model, self._task = self._data.getModel(), self._data.getTask("Time-Course")
        self._task.setMethodType(self._copasi.CTaskEnum.Method_deterministic)
        self._task.getMethod().getParameter("Max Internal Steps").setUIntValue(MAX_STEPS)
        time_values = " ".join(map(repr, [0.0, *times.tolist()]))
        problem = with_fields(self._task.getProblem(), UseValues=True, Values=time_values)
        with_fields(problem, AutomaticStepSize=False, TimeSeriesRequested=True)
        self._task.setScheduled(True)

    def quantities(self, ids: Sequence[str]) -> list[Any]:
        """Handles of some parameters and states, for `set_values`."""
        values = map(self._model.getModelValue, range(self._model.getNumModelValues()))
        species = map(self._model.getMetabolite, range(self._model.getNumMetabs()))
        quantity_by_id = {quantity.getSBMLId(): quantity for quantity in (*values, *species)}
        return [quantity_by_id[name] for name in ids]

    def set_values(self, quantities: Sequence[Any], values: np.ndarray) -> None:
        """Initial values of some quantities."""
        for quantity, value in zip(quantities, values.tolist(), strict=True):
            if isinstance(quantity, self._copasi.CMetab):
                quantity.setInitialConcentration(value)  # equal to the amount: every compartment has 1 L
            else:
                quantity.setInitialValue(value)
        self._model.updateInitialValues(self._copasi.CCore.Framework_Concentration)

    def set_tolerances(self, relative: float, absolute: float) -> None:
        """COPASI takes one absolute tolerance for all states."""
        for name, value in (("Relative Tolerance", relative), ("Absolute Tolerance", absolute)):
            self._task.getMethod().getParameter(name).setDblValue(value)

    def simulate(self) -> np.ndarray:
        """Outputs [time, output]. Raises SolverError."""
        task = self._task
        if not (task.initializeRaw(self._copasi.CCopasiTask.ONLY_TIME_SERIES) and task.processRaw(True)):
            text = task.getProcessError() or self._copasi.CCopasiMessage.getAllMessageText()
            raise SolverError(f"COPASI could not solve the model: {text}")
        series = task.getTimeSeries()
        column = {series.getSBMLId(i, self._data): i for i in range(series.getNumVariables())}
        columns = [column[name] for name in self._outputs]
        times = np.array([series.getConcentrationData(k, 0) for k in range(series.getRecordedSteps())])
        # an event has two rows: take the later one
        rows = np.searchsorted(times, self._times * (1 + 1e-12), side="right") - 1
        return np.array([[series.getConcentrationData(int(k), i) for i in columns] for k in rows])

    def close(self) -> None:
        """Remove the model from COPASI, which keeps every model otherwise."""
        self._copasi.CRootContainer.removeDatamodel(self._data)


class AmiciModel:
    """An SBML model that AMICI writes as C++ and compiles, which takes minutes and needs SWIG and a C++ compiler.

    Raises InputError where AMICI is not installed or cannot compile.
    """

    def __init__(self, sbml: str, outputs: Sequence[str], times: np.ndarray) -> None:
        amici = import_optional("amici", "amici", PURPOSE)
        import_optional("amici.sim.sundials", "amici", PURPOSE)
        importer = import_optional("amici.importers.sbml", "amici", PURPOSE)
        # a process loads a module name only once
        name = f"ketamech_{short_hash(sbml, 12)}"
        self._outputs, self._folder = list(outputs), tempfile.TemporaryDirectory()
        source = Path(self._folder.name) / "model.xml"
        source.write_text(sbml, encoding="utf-8")
        options = {"simplify": None, "compute_conservation_laws": False, "generate_sensitivity_code": False}
        try:
            importer.SbmlImporter(str(source)).sbml2amici(name, source.with_name(name), **options)
        except (OSError, subprocess.CalledProcessError) as problem:
            raise InputError("AMICI could not compile the model", expected="SWIG and a C++ compiler") from problem
        self._model = amici.import_model_module(name, source.with_name(name)).get_model()
        self._model.set_timepoints(times)
        self._solver = self._model.create_solver()
        self._solver.set_max_steps(MAX_STEPS)

    def set_values(self, values: Mapping[str, float]) -> None:
        """Parameters and initial states of these ids."""
        model = self._model
        for name in set(model.get_free_parameter_ids()) & values.keys():
            model.set_free_parameter_by_id(name, values[name])
        model.set_initial_state([values[name] for name in model.get_state_ids()])

    def set_tolerances(self, relative: float, absolute: float) -> None:
        """AMICI takes one absolute tolerance for all states."""
        self._solver.set_relative_tolerance(relative)
        self._solver.set_absolute_tolerance(absolute)

    def simulate(self) -> np.ndarray:
        """Outputs [time, output]. Raises SolverError."""
        model, result = self._model, self._model.simulate(solver=self._solver)
        if result.status != 0:
            message = result.messages[-1].message if result.messages else f"status {result.status}"
            raise SolverError(f"AMICI could not solve the model: {message}")
        tables = ((model.get_state_ids(), result.x), (model.get_expression_ids(), result.w))
        columns = {
            name: curve for names, curves in tables for name, curve in zip(names, np.transpose(curves), strict=True)
        }
        constants = dict(zip(model.get_free_parameter_ids(), model.get_free_parameters(), strict=True))
        n_times = len(result.x)
        return np.stack(
            [columns.get(name, np.full(n_times, constants.get(name, np.nan))) for name in self._outputs], axis=1
        )


def require_amici() -> None:
    """Raise InputError where AMICI or a tool that it needs is not installed."""
    import_optional("amici.importers.sbml", "amici", PURPOSE)
    tools = {"swig": "SWIG", "cmake": "CMake", "c++": "a C++ compiler"}
    if missing_tools := [name for tool, name in tools.items() if shutil.which(tool) is None]:
        message = f"AMICI needs {', '.join(missing_tools)}, not found on the PATH"
        raise InputError(message, key="--amici", expected="SWIG, CMake and a C++ compiler",
                         type_this="pip install swig cmake; apt install g++")  # fmt: skip


def import_tellurium() -> Any:
    """The module of Tellurium that executes archives. Raises InputError where it is not installed."""
    return import_optional("tellurium.sedml.tesedml", "tellurium", PURPOSE)


def simulate_roadrunner(sbml: str, times: np.ndarray, ids: Sequence[str], scales: Mapping[str, float]) -> np.ndarray:
    """Curves [time, id] by CVODE, with one absolute tolerance for each state."""
    model = RoadRunnerModel(sbml, ids)
    model.set_tolerances(RELATIVE, {state: ABSOLUTE * scales.get(state, 1.0) for state in model.states})
    return model.simulate(times)


def simulate_copasi(sbml: str, times: np.ndarray, ids: Sequence[str], scales: Mapping[str, float]) -> np.ndarray:
    """Curves [time, id] by LSODA, with one absolute tolerance for all states."""
    model = CopasiModel(sbml, ids, times)
    try:
        model.set_tolerances(RELATIVE, ABSOLUTE)
        return model.simulate()
    finally:
        model.close()


def simulate_amici(sbml: str, times: np.ndarray, ids: Sequence[str], scales: Mapping[str, float]) -> np.ndarray:
    """Curves [time, id] by CVODES with a symbolic Jacobian and one absolute tolerance for all states."""
    model = AmiciModel(sbml, ids, times)
    model.set_tolerances(RELATIVE, ABSOLUTE)
    return model.simulate()


def simulate_tellurium(archive: Path, times: np.ndarray, ids: Sequence[str], scales: Mapping[str, float]) -> np.ndarray:
    """Curves [time, id] that Tellurium computes from an archive, with the tolerances of its SED-ML.

    `times` must be among those of the SED-ML. NaN for ids that it does not report, e.g. amounts of the kinetics.
    """
    try:
        (result,) = import_tellurium().executeCombineArchive(str(archive), createOutputs=False).values()
    except (OSError, RuntimeError) as problem:
        first_sentence = re.split(r"\.[ ;]", str(problem))[0]
        raise SolverError(f"Tellurium could not execute the archive: {first_sentence}") from None
    courses = [name.removeprefix("task_") for name in SedmlFile(archive).courses()]
    curves = {name: np.asarray(values)[:, 0] for name, values in result["dataGenerators"].items()}
    reported = np.concatenate([curves[f"{course}_time"] for course in courses])
    order = np.argsort(reported)
    rows = order[np.searchsorted(reported, times - CLOSE, sorter=order)]
    if np.abs(reported[rows] - times).max() > CLOSE:
        raise SolverError("Tellurium reports other times than the SED-ML of the archive")
    found = np.full((len(times), len(ids)), np.nan)
    for i, name in enumerate(ids):
        if f"{courses[0]}_{name}" in curves:
            found[:, i] = np.concatenate([curves[f"{course}_{name}"] for course in courses])[rows]
    return found


ENGINES: Mapping[str, Simulate] = {"libRoadRunner": simulate_roadrunner, "COPASI": simulate_copasi}
SLOW_ENGINES: Mapping[str, Simulate] = {"AMICI": simulate_amici}
ARCHIVE_ENGINES: Mapping[str, Simulate] = {"Tellurium": simulate_tellurium}  # from the archive, only what it reports
CLOSE = 1e-6  # h between a time of an archive and a reported time


MAX_DIFFERENCE = 1e-4  # of each output's scale
REFERENCE = "racemic 0.5 mg/kg IV over 40 min"  # changes every output, so that no scale is rounding error
PACKAGES = ("ketamech", "libroadrunner", "python-copasi", "python-libsbml", "python-libsedml", "python-libcombine")
OWN_PACKAGES = {"AMICI": "amici", "Tellurium": "tellurium"}  # needed only for this simulator
COLUMNS = ("scenario", "output", "engine", "difference", "hour", "unit", "scale")
VERSION, FAILURE = "version of ", "failure of "  # beginnings of keys in the metadata


@dataclass(frozen=True)
class CrossSimulatorCheck:
    """The `table` of differences (columns COLUMNS; a difference is a share of the scale of its output), and versions.

    `failures`: the reason, by scenario and simulator, where an archive could not be executed.
    """

    table: pd.DataFrame
    versions: Mapping[str, str]
    fingerprint: str
    failures: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def largest(self) -> float:
        """The largest difference; NaN where a simulator gave no number."""
        return float(self.table["difference"].max(skipna=False))

    @property
    def within_goal(self) -> bool:
        """Whether every difference is within the goal."""
        return self.largest <= MAX_DIFFERENCE

    @property
    def metadata(self) -> dict[str, str]:
        """Versions of the packages and failures, as metadata of the table."""
        failures = {f"{FAILURE}{scenario}, {engine}": reason for (scenario, engine), reason in self.failures.items()}
        return {f"{VERSION}{name}": version for name, version in self.versions.items()} | failures


def largest_differences(table: pd.DataFrame) -> pd.DataFrame:
    """One row per scenario and engine: the largest difference (NaN before all), its output and hour."""
    size = table["difference"].fillna(np.inf)
    largest = size.groupby([table["scenario"], table["engine"]], sort=False).idxmax()
    return table.loc[largest, ["scenario", "engine", "difference", "output", "hour"]]


def package_versions(engines: Iterable[str]) -> dict[str, str]:
    """The versions of the packages that a comparison with these engines uses."""
    packages = (*PACKAGES, *(OWN_PACKAGES[engine] for engine in engines if engine in OWN_PACKAGES))
    return {package: package_version(package) for package in packages}


def compare_simulators(
    scenarios: Mapping[str, Scenario], model: Model, folder: Path, *, engines: Mapping[str, Simulate] = ENGINES,
    executor: Executor = LOCAL_EXECUTOR, progress: Callable[[str], None] = lambda line: None,
) -> CrossSimulatorCheck:  # fmt: skip
    """Write the archive of each scenario into `folder`, simulate it in each engine, and compare with KetaMech."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, scenario in scenarios.items():
        progress(f"{name}: writing the archive")
        write_archive(folder / f"{name}.omex", build_archive(scenario, model))
    paths = [folder / f"{name}.omex" for name in scenarios]
    return compare_archives(paths, model, engines=engines, executor=executor, progress=progress)


def compare_archives(
    paths: Iterable[Path], model: Model, *, engines: Mapping[str, Simulate] = ENGINES,
    executor: Executor = LOCAL_EXECUTOR, progress: Callable[[str], None] = lambda line: None,
) -> CrossSimulatorCheck:  # fmt: skip
    """Simulate existing archives in each engine and compare with KetaMech.

    A unit of the `executor` is one archive in one engine. Raises InputError for an archive without the scenario and
    the simulation that `ketamech export` writes.
    """
    archives = {path.stem: _KetaMechCurves.of_archive(path, model) for path in paths}
    reference = load_scenario(REFERENCE, model.parameters)
    largest = _KetaMechCurves.of(reference, model, [course.times for course in time_courses(reference.horizon)])
    scales = _scales(model, [*archives.values(), largest])
    cases = {f"{name}-{engine}": (name, engine) for name in archives for engine in engines}

    def differences(case: tuple[str, str]) -> Arrays:
        progress(f"{case[1]}: {archives[case[0]].label}")
        return _differences(archives[case[0]], model, scales, engines[case[1]], case[1] in ARCHIVE_ENGINES)

    names, units, found = model.layout.output_names, model.layout.units, list[tuple[object, ...]]()
    failures: dict[tuple[str, str], str] = {}
    for (name, engine), result in zip(cases.values(), executor.map(cases, differences), strict=True):
        if "failure" in result:
            failures[name, engine] = str(result["failure"])
            continue
        for i, difference, hour in zip(result["output"], result["difference"], result["hour"], strict=True):
            output = names[int(i)]
            found.append((name, output, engine, float(difference), float(hour), units[output], scales[output]))
    table = pd.DataFrame(found, columns=list(COLUMNS))
    return CrossSimulatorCheck(table, package_versions(engines), model.layout.fingerprint, failures)


@dataclass(frozen=True)
class _KetaMechCurves:
    """The curves of KetaMech for a scenario at the times of its simulation, and the SBML text of its archive."""

    label: str
    times: np.ndarray
    curves: xr.Dataset
    path: Path
    sbml: str = ""

    @classmethod
    def of(
        cls, scenario: Scenario, model: Model, grids: Iterable[np.ndarray], path: Path = Path(), sbml: str = ""
    ) -> _KetaMechCurves:
        treated = subjects(scenario, model)[0]
        times = compared_times(treated, grids)
        return cls(treated.label, times, run_subjects(model, [treated], times, tolerance=TOLERANCE), path, sbml)

    @classmethod
    def of_archive(cls, path: Path, model: Model) -> _KetaMechCurves:
        simulation = SedmlFile(path)
        text = (simulation.files or {}).get(SCENARIO)
        if text is None:
            raise InputError(f"the archive holds no {SCENARIO}", file=path, expected="what ketamech export writes")
        scenario = scenario_from_text(text, model.parameters, f"{path.stem}:{SCENARIO}")
        courses = simulation.courses().values()
        return cls.of(scenario, model, [course.times for course in courses], path, simulation.first_model())


def _scales(model: Model, scenarios: Iterable[_KetaMechCurves]) -> dict[str, float]:
    """The scale of each output: declared for states, otherwise the largest value in any scenario or the reference."""
    declared, curves = {state.name: state.scale for state in model.layout.states}, [item.curves for item in scenarios]
    names = model.layout.output_names
    largest = {name: max(float(np.abs(dataset[name].values).max()) for dataset in curves) for name in names}
    return {name: declared.get(name) or largest[name] or 1.0 for name in names}


def _differences(
    own: _KetaMechCurves, model: Model, scales: Mapping[str, float], simulate: Simulate, from_archive: bool
) -> Arrays:
    """The place of each output among those of the model, its largest difference, and when; only what is reported.

    The reason (`failure`) where an archive cannot be executed: its solver and tolerances are part of it.
    """
    names = model.layout.output_names
    ids, source = {name: sbml_id(name) for name in names}, own.path if from_archive else own.sbml
    try:
        other_values = simulate(
            source, own.times, list(ids.values()), {ids[name]: scale for name, scale in scales.items()}
        )
    except SolverError as problem:
        if not from_archive:
            raise
        return {"failure": np.array(str(problem))}
    own_values = np.stack([own.curves[name].values[0] for name in names], axis=1)
    differences = np.abs(own_values - other_values) / np.array([scales[name] for name in names])
    worst_times = np.argmax(np.where(np.isnan(differences), np.inf, differences), axis=0)
    largest = np.take_along_axis(differences, worst_times[None, :], axis=0)[0]
    compared = np.flatnonzero(~np.isnan(other_values).all(axis=0)) if from_archive else np.arange(len(names))
    return {"output": compared, "difference": largest[compared], "hour": own.times[worst_times[compared]]}


def compared_times(subject: Subject, grids: Iterable[np.ndarray]) -> np.ndarray:
    """The times of all grids above 0, except the exact times of dose events."""
    times = np.unique(np.round(np.concatenate(list(grids)), 9))
    times = times[times > 0]
    event_times = np.array([t for e in subject.events for t in (e.time, e.time + e.duration)] or [-1.0])
    return times[np.abs(times[:, None] - event_times).min(axis=1) > 1e-7]
