"""Common statements about ketamine (data/claims): tests in the model, evidence for and against, and the verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ketamech.analysis.reference_protocols import Protocol, check_settings, load_protocols, simulate_protocols
from ketamech.analysis.scorecard_targets import MEASURE_COLUMNS, fitted_rows, measure
from ketamech.core import UnknownNameError, closest_match, require_known
from ketamech.core.csv_table import CsvRow, parts, read_table, rows_by
from ketamech.core.environment import DATA
from ketamech.evidence import Evidence, Observation, evidence_id, load_evidence
from ketamech.simulation.model import Model
from ketamech.simulation.observable import Observable, TimeCourse, names_in

RELATIONS = ("<", ">")


@dataclass(frozen=True)
class ClaimTest:
    """One observable of one arm and the bound it must pass for the model to show the claim."""

    __test__ = False  # not a test of pytest
    arm: str
    measure: Observable
    relation: str
    bound: float
    description: str

    def passes(self, value: float) -> bool:
        """Whether the value passes the bound; NaN does not."""
        return value < self.bound if self.relation == "<" else value > self.bound


@dataclass(frozen=True)
class TestResult:
    """The value of one test; `unit` is canonical."""

    test: ClaimTest
    value: float
    unit: str

    @property
    def passed(self) -> bool:
        """Whether the bound was passed."""
        return self.test.passes(self.value)


@dataclass(frozen=True)
class FigurePoint:
    """A published point of the figure: canonical value times `factor` plus `offset`, at `hours`, of an arm."""

    row: Observation
    arm: str
    hours: float
    factor: float
    offset: float
    why: str

    def plotted_value(self, printed: float) -> float:
        """A printed number in the unit of the figure axis."""
        return self.row.canonical(printed) * self.factor + self.offset


@dataclass(frozen=True)
class ClaimFigure:
    """The figure of a claim: an output over hours, one curve per arm."""

    output: str
    start: float
    end: float
    curves: Mapping[str, str]
    axis: str


@dataclass(frozen=True)
class Claim:
    """A statement, its source, the level of evidence it needs, its tests and its evidence."""

    id: str
    statement: str
    encountered_as: str
    stage: str
    evidence_level: str
    figure: ClaimFigure
    note: str
    tests: tuple[ClaimTest, ...] = ()
    evidence_items: tuple[EvidenceItem, ...] = ()
    points: tuple[FigurePoint, ...] = ()

    def evidence_of_side(self, side: str) -> tuple[EvidenceItem, ...]:
        """The evidence for, or against."""
        return tuple(item for item in self.evidence_items if item.side == side)

    def verdict(self, rule: Rule) -> ClaimVerdict:
        """What the evidence says by a rule."""
        return claim_verdict(self.evidence_items, self.evidence_level, rule)

    def arms(self) -> set[str]:
        """Every arm of the figure and of the tests."""
        return {*self.figure.curves.values(), *(test.arm for test in self.tests)}


STRENGTHS = ("record", "human trial", "human", "animal", "in vitro")
IN_HUMANS = ("record", "human trial", "human")
SIDES = ("for", "against")
LEVELS = ("people", "molecule")
VERDICTS = ("supported", "mixed", "not supported", "contradicted")
UNITS_OF_STUDIES = ("studies", "effect sizes")  # n is the number of papers in these rows


@dataclass(frozen=True)
class EvidenceItem:
    """One evidence row and the side of the claim it supports; `strength` is the kind of study.

    `is_fitted`: the row also set a value of the model, so that its agreement with the model is no test.
    """

    row: Observation
    side: str
    strength: str
    why: str
    is_fitted: bool

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
            require_known(name, self.values, f"the rule has no '{name}'", expected="a name of rule.csv")
        return Rule({**self.values, **values})

    def weight(self, item: EvidenceItem) -> float:
        """Weight of one row by its kind of study; reduced for small studies and for recalled numbers."""
        weight = self[item.weight_name]
        if is_small_study(item, self["small.persons"]):
            weight *= self["small.factor"]
        return weight * (self["recalled.factor"] if item.row.is_recalled else 1.0)


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict, its explanation, and the summed weights."""

    verdict: str
    reason: str
    weight_for: float
    weight_against: float


def is_small_study(item: EvidenceItem, fewest: float) -> bool:
    """Whether a human study has fewer participants than `fewest`; unknown numbers do not count as small."""
    counted = item.strength in ("human trial", "human") and item.row.unit not in UNITS_OF_STUDIES
    return counted and item.row.n is not None and item.row.n < fewest


def claim_verdict(items: Iterable[EvidenceItem], level: str, rule: Rule) -> ClaimVerdict:
    """The verdict on a claim at its `level` of evidence: "people", or "molecule", where in vitro evidence counts fully.

    Each paper counts once per side, with its largest weight. Balance = (for - against) / (for + against).
    """
    listed = list(items)
    (pro, pro_people), (con, con_people) = (_side_weights(listed, side, level, rule) for side in SIDES)
    return ClaimVerdict(*_verdict(pro, con, pro_people, con_people, rule), pro, con)


def _side_weights(items: list[EvidenceItem], side: str, level: str, rule: Rule) -> tuple[float, float]:
    """Weight of one side, and the part of it that can decide a claim at this level."""
    papers: dict[str, tuple[float, str]] = {}
    for item in items:
        if item.side == side:
            weight_and_strength = (rule.weight(item), item.strength)
            papers[item.row.reference] = max(weight_and_strength, papers.get(item.row.reference, (0.0, "")))
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


DIRECTORY = DATA / "claims"
COLUMNS = ("id", "statement", "met", "stage", "level", "figure", "start", "end", "curves", "axis", "note")
TEST_COLUMNS = ("claim", *MEASURE_COLUMNS, "relation", "bound", "says")
EVIDENCE_COLUMNS = ("claim", "evidence", "side", "strength", "why")
POINT_COLUMNS = ("claim", "evidence", "arm", "hours", "factor", "offset", "why")
RULE_COLUMNS = ("name", "value", "why")
VARIANT_COLUMNS = ("name", "settings", "why")
Part = TypeVar("Part")


def load_arms(folder: Path = DIRECTORY) -> dict[str, Protocol]:
    """The treatments by id."""
    return load_protocols(folder / "arms.csv")


def load_claims(evidence: Evidence, folder: Path = DIRECTORY) -> dict[str, Claim]:
    """Every claim with its tests, evidence and points. Raises InputError for an unknown id, arm or word."""
    arms = load_arms(folder)
    ids = rows_by(read_table(folder / "claims.csv", COLUMNS), "id", "a name such as glutamate-rises")
    tests = _by_claim(read_table(folder / "experiments.csv", TEST_COLUMNS), ids, lambda row: _test(row, arms))
    fitted = fitted_rows(evidence)
    items = _by_claim(
        read_table(folder / "evidence.csv", EVIDENCE_COLUMNS), ids, lambda row: _evidence_item(row, evidence, fitted)
    )
    points = _by_claim(read_table(folder / "points.csv", POINT_COLUMNS), ids, lambda row: _point(row, evidence, ids))
    return {name: _claim(row, arms, tests[name], items[name], points[name]) for name, row in ids.items()}


def load_rule(folder: Path = DIRECTORY) -> tuple[Rule, dict[str, str]]:
    """The rule, and the reason for each of its numbers."""
    rows = read_table(folder / "rule.csv", RULE_COLUMNS)
    values = {row.required("name", "a name such as weight.animal"): row.number("value") for row in rows}
    return Rule(values), {row["name"]: row["why"] for row in rows}


def load_rule_variants(rule: Rule, folder: Path = DIRECTORY) -> dict[str, Rule]:
    """Variants of the rule by name, for the robustness of the verdicts."""
    return {
        row["name"]: rule.changed(row.settings("settings"))
        for row in read_table(folder / "variants.csv", VARIANT_COLUMNS)
    }


def _by_claim(
    rows: Iterable[CsvRow], ids: Mapping[str, CsvRow], make: Callable[[CsvRow], Part]
) -> dict[str, list[Part]]:
    grouped: dict[str, list[Part]] = defaultdict(list)
    for row in rows:
        grouped[row.known("claim", ids, "an id of claims.csv")].append(make(row))
    return grouped


def _claim(
    row: CsvRow, arms: Mapping[str, Protocol], tests: list[ClaimTest], items: list[EvidenceItem],
    points: list[FigurePoint],
) -> Claim:  # fmt: skip
    if not tests:
        raise row.error("id", f"'{row['id']}' has no experiment", expected="a line of experiments.csv")
    curves = {}
    for part in parts(row.required("curves", "label=arm; label=arm")):
        label, _, arm = (text.strip() for text in part.partition("="))
        curves[label] = row.known("curves", arms, "an id of arms.csv", name=arm)
    figure = ClaimFigure(row["figure"], row.number("start"), row.number("end"), curves, row["axis"])
    statement, level = row.required("statement", "a sentence"), row.one_of("level", LEVELS)
    content = (figure, row["note"], tuple(tests), tuple(items), tuple(points))
    return Claim(row["id"], statement, row["met"], row["stage"], level, *content)


def _test(row: CsvRow, arms: Mapping[str, Protocol]) -> ClaimTest:
    arm = row.known("protocol", arms, "an id of arms.csv")
    relation, words = row.one_of("relation", RELATIONS), row.required("says", "what would count, in words")
    return ClaimTest(arm, measure(row), relation, row.number("bound"), words)


def _evidence_item(row: CsvRow, evidence: Evidence, fitted: frozenset[str]) -> EvidenceItem:
    observation = evidence[evidence_id(row, evidence)]
    strength = row.one_of("strength", STRENGTHS)
    if (strength in IN_HUMANS) != _is_in_humans(observation) or (strength == "in vitro") != is_in_vitro(observation):
        raise row.error("strength", f"'{row['evidence']}' is no such study", expected=_expected(observation))
    why = row.required("why", "what the row says")
    return EvidenceItem(observation, row.one_of("side", SIDES), strength, why, observation.id in fitted)


def is_in_vitro(row: Observation) -> bool:
    """Whether an evidence row was measured in cells, membranes or tissue outside a body."""
    words = f"{row.route} {row.population}".lower()
    return any(word in words for word in ("in vitro", "hek-293", "membranes", "homogenate", "oocytes"))


def _is_in_humans(row: Observation) -> bool:
    return row.species == "human" and not is_in_vitro(row)


def _expected(row: Observation) -> str:
    if is_in_vitro(row):
        return "in vitro"
    return " | ".join(IN_HUMANS) if _is_in_humans(row) else "animal"


def _point(row: CsvRow, evidence: Evidence, ids: Mapping[str, CsvRow]) -> FigurePoint:
    observation = evidence[evidence_id(row, evidence)]
    drawn = dict.fromkeys(part.partition("=")[2].strip() for part in ids[row["claim"]].listed("curves"))
    arm = row.known("arm", drawn, "an arm that the figure of this claim draws")
    return FigurePoint(observation, arm, row.number("hours"), row.number("factor"), row.number("offset"), row["why"])


@dataclass(frozen=True)
class ClaimResult:
    """A claim, the verdict of its evidence, the test results of the model, and the simulated arms by id.

    `n_same_verdict`: number of the `n_rule_variants` other rules with the same verdict. The verdict never depends on
    the model.
    """

    claim: Claim
    verdict: ClaimVerdict
    test_results: tuple[TestResult, ...]
    n_same_verdict: int
    n_rule_variants: int
    arms: Mapping[str, TimeCourse]

    @property
    def shown(self) -> bool:
        """Whether the model shows the claim: every test passes."""
        return all(result.passed for result in self.test_results)

    @property
    def agreement(self) -> str:
        """Model against evidence: agrees, differs, or open where the evidence is mixed."""
        if self.verdict.verdict == "mixed":
            return "open"
        return "agrees" if self.shown == (self.verdict.verdict == "supported") else "differs"


def evaluate_claims(
    model: Model, only: Iterable[str] = (), progress: Callable[[str], None] | None = None
) -> dict[str, ClaimResult]:
    """Results by claim id, in table order (all, or `only` some). Raises UnknownNameError for an unknown claim.

    Every arm is always simulated on one time grid, so that a single claim gives identical results.
    """
    claims = load_claims(load_evidence())
    chosen = _requested_claims(claims, only)
    arms = load_arms()
    _check_outputs(claims.values(), model)
    check_settings(arms, model.parameters)
    moments = {hour for claim in claims.values() for test in claim.tests for hour in test.measure.stated_hours}
    curves = simulate_protocols(model, arms.values(), moments, progress)
    return {name: _evaluate(claim, arms, curves, model) for name, claim in chosen.items()}


def _evaluate(
    claim: Claim, arms: Mapping[str, Protocol], curves: Mapping[str, TimeCourse], model: Model
) -> ClaimResult:
    rule, _ = load_rule()
    others = load_rule_variants(rule).values()
    verdict = claim.verdict(rule)
    same = [claim.verdict(other).verdict == verdict.verdict for other in others]
    units = model.layout.units
    test_results = tuple(
        TestResult(
            test, test.measure.read(curves[test.arm], curves.get(arms[test.arm].control)), test.measure.unit(units)
        )
        for test in claim.tests
    )
    claim_curves = {name: curves[name] for name in claim.arms()}
    return ClaimResult(claim, verdict, test_results, sum(same), len(same), claim_curves)


def _requested_claims(claims: dict[str, Claim], only: Iterable[str]) -> dict[str, Claim]:
    names = list(only) or list(claims)
    for name in names:
        if name not in claims:
            near = closest_match(name, claims) or next((known for known in claims if name in known), None)
            raise UnknownNameError(f"no claim '{name}'", expected="an id printed by ketamech claims", nearest=near)
    return {name: claims[name] for name in claims if name in names}


def _check_outputs(claims: Iterable[Claim], model: Model) -> None:
    units = model.layout.units
    for claim in claims:
        for text in (claim.figure.output, *(test.measure.output for test in claim.tests)):
            for name in names_in(text):
                require_known(name, units, f"claim '{claim.id}' reads '{name}', which no stage offers")
