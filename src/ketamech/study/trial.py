"""A trial: arms, people, visits, what is rated, who leaves, and what is decided on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ketamech.study.regimen import Regimen
from ketamech.study.scales import Scale

BELIEFS = {"blinded": "expectancy.blinded_belief", "open": "expectancy.open_belief", "none": ""}


@dataclass(frozen=True)
class Step:
    """At `times` (h) of `visits`, who meets `condition` is given `then`, who does not `otherwise` (None: as before).

    What was planned before is stopped for those a decision is taken about. `random` names regimens of which one is
    drawn for each who meets the condition (randomised withdrawal). A condition is (scale, sign, number), or response
    or remission.
    """

    times: tuple[float, ...]
    scale: Scale
    test: str
    number: float
    then: tuple[Regimen, ...] = ()
    names: tuple[str, ...] = ()
    otherwise: Regimen | None = None


@dataclass(frozen=True)
class Arm:
    """What one arm is given, how many are in it, and what they are told (a key of BELIEFS)."""

    name: str
    regimen: Regimen
    n: int
    belief: str = "blinded"


@dataclass(frozen=True)
class Visit:
    """Scales rated at `time` (h after the start, or after the start of a period of a crossover)."""

    name: str
    time: float
    scales: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """A checked trial. `values`: parameters that differ for everybody (canonical). `window` (h) around each visit.

    `washout` (h) makes it a crossover in which every person passes through all arms, that far apart, in random order.
    `dropout` is a weekly probability, `no_effect` the probability of leaving at a visit without a fifth of improvement.
    """

    title: str
    description: str
    references: tuple[str, ...]
    population: str
    people: Mapping[str, str]
    values: Mapping[str, float]
    arms: tuple[Arm, ...]
    visits: tuple[Visit, ...]
    scales: Mapping[str, Scale]
    primary: tuple[str, str]
    window: float = 0.0
    washout: float = 0.0
    dropout: float = 0.0
    no_effect: float = 0.0
    adherence: float = 1.0
    steps: tuple[Step, ...] = ()
    seed: int = 1
    relapse: tuple[str, str, float] | None = None
    source: str = field(default="", repr=False)

    @property
    def patients(self) -> int:
        """People enrolled; in a crossover each passes through every arm."""
        return max(arm.n for arm in self.arms) if self.washout else sum(arm.n for arm in self.arms)

    @property
    def horizon(self) -> float:
        """How long a person is followed (h)."""
        periods = len(self.arms) if self.washout else 1
        return (periods - 1) * self.washout + max(visit.time for visit in self.visits) + self.window + 1.0
