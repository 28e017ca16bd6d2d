"""Routes of one scenario: curves, population, published values, checks and uploads."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from ketamech.app.app_state import AppState, Queue
from ketamech.app.curve_responses import curves_of, outputs_of, population_of, published_values_of
from ketamech.app.responses import cached_response, json_response, solved_response
from ketamech.app.scenarios import parse_uploaded, scenario_of, scenario_summary, shown_name
from ketamech.app.schemas import (
    CurvesRequest,
    CurvesResponse,
    DoseTableRequest,
    DoseTableSubjects,
    OutputsRequest,
    OutputsResponse,
    PopulationRequest,
    PopulationResponse,
    PublishedValues,
    ScenarioRequest,
    ScenarioSummary,
    UploadRequest,
)
from ketamech.core import InputError
from ketamech.nonmem.read import DoseTable, DoseTableSubject, doses_in
from ketamech.nonmem.subjects import scenario_of as scenario_of_subject
from ketamech.simulation.model import Model
from ketamech.simulation.scenario_schema import ScenarioFile
from ketamech.simulation.scenario_yaml import scenario_keys

MAX_SUBJECTS, MAX_RECORDS = 200, 4000  # larger tables: command line
MAX_ROWS_OF_SUBJECT = 400  # the time to write a regimen rises with the square of its doses
PERSON = "person."


def routes(app_state: AppState) -> APIRouter:
    """Routes that take a scenario."""
    router = APIRouter(prefix="/api", tags=["simulation"])

    @router.post("/curves", response_model=CurvesResponse)
    async def curves(request: CurvesRequest) -> Response:
        """Curves of the typical patient and of a control with the same visits and no drug."""
        key = ("curves", request.model_dump_json())
        return await solved_response(app_state, key, lambda state: curves_of(state, request))

    @router.post("/outputs", response_model=OutputsResponse)
    async def outputs(request: OutputsRequest) -> Response:
        """Outputs of the typical patient at given times, in the units of the model."""
        key = ("outputs", request.model_dump_json())
        return await solved_response(app_state, key, lambda state: outputs_of(state, request))

    @router.post("/population", response_model=PopulationResponse)
    async def population(request: PopulationRequest) -> Response:
        """Percentiles of one track over virtual patients."""
        key = ("population", request.model_dump_json())
        return await cached_response(app_state, key, lambda: population_of(app_state, request), Queue.POPULATION)

    @router.post("/published-values", response_model=PublishedValues)
    async def published_values(request: ScenarioRequest) -> Response:
        """Published values from studies that gave the same treatment."""
        key = ("published values", request.model_dump_json())
        return await solved_response(app_state, key, lambda state: published_values_of(state, request.scenario))

    @router.post("/scenario/check", response_model=ScenarioSummary)
    async def check(request: ScenarioRequest) -> Response:
        """The scenario as text, as a file, as a command and as Python; or the error in it."""
        key = ("check", request.model_dump_json())
        return await cached_response(app_state, key, lambda: scenario_summary(request.scenario, app_state.model))

    @router.post("/scenario/read", response_model=ScenarioFile)
    async def read(request: UploadRequest) -> Response:
        """An uploaded scenario file (YAML) as keys; or the error in it with its line."""
        found = await app_state.compute(
            lambda: parse_uploaded(request.text, request.name, app_state.model), Queue.DOWNLOAD
        )
        return json_response(found)

    @router.post("/scenario/dose-table", response_model=DoseTableSubjects)
    async def dose_table(request: DoseTableRequest) -> Response:
        """The subjects of a dose table with the columns of NONMEM as scenarios; or the error in it with its line."""
        return json_response(
            await app_state.compute(lambda: subjects_of_table(request, app_state.model), Queue.DOWNLOAD)
        )

    return router


def subjects_of_table(request: DoseTableRequest, model: Model) -> dict[str, Any]:
    """Every subject of a table as a scenario; the response `schemas.DoseTableSubjects`.

    Raises InputError with line and column when the text is not a dose table or no subject can be read.
    """
    name = shown_name(request.name)
    table = doses_in(request.text, name, model.parameters, drug=request.drug or None, route=request.route or None)
    if len(table.subjects) > MAX_SUBJECTS:
        message = f"{len(table.subjects)} subjects in one table"
        raise InputError(
            message, file=name, expected=f"at most {MAX_SUBJECTS} on the page; the command line reads more"
        )
    records = sum(len(occasion.every) for subject in table.subjects for occasion in subject.occasions)
    if records > MAX_RECORDS:
        expected = f"at most {MAX_RECORDS} on the page; the command line reads more"
        raise InputError(f"{records} records in one table", file=name, expected=expected)
    scenarios, errors = [], []
    for subject in table.subjects:
        try:
            keys = _scenario_of_subject(table, subject, model)
            scenarios.append({"id": subject.name, "scenario": keys.model_dump(mode="json")})
        except InputError as error:
            errors.append(error)
    if not scenarios:
        raise errors[0]
    return {"subjects": scenarios, "assumptions": list(table.notes), "errors": [str(error) for error in errors]}


def _scenario_of_subject(table: DoseTable, subject: DoseTableSubject, model: Model) -> ScenarioFile:
    """The scenario of one subject as the keys of a file, with covariates under `person`."""
    count = sum(len(occasion.rows) for occasion in subject.occasions)
    if count > MAX_ROWS_OF_SUBJECT:
        message = f"{count} doses of ID {subject.name}"
        raise InputError(
            message, file=table.path, expected=f"at most {MAX_ROWS_OF_SUBJECT}; the command line takes more"
        )
    if not count:
        raise InputError(f"no dose for ID {subject.name}", file=table.path, expected="rows with AMT above 0")
    scenario = scenario_of_subject(table, subject, model.parameters)
    keys = ScenarioFile.model_validate(scenario_keys(scenario, model.parameters))
    person = {n.removeprefix(PERSON): v for n, v in keys.parameters.items() if n.startswith(PERSON)}
    other_parameters = {n: v for n, v in keys.parameters.items() if not n.startswith(PERSON)}
    scenario_file = keys.model_copy(update={"person": person, "parameters": other_parameters})
    try:
        scenario_of(scenario_file, model)
    except InputError as error:
        raise error.replace(file=None) from None
    return scenario_file
