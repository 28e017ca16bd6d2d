"""Cohorts: the same person everywhere, dosed by his own body, failures told apart."""

import numpy as np
import pytest
import xarray as xr

from ketamech import simulate
from ketamech.core import InputError, UnknownNameError
from ketamech.dosing.dose_events import control_events, dose_events
from ketamech.dosing.dose_records import DoseRecord, regimen
from ketamech.dosing.regimen import Regimen
from ketamech.parameters import load_parameters
from ketamech.population.cohort import Cohort
from ketamech.population.random_draws import adherence, draw_parameters, patient_streams
from ketamech.simulation.ensemble import event_table
from ketamech.simulation.load_scenario import load_scenario

TABLE = load_parameters()
NAMES = tuple(TABLE)
TIMES = np.array([0.0, 2.0, 24.0, 168.0])
OUTPUTS = ("mood.madrs", "pharmacokinetics.central_s")


def cohort(model, words="esketamine 84 mg nasal twice weekly for 1 week, missing 40 %", patients=40, **how):
    return Cohort(model, load_scenario(words, model.parameters), patients, OUTPUTS, TIMES, **how)


def all_of(asked):
    return xr.concat(list(asked.chunks()), "patient")


def test_a_stream_is_philox_with_the_documented_key_and_counter():
    found = next(patient_streams(5, [7], "adherence", replicate=3)).random(4)
    counter = np.array([0, 0, 1, 7], dtype=np.uint64)
    raw = np.random.Philox(key=np.array([5, 3], dtype=np.uint64), counter=counter)
    assert (found == np.random.Generator(raw).random(4)).all()


def test_streams_seeds_replicates_and_patients_differ():
    calls = [
        (1, 0, "parameters", 0),
        (1, 1, "parameters", 0),
        (2, 0, "parameters", 0),
        (1, 0, "adherence", 0),
        (1, 0, "parameters", 1),
    ]
    firsts = {float(next(patient_streams(s, [p], stream, replicate=r)).random()) for s, p, stream, r in calls}
    assert len(firsts) == len(calls)


@pytest.mark.parametrize("seed", [-1, 1.5, 2**64])
def test_a_senseless_seed_is_refused(seed):
    with pytest.raises(InputError, match="seed"):
        next(patient_streams(seed, [0], "parameters"))


def test_patient_i_is_the_same_in_any_cohort():
    many = draw_parameters(TABLE, NAMES, 11, range(50))
    assert (draw_parameters(TABLE, NAMES, 11, [49, 3, 17]) == many[[49, 3, 17]]).all()


def test_varying_less_changes_no_value_that_still_varies():
    every, some = (
        draw_parameters(TABLE, NAMES, 11, range(50)),
        draw_parameters(TABLE, NAMES, 11, range(50), vary=["person.weight", "mood"]),
    )
    usual = np.array([row.canonical for row in TABLE.values()])
    for i, name in enumerate(NAMES):
        chosen = name == "person.weight" or name.startswith("mood.")
        assert (some[:, i] == (every[:, i] if chosen else usual[i])).all(), name


def test_draws_follow_their_spreads():
    drawn = draw_parameters(TABLE, NAMES, 3, range(4000))
    for i, row in enumerate(TABLE.values()):
        values, spread = drawn[:, i] / row.canonical if row.canonical else drawn[:, i], row.spread
        if spread.kind == "fixed":
            assert np.ptp(values) == 0, row.name
        elif spread.kind == "lognormal":
            assert np.log(values).mean() == pytest.approx(0, abs=5 * spread.a / 4000**0.5), row.name
            assert np.log(values).std() == pytest.approx(spread.a, rel=0.08), row.name
        elif spread.kind == "uniform":
            raw = drawn[:, i] * (row.value / row.canonical if row.canonical else 1.0)
            assert spread.a <= raw.min() < raw.max() <= spread.b, row.name
        elif row.value:
            assert (values > 0).all(), row.name


def test_an_unknown_thing_to_vary_is_refused():
    with pytest.raises(UnknownNameError, match=r"person\.weight"):
        draw_parameters(TABLE, NAMES, 1, [0], vary=["person.wieght"])


def test_what_is_given_to_many_is_what_is_given_to_each(model):
    """Nasal doses per kilogram: the number of sprays, their sizes and the swallowed part differ between patients."""
    plan = Regimen.parse("esketamine 1 mg/kg nasal twice weekly for 1 week; racemic 0.2 mg/kg IM at 30 h")
    names = ["person.weight", "pharmacokinetics.swallowed_duration", "pharmacokinetics.nasal_f_first"]
    person = {name: TABLE[name].canonical * np.array([0.5, 0.9, 1.0, 1.6]) for name in names}
    table = event_table(model, dose_events(plan, TABLE, person, 336.0), 4)
    for i in range(4):
        own = dose_events(plan, TABLE, {name: float(values[i]) for name, values in person.items()}, 336.0)
        alone = event_table(model, own, 1)
        rows = slice(table.first[i], table.first[i + 1])
        assert (table.time[rows] == alone.time).all()
        assert (table.kind[rows] == alone.kind).all()
        assert (table.state[rows] == alone.state).all()
        assert table.size[rows] == pytest.approx(alone.size, rel=1e-14)


WAYS = (  # doses that depend on the person: weight, shares absorbed, number of sprays, doses missed, steady state
    "esketamine 84 mg nasal twice weekly for 1 week, missing 40 %",
    "racemic 0.5 mg/kg IV over 40 min",
    "racemic 0.5 mg/kg IM",
    "esketamine 1 mg/kg nasal",
    "racemic 0.2 mg/kg SC every 3 days for 1 week at steady state",
)


@pytest.fixture(scope="module")
def wholes(model):
    return {words: all_of(cohort(model, words)) for words in WAYS}


@pytest.mark.parametrize("words", WAYS)
@pytest.mark.parametrize("how", [{"chunk": 7}, {"chunk": 1, "patients": 5}, {"threads": 2, "chunk": 13}])
def test_chunks_and_threads_change_no_bit(model, wholes, words, how):
    found, whole = all_of(cohort(model, words, **how)), wholes[words]
    for name in OUTPUTS:
        assert (found[name].values == whole[name].values[: found.sizes["patient"]]).all()


@pytest.mark.parametrize("words", WAYS)
def test_any_patients_in_any_order(model, wholes, words):
    found = cohort(model, words).solve_patients([31, 2, 30])
    for name in OUTPUTS:
        assert (found[name].values == wholes[words][name].values[[31, 2, 30]]).all()
    assert (found["solve_status"] == "ok").all()
    assert found["mood.madrs"].attrs["units"] == "points"


def test_missed_doses_are_missed_by_some():
    plan = Regimen.parse("esketamine 84 mg nasal daily for 10 days, missing 30 %")
    took = adherence(plan, 240.0, 1, range(500), 0)
    shares = np.array(list(took.values()))
    assert len(took) == 10
    assert shares.mean() == pytest.approx(0.7, abs=0.03)
    assert adherence(plan, 240.0, 1, [77], 0)[0, 4] == took[0, 4][77]


def test_doses_missed_by_number_are_not_given():
    given = dose_events(Regimen.parse("racemic 0.5 mg/kg IV daily for 4 days missing doses 2 and 4"), TABLE, {}, 200.0)
    assert sorted({e.time for e in given if e.compartment.endswith("central_s")}) == [0.0, 48.0]


@pytest.mark.parametrize(
    ("sentence", "visits"),
    {
        "esketamine 84 mg nasal weekly for 4 weeks": [0, 168, 336, 504],
        "esketamine 84 mg nasal weekly for 4 weeks, missing doses 1 and 3": [168, 504],
        "racemic 50 mg oral daily for 8 days, missing dose 4": [0, 96, 168],  # at most one visit in three days
        "racemic 50 mg oral daily for 8 days, missing dose 2": [0, 72, 144],
    }.items(),
)
def test_a_missed_dose_is_no_visit(sentence, visits):
    given = dose_events(Regimen.parse(sentence), TABLE, {}, 700.0)
    assert [e.time for e in given if e.compartment == "expectancy.belief"] == visits


def test_a_missed_operation_does_not_overlap_with_another():
    given = dose_events(
        Regimen.parse("surgery over 2 h daily for 2 days missing dose 2; surgery on day 2"), TABLE, {}, 99.0
    )
    assert sorted({e.time for e in given}) == [0.0, 24.0]


def test_a_dose_missed_by_chance_is_no_visit_of_that_patient():
    """Daily tablets: the next dose that a patient takes three days after a visit, or later, is the next visit."""
    plan = Regimen.parse("racemic 50 mg oral daily for 20 days, missing 60 %")
    took = adherence(plan, 480.0, 1, range(30), 0)
    given = dose_events(plan, TABLE, {}, 480.0, lambda i, k: took[i, k])
    found = {e.time: e.amount for e in given if e.compartment == "expectancy.belief"}
    for patient in range(30):
        visits = []
        for day in range(20):
            if took[0, day][patient] and (not visits or day >= visits[-1] + 3):
                visits.append(day)
        assert [time / 24 for time, amount in found.items() if amount[patient]] == visits


def test_the_control_of_patients_whose_doses_differ_in_time_has_their_visits_only():
    apart = {"pharmacokinetics.spray_interval": np.array([0.05, 0.1])}
    given = dose_events(Regimen.parse("esketamine 84 mg nasal; general anaesthesia over 1 h"), TABLE, apart, 200.0)
    assert [e.compartment for e in control_events(given)] == [
        "sedation.anaesthetic", "sedation.anaesthetic", "expectancy.belief", "expectancy.anticipation",
    ]  # fmt: skip


def test_a_lag_delays_what_enters_but_not_the_visit():
    given = dose_events(Regimen.parse("racemic 0.5 mg/kg IV at 2 h lag 30 min"), TABLE, {}, 200.0)
    assert {e.time for e in given if e.compartment.endswith("central_s")} == {2.5}
    assert {e.time for e in given if e.compartment == "expectancy.belief"} == {2.0}


def test_dose_records_repeat_with_addl_and_ii():
    plan = regimen(DoseRecord(5.0, "racemic ketamine", 20.0, "mg", "IV", addl=3, ii=12.0, lag=0.25))
    given = dose_events(plan, TABLE, {}, 200.0)
    assert [e.time for e in given if e.compartment.endswith("central_s")] == [5.25, 17.25, 29.25, 41.25]


@pytest.mark.parametrize(
    "wrong",
    [{"addl": 2}, {"ss": True}, {"addl": -1, "ii": 12.0}, {"lag": -1.0}],
)
def test_senseless_records_are_refused(wrong):
    with pytest.raises(InputError):
        DoseRecord(0.0, "racemic ketamine", 20.0, "mg", "IV", **wrong).treatment()


def test_a_steady_state_repeats_itself(model):
    """Intravenous doses every 12 h: the amount before each dose no longer changes, and long dosing leads to it."""
    drug = ("person.weight", "pharmacokinetics")
    asked = Cohort(
        model, load_scenario("racemic 0.1 mg/kg IV every 12 h for 3 days at steady state", model.parameters),
        3, OUTPUTS, np.array([11.99, 23.99, 35.99]), vary=drug,
    )  # fmt: skip
    long = Cohort(
        model, load_scenario("racemic 0.1 mg/kg IV every 12 h for 80 days", model.parameters),
        3, OUTPUTS, np.array([79 * 24 + 11.99]), vary=drug,
    )  # fmt: skip
    steady, known = all_of(asked), all_of(long)
    assert (steady["solve_status"] == "ok").all()
    amounts = steady["pharmacokinetics.central_s"].values
    assert amounts == pytest.approx(np.repeat(known["pharmacokinetics.central_s"].values, 3, axis=1), rel=1e-4)


@pytest.mark.parametrize(
    "words", ["general anaesthesia over 2 h; racemic 0.5 mg/kg IV over 40 min", "racemic 3 mg/kg IV over 1 h"]
)
def test_no_patient_fails_where_couplings_between_areas_vanish(model, words):
    asked = Cohort(model, load_scenario(words, model.parameters), 400, ("cognition.rumination",), TIMES)
    found = all_of(asked)
    assert (found["solve_status"] == "ok").all()
    assert (found["cognition.rumination"] >= 0).all()


def test_a_patient_who_cannot_be_solved_is_distinguished(model):
    scenario = load_scenario("racemic 0.5 mg/kg IV over 40 min", model.parameters)
    asked = Cohort(model, scenario, 3, OUTPUTS, TIMES, tolerance=1e-13)
    object.__setattr__(asked, "tolerance", 2e-14)
    found = all_of(asked)
    failed = found["solve_status"].values != "ok"
    assert np.isnan(found["mood.madrs"].values[failed]).all()
    assert np.isfinite(found["mood.madrs"].values[~failed]).all()


@pytest.mark.parametrize("wrong", [{"patients": 0}, {"chunk": 0}])
def test_invalid_cohorts_are_refused(model, wrong):
    with pytest.raises(InputError):
        cohort(model, **wrong)


def test_no_draw_fails_in_silence(model):
    """Every patient ends with finite numbers, or with NaN and a reason."""
    asked = cohort(model, "racemic 0.5 mg/kg IV over 40 min", patients=4000, threads=2)
    for part in asked.chunks():
        ok = part["solve_status"].values == "ok"
        assert ok.mean() > 0.999
        for name in OUTPUTS:
            assert (np.isfinite(part[name].values).all(axis=1) == ok).all()


def test_a_thousand_random_patients_are_accurate_at_the_default_tolerance(model):
    """Largest difference from tolerance 1e-9 over all outputs, in units of each output's largest value: below 1e-4,
    but for the few patients close to a second steady state, whose error is below 2e-3.

    (Of 300 such patients none differs by more than 3e-6 between tolerances of 1e-8 and 1e-10.)
    """
    names, times = model.layout.output_names, np.array([0.5, 1.0, 2.0, 4.0, 24.0, 72.0, 168.0, 336.0, 672.0])
    scenario = load_scenario("esketamine 84 mg nasal twice weekly for 4 weeks", model.parameters)
    usual = Cohort(model, scenario, 1000, names, times, threads=2)
    exact = Cohort(model, scenario, 1000, names, times, threads=2, tolerance=1e-9)
    for found, known in zip(usual.chunks(), exact.chunks(), strict=True):
        errors = np.max(
            [
                np.abs(found[name].values - known[name].values).max(axis=1) / (np.abs(known[name].values).max() + 1e-9)
                for name in names
            ],
            axis=0,
        )
        assert np.mean(errors < 1e-4) >= 0.995
        assert errors.max() < 2e-3


def test_a_scenario_at_steady_state_starts_there(model):
    """The typical person: before each dose the amount is the same, with the control still drug-free."""
    words = "racemic 0.1 mg/kg IV every 12 h for 3 days at steady state"
    curves = simulate(words, model=model)
    before = [curves["pharmacokinetics.central_s"].sel(time=t - 1e-3, method="nearest").values for t in (12.0, 24.0)]
    assert before[0][0] > 0
    assert before[0] == pytest.approx(before[1], rel=1e-3)
    assert (curves["pharmacokinetics.central_s"].sel(patient="control") == 0).all()


def test_what_does_not_start_at_steady_state_had_not_been_given_before(model):
    """As records of NONMEM: SS for one drug, a single dose of another later; until then the two courses are one."""
    steady = "racemic 0.1 mg/kg IV every 12 h for 3 days at steady state"
    alone, both = (simulate(words, model=model) for words in (steady, f"{steady}; midazolam 2 mg IV at 24 h"))
    for name in ("pharmacokinetics.central_s", "mood.madrs"):
        start = [curves[name].values[0, 0] for curves in (alone, both)]
        assert start[0] == start[1]
    given = both["other_treatments.midazolam"].sel(patient="treated")
    assert (given.where(given.time < 24, 0) == 0).all()
    assert given.max() > 0


def test_two_frequencies_at_steady_state_are_refused(model):
    words = "racemic 0.1 mg/kg IV every 12 h at steady state; racemic 50 mg oral daily at steady state"
    with pytest.raises(InputError, match="in another frequency"):
        load_scenario(words, model.parameters)


def test_one_who_weighs_little_does_not_stop_the_others(model):
    """84 mg is too much per kilogram for a few of those drawn about 20 kg; the typical person has been asked."""
    table = model.parameters.with_values({"person.weight": "20 kg"})
    plan = Regimen.parse("esketamine 84 mg nasal")
    person = {"person.weight": table["person.weight"].canonical * np.array([0.5, 1.0, 1.5])}
    assert len(dose_events(plan, table, person, 100.0)) > 3
    with pytest.raises(InputError, match="above the limit"):
        dose_events(plan, table, {"person.weight": 10.0}, 100.0)


def test_looking_longer_or_another_treatment_changes_no_missed_dose():
    alone = adherence(Regimen.parse("racemic 50 mg oral daily missing 30 %"), 240.0, 1, range(50), 0)
    words = "racemic 50 mg oral daily missing 30 %; midazolam 2 mg IV daily missing 20 %"
    longer = adherence(Regimen.parse(words), 480.0, 1, range(50), 0)
    assert len(longer) == 40
    assert all((longer[place] == took).all() for place, took in alone.items())
    assert any((longer[0, k] != longer[1, k]).any() for k in range(20))


def test_doses_go_on_for_as_long_as_is_looked(model):
    """Daily doses without an end, looked at beyond the usual four weeks: the level before each dose stays up."""
    asked = cohort(model, "racemic 50 mg oral daily", patients=2)
    late = Cohort(model, asked.scenario, 2, ("plasma.s_norketamine",), np.array([20 * 24.0, 60 * 24.0]))
    found = late.solve_patients(range(2))["plasma.s_norketamine"].values
    assert found[:, 1] == pytest.approx(found[:, 0], rel=0.05)


@pytest.mark.parametrize("starts", [None, (8, 16)], ids=["whole", "resumed"])
def test_progress_counts_the_patients_of_all_chunks(model, starts):
    told = []
    parts = list(cohort(model, patients=20, chunk=8, threads=2).chunks(told.append, starts))
    assert sum(part.sizes["patient"] for part in parts) == (12 if starts else 20)
    assert told == sorted(told)
    assert told[-1] == 20
    assert starts is None or told[0] > 8


def test_many_outputs_at_many_times_make_smaller_chunks(model):
    few = cohort(model, patients=5000)
    many = Cohort(model, few.scenario, 5000, model.layout.output_names, np.linspace(0, 672, 2000))
    assert few.chunk_size == 2048
    assert many.chunk_size * len(many.outputs) * 2000 * 8 <= 2**26
    assert many.chunk_size >= 1


def test_a_note_names_the_randomness_that_the_typical_patient_lacks(model):
    notes = load_scenario("esketamine 84 mg nasal weekly, missing 10 %", model.parameters).assumptions
    assert any("misses no dose at random" in note for note in notes)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("racemic 0.5 mg/kg IM", "pharmacokinetics.intramuscular_f"),
        ("esketamine 84 mg nasal", "pharmacokinetics.nasal_f_first"),
        ("racemic 0.5 mg/kg IV", "person.weight"),
    ],
)
def test_what_only_decides_on_doses_differs_between_patients_too(model, words, name):
    found = (
        cohort(model, words, patients=6, vary=(name,))
        .solve_patients(range(6))["pharmacokinetics.central_s"]
        .values[:, 1]
    )
    assert len(set(found)) == 6


def test_a_set_value_with_a_uniform_spread_stays_and_one_with_a_middle_moves_it():
    table = TABLE.with_values({"person.weight": "50 kg", "person.stress": 0.0})
    found = draw_parameters(table, ("person.weight", "person.stress"), 1, range(2000))
    assert np.median(found[:, 0]) == pytest.approx(50, rel=0.03)
    assert (found[:, 1] == 0).all()


def test_a_dose_is_missed_only_below_the_probability_of_missing_it(monkeypatch):
    """Uniform numbers lie in [0, 1), so that a dose is taken at exactly the probability of missing it."""

    class Uniform:
        def __init__(self, value):
            self.value = value

        def random(self, count):
            return np.full(count, self.value)

    values = (0.0, 0.2499, 0.25, 0.2501)
    monkeypatch.setattr("ketamech.population.random_draws.patient_streams", lambda *_, **__: map(Uniform, values))
    taken = adherence(Regimen.parse("racemic 50 mg oral daily for 3 days missing 25 %"), 72.0, 1, range(4), 0)
    assert [column.tolist() for column in taken.values()] == [[0, 0, 1, 1]] * 3
