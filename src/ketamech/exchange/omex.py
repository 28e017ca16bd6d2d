"""A scenario as one OMEX archive: model, simulation (SED-ML), expected curves and doses.

The simulation is SED-ML Level 1 Version 4: one day by the minute, the whole horizon by the hour. Each time course is a
task with one report of the requested outputs; one plot shows the outputs of the first task.
"""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ketamech.core import InputError
from ketamech.core.atomic_files import atomic_write
from ketamech.core.constants import DISCLAIMER
from ketamech.core.units import DAY
from ketamech.exchange.document_libraries import libcombine, libsedml, with_fields
from ketamech.exchange.sbml.exporter import course_sbml
from ketamech.exchange.sbml.ids import sbml_id
from ketamech.exchange.sbml.reactions import species_ids
from ketamech.nonmem.write import doses_csv
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.model import Model
from ketamech.simulation.output_ranges import exists_in
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.scenario_yaml import scenario_yaml
from ketamech.simulation.simulate import subjects

LEVEL, VERSION = 1, 4
SBML_NAMESPACE = "http://www.sbml.org/sbml/level3/version1/core"
PARAMETER = "/sbml:sbml/sbml:model/sbml:listOfParameters/sbml:parameter[@id='{}']"
SPECIES = "/sbml:sbml/sbml:model/sbml:listOfSpecies/sbml:species[@id='{}']"
TIME = "urn:sedml:symbol:time"
CVODE = "KISAO:0000019"
MAX_STEPS = "1000000"  # Tellurium takes 20,000 by itself
SOLVER_SETTINGS = (  # relative and absolute tolerance, number of steps
    ("KISAO:0000209", "1e-9"), ("KISAO:0000211", "1e-10"), ("KISAO:0000415", MAX_STEPS),
)  # fmt: skip
PLOTTED_OUTPUTS = ("mood.madrs", "dissociation.cadss", "spines.density")
DISPLAY_COURSES = "seen"
_ID = re.compile(r"\b[A-Za-z]\w*")


@dataclass(frozen=True)
class UniformTimeCourse:
    """Evenly spaced times from 0 to `end` (h) in `steps` steps."""

    name: str
    description: str
    end: float
    steps: int

    @property
    def times(self) -> np.ndarray:
        """The times in h."""
        return np.linspace(0.0, self.end, self.steps + 1)


def time_courses(horizon: float) -> tuple[UniformTimeCourse, ...]:
    """The time courses of a scenario with a `horizon` in hours."""
    end = min(horizon, DAY)
    whole_course = UniformTimeCourse("whole", "the whole horizon, by the hour", horizon, max(1, round(horizon)))
    return (UniformTimeCourse("first_day", "the first day, by the minute", end, max(1, round(end * 60))), whole_course)


def write_sedml(
    name: str, model_file: str, outputs: Sequence[str], courses: Sequence[UniformTimeCourse], *,
    species: Collection[str] = (), seen: str = "",
) -> str:  # fmt: skip
    """SED-ML text: `courses` of the SBML in `model_file`, reporting `outputs`; `species`: ids of those of the model.

    `seen`: a formula of SBML ids that is reported (as DISPLAY_COURSES) and plotted instead of the outputs.
    Raises InputError without python-libsedml.
    """
    document = _Simulations(name, model_file, species, seen)
    for course in courses:
        document.add_time_course(course, outputs)
    shown = [output for output in PLOTTED_OUTPUTS if output in outputs] or list(outputs[:1])
    document.plot(courses[0], [DISPLAY_COURSES] if seen else shown)
    return document.text()


class _Simulations:
    def __init__(self, name: str, model_file: str, species: Collection[str], seen: str) -> None:
        self._libsedml, self._species, self._seen = libsedml(), species, seen
        self._document = self._libsedml.SedDocument(LEVEL, VERSION)
        self._document.getNamespaces().add(SBML_NAMESPACE, "sbml")
        language = "urn:sedml:language:sbml.level-3.version-1"
        with_fields(self._document.createModel(), Id="model", Name=name, Source=model_file, Language=language)

    def add_time_course(self, course: UniformTimeCourse, outputs: Sequence[str]) -> None:
        """One time course, its task, and a report of time and outputs."""
        simulation = with_fields(
            self._document.createUniformTimeCourse(), Id=course.name, Name=course.description, InitialTime=0.0,
            OutputStartTime=0.0, OutputEndTime=course.end, NumberOfSteps=course.steps,
        )  # fmt: skip
        algorithm = with_fields(simulation.createAlgorithm(), KisaoID=CVODE)
        for term, value in SOLVER_SETTINGS:
            with_fields(algorithm.createAlgorithmParameter(), KisaoID=term, Value=value)
        task = f"task_{course.name}"
        with_fields(self._document.createTask(), Id=task, ModelReference="model", SimulationReference=course.name)
        report = with_fields(self._document.createReport(), Id=f"report_{course.name}", Name=course.description)
        for output in (None, *outputs, *([DISPLAY_COURSES] if self._seen else [])):
            label = sbml_id(output) if output else "time"
            data_set_id, generator_id = f"shown_{course.name}_{label}", self._generator(course, output)
            with_fields(report.createDataSet(), Id=data_set_id, Label=label, DataReference=generator_id)

    def plot(self, course: UniformTimeCourse, outputs: Sequence[str]) -> None:
        """Outputs of a course over time."""
        plot = with_fields(self._document.createPlot2D(), Id="plot")
        for output in outputs:
            with_fields(
                plot.createCurve(), Id=f"curve_{sbml_id(output)}", Name=output, LogX=False, LogY=False,
                XDataReference=_generator_id(course, None), YDataReference=_generator_id(course, output),
            )  # fmt: skip

    def text(self) -> str:
        """The document as XML."""
        return str(self._libsedml.writeSedMLToString(self._document))

    def _generator(self, course: UniformTimeCourse, output: str | None) -> str:
        generator = with_fields(self._document.createDataGenerator(), Id=_generator_id(course, output))
        if output is None:
            formula = with_fields(self._variable(generator, course), Symbol=TIME).getId()
        else:
            generator.setName(output)
            formula = self._seen if output == DISPLAY_COURSES else sbml_id(output)
            for name in dict.fromkeys(_ID.findall(formula)):
                variable = self._variable(generator, course, f"_of_{name}" if output == DISPLAY_COURSES else "")
                variable.setTarget((SPECIES if name in self._species else PARAMETER).format(name))
                formula = re.sub(rf"\b{name}\b", variable.getId(), formula)
        generator.setMath(self._libsedml.parseFormula(formula))
        return str(generator.getId())

    def _variable(self, generator: Any, course: UniformTimeCourse, suffix: str = "") -> Any:
        name = f"value_{generator.getId()}{suffix}"
        return with_fields(generator.createVariable(), Id=name, TaskReference=f"task_{course.name}")


def _generator_id(course: UniformTimeCourse, output: str | None) -> str:
    return f"{course.name}_{sbml_id(output) if output else 'time'}"


MODEL, SIMULATION, DOSES, SCENARIO, ABOUT = "model.xml", "simulation.sedml", "doses.csv", "scenario.yaml", "README.md"
EXPECTED = "expected/{}.csv"
REPORT = "ketamech/{}.csv"  # a report of an archive of another program
MANIFEST = "manifest.xml"
MAX_BYTES = 200_000_000  # of an unpacked archive; those of KetaMech have less than 10 MB
TOLERANCE = 1e-9  # of the expected curves
DIGITS = "%.10g"
OMEX_SELF_FORMAT = "http://identifiers.org/combine.specifications/omex"
MEDIA = "http://purl.org/NET/mediatypes"
FORMATS = {".xml": "sbml", ".sedml": "sed-ml", ".csv": "csv", ".yaml": "yaml", ".md": "md"}
MEDIA_TYPES = {"yaml": "application/yaml", "md": "text/markdown", "csv": "text/csv"}
LOSSY_FEATURES = (
    "An archive does not contain chance, spreads of parameters, bounds of states or the untreated control. Its baseline"
    " values (rest__...) are those of this patient: they do not follow when a parameter is changed."
)


@dataclass(frozen=True)
class OmexArchive:
    """The contents of an archive: text by path, and the time courses of its SED-ML."""

    title: str
    files: Mapping[str, str]
    courses: tuple[UniformTimeCourse, ...]
    outputs: tuple[str, ...]


def shown_outputs(model: Model, group: str) -> tuple[str, ...]:
    """Outputs of reports and expected curves that exist in a group, except amounts in compartments of kinetics."""
    names = (name for name in model.layout.output_names if not name.startswith("pharmacokinetics."))
    return tuple(name for name in names if exists_in(group, name))


def build_archive(scenario: Scenario, model: Model) -> OmexArchive:
    """The archive of the treated patient of a scenario. Raises InputError where a library is missing."""
    treated_subject, outputs = subjects(scenario, model)[0], shown_outputs(model, scenario.group)
    courses = time_courses(scenario.horizon)
    assumptions = [f"Assumed: {assumption}." for assumption in scenario.assumptions]
    curves = {EXPECTED.format("*"): "the curves of KetaMech at these times"}
    files = {
        MODEL: course_sbml(model, treated_subject, name=scenario.title, notes=assumptions, species=scenario.species),
        SIMULATION: write_sedml(scenario.title, MODEL, outputs, courses, species=species_ids(model.layout.states)),
        **{EXPECTED.format(course.name): _expected(model, treated_subject, course, outputs) for course in courses},
        SCENARIO: scenario_yaml(scenario, model.parameters),
        ABOUT: readme(scenario.title, scenario.description.strip(), "one typical patient", curves, assumptions),
    }
    add_doses(files, scenario, model)
    return OmexArchive(scenario.title, files, courses, outputs)


def add_doses(files: dict[str, str], scenario: Scenario, model: Model) -> None:
    """Add the table of doses, or a remark that no dose table can express the doses (some starts at steady state)."""
    values, parameters = scenario.values, model.parameters
    try:
        files[DOSES] = doses_csv(scenario.regimen, scenario.horizon, values, parameters, species=scenario.species)
    except InputError as problem:
        files[ABOUT] += f"\nNo table of doses: {problem.what}.\n"


def _expected(model: Model, subject: Subject, time_course: UniformTimeCourse, outputs: Sequence[str]) -> str:
    times = time_course.times
    curves = run_subjects(model, [subject], times, tolerance=TOLERANCE)
    return curves_csv(times, {sbml_id(name): curves[name].values[0] for name in outputs})


def curves_csv(times: np.ndarray, curves: Mapping[str, np.ndarray]) -> str:
    """Curves at `times` as CSV text: columns time (h), then each curve by its id."""
    text = io.StringIO()
    header = ",".join(["time", *curves])
    table = np.column_stack([times, *curves.values()])
    np.savetxt(text, table, fmt=DIGITS, delimiter=",", header=header, comments="")
    return text.getvalue()


def write_archive(target: Path, contents: OmexArchive) -> None:
    """Write an archive as an OMEX file. Raises InputError without python-libcombine."""
    omex = libcombine()
    archive = omex.CombineArchive()
    with tempfile.TemporaryDirectory() as folder:
        for location, text in contents.files.items():
            local_path = Path(folder) / location.replace("/", "-")
            local_path.write_text(text, encoding="utf-8")
            archive.addFile(str(local_path), location, _format_uri(location), location == SIMULATION)
        with_fields(archive.getManifest().createContent(), Location=".", Format=OMEX_SELF_FORMAT)
        archive.addMetadata(".", _description(omex, f"{contents.title}. {DISCLAIMER}"))
        temporary_file = target.with_name(f".{target.name}.partial")
        try:
            if not archive.writeToFile(str(temporary_file)):
                message = f"'{target}' could not be written"
                raise InputError(message, expected="a file in a folder that can be written to")
            temporary_file.replace(target)
        finally:
            temporary_file.unlink(missing_ok=True)


def _format_uri(location: str) -> str:
    """The format of a file of KetaMech as a manifest states it."""
    format_key = FORMATS[Path(location).suffix]
    return str(libcombine().KnownFormats.lookupFormat(format_key)) or f"{MEDIA}/{MEDIA_TYPES[format_key]}"


def write_extended_archive(source: Path, target: Path, added: Mapping[str, str]) -> int:
    """Write the archive `source` with the files `added` {location: text}; returns the number of its former files.

    Every other entry, also of other programs and in formats that are not read, keeps its bytes, its format and its
    place; an added file replaces one with its location. Raises InputError where `source` is no archive.
    """
    members, archive = _unpacked(source)
    names = {_place(name): name for name in members}
    manifest, locations = archive.getManifest(), _locations(archive)
    for location in added:
        if location not in locations:
            with_fields(manifest.createContent(), Location=f"./{location}", Format=_format_uri(location))
    written = {MANIFEST: str(libcombine().writeOMEXToString(manifest)), **added}
    members |= {names.get(place, place): text.encode() for place, text in written.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(source) as original, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zip_file:
        headers = {header.filename: header for header in original.infolist()}  # time and permissions of an entry
        for name, data in members.items():
            zip_file.writestr(headers.get(name, name), data)
    atomic_write(target, packed.getvalue())
    return len(names) - 1


def read_archive(path: Path) -> dict[str, str]:
    """The text of every file of an OMEX archive by place, without files that are no text (pictures).

    Raises InputError for a file that is no archive.
    """
    members, archive = _unpacked(path)
    names = {_place(name): name for name in members}
    entries = {place: members[names[place]] for place in _locations(archive) if place in names}
    return {place: data.decode("utf-8-sig") for place, data in entries.items() if is_text(data)}


def _unpacked(path: Path) -> tuple[dict[str, bytes], Any]:
    """Every member of an archive by name, and the archive of libCombine. Raises InputError."""
    archive = libcombine().CombineArchive()
    try:
        with zipfile.ZipFile(path) as zip_file:
            if (size := sum(entry.file_size for entry in zip_file.infolist())) > MAX_BYTES:  # it would fill the memory
                message = f"the archive holds {size / 1e6:.0f} MB when it is unpacked"
                raise InputError(message, file=path, expected=f"at most {MAX_BYTES / 1e6:.0f} MB")
            if archive.initializeFromArchive(str(path)):
                # libCombine would unpack into the working folder and leave damaged entries there
                return {name: zip_file.read(name) for name in zip_file.namelist()}, archive
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile):
        pass  # a damaged manifest is a RuntimeError of libCombine
    raise InputError(
        "this is no OMEX archive", file=path, expected="an archive (.omex), e.g. of ketamech export --to x.omex"
    )


def _locations(archive: Any) -> list[str]:
    """The locations in the manifest."""
    return [_place(str(location)) for location in archive.getAllLocations()]


def _place(location: str) -> str:
    return location.removeprefix("./")


def is_text(data: bytes) -> bool:
    """Whether the content of a file is text in UTF-8."""
    try:
        return "\x00" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _description(omex: Any, text: str) -> Any:
    now = omex.OmexDescription.getCurrentDateAndTime()
    description = with_fields(omex.OmexDescription(), About=".", Description=text, Created=now)
    author_fields = {"GivenName": "KetaMech", "FamilyName": "authors", "Organization": "The KetaMech authors"}
    description.addCreator(with_fields(omex.VCard(), **author_fields))
    return description


def readme(title: str, opening: str, model: str, others: Mapping[str, str], notes: Sequence[str]) -> str:
    """The text about an archive: `opening`, its files (`others` {file: content} beside the usual ones) and `notes`."""
    files = {
        MODEL: f"the model of KetaMech for {model}, with every dose as an event (SBML Level 3)",
        SIMULATION: "how to simulate it (SED-ML)",
        **others,
        DOSES: "the doses as a NONMEM-style table",
        SCENARIO: "the scenario for `ketamech simulate`",
    }
    listed = (f"- `{file}`: {content}" for file, content in files.items())
    return "\n".join([f"# {title}", "", opening, "", DISCLAIMER, "", *listed, "", *notes, "", LOSSY_FEATURES, ""])
