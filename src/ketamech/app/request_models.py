"""What a request says: typed, bounded, and for scenarios the very schema of scenario files."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ketamech.app.limits import LIMITS
from ketamech.simulation.scenario_schema import ScenarioFile

Name = Annotated[str, Field(max_length=120, pattern=r"^[a-z0-9_.]+$")]


class ScenarioRequest(BaseModel):
    """A question about one scenario."""

    model_config = ConfigDict(extra="forbid")

    scenario: ScenarioFile


Until = Annotated[float, Field(gt=0, le=20_000, description="hours after the first treatment that are looked at")]


class CurvesRequest(ScenarioRequest):
    """Curves of the typical patient: lanes of the story by key, or outputs by name; all lanes when neither is given."""

    lanes: Annotated[list[Name], Field(max_length=60)] = []
    outputs: Annotated[list[Name], Field(max_length=60)] = []
    until: Until | None = None


class BandRequest(ScenarioRequest):
    """What many virtual patients show: quantiles over time of one lane."""

    lane: Name = "mood"
    until: Until | None = None
    patients: int = Field(1000, ge=10, le=LIMITS.band_patients)
    seed: int = Field(1, ge=0, le=2**31)


class UploadRequest(BaseModel):
    """A file that was dropped on the page. Its name is shown in messages and goes nowhere else."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("scenario.yaml", max_length=120)
    text: str = Field(max_length=200_000)


class DoseTableRequest(UploadRequest):
    """A dose table with the columns of NONMEM (ID, TIME, AMT, RATE ..., DRUG, ROUTE, UNIT, WEIGHT)."""

    drug: str = Field("", max_length=60, description="what is given where no column DRUG says it")


class TrialRequest(BaseModel):
    """A virtual trial: one that ships, by name, or arms made of scenarios."""

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
    """Which pathway carries how much of which outcome."""

    draws: int = Field(0, ge=0, le=200, description="draws of what is not known; 0: the values of the tables")
