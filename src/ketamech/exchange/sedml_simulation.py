"""Reads SED-ML files and archives, also of other programs, and simulates what they report.

Read are uniform time courses of SBML models, changes of attributes, and data generators; other tasks, changes and
languages are refused by name where a report or a plot uses them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ketamech.core import InputError
from ketamech.core.atomic_files import read_text
from ketamech.exchange.omex import TIME, read_archive
from ketamech.exchange.optional_libraries import libsbml, libsedml
from ketamech.exchange.sbml.importer import import_sbml
from ketamech.exchange.sbml.mathml import Formulas
from ketamech.exchange.sbml.sbml_model import compile_vector
from ketamech.exchange.sbml.simulate import simulate_imported
from ketamech.model.stage import symbol

ARCHIVE = ".omex"
TOLERANCE = 1e-9
STOCHASTIC = ("27", "29", "38", "39", "40", "45", "51", "241", "278", "329", "330", "333")  # KiSAO numbers
_ID = re.compile(r"\[\s*@id\s*=\s*['\"](\w+)['\"]\s*\]")
_ATTRIBUTE = re.compile(r"/@(?:\w+:)?(\w+)\Z")
EXPECTED = "uniform time courses of SBML models"


@dataclass(frozen=True)
class SimulatedCourse:
    """A uniform time course: SBML text with all changes, start and output times, in the unit of the model."""

    model: str
    start: float
    times: np.ndarray


class SedmlFile:
    """A SED-ML file, or that of an archive, and the models that it names. Raises InputError for another file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = read_archive(path) if path.suffix.lower() == ARCHIVE else None
        text = read_text(path, "SED-ML") if self.files is None else self._main()
        self.document = libsedml().readSedMLFromString(text)
        errors = [self.document.getError(i) for i in range(self.document.getNumErrors())]
        severe = [one for one in errors if one.getSeverity() >= libsedml().LIBSEDML_SEV_ERROR]
        if severe or not self.document.getNumModels():
            why = " ".join(severe[0].getMessage().split())[:200] if severe else "it has no model"
            raise InputError(f"this is no SED-ML with a model: {why}", file=path, expected=EXPECTED)

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
        ends = [one.getOutputEndTime() for one in simulations if one.getElementName() == "uniformTimeCourse"]
        if not ends:
            raise InputError("nothing is simulated", expected="a uniform time course")
        return float(max(ends))

    def course(self, task_name: str) -> SimulatedCourse:
        """The time course of a task. Raises InputError for another kind of task or simulation."""
        task = self.document.getTask(task_name)
        if task is None or task.getElementName() != "task":
            kind = "no task of this file" if task is None else f"a {task.getElementName()}"
            raise InputError(f"'{task_name}' is {kind}", key=task_name, expected=EXPECTED)
        simulation = self.document.getSimulation(task.getSimulationReference())
        if simulation is None or simulation.getElementName() != "uniformTimeCourse":
            kind = "missing" if simulation is None else f"a {simulation.getElementName()}"
            raise InputError(f"the simulation of '{task_name}' is {kind}", key=task_name, expected=EXPECTED)
        algorithm = simulation.getAlgorithm().getKisaoID() if simulation.isSetAlgorithm() else ""
        if re.sub(r"\D+0*", "", algorithm) in STOCHASTIC:
            raise InputError(f"'{task_name}' is a stochastic simulation ({algorithm})", expected=EXPECTED)
        steps = simulation.getNumberOfSteps()
        if not 0 < steps <= MAX_STEPS:
            raise InputError(f"'{task_name}' has {steps} steps", expected=f"at most {MAX_STEPS:,} steps")
        begin, end = simulation.getOutputStartTime(), simulation.getOutputEndTime()
        start, times = simulation.getInitialTime(), np.linspace(begin, end, steps + 1)
        if not (np.isfinite(times).all() and start <= begin < end):
            raise InputError(f"'{task_name}' has times that do not rise", expected="a start before the end")
        return SimulatedCourse(self._model(task.getModelReference()), start, times)

    def courses(self) -> dict[str, SimulatedCourse]:
        """The time course of each task that a report or a plot uses."""
        used: dict[str, None] = {}
        for _, sources in self._outputs():
            for generator in map(self.document.getDataGenerator, sources.values()):
                variables = [generator.getVariable(i) for i in range(generator.getNumVariables())] if generator else []
                if any(not one.getTaskReference() for one in variables):
                    raise InputError("a data generator reads no task (e.g. measured data)", expected=EXPECTED)
                used |= dict.fromkeys(one.getTaskReference() for one in variables)
        if not used:
            raise InputError("nothing is reported or plotted", file=self.path, expected="a report")
        return {task: self.course(task) for task in used}

    def reports(self) -> dict[str, pd.DataFrame]:
        """The values of each report, or of each plot where there is no report."""
        courses = self.courses()

        @cache
        def curves(task: str) -> Mapping[str, np.ndarray]:
            one = courses[task]
            model = import_sbml(self.path, one.model, start=one.start)
            return simulate_imported(model, one.times, tolerance=TOLERANCE)

        found = {}
        for name, sources in self._outputs():
            columns = {label: self._values(source, curves) for label, source in sources.items()}
            found[name] = pd.DataFrame({label: pd.Series(values) for label, values in columns.items()})
        return found

    def _outputs(self) -> Iterator[tuple[str, dict[str, str]]]:
        """(id, {label: data generator}) of each report, or of each plot where there is no report."""
        outputs = [self.document.getOutput(i) for i in range(self.document.getNumOutputs())]
        reports = [one for one in outputs if one.getElementName() == "report"]
        for one in reports:
            sets = [one.getDataSet(i) for i in range(one.getNumDataSets())]
            yield one.getId(), {each.getLabel() or each.getId(): each.getDataReference() for each in sets}
        for one in outputs if not reports else ():
            curves = [one.getCurve(i) for i in range(one.getNumCurves())] if one.getElementName() == "plot2D" else []
            sides = [side for each in curves for side in (each.getXDataReference(), each.getYDataReference())]
            yield one.getId(), {side: side for side in sides}

    def _values(self, name: str, curves: Any) -> np.ndarray:
        """The values of a data generator."""
        generator = self.document.getDataGenerator(name)
        known: dict[str, np.ndarray] = {}
        for one in (generator.getVariable(i) for i in range(generator.getNumVariables())) if generator else ():
            found = curves(one.getTaskReference())
            target = _ID.findall(one.getTarget())[-1:] or ["time" if one.getSymbol() == TIME else one.getSymbol()]
            if target[0] not in found:
                raise InputError(f"'{name}' reads {target[0] or one.getTarget()}, which is not computed", key=name)
            known[one.getId()] = found[target[0]]
        for one in (generator.getParameter(i) for i in range(generator.getNumParameters())) if generator else ():
            known[one.getId()] = np.array(one.getValue())
        if not known or generator.getMath() is None:
            raise InputError(f"there is no data generator '{name}' with variables", key=name)
        math = libsbml().parseL3Formula(libsbml().formulaToL3String(generator.getMath()))
        formula = Formulas(libsbml(), {n: symbol(n) for n in known}, {}, f"data generator '{name}'").value(math)
        sizes = np.broadcast_arrays(*known.values())
        return np.array(np.broadcast_to(compile_vector(formula, list(known))(np.array(sizes)), sizes[0].shape))

    def _model(self, identifier: str, within: tuple[str, ...] = ()) -> str:
        """SBML text of a model with its changes; a model may be another one of the file with more changes."""
        model = self.document.getModel(identifier)
        if model is None or identifier in within:
            raise InputError(f"there is no model '{identifier}'", key=identifier, expected=EXPECTED)
        if model.getLanguage() and "sbml" not in model.getLanguage().lower():
            raise InputError(f"'{identifier}' is a model in {model.getLanguage()}", key=identifier, expected=EXPECTED)
        source = model.getSource()
        other = source.removeprefix("#")
        if source.startswith("#") or self.document.getModel(other) is not None:
            text = self._model(other, (*within, identifier))
        else:
            text = self._file(source)
        return changed_sbml(text, [model.getChange(i) for i in range(model.getNumChanges())])

    def _file(self, source: str) -> str:
        name = source.removeprefix("./")
        if "://" in name or name.startswith("urn:"):
            raise InputError(f"the model is at an address ({name[:80]})", expected="a model beside the SED-ML")
        if Path(name).is_absolute() or (self.files is None and ".." in Path(name).parts):
            raise InputError(f"'{name}' is not beside this file", expected="a file in its folder")
        if self.files is None:
            return read_text(self.path.parent / name, "an SBML model")
        places = (str(Path(self.folder) / name), name)
        found = next((self.files[place] for place in places if place in self.files), None)
        if found is None:
            raise InputError(f"the archive holds no text '{name}'", expected="the model that its SED-ML names")
        return found


MAX_STEPS = 1_000_000


def changed_sbml(text: str, changes: list[Any]) -> str:
    """SBML text after changes of attributes. Raises InputError for other changes and unknown elements."""
    if not changes:
        return text
    document = libsbml().readSBMLFromString(text)
    model = document.getModel()
    for one in changes:
        kind, where = one.getElementName(), one.getTarget()
        ids, attribute = _ID.findall(where), _ATTRIBUTE.search(where)
        name = attribute[1] if attribute else "value"
        if kind != "changeAttribute" or not ids or name not in ATTRIBUTES:
            if kind == "changeAttribute" and name == "name":
                continue
            what = f"the SED-ML changes more than a value ({kind} of {where[:80]})"
            raise InputError(what, expected=f"changeAttribute of a {', '.join(ATTRIBUTES)}")
        element = _element(model, ids, where) if model is not None else None
        change = getattr(element, f"set{name[0].upper()}{name[1:]}", None)
        if change is None:
            raise InputError(f"the SED-ML changes the {name} of '{ids[-1]}', which is not in the model")
        try:
            change(float(one.getNewValue()))
        except ValueError:
            what = f"the SED-ML sets {where[:80]} to '{one.getNewValue()[:40]}'"
            raise InputError(what, expected="a number") from None
    return str(libsbml().writeSBMLToString(document))


ATTRIBUTES = ("value", "initialConcentration", "initialAmount", "size", "stoichiometry")


def _element(model: Any, ids: list[str], where: str) -> Any:
    """The element of a target; the parameter of a rate law is known only with its reaction."""
    if len(ids) == 2 and "kineticLaw" in where:
        reaction = model.getReaction(ids[0])
        return reaction.getKineticLaw().getParameter(ids[1]) if reaction and reaction.isSetKineticLaw() else None
    return model.getElementBySId(ids[-1])
