"""The main job: one scenario, from the dose to the mood, as labelled curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from ketamech.core import SolveFailed
from ketamech.engine import rest, solve
from ketamech.engine.solve import checked_outputs
from ketamech.parameters import HUMAN
from ketamech.study.cohort import event_table
from ketamech.study.drugs import DRUGS
from ketamech.study.giving import entries, sentence_entries
from ketamech.study.people import People
from ketamech.study.regimen import Regimen
from ketamech.study.running import Course, Entry, Model, load_model, run, story_times
from ketamech.study.scenario import Scenario, load_scenario

A_MINUTE = 1 / 60


def courses(scenario: Scenario, model: Model) -> list[Course]:
    """The treated course and, where asked for, the same person with the same hopes and challenges and no drug."""
    given = felt(scenario.species, entries(scenario.regimen, model.parameters, scenario.values, scenario.horizon))
    repeated, gap = scenario.cycle(model.parameters)
    cycle = entries(repeated, model.parameters, scenario.values, gap) if gap else ()
    treated = Course("treated", _in_order((*given, *scenario.perturbed)), scenario.values, cycle, gap)
    if not scenario.control:
        return [treated]
    beside = _in_order((*untreated(given), *scenario.perturbed))
    return [treated, Course("control", beside, scenario.values, untreated(cycle), gap)]


def felt(species: str, given: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """What enters, without the hopes that no animal has."""
    if species == HUMAN:
        return given
    return tuple(entry for entry in given if not entry.state.startswith("expectancy."))


def _in_order(given: Sequence[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(given, key=lambda entry: float(entry.time)))


def untreated(given: Sequence[Entry]) -> tuple[Entry, ...]:
    """Hopes, and challenges such as an operation unless nothing but challenges is given."""
    hopes = tuple(entry for entry in given if entry.state.startswith("expectancy."))
    challenges = {drug.enters for drug in DRUGS if not drug.hoped}
    kept = tuple(entry for entry in given if entry in hopes or entry.state in challenges)
    return hopes if len(kept) == len(given) else kept


def outputs_of_people(
    model: Model, people: People, sentence: str, wanted: Sequence[tuple[str, float]]
) -> list[np.ndarray]:
    """What some persons show on a regimen: for each (output, hour) the values [patient]; NaN where a solve failed."""
    names = tuple(dict.fromkeys(name for name, _ in wanted))
    checked_outputs(model.kernel, names)
    times = np.array(sorted({0.0, *(hour for _, hour in wanted)}))
    given = sentence_entries(sentence, model.parameters, people.values, float(times[-1]) + 1.0)
    layout, known = model.layout, model.parameters
    inputs = np.tile(
        [*(known[n].canonical for n in layout.parameter_names), *([0.0] * len(layout.rested))], (len(people), 1)
    )
    for i, name in enumerate(layout.parameter_names):
        inputs[:, i] = people.values.get(name, inputs[:, i])
    start, rested = rest(model.kernel, inputs)
    solution = solve(model.kernel, start, inputs, event_table(model, given, len(people)), times, outputs=names)
    solution.values[~rested] = np.nan
    return [solution.values[:, int(np.searchsorted(times, hour)), names.index(name)] for name, hour in wanted]


def simulate(
    scenario: Scenario | Regimen | str | Path,
    *,
    model: Model | None = None,
    announce: Callable[[str], None] | None = None,
    species: str | None = None,
    perturbations: Sequence[str] = (),
    wiring: str | None = None,
) -> xr.Dataset:
    """Curves of every state and offer of one scenario (a Scenario, a YAML file, a sentence, a Regimen as `ev` makes).

    `species`, `perturbations` ("NBQX 10 mg/kg IP at -30 min") and a rival `wiring` are added to a file or a sentence.

    Returns a Dataset with dims (patient, time): 'treated' and, unless switched off, 'control'; `units` and
    `long_name` on every variable; time in h. Raises BadInput for a scenario that makes no sense,
    SolveFailed if it cannot be solved.
    """
    chosen = model or load_model(announce=announce)
    asked = (
        scenario
        if isinstance(scenario, Scenario)
        else load_scenario(scenario, chosen.parameters, species=species, perturbations=perturbations, wiring=wiring)
    )
    both = courses(asked, chosen)
    starts = sorted({max(0.0, entry.time) for entry in both[0].entries})
    ends = sorted({entry.time + entry.duration for entry in both[0].entries if entry.duration and entry.time >= 0})
    early = sorted({entry.time for entry in asked.perturbed if entry.time < 0})
    before = [early[0] - A_MINUTE, *early] if early else []  # an output at the time of an event shows what follows it
    curves = run(chosen, both, np.array([*before, *story_times(asked.horizon, [*starts, *ends])]))
    bad = [str(reason) for reason in curves.solve_status.values if reason != "ok"]
    if bad:
        raise SolveFailed(f"the scenario could not be solved: {bad[0]}")
    return curves.assign_attrs(title=asked.title, horizon_h=asked.horizon, seed=asked.seed, species=asked.species)
