"""Routes of one scenario: curves, bands, published points, checks and uploads.

Scenarios from an uploaded dose table with NONMEM columns, one per subject.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from ketamech.app.app_state import AppState
from ketamech.app.band_responses import band_of
from ketamech.app.curve_responses import curves_of
from ketamech.app.point_responses import points_of
from ketamech.app.request_models import BandRequest, CurvesRequest, DoseTableRequest, ScenarioRequest, UploadRequest
from ketamech.app.responses import (
    Band,
    CurvesResponse,
    DoseTableSubjects,
    Points,
    ScenarioSummary,
    as_json,
    json_response,
)
from ketamech.app.scenarios import parse_uploaded, scenario_of, scenario_summary, shown_name, without_file
from ketamech.core import InputError
from ketamech.exchange.nonmem.read import DoseTable, DoseTableSubject, doses_in
from ketamech.exchange.simulate_any import scenario_of as scenario_of_person
from ketamech.simulation.load_scenario import keys_from_text
from ketamech.simulation.model import Model
from ketamech.simulation.scenario_schema import ScenarioFile

MOST_PEOPLE = 200  # larger tables: command line
PERSON = "person."


def subjects_of_table(request: DoseTableRequest, model: Model) -> dict[str, Any]:
    """Every subject of a table as a scenario; the response `responses.DoseTableSubjects`.

    Raises InputError with line and column when the text is not a dose table or no subject can be read.
    """
    name = shown_name(request.name)
    table = doses_in(request.text, name, model.parameters, drug=request.drug or None)
    if len(table.subjects) > MOST_PEOPLE:
        what = f"{len(table.subjects)} people in one table"
        raise InputError(what, file=name, expected=f"at most {MOST_PEOPLE} on the page; the command line reads more")
    found, refused = [], []
    for subject in table.subjects:
        try:
            found.append({"id": subject.name, "scenario": _keys(table, subject, model).model_dump(mode="json")})
        except InputError as problem:
            refused.append(problem)
    if not found:
        raise refused[0]
    return {"people": found, "notes": list(table.notes), "refused": [str(problem) for problem in refused]}


def _keys(table: DoseTable, subject: DoseTableSubject, model: Model) -> ScenarioFile:
    """The scenario of one subject as the keys of a file, with covariates under `person`."""
    if not any(occasion.rows for occasion in subject.occasions):
        raise InputError(f"no dose for ID {subject.name}", file=table.path, expected="rows with AMT above 0")
    source = scenario_of_person(table, subject, model.parameters).source
    keys = keys_from_text(source, table.path.name)
    person = {n.removeprefix(PERSON): v for n, v in keys.parameters.items() if n.startswith(PERSON)}
    others = {n: v for n, v in keys.parameters.items() if not n.startswith(PERSON)}
    found = keys.model_copy(update={"person": person, "parameters": others})
    try:
        scenario_of(found, model)
    except InputError as problem:
        raise without_file(problem) from None
    return found


def routes(app_state: AppState) -> APIRouter:
    """Routes that take a scenario."""
    router = APIRouter(prefix="/api", tags=["simulation"])

    async def cached_response(
        kind: str, request: BaseModel, make: Callable[[], Any], *, long: bool = False
    ) -> Response:
        """Return the stored response of an earlier identical request, if there is one."""
        key = (kind, request.model_dump_json())
        return json_response(
            await app_state.compute(lambda: app_state.answers.get(key, lambda: as_json(make())), long=long)
        )

    @router.post("/curves", response_model=CurvesResponse)
    async def curves(request: CurvesRequest) -> Response:
        """Curves of the typical patient and of a control with the same expectancy and no drug."""
        return await cached_response("curves", request, lambda: curves_of(app_state, request))

    @router.post("/band", response_model=Band)
    async def band(request: BandRequest) -> Response:
        """Quantiles of one track over virtual patients."""
        return await cached_response("band", request, lambda: band_of(app_state, request), long=True)

    @router.post("/points", response_model=Points)
    async def points(request: ScenarioRequest) -> Response:
        """Published values from studies that gave the same treatment."""
        return await cached_response("points", request, lambda: points_of(app_state, request.scenario))

    @router.post("/scenario/check", response_model=ScenarioSummary)
    async def check(request: ScenarioRequest) -> Response:
        """The scenario as text, as a file, as a command and as Python; or the error in it."""
        return await cached_response("check", request, lambda: scenario_summary(request.scenario, app_state.model))

    @router.post("/scenario/read", response_model=ScenarioFile)
    async def read(request: UploadRequest) -> Response:
        """An uploaded scenario file (YAML) as keys; or the error in it with its line."""
        return json_response(
            await app_state.compute(
                lambda: parse_uploaded(request.text, request.name, app_state.model).model_dump(mode="json")
            )
        )

    @router.post("/scenario/doses", response_model=DoseTableSubjects)
    async def doses(request: DoseTableRequest) -> Response:
        """The people of a dose table with the columns of NONMEM as scenarios; or the error in it with its line."""
        return json_response(await app_state.compute(lambda: subjects_of_table(request, app_state.model)))

    return router
