"""A trial design: arms, population, visits, rating scales, dropout and decision steps; matched placebo of an arm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ketamech.core import InputError
from ketamech.core.deprecated_names import LoadedByCall
from ketamech.core.environment import short_hash
from ketamech.core.progress import Progress
from ketamech.core.yaml_lines import YAML_SUFFIXES
from ketamech.dosing.dose_events import ParameterLookup, Quantity
from ketamech.dosing.drugs import ACTIVE_PLACEBO, KETAMINE, NO_TREATMENT, PLACEBO_CLASS, drug
from ketamech.dosing.parsed_values import Condition, Rule, single_conditions
from ketamech.dosing.perturbations import AppliedPerturbation
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Treatment
from ketamech.simulation.model import Model, model_by_keyword
from ketamech.trials.rating_scales import RatingScale

if TYPE_CHECKING:
    from ketamech.trials.posterior_draws import PosteriorSource
    from ketamech.trials.trial_result import TrialResult

BELIEFS = {"blinded": 1.0, "open": "expectancy.open_belief", "none": 0.0}  # a number, or the name of a parameter


def belief_size(belief: str, number: ParameterLookup) -> Quantity:
    """The expectancy that a visit raises under a belief (a key of BELIEFS); `number` looks up a parameter."""
    size = BELIEFS[belief]
    return number(size) if isinstance(size, str) else size


def arm_sizes(weights: Sequence[float], patients: int) -> list[int]:
    """Numbers of patients in proportion to the `weights` of arms; they add up to `patients`.

    Method of the largest remainder: who is left over goes to the arms that lose most by rounding down, of equal ones
    to an odd number first (halves are rounded to even), then to the smaller arm.
    """
    exact = [round(weight * patients / sum(weights), 9) for weight in weights]
    sizes = [int(number) for number in exact]
    order = sorted(range(len(sizes)), key=lambda i: (sizes[i] - exact[i], sizes[i] % 2 == 0, exact[i]))
    for i in order[: patients - sum(sizes)]:
        sizes[i] += 1
    return sizes


@dataclass(frozen=True)
class AdaptiveDosing:
    """How a course of doses is adapted to the patient who receives it.

    While `reduction_rule` is met at visits from hour `since` of the course on, `reduced_schedule` replaces the usual
    regimen. A patient who meets `reinduction_rule` after the first `induction` hours starts the course again.
    """

    reduced_schedule: Regimen | None = None
    reduction_rule: Condition | None = None
    since: float = 0.0
    reinduction_rule: Rule | None = None
    induction: float = 0.0


@dataclass(frozen=True)
class TitrationStep:
    """At `times` (h) patients who meet `condition` (None: all) change to dose `to` of a titration.

    `to` and `origin` are indices in `Titration.amounts`; with an `origin` (-1: any) only patients on that dose change.
    """

    times: tuple[float, ...]
    to: int
    origin: int = -1
    condition: Rule | None = None


@dataclass(frozen=True)
class Titration:
    """Doses of `drug` between which a patient may change: `amounts` in `unit`; the first is that of the start.

    If several steps apply at one time, the first of `steps` is used.
    """

    drug: str
    amounts: tuple[float, ...]
    unit: str
    steps: tuple[TitrationStep, ...]


@dataclass(frozen=True)
class TreatmentCourse:
    """Treatments of one patient from some hour on, each with the belief it carries (a key of BELIEFS)."""

    name: str
    doses: tuple[tuple[Treatment, str], ...]
    reduced_doses: tuple[tuple[Treatment, str], ...] = ()
    adaptive_dosing: AdaptiveDosing | None = None
    titration: Titration | None = None


@dataclass(frozen=True)
class DecisionStep:
    """At `times` (h), patients who meet `condition` (None: all) receive `regimens`, the others `otherwise`.

    `otherwise` None: the others continue as before. The regimen replaces what was planned before, unless it is a
    `rescue`, which is added, once for each patient; a regimen of None leaves the treatment as it is, with the new
    `belief`. Of several `regimens`, with `names`, one is drawn for each patient with the probabilities `shares`
    (randomised withdrawal). `perturbations` are given beside each of `regimens` and, last, beside `otherwise`, at times
    (h) from the decision, to their own end. The step concerns the patients of `groups`: names of arms, and names that
    earlier steps have drawn (empty: all).
    """

    times: tuple[float, ...]
    condition: Rule | None
    regimens: tuple[Regimen | None, ...] = ()
    names: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    otherwise: Regimen | None = None
    belief: str = "blinded"
    rescue: bool = False
    groups: tuple[str, ...] = ()
    perturbations: tuple[tuple[AppliedPerturbation, ...], ...] = ()


@dataclass(frozen=True)
class RelapseRule:
    """Relapse of the patients of `groups` (as of a DecisionStep) who meet `at_risk` at the visit `since`.

    A rating that meets `condition` at a later visit is a relapse, where `confirmed` only if the next rating, at most
    `within` h later, meets it too; the time is that of the first. With an `admission_rate` (probability in a week)
    patients are also admitted to hospital, at any time or while their last rating meets `admission_rule`, which is a
    relapse too. The trial ends at event number `last_event` of all its patients (0: at the last visit).
    """

    condition: Rule
    since: str
    at_risk: Rule
    confirmed: bool = True
    within: float = float("inf")
    admission_rate: float = 0.0
    admission_rule: Rule | None = None
    last_event: int = 0
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Arm:
    """One arm: its regimen, number of patients `n`, belief about the treatment (a key of BELIEFS), adaptive dosing.

    `perturbations` are applied in addition to the regimen, at times (h) from the start of the arm.
    """

    name: str
    regimen: Regimen
    n: int
    belief: str = "blinded"
    adaptive_dosing: AdaptiveDosing | None = None
    perturbations: tuple[AppliedPerturbation, ...] = ()
    titration: Titration | None = None

    @property
    def treatment(self) -> str:
        """The treatment in words, for display."""
        text = self.regimen.sentence(exact=False)
        if self.titration is None:
            return text
        doses = ", ".join(f"{amount:g}" for amount in sorted(self.titration.amounts))
        return f"{text}; titrated ({doses} {self.titration.unit})"


@dataclass(frozen=True)
class Visit:
    """Scales that are rated at `time` (h after the start, or after the start of a period of a crossover).

    `other_names`: other spellings of the time in the file, such as 24 h and day 2.
    """

    name: str
    time: float
    scales: tuple[str, ...]
    other_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class DropoutRule:
    """A patient who meets `condition` at a visit from `since` (h) on leaves with probability `chance`, for `reason`."""

    condition: Rule
    chance: float
    since: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Eligibility:
    """Criteria on ratings that a candidate must meet to be enrolled.

    `include`: all conditions hold at screening and at baseline, `screening` h later (0: at baseline only). `lead_in` is
    given to all candidates in between, with `belief` (a key of BELIEFS); candidates who meet `exclude` at its end,
    relative to their screening score, are not enrolled. A rater of the share `inflating_share` of patients raises a
    score up to `baseline_inflation` points below a limit to the limit. With `independent` raters the trial itself is
    rated by others, so that neither the error nor the inflation of an eligibility rating enters the recorded baseline.
    """

    include: tuple[Rule, ...] = ()
    screening: float = 0.0
    lead_in: Regimen | None = None
    belief: str = "open"
    exclude: Rule | None = None
    baseline_inflation: float = 0.0
    inflating_share: float = 1.0
    independent: bool = False

    @property
    def scales(self) -> tuple[str, ...]:
        """Names of the scales on which candidates are rated."""
        rules = (*self.include, *([self.exclude] if self.exclude else []))
        return tuple(dict.fromkeys(condition.scale for rule in rules for condition in single_conditions(rule)))


@dataclass(frozen=True)
class Trial(metaclass=LoadedByCall, loader="read"):
    """A checked trial, as `Trial.read` makes it.

    `values` are parameters that differ from the tables for all patients (canonical units). Visits are held within
    `window` (h) of the planned time. A `washout` (h) above 0 makes it a crossover: every patient passes through all
    arms, that far apart, in random order; with a `crossover_rule` a patient waits after the washout until the rule is
    met, at most to `latest_crossover` (h). `dropout` is the weekly probability to leave, `missed_visit_rate` the
    probability that a visit is not held, `adherence` the probability that a dose is taken. `block` is the size of
    permuted blocks (0: one block of all patients) within `strata` {factor: {level: fraction}}. `add_on` and
    `added_perturbations`, at times (h) from the start, are given to all patients in addition to the arms. `events`
    {name: condition} are counted in each arm, or group that a step has drawn, at the end of the trial.
    `reference`: the arm with which the others are compared (default: see `reference_arm`).
    `study_size`: patients of the published or planned trial, on which its mean effects depend, whatever number is
    simulated (default: `patients`). Without `eligibility` the population is that of the enrolled patients. With
    `paired_arms` (no crossover) every arm has the same virtual patients, so that arms do not differ by chance.
    """

    title: str
    description: str
    references: tuple[str, ...]
    population: str
    people: Mapping[str, str]
    values: Mapping[str, float]
    arms: tuple[Arm, ...]
    visits: tuple[Visit, ...]
    scales: Mapping[str, RatingScale]
    primary: tuple[str, str]
    blinding: str = "double"
    assumptions: tuple[str, ...] = ()
    window: float = 0.0
    washout: float = 0.0
    dropout: float = 0.0
    dropout_rules: tuple[DropoutRule, ...] = ()
    missed_visit_rate: float = 0.0
    adherence: float = 1.0
    block: int = 0
    strata: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    add_on: Regimen | None = None
    added_perturbations: tuple[AppliedPerturbation, ...] = ()
    steps: tuple[DecisionStep, ...] = ()
    seed: int = 1
    relapse: RelapseRule | None = None
    events: Mapping[str, Rule] = field(default_factory=dict)
    eligibility: Eligibility | None = None
    crossover_rule: Rule | None = None
    latest_crossover: float = 0.0
    reference: str = ""
    study_size: int | None = None
    paired_arms: bool = False
    source: str = field(default="", repr=False)

    @classmethod
    def read(cls, source: Mapping[str, Any] | Path | str) -> Trial:
        """A shipped trial by name, such as "murrough2013", or that of a YAML file or a mapping of its keys.

        Raises InputError with file, line and key, and the nearest valid name.
        """
        from ketamech.trials.trial_reader import load_trial, shipped_trial

        if isinstance(source, Mapping) or Path(source).suffix in YAML_SUFFIXES or Path(source).is_file():
            return load_trial(source)
        return shipped_trial(str(source))

    def replace(self, *, patients: int | None = None, **fields: Any) -> Trial:
        """The same trial with other fields; `patients` in all arms together, arms in proportion (see `arm_sizes`).

        Raises InputError if an arm would be empty.
        """
        changed = replace(self, **fields)
        if patients is None:
            return changed
        weights = [arm.n for arm in changed.arms]
        sizes = [patients] * len(weights) if changed.washout else arm_sizes(weights, patients)
        if min(sizes) < 1:
            what, expected = f"{patients} patients", f"at least one in each of {len(sizes)} arms"
            raise InputError(what, key="patients", expected=expected)
        arms = tuple(replace(arm, n=n) for arm, n in zip(changed.arms, sizes, strict=True))
        return replace(changed, arms=arms, study_size=changed.study_size or changed.patients)

    @model_by_keyword
    def run(
        self, *, replicates: int = 1, posterior: PosteriorSource = "shipped", seed: int | None = None,
        threads: int | None = None, model: Model | None = None, progress: Progress | None = None,
    ) -> TrialResult:  # fmt: skip
        """Run the trial `replicates` times on `model` (default: the shipped one), each time with other patients.

        `posterior`: parameter values of the replicates: "shipped" as `ketamech trial` uses them, "none" for those of
        the tables, a file of `ketamech calibrate`, or draws {parameter: value in the unit of the parameter table}, as
        `calibrate` returns them. Replicate 0 has the medians. Results are the same for any number of `threads`.
        Raises InputError for fewer than one replicate.
        """
        from ketamech.trials.trial_result import run_and_analyse

        return run_and_analyse(
            self, model, replicates=replicates, posterior=posterior, seed=seed, threads=threads, progress=progress
        )

    @property
    def patients(self) -> int:
        """Number of patients; in a crossover each passes through every arm."""
        return max(arm.n for arm in self.arms) if self.washout else sum(arm.n for arm in self.arms)

    @property
    def periods(self) -> int:
        """Number of periods of a crossover; 1 for parallel arms."""
        return len(self.arms) if self.washout else 1

    @property
    def period_length(self) -> float:
        """Planned time (h) from the start of one period of a crossover to the next; patients may be earlier."""
        return self.latest_crossover or self.washout

    @property
    def horizon(self) -> float:
        """Duration of the follow-up of a patient (h)."""
        return (self.periods - 1) * self.period_length + max(visit.time for visit in self.visits) + self.window + 1.0

    @property
    def decision_scales(self) -> set[str]:
        """Scales on which enrolment, doses, steps, relapse or dropout depend."""
        decisions = (self.arms, self.steps, self.dropout_rules, self.relapse, self.eligibility, self.crossover_rule)
        return {condition.scale for condition in _conditions(decisions) if condition.scale in self.scales}

    @property
    def visit_schedule(self) -> tuple[tuple[Visit, float, int], ...]:
        """Every visit with its planned time (h) and its period (from 0), in order of time."""
        return tuple((v, p * self.period_length + v.time, p) for p in range(self.periods) for v in self.visits)

    @property
    def sequences(self) -> tuple[tuple[int, ...], ...]:
        """Sequences of arms (indices in `arms`) that a patient may pass through."""
        return tuple(permutations(range(len(self.arms)), None if self.washout else 1))

    @property
    def regimens(self) -> dict[str, Regimen | None]:
        """The regimen of every arm and of every named option of a step (None: the treatment continues)."""
        options = {
            name: regimen for step in self.steps for name, regimen in zip(step.names, step.regimens, strict=False)
        }
        return {**options, **{arm.name: arm.regimen for arm in self.arms}}

    @property
    def fingerprint(self) -> str:
        """A short hash of the text of the file."""
        return short_hash(self.source)


def _conditions(value: object) -> Iterator[Condition]:
    """All single conditions in a tree of dataclasses and tuples."""
    if isinstance(value, Condition):
        yield value
    elif is_dataclass(value):
        for part in fields(value):
            yield from _conditions(getattr(value, part.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _conditions(item)


PLACEBO = "placebo"


def matched_placebo(regimen: Regimen) -> Regimen:
    """The regimen with placebo in place of every treatment at a visit, at the same times.

    Treatments without a visit (tablets) and challenges (operations) stay as they are where others are replaced, so that
    both arms receive them; a regimen without other treatments is replaced as a whole. Raises InputError for a regimen
    of placebo only.
    """
    if all(treatment.drug == PLACEBO for treatment in regimen.treatments):
        raise InputError("an arm of placebo only has no matched placebo", key="arms", expected="an active arm")
    carrying = [
        treatment for treatment in regimen.treatments if treatment.substance.carries_expectancy
    ] or regimen.treatments
    replaced = [treatment for treatment in carrying if treatment.is_procedure] or carrying
    treatments = [_placebo(treatment) if treatment in replaced else treatment for treatment in regimen.treatments]
    return Regimen(tuple(sorted(dict.fromkeys(treatments), key=lambda treatment: treatment.start)))


def double_dummy(regimens: Sequence[Regimen]) -> list[tuple[Regimen, Regimen]]:
    """Each regimen and its matched placebo, both with the placebo visits of all the other regimens.

    Every arm then has the same visits by the same routes, and so the same expectancy until drug effects are felt;
    expectancy counts visits at one time once. Raises InputError as `matched_placebo` does.
    """
    placebos = [matched_placebo(regimen) for regimen in regimens]
    visits = dict.fromkeys(
        treatment for placebo in placebos for treatment in placebo.treatments if treatment.drug == PLACEBO
    )
    added = [
        Regimen(tuple(treatment for treatment in visits if treatment not in placebo.treatments)) for placebo in placebos
    ]
    return [
        (regimen + others, placebo + others) for regimen, placebo, others in zip(regimens, placebos, added, strict=True)
    ]


def is_control(regimen: Regimen) -> bool:
    """Whether a regimen is that of a control: a placebo or active placebo without ketamine, or no treatment.

    Treatments of both arms of a trial, such as an antidepressant or an anaesthesia, may be part of it.
    """
    classes = drug_classes(regimen).difference(NO_TREATMENT)
    return not classes or (KETAMINE not in classes and not classes.isdisjoint({PLACEBO_CLASS, ACTIVE_PLACEBO}))


def drug_classes(regimen: Regimen) -> set[str]:
    """Classes of the drugs of a regimen (column `class` of data/dosing/drugs.csv)."""
    return {treatment.substance.drug_class for treatment in regimen.treatments}


def _placebo(treatment: Treatment) -> Treatment:
    """Placebo at the times of a treatment, by its route, or by mouth where placebo has no such route."""
    route = treatment.route if treatment.route in drug(PLACEBO).routes else "oral"
    return replace(
        treatment, drug=PLACEBO, amount=None, unit="", salt="base", route=route, lag=0.0,
        duration=treatment.duration if route == treatment.route else 0.0,
    )  # fmt: skip
