"""Curves, bands, published points; and scenarios checked, read from files and said in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from ketamech.app.app_state import AppState
from ketamech.app.band_responses import band_of
from ketamech.app.curve_responses import curves_of
from ketamech.app.dose_table import subjects_of_table
from ketamech.app.json_responses import as_json, json_response
from ketamech.app.point_responses import points_of
from ketamech.app.request_models import BandRequest, CurvesRequest, DoseTableRequest, ScenarioRequest, UploadRequest
from ketamech.app.responses import Band, CurvesResponse, DoseTableSubjects, Points, ScenarioSummary
from ketamech.app.scenarios import parse_uploaded, scenario_summary
from ketamech.simulation.scenario_schema import ScenarioFile


def routes(engine: AppState) -> APIRouter:
    """Everything about one scenario."""
    router = APIRouter(prefix="/api", tags=["simulation"])

    async def told(kind: str, asked: BaseModel, make: Callable[[], Any], *, long: bool = False) -> Response:
        """What was asked lately is not computed again."""
        key = (kind, asked.model_dump_json())
        return json_response(await engine.compute(lambda: engine.answers.get(key, lambda: as_json(make())), long=long))

    @router.post("/curves", response_model=CurvesResponse)
    async def curves(asked: CurvesRequest) -> Response:
        """Curves of the typical patient, and of the same person with the same hopes and no drug."""
        return await told("curves", asked, lambda: curves_of(engine, asked))

    @router.post("/band", response_model=Band)
    async def band(asked: BandRequest) -> Response:
        """What many virtual patients show: quantiles of one lane."""
        return await told("band", asked, lambda: band_of(engine, asked), long=True)

    @router.post("/points", response_model=Points)
    async def points(asked: ScenarioRequest) -> Response:
        """Published numbers of trials and experiments that gave the same."""
        return await told("points", asked, lambda: points_of(engine, asked.scenario))

    @router.post("/scenario/check", response_model=ScenarioSummary)
    async def check(asked: ScenarioRequest) -> Response:
        """The scenario in words, as a file, as a command and as Python; or what is wrong with it."""
        return await told("check", asked, lambda: scenario_summary(asked.scenario, engine.model))

    @router.post("/scenario/read", response_model=ScenarioFile)
    async def read(asked: UploadRequest) -> Response:
        """An uploaded scenario file (YAML) as keys; or what is wrong with it, with its line."""
        return json_response(
            await engine.compute(lambda: parse_uploaded(asked.text, asked.name, engine.model).model_dump(mode="json"))
        )

    @router.post("/scenario/doses", response_model=DoseTableSubjects)
    async def doses(asked: DoseTableRequest) -> Response:
        """The people of a dose table with the columns of NONMEM as scenarios; or what is wrong with it, and where."""
        return json_response(await engine.compute(lambda: subjects_of_table(asked, engine.model)))

    return router
