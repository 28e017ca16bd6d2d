"""The same scenarios through every runner of the package, and what each makes of them.

`python tests/runners/runner_law.py` prints the table of docs/runner-law.md.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np

from ketamech import simulate
from ketamech.analysis import attribution, perturbation_scorecard, regimen_search, sensitivity
from ketamech.app import curve_responses as page
from ketamech.app.schemas import CurvesRequest
from ketamech.core import InputError
from ketamech.engine.solve import TOLERANCE
from ketamech.nonmem.read import read_doses
from ketamech.nonmem.solve_table import solve_table
from ketamech.parameters.concentration_units import factors
from ketamech.population.cohort import Cohort, simulate_patients
from ketamech.population.virtual_population import VirtualPatients, load_population
from ketamech.simulation.ensemble import run_subjects
from ketamech.simulation.load_scenario import load_scenario
from ketamech.simulation.model import Model
from ketamech.simulation.model_variants import model_variant
from ketamech.simulation.scenario import Scenario
from ketamech.simulation.scenario_schema import ScenarioFile
from ketamech.simulation.simulate import subjects
from ketamech.trials import run_trial
from ketamech.trials.trial_reader import load_trial

HOURS = np.array([24.0, 168.0])
HORIZON = 168.0
OUTPUTS = ("mood.madrs", "expectancy.belief", "nmda.occupancy", "plasma.esketamine")
ANIMAL_OUTPUTS = ("forced_swim.immobility", "nmda.occupancy", "plasma.esketamine")
VARIED = "nmda.enantiomer_ratio"  # lognormal: its middle is exactly its value
Readings = Mapping[str, float]


@dataclass(frozen=True)
class Case:
    """A scenario in words; `patient` says whether the treated patient or the control is read."""

    name: str
    sentence: str
    species: str = "human"
    perturbation: str = ""
    variant: str = ""
    patient: str = "treated"

    @property
    def outputs(self) -> tuple[str, ...]:
        """Outputs that are read; an animal has no rating."""
        return OUTPUTS if self.species == "human" else ANIMAL_OUTPUTS

    @property
    def whole(self) -> str:
        """Regimen and perturbation in one sentence."""
        return f"{self.sentence} with {self.perturbation}" if self.perturbation else self.sentence

    @property
    def alone(self) -> str:
        """For runners that know no control: what the control patient is given."""
        return "placebo IV over 40 min" if self.patient == "control" else self.whole

    def scenario(self, model: Model, sentence: str = "") -> Scenario:
        """The checked scenario over a week."""
        found = load_scenario(
            sentence or self.whole, model.parameters, species=self.species, variant=self.variant or None
        )
        return replace(found, horizon=HORIZON)


IV = "racemic 0.5 mg/kg IV over 40 min"
CASES = (
    Case("plain", IV),
    Case("at steady state", "racemic 50 mg oral daily for 4 weeks at steady state"),
    Case("perturbation at -30 min", IV, perturbation="NBQX at -30 min"),
    Case("rat", "racemic 10 mg/kg IP", species="rat"),
    Case("control", IV, patient="control"),
    Case("model variant", IV, variant="opioid-gate"),
    Case("missed dose", "esketamine 84 mg nasal every 3 days for 9 days missing dose 2"),
    Case("overlapping infusions", "racemic 10 mg IV over 30 min; racemic 40 mg IV over 10 h"),
)


class NotOffered(Exception):
    """The runner has no input with which this case could be asked for."""


@dataclass(frozen=True)
class Nobody:
    """A population in which nobody differs from the typical patient."""

    def with_marginals(self, words, parameters):
        return self

    def draw(self, parameters, seed, patients, *, replicate=0, base=None, study_size=None):
        return VirtualPatients(np.asarray(patients), {}, {}, parameters)

    def occasion_factors(self, name, seed, patients, count, *, replicate=0):
        return np.ones((len(patients), count))

    def course_events(self, parameters, seed, patients, begin, until, *, replicate=0, base=None, in_progress=False):
        return ()


def by_simulate(case: Case, model: Model) -> Readings:
    found = simulate(case.scenario(model), model=model).sel(patient=case.patient, time=HOURS)
    return at_hours({name: found[name].values for name in case.outputs})


def by_cohort(case: Case, model: Model) -> Readings:
    cohort = Cohort(model, case.scenario(model, case.alone), 1, case.outputs, HOURS, vary=())
    found = cohort.solve_patients([0])
    assert (found["solve_status"] == "ok").all(), found["solve_status"].values
    return at_hours({name: found[name].values[0] for name in case.outputs})


def by_cohort_of_population(case: Case, model: Model) -> Readings:
    population = Nobody() if case.species == "human" else load_population("trd")
    cohort = Cohort(model, case.scenario(model, case.alone), 1, case.outputs, HOURS, population=population)
    found = cohort.solve_patients([0])
    return at_hours({name: found[name].values[0] for name in case.outputs})


def by_simulate_people(case: Case, model: Model) -> Readings:
    one = Nobody().draw(model.parameters, 1, [0])
    found = simulate(case.scenario(model, case.alone), one, model=model, outputs=case.outputs, times=HOURS.tolist())
    return at_hours({name: found[name].values[0] for name in case.outputs})


def by_sensitivity(case: Case, model: Model) -> Readings:
    words = "; ".join(f"{name} at {hour:g} h" for name in case.outputs for hour in HOURS)
    asked = sensitivity.parse_endpoints(words, model)
    rows = sensitivity.varied_parameters(model, [VARIED])
    scenario = case.scenario(model, case.alone)
    found = sensitivity.tornado(sensitivity.SensitivityProblem(model, scenario, asked, rows, absolute=True))
    middle = found.set_index("endpoint")["usual"]
    shown = {name: factors().get(name, 1.0) for name in case.outputs}  # levels are read in ng/mL
    return {name_at(name, h): float(middle[f"{name} at {h:g} h"]) / shown[name] for name in case.outputs for h in HOURS}


def by_design(case: Case, model: Model) -> Readings:
    if case.variant:
        raise NotOffered
    with mock.patch.object(regimen_search, "load_population", return_value=Nobody()):
        found = regimen_search.compare_regimens(
            model, [regimen_search.CandidateRegimen("one", case.alone)], weeks=1, patients=1
        ).iloc[0]
    return {name: float(found[name]) for name in ("benefit", "cadss", "systolic")}


def by_people(case: Case, model: Model) -> Readings:
    if case.variant:
        raise NotOffered
    one = Nobody().draw(model.parameters, 1, [0])
    wanted = [(name, float(hour)) for name in case.outputs for hour in HOURS]
    found = simulate_patients(model, one, case.alone, wanted)
    return {name_at(name, hour): float(values[0]) for (name, hour), values in zip(wanted, found, strict=True)}


def by_attribution(case: Case, model: Model) -> Readings:
    if case.species != "human":
        raise NotOffered  # it divides the change of MADRS
    words = "; ".join(f"{name} at {hour:g} h" for name in case.outputs for hour in HOURS)
    with mock.patch.object(attribution, "switched_on_pathways", return_value=("pathway.disinhibition",)):
        found = attribution.attribute(model, case.scenario(model), endpoints=words, draws=0)
    totals = found.totals.set_index("endpoint")
    hoped = totals["baseline_tables"] + totals["expectancy_tables"]
    whole = hoped if case.patient == "control" else totals["full_tables"]
    return {name_at(name, h): float(whole[f"{name} at {h:g} h"]) for name in case.outputs for h in HOURS}


def by_experiments(case: Case, model: Model) -> Readings:
    values = {} if case.species == "rat" else {"person.expectancy": model.parameters["person.expectancy"].canonical}
    values |= model_variant(case.variant, model.parameters).parameter_values if case.variant else {}
    sentence = "placebo IV over 40 min" if case.patient == "control" else case.sentence
    arm = (case.species, sentence, case.perturbation, tuple(values.items()))
    found = perturbation_scorecard.solve_arms(model, [arm], HORIZON, set(HOURS.tolist()), case.outputs, {}, 1)[arm]
    places = np.searchsorted(found.time, HOURS)
    return at_hours({name: found.outputs[name][places] for name in case.outputs})


def by_trial(case: Case, model: Model) -> Readings:
    values = model_variant(case.variant, model.parameters).parameter_values if case.variant else {}
    keys = {
        "title": "one arm", "arms": {"one": {"treatment": case.alone, "n": 1}},
        "visits": {"MADRS": ["24 h", "168 h"]}, "population": "trd",
    }  # fmt: skip
    with mock.patch.object(run_trial, "trial_population", return_value=Nobody()):
        trial = replace(load_trial(keys, model.parameters), values=values)
        found = run_trial.run_trial(trial, model)
    assert (found["solve_status"] == "ok").all(), found["solve_status"].values
    madrs = found["true_MADRS"].values[0, 0]
    return {name_at("mood.madrs", hour): float(madrs[1 + k]) for k, hour in enumerate(HOURS)}


def by_dose_table(case: Case, model: Model) -> Readings:
    if case.variant:
        raise NotOffered
    rows = {
        "plain": "1,0,35,52.5,IV,1,0,0,0,ketamine,human,70",
        "at steady state": "1,0,50,0,oral,1,24,27,1,ketamine,human,70",
        "rat": "1,0,{rat},0,IP,1,0,0,0,ketamine,rat,.",
        "control": "1,0,0,0,none,2,0,0,0,placebo,human,70",
        "missed dose": "1,0,84,0,nasal,1,0,0,0,esketamine,human,70\n1,144,84,0,nasal,1,0,0,0,esketamine,human,70",
        "overlapping infusions": "1,0,10,20,IV,1,0,0,0,ketamine,human,70\n1,0,40,4,IV,1,0,0,0,ketamine,human,70",
    }
    rows["perturbation at -30 min"] = "\n".join(["1,-0.5,1,0,IP,1,0,0,0,NBQX,human,70", rows["plain"]])
    rat = 10 * case.scenario(model).values.get("person.weight", 0.0)
    dose = rows[case.name].format(rat=rat)
    who = dose.split(",")[-2:]
    looks = [f"1,{hour:g},0,0,IV,0,0,0,0,.,{','.join(who)}" for hour in HOURS]
    records = sorted((*dose.splitlines(), *looks), key=lambda line: float(line.split(",")[1]))
    text = "\n".join(["ID,TIME,AMT,RATE,CMT,EVID,II,ADDL,SS,DRUG,SPECIES,WEIGHT", *records]) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "doses.csv"
        path.write_text(text, encoding="utf-8")
        found = solve_table(read_doses(path, model.parameters), model, case.outputs)
    found = found[found["TIME"].isin(HOURS)]
    assert (found["solve_status"] == "ok").all(), found["solve_status"].values
    return at_hours({name: found[name].to_numpy() for name in case.outputs})


@dataclass(frozen=True)
class Room:
    """All that the page's curves need of the server."""

    model: Model


def by_page(case: Case, model: Model) -> Readings:
    keys = {"treatments": [case.sentence], "species": case.species, "horizon": "168 h"}
    keys |= {"person": {"weight": "70 kg"}} if case.species == "human" else {}
    keys |= {"perturbations": [case.perturbation]} if case.perturbation else {}
    keys |= {"variant": case.variant} if case.variant else {}
    asked = CurvesRequest(scenario=ScenarioFile(**keys), outputs=list(case.outputs))
    with mock.patch.object(page, "curve_times", return_value=np.array([0.0, *HOURS])):
        found = page.curves_of(Room(model), asked)
    drawn = {one["key"]: one["curves"][0][case.patient] for one in found["tracks"]}
    found_values = {name: np.array(drawn[name][1:]) / factors().get(name, 1.0) for name in case.outputs}  # ng/mL there
    return at_hours(found_values)


def at_hours(values: Mapping[str, np.ndarray]) -> Readings:
    """Values [hour] by output as readings by name."""
    return {name_at(name, h): float(row[k]) for name, row in values.items() for k, h in enumerate(HOURS)}


def name_at(output: str, hour: float) -> str:
    """A reading by name."""
    return f"{output} at {hour:g} h"


@dataclass(frozen=True)
class Runner:
    """A way to run a scenario, and how far its numbers may be from the expected, relative to an output's scale.

    `everything`: the runner computes all outputs, so that the error of its steps covers all states.
    """

    name: str
    read: Callable[[Case, Model], Readings]
    tolerance: float = 1e-9
    why: str = ""
    everything: bool = False


RUNNERS = (
    Runner("simulate", by_simulate, everything=True),
    Runner("simulate --patients", by_cohort),
    Runner("simulate --patients --population", by_cohort_of_population),
    Runner("simulate people=", by_simulate_people),
    Runner("sensitivity", by_sensitivity),
    Runner("design", by_design),
    Runner("population --scenario", by_people),
    Runner("attribute", by_attribution),
    Runner("perturbations", by_experiments),
    Runner("trial", by_trial, 1e-4, "what is planned for the hour of a visit is given 0.36 s after its ratings"),
    Runner("dose table", by_dose_table),
    Runner("page", by_page, 1e-4, "the page rounds to five digits"),
)


NAMES_OF_TOLERANCES = ("SCORE_TOLERANCE", "PROTOCOL_TOLERANCE", "TOLERANCE")


@contextmanager
def same_settings() -> Iterator[None]:
    """Every runner solves with the tolerance of `simulate`."""
    modules = (sensitivity, regimen_search, attribution, perturbation_scorecard, run_trial, page)
    names = [next(name for name in NAMES_OF_TOLERANCES if hasattr(module, name)) for module in modules]
    before = [getattr(module, name) for module, name in zip(modules, names, strict=True)]
    for module, name in zip(modules, names, strict=True):
        setattr(module, name, TOLERANCE)
    try:
        yield
    finally:
        for module, name, value in zip(modules, names, before, strict=True):
            setattr(module, name, value)


_expected: dict[tuple[str, bool], tuple[dict[str, float], dict[str, float]]] = {}


def expected(case: Case, model: Model, *, everything: bool = False) -> tuple[dict[str, float], dict[str, float]]:
    """Every reading from an ensemble of the scenario, and the scale of its output."""
    if (case.name, everything) not in _expected:
        _expected[case.name, everything] = _curves(case, model, everything)
    return _expected[case.name, everything]


def _curves(case: Case, model: Model, everything: bool) -> tuple[dict[str, float], dict[str, float]]:
    times = np.unique([*regimen_search.DENSE_TIMES, *np.arange(24.0, HORIZON + 1, 24.0)])
    names = tuple(dict.fromkeys((*case.outputs, *regimen_search.OUTPUTS)))
    wanted = None if everything else names
    both = run_subjects(model, subjects(case.scenario(model), model), times, outputs=wanted)
    mine, control = (both.sel(patient=who) for who in (case.patient, "control"))
    places = np.searchsorted(times, HOURS)
    found = at_hours({name: mine[name].values[places] for name in case.outputs})
    size = {name: float(np.max(np.abs(mine[name].values))) or 1.0 for name in names}
    scales = {name_at(name, hour): size[name] for name in case.outputs for hour in HOURS}
    later = times >= regimen_search.DAY
    found["benefit"] = float(np.mean((control["mood.madrs"] - mine["mood.madrs"]).values[later]))
    found["cadss"] = float(mine["dissociation.cadss"].max())
    found["systolic"] = float(mine["haemodynamics.systolic_rise"].max())
    scales |= {"benefit": size["mood.madrs"], "cadss": size["dissociation.cadss"]}
    return found, scales | {"systolic": size["haemodynamics.systolic_rise"]}


@dataclass(frozen=True)
class Verdict:
    """What a runner made of a case: "equal", "refused" (`why`), "different" (`why`) or "not offered"."""

    word: str
    why: str = ""


def judge(runner: Runner, case: Case, model: Model) -> Verdict:
    """One cell of the table."""
    with same_settings():
        try:
            found = runner.read(case, model)
        except InputError as problem:
            return Verdict("refused", problem.what)
        except NotOffered:
            return Verdict("not offered")
    wanted, scales = expected(case, model, everything=runner.everything)
    far = {name: abs(value - wanted[name]) / scales[name] for name, value in found.items()}
    worst = max(far, key=lambda name: far[name] if np.isfinite(far[name]) else np.inf)
    if far[worst] <= runner.tolerance:
        return Verdict("equal")
    return Verdict("different", f"{worst}: {found[worst]:.6g}, expected {wanted[worst]:.6g}")


def table(model: Model) -> str:
    """Runner by case, and why a case is refused, in Markdown."""
    lines = ["| runner | " + " | ".join(case.name for case in CASES) + " |", "|---" * (len(CASES) + 1) + "|"]
    reasons = []
    for runner in RUNNERS:
        verdicts = [judge(runner, case, model) for case in CASES]
        lines.append(f"| `{runner.name}` | " + " | ".join(verdict.word for verdict in verdicts) + " |")
        refused = [(case, verdict) for case, verdict in zip(CASES, verdicts, strict=True) if verdict.word == "refused"]
        reasons += [f'- `{runner.name}`, {case.name}: "{verdict.why}"' for case, verdict in refused]
    return "\n".join([*lines, "", *reasons]) + "\n"


if __name__ == "__main__":
    from ketamech.simulation.model import load_model

    sys.stdout.write(table(load_model()))
