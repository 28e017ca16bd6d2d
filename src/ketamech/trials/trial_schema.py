"""The keys of a trial file as pydantic models, and their JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from ketamech.core import InputError
from ketamech.core.deprecated_names import with_current_keys
from ketamech.simulation.scenario_schema import FileSchema

BELIEF = "^(blinded|open|none)$"
CONDITIONS = (
    "'MADRS >= 22', 'no response of MADRS and CADSS < 40 at the last visit', 'MADRS <= 12 at 3 of the last 4 visits'"
)


def _fraction(value: Any) -> Any:
    """A fraction that is written as a percentage; any other value is left to the check of numbers."""
    if not (isinstance(value, str) and "%" in value):
        return value
    from ketamech.dosing.parse import parse_percentage  # the schema alone needs no grammar

    try:
        return parse_percentage(value)
    except InputError:
        return value


Fraction = Annotated[float, BeforeValidator(_fraction, json_schema_input_type=float | str)]


class TitrationKeys(BaseModel, extra="forbid"):
    """A change of dose in one arm."""

    at: str | list[str] = Field(description="times of the change, e.g. [day 4, day 8]; a dose due then is changed too")
    to: str = Field(description="the dose from then on, e.g. 84 mg")
    origin: str | None = Field(None, alias="from", description="only patients on this dose, e.g. 56 mg")
    when: str | None = Field(None, description="a condition on the last ratings; without it all patients change")


class ArmKeys(BaseModel, extra="forbid"):
    """One arm."""

    treatment: str | list[str] = Field(
        description="a regimen sentence, or several; 'placebo IV' for no drug; '..., then weekly or every 2 weeks by "
        "remission', '..., then 56 to 84 mg by response and tolerability on days 4, 8' and 're-induce on relapse' "
        "adapt it to each patient"
    )
    n: int | None = Field(None, ge=1, le=1_000_000, description="patients; or give patients: and share: instead")
    share: Fraction | None = Field(
        None, description="share of all patients, e.g. 0.5 or 50 %; the shares of all arms add up to 1"
    )
    belief: str | None = Field(None, pattern=BELIEF, description="what the patients are told about their treatment")
    titration: list[TitrationKeys] = Field([], description="changes of the dose of this arm by ratings")


class StepKeys(BaseModel, extra="forbid"):
    """A decision at visits."""

    at: str | list[str] = Field(description="visits, e.g. [day 29, day 57]")
    when: str | None = Field(None, description=f"a condition, e.g. {CONDITIONS}; without it all patients")
    arms: str | list[str] = Field([], description="only patients of these arms, or with these names of earlier steps")
    give: str | dict[str, str] = Field(
        description="a regimen from then on, 'stop' (or 'nothing') for no doses, 'continue' for no change, perhaps "
        "'with lithium 900 mg oral daily for 2 weeks'; "
        "{name: regimen, ...} draws one at random"
    )
    shares: dict[str, Fraction] | None = Field(
        None, description="probabilities of the names in give, which add up to 1, e.g. {on: 0.5, off: 50 %}"
    )
    otherwise: str | None = Field(None, description="a regimen for the others; without it they continue as before")
    belief: str | None = Field(None, pattern=BELIEF, description="what the patients are told from then on")


class DropoutKeys(BaseModel, extra="forbid"):
    """A dropout rule."""

    when: str = Field(description="'MADRS falls less than 20 %' (lack of effect), 'CADSS > 30' (side effects)")
    chance: str = Field(description="probability that such a patient leaves at a visit, e.g. 10 %")
    since: str = Field("0 h", description="the first visit at which the rule applies, e.g. day 15")
    reason: str = Field("", description="the reason in the results, e.g. lack of effect")


class ThresholdKeys(BaseModel, extra="forbid"):
    """What counts as response and remission on one scale in this trial."""

    response: str | None = Field(None, description="fall from baseline, e.g. 50 %")
    remission: float | None = Field(None, description="the highest score of a patient in remission, e.g. 12")


class RelapseKeys(BaseModel, extra="forbid"):
    """Relapse: its definition, the patients at risk, and the end of an event-driven trial."""

    when: str = Field(description=f"the rating that is a relapse, e.g. {CONDITIONS}")
    since: str = Field(description="the visit from which relapses count, e.g. day 113")
    at_risk: str | None = Field(None, description="condition at that visit [default: response of the scale of 'when']")
    arms: str | list[str] = Field([], description="only patients of these arms, or with these names of steps")
    confirmed: bool = Field(True, description="whether the next rating must be a relapse too")
    within: str | None = Field(None, description="longest time to that rating, e.g. 15 d")
    admission: str = Field("0 %", description="probability in a week of an admission, which is a relapse too")
    admission_when: str | None = Field(None, description="admissions occur while the last rating meets this condition")
    last_event: int = Field(0, ge=0, description="the trial ends at this number of relapses of all patients; 0: never")


class AllocationKeys(BaseModel, extra="forbid"):
    """How patients are allocated to arms."""

    block: int = Field(0, ge=0, le=10_000, description="size of permuted blocks; 0: one block of all patients")
    strata: dict[str, dict[str, Fraction]] = Field(
        {}, description="blocks within strata, e.g. site: {A: 0.6, B: 0.4}; the shares of each add up to 1"
    )


class EligibilityKeys(BaseModel, extra="forbid"):
    """Who is enrolled, by the score as rated."""

    include: str | list[str] = Field(description="conditions at screening and baseline, e.g. MADRS >= 28")
    screening: str = Field("0 h", description="time from screening to baseline, e.g. 4 weeks; 0 h: baseline only")
    lead_in: str | None = Field(
        None, description="treatment of all candidates from screening on, e.g. antidepressant daily for 4 weeks"
    )
    belief: str = Field("open", pattern=BELIEF, description="what the candidates are told about the lead-in")
    exclude: str | None = Field(
        None, description="who is excluded at baseline, relative to screening, e.g. MADRS falls by 25 %"
    )
    baseline_inflation: float = Field(
        0, ge=0, le=20, description="points below a limit that a rater raises to the limit"
    )
    inflating_share: str = Field("100 %", description="share of patients whose rater does so")
    raters: str = Field("site", pattern="^(site|independent)$", description="independent: others rate the trial")

    @model_validator(mode="before")
    @classmethod
    def _with_current_keys(cls, content: Any) -> Any:
        """The old keys `inflation` and `inflating` are read for one release, with a warning."""
        return with_current_keys(content, ("inflation", "inflating"))


class TrialFile(BaseModel, extra="forbid", title="KetaMech trial"):
    """A trial file. For research and education only: not treatment or dosing advice."""

    title: Annotated[str, Field(max_length=200)]
    description: Annotated[str, Field(max_length=5000)] = ""
    references: list[str] = Field([], description="keys of data/evidence/references.json")
    assumed: list[str] = Field([], description="assumptions about what the paper does not report, one sentence each")
    population: str | dict[str, Fraction] = Field(
        "trd", description="a population of `ketamech population`, or shares of several, e.g. {trd: 0.7, bipolar: 0.3}"
    )
    people: dict[str, str | float] = Field({}, description="distributions that differ, e.g. age: normal 70 4 in 65 85")
    parameters: dict[str, float | str] = Field({}, description="any parameter by its full name, for all patients")
    arms: Annotated[dict[str, ArmKeys], Field(min_length=1, max_length=20)] = Field(
        description="arms by name, e.g. ketamine: {treatment: racemic 0.5 mg/kg IV over 40 min, n: 20}"
    )
    patients: int | None = Field(
        None, ge=1, le=1_000_000, description="total number, where arms give shares, or none: equal ones"
    )
    allocation: AllocationKeys = Field(AllocationKeys.model_validate({}), description="how patients are allocated")
    add_on: str | None = Field(
        None,
        description="given to all patients in addition to the arm, perhaps 'with ...', e.g. antidepressant daily",
    )
    blinding: str = Field("double", pattern="^(open|single|double)$", description="open, single or double")
    visits: Annotated[dict[str, list[str]], Field(min_length=1)] = Field(
        description="times at which each scale is rated, e.g. MADRS: [24 h, 3 d, day 8]; baseline is always rated"
    )
    window: str | None = Field(None, description="how far visits may deviate from the plan, e.g. 12 h")
    crossover: str | None = Field(None, description="all patients pass through all arms, this far apart, e.g. 14 days")
    crossover_when: str | None = Field(
        None,
        description="after that time each patient waits until this holds, e.g. MADRS > 75 % of baseline, or relapse",
    )
    crossover_latest: str | None = Field(None, description="the longest wait from the start [default: the last visit]")
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
    reference: str | None = Field(
        None,
        description="the arm with which the others are compared [default: the first with a placebo or active placebo, "
        "else the first without ketamine, else the last]",
    )
    relapse: str | RelapseKeys | None = Field(
        None, description="what ends a response, e.g. 'MADRS > 50 % of baseline from day 12', or keys when:, since: ..."
    )
    thresholds: dict[str, ThresholdKeys] = Field(
        {}, description="response and remission that differ from the scale, e.g. MADRS: {remission: 12}"
    )
    tolerability: str | None = Field(
        None, description="when a dose counts as tolerated, e.g. CADSS <= 40 and SBP-rise < 40 (last ratings)"
    )
    events: dict[str, str] = Field(
        {},
        description="conditions whose frequency is reported by arm, and by group after a step has put patients into "
        "groups, e.g. dissociation: CADSS > 4; met at any visit",
    )
    eligibility: EligibilityKeys | None = Field(
        None, description="criteria on ratings; without them the population is that of the enrolled patients"
    )
    seed: int | None = Field(None, ge=0, description="[default: a number derived from the name of the file]")

    def first_visit(self, scale: str) -> str:
        """The first time after baseline at which a scale is rated, as written."""
        return next((text for text in self.visits[scale] if not is_baseline(text)), "day 8")


def is_baseline(text: str) -> bool:
    """Whether a time of `visits` is the baseline, at which every scale is rated."""
    return text.strip().lower() == "baseline"


TRIAL_FILE = FileSchema(
    "trial",
    TrialFile,
    {
        "arms": ArmKeys,
        "titration": TitrationKeys,
        "steps": StepKeys,
        "rescue": StepKeys,
        "leave": DropoutKeys,
        "allocation": AllocationKeys,
        "thresholds": ThresholdKeys,
        "relapse": RelapseKeys,
        "eligibility": EligibilityKeys,
    },
)


def trial_schema() -> dict[str, Any]:
    """The JSON Schema of trial files."""
    return TrialFile.model_json_schema()
