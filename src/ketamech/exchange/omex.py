"""A scenario as one OMEX archive: model, simulation, expected curves and doses."""

from __future__ import annotations

import io
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ketamech.core import InputError
from ketamech.exchange.nonmem.write import doses_csv
from ketamech.exchange.optional_libraries import libcombine
from ketamech.exchange.sbml.export import DISCLAIMER, course_sbml
from ketamech.exchange.sbml.ids import sbml_id
from ketamech.exchange.scenario_yaml import scenario_yaml
from ketamech.exchange.sedml import UniformTimeCourse, time_courses, write_sedml
from ketamech.simulation.ensemble import Subject, run_subjects
from ketamech.simulation.model import Model
from ketamech.simulation.output_ranges import exists_in
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import subjects

MODEL, SIMULATION, DOSES, SCENARIO, ABOUT = "model.xml", "simulation.sedml", "doses.csv", "scenario.yaml", "README.md"
EXPECTED = "expected/{}.csv"
MAX_BYTES = 200_000_000  # of an unpacked archive; those of KetaMech have less than 10 MB
TOLERANCE = 1e-9  # of the expected curves
DIGITS = "%.10g"
OMEX_SELF_FORMAT = "http://identifiers.org/combine.specifications/omex"
MEDIA = "http://purl.org/NET/mediatypes"
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

    @property
    def about(self) -> str:
        """The description in the metadata of the archive."""
        return f"{self.title}. {DISCLAIMER}"


def shown_outputs(model: Model, species: str) -> tuple[str, ...]:
    """Outputs of reports and expected curves that exist in a species, except amounts in compartments of kinetics."""
    names = (name for name in model.layout.output_names if not name.startswith("pharmacokinetics."))
    return tuple(name for name in names if exists_in(species, name))


def build_archive(scenario: Scenario, model: Model) -> OmexArchive:
    """The archive of the treated patient of a scenario. Raises InputError where a library is missing."""
    treated, outputs = subjects(scenario, model)[0], shown_outputs(model, scenario.species)
    asked = time_courses(scenario.horizon)
    assumed = [f"Assumed: {one}." for one in scenario.assumptions]
    files = {
        MODEL: course_sbml(model, treated, name=scenario.title, notes=assumed, species=scenario.species),
        SIMULATION: write_sedml(scenario.title, MODEL, outputs, asked),
        **{EXPECTED.format(one.name): expected_csv(model, treated, one, outputs) for one in asked},
        SCENARIO: scenario_yaml(scenario, model.parameters),
        ABOUT: _about(scenario, assumed),
    }
    try:
        files[DOSES] = doses_csv(
            scenario.regimen, scenario.horizon, scenario.values, model.parameters, species=scenario.species
        )
    except InputError as problem:  # a start at steady state that no dose table can express
        files[ABOUT] += f"\nNo table of doses: {problem.what}.\n"
    return OmexArchive(scenario.title, files, asked, outputs)


def expected_csv(model: Model, course: Subject, asked: UniformTimeCourse, outputs: Sequence[str]) -> str:
    """The curves of KetaMech at the times of a time course: columns time (h), then each output by its SBML id."""
    times = np.linspace(0.0, asked.end, asked.steps + 1)
    curves = run_subjects(model, [course], times, tolerance=TOLERANCE)
    return _csv(curves, times, outputs)


def _csv(curves: xr.Dataset, times: np.ndarray, outputs: Sequence[str]) -> str:
    table = np.column_stack([times, *(curves[name].values[0] for name in outputs)])
    text = io.StringIO()
    header = ",".join(["time", *map(sbml_id, outputs)])
    np.savetxt(text, table, fmt=DIGITS, delimiter=",", header=header, comments="")
    return text.getvalue()


def write_archive(target: Path, made: OmexArchive) -> None:
    """Write an archive as an OMEX file. Raises InputError without python-libcombine."""
    omex = libcombine()
    archive = omex.CombineArchive()
    formats = {".xml": "sbml", ".sedml": "sed-ml", ".csv": "csv", ".yaml": "yaml", ".md": "md"}
    with tempfile.TemporaryDirectory() as folder:
        for place, text in made.files.items():
            local = Path(folder) / place.replace("/", "-")
            local.write_text(text, encoding="utf-8")
            kind = _format(omex, formats[Path(place).suffix])
            archive.addFile(str(local), place, kind, place == SIMULATION)
        itself = archive.getManifest().createContent()
        itself.setLocation(".")
        itself.setFormat(OMEX_SELF_FORMAT)
        archive.addMetadata(".", _description(omex, ".", made.about))
        draft = target.with_name(f".{target.name}.partial")
        try:
            if not archive.writeToFile(str(draft)):
                raise InputError(
                    f"'{target}' could not be written", expected="a file in a folder that can be written to"
                )
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)


def read_archive(path: Path) -> dict[str, str]:
    """The text of every file of an OMEX archive by place. Raises InputError for a file that is no archive."""
    archive = libcombine().CombineArchive()
    try:
        with zipfile.ZipFile(path) as held:
            _check_size(path, held)
            if archive.initializeFromArchive(str(path)):
                # libCombine would unpack into the working folder and leave damaged entries there
                packed = {name.removeprefix("./"): name for name in held.namelist()}
                places = [str(one).removeprefix("./") for one in archive.getAllLocations()]
                return {place: held.read(packed[place]).decode("utf-8") for place in places if place in packed}
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile):
        pass  # a damaged manifest is a RuntimeError of libCombine
    raise InputError("this is no OMEX archive", file=path, expected="a file written by ketamech export --to x.omex")


def _check_size(path: Path, held: zipfile.ZipFile) -> None:
    """Raise InputError for an archive that would fill the memory when it is unpacked."""
    size = sum(entry.file_size for entry in held.infolist())
    if size > MAX_BYTES:
        what = f"the archive holds {size / 1e6:.0f} MB when it is unpacked"
        raise InputError(what, file=path, expected=f"at most {MAX_BYTES / 1e6:.0f} MB")


def _format(omex: Any, kind: str) -> str:
    known = str(omex.KnownFormats.lookupFormat(kind))
    return known or f"{MEDIA}/{MEDIA_TYPES[kind]}"


def _description(omex: Any, place: str, text: str) -> Any:
    found = omex.OmexDescription()
    found.setAbout(place)
    found.setDescription(text)
    found.setCreated(omex.OmexDescription.getCurrentDateAndTime())
    creator = omex.VCard()
    creator.setGivenName("KetaMech")
    creator.setFamilyName("authors")
    creator.setOrganization("The KetaMech authors")
    found.addCreator(creator)
    return found


def _about(scenario: Scenario, assumed: Sequence[str]) -> str:
    lines = [
        f"# {scenario.title}", "", scenario.description.strip(), "", DISCLAIMER, "",
        f"- `{MODEL}`: the model of KetaMech for one typical patient, with every dose as an event (SBML Level 3)",
        f"- `{SIMULATION}`: how to simulate it (SED-ML)",
        f"- `{EXPECTED.format('*')}`: the curves of KetaMech at these times",
        f"- `{DOSES}`: the doses as a NONMEM-style table; `{SCENARIO}`: the scenario for `ketamech simulate`",
        "", *assumed, "", LOSSY_FEATURES, "",
    ]  # fmt: skip
    return "\n".join(lines)
