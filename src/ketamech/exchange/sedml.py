"""Simulation of an exported scenario as SED-ML Level 1 Version 4: one day by the minute, the whole by the hour.

Each time course is one task with one report of the requested outputs; one plot shows the outputs of the first task.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ketamech.core import InputError
from ketamech.exchange.optional_libraries import libsedml
from ketamech.exchange.sbml.ids import sbml_id

LEVEL, VERSION = 1, 4
SBML_NAMESPACE = "http://www.sbml.org/sbml/level3/version1/core"
XPATH = "/sbml:sbml/sbml:model/sbml:listOfParameters/sbml:parameter[@id='{}']"
TIME = "urn:sedml:symbol:time"
CVODE = "KISAO:0000019"
TOLERANCES = (("KISAO:0000209", "1e-8"), ("KISAO:0000211", "1e-10"))  # relative, absolute
PLOTTED_OUTPUTS = ("mood.madrs", "dissociation.cadss", "spines.density")
DISPLAY_COURSES = "seen"
DAY = 24.0
_ID = re.compile(r"\b[A-Za-z]\w*")


@dataclass(frozen=True)
class UniformTimeCourse:
    """Evenly spaced times from 0 to `end` (h) in `steps` steps."""

    name: str
    about: str
    end: float
    steps: int


def time_courses(horizon: float) -> tuple[UniformTimeCourse, ...]:
    """The time courses of a scenario with a `horizon` in hours."""
    first = min(horizon, DAY)
    whole = UniformTimeCourse("whole", "the whole horizon, by the hour", horizon, max(1, round(horizon)))
    return (UniformTimeCourse("first_day", "the first day, by the minute", first, max(1, round(first * 60))), whole)


def write_sedml(
    name: str, model_file: str, outputs: Sequence[str], courses: Sequence[UniformTimeCourse], *, seen: str = ""
) -> str:
    """SED-ML text: `courses` of the SBML in `model_file`, reporting `outputs`.

    `seen`: a formula of SBML ids that is reported (as DISPLAY_COURSES) and plotted instead of the outputs.
    Raises InputError without python-libsedml.
    """
    document = _Simulations(name, model_file, seen)
    for course in courses:
        document.add_time_course(course, outputs)
    shown = [output for output in PLOTTED_OUTPUTS if output in outputs] or list(outputs[:1])
    document.plot(courses[0], [DISPLAY_COURSES] if seen else shown)
    return document.text()


class _Simulations:
    def __init__(self, name: str, model_file: str, seen: str) -> None:
        self._libsedml, self._seen = libsedml(), seen
        self._document = self._libsedml.SedDocument(LEVEL, VERSION)
        self._document.getNamespaces().add(SBML_NAMESPACE, "sbml")
        model = self._document.createModel()
        model.setId("model")
        model.setName(name)
        model.setSource(model_file)
        model.setLanguage("urn:sedml:language:sbml.level-3.version-1")

    def add_time_course(self, course: UniformTimeCourse, outputs: Sequence[str]) -> None:
        """One time course, its task, and a report of time and outputs."""
        simulation = self._document.createUniformTimeCourse()
        simulation.setId(course.name)
        simulation.setName(course.about)
        simulation.setInitialTime(0.0)
        simulation.setOutputStartTime(0.0)
        simulation.setOutputEndTime(course.end)
        simulation.setNumberOfSteps(course.steps)
        self._algorithm(simulation)
        task = self._document.createTask()
        task.setId(f"task_{course.name}")
        task.setModelReference("model")
        task.setSimulationReference(course.name)
        report = self._document.createReport()
        report.setId(f"report_{course.name}")
        report.setName(course.about)
        for output in (None, *outputs, *([DISPLAY_COURSES] if self._seen else [])):
            shown = report.createDataSet()
            label = sbml_id(output) if output else "time"
            shown.setId(f"shown_{course.name}_{label}")
            shown.setLabel(label)
            shown.setDataReference(self._generator(course, output))

    def plot(self, course: UniformTimeCourse, outputs: Sequence[str]) -> None:
        """Outputs of a course over time."""
        plot = self._document.createPlot2D()
        plot.setId("plot")
        for output in outputs:
            curve = plot.createCurve()
            curve.setId(f"curve_{sbml_id(output)}")
            curve.setName(output)
            curve.setLogX(False)
            curve.setLogY(False)
            curve.setXDataReference(_generator_id(course, None))
            curve.setYDataReference(_generator_id(course, output))

    def text(self) -> str:
        """The document as XML."""
        return str(self._libsedml.writeSedMLToString(self._document))

    def _algorithm(self, simulation: Any) -> None:
        algorithm = simulation.createAlgorithm()
        algorithm.setKisaoID(CVODE)
        for term, value in TOLERANCES:
            tolerance = algorithm.createAlgorithmParameter()
            tolerance.setKisaoID(term)
            tolerance.setValue(value)

    def _generator(self, course: UniformTimeCourse, output: str | None) -> str:
        made = self._document.createDataGenerator()
        made.setId(_generator_id(course, output))
        if output is None:
            variable = self._variable(made, course)
            variable.setSymbol(TIME)
            math = variable.getId()
        else:
            made.setName(output)
            math = self._seen if output == DISPLAY_COURSES else sbml_id(output)
            for name in dict.fromkeys(_ID.findall(math)):
                variable = self._variable(made, course, f"_of_{name}" if output == DISPLAY_COURSES else "")
                variable.setTarget(XPATH.format(name))
                math = re.sub(rf"\b{name}\b", variable.getId(), math)
        made.setMath(self._libsedml.parseFormula(math))
        return str(made.getId())

    def _variable(self, generator: Any, course: UniformTimeCourse, which: str = "") -> Any:
        made = generator.createVariable()
        made.setId(f"value_{generator.getId()}{which}")
        made.setTaskReference(f"task_{course.name}")
        return made


def _generator_id(course: UniformTimeCourse, output: str | None) -> str:
    return f"{course.name}_{sbml_id(output) if output else 'time'}"


def read_time_courses(text: str) -> tuple[str, tuple[UniformTimeCourse, ...]]:
    """The model file and the time courses of SED-ML text. Raises InputError for another document."""
    document = libsedml().readSedMLFromString(text)
    if document.getNumErrors() or not document.getNumModels():
        raise InputError("this is no SED-ML with a model", expected="what ketamech export writes")
    found = []
    for i in range(document.getNumSimulations()):
        one = document.getSimulation(i)
        found.append(UniformTimeCourse(one.getId(), one.getName(), one.getOutputEndTime(), one.getNumberOfSteps()))
    return str(document.getModel(0).getSource()), tuple(found)
