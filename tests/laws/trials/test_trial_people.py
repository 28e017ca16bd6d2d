"""The people of a trial: seeds from names, mixed populations; events by arm and decision; long follow-up."""

import numpy as np
import pytest

from ketamech.core import InputError
from ketamech.core.units import YEAR
from ketamech.population.random_draws import number_of_name
from ketamech.population.virtual_population import load_population
from ketamech.report.trial_folder import write_trial
from ketamech.trials.analysis.analyse import analyse
from ketamech.trials.population_mixture import population_text, trial_population
from ketamech.trials.run_trial import run_trial
from ketamech.trials.trial_reader import TRIALS, load_trial, shipped_trial

KEYS = {
    "title": "two arms",
    "arms": {
        "ketamine": {"treatment": "racemic 0.5 mg/kg IV over 40 min", "n": 60},
        "saline": {"treatment": "placebo IV", "n": 40},
    },
    "visits": {"MADRS": ["24 h"], "CADSS": ["40 min", "2 h"], "SBP": ["40 min"]},
    "primary": "MADRS at 24 h",
}


def trial(**changes):
    return load_trial({**KEYS, **changes})


def test_every_shipped_trial_has_its_own_seed():
    seeds = [shipped_trial(path.stem).seed for path in TRIALS.glob("*.yaml")]
    assert len(set(seeds)) == len(seeds)


def test_a_seed_follows_from_the_name_and_stays():
    assert number_of_name("murrough2013") == 1365236060  # the first four bytes of its SHA-256
    assert trial().seed == number_of_name("two arms")
    assert trial(seed=7).seed == 7


def test_a_file_with_another_name_has_other_people(tmp_path, model):
    text = (TRIALS / "murrough2013.yaml").read_text(encoding="utf-8")
    for name in ("one", "other"):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    one, other = (load_trial(tmp_path / f"{name}.yaml") for name in ("one", "other"))
    ages = [
        run_trial(t, model, threads=1, seed=seed)["age"].values
        for t, seed in ((one, None), (other, None), (other, one.seed))
    ]
    assert not np.any(np.isclose(ages[0], ages[1]))
    assert np.array_equal(ages[0], ages[2])


def test_a_mixed_population_has_the_people_of_its_parts(model):
    mixed = trial(population={"trd": 0.7, "bipolar": 0.3})
    assert mixed.population == "70 % trd + 30 % bipolar"
    whole = trial_population(mixed.population).draw(model.parameters, 3, np.arange(2000))
    assert whole.covariates["covariate.in_bipolar"].mean() == pytest.approx(0.3, abs=0.03)
    for name in ("trd", "bipolar"):
        alone = load_population(name).draw(model.parameters, 3, np.arange(2000))
        inside = whole.covariates[f"covariate.in_{name}"] == 1
        for key in ("person.weight", "person.baseline_madrs"):
            assert np.array_equal(whole.values[key][inside], alone.values[key][inside])
    assert np.array_equal(whole.covariates["covariate.bipolar"], whole.covariates["covariate.in_bipolar"])


def test_a_mixed_population_runs_and_is_recorded(model):
    mixed = trial(population={"trd": 0.7, "bipolar": 0.3}, people={"age": "normal 70 2 in 60 80"})
    whole = run_trial(mixed, model, replicates=2, threads=1)
    assert run_trial(mixed, model, replicates=1, first=1, threads=2).equals(whole.isel(replicate=[1]))
    assert np.array_equal(whole["in_trd"] + whole["in_bipolar"], np.ones((2, 100)))
    assert whole["age"].values.min() > 60


@pytest.mark.parametrize("shares", [{"trd": 0.7, "bipolar": 0.3}, {"trd": 0.29, "mdd": 0.01, "bipolar": 0.7}])
def test_shares_are_read_back_from_their_text(shares):
    found = trial_population(population_text(shares))
    assert dict(zip((part.name for part in found.parts), found.shares, strict=True)) == pytest.approx(shares)


@pytest.mark.parametrize(
    ("population", "key", "said"),
    [
        ({"trd": 0.7, "bipolar": 0.4}, "population", "add up to 1.1"),
        ({"trd": 0.7, "bipolr": 0.3}, "population.bipolr", "no population 'bipolr'"),
        ({}, "population", "add up to 0"),
    ],
)
def test_a_bad_mixture_is_refused(population, key, said):
    with pytest.raises(InputError) as refused:
        trial(population=population)
    assert refused.value.key == key
    assert said in refused.value.what


EVENTS = {
    "dissociation": "CADSS > 4",
    "blood pressure": "SBP >= 180 or SBP rises by 40",
    "late": "CADSS > 4 at the last visit",
}


def test_events_are_counted_from_ratings_at_any_visit(model, tmp_path):
    planned = trial(events=EVENTS)
    found = run_trial(planned, model, threads=1, replicates=2)
    peak = found["CADSS"].isel(visit=slice(1, None)).max("visit").values
    assert np.array_equal(found["event_dissociation"].values, (peak > 4).astype(float))
    assert np.array_equal(found["event_late"].values, (found["CADSS"].sel(visit="2 h").values > 4).astype(float))
    analysis = analyse(found, planned)
    rows = {(row["event"], row["arm"]): row for row in analysis.events}
    assert "<th>arm</th><th>n</th><th>share" in write_trial(tmp_path, found, planned, analysis).read_text("utf-8")
    assert rows["dissociation", "ketamine"]["share"] > rows["dissociation", "saline"]["share"] + 0.3
    assert rows["dissociation", "ketamine"]["n"] == 60
    share = (peak > 4)[found["arm"].values[:, :, 0] == "saline"].mean()
    assert rows["dissociation", "saline"]["share"] == pytest.approx(share)


def test_events_are_counted_by_arm_until_a_decision_and_by_its_group_afterwards(model, tmp_path):
    again = "racemic 0.5 mg/kg IV over 40 min"
    step = {"at": "day 8", "when": "MADRS <= 25", "give": {"more": again, "less": "placebo IV"}}
    visits = {"MADRS": ["24 h", "day 8", "day 9"], "CADSS": ["40 min", "168.67 h"]}
    planned = trial(events={"dissociation": "CADSS > 4"}, steps=[step], visits=visits, dropout="20 %")
    found = run_trial(planned, model, threads=1, replicates=2)
    analysis = analyse(found, planned)
    rows = {(row["event"], row["group"], row["visits"]): row for row in analysis.events}
    page = write_trial(tmp_path, found, planned, analysis).read_text("utf-8")
    assert "after a step has put a patient into a group, in that group" in page
    assert "<td>more</td><td>since the decision</td>" in page
    group, arm = found["decision"].values, found["arm"].values[:, :, 0]
    first, second = (found["CADSS"].sel(visit=visit).values for visit in ("40 min", "168.67 h"))
    decided = found["MADRS"].sel(visit="day 8").values <= 25
    assert np.array_equal(
        group != "", decided | ((group != "") & ~np.isfinite(found["MADRS"].sel(visit="day 8").values))
    )
    expected = {}
    for name in ("ketamine", "saline"):
        inside = arm == name
        had = (first > 4) | ((second > 4) & (group == ""))
        seen = np.isfinite(first) | (np.isfinite(second) & (group == ""))
        expected["dissociation", name, "until the decision"] = had[inside & seen].mean()
    for name in ("more", "less"):
        seen = (group == name) & np.isfinite(second)
        expected["dissociation", name, "since the decision"] = (second > 4)[seen].mean()
    assert list(rows) == list(expected)
    assert {key: row["share"] for key, row in rows.items()} == pytest.approx(expected)
    assert rows["dissociation", "more", "since the decision"]["share"] > 0.3
    assert rows["dissociation", "less", "since the decision"]["share"] < 0.3
    assert rows["dissociation", "more", "since the decision"]["n"] == np.isfinite(second[group == "more"]).sum() / 2


def test_a_patient_who_was_never_rated_has_no_event_value(model):
    found = run_trial(trial(events=EVENTS, missed_visits="80 %"), model, threads=1)
    unseen = np.isnan(found["CADSS"].values[0][:, 1:]).all(axis=1)
    assert 0 < unseen.sum() < 100
    assert np.array_equal(np.isnan(found["event_dissociation"].values[0]), unseen)


def test_events_are_refused_in_a_crossover_and_with_a_bad_name():
    same_size = {name: {**arm, "n": 40} for name, arm in KEYS["arms"].items()}
    with pytest.raises(InputError, match="a crossover with events"):
        trial(arms=same_size, events=EVENTS, crossover="7 days")
    with pytest.raises(InputError, match="cannot be the name of an event"):
        trial(events={"a/b": "CADSS > 4"})


def test_follow_up_reaches_five_years(model):
    arms = {"drug": {"treatment": "antidepressant daily", "n": 4}}
    visits = {"MADRS": ["4 weeks", "5 years"]}
    steps = [{"at": "3 years", "give": "esketamine 84 mg nasal twice weekly for 4 weeks"}]
    keys = {"title": "long", "arms": arms, "visits": {"MADRS": ["4 weeks", "3 years", "5 years"]}, "steps": steps}
    found = run_trial(load_trial(keys), model, threads=1)
    assert found["hour"].values[-1] == 5 * YEAR
    assert set(found["doses_given"].values.ravel()) == {8}
    assert (found["solve_status"] == "ok").all()
    with pytest.raises(InputError, match="beyond five years"):
        load_trial({**keys, "visits": {**visits, "MADRS": ["6 years"]}, "steps": []})
