"""Metadata for the page: names, bounds, labels, limits, and the tables of its presets and controls."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from ketamech.analysis.attribution_text import component, load_components, load_pathways
from ketamech.analysis.claims import is_in_vitro
from ketamech.analysis.reference_protocols import load_protocols
from ketamech.analysis.scorecard_targets import load_targets
from ketamech.app.app_state import AppState, Limits
from ketamech.app.browser.model_tables import PEOPLE
from ketamech.app.curve_responses import available_curves
from ketamech.app.responses import cached_response
from ketamech.app.schemas import PopulationRequest
from ketamech.core import unit
from ketamech.core.constants import DISCLAIMER
from ketamech.core.csv_table import CsvRow, parts, read_table
from ketamech.core.environment import DATA
from ketamech.dosing.drugs import load_drugs
from ketamech.dosing.perturbations import Perturbation, PerturbationDose, load_perturbations, read_perturbation
from ketamech.evidence import Evidence, Observation
from ketamech.parameters import SPECIES, Parameter, ParameterTable, load_parameters
from ketamech.parameters.concentration_units import shown
from ketamech.parameters.species_tables import ANIMALS
from ketamech.report.number_format import unit_in_words
from ketamech.report.summary import drug_values
from ketamech.report.tracks import load_tracks
from ketamech.simulation.model_variants import load_model_variants
from ketamech.simulation.parameter_overrides import bounds

PRESETS = DATA / "presets"
PRESET_COLUMNS = ("title", "treatments", "person", "pathways_off", "horizon")
PATIENT_COLUMNS = ("name", "label", "shown_unit", "choices", "hint")
STORY_COLUMNS = {  # by table; data/presets/README.md explains the columns
    "routes": (
        "id", "label", "short", "regimen", "description", "unit", "usual", "min", "max", "step", "only_drug", "species",
        "evidence_route",
    ),
    "drugs": ("id", "label", "description"),
    "schedules": ("id", "label", "regimen", "description"),
    "perturbations": ("id", "label", "hint", "phrase", "without"),
    "compared_treatments": ("id", "label", "schedule", "regimen", "course", "published", "evidence", "departure"),
}  # fmt: skip
TEXT_COLUMNS = {  # data/story/README.md explains the columns
    "chapters": (
        "id", "title", "short", "level", "view", "hours", "from", "to", "moments", "tracks", "controls", "mechanism",
        "way",
    ),
    "paragraphs": ("chapter", "level", "text", "claims", "evidence"),
    "glossary": ("term", "words", "say", "meaning", "drawn", "measured", "glyph"),
    "severity": ("band", "from", "to", "source"),
    "crisis_lines": ("country", "number", "name", "source", "checked"),
    "equations": ("chapter", "stage", "quantity", "parameters"),
    "summary": ("hours", "chapter", "shows", "measure", "from", "to", "text"),
    "pathway_words": ("id", "words", "switch"),
    "ways": ("id", "label", "by", "why", "means", "colour", "pathways"),
    "responses": ("route", "schedules", "from", "to", "title", "drug", "control", "simulated"),
    "shares": ("id", "chapter", "title", "track", "threshold", "words", "published", "evidence"),
    "guesses": (
        "id", "chapter", "question", "hint", "x_label", "x_unit", "x_from", "x_to", "points", "y_label", "y_unit",
        "y_from", "y_to", "given", "regimen", "species", "output", "reads", "threshold", "factor", "dots", "lesson",
    ),
}  # fmt: skip
BINDING_COLUMNS = (
    "id", "level", "outputs", "mapping", "base", "factor", "limit", "glyph", "label", "display", "view", "legend",
    "text", "measured_in",
)  # fmt: skip
DEFAULT_PATIENTS = PopulationRequest.model_fields["patients"].default
NUMBERS = {
    "usual", "min", "max", "step", "hours", "from", "to", "base", "factor", "limit", "x_from", "x_to", "y_from", "y_to",
    "threshold", "course",
}  # fmt: skip
TableRow = dict[str, str | float | dict[str, list[float]]]


class Row(BaseModel):
    """A row of a table, or a value of the model with the same attributes."""

    model_config = ConfigDict(from_attributes=True)


class DrugInfo(Row):
    """A drug or other treatment; `is_session`: the dose is a number of sessions, not an amount."""

    name: str
    routes: list[str]
    is_session: bool


class Setting(Row):
    """A value that a scenario can set, with its default and bounds in `unit`."""

    name: str
    value: float
    unit: str
    low: float | None
    high: float | None
    animal_bounds: tuple[float, float] | None = Field(None, description="bounds in rats and mice, if they differ")
    description: str


class Choice(Row):
    """One value of a list."""

    label: str
    value: str


class PatientField(Setting):
    """A value of the patient with the label and the unit that are shown; `choices`: its values where it is a list."""

    label: str
    shown_unit: str
    choices: list[Choice]


class Component(Row):
    """A part of an attribution: a pathway, expectancy, or the felt effects, which are no pathway."""

    id: str
    label: str
    colour: str
    one_line: str


class PathwaySwitch(Setting):
    """A pathway that can be switched off, with its label, colour and the ids of evidence rows and claims about it."""

    label: str
    colour: str
    one_line: str
    evidence: list[str]
    claims: list[str]


class TrackInfo(Row):
    """A track of the timeline."""

    key: str
    group: str
    label: str
    unit: str
    always_shown: bool = Field(description="shown even when nothing changes")
    animals_only: bool = Field(description="measured in animals only")
    rating_scale: bool = Field(description="a rating scale, which exists for humans only")
    relative_height: float = Field(description="height of its figure, 1 = normal")
    measured: dict[str, str] = Field({}, description="by curve, the subjects of its published values")


class OutputMetadata(Row):
    """An output of the model."""

    name: str
    unit: str
    description: str


class ModelVariantInfo(Row):
    """A model variant: an alternative structural hypothesis."""

    name: str
    question: str
    description: str


class PerturbationInfo(Row):
    """A perturbation given with the treatment; `phrase` is its text in a scenario, `label` its text in a list."""

    name: str
    phrase: str
    label: str
    kind: str
    description: str


class Metadata(BaseModel):
    """Names, bounds, labels and limits that the other requests use."""

    version: str
    disclaimer: str
    drugs: list[DrugInfo]
    tracks: list[TrackInfo]
    outputs: list[OutputMetadata]
    person: list[PatientField] = Field(description="values of the patient, in display order")
    pathways: list[PathwaySwitch]
    components: list[Component] = Field(description="parts of an attribution, in display order")
    perturbation_fractions: list[Setting]
    species: list[str]
    model_variants: list[ModelVariantInfo]
    perturbations: list[PerturbationInfo]
    presets: list[dict[str, Any]] = Field(description="scenarios to start from")
    story: dict[str, list[TableRow]] = Field(description="rows of the controls of the story, by table")
    story_patients: int = Field(description="virtual patients that the story shows")
    trial_populations: list[TableRow]
    stages: list[str] = Field(description="stages of the model, in its order")
    evidence_stages: list[str]
    limits: Limits


def routes(app_state: AppState) -> APIRouter:
    """The route of the metadata."""
    router = APIRouter(prefix="/api", tags=["metadata"])

    @router.get("/metadata", response_model=Metadata)
    async def metadata() -> Response:
        """Names, bounds, labels and limits that the other requests use."""
        return await cached_response(app_state, "metadata", lambda: metadata_of(app_state))

    return router


def metadata_of(app_state: AppState) -> Metadata:
    """The metadata of a model. Raises InputError naming file, line and column of a bad cell of a table."""
    from ketamech import __version__

    table, layout = app_state.model.parameters, app_state.model.layout
    metadata: dict[str, Any] = {
        "version": __version__,
        "disclaimer": DISCLAIMER,
        "drugs": [
            DrugInfo(name=drug.name, routes=[route for route in drug.routes if route], is_session=drug.is_session)
            for drug in load_drugs()
        ],
        "tracks": _tracks(app_state),
        "outputs": [
            OutputMetadata(
                name=name, unit=unit_in_words(shown(name, text)[1]), description=layout.descriptions[name] or ""
            )
            for name, text in layout.units.items()
        ],
        "person": load_patient_fields(table),
        "pathways": _pathways(table),
        "components": list(load_components().values()),
        "perturbation_fractions": _settings(table, "perturbation."),
        "species": list(SPECIES),
        "model_variants": list(load_model_variants(table).values()),
        "perturbations": _perturbations(),
        "presets": load_presets(),
        "story": {
            **_with_tested_doses(load_story(), app_state.evidence),
            **load_story_texts(),
            "simulated_responses": _simulated_responses(),
        },
        "story_patients": PEOPLE if app_state.has_browser_kernel else DEFAULT_PATIENTS,
        "trial_populations": _rows(PRESETS / "trial_populations.csv", ("id", "label")),
        "stages": [stage.name for stage in app_state.model.system.stages],
        "evidence_stages": sorted({row.stage for row in app_state.evidence.observations.values()}),
        "limits": app_state.limits,
    }
    return Metadata.model_validate(metadata)


# Tracks


def _tracks(app_state: AppState) -> list[TrackInfo]:
    """The tracks with curves in this model, with the subjects of the published values of each curve."""
    subjects: dict[str, set[str]] = defaultdict(set)
    for target in load_targets(app_state.evidence, load_protocols()):
        subject = _subject(app_state.evidence[target.evidence])
        for name in target.measure.output_names:
            subjects[name].add(subject)
    tracks = []
    for track in load_tracks().values():
        if curves := available_curves(track, app_state.model):
            subjects_of_curves = {
                curve.outputs: {one for name in curve.names for one in subjects[name]} for curve in curves
            }
            measured = {
                key: next((one for one in SUBJECTS if one in ones), "nothing")
                for key, ones in subjects_of_curves.items()
            }
            tracks.append(TrackInfo.model_validate(track).model_copy(update={"measured": measured}))
    return tracks


SUBJECTS = ("people", "animals", "cells")
FOR_PEOPLE = "drugs in doses for people"  # before the interventions of experiments


def _subject(row: Observation) -> str:
    """Subjects of an evidence row: people, animals or cells."""
    if is_in_vitro(row):
        return "cells"
    return "people" if row.species == "human" else "animals"


# Settings of a scenario


def _perturbations() -> list[PerturbationInfo]:
    """Examples of courses and drugs with a dose for people first, then the interventions of experiments by kind."""
    perturbations = load_perturbations().values()
    given_to_people = [one for one in perturbations if one.human_dose]
    others = [one for one in perturbations if not one.human_dose]
    courses = [
        PerturbationInfo(
            name=read_perturbation(row["phrase"]).perturbation.name, phrase=row["phrase"],
            label=f"{row['label']}: {row['phrase']}", kind=FOR_PEOPLE, description=row["why"],
        )
        for row in read_table(PRESETS / "perturbation_courses.csv", ("phrase", "label", "why"))
    ]  # fmt: skip
    singles = []
    for one in (*given_to_people, *others):
        phrase = _phrase(one, one.human_dose or next(iter(one.doses), None))
        kind = FOR_PEOPLE if one.human_dose else one.kind
        label = f"{phrase} ({one.target})"
        singles.append(PerturbationInfo(name=one.name, phrase=phrase, label=label, kind=kind, description=one.why))
    return courses + singles


def _phrase(perturbation: Perturbation, dose: PerturbationDose | None) -> str:
    """The text of a perturbation in a scenario: its name with a usual dose and its usual time."""
    if dose is None:
        return perturbation.name
    route_text = "into the brain" if dose.route == "brain" else dose.route
    return f"{perturbation.name} {dose.amount:g} {dose.unit} {route_text} at {60 * perturbation.at:g} min"


def _pathways(table: ParameterTable) -> list[dict[str, Any]]:
    """Pathway switches in the order of data/pathways, then switches of a user's own stages."""
    switches = {name.removeprefix("pathway."): row for name, row in table.items() if name.startswith("pathway.")}
    pathways = []
    for name in dict.fromkeys([*(name for name in load_pathways() if name in switches), *switches]):
        pathway = component(name)
        shown_as = {"label": pathway.label, "colour": pathway.colour, "one_line": pathway.one_line}
        sources = {"evidence": list(pathway.evidence), "claims": list(pathway.claims)}
        pathways.append({**_setting(switches[name]).model_dump(), **shown_as, **sources})
    return pathways


def _settings(table: ParameterTable, prefix: str) -> list[Setting]:
    return [_setting(row) for name, row in table.items() if name.startswith(prefix)]


def _setting(row: Parameter) -> Setting:
    factor, human, animal = unit(row.unit).factor, bounds(row), bounds(row, ANIMALS[0])
    low, high = (edge / factor if math.isfinite(edge) else None for edge in human)
    return Setting(
        name=row.name.split(".", 1)[1],
        value=row.value,
        unit="" if row.unit == "1" else row.unit,
        low=low,
        high=high,
        animal_bounds=None if animal == human else (animal[0] / factor, animal[1] / factor),
        description=row.reason,
    )


# Tables


def load_story(folder: Path = PRESETS) -> dict[str, list[TableRow]]:
    """The controls of the story by table. Raises InputError naming file, line and column of a bad cell."""
    return {name: _rows(folder / f"story_{name}.csv", columns) for name, columns in STORY_COLUMNS.items()}


def load_story_texts(folder: Path = DATA) -> dict[str, list[TableRow]]:
    """Chapters, glossary and drawing of the story by table. Raises InputError naming file, line and column."""
    tables = {name: _rows(folder / "story" / f"{name}.csv", columns) for name, columns in TEXT_COLUMNS.items()}
    return {**tables, "bindings": _with_shown_factors(_rows(folder / "scene" / "bindings.csv", BINDING_COLUMNS))}


def _with_shown_factors(bindings: list[TableRow]) -> list[TableRow]:
    """Bindings whose value is a level of a drug, with the factor to ng/mL of the track of the same outputs."""
    factors: dict[str, float] = {}
    values = drug_values(load_parameters())
    for track in load_tracks().values():
        factors |= {curve.outputs: track.factor(curve, values) for curve in track.curves}
    return [
        row | {"shown_factor": factors[str(row["outputs"])]} if row["display"] == "level" else row for row in bindings
    ]


def _simulated_responses() -> list[TableRow]:
    """Share of responders of the virtual copies of published arms, by the id of the evidence row."""
    arms = pd.read_csv(DATA / "calibration" / "weighted_arms.csv", comment="#")
    measured_arms = arms.dropna(subset=["response (%)", "simulated response (%)"])
    return [
        {"id": str(evidence).split(";")[-1], "share": round(float(percent) / 100, 3)}
        for evidence, percent in zip(measured_arms["evidence"], measured_arms["simulated response (%)"], strict=True)
    ]


def _with_tested_doses(story: dict[str, list[TableRow]], evidence: Evidence) -> dict[str, list[TableRow]]:
    """The story with the doses of each route in studies of mood in people, by drug, and the largest; 0 for none."""
    drugs = [str(row["id"]) for row in story["drugs"]]
    for route in story["routes"]:
        words = str(route["evidence_route"]), str(route["unit"])
        tested = {drug: doses for drug in drugs if (doses := evidence.studied_doses("mood", drug, *words))}
        route |= {"tested": max((doses[-1] for doses in tested.values()), default=0.0), "tested_doses": tested}
    return story


def _rows(path: Path, columns: tuple[str, ...]) -> list[TableRow]:
    return [
        {name: row.number(name) if name in NUMBERS and row[name] else row[name] for name in columns}
        for row in read_table(path, columns)
    ]


def load_presets(folder: Path = PRESETS) -> list[dict[str, Any]]:
    """Every preset as the keys of a scenario file. Raises InputError naming file, line and column of a bad cell."""
    return [_preset(row) for row in read_table(folder / "presets.csv", PRESET_COLUMNS)]


def load_patient_fields(table: ParameterTable, folder: Path = PRESETS) -> list[PatientField]:
    """Every value of the patient, those of a user's own stages last. Raises InputError for a bad cell."""
    settings = {one.name: one for one in _settings(table, "person.")}
    fields = []
    for row in read_table(folder / "patient_fields.csv", PATIENT_COLUMNS):
        setting = settings.pop(row.known("name", settings, "a parameter person.*, once"))
        labels_and_values = [_choice(row, cell) for cell in parts(row["choices"])]
        fields.append(
            PatientField(
                **{**setting.model_dump(), "description": row["hint"]}, label=row.required("label", "plain words"),
                shown_unit=row["shown_unit"] or setting.unit, choices=labels_and_values,
            )
        )  # fmt: skip
    return fields + [
        PatientField(**one.model_dump(), label=one.name.replace("_", " "), shown_unit=one.unit, choices=[])
        for one in settings.values()
    ]


def _choice(row: CsvRow, cell: str) -> Choice:
    label, equals, value = cell.rpartition("=")
    if not equals or not value.strip():
        raise row.error("choices", f"'{cell}' is not a choice", expected="label=value, e.g. yes=1")
    return Choice(label=label.strip(), value=value.strip())


def _preset(row: CsvRow) -> dict[str, Any]:
    preset: dict[str, Any] = {
        "title": row.required("title", "a name"),
        "treatments": list(parts(row.required("treatments", "at least one treatment"))),
        "person": dict(_pair(row, cell) for cell in parts(row["person"])),
    }
    if row["pathways_off"]:
        preset["pathways"] = dict.fromkeys(parts(row["pathways_off"]), False)
    return preset | ({"horizon": row["horizon"]} if row["horizon"] else {})


def _pair(row: CsvRow, cell: str) -> tuple[str, str]:
    name, colon, value = cell.partition(":")
    if not colon or not value.strip():
        raise row.error("person", f"'{cell}' is not a setting", expected="name: value, e.g. weight: 70 kg")
    return name.strip(), value.strip()
