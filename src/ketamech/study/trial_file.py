"""What a trial file may hold: its keys, their kinds, and the JSON Schema of it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class ArmKeys(BaseModel):
    """One arm."""

    model_config = ConfigDict(extra="forbid")

    treatment: str | list[str] = Field(description="a regimen sentence, or several; 'placebo IV' for nothing")
    n: int | None = Field(None, ge=1, le=1_000_000, description="patients; or give patients: and share: instead")
    share: float | None = Field(None, description="share of all patients; the shares of all arms add up to 1")
    belief: str | None = Field(None, pattern="^(blinded|open|none)$", description="what the patients know")


class StepKeys(BaseModel):
    """Something decided at visits."""

    model_config = ConfigDict(extra="forbid")

    at: str | list[str] = Field(description="visits, e.g. [day 29, day 57]")
    when: str = Field(description="e.g. 'response of MADRS', 'remission of MADRS', 'MADRS <= 12', 'MADRS > 22'")
    give: str | dict[str, str] = Field(description="a regimen from then on; {name: regimen, ...} draws one at random")
    otherwise: str | None = Field(None, description="a regimen for the others; without it they go on as before")


class TrialFile(BaseModel):
    """What a trial file may hold. For research and education only: not treatment or dosing advice."""

    model_config = ConfigDict(extra="forbid", title="KetaMech trial")

    title: Annotated[str, Field(max_length=200)]
    description: Annotated[str, Field(max_length=5000)] = ""
    references: list[str] = Field([], description="keys of data/evidence/references.csv")
    population: str = Field("trd", description="a population of `ketamech people`")
    people: dict[str, str | float] = Field({}, description="distributions that differ, e.g. age: normal 70 4 in 65 85")
    parameters: dict[str, float | str] = Field({}, description="any parameter by its full name, for everybody")
    arms: Annotated[dict[str, ArmKeys], Field(min_length=1, max_length=20)]
    patients: int | None = Field(None, ge=1, le=1_000_000, description="in all, where arms give shares")
    blinding: str = Field("double", pattern="^(open|single|double)$", description="open, single or double")
    visits: Annotated[dict[str, list[str]], Field(min_length=1)] = Field(
        description="for each scale when it is rated, e.g. MADRS: [24 h, 3 d, day 8]; baseline is always rated"
    )
    window: str | None = Field(None, description="visits from a day on fall within so much of the plan, e.g. 12 h")
    crossover: str | None = Field(None, description="every person passes through all arms, this far apart: 14 days")
    dropout: str = Field("0 %", description="who leaves in a week, e.g. 2 %")
    dropout_without_effect: str = Field("0 %", description="who leaves at a visit without a fifth of improvement")
    adherence: str = Field("100 %", description="doses taken")
    steps: list[StepKeys] = Field([], description="what is decided on the way")
    primary: str | None = Field(None, description="e.g. MADRS at 24 h [default: the last visit of the first scale]")
    relapse: str | None = Field(None, description="what ends a remission, e.g. 'MADRS > 50 % of baseline from day 12'")
    seed: int = Field(1, ge=0)


def trial_schema() -> dict[str, Any]:
    """The JSON Schema of trial files."""
    return TrialFile.model_json_schema()
