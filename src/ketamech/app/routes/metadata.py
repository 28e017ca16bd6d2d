"""Metadata for the page: names, bounds, labels and limits.

Preset scenarios of the workbench, from data/presets/presets.csv.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from ketamech.analysis.pathways import component, load_components, load_pathways
from ketamech.app.app_state import AppState
from ketamech.app.curve_responses import available_curves
from ketamech.app.features import has_feature
from ketamech.app.limits import Limits
from ketamech.app.responses import as_json, json_response
from ketamech.core import unit
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.dosing.drugs import load_drugs
from ketamech.dosing.perturbations import Perturbation, load_perturbations
from ketamech.parameters import SPECIES, Parameter, ParameterTable
from ketamech.parameters.concentration_units import shown
from ketamech.parameters.species_tables import ANIMALS
from ketamech.report.number_format import DISCLAIMER, unit_in_words
from ketamech.report.tracks import load_tracks
from ketamech.simulation.model_variants import load_model_variants
from ketamech.simulation.parameter_overrides import bounds

TABLE = DATA / "presets" / "presets.csv"
COLUMNS = ("title", "treatments", "person", "pathways_off", "horizon")


def load_presets() -> list[dict[str, Any]]:
    """Every preset as the keys of a scenario file. Raises InputError naming file, line and column of a bad cell."""
    return [_scenario(row) for row in read_table(TABLE, COLUMNS)]


def _scenario(row: CsvRow) -> dict[str, Any]:
    found: dict[str, Any] = {
        "title": row.required("title", "a name"),
        "treatments": _list(row.required("treatments", "at least one treatment")),
        "person": dict(_pair(row, cell) for cell in _list(row["person"])),
    }
    if row["pathways_off"]:
        found["pathways"] = dict.fromkeys(_list(row["pathways_off"]), False)
    return found | ({"horizon": row["horizon"]} if row["horizon"] else {})


def _pair(row: CsvRow, cell: str) -> tuple[str, str]:
    name, colon, value = cell.partition(":")
    if not colon or not value.strip():
        raise row.error("person", f"'{cell}' is not a setting", expected="name: value, e.g. weight: 70 kg")
    return name.strip(), value.strip()


def _list(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(";") if part.strip()]


class DrugInfo(BaseModel):
    """A drug or other treatment; `sessions`: the dose is a number of sessions, not an amount."""

    name: str
    routes: list[str]
    sessions: bool


class Setting(BaseModel):
    """A value that a scenario can set, with its default and bounds in `unit`."""

    name: str
    value: float
    unit: str
    low: float | None
    high: float | None
    in_animals: tuple[float, float] | None = Field(None, description="bounds in rats and mice, if they differ")
    about: str


class PathwaySwitch(Setting):
    """A pathway that can be switched off, with its label, colour and the ids of evidence rows and claims about it."""

    label: str
    colour: str
    one_line: str
    evidence: list[str]
    claims: list[str]


class Component(BaseModel):
    """A part of an attribution: a pathway, expectancy, or the drug effect outside the pathways."""

    id: str
    label: str
    colour: str
    one_line: str


class TrackInfo(BaseModel):
    """A track of the timeline."""

    key: str
    group: str
    label: str
    unit: str
    always: bool = Field(description="shown even when nothing changes")
    animals: bool = Field(description="measured in animals only")
    rating_scale: bool = Field(description="a rating scale, which exists for humans only")
    relative_height: float = Field(description="height of its figure, 1 = normal")


class Output(BaseModel):
    """An output of the model."""

    name: str
    unit: str
    about: str


class ModelVariantInfo(BaseModel):
    """A model variant: an alternative structural hypothesis."""

    name: str
    question: str
    says: str


class PerturbationInfo(BaseModel):
    """A perturbation given with the treatment; `phrase` is its text in a scenario."""

    phrase: str
    kind: str
    target: str
    about: str


class About(BaseModel):
    """Names, bounds, labels and limits; `parts`: the optional parts of this version."""

    version: str
    disclaimer: str
    drugs: list[DrugInfo]
    tracks: list[TrackInfo]
    outputs: list[Output]
    person: list[Setting]
    pathways: list[PathwaySwitch]
    components: list[Component] = Field(description="parts of an attribution, in display order")
    perturbation_fractions: list[Setting]
    species: list[str]
    model_variants: list[ModelVariantInfo]
    perturbations: list[PerturbationInfo]
    presets: list[dict[str, Any]] = Field(description="scenarios to start from")
    evidence_stages: list[str]
    limits: Limits
    parts: dict[str, bool]
    ready: bool


def routes(app_state: AppState) -> APIRouter:
    """The route of the metadata."""
    router = APIRouter(prefix="/api", tags=["about"])

    @router.get("/about", response_model=About)
    async def about() -> Response:
        """Names, bounds, labels and limits that the other requests use."""
        return json_response(
            await app_state.compute(lambda: app_state.answers.get("about", lambda: as_json(_about(app_state))))
        )

    return router


def _about(app_state: AppState) -> dict[str, Any]:
    from ketamech import __version__

    table = app_state.model.parameters
    return {
        "version": __version__,
        "disclaimer": DISCLAIMER,
        "drugs": [
            {"name": drug.name, "routes": [r for r in drug.routes if r], "sessions": drug.is_session}
            for drug in load_drugs()
        ],
        "tracks": [
            {
                "key": a.key,
                "group": a.group,
                "label": a.label,
                "unit": a.unit,
                "always": a.always_shown,
                "animals": a.animals_only,
                "rating_scale": a.rating_scale,
                "relative_height": a.relative_height,
            }
            for a in load_tracks().values()
            if available_curves(a, app_state.model)
        ],
        "outputs": [
            {
                "name": name,
                "unit": unit_in_words(shown(name, printed)[1]),
                "about": app_state.model.layout.descriptions[name] or "",
            }
            for name, printed in app_state.model.layout.units.items()
        ],
        **{name: _settings(table, f"{prefix}.") for name, prefix in _SECTIONS.items()},
        "pathways": _pathways(table),
        "components": [
            {"id": one.id, "label": one.label, "colour": one.colour, "one_line": one.one_line}
            for one in load_components().values()
        ],
        "species": list(SPECIES),
        "model_variants": [
            {"name": w.name, "question": w.question, "says": w.description} for w in load_model_variants(table).values()
        ],
        "perturbations": [
            {"phrase": _phrase(one), "kind": one.kind, "target": one.target, "about": one.why}
            for one in load_perturbations().values()
        ],
        "presets": load_presets(),
        "evidence_stages": sorted({row.stage for row in app_state.evidence.observations.values()}),
        "limits": app_state.limits.model_dump(),
        "parts": {name: has_feature(name) for name in ("claims", "attribution")},
        "ready": True,
    }


def _phrase(one: Perturbation) -> str:
    """The text of a perturbation in a scenario: its name with its first usual dose and time."""
    dose = one.doses[0] if one.doses else None
    if dose is None:
        return one.name
    where = "into the brain" if dose.route == "brain" else dose.route
    return f"{one.name} {dose.amount:g} {dose.unit} {where} at {60 * one.at:g} min"


_SECTIONS = {"person": "person", "perturbation_fractions": "perturbation"}


def _pathways(table: ParameterTable) -> list[dict[str, Any]]:
    """Pathway switches in the order of data/pathways, then switches of a user's own stages."""
    switches = {name.removeprefix("pathway."): row for name, row in table.items() if name.startswith("pathway.")}
    ordered = [name for name in load_pathways() if name in switches]
    found = []
    for name in [*ordered, *(name for name in switches if name not in ordered)]:
        one = component(name)
        shown = {"label": one.label, "colour": one.colour, "one_line": one.one_line}
        sources = {"evidence": list(one.evidence), "claims": list(one.claims)}
        found.append({**_setting(switches[name]), **shown, **sources})
    return found


def _settings(table: ParameterTable, prefix: str) -> list[dict[str, Any]]:
    return [_setting(row) for name, row in table.items() if name.startswith(prefix)]


def _setting(row: Parameter) -> dict[str, Any]:
    size = _factor(row.unit)
    low, high = (edge / size if math.isfinite(edge) else None for edge in bounds(row))
    animals = bounds(row, ANIMALS[0])
    return {
        "name": row.name.split(".", 1)[1],
        "value": row.value,
        "unit": "" if row.unit == "1" else row.unit,
        "low": low,
        "high": high,
        "in_animals": None if animals == bounds(row) else tuple(edge / size for edge in animals),
        "about": row.reason,
    }


@cache
def _factor(printed: str) -> float:
    return unit(printed).factor
