"""Enrolment: who comes to a replicate of a trial, which arm each gets, when each is seen, and all his chances.

Every number comes from the stream of a person (or of a block of the randomisation list) within a seed and replicate,
so that nothing depends on how many replicates are run together. Allocation goes by order of enrolment, as in clinics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ketamech.parameters import ParameterTable
from ketamech.population.random_streams import patient_streams
from ketamech.population.virtual_population import Population, VirtualPatients
from ketamech.trials.design import Trial

FIRST_DAY = 24.0  # h after a dose in which visits are counted from it and held when planned
VISIT_GAP = 0.45  # share of the time to the next visit that a visit may move
ALLOCATION, VISITS, BLOCKS = 0, 1, 16  # blocks of the stream "trial"


@dataclass(frozen=True)
class Enrolment:
    """One replicate: `sequence` numbers in Trial.sequences [patient], `hours` and chances [patient, visit].

    `lots` [patient, visit] decide second randomisations, `luck` who leaves or misses a visit: [patient, 1 + visits *
    (1 + reasons)]; `z` [patient, 2, visit, scale] are standard numbers for raters' errors and for people's own ups and
    downs, `sizes` [patient, scale] for how large those are. `base`: population values.
    """

    number: int
    people: VirtualPatients
    base: Mapping[str, float]
    arm_sequence: np.ndarray
    stratum: np.ndarray
    hours: np.ndarray
    rerandomisation_uniforms: np.ndarray
    dropout_uniforms: np.ndarray
    rating_normals: np.ndarray
    fluctuation_normals: np.ndarray


def enrol(
    trial: Trial, population: Population, parameters: ParameterTable, seed: int, number: int, base: Mapping[str, float]
) -> Enrolment:
    """Everybody of replicate `number`, before the first dose."""
    who, visits = np.arange(trial.patients), len(trial.visit_schedule)
    people = population.draw(parameters, seed, who, replicate=number, base=base)
    reasons = 1 + len(trial.dropout_rules)
    sizes = np.cumsum([len(trial.strata), visits, visits, 1 + visits * reasons])
    chances = [c.random(sizes[-1]) for c in patient_streams(seed, who, "trial", replicate=number, block=VISITS)]
    strata, windows, lots, luck = np.split(np.array(chances), sizes[:-1], axis=1)
    stratum = _strata(trial, strata)
    raters = patient_streams(seed, who, "scores", replicate=number)
    z, sizes = _errors(raters, visits, len(trial.scales))
    return Enrolment(
        number,
        people,
        base,
        _allocate(trial, stratum, seed, number),
        stratum,
        visit_hours(trial, windows),
        lots,
        luck,
        z,
        sizes,
    )


def _errors(raters: Iterator[np.random.Generator], visits: int, scales: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard numbers of everybody: [patient, 2, visit, scale], and after them [patient, scale]."""
    count = 2 * visits * scales
    drawn = np.array([c.standard_normal(count + scales) for c in raters])
    return drawn[:, :count].reshape(len(drawn), 2, visits, scales), drawn[:, count:]


def _strata(trial: Trial, u: np.ndarray) -> np.ndarray:
    """In words to which stratum each person belongs."""
    words = [np.full(len(u), "", dtype=object)]
    for i, levels in enumerate(trial.strata.values()):
        edges = np.cumsum(list(levels.values()))[:-1]
        words.append(np.array(list(levels), dtype=object)[np.searchsorted(edges, u[:, i], side="right")])
    return np.array([" ".join(filter(None, row)) for row in zip(*words, strict=True)])


def _allocate(trial: Trial, stratum: np.ndarray, seed: int, number: int) -> np.ndarray:
    """Number of the sequence of arms of each person: permuted blocks in order of enrolment within his stratum."""
    block = _block(trial)
    found = np.empty(len(stratum), dtype=int)
    for k, name in enumerate(sorted(set(stratum))):
        members = np.flatnonzero(stratum == name)
        count = -(-len(members) // len(block))
        lists = patient_streams(seed, range(count), "trial", replicate=number, block=BLOCKS + k)
        found[members] = np.concatenate([c.permutation(block) for c in lists])[: len(members)]
    return found


def _block(trial: Trial) -> np.ndarray:
    """One block before it is shuffled."""
    if trial.washout:
        size = trial.block or trial.patients
        return np.arange(max(size, 1)) % len(trial.sequences)
    part = trial.block / trial.patients if trial.block else 1.0
    return np.repeat(np.arange(len(trial.arms)), [round(arm.n * part) for arm in trial.arms])


def visit_hours(trial: Trial, u: np.ndarray) -> np.ndarray:
    """When each visit takes place [patient, visit]: as planned on a first day, later within the window.

    What is planned within a day after a dose keeps its time, and no visit passes a planned dose or another visit.
    """
    planned = np.array([hour for _, hour, _ in trial.visit_schedule])
    if not trial.window:
        return np.tile(planned, (len(u), 1))
    doses = _dose_hours(trial)
    before = doses[np.maximum(np.searchsorted(doses, planned - 1e-6) - 1, 0)]
    inside = planned - before > FIRST_DAY
    after = np.append(doses, np.inf)[np.searchsorted(doses, planned - 1e-6)]
    gaps = np.diff(planned, prepend=-np.inf, append=np.inf)
    early = np.minimum.reduce([np.full_like(planned, trial.window), VISIT_GAP * gaps[:-1], planned - before])
    late = np.minimum.reduce([np.full_like(planned, trial.window), VISIT_GAP * gaps[1:], after - planned])
    return planned + np.where(inside, -early + (early + late) * u, 0.0)


def _dose_hours(trial: Trial) -> np.ndarray:
    """Planned hours of all that is given at visits in any arm or step."""
    regimens = [arm.regimen for arm in trial.arms]
    found = {0.0}
    for regimen in regimens:
        for treatment in regimen.treatments:
            if treatment.route not in ("oral", ""):
                for period in range(trial.periods):
                    found |= {at + period * trial.washout for at in treatment.starts(trial.horizon)}
    return np.array(sorted(found))
