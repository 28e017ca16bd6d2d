"""The verdict on a claim from the summed weights of the evidence for and against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ketamech.core import InputError, closest_match
from ketamech.evidence import Observation

STRENGTHS = ("record", "human trial", "human", "animal", "in vitro")
IN_HUMANS = ("record", "human trial", "human")
SIDES = ("for", "against")
LEVELS = ("people", "molecule")
VERDICTS = ("supported", "mixed", "not supported", "contradicted")
UNITS_OF_STUDIES = ("studies", "effect sizes")  # n is the number of papers in these rows


@dataclass(frozen=True)
class EvidenceItem:
    """One evidence row and the side of the claim it supports; `strength` is the kind of study."""

    row: Observation
    side: str
    strength: str
    why: str

    @property
    def weight_name(self) -> str:
        """Name of the weight of this kind of study."""
        return f"weight.{self.strength.replace(' ', '_')}"


@dataclass(frozen=True)
class Rule:
    """Weights and limits by name, from data/claims/rule.csv."""

    values: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    def changed(self, values: Mapping[str, float]) -> Rule:
        """The rule with other values. Raises InputError for an unknown name."""
        for name in values:
            if name not in self.values:
                near = closest_match(name, self.values)
                raise InputError(f"the rule has no '{name}'", expected="a name of rule.csv", nearest=near)
        return Rule({**self.values, **values})

    def weight(self, exhibit: EvidenceItem) -> float:
        """Weight of one row by its kind of study; reduced for small studies and for recalled numbers."""
        found = self[exhibit.weight_name]
        if is_small_study(exhibit, self["small.persons"]):
            found *= self["small.factor"]
        return found * (self["recalled.factor"] if exhibit.row.read_as == "recalled" else 1.0)


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict, its explanation, and the summed weights."""

    verdict: str
    reason: str
    weight_for: float
    weight_against: float
    human_weight_for: float
    human_weight_against: float


def is_small_study(exhibit: EvidenceItem, fewest: float) -> bool:
    """Whether a human study has fewer participants than `fewest`; unknown numbers do not count as small."""
    counted = exhibit.strength in ("human trial", "human") and exhibit.row.unit not in UNITS_OF_STUDIES
    return counted and exhibit.row.n is not None and exhibit.row.n < fewest


def claim_verdict(exhibits: Iterable[EvidenceItem], level: str, rule: Rule) -> ClaimVerdict:
    """The verdict on a claim at its `level` of evidence ("people", or "molecule" where in vitro evidence counts in
    full).

    Each paper counts once per side, with its largest weight. Balance = (for - against) / (for + against).
    """
    listed = list(exhibits)
    (pro, pro_people), (con, con_people) = (_side(listed, side, level, rule) for side in SIDES)
    verdict, reason = _verdict(pro, con, pro_people, con_people, rule)
    return ClaimVerdict(verdict, reason, pro, con, pro_people, con_people)


def _side(exhibits: list[EvidenceItem], side: str, level: str, rule: Rule) -> tuple[float, float]:
    """Weight of one side, and the part of it that can decide a claim at this level."""
    papers: dict[str, tuple[float, str]] = {}
    for exhibit in exhibits:
        if exhibit.side == side:
            mine = (rule.weight(exhibit), exhibit.strength)
            papers[exhibit.row.reference] = max(mine, papers.get(exhibit.row.reference, (0.0, "")))
    sums = {kind: sum(weight for weight, k in papers.values() if k == kind) for kind in STRENGTHS}
    if level == "molecule":
        return sum(sums.values()), sum(sums.values())
    sums["animal"] = min(sums["animal"], rule["ceiling.animal"])
    sums["in vitro"] = min(sums["in vitro"], rule["ceiling.in_vitro"])
    return sum(sums.values()), sum(sums[kind] for kind in IN_HUMANS)


def _verdict(pro: float, con: float, pro_people: float, con_people: float, rule: Rule) -> tuple[str, str]:
    total = pro + con
    if total < rule["enough.total"]:
        return "not supported", f"too little evidence: weight {total:g} in all"
    balance, lean, enough = (pro - con) / total, rule["lean"], rule["enough.people"]
    scales = f"weight {pro:g} for and {con:g} against, balance {balance:+.2f}"
    if balance >= lean:
        if pro_people >= enough:
            return "supported", scales
        return "mixed", f"{scales}, but only {pro_people:g} of it in people ({enough:g} needed)"
    if balance > -lean:
        return "mixed", scales
    if con_people >= enough:
        return "contradicted", scales
    return "not supported", f"{scales}, but only {con_people:g} against in people ({enough:g} needed to contradict)"
