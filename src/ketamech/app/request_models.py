"""Request models with bounds; a scenario has the schema of scenario files."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ketamech.app.limits import LIMITS
from ketamech.simulation.scenario_schema import ScenarioFile

Name = Annotated[str, Field(max_length=120, pattern=r"^[a-z0-9_.]+$")]


class ScenarioRequest(BaseModel):
    """A request for one scenario."""

    model_config = ConfigDict(extra="forbid")

    scenario: ScenarioFile


Until = Annotated[float, Field(gt=0, le=20_000, description="hours after the first treatment to show")]


class CurvesRequest(ScenarioRequest):
    """Curves of the typical patient: tracks by key, outputs by name, or all tracks when neither is given."""

    tracks: Annotated[list[Name], Field(max_length=60)] = []
    outputs: Annotated[list[Name], Field(max_length=60)] = []
    until: Until | None = None


class BandRequest(ScenarioRequest):
    """Quantiles of one track over virtual patients."""

    track: Name = "mood"
    until: Until | None = None
    patients: int = Field(1000, ge=10, le=LIMITS.band_patients)
    seed: int = Field(1, ge=0, le=2**31)


class UploadRequest(BaseModel):
    """An uploaded file. Its name is used in messages only."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("scenario.yaml", max_length=120)
    text: str = Field(max_length=200_000)


class DoseTableRequest(UploadRequest):
    """A dose table with the columns of NONMEM (ID, TIME, AMT, RATE ..., DRUG, ROUTE, UNIT, WEIGHT)."""

    drug: str = Field("", max_length=60, description="the drug where the table has no column DRUG")


class TrialRequest(BaseModel):
    """A virtual trial: a shipped trial by name, or arms given as regimen sentences."""

    model_config = ConfigDict(extra="forbid")

    shipped: str = Field("", max_length=60, description="the name of a shipped trial; or give arms")
    arms: Annotated[dict[str, str], Field(max_length=6)] = Field({}, description="name: regimen sentence")
    population: str = Field("trd", max_length=40)
    patients_per_arm: int = Field(50, ge=2, le=2000)
    replicates: int = Field(20, ge=1, le=500)
    days: Annotated[list[int], Field(max_length=12)] = Field(
        [1, 3, 7, 14, 28], description="visit days after the start"
    )
    seed: int = Field(1, ge=0, le=2**31)


class AttributionRequest(ScenarioRequest):
    """The contribution of each pathway to each outcome."""

    draws: int = Field(0, ge=0, le=200, description="parameter draws; 0: the table values only")
