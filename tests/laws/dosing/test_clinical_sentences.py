"""What clinicians write, and how it is understood: each sentence of the left is the regimen at the right."""

import sys
from collections import Counter

import pytest

from ketamech import simulate
from ketamech.core import InputError
from ketamech.core.units import DAY, MONTH, WEEK, YEAR
from ketamech.dosing.dose_events import dose_events
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.regimen_reader import read_treatments
from ketamech.simulation.load_scenario import load_scenario

INFUSION = "racemic ketamine 0.5 mg/kg IV over 40 min"
UNDERSTOOD = {
    # how much, by which route, over how long
    "IV ketamine 0.5mg/kg over 40 minutes": INFUSION,
    "ketamine 0.5 mg/kg i.v. over 40 min": INFUSION,
    "ketamine 0.5 mg/kg iv 40min": INFUSION,
    "ketamine 0.5 mg/kg IV for 40 min": INFUSION,
    "ketamine 0.5 mg/kg as a 40-minute IV infusion": INFUSION,
    "a single 40-min infusion of ketamine 0.5 mg/kg IV": INFUSION,
    "(R,S)-ketamine 0.5 mg/kg IV over 40 min": INFUSION,
    "KETAMINE 0.5 MG/KG IV OVER 40 MIN.": INFUSION,
    "ketamine 0.5 mg per kg IV over 40 min": INFUSION,
    "ketamine 0,5 mg/kg IV over 40 min": INFUSION,
    "ketamine 0.5 mg/kg IV over forty minutes": INFUSION,
    "ketamine 0.5 mg/kg IV over 40 min on day 0": INFUSION,
    "ketamine 0.5 mg/kg IV over 40 min on day 1": INFUSION,
    "ketamine 0.5 mg/kg IV over 1 h 30 min": "racemic ketamine 0.5 mg/kg IV over 1.5 h",
    "ketamine 0.5 mg/kg IV over 1,5 h": "racemic ketamine 0.5 mg/kg IV over 1.5 h",
    "ketamine 0.5 mg/kg IV over half an hour": "racemic ketamine 0.5 mg/kg IV over 30 min",
    "ketamine 0.5 mg/kg IV over an hour": "racemic ketamine 0.5 mg/kg IV over 1 h",
    "ketamine 0.5 mg/kg/hour IV for 4 h": "racemic ketamine 0.5 mg/kg/h IV over 4 h",
    "ketamine 10 mcg/kg/min IV for 2 h": "racemic ketamine 600 ug/kg/h IV over 2 h",
    "30 mg/kg racemic IV over 1 h": "racemic ketamine 30 mg/kg IV over 1 h",
    # an infusion or a rate without a route
    "ketamine 0.5 mg/kg/h for 4 h": "racemic ketamine 0.5 mg/kg/h IV over 4 h",
    "ketamine 0.5 mg/kg as a 40-min infusion": INFUSION,
    "ketamine 0.5 mg/kg over 40 min twice weekly": f"{INFUSION} twice weekly",
    "ketamine 0.1 mg/kg/h continuously": "racemic ketamine 0.1 mg/kg/h IV continuously",
    "ketamine 10 mg/h for 2 h, then 20 mg/h for 2 h": (
        "racemic ketamine 10 mg/h IV over 2 h; racemic ketamine 20 mg/h IV over 2 h at 2 h"
    ),
    "ketamine 0.5 mg/kg over 40 min weekly for 2 weeks, then 100 mg oral daily for 2 weeks": (
        f"{INFUSION} weekly for 2 weeks; racemic ketamine 100 mg oral from day 15 daily for 2 weeks"
    ),
    "midazolam 0.045 mg/kg over 40 min": "midazolam 0.045 mg/kg IV over 40 min",
    "placebo over 40 min": "placebo over 40 min",
    "ketamine 1 mg/kg s.c.": "racemic ketamine 1 mg/kg SC",
    "ketamine 100 mg SL": "racemic ketamine 100 mg sublingual",
    "ketamine 100 mg by mouth": "racemic ketamine 100 mg oral",
    "S-ketamine hydrochloride 32.3 mg intranasally": "esketamine 32.3 mg as hydrochloride nasal",
    "Spravato (esketamine) 84 mg": "esketamine 84 mg nasal",
    "Ketalar 2 mg/kg IV bolus": "racemic ketamine 2 mg/kg IV",
    # how often
    "Spravato 84 mg twice weekly": "esketamine 84 mg nasal twice weekly",
    "ketamine 50 mg BID oral": "racemic ketamine 50 mg oral twice daily",
    "ketamine 50 mg p.o. b.i.d.": "racemic ketamine 50 mg oral twice daily",
    "ketamine 50 mg oral TID for 1 week": "racemic ketamine 50 mg oral every 8 h for 1 week",
    "ketamine 50 mg oral QD x 5 days": "racemic ketamine 50 mg oral daily for 5 days",
    "ketamine 50 mg oral QOD": "racemic ketamine 50 mg oral every 2 days",
    "ketamine 50 mg oral every other day": "racemic ketamine 50 mg oral every 2 days",
    "ketamine 50 mg oral on alternate days": "racemic ketamine 50 mg oral every 2 days",
    "ketamine 50 mg oral q12h": "racemic ketamine 50 mg oral twice daily",
    "ketamine 50 mg oral 8 hourly": "racemic ketamine 50 mg oral every 8 h",
    "ketamine 100 mg SL every 3 days": "racemic ketamine 100 mg sublingual every 3 days",
    "ketamine 0.5 mg/kg IV over 40 min q3d": f"{INFUSION} every 3 days",
    "ketamine 0.5 mg/kg IV over 40 min q.3.d.": f"{INFUSION} every 3 days",
    "ketamine 0.5 mg/kg IV over 40 min every third day": f"{INFUSION} every 3 days",
    "ketamine 0.5 mg/kg IV over 40 min every 3rd day": f"{INFUSION} every 3 days",
    "ketamine 0.5 mg/kg IV over 40 min 4-weekly": f"{INFUSION} every 4 weeks",
    "ketamine 0.5 mg/kg IV over 40 min fortnightly": f"{INFUSION} every 2 weeks",
    "ketamine 0.5 mg/kg IV over 40 min once a week": f"{INFUSION} weekly",
    "ketamine 0.5 mg/kg IV over 40 min thrice weekly": f"{INFUSION} 3 times a week",
    "ketamine 0.5 mg/kg IV over 40 min two times per week": f"{INFUSION} twice weekly",
    "ketamine 20 mg IV every 12 h, 30 min infusion": "racemic ketamine 20 mg IV over 30 min twice daily",
    "TMS 5 days a week for 6 weeks": "TMS 5 times a week for 6 weeks",
    "ECT 3/week for 4 weeks": "ECT 3 times a week for 4 weeks",
    # for how long, how many
    "IV ketamine 0.5mg/kg over 40 minutes, 3x/week x 2 weeks": f"{INFUSION} 3 times a week for 2 weeks",
    "esketamine 84 mg nasal twice weekly for four weeks": "esketamine 84 mg nasal twice weekly for 4 weeks",
    "Spravato 84mg BIW x4w then QW": "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly",
    "Spravato 84mg BIW x 4 weeks followed by QW x 4 weeks": (
        "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly for 4 weeks"
    ),
    "ketamine 0.5 mg/kg IV over 40 min q12h for 3 doses": f"{INFUSION} twice daily for 36 h",
    "6 infusions of ketamine 0.5 mg/kg IV over 40 min, 3 times a week": f"{INFUSION} 3 times a week for 2 weeks",
    "ketamine 0.5 mg/kg IV over 40 min once monthly for 6 months": f"{INFUSION} monthly for 6 months",
    "esketamine 84 mg IN twice weekly for 4 weeks": "esketamine 84 mg nasal twice weekly for 4 weeks",
    "esketamine 84 mg i.n.": "esketamine 84 mg nasal",
    "esketamine 84 mg IN 2 times weekly": "esketamine 84 mg nasal twice weekly",
    "KETAMINE 0.5 MG/KG IV IN 40 MIN": INFUSION,
    "ketamine 0.5 mg/kg IVPB over 40 min": INFUSION,
    "ketamine 0.5 mg/kg IV over 40 min MWF for 2 weeks": f"{INFUSION} 3 times a week for 2 weeks",
    "ketamine 0.5 mg/kg IV over 40 min Mon/Wed/Fri x 2 weeks": f"{INFUSION} 3 times a week for 2 weeks",
    "ketamine 0.5 mg/kg IV over 40 min on weekdays for 2 weeks": f"{INFUSION} 5 times a week for 2 weeks",
    "ketamine 0.5 mg/kg IV over 40 min on Mondays and Thursdays": f"{INFUSION} twice weekly",
    "ketamine 0.5 mg/kg IV over 40 min, 2 doses one week apart": f"{INFUSION} every week for 2 weeks",
    "ketamine 0.5 mg/kg IV over 40 min, 3 doses, each 48 h apart": f"{INFUSION} every 2 days for 6 days",
    "ketamine 0.5 mg/kg IV over 40 min, 3 doses at intervals of 2 days": f"{INFUSION} every 2 days for 6 days",
    "ketamine 0.5 mg/kg IV over 40 min weekly x 4, skip dose 2": f"{INFUSION} weekly for 4 weeks, missing dose 2",
    # on which days
    "esketamine 56 mg IN day 1, day 4 and day 8": "esketamine 56 mg nasal on days 1, 4 and 8",
    "esketamine 56 mg intranasal on days 1, 4, 8": "esketamine 56 mg nasal on days 1, 4 and 8",
    "esketamine 56 mg nasal day 1, day 4 and day 8": "esketamine 56 mg nasal on days 1, 4 and 8",
    "esketamine 56 mg nasal on days 0, 3, and 7": "esketamine 56 mg nasal on days 1, 4 and 8",
    "esketamine 56 mg nasal at 0, 72 and 168 h": "esketamine 56 mg nasal on days 1, 4 and 8",
    "ketamine 0.2 mg/kg IM on days 1-5": "racemic ketamine 0.2 mg/kg IM on days 1 to 5",
    "ketamine 0.2 mg/kg IM at 3 h": "racemic ketamine 0.2 mg/kg IM at 3 h",
    "ketamine 0.2 mg/kg IM weekly starting on day 8": "racemic ketamine 0.2 mg/kg IM from day 8 weekly",
    "ketamine 0.2 mg/kg IM on day 0; TMS daily from day 7": "racemic ketamine 0.2 mg/kg IM; TMS from day 8 daily",
    # doses that change
    "esketamine 56 mg nasal day 1, then 84 mg nasal twice weekly for 4 weeks": (
        "esketamine 56 mg nasal; esketamine 84 mg nasal from day 4 twice weekly for 4 weeks"
    ),
    "Spravato 56 mg twice weekly for 4 weeks, then 84 mg weekly for 4 weeks": (
        "esketamine 56 mg nasal twice weekly for 4 weeks; esketamine 84 mg nasal from day 29 weekly for 4 weeks"
    ),
    "esketamine 22 mg/h IV over 4 h daily for 3 days, then weekly for 4 weeks": (
        "esketamine 22 mg/h IV over 4 h daily for 3 days, then weekly for 4 weeks"
    ),
    "esketamine 22 mg/h IV for 4 h daily for 3 days, then 44 mg/h weekly for 4 weeks": (
        "esketamine 22 mg/h IV over 4 h daily for 3 days; esketamine 44 mg/h IV over 4 h from day 4 weekly for 4 weeks"
    ),
    "ketamine 0.5 mg/kg IV for 40 min on day 1, then for 60 min on day 8": (
        f"{INFUSION}; racemic ketamine 0.5 mg/kg IV over 1 h on day 8"
    ),
    "ketamine 35 mg IV over 40 min weekly for 2 weeks, then weekly for 2 h for 4 weeks": (
        "racemic ketamine 35 mg IV over 40 min weekly for 2 weeks;"
        " racemic ketamine 35 mg IV over 2 h from day 15 weekly for 4 weeks"
    ),
    # infusions in steps, with a loading dose, without an end, beside another; by body surface; another route
    "racemic 10 mg/h IV for 2 h, then 20 mg/h for 2 h, then 5 mg/h for 1 h": (
        "racemic ketamine 10 mg/h IV over 2 h; racemic ketamine 20 mg/h IV over 2 h at 2 h;"
        " racemic ketamine 5 mg/h IV over 1 h at 4 h"
    ),
    "racemic 0.3 mg/kg IV bolus, then 0.1 mg/kg/h for 2 h": (
        "racemic ketamine 0.3 mg/kg IV; racemic ketamine 0.1 mg/kg/h IV over 2 h"
    ),
    "racemic 0.1 mg/kg/h IV until stopped": "racemic ketamine 0.1 mg/kg/h IV continuously",
    "ketamine 20 mg/m2 IV over 40 min": "racemic ketamine 20 mg/m^2 IV over 40 min",
    "ketamine 0.1 mg/m2/min IV for 2 h": "racemic ketamine 6 mg/m^2/h IV over 2 h",
    "ketamine 0.5 mg/kg IV over 40 min twice weekly for 2 weeks, then 100 mg oral daily for 2 weeks": (
        f"{INFUSION} twice weekly for 2 weeks; racemic ketamine 100 mg oral from day 15 daily for 2 weeks"
    ),
    # what is not taken
    "esketamine 84 mg nasal weekly for 8 weeks, missing doses 1,3, 5-7": (
        "esketamine 84 mg nasal weekly for 8 weeks, missing doses 1, 3 and 5 to 7"
    ),
    "racemic 50 mg oral daily for 4 weeks with a lag of 10 min": (
        "racemic ketamine 50 mg oral daily for 4 weeks, lag 10 min"
    ),
    "racemic 0.1 mg/kg IV every 12 h at steady-state": "racemic ketamine 0.1 mg/kg IV twice daily, at steady state",
}


@pytest.mark.parametrize("written", UNDERSTOOD)
def test_what_clinicians_write_is_understood(written):
    found = Regimen.parse(written)
    assert found.sentence() == UNDERSTOOD[written]
    assert Regimen.parse(found.sentence()) == found


REASON = "(IV, because an infusion was named)"


def test_the_reason_of_a_route_that_was_not_named_is_shown_with_each_dose_it_holds_for():
    found = Regimen.parse("ketamine 0.5 mg/kg over 40 min on day 1; ketamine 0.5 mg/kg IV over 40 min on day 4")
    assert found.sentences(exact=False) == (f"{INFUSION} {REASON}", f"{INFUSION} on day 4")
    stepped = Regimen.parse("ketamine 10 mg/h for 2 h, then 20 mg/h for 2 h, then 5 mg/h IV for 1 h")
    assert [text.endswith(REASON) for text in stepped.sentences(exact=False)] == [True, True, False]
    changed = Regimen.parse("ketamine 0.5 mg/kg over 40 min weekly for 2 weeks, then 100 mg oral daily for 1 week")
    assert [text.endswith(REASON) for text in changed.sentences(exact=False)] == [True, False]
    assert load_scenario("ketamine 0.5 mg/kg as a 40-min infusion").title == f"{INFUSION} {REASON}"


def test_body_surface_and_endless_infusions_in_numbers(model):
    """20 mg/m2 of 1.83 m2 at 70 kg, a third less at 37.5 kg; an endless infusion enters until the end of the run."""
    umol = 1e3 / (model.parameters["drug.ketamine_molar_mass"].canonical * 1e9)
    for weight, surface in ((70.0, 1.829), (37.5, 1.222)):
        regimen = Regimen.parse("esketamine 20 mg/m2 IV over 1 h")
        dose = dose_events(regimen, model.parameters, {"person.weight": weight}, 24.0)[0]
        assert dose.amount == pytest.approx(20 * surface * umol, rel=1e-3)
    regimen = Regimen.parse("esketamine 5 mg/h IV continuously")
    dose = dose_events(regimen, model.parameters, {}, 24.0)[0]
    assert dose.amount / dose.duration == pytest.approx(5 * umol, rel=1e-6)
    assert dose.duration > regimen.horizon() == 4 * WEEK


REFUSED = {
    "ketamine 50 mg oral 0 times a day": "'0 times a day' (character 21) is not a dosing frequency",
    "ketamine 50 mg oral 0.5 times a day": "'0.5 times a day'",
    "ketamine 50 mg oral 1.5 times a day": "'1.5 times a day'",
    "ketamine 0.5 mg/kg IV 1e400 times a week": "1 to 7 times a week",
    "ketamine 50 mg oral 1e400 times a day": "is not a dosing frequency",
    "ketamine 0.5 mg/kg IV over 40 min 3.9 times a week": "1 to 7 times a week, a whole number",
    "ketamine 0.5 mg/kg IV over 40 min 2.5 times a week": "'2.5 times a week' (character 35)",
    "ketamine 0.5 mg/kg IV over 40 min 4 weekly": "'4 times a week' or 'every 4 weeks'",
    "esketamine 84 mg nasal 2 weekly for 8 weeks": "can be read in two ways",
    "ketamine 50 mg oral 3 day": "'3 day' (character 21) is neither a duration nor a frequency",
    "ketamine 0.5 mg/kg IV over 40 min 2 week": "'2 week' (character 35)",
    "ketamine 50 mg oral 48 daily": "'48 times a day' or 'every 48 days'",
    "ketamine 0.5 mg/kg IV over 40 min weekly for 4 weeks missing doses 9": "doses from 1 to 4",
    "ketamine 35 mg IV missing dose 2": "doses from 1 to 1",
    "ketamine 35 mg IV weekly missing dose 1e400": "whole numbers from 1",
    "ketamine 35 mg IV weekly missing dose 0": "whole numbers from 1",
    "ketamine 35 mg IV weekly for 1e400 doses": "a whole number from 1",
    "ketamine 35 mg IV weekly for 2.5 doses": "a whole number from 1",
    "ketamine 35 mg IV on day 1e400": "2 years",
    "ketamine 50 mg/day oral": "'50 mg/day' (character 10) is no dose",
    "ketamine 0.5 mg/kg IV every 12 h 30 min": "can be read in two ways",
    "ketamine 0.5 mg/kg IV at 3 h 40 min": "can be read in two ways",
    "ketamine 0.5 mg/kg IV for 4 weeks": "no dosing frequency",
    "ketamine 0.5 mg/kg IV x 6": "no dosing frequency",
    "ketamine 0.5 mg/kg IV on days 1 and 4 weekly": "several times and a frequency",
    "esketamine 56 mg nasal, then 84 mg": "without a time",
    "esketamine 56 mg nasal weekly, then 84 mg weekly": "has no duration",
    "ketamine 35 mg IV weekly or every 2 weeks by remission": "trial files",
    "6 infusions of ketamine 35 mg IV weekly for 4 weeks": "'6 infusions' (character 1)",
    "esketamine 56 mg nasal on day 1, then 84 mg weekly for 4 weeks missing dose 2": "ambiguous",
    "esketamine 84 mg in twice weekly": "the route is 'nasal' or, in capitals, IN",
    "ketamine 35 mg IV on Tuesdays": "the first dose is on day 1, whatever the day of the week",
    "ketamine 35 mg IV 1 h 30 min apart": "can be read in two ways",
}


@pytest.mark.parametrize("written", REFUSED)
def test_what_cannot_be_meant_or_has_two_readings_is_refused(written):
    with pytest.raises(InputError) as refused:
        load_scenario(written)
    assert REFUSED[written] in str(refused.value)


def test_a_changed_dose_begins_when_the_next_one_is_due():
    first, then = Regimen.parse("esketamine 56 mg nasal day 1, then 84 mg nasal twice weekly for 4 weeks").treatments
    assert first.starts(YEAR) == [0.0]
    assert then.starts(YEAR) == [72, 144, 240, 312, 408, 480, 576, 648]


def test_a_count_of_doses_is_a_length_of_time():
    for words, count in (("twice weekly", 3), ("3 times a week", 7), ("q12h", 5), ("weekly", 6)):
        (found,) = Regimen.parse(f"ketamine 0.5 mg/kg IV {words} for {count} doses").treatments
        assert len(found.starts(YEAR)) == count


def test_a_title_and_what_is_given_are_in_the_words_of_the_program(model):
    typed = "ketamine 0.5mg/kg i.v. 40min BIW x2w with naltrexone at 0 h"
    scenario = load_scenario(typed, model.parameters)
    understood = f"{INFUSION} twice weekly for 2 weeks with naltrexone at 0 h"
    assert scenario.title == scenario.source == understood
    assert load_scenario(scenario.source, model.parameters).regimen == scenario.regimen


def test_a_file_may_count_its_days_from_zero(tmp_path):
    path = tmp_path / "days.yaml"
    path.write_text("treatments:\n  - ketamine 35 mg IV on day 0\n  - ketamine 35 mg IV on day 7\n", encoding="utf-8")
    assert [one.start for one in load_scenario(path).regimen.treatments] == [0.0, WEEK]


@pytest.mark.parametrize(("text", "hours"), {"1 year": YEAR, "2 years": 2 * YEAR, "3 months": 3 * MONTH}.items())
def test_a_horizon_may_be_years_or_months(tmp_path, text, hours):
    path = tmp_path / "long.yaml"
    path.write_text(f"treatments:\n  - racemic 35 mg IV over 40 min\nhorizon: {text}\n", encoding="utf-8")
    assert load_scenario(path).horizon == hours


def test_a_spelled_out_dose_takes_the_same_words(tmp_path):
    path = tmp_path / "spelled.yaml"
    path.write_text(
        "treatments:\n"
        "  - {drug: Spravato, dose: 84mg, schedule: BIW x4w then QW}\n"
        "  - {drug: ketamine, dose: '0,5 mg/kg', route: s.c., over: 1 h 30 min, at: day 8}\n"
        "person: {weight: 70 kg}\n",
        encoding="utf-8",
    )
    assert load_scenario(path).regimen.sentences() == (
        "esketamine 84 mg nasal twice weekly for 4 weeks, then weekly",
        "racemic ketamine 0.5 mg/kg SC over 1.5 h on day 8",
    )


def test_a_schedule_of_nothing_is_one_error_with_its_key(tmp_path):
    path = tmp_path / "zero.yaml"
    dose = "{drug: ketamine, dose: 35 mg, route: oral, schedule: 0 times a day}"
    path.write_text(f"treatments:\n  - {dose}\n", encoding="utf-8")
    with pytest.raises(InputError, match="'0 times a day'") as refused:
        load_scenario(path)
    assert (refused.value.key, refused.value.line) == ("treatments[0].schedule", 2)


def test_a_long_infusion_is_looked_at_to_its_end():
    assert load_scenario("ketamine 0.5 mg/kg/h IV over 100 h").horizon == 100 + 4 * WEEK
    assert load_scenario("ketamine 0.5 mg/kg IV over 729 days").horizon == 2 * YEAR
    assert load_scenario(INFUSION).horizon == 4 * WEEK


def test_a_truncated_infusion_is_reported(tmp_path):
    path = tmp_path / "cut.yaml"
    path.write_text("treatments: [esketamine 500 mg IV over 100 h]\nhorizon: 2 days\n", encoding="utf-8")
    assert any("ends after 100 h is simulated for 2 days only" in note for note in load_scenario(path).assumptions)
    assert not any("is simulated for" in note for note in load_scenario(INFUSION).assumptions)


def test_thirty_milligrams_per_kilogram_in_an_hour_may_be_given():
    assert load_scenario("ketamine 30 mg/kg IV over 1 h").regimen.treatments[0].amount == 30
    with pytest.raises(InputError, match="above the limit"):
        load_scenario("ketamine 30.1 mg/kg IV over 1 h")


@pytest.fixture
def parsed(monkeypatch):
    """How often each text has been given to the parser; what was read before is forgotten."""
    module, counts = sys.modules["ketamech.dosing.parse"], Counter()
    real = module.tokenize

    def counted(text, lexicon):
        counts[text] += 1
        return real(text, lexicon)

    monkeypatch.setattr(module, "tokenize", counted)
    module.parse.cache_clear()
    read_treatments.cache_clear()
    return counts


def test_a_simulation_parses_its_sentence_once_and_nothing_else(parsed, model):
    sentence = "racemic 0.437 mg/kg IV over 40 min twice weekly for 2 weeks"
    simulate(sentence, model=model)
    assert parsed == {sentence: 1}


def test_a_run_with_its_report_parses_no_text_twice(parsed, model, tmp_path):
    from ketamech.report.run_folder import write_run

    scenario = load_scenario("racemic 0.431 mg/kg IV over 40 min", model.parameters)
    write_run(tmp_path / "run", simulate(scenario, model=model), scenario, model, "ketamech simulate")
    assert set(parsed.values()) == {1}
    assert parsed["racemic 0.431 mg/kg IV over 40 min"] == 1


def test_one_regimen_for_many_patients_is_parsed_once(parsed, model):
    from dose_sentences import dose_events_from_text

    for weight in (60.0, 70.0, 80.0):
        dose_events_from_text("racemic 0.433 mg/kg IV weekly", model.parameters, {"person.weight": weight}, 4 * DAY)
    assert parsed == {"racemic 0.433 mg/kg IV weekly": 1}


def test_compartment_numbers_of_a_dose_record_are_routes():
    from ketamech.dosing.dose_records import cmt_routes, route_of

    for number, route in enumerate(cmt_routes(), 1):
        if route:
            assert route_of(number) == route == route_of(float(number))
    for wrong in (0, len(cmt_routes()) + 1, 1.5):
        with pytest.raises(InputError, match="there is no compartment"):
            route_of(wrong)


def test_dose_records_every_half_hour_until_an_hour():
    from ketamech import ev

    words = {"drug": "ketamine", "cmt": "IV", "ii": 0.5}
    assert ev(10, **words, until=2) == ev(10, **words, addl=3)
    assert ev(10, **words, until=2) != ev(10, **words, addl=2)
