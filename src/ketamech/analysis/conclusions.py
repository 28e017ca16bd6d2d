"""Conclusions from the model, each with the simulated arms from which it is read.

Five kinds: claims (data/claims/experiments.csv), the drug effect on MADRS, the shares of pathways in it, contrasts of
doses, routes and times (data/claims/contrasts.csv), and published perturbations (data/perturbations/rows.csv). Every
arm is a scenario, so that one code path simulates all of them for any number of parameter sets.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ketamech.analysis.claims import DIRECTORY, Claim, load_arms, load_claims
from ketamech.analysis.perturbation_scorecard import (
    REFERENCE_HOUR,
    STATISTICS,
    PerturbationTarget,
    direction,
    directions,
    factorial_arms,
    has_expectancy,
    load_perturbation_targets,
    required_arms,
    scenario_of_arm,
)
from ketamech.core import require_known
from ketamech.core.csv_table import read_table
from ketamech.core.units import time_text
from ketamech.dosing.dose_events import control_events, without_expectancy
from ketamech.evidence import load_evidence
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import Model
from ketamech.simulation.observable import TimeCourse, names_in
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.simulate import DoseChange

MOOD, STANDARD_INFUSION = "mood.madrs", "racemic 0.5 mg/kg IV over 40 min"
SHARE_HOURS = (24.0, 168.0)
CONTRIBUTION_THRESHOLD = 0.05  # of the drug effect
MIN_DRUG_EFFECT = 0.5  # MADRS points
MIN_PATHWAY_SUM = 0.1  # of what all pathways add: smaller sums are not scaled to it
NO_RESULT = -1  # the answer where an arm could not be solved
# Answers are places in the words of a conclusion. Of the drug effect, and of the share of a pathway in it:
EFFECT_WORDS = ("higher than control", "as control", "lower than control")
PATHWAY_WORDS = ("no drug effect", "contributes little", "contributes")
HIGHER, AS_CONTROL, LOWER = range(len(EFFECT_WORDS))
NO_DRUG_EFFECT, CONTRIBUTES_LITTLE, CONTRIBUTES = range(len(PATHWAY_WORDS))
TIME_DECIMALS = 6  # of output times in h
CONTRAST_COLUMNS = (
    "id", "kind", "treatment", "hours", "other", "other_hours", "output", "relation", "says",
)  # fmt: skip
Curves = Mapping[Hashable, TimeCourse]
Answer = tuple[int, float]  # place in the words of the conclusion, and its number or NaN


@dataclass(frozen=True)
class ConclusionArm:
    """One simulated patient or animal: a scenario, a change of its doses, the outputs and the times that are read (h).

    Parameters that the scenario sets keep their value in every parameter set.
    """

    scenario: Scenario
    outputs: tuple[str, ...]
    hours: tuple[float, ...]
    change: DoseChange | None = None

    def joined(self, other: ConclusionArm) -> ConclusionArm:
        """The arm with the outputs and times of both."""
        outputs = tuple(dict.fromkeys((*self.outputs, *other.outputs)))
        return replace(self, outputs=outputs, hours=tuple(sorted({*self.hours, *other.hours})))


@dataclass(frozen=True)
class Conclusion:
    """A question that a simulation answers with one of `words`, and with a number for some questions.

    `kind`: claim, effect, pathway, contrast (of dose, route, time ...) or perturbation; `id`: unique within its kind.
    `answer` gives the index of the answer (NO_RESULT if an arm could not be solved), and the number or NaN.
    """

    kind: str
    id: str
    statement: str
    words: Sequence[str]
    answer: Callable[[Curves], Answer]


def _claim_answer(claim: Claim, controls: Mapping[str, str], curves: Curves) -> Answer:
    """Shown if every test passes; the number is that of a single test. `controls`: control arm by arm."""
    results = [test.measure.read(curves[test.arm], curves.get(controls[test.arm])) for test in claim.tests]
    if any(math.isnan(value) for value in results):
        return NO_RESULT, math.nan
    shown = all(test.passes(value) for test, value in zip(claim.tests, results, strict=True))
    return int(shown), results[0] if len(results) == 1 else math.nan


@dataclass(frozen=True)
class PathwayShares:
    """Shares of the pathways in the drug effect on MADRS at one time, from 2 n + 3 coalitions of n pathways.

    The share of a pathway is the mean of its effect alone and of the loss without it, times one factor for all pathways
    so that they sum to what the pathways add together. This is the Shapley value where pathways interact in pairs only.
    The drug effect is that of the treated patient minus that of the control.
    """

    pathways: tuple[str, ...]
    hour: float

    def of(self, curves: Curves) -> dict[str, float]:
        """Share by pathway; empty if there is no drug effect, with NaN if an arm could not be solved."""
        full, none, control = (self._madrs(curves, name) for name in ("full", "none", "control"))
        drug = full - control
        if abs(drug) < MIN_DRUG_EFFECT:
            return {}
        shares = {}
        for name in self.pathways:
            alone = self._madrs(curves, f"only {name}") - none
            lost = full - self._madrs(curves, f"without {name}")
            shares[name] = (alone + lost) / 2 / drug
        together, total = (full - none) / drug, sum(shares.values())
        factor = together / total if abs(total) > MIN_PATHWAY_SUM * abs(together) else 1.0
        return {name: share * factor for name, share in shares.items()}

    def _madrs(self, curves: Curves, coalition: str) -> float:
        return value_at(curves[("pathways", coalition)], MOOD, self.hour)

    def answer(self, pathway: str, curves: Curves) -> Answer:
        """Whether a pathway contributes (a place in PATHWAY_WORDS), and its share."""
        shares = self.of(curves)

        def answer() -> Answer:
            share = shares[pathway]
            return CONTRIBUTES if share >= CONTRIBUTION_THRESHOLD else CONTRIBUTES_LITTLE, share

        return _if_known(shares, answer)

    def largest(self, curves: Curves) -> Answer:
        """Number of the pathway with the largest share, from 1 (or NO_DRUG_EFFECT), and the share."""
        shares = self.of(curves)
        numbered = list(enumerate(shares.values(), 1))
        return _if_known(shares, lambda: max(numbered, key=lambda one: one[1]))


def _if_known(shares: Mapping[str, float], answer: Callable[[], Answer]) -> Answer:
    """The answer from these shares, if every arm was solved and there is a drug effect."""
    if any(map(math.isnan, shares.values())):
        return NO_RESULT, math.nan
    return answer() if shares else (NO_DRUG_EFFECT, math.nan)


def _effect_answer(hour: float, curves: Curves) -> Answer:
    """Whether the usual infusion lowers MADRS below that of the control (EFFECT_WORDS), and the difference (points)."""
    full, control = (value_at(curves[("pathways", name)], MOOD, hour) for name in ("full", "control"))
    effect = full - control
    if math.isnan(effect):
        return NO_RESULT, effect
    return (AS_CONTROL if abs(effect) < MIN_DRUG_EFFECT else LOWER if effect < 0 else HIGHER), effect


def value_at(curves: TimeCourse, output: str, hour: float) -> float:
    """The value of an output at one of the simulated times (h)."""
    return float(curves.outputs[output][int(curves.time.searchsorted(hour - 10**-TIME_DECIMALS))])


@dataclass(frozen=True)
class EffectContrast:
    """Drug effect (treated minus control) of one treatment and time in relation to that of another."""

    id: str
    quantity: str
    treatment: str
    hours: float
    other: str
    other_hours: float
    output: str
    relation: str
    statement: str

    def answer(self, curves: Curves) -> Answer:
        """The answer (no, yes) and the difference of the two drug effects, in the unit of the output."""
        own_arm, others = (self.treatment, self.hours), (self.other, self.other_hours)
        difference = self._effect(curves, *own_arm) - self._effect(curves, *others)
        if math.isnan(difference):
            return NO_RESULT, math.nan
        return int(difference < 0 if self.relation == "<" else difference > 0), difference

    def _effect(self, curves: Curves, treatment: str, hour: float) -> float:
        treated, control = (curves[(role, treatment)] for role in ("treated", "control"))
        return value_at(treated, self.output, hour) - value_at(control, self.output, hour)


def _perturbation_answer(row: PerturbationTarget, curves: Curves) -> Answer:
    """The predicted direction of a published perturbation and its size."""
    size = STATISTICS[row.statistic](row, curves)  # type: ignore[arg-type]  # keys are arms here
    word = direction(row.statistic, size)
    return (_directions(row).index(word), size) if word else (NO_RESULT, math.nan)


def _directions(row: PerturbationTarget) -> tuple[str, ...]:
    return tuple(directions()[row.statistic.split()[0]])


ArmTable = dict[Hashable, ConclusionArm]


def all_conclusions(model: Model) -> tuple[tuple[Conclusion, ...], ArmTable]:
    """Every conclusion of the shipped tables, and the arms that they read."""
    conclusions: list[Conclusion] = []
    arms: ArmTable = {}
    for add in (_claims, _pathways, _contrasts, _perturbations):
        added, needed = add(model)
        conclusions += added
        for key, arm in needed:
            arms[key] = arms[key].joined(arm) if key in arms else arm
    return tuple(conclusions), arms


Found = tuple[list[Conclusion], Iterator[tuple[Hashable, ConclusionArm]]]


def _claims(model: Model) -> Found:
    claims, protocols = load_claims(load_evidence()), load_arms()
    controls = {name: protocol.control for name, protocol in protocols.items()}

    def arms() -> Iterator[tuple[Hashable, ConclusionArm]]:
        for claim in claims.values():
            for test in claim.tests:
                hours = tuple(float(text) for text in re.findall(r"[\d.]+", test.measure.time))
                for name in filter(None, (test.arm, controls[test.arm])):
                    scenario = protocols[name].scenario(model.parameters)
                    yield name, ConclusionArm(scenario, tuple(names_in(test.measure.output)), hours)

    words = ("not shown", "shown")
    return [
        Conclusion("claim", name, claim.statement, words, partial(_claim_answer, claim, controls))
        for name, claim in claims.items()
    ], arms()


def _pathways(model: Model) -> Found:
    switches = [name for name in model.parameters if name.startswith("pathway.")]
    names = tuple(name.removeprefix("pathway.") for name in switches)
    usual = load_scenario(STANDARD_INFUSION, model.parameters)

    def arm(off: Sequence[str], change: DoseChange | None = None) -> ConclusionArm:
        values = {**usual.values, **{f"pathway.{name}": 0.0 for name in off}}
        return ConclusionArm(replace(usual, values=values), (MOOD,), SHARE_HOURS, change)

    def arms() -> Iterator[tuple[Hashable, ConclusionArm]]:
        yield ("pathways", "full"), arm(())
        yield ("pathways", "none"), arm(names)
        yield ("pathways", "control"), arm((), control_events)
        for name in names:
            yield ("pathways", f"only {name}"), arm([other for other in names if other != name])
            yield ("pathways", f"without {name}"), arm([name])

    conclusions: list[Conclusion] = []
    for hour in SHARE_HOURS:
        shares, when, what = PathwayShares(names, hour), "after " + time_text(hour), "of the drug effect on MADRS"
        statement, answer = f"MADRS {when} of the usual infusion", partial(_effect_answer, hour)
        conclusions.append(Conclusion("effect", f"effect-{hour:g}h", statement, EFFECT_WORDS, answer))
        statement, words = f"the pathway with the largest share {what} {when}", (PATHWAY_WORDS[NO_DRUG_EFFECT], *names)
        conclusions.append(Conclusion("pathway", f"largest-{hour:g}h", statement, words, shares.largest))
        for name in names:
            statement = f"{name} carries at least {CONTRIBUTION_THRESHOLD:.0%} {what} {when}"
            answer = partial(shares.answer, name)
            conclusions.append(Conclusion("pathway", f"{name}-{hour:g}h", statement, PATHWAY_WORDS, answer))
    return conclusions, arms()


def load_effect_contrasts(model: Model) -> tuple[EffectContrast, ...]:
    """Every row of data/claims/contrasts.csv. Raises InputError for an unknown output or relation."""
    known, contrasts = model.layout.units, []
    for row in read_table(DIRECTORY / "contrasts.csv", CONTRAST_COLUMNS):
        output = row.required("output", "stage.thing")
        require_known(output, known, f"no output '{output}'", key=row["id"])
        contrasts.append(
            EffectContrast(
                row.required("id", "a name"), row.required("kind", "dose, route, time ..."),
                row.required("treatment", "a regimen"), row.number("hours"), row.required("other", "a regimen"),
                row.number("other_hours"), output, row.one_of("relation", ("<", ">")),
                row.required("says", "the contrast in words"),
            )
        )  # fmt: skip
    return tuple(contrasts)


def _contrasts(model: Model) -> Found:
    contrasts = load_effect_contrasts(model)

    def arms() -> Iterator[tuple[Hashable, ConclusionArm]]:
        for contrast in contrasts:
            for treatment, hour in ((contrast.treatment, contrast.hours), (contrast.other, contrast.other_hours)):
                scenario = load_scenario(treatment, model.parameters)
                yield ("treated", treatment), ConclusionArm(scenario, (contrast.output,), (hour,))
                yield ("control", treatment), ConclusionArm(scenario, (contrast.output,), (hour,), control_events)

    return [
        Conclusion(f"{contrast.quantity} contrast", contrast.id, contrast.statement, ("no", "yes"), contrast.answer)
        for contrast in contrasts
    ], arms()


def _perturbations(model: Model) -> Found:
    rows = [row for row in load_perturbation_targets() if not row.reason_not_run]
    reading = {arm: _reading(rows, arm) for arm in required_arms(tuple(rows))}

    def arms() -> Iterator[tuple[Hashable, ConclusionArm]]:
        for arm, (outputs, hours) in reading.items():
            scenario, _ = scenario_of_arm(arm, model.parameters)
            yield arm, ConclusionArm(scenario, outputs, hours, None if has_expectancy(arm) else without_expectancy)

    seen = Counter[str]()
    conclusions: list[Conclusion] = []
    for row in rows:
        seen[row.evidence] += 1
        name = row.evidence if seen[row.evidence] == 1 else f"{row.evidence}-{seen[row.evidence]}"
        text = " with ".join(filter(None, (row.regimen, row.perturbations)))
        what = f"{text} ({row.species}): {row.output} at {row.time} h (observed: {row.observed})"
        conclusions.append(Conclusion("perturbation", name, what, _directions(row), partial(_perturbation_answer, row)))
    return conclusions, arms()


def _reading(rows: Sequence[PerturbationTarget], arm: Hashable) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Outputs and times (h) that the rows read from an arm."""
    outputs, hours = dict[str, None](), set[float]()
    for row in rows:
        arms = factorial_arms(row)
        if arm in (arms.both, arms.alone, arms.drug, arms.none, arms.reference):
            outputs[row.output] = None
            hours |= {float(text) for text in row.time.split("-")}
            hours |= {REFERENCE_HOUR} if row.statistic.startswith("effect") else set()
    return tuple(outputs), tuple(sorted(hours))
