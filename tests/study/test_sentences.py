"""Regimens in words: what they mean, and that every regimen survives being written and read."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketamech.core import BadInput
from ketamech.parameters import load_parameters
from ketamech.study import Phase, Regimen, Treatment, sentence_entries

TABLE = load_parameters()
MG = 1000 / 237.73


def total(sentence, horizon=672.0, **values):
    return {e.state: e for e in sentence_entries(sentence, TABLE, values, horizon)}


def test_a_racemic_infusion_is_half_s_and_half_r():
    given_ = total("racemic 0.5 mg/kg IV over 40 min")
    s, r = given_["pharmacokinetics.central_s"], given_["pharmacokinetics.central_r"]
    assert s.amount == pytest.approx(17.5 * MG)
    assert r.amount == pytest.approx(s.amount)
    assert s.duration == pytest.approx(2 / 3)


def test_weight_scales_a_dose_per_kilogram():
    heavy = total("racemic 0.5 mg/kg IV over 40 min", **{"person.weight": 140.0})
    assert heavy["pharmacokinetics.central_s"].amount == pytest.approx(35 * MG)


def test_a_nasal_dose_is_split_between_nose_and_gut_and_nothing_is_lost():
    entries = sentence_entries("esketamine 84 mg nasal", TABLE, {}, 24.0)
    nose = [e for e in entries if e.state.endswith("nose_s")]
    gut = [e for e in entries if e.state.endswith("gut_s")]
    assert [e.time for e in nose] == pytest.approx([0, 5 / 60, 10 / 60])
    assert sum(e.amount for e in nose) == pytest.approx(0.54 * (1 + 2 * 0.62) / 3 * 84 * MG)
    assert sum(e.amount for e in (*nose, *gut)) == pytest.approx(84 * MG)


def test_the_salt_is_named_and_weighed():
    base, salt = total("esketamine 28 mg IV"), total("esketamine 32.3 mg as hydrochloride IV")
    where = "pharmacokinetics.central_s"
    assert salt[where].amount == pytest.approx(base[where].amount, rel=1e-3)


def test_twice_weekly_means_days_1_and_4():
    regimen = Regimen.parse("esketamine 84 mg nasal twice weekly for 2 weeks, then weekly for 2 weeks")
    assert regimen.treatments[0].starts(9999.0) == pytest.approx([0, 72, 168, 240, 336, 504])


def test_a_rate_per_minute_becomes_a_rate_per_hour():
    assert total("racemic 10 ug/kg/min IV for 2 h")["pharmacokinetics.central_s"].amount == pytest.approx(42 * MG)


def test_daily_tablets_are_not_daily_hopes():
    hopes = [e for e in sentence_entries("antidepressant daily for 2 weeks", TABLE, {}, 672.0) if "belief" in e.state]
    assert [e.time for e in hopes] == [0, 72, 144, 216, 288]


REFUSED = {
    "racemic -1 mg/kg IV": "positive",
    "racemic 0 mg IV": "positive",
    "racemic 5000 mg IV": "no one is given that",
    "esketamin 84 mg nasal": "nearest: esketamine",
    "esketamine 84 mg rectal": "rectal",
    "racemic 25 mg nasal": "devices",
    "racemic 0.5 mg/kg": "route",
    "racemic IV": "no dose",
    "racemic 0.5 furlongs IV": "no dose",
    "esketamine 84 mg nasal sometimes": "sometimes",
    "esketamine 84 mg nasal for 4 weeks": "how often",
    "racemic 0.5 mg/kg/h IV": "duration",
    "racemic 50 mg oral over 2 h": "infusion by route oral",
    "TMS 9 times a week": "1 to 7",
    "racemic 1 mg/kg IV over 2 h; racemic 1 mg/kg IV over 2 h at 1 h": "overlap",
    "": "empty",
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_a_bad_sentence_says_what_is_wrong(sentence):
    with pytest.raises(BadInput) as refused:
        sentence_entries(sentence, TABLE, {}, 672.0)
    assert REFUSED[sentence] in str(refused.value)


hours = st.floats(0.01, 100, allow_nan=False).map(lambda x: round(x, 4))
phases = st.builds(Phase, every=hours, times_a_week=st.none(), length=hours) | st.builds(
    Phase, every=st.none(), times_a_week=st.integers(1, 7), length=hours
)
treatments = st.one_of(
    st.builds(
        Treatment,
        drug=st.sampled_from(["racemic ketamine", "esketamine", "arketamine"]),
        amount=st.floats(0.001, 50).map(lambda x: round(x, 5)),
        unit=st.sampled_from(["mg", "mg/kg", "ug/kg"]),
        route=st.just("IV"),
        duration=st.just(0.0) | hours,
        start=st.just(0.0) | hours,
        phases=st.lists(phases, max_size=3).map(tuple),
        salt=st.sampled_from(["base", "hydrochloride"]),
    ),
    st.builds(
        Treatment,
        drug=st.sampled_from(["ECT", "TMS", "psychotherapy", "antidepressant"]),
        start=st.just(0.0) | hours,
        phases=st.lists(phases, max_size=3).map(tuple),
    ),
)


@given(st.lists(treatments, min_size=1, max_size=3).map(lambda found: Regimen(tuple(found))))
def test_every_regimen_survives_being_written_and_read(regimen):
    assert Regimen.parse(regimen.sentence()) == regimen


@given(st.text(max_size=60))
def test_any_text_is_a_regimen_or_a_clear_error(text):
    with contextlib.suppress(BadInput):
        Regimen.parse(text)
