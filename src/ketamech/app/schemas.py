"""Requests with their bounds, and responses, of scenarios, trials and jobs. A scenario is that of scenario files."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ketamech.app.app_state import LIMITS
from ketamech.simulation.scenario_schema import ScenarioFile

Name = Annotated[str, Field(max_length=120, pattern=r"^[a-z0-9_.]+$")]
ArmText = Annotated[str, Field(max_length=3000)]
ARM_NAME = r"^[^\W_][^\x00-\x1f\x7f-\x9f\u202a-\u202e$]*$"  # no formula of a spreadsheet, no control character
ArmName = Annotated[str, Field(min_length=1, max_length=60, pattern=ARM_NAME)]
Until = Annotated[float, Field(gt=0, le=20_000, description="hours after the first treatment to show")]


def _percent_text(dropout: object) -> object:
    """A number of percent, as requests had it before, as text."""
    return f"{dropout} %" if isinstance(dropout, int | float) else dropout


def _fraction_of_percent(power: object) -> object:
    """A fraction; a number above 1 is a percentage, as requests had it before."""
    return power / 100 if isinstance(power, int | float) and 1 < power <= 100 else power


Dropout = Annotated[str, BeforeValidator(_percent_text)]


class Request(BaseModel):
    """A request; unknown keys are refused, and more than LIMITS.values values before any of them is checked."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_many_values(cls, content: Any) -> Any:
        parts, count = [content], 0
        while parts:
            one = parts.pop()
            inside = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
            count += len(inside)
            if count > LIMITS.values:
                raise ValueError(f"more than {LIMITS.values:,} values in one request")
            parts.extend(inside)
        return content


class ScenarioRequest(Request):
    """A request for one scenario."""

    scenario: ScenarioFile


class CurvesRequest(ScenarioRequest):
    """Curves of the typical patient: tracks by key, outputs by name, or all tracks when neither is given."""

    tracks: Annotated[list[Name], Field(max_length=60)] = []
    outputs: Annotated[list[Name], Field(max_length=60)] = []
    until: Until | None = None


class OutputsRequest(ScenarioRequest):
    """Outputs of the typical patient at given times, in the units of the model."""

    outputs: Annotated[list[Name], Field(min_length=1, max_length=200)]
    times: Annotated[list[Annotated[float, Field(ge=-400, le=20_000)]], Field(min_length=1, max_length=4000)] = Field(
        description="hours from the start, in rising order"
    )


class PopulationRequest(ScenarioRequest):
    """Percentiles of one track, or of one output by its name, over virtual patients."""

    track: Name = "mood"
    until: Until | None = None
    patients: int = Field(1000, ge=10, le=LIMITS.population_patients)
    seed: int = Field(1, ge=0, le=2**31)
    individuals: int = Field(0, ge=0, le=100, description="single patients returned, at even quantiles of their change")
    ranked_at: float = Field(24.0, gt=0, le=20_000, description="hours after the first treatment of that change")
    control: bool = Field(False, description="the same visits and expectancy without the drugs")
    reference: ScenarioFile | None = Field(
        None, description="another scenario: the response is the difference from it in each virtual patient"
    )


class UploadRequest(Request):
    """An uploaded scenario file. Its name is used in messages only."""

    name: str = Field("scenario.yaml", max_length=120)
    text: str = Field(max_length=200_000)


class DoseTableRequest(UploadRequest):
    """A dose table with the columns of NONMEM (ID, TIME, AMT, RATE ..., DRUG, ROUTE, UNIT, WEIGHT)."""

    drug: str = Field("", max_length=60, description="the drug where the table has no column DRUG")
    route: str = Field("", max_length=60, description="the route where the table has no column ROUTE or CMT")


class TrialRequest(Request):
    """A virtual trial: a shipped trial by name, or arms given as regimen sentences."""

    shipped: str = Field("", max_length=60, description="the name of a shipped trial; or give arms")
    arms: Annotated[dict[ArmName, ArmText], Field(max_length=6)] = Field(
        {}, description="name: regimen, one sentence a line"
    )
    population: str = Field("trd", max_length=40)
    patients_per_arm: int | None = Field(
        50, ge=2, le=2000, description="none: the number of patients of the shipped trial"
    )
    replicates: int = Field(20, ge=1, le=500)
    days: Annotated[list[int], Field(max_length=12)] = Field(
        [1, 3, 7, 14, 28], description="visit days after the start"
    )
    primary_day: int | None = Field(
        None,
        description="the visit day of the primary endpoint; none: the first visit where every arm has a single dose, "
        "else the last one within 28 days",
    )
    control: Literal["double-dummy", "placebo", "none"] = Field(
        "none",
        description="placebo: an arm of placebo at the visits of the arm with the most, where no arm is placebo; "
        "double-dummy: each arm also has the visits of the others, by placebo, unless open-label or adaptive",
    )
    reference: str = Field(
        "",
        max_length=60,
        description="the arm with which the others are compared; none: a placebo or other control arm, else the last",
    )
    blinding: Literal["double", "open"] = "double"
    dropout: Dropout = Field("0 %", max_length=20, description="probability to leave in a week, e.g. 2 %")
    alpha: float = Field(0.05, gt=0, le=0.5, description="two-sided level of significance")
    margin: float | None = Field(None, gt=0, le=60, description="non-inferiority margin in points; none: superiority")
    seed: int = Field(1, ge=0, le=2**31)
    no_effect: bool = Field(False, description="placebo in every arm: the share of successes is the type I error")


class SampleSizeRequest(TrialRequest):
    """A trial whose number of patients is to be found; `patients_per_arm` is its planned size only."""

    target_power: Annotated[float, BeforeValidator(_fraction_of_percent)] = Field(
        0.8, ge=0.5, le=0.99, description="share of trials that are to succeed"
    )


class AttributionRequest(ScenarioRequest):
    """The contribution of each pathway to each endpoint."""

    draws: int = Field(0, ge=0, le=200, description="parameter draws; 0: the table values only")


class ErrorResponse(BaseModel):
    """An error with the text of the command line and the field or line that it concerns."""

    kind: str = Field(description="the class: InputError, UnknownNameError, SolverError, LimitExceeded, NotFound ...")
    error: str
    key: str | None = Field(None, description="the field, e.g. treatments[0].dose")
    line: int | None = Field(None, description="the line of an uploaded file")
    expected: str | None = None
    nearest: str | None = None
    command: str | None = Field(None, description="what to type instead")
    text: str = Field(description="the whole message as the command line prints it")


class Curve(BaseModel):
    """One curve: values at the times of the response; `control`: same patient, same visits, no drug."""

    key: str
    label: str
    treated: list[float | None]
    control: list[float | None] | None = None


class TrackCurves(BaseModel):
    """The curves of one track."""

    key: str
    group: str
    label: str
    unit: str
    curves: list[Curve]


class CurvesResponse(BaseModel):
    """Curves of the typical patient; `time` and everything else in hours since the first treatment."""

    time: list[float]
    tracks: list[TrackCurves]
    treatment_times: list[float]
    horizon: float
    treatments: list[str] = Field(description="the treatments as text")
    milliseconds: float


class OutputsResponse(BaseModel):
    """Values of outputs by name at the times of the request; `control`: same patient, same visits, no drug."""

    times: list[float]
    values: dict[str, list[float | None]]
    control: dict[str, list[float | None]] | None


class PercentileCurves(BaseModel):
    """Percentiles of one curve."""

    key: str
    label: str
    percentiles: dict[str, list[float | None]] = Field(description="values by per cent: 5, 25, 50, 75, 95")
    individuals: list[list[float | None]] = Field([], description="single patients, the largest fall first")


class PopulationResponse(BaseModel):
    """Percentiles of one track over virtual patients."""

    time: list[float]
    track: str
    unit: str
    curves: list[PercentileCurves]
    patients: int
    failed: int
    failure_reasons: dict[str, int]
    milliseconds: float


class PublishedValue(BaseModel):
    """A published number in the unit of its track."""

    evidence: str
    track: str
    curve: str
    shape: str
    start: float
    end: float
    value: float | None
    low: float | None
    high: float | None
    translated: bool = Field(description="not measured in people, made comparable by an assumption, or a difference")
    partly_model: bool = Field(description="a published difference or change, drawn from a line or level of the model")
    fitted: bool = Field(description="the number set a value of the model: agreement is no test")
    label: str
    how: str = Field(description="by what steps the published number came to this value; empty: as published")


class PublishedValues(BaseModel):
    """Published values for the curves of a scenario."""

    published_values: list[PublishedValue]


class ScenarioSummary(BaseModel):
    """A valid scenario as text, file, command and Python."""

    title: str
    treatments: list[str]
    horizon: float
    assumptions: list[str]
    yaml: str
    command: str
    shell: str = Field(description="the command, with the scenario file when it needs one")
    python: str


class SubjectScenario(BaseModel):
    """One subject of a dose table."""

    id: str
    scenario: ScenarioFile


class DoseTableSubjects(BaseModel):
    """The subjects of a dose table, assumptions made, and the errors of subjects that could not be read."""

    subjects: list[SubjectScenario]
    assumptions: list[str]
    errors: list[str]


class ShippedTrial(BaseModel):
    """A trial that ships with the program."""

    name: str
    title: str = Field(description="with author and year of its first paper in front")
    arms: list[str]
    patients: int


class JobState(BaseModel):
    """A job: waiting, running, done, failed or cancelled; `progress` from 0 to 1."""

    id: str
    kind: str
    title: str
    state: str
    progress: float
    message: str = ""
    seconds: float
    started: float = Field(0, description="when it was requested, in seconds since 1970 (UTC)")
    settings: str = Field(
        default="", description="in the list: settings that differ from other jobs of its kind and title"
    )
    error: ErrorResponse | None = None
    has_files: bool = Field(False, description="whether the files of the result can be saved")
    request: dict[str, Any] | None = Field(None, description="what was requested; with the result only")
    result: Any = None


ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": "Not a valid request"},
    404: {"model": ErrorResponse, "description": "Not found"},
    413: {"model": ErrorResponse, "description": "Request too large"},
    422: {"model": ErrorResponse, "description": "Invalid input, with the message of the command line"},
    429: {"model": ErrorResponse, "description": "Too many jobs or too much computing time"},
}
