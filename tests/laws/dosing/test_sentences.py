"""Regimens in words: what they mean, and that every regimen survives being written and read."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dose_sentences import dose_events_from_text
from ketamech.core import InputError
from ketamech.dosing.drugs import COLUMNS, load_drugs
from ketamech.dosing.lexicon import MAX_TEXT_LENGTH
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.regimen_reader import read_treatments
from ketamech.dosing.treatment import Phase, Treatment
from ketamech.parameters import load_parameters
from molar_masses import KETAMINE

TABLE = load_parameters()
MG = 1000 / KETAMINE


def total(sentence, horizon=672.0, **values):
    return {e.compartment: e for e in dose_events_from_text(sentence, TABLE, values, horizon)}


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
    entries = dose_events_from_text("esketamine 84 mg nasal", TABLE, {}, 24.0)
    nose = [e for e in entries if e.compartment.endswith("nose_s")]
    gut = [e for e in entries if e.compartment.endswith("gut_s")]
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


def test_every_way_of_writing_a_number_means_the_same_number():
    """A missing zero before the point must not make a dose ten times too large."""
    written = ["0.5", ".5", "5e-1", "0.50", "5.e-1"]
    found = [total(f"racemic {number} mg/kg IV")["pharmacokinetics.central_s"].amount for number in written]
    assert found == pytest.approx([17.5 * MG] * len(written))


SAME = {
    "oral racemic 50 mg daily for 4 weeks": "ketamine 50 mg po every 24 h for 28 days",
    "esketamine 22 mg/h IV for 100 h": "esketamine 2200 mg IV over 100 h",
    "ECT twice weekly for 4 weeks": "electroconvulsive therapy 2 times a week for 28 days",
    "citalopram daily for 6 weeks": "antidepressant every 24 h for 42 days",
    "racemic 0.5 mg/kg IM on day 3": "Ketalar 500 ug/kg intramuscular at 48 h",
    "racemic 35 mg IV; psychotherapy weekly for 12 weeks": "racemic 35 mg IV plus CBT weekly for 84 days",
    "esketamine hydrochloride 32.3 mg nasal": "spravato 32.3 mg intranasal as HCl",
}


@pytest.mark.parametrize("sentence", SAME)
def test_two_ways_to_say_one_thing(sentence):
    one, other = (dose_events_from_text(words, TABLE, {}, 2000.0) for words in (sentence, SAME[sentence]))
    assert [(e.compartment, e.time) for e in one] == [(e.compartment, pytest.approx(e.time)) for e in other]
    assert [e.amount for e in one] == pytest.approx([e.amount for e in other])
    assert [e.duration for e in one] == pytest.approx([e.duration for e in other])


ROUTES = {
    "IM": {"muscle": "intramuscular_f"},
    "SC": {"skin": "intramuscular_f"},
    "oral": {"gut": None},
    "IV": {"central": None},
}


@pytest.mark.parametrize("route", ROUTES)
def test_each_route_enters_its_own_place(route):
    found = total(f"arketamine 100 mg {route}")
    for site, fraction in ROUTES[route].items():
        share = TABLE[f"pharmacokinetics.{fraction}"].canonical if fraction else 1.0
        assert found[f"pharmacokinetics.{site}_r"].amount == pytest.approx(share * 100 * MG)
    assert {name for name in found if name.startswith("pharmacokinetics.")} == {
        f"pharmacokinetics.{site}_r" for site in ROUTES[route]
    }


def test_under_the_tongue_nothing_is_lost():
    found = total("esketamine 100 mg sublingual")
    mouth, gut = found["pharmacokinetics.mouth_s"].amount, found["pharmacokinetics.gut_s"].amount
    assert mouth + gut == pytest.approx(100 * MG)
    assert mouth / (mouth + gut) == pytest.approx(TABLE["pharmacokinetics.sublingual_f"].canonical)


def test_in_japanese_people_more_of_a_spray_is_absorbed_and_nothing_is_lost():
    def nose(**values):
        entries = dose_events_from_text("esketamine 28 mg nasal", TABLE, values, 24.0)
        assert sum(e.amount for e in entries if e.compartment.startswith("pharma")) == pytest.approx(28 * MG)
        return sum(e.amount for e in entries if "nose" in e.compartment)

    published = TABLE["pharmacokinetics.nasal_f_japanese_ratio"].canonical
    assert nose(**{"person.japanese": 1.0}) / nose() == pytest.approx(published)


def test_a_rate_per_minute_becomes_a_rate_per_hour():
    assert total("racemic 10 ug/kg/min IV for 2 h")["pharmacokinetics.central_s"].amount == pytest.approx(42 * MG)


def test_a_racemic_spray_has_the_share_that_the_user_states():
    for share in (TABLE["pharmacokinetics.racemic_nasal_f"].canonical, 0.6):
        values = {"pharmacokinetics.racemic_nasal_f": share}
        events = dose_events_from_text("racemic 30 mg nasal", TABLE, values, 24.0)
        entered = {e.compartment: e.amount for e in events if e.compartment.startswith("pharmacokinetics.")}
        for enantiomer in "sr":
            nose, gut = (entered[f"pharmacokinetics.{site}_{enantiomer}"] for site in ("racemic_nose", "gut"))
            assert nose == pytest.approx(share * 15 * MG)
            swallowed = TABLE["pharmacokinetics.racemic_nasal_swallowed_share"].canonical
            assert gut == pytest.approx(swallowed * (1 - share) * 15 * MG)


def test_daily_tablets_are_not_daily_hopes():
    hopes = [
        e
        for e in dose_events_from_text("antidepressant daily for 2 weeks", TABLE, {}, 672.0)
        if "belief" in e.compartment
    ]
    assert [e.time for e in hopes] == [0, 72, 144, 216, 288]


REFUSED = {
    "racemic -1 mg/kg IV": "positive",
    "racemic 0 mg IV": "positive",
    "racemic 5000 mg IV": "above the limit",
    "esketamin 84 mg nasal": "nearest: esketamine",
    "esketamine 84 mg buccal": "cannot be given by route 'buccal'",
    "arketamine 25 mg nasal": "cannot be given by route 'nasal'",
    "racemic 0.5 mg/kg": "route",
    "racemic IV": "no dose",
    "racemic 0.5 furlongs IV": "no dose",
    "esketamine 84 mg nasal sometimes": "sometimes",
    "esketamine 84 mg nasal for 4 weeks": "no dosing frequency",
    "racemic 0.5 mg/kg/h IV": "duration",
    "racemic 50 mg oral over 2 h": "infusion by route oral",
    "TMS 9 times a week": "1 to 7",
    "surgery over 2 h; surgery over 2 h at 1 h": "overlap",
    "": "empty",
    "racemic 1,000 mg IV": "more than one way",
    "racemic 1.000.000 mg IV": "more than one way",
    "racemic 1e400 mg IV": "positive",
    "racemic 35 mg IV over 1e400 min": "2 years",
    "racemic 35 mg IV over -3 h": "a time of -3 h",
    "racemic 35 mg IV at day -1": "day 1",
    "racemic 35 mg IV at day 900": "2 years",
    "racemic 35 mg IV every 0 h": "frequency",
    "racemic 35 mg IV for 1 h daily": "over 1 h daily",
    "racemic 35 mg IV daily for 0 weeks": "shorter",
    "racemic 35 mg IV daily for 1e400 weeks": "frequency",
    "esketamine 84 mg nasal twice weekly, then weekly for 4 weeks": "has no duration",
    "esketamine 840 mg nasal": "at most 5 mg/kg an hour for esketamine nasal",
    "midazolam 5 mg/kg IV": "at most 1 mg/kg",
    "memantine 200 mg oral": "at most 2 mg/kg",
    "fluoxetine 20 mg daily for 6 weeks": "counted in treatments, not in mg",
    "racemic 1 mg IV every 10 min for 20 days; esketamine 1 mg IV every 10 min for 20 days": "5000 doses",
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_a_bad_sentence_says_what_is_wrong(sentence):
    with pytest.raises(InputError) as refused:
        dose_events_from_text(sentence, TABLE, {}, 672.0)
    assert REFUSED[sentence] in str(refused.value)


hours = st.floats(0.01, 100, allow_nan=False).map(lambda x: round(x, 4))
phases = st.builds(lambda gap, more: Phase(interval=gap, duration=gap + more), hours, hours) | st.builds(
    Phase, interval=st.none(), times_a_week=st.integers(1, 7), duration=hours.map(lambda more: 168 + more)
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
        schedule=st.lists(phases, max_size=3).map(tuple),
        salt=st.sampled_from(["base", "hydrochloride"]),
        lag=st.just(0.0) | st.floats(0.01, 24),
        miss_probability=st.just(0.0) | st.floats(0.001, 0.999).map(lambda share: round(share, 12)),
    ),
    st.builds(
        Treatment,
        drug=st.sampled_from(["ECT", "TMS", "psychotherapy", "antidepressant"]),
        start=st.just(0.0) | hours,
        schedule=st.lists(phases, max_size=3).map(tuple),
    ),
)


@given(st.lists(treatments, min_size=1, max_size=3).map(lambda found: Regimen(tuple(found))))
def test_every_regimen_survives_being_written_and_read(regimen):
    """A text of more than the bound is read one treatment at a time, as a scenario file lists them."""
    text = regimen.sentence()
    texts = [text] if len(text) <= MAX_TEXT_LENGTH else regimen.sentences()
    assert Regimen(tuple(one for each in texts for one in Regimen.parse(each).treatments)) == regimen


@given(st.text(max_size=60))
def test_any_text_is_a_regimen_or_a_clear_error(text):
    with contextlib.suppress(InputError):
        Regimen.parse(text)


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("routes", "buccal", "no route 'buccal'"),
        ("class", "opioid", "'opioid' is unknown"),
        ("is_session", "maybe", "'maybe' is unknown"),
    ],
)
def test_a_bad_table_of_drugs_names_line_and_column(tmp_path, column, cell, said):
    cells = dict.fromkeys(COLUMNS, "") | {"drug": "x", "class": "treatment", "routes": "IV", column: cell}
    cells |= {
        name: cells[name] or "no" for name in ("is_session", "infused_session", "carries_expectancy", "is_procedure")
    }
    file = tmp_path / "drugs.csv"
    file.write_text(f"{','.join(COLUMNS)}\n{','.join(cells.values())}\n")
    with pytest.raises(InputError, match=rf"drugs.csv:2: .*{said}(.|\n)*column '{column}'"):
        load_drugs(file)


def test_every_drug_names_parameters_and_states_that_exist(model):
    for drug in load_drugs():
        named = [drug.molar_mass, drug.maintenance_elimination, drug.dose, *drug.max_dose_parameters.values()]
        assert {name for name in named if name and " " not in name} <= set(TABLE)
        assert drug.compartment in (None, *model.layout.state_names)


@pytest.mark.parametrize(
    "words",
    [
        "prolonged release", "extended-release tablets", "oral controlled-release tablet", "ER tablet orally",
        "PR tablet", "by mouth as a slow-release tablet", "modified release oral", "sustained-release",
    ],
)  # fmt: skip
def test_a_tablet_that_releases_its_drug_slowly_may_be_named_as_clinicians_do(words):
    (treatment,) = read_treatments(f"racemic 120 mg {words} every 12 h for 3 days")
    assert treatment.route == "prolonged release"
    assert not treatment.is_procedure
    assert len(treatment.starts(100)) == 6
    (event,) = (e for e in _kinetic_events(f"esketamine 120 mg {words}") if e.compartment.endswith("gut_s"))
    assert event.duration == TABLE["pharmacokinetics.prolonged_release_duration"].canonical
    assert event.amount == pytest.approx(120 * MG)


def test_the_release_time_of_a_product_may_be_stated():
    (event,) = _kinetic_events("esketamine 40 mg prolonged release over 6 h")
    assert event.duration == 6
    with pytest.raises(InputError, match="infusion by route oral"):
        read_treatments("esketamine 40 mg oral over 6 h")


@pytest.mark.parametrize("words", ["rectal", "rectally", "suppository", "as a suppository", "per rectum"])
def test_a_suppository_is_absorbed_in_part_by_the_rectum(words):
    share = TABLE["pharmacokinetics.rectal_f"].canonical
    entered = {e.compartment: e.amount for e in _kinetic_events(f"esketamine 50 mg {words}")}
    assert entered["pharmacokinetics.rectum_s"] == pytest.approx(share * 50 * MG)
    assert sum(entered.values()) == pytest.approx(50 * MG)


@pytest.mark.parametrize("words", ["nasal drops", "nose drops", "intranasal drops", "nasal solution"])
def test_drops_of_esketamine_are_no_devices(words):
    drops, racemic = _kinetic_events(f"esketamine 84 mg {words}"), _kinetic_events("racemic 168 mg nasal")
    assert {e.compartment for e in drops} == {"pharmacokinetics.racemic_nose_s", "pharmacokinetics.gut_s"}
    assert [(e.amount, e.time) for e in drops] == [(e.amount, e.time) for e in racemic if e.compartment[-1] == "s"]


def _kinetic_events(sentence):
    events = dose_events_from_text(sentence, TABLE, {}, 24.0)
    return [e for e in events if e.compartment.startswith("pharmacokinetics.")]


@pytest.mark.parametrize(
    "words", ["placebo tablet", "placebo tablets", "Placebo pill", "placebo capsules", "placebo oral"]
)
def test_a_placebo_that_is_swallowed_is_no_procedure(words):
    """A tablet raises expectancy over weeks, an infusion or a spray at once."""
    (treatment,) = Regimen.parse(f"{words} daily for 6 weeks").treatments
    assert (treatment.drug, treatment.route, treatment.is_procedure) == ("placebo", "oral", False)
    (infusion,) = Regimen.parse("placebo IV").treatments
    assert infusion.is_procedure
