"""What a trial file may hold: its keys, their kinds, and the JSON Schema of it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

BELIEF = "^(blinded|open|none)$"


class ArmKeys(BaseModel):
    """One arm."""

    model_config = ConfigDict(extra="forbid")

    treatment: str | list[str] = Field(
        description="a regimen sentence, or several; 'placebo IV' for nothing; '..., then weekly or every 2 weeks by "
        "remission' and 're-induce on relapse' adapt it to each person"
    )
    n: int | None = Field(None, ge=1, le=1_000_000, description="patients; or give patients: and share: instead")
    share: float | None = Field(None, description="share of all patients; the shares of all arms add up to 1")
    belief: str | None = Field(None, pattern=BELIEF, description="what the patients know")


class StepKeys(BaseModel):
    """Something decided at visits."""

    model_config = ConfigDict(extra="forbid")

    at: str | list[str] = Field(description="visits, e.g. [day 29, day 57]")
    when: str = Field(description="e.g. 'response of MADRS', 'no remission of MADRS', 'MADRS <= 12', 'MADRS > 22'")
    give: str | dict[str, str] = Field(description="a regimen from then on; {name: regimen, ...} draws one at random")
    shares: dict[str, float] | None = Field(None, description="chances of the names in give, which add up to 1")
    otherwise: str | None = Field(None, description="a regimen for the others; without it they go on as before")
    belief: str | None = Field(None, pattern=BELIEF, description="what they know from then on")


class LeaveKeys(BaseModel):
    """Who leaves."""

    model_config = ConfigDict(extra="forbid")

    when: str = Field(description="'MADRS falls less than 20 %' (lack of effect), 'CADSS > 30' (side effects)")
    chance: str = Field(description="how many of these leave at a visit, e.g. 10 %")
    since: str = Field("0 h", description="the first visit at which they do, e.g. day 15")
    reason: str = Field("", description="in the words of the table, e.g. lack of effect")


class AllocationKeys(BaseModel):
    """How patients are allocated to arms."""

    model_config = ConfigDict(extra="forbid")

    block: int = Field(0, ge=0, le=10_000, description="size of permuted blocks; 0: one block of all patients")
    strata: dict[str, dict[str, float]] = Field(
        {}, description="blocks within strata, e.g. site: {A: 0.6, B: 0.4}; the shares of each add up to 1"
    )


class TrialFile(BaseModel):
    """What a trial file may hold. For research and education only: not treatment or dosing advice."""

    model_config = ConfigDict(extra="forbid", title="KetaMech trial")

    title: Annotated[str, Field(max_length=200)]
    description: Annotated[str, Field(max_length=5000)] = ""
    references: list[str] = Field([], description="keys of data/evidence/references.csv")
    assumed: list[str] = Field([], description="what the paper does not say and was assumed, a sentence each")
    population: str = Field("trd", description="a population of `ketamech population`")
    people: dict[str, str | float] = Field({}, description="distributions that differ, e.g. age: normal 70 4 in 65 85")
    parameters: dict[str, float | str] = Field({}, description="any parameter by its full name, for everybody")
    arms: Annotated[dict[str, ArmKeys], Field(min_length=1, max_length=20)]
    patients: int | None = Field(None, ge=1, le=1_000_000, description="in all, where arms give shares")
    allocation: AllocationKeys = Field(AllocationKeys.model_validate({}), description="how patients are allocated")
    add_on: str | None = Field(None, description="given to everybody beside the arm, e.g. antidepressant daily")
    blinding: str = Field("double", pattern="^(open|single|double)$", description="open, single or double")
    visits: Annotated[dict[str, list[str]], Field(min_length=1)] = Field(
        description="for each scale when it is rated, e.g. MADRS: [24 h, 3 d, day 8]; baseline is always rated"
    )
    window: str | None = Field(None, description="visits after the first day fall within so much of the plan: 12 h")
    crossover: str | None = Field(None, description="every person passes through all arms, this far apart: 14 days")
    dropout: str = Field("0 %", description="who leaves in a week whatever happens, e.g. 2 %")
    dropout_without_effect: str = Field("0 %", description="who leaves at a visit without a fifth of improvement")
    leave: list[LeaveKeys] = Field([], description="who leaves for lack of effect or for side effects")
    missed_visits: str = Field("0 %", description="visits that are not held")
    adherence: str = Field("100 %", description="doses taken")
    steps: list[StepKeys] = Field([], description="what is decided on the way, e.g. a randomised withdrawal")
    rescue: list[StepKeys] = Field([], description="what is added, once, for those who need it")
    primary: str | None = Field(None, description="e.g. MADRS at 24 h [default: the last visit of the first scale]")
    relapse: str | None = Field(None, description="what ends a response, e.g. 'MADRS > 50 % of baseline from day 12'")
    seed: int = Field(1, ge=0)


def trial_schema() -> dict[str, Any]:
    """The JSON Schema of trial files."""
    return TrialFile.model_json_schema()
