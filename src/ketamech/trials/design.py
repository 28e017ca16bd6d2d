"""A trial: arms, people, visits, what is rated, who leaves, and what is decided on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import permutations

from ketamech.dosing.applied_perturbation import AppliedPerturbation
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Treatment
from ketamech.trials.rating_scales import RatingScale

BELIEFS = {"blinded": "expectancy.blinded_belief", "open": "expectancy.open_belief", "none": ""}


@dataclass(frozen=True)
class Condition:
    """What is asked of a rating: response, remission, "no response", "no remission", a sign and a number, or how far
    it "falls by" or "falls less than" a share of baseline."""

    scale: str
    test: str
    number: float = 0.0


@dataclass(frozen=True)
class AdaptiveDosing:
    """How a course of doses is adapted to the person who receives it.

    While `by` is met at visits from hour `since` of the course on, `sparse` is given instead of the usual regimen. Who
    meets `again` after the first `induction` hours begins the course anew.
    """

    reduced_schedule: Regimen | None = None
    by: Condition | None = None
    since: float = 0.0
    reinduction_rule: Condition | None = None
    induction: float = 0.0


@dataclass(frozen=True)
class TreatmentCourse:
    """What one person is given from some hour on: treatments, each with what it makes people believe (see BELIEFS)."""

    name: str
    doses: tuple[tuple[Treatment, str], ...]
    sparse: tuple[tuple[Treatment, str], ...] = ()
    adaptive_dosing: AdaptiveDosing | None = None


@dataclass(frozen=True)
class DecisionStep:
    """At `times` (h) of `visits`, who meets `condition` is given `then`, who does not `otherwise` (None: as before).

    What was planned before is stopped for those a decision is taken about, unless it is a `rescue`, which is added and
    given once. Of several `then`, which have `names`, one is drawn for each by `shares` (randomised withdrawal).
    """

    times: tuple[float, ...]
    condition: Condition
    then: tuple[Regimen, ...] = ()
    names: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    otherwise: Regimen | None = None
    belief: str = "blinded"
    rescue: bool = False


@dataclass(frozen=True)
class Arm:
    """What one arm is given, how many are in it, what they are told (a key of BELIEFS), and how doses are adapted.

    `perturbations` are given beside the regimen, at hours that count from the start of the arm.
    """

    name: str
    regimen: Regimen
    n: int
    belief: str = "blinded"
    adaptive_dosing: AdaptiveDosing | None = None
    perturbations: tuple[AppliedPerturbation, ...] = ()


@dataclass(frozen=True)
class Visit:
    """Scales rated at `time` (h after the start, or after the start of a period of a crossover)."""

    name: str
    time: float
    scales: tuple[str, ...]


@dataclass(frozen=True)
class DropoutRule:
    """Who meets `condition` at a visit from `since` (h) on leaves with this `chance`, for this `reason`."""

    condition: Condition
    chance: float
    since: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Trial:
    """A checked trial. `values`: parameters that differ for everybody (canonical). `window` (h) around each visit.

    `washout` (h) makes it a crossover in which every person passes through all arms, that far apart, in random order.
    `dropout` is a weekly probability, `missed` that a visit is not held, `adherence` that a dose is taken. `block` is
    the size of permuted blocks (0: one block of everybody) within `strata` {factor: {level: share}}. `add_on` is given
    to everybody beside the arms. `relapse` is (scale, first visit, share of baseline that it exceeds).
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
    steps: tuple[DecisionStep, ...] = ()
    seed: int = 1
    relapse: tuple[str, str, float] | None = None
    source: str = field(default="", repr=False)

    @property
    def patients(self) -> int:
        """People enrolled; in a crossover each passes through every arm."""
        return max(arm.n for arm in self.arms) if self.washout else sum(arm.n for arm in self.arms)

    @property
    def periods(self) -> int:
        """Periods of a crossover; 1 for parallel arms."""
        return len(self.arms) if self.washout else 1

    @property
    def horizon(self) -> float:
        """How long a person is followed (h)."""
        return (self.periods - 1) * self.washout + max(visit.time for visit in self.visits) + self.window + 1.0

    @property
    def visit_schedule(self) -> tuple[tuple[Visit, float, int], ...]:
        """Every visit with its planned hour and its period, in order of time."""
        return tuple((v, p * self.washout + v.time, p) for p in range(self.periods) for v in self.visits)

    @property
    def sequences(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of the arms that a person may pass through, one after another."""
        return (
            tuple(permutations(range(len(self.arms)))) if self.washout else tuple((i,) for i in range(len(self.arms)))
        )

    @property
    def fingerprint(self) -> str:
        """A short hash of the file."""
        return hashlib.sha256(self.source.encode()).hexdigest()[:16]
