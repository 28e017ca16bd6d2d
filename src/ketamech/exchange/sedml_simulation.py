"""Reads SED-ML files and archives, also of other programs, and simulates what they report.

Read are uniform time courses, single steps and steady states of SBML models, repeated tasks, changes of attributes,
data generators and columns of CSV files; other tasks, changes and languages are refused by name where a report or a
plot uses them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ketamech.core import InputError
from ketamech.core.atomic_files import read_text
from ketamech.exchange.document_libraries import libsbml, libsedml
from ketamech.exchange.omex import TIME, read_archive
from ketamech.exchange.sbml.importer import import_sbml
from ketamech.exchange.sbml.mathml import TIME as MATH_TIME
from ketamech.exchange.sbml.mathml import Formulas
from ketamech.exchange.sbml.model_editor import ModelEditor, changed_sbml, element_of, ids_of, steady_state
from ketamech.exchange.sbml.sbml_model import STAGE, compile_vector
from ketamech.exchange.sbml.simulate import TIME as TIME_KEY
from ketamech.exchange.sbml.simulate import newton_steady_state, simulate_imported
from ketamech.model.stage import symbol

ARCHIVE = ".omex"
TOLERANCE = 1e-9
OTHER_ALGORITHMS = {  # KiSAO numbers
    "a stochastic simulation": ("27", "29", "38", "39", "40", "45", "51", "241", "278", "329", "330", "333"),
    "a flux balance": ("437", "526", "527", "528"),
}
_BIOMODEL = re.compile(r"(?:BIOMD|MODEL)\d{10}")  # in an address of the BioModels database
EXPECTED = "time courses and steady states of SBML models"
MAX_RUNS = 20_000  # of a repeated task


@dataclass(frozen=True)
class SimulatedCourse:
    """A time course: SBML text with all changes, start and output times in its unit; no times: a steady state."""

    model: str
    start: float
    times: np.ndarray


@dataclass(frozen=True)
class SimulatedRun:
    """A time course and its curves {id: values}; a repeated task has one for each iteration and subtask."""

    course: SimulatedCourse
    curves: Mapping[str, np.ndarray]


class _ModelStates:
    """The present content and time of each model during a task; `final_values`: final values of its last run."""

    def __init__(self) -> None:
        self.models, self.times = dict[str, ModelEditor](), dict[str, float]()
        self.final_values = dict[str, Mapping[str, float]]()

    def take(self, other: _ModelStates) -> _ModelStates:
        """Copy the states of `other`; returns this object."""
        self.models, self.times, self.final_values = dict(other.models), dict(other.times), dict(other.final_values)
        return self


class SedmlFile:
    """A SED-ML file, or that of an archive, and the models that it names. Raises InputError for another file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._scales: dict[str, dict[str, float]] = {}
        self.files = read_archive(path) if path.suffix.lower() == ARCHIVE else None
        text = read_text(path, "SED-ML") if self.files is None else self._main()
        self.document = libsedml().readSedMLFromString(text)
        errors = [self.document.getError(i) for i in range(self.document.getNumErrors())]
        severe = [error for error in errors if error.getSeverity() >= libsedml().LIBSEDML_SEV_ERROR]
        if severe or not self.document.getNumModels():
            reason = " ".join(severe[0].getMessage().split())[:200] if severe else "it has no model"
            raise InputError(f"this is no SED-ML with a model: {reason}", file=path, expected=EXPECTED)

    def _main(self) -> str:
        assert self.files is not None
        names = [name for name, text in self.files.items() if "<sedML" in text[:2000] or name.endswith(".sedml")]
        if not names:
            raise InputError("the archive holds no SED-ML", expected="a file ending in .sedml")
        self.folder = str(Path(names[0]).parent)
        return self.files[names[0]]

    def first_model(self) -> str:
        """The text of the first model, with its changes."""
        return self._model(self.document.getModel(0).getId())

    @property
    def horizon(self) -> float:
        """The last simulated time. Raises InputError where nothing is simulated."""
        simulations = [self.document.getSimulation(i) for i in range(self.document.getNumSimulations())]
        ends = [
            simulation.getOutputEndTime()
            for simulation in simulations
            if simulation.getElementName() == "uniformTimeCourse"
        ]
        if not ends:
            raise InputError("nothing is simulated", expected="a uniform time course")
        return float(max(ends))

    def _simple_course(self, task: Any, text: str, start_time: float) -> SimulatedCourse:
        """The time course of a task that is not repeated. Raises InputError for another kind of simulation."""
        name, simulation = task.getId(), self.document.getSimulation(task.getSimulationReference())
        kind = "missing" if simulation is None else simulation.getElementName()
        if kind not in ("uniformTimeCourse", "oneStep", "steadyState"):
            message = f"the simulation of '{name}' is {kind if simulation is None else f'a {kind}'}"
            raise InputError(message, key=name, expected=EXPECTED)
        algorithm = simulation.getAlgorithm().getKisaoID() if simulation.isSetAlgorithm() else ""
        number = re.sub(r"\D+0*", "", algorithm)
        if method := next((title for title, numbers in OTHER_ALGORITHMS.items() if number in numbers), None):
            raise InputError(f"'{name}' is {method} ({algorithm})", expected=EXPECTED)
        if kind == "steadyState":
            return SimulatedCourse(text, start_time, np.empty(0))
        if kind == "oneStep":
            if not 0 < simulation.getStep() < np.inf:
                raise InputError(f"'{name}' has a step of {simulation.getStep():g}", expected="a step above 0")
            return SimulatedCourse(text, start_time, np.array([start_time + simulation.getStep()]))
        steps = simulation.getNumberOfSteps()
        if not 0 < steps <= MAX_STEPS:
            raise InputError(f"'{name}' has {steps} steps", expected=f"at most {MAX_STEPS:,} steps")
        begin, end = simulation.getOutputStartTime(), simulation.getOutputEndTime()
        start, times = simulation.getInitialTime(), np.linspace(begin, end, steps + 1)
        if not (np.isfinite(times).all() and start <= begin < end):
            raise InputError(f"'{name}' has times that do not rise", expected="a start before the end")
        return SimulatedCourse(text, start, times)

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks that a report or a plot uses. Raises InputError where there is none."""
        used: dict[str, None] = {}
        for _, sources in self._outputs():
            for generator in map(self.document.getDataGenerator, sources.values()):
                variables = [generator.getVariable(i) for i in range(generator.getNumVariables())] if generator else []
                used |= dict.fromkeys(
                    variable.getTaskReference() for variable in variables if not variable.getTarget().startswith("#")
                )
        if not used:
            raise InputError("nothing is reported or plotted", file=self.path, expected="a report")
        if "" in used:
            raise InputError("a data generator reads no task", expected=EXPECTED)
        return tuple(used)

    def courses(self) -> dict[str, SimulatedCourse]:
        """The time course of each used task, without running them. Raises InputError for repeated tasks."""
        courses = {}
        for name in self.tasks:
            task = self._task(name)
            if task.getElementName() != "task":
                raise InputError(f"'{name}' is a {task.getElementName()}", key=name, expected="a single task")
            courses[name] = self._simple_course(task, self._model(task.getModelReference()), 0.0)
        return courses

    def _task(self, name: str) -> Any:
        task = self.document.getTask(name)
        kind = "no task of this file" if task is None else f"a {task.getElementName()}"
        if kind not in ("a task", "a repeatedTask"):
            raise InputError(f"'{name}' is {kind}", key=name, expected=EXPECTED)
        return task

    @cached_property
    def runs(self) -> dict[str, tuple[SimulatedRun, ...]]:
        """The runs of each used task. Raises InputError and SolverError."""
        runs_by_task = {}
        for name in self.tasks:
            runs = []
            for run in self._execute(name, _ModelStates(), ()):
                runs.append(run)
                if len(runs) > MAX_RUNS:
                    raise InputError(f"'{name}' has more than {MAX_RUNS:,} runs", key=name, expected="fewer")
            if not runs:
                raise InputError(f"'{name}' runs nothing", key=name, expected="a range with values and a subtask")
            runs_by_task[name] = tuple(runs)
        return runs_by_task

    def _execute(self, name: str, states: _ModelStates, enclosing: tuple[str, ...]) -> Iterator[SimulatedRun]:
        """The runs of a task, which leave the models in their final states."""
        task = self._task(name)
        if name in enclosing:
            raise InputError(f"'{name}' repeats itself", key=name, expected="a task without a loop")
        if task.getElementName() == "task":
            model = task.getModelReference()
            course = self._simple_course(task, self._present(model, states).text, states.times.get(model, 0.0))
            run = SimulatedRun(course, self._curves(course, model))
            values = {name: float(curve[-1]) for name, curve in run.curves.items()}
            states.final_values[model], states.times[model] = values, values[TIME_KEY]
            yield run
            return
        saved = _ModelStates().take(states)
        subtasks = sorted((task.getSubTask(i) for i in range(task.getNumSubTasks())), key=lambda one: one.getOrder())
        if any(subtask.getNumTaskChanges() for subtask in subtasks):
            raise InputError(f"a subtask of '{name}' changes values", key=name, expected="changes of the repeated task")
        for range_values in self._iterations(task, states):
            if task.getResetModel():
                states.take(saved)
            for change in (task.getTaskChange(i) for i in range(task.getNumTaskChanges())):
                self._set_value(change, range_values(), states)
            for subtask in subtasks:
                yield from self._execute(subtask.getTask(), states, (*enclosing, name))

    def _present(self, model: str, states: _ModelStates) -> ModelEditor:
        """The present content of a model, which continues where its last run ended."""
        if model in states.final_values:
            editor = ModelEditor(states.models[model].document)
            editor.continue_from(states.final_values.pop(model))
            states.models[model] = editor
        elif model not in states.models:
            states.models[model] = ModelEditor.of_text(self._model(model))
            states.models[model].show_triggers()
        return states.models[model]

    def _curves(self, course: SimulatedCourse, model: str) -> Mapping[str, np.ndarray]:
        imported = import_sbml(self.path, course.model, start=course.start)
        first_scales = self._scales.setdefault(model, imported.scales)
        if first_scales.keys() == imported.scales.keys():
            imported.scales = first_scales  # other scales would need another compilation
        if len(course.times):
            return simulate_imported(imported, course.times, tolerance=TOLERANCE)
        steady_values = newton_steady_state(imported) or steady_state(
            lambda times: simulate_imported(imported, times, tolerance=TOLERANCE), course.start
        )
        return {name: np.array([value]) for name, value in steady_values.items()}

    def _iterations(self, task: Any, states: _ModelStates) -> Iterator[Callable[[], dict[str, float]]]:
        """A function for each iteration that gives the values of the ranges, from the present states."""
        ranges = {element.getId(): element for element in (task.getRange(i) for i in range(task.getNumRanges()))}
        fixed = {name: values for name, element in ranges.items() if (values := _fixed_range(element)) is not None}
        main = task.getRangeId()
        while main in ranges and main not in fixed and ranges[main].getRange() != main:
            main = ranges[main].getRange()
        if main not in fixed:
            raise InputError(f"'{task.getId()}' has no range '{main}'", key=task.getId(), expected="a range")
        if short := next((name for name, values in fixed.items() if len(values) < len(fixed[main])), None):
            raise InputError(f"range '{short}' has fewer values than '{main}'", key=short, expected="as many")
        for i in range(len(fixed[main])):

            def values_at(i: int = i) -> dict[str, float]:
                range_values = {name: float(all_values[i]) for name, all_values in fixed.items()}
                for name, element in ranges.items():
                    if name not in fixed:
                        range_values[name] = self._number(element, range_values, states)
                return range_values

            yield values_at

    def _number(self, element: Any, range_values: Mapping[str, float], states: _ModelStates) -> float:
        """The value of the formula of a range or a change, whose variables are present values of models."""
        values, name = dict(range_values), element.getId() or element.getElementName()
        for parameter in (element.getParameter(i) for i in range(element.getNumParameters())):
            values[parameter.getId()] = parameter.getValue()
        for variable in (element.getVariable(i) for i in range(element.getNumVariables())):
            target = ids_of(variable.getTarget())[-1:] or [variable.getTarget()]
            start = import_sbml(self.path, self._present(variable.getModelReference(), states).text).values_at_start
            if f"{STAGE}.{target[0]}" not in start:
                raise InputError(f"'{name}' reads {target[0]}, which is not in the model", key=name)
            values[variable.getId()] = start[f"{STAGE}.{target[0]}"]
        return float(_evaluated(element, {key: np.array(value) for key, value in values.items()}, f"'{name}'"))

    def _set_value(self, change: Any, range_values: Mapping[str, float], states: _ModelStates) -> None:
        """Set a value of a model. Raises InputError for a target that cannot be set."""
        target, model = change.getTarget(), change.getModelReference()
        if change.getElementName() != "setValue":
            raise InputError(f"a repeated task has a {change.getElementName()}", expected="setValue")
        value, editor = self._number(change, range_values, states), ModelEditor(self._present(model, states).document)
        ids = ids_of(target)
        local_parameter = element_of(editor.model, ids, target) if len(ids) == 2 else None
        if local_parameter is not None:
            local_parameter.setValue(value)
        elif not ids or ids[-1] in editor.assigned or not editor.set_value(ids[-1], value):
            raise InputError(
                f"a repeated task sets {target[:80]}", expected="a value that no rule of the model computes"
            )
        states.models[model] = editor

    def reports(self) -> dict[str, pd.DataFrame]:
        """The values of each report, or of each plot where there is no report; those of repeated tasks one after
        another, in the order of the iterations."""
        tables = {}
        for name, sources in self._outputs() if self.tasks else ():
            columns = {label: self._values(source) for label, source in sources.items()}
            tables[name] = pd.DataFrame({label: pd.Series(values) for label, values in columns.items()})
        return tables

    def _outputs(self) -> Iterator[tuple[str, dict[str, str]]]:
        """(id, {label: data generator}) of each report, or of each plot where there is no report."""
        outputs = [self.document.getOutput(i) for i in range(self.document.getNumOutputs())]
        reports = [output for output in outputs if output.getElementName() == "report"]
        for report in reports:
            data_sets = [report.getDataSet(i) for i in range(report.getNumDataSets())]
            yield report.getId(), {item.getLabel() or item.getId(): item.getDataReference() for item in data_sets}
        for output in outputs if not reports else ():
            curves = (
                [output.getCurve(i) for i in range(output.getNumCurves())]
                if output.getElementName() == "plot2D"
                else []
            )
            ids = [id_ for item in curves for id_ in (item.getXDataReference(), item.getYDataReference())]
            yield output.getId(), {id_: id_ for id_ in ids}

    def _values(self, name: str) -> np.ndarray:
        """The values of a data generator."""
        generator = self.document.getDataGenerator(name)
        values_by_id: dict[str, np.ndarray] = {}
        for variable in (generator.getVariable(i) for i in range(generator.getNumVariables())) if generator else ():
            if variable.getTarget().startswith("#"):
                values_by_id[variable.getId()] = self._measured(variable.getTarget()[1:])
                continue
            target = ids_of(variable.getTarget())[-1:] or [
                TIME_KEY if variable.getSymbol() == TIME else variable.getSymbol()
            ]
            curve_parts = [run.curves for run in self.runs[variable.getTaskReference()]]
            if any(target[0] not in run_curves for run_curves in curve_parts):
                raise InputError(f"'{name}' reads {target[0] or variable.getTarget()}, which is not computed", key=name)
            values_by_id[variable.getId()] = np.concatenate([run_curves[target[0]] for run_curves in curve_parts])
        for parameter in (generator.getParameter(i) for i in range(generator.getNumParameters())) if generator else ():
            values_by_id[parameter.getId()] = np.array(parameter.getValue())
        if not values_by_id or generator.getMath() is None:
            raise InputError(f"there is no data generator '{name}' with variables", key=name)
        if len({len(array) for array in values_by_id.values() if array.ndim}) > 1:
            raise InputError(f"'{name}' joins values of different numbers of times", key=name, expected="one task")
        return _evaluated(generator, values_by_id, f"data generator '{name}'")

    def _measured(self, identifier: str) -> np.ndarray:
        """The column of a CSV file that a data source names. Raises InputError for another kind of data."""
        for entry in (self.document.getDataDescription(i) for i in range(self.document.getNumDataDescriptions())):
            source = entry.getDataSource(identifier)
            if source is None:
                continue
            if "csv" not in entry.getFormat().lower() or source.getNumSlices() != 1:
                message = f"data source '{identifier}' is no column of a CSV file ({entry.getFormat() or 'no format'})"
                raise InputError(message, key=identifier, expected="format urn:sedml:format:csv and one slice")
            column = source.getSlice(0).getValue()
            try:
                table = pd.read_csv(io.StringIO(self._file(entry.getSource())), comment="#", skipinitialspace=True)
                return table[column].to_numpy(dtype=float)
            except (KeyError, ValueError) as problem:
                message = f"{entry.getSource()} has no column '{column}' of numbers"
                raise InputError(message, key=identifier, expected="a CSV file with a header") from problem
        raise InputError(f"there is no data source '{identifier}'", key=identifier, expected="a listOfDataSources")

    def _model(self, identifier: str, enclosing: tuple[str, ...] = ()) -> str:
        """SBML text of a model with its changes; a model may be another one of the file with more changes."""
        model = self.document.getModel(identifier)
        if model is None or identifier in enclosing:
            raise InputError(f"there is no model '{identifier}'", key=identifier, expected=EXPECTED)
        if model.getLanguage() and "sbml" not in model.getLanguage().lower():
            raise InputError(f"'{identifier}' is a model in {model.getLanguage()}", key=identifier, expected=EXPECTED)
        source = model.getSource()
        other_model = source.removeprefix("#")
        if source.startswith("#") or self.document.getModel(other_model) is not None:
            text = self._model(other_model, (*enclosing, identifier))
        else:
            text = self._file(source)
        return changed_sbml(text, [model.getChange(i) for i in range(model.getNumChanges())])

    def _file(self, source: str) -> str:
        name = source.removeprefix("./")
        if "://" in name or name.startswith("urn:"):
            identifier = _BIOMODEL.search(name)
            local_copy = self.path.parent / f"{identifier[0] if identifier else ''}.xml"
            if not identifier or not local_copy.is_file():
                expected = f"the model beside this file{f', as {local_copy.name}' if identifier else ''}"
                raise InputError(f"the model is at an address ({name[:80]})", expected=expected)
            return read_text(local_copy, "an SBML model")
        if Path(name).is_absolute() or (self.files is None and ".." in Path(name).parts):
            raise InputError(f"'{name}' is not beside this file", expected="a file in its folder")
        if self.files is None:
            return read_text(self.path.parent / name, "an SBML model")
        paths = (str(Path(self.folder) / name), name)
        text = next((self.files[path] for path in paths if path in self.files), None)
        if text is None:
            raise InputError(f"the archive holds no text '{name}'", expected="the model that its SED-ML names")
        return text


MAX_STEPS = 1_000_000


def _fixed_range(range_element: Any) -> np.ndarray | None:
    """The values of a uniform range or a vector; None for a functional range. Raises InputError for others."""
    kind, name = range_element.getElementName(), range_element.getId()
    if kind == "functionalRange":
        return None
    if kind == "vectorRange":
        return np.array(list(range_element.getValues()), dtype=float)
    if kind != "uniformRange":
        raise InputError(f"'{name}' is a {kind}", key=name, expected="a uniform, vector or functional range")
    start, end, steps = range_element.getStart(), range_element.getEnd(), range_element.getNumberOfSteps()
    is_log = range_element.getType().lower().startswith("log")
    if not (0 <= steps <= MAX_RUNS and np.isfinite([start, end]).all()) or (is_log and not min(start, end) > 0):
        raise InputError(f"range '{name}' has {steps} steps from {start:g} to {end:g}", key=name, expected="numbers")
    return np.asarray((np.geomspace if is_log else np.linspace)(start, end, steps + 1))


def _evaluated(element: Any, values: Mapping[str, np.ndarray], label: str) -> np.ndarray:
    """The formula of an element at values by id. Raises InputError for a formula that cannot be read."""
    if element.getMath() is None:
        raise InputError(f"{label} has no formula", expected="MathML")
    node = libsbml().parseL3Formula(libsbml().formulaToL3String(element.getMath()))
    symbols = {name: symbol(name) for name in values}
    if TIME_KEY in values:
        symbols[MATH_TIME] = symbols[TIME_KEY]  # a formula that was written as text and read takes an id for the clock
    formula = Formulas(libsbml(), symbols, {}, label).value(node)
    arrays = np.broadcast_arrays(*values.values()) if values else [np.array(0.0)]
    return np.array(np.broadcast_to(compile_vector(formula, list(values))(np.array(arrays)), arrays[0].shape))
