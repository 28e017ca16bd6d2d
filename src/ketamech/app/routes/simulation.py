"""Curves, bands, published points; and scenarios checked, read from files and said in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel

from ketamech.app.answers import answer, as_json
from ketamech.app.asked import AboutScenario, AskedBand, AskedCurves, AskedDoseTable, AskedText
from ketamech.app.bands import band_of
from ketamech.app.curves import curves_of
from ketamech.app.dose_table import people_of
from ketamech.app.engine import Engine
from ketamech.app.points import points_of
from ketamech.app.scenarios import checked, keys_of_text
from ketamech.app.told import Band, Checked, Curves, DosePeople, Points
from ketamech.study.scenario_file import ScenarioFile


def routes(engine: Engine) -> APIRouter:
    """Everything about one scenario."""
    router = APIRouter(prefix="/api", tags=["simulation"])

    async def told(kind: str, asked: BaseModel, make: Callable[[], Any], *, long: bool = False) -> Response:
        """What was asked lately is not computed again."""
        key = (kind, asked.model_dump_json())
        return answer(await engine.compute(lambda: engine.answers.get(key, lambda: as_json(make())), long=long))

    @router.post("/curves", response_model=Curves)
    async def curves(asked: AskedCurves) -> Response:
        """Curves of the typical patient, and of the same person with the same hopes and no drug."""
        return await told("curves", asked, lambda: curves_of(engine, asked))

    @router.post("/band", response_model=Band)
    async def band(asked: AskedBand) -> Response:
        """What many virtual patients show: quantiles of one lane."""
        return await told("band", asked, lambda: band_of(engine, asked), long=True)

    @router.post("/points", response_model=Points)
    async def points(asked: AboutScenario) -> Response:
        """Published numbers of trials and experiments that gave the same."""
        return await told("points", asked, lambda: points_of(engine, asked.scenario))

    @router.post("/scenario/check", response_model=Checked)
    async def check(asked: AboutScenario) -> Response:
        """The scenario in words, as a file, as a command and as Python; or what is wrong with it."""
        return await told("check", asked, lambda: checked(asked.scenario, engine.model))

    @router.post("/scenario/read", response_model=ScenarioFile)
    async def read(asked: AskedText) -> Response:
        """An uploaded scenario file (YAML) as keys; or what is wrong with it, with its line."""
        return answer(
            await engine.compute(lambda: keys_of_text(asked.text, asked.name, engine.model).model_dump(mode="json"))
        )

    @router.post("/scenario/doses", response_model=DosePeople)
    async def doses(asked: AskedDoseTable) -> Response:
        """The people of a dose table with the columns of NONMEM as scenarios; or what is wrong with it, and where."""
        return answer(await engine.compute(lambda: people_of(asked, engine.model)))

    return router
