"""The keys of a trial file as pydantic models, and their JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ketamech.simulation.scenario_schema import FileSchema

BELIEF = "^(blinded|open|none)$"


class ArmKeys(BaseModel):
    """One arm."""

    model_config = ConfigDict(extra="forbid")

    treatment: str | list[str] = Field(
        description="a regimen sentence, or several; 'placebo IV' for no drug; '..., then weekly or every 2 weeks by "
        "remission' and 're-induce on relapse' adapt it to each patient"
    )
    n: int | None = Field(None, ge=1, le=1_000_000, description="patients; or give patients: and share: instead")
    share: float | None = Field(None, description="share of all patients; the shares of all arms add up to 1")
    belief: str | None = Field(None, pattern=BELIEF, description="what the patients are told about their treatment")


class StepKeys(BaseModel):
    """A decision at visits."""

    model_config = ConfigDict(extra="forbid")

    at: str | list[str] = Field(description="visits, e.g. [day 29, day 57]")
    when: str = Field(description="e.g. 'response of MADRS', 'no remission of MADRS', 'MADRS <= 12', 'MADRS > 22'")
    give: str | dict[str, str] = Field(description="a regimen from then on; {name: regimen, ...} draws one at random")
    shares: dict[str, float] | None = Field(None, description="probabilities of the names in give, which add up to 1")
    otherwise: str | None = Field(None, description="a regimen for the others; without it they continue as before")
    belief: str | None = Field(None, pattern=BELIEF, description="what the patients are told from then on")


class DropoutKeys(BaseModel):
    """A dropout rule."""

    model_config = ConfigDict(extra="forbid")

    when: str = Field(description="'MADRS falls less than 20 %' (lack of effect), 'CADSS > 30' (side effects)")
    chance: str = Field(description="probability that such a patient leaves at a visit, e.g. 10 %")
    since: str = Field("0 h", description="the first visit at which the rule applies, e.g. day 15")
    reason: str = Field("", description="the reason in the results, e.g. lack of effect")


class AllocationKeys(BaseModel):
    """How patients are allocated to arms."""

    model_config = ConfigDict(extra="forbid")

    block: int = Field(0, ge=0, le=10_000, description="size of permuted blocks; 0: one block of all patients")
    strata: dict[str, dict[str, float]] = Field(
        {}, description="blocks within strata, e.g. site: {A: 0.6, B: 0.4}; the shares of each add up to 1"
    )


class EligibilityKeys(BaseModel):
    """Who is enrolled, by the score as rated."""

    model_config = ConfigDict(extra="forbid")

    include: str | list[str] = Field(description="conditions at screening and baseline, e.g. MADRS >= 28")
    screening: str = Field("0 h", description="time from screening to baseline, e.g. 4 weeks; 0 h: baseline only")
    lead_in: str | None = Field(
        None, description="treatment of all candidates from screening on, e.g. antidepressant daily for 4 weeks"
    )
    belief: str = Field("open", pattern=BELIEF, description="what the candidates are told about the lead-in")
    exclude: str | None = Field(
        None, description="who is excluded at baseline, relative to screening, e.g. MADRS falls by 25 %"
    )
    inflation: float = Field(0, ge=0, le=20, description="points below a limit that a rater raises to the limit")
    inflating: str = Field("100 %", description="share of patients whose rater does so")
    raters: str = Field("site", pattern="^(site|independent)$", description="independent: others rate the trial")


class TrialFile(BaseModel):
    """A trial file. For research and education only: not treatment or dosing advice."""

    model_config = ConfigDict(extra="forbid", title="KetaMech trial")

    title: Annotated[str, Field(max_length=200)]
    description: Annotated[str, Field(max_length=5000)] = ""
    references: list[str] = Field([], description="keys of data/evidence/references.json")
    assumed: list[str] = Field([], description="assumptions about what the paper does not report, one sentence each")
    population: str = Field("trd", description="a population of `ketamech population`")
    people: dict[str, str | float] = Field({}, description="distributions that differ, e.g. age: normal 70 4 in 65 85")
    parameters: dict[str, float | str] = Field({}, description="any parameter by its full name, for all patients")
    arms: Annotated[dict[str, ArmKeys], Field(min_length=1, max_length=20)]
    patients: int | None = Field(None, ge=1, le=1_000_000, description="total number, where arms give shares")
    allocation: AllocationKeys = Field(AllocationKeys.model_validate({}), description="how patients are allocated")
    add_on: str | None = Field(
        None, description="given to all patients in addition to the arm, e.g. antidepressant daily"
    )
    blinding: str = Field("double", pattern="^(open|single|double)$", description="open, single or double")
    visits: Annotated[dict[str, list[str]], Field(min_length=1)] = Field(
        description="times at which each scale is rated, e.g. MADRS: [24 h, 3 d, day 8]; baseline is always rated"
    )
    window: str | None = Field(None, description="how far visits may deviate from the plan, e.g. 12 h")
    crossover: str | None = Field(None, description="all patients pass through all arms, this far apart, e.g. 14 days")
    dropout: str = Field("0 %", description="probability to leave in a week for any reason, e.g. 2 %")
    dropout_without_effect: str = Field(
        "0 %", description="probability to leave at a visit with a fall of less than 20 %"
    )
    leave: list[DropoutKeys] = Field([], description="dropout rules for lack of effect or side effects")
    missed_visits: str = Field("0 %", description="percentage of visits that are not held")
    adherence: str = Field("100 %", description="percentage of doses that are taken")
    steps: list[StepKeys] = Field([], description="decisions during the trial, e.g. a randomised withdrawal")
    rescue: list[StepKeys] = Field([], description="treatment that is added once to patients who meet a condition")
    primary: str | None = Field(None, description="e.g. MADRS at 24 h [default: the last visit of the first scale]")
    relapse: str | None = Field(None, description="what ends a response, e.g. 'MADRS > 50 % of baseline from day 12'")
    eligibility: EligibilityKeys | None = Field(
        None, description="criteria on ratings; without them the population is that of the enrolled patients"
    )
    seed: int = Field(1, ge=0)


TRIAL_FILE = FileSchema(
    "trial",
    TrialFile,
    {
        "arms": ArmKeys,
        "steps": StepKeys,
        "rescue": StepKeys,
        "leave": DropoutKeys,
        "allocation": AllocationKeys,
        "eligibility": EligibilityKeys,
    },
)


def trial_schema() -> dict[str, Any]:
    """The JSON Schema of trial files."""
    return TrialFile.model_json_schema()
