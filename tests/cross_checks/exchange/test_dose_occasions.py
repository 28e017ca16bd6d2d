"""Occasions of a dose table: resets at which TIME starts anew, steady states, infusions that add up."""

import numpy as np
import pytest

from ketamech import simulate
from ketamech.core import InputError
from ketamech.nonmem.read import read_doses
from ketamech.nonmem.solve_table import solve_table
from ketamech.nonmem.subjects import scenario_of
from ketamech.parameters import load_parameters
from molar_masses import KETAMINE

TABLE = load_parameters()
LEVELS = ("venous.ketamine", "venous.norketamine", "plasma.esketamine")
HEAD = "ID,TIME,AMT,RATE,CMT,EVID,II,ADDL,SS\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("occasions")


@pytest.fixture(scope="module")
def solved(folder, model):
    """Values of outputs at the observations of a table, by column."""

    def at(text, outputs=LEVELS, drug="ketamine"):
        return solve_table(read(folder, text, drug), model, outputs)

    return at


def read(folder, text, drug="ketamine"):
    path = folder / "doses.csv"
    path.write_text(text, encoding="utf-8")
    return read_doses(path, TABLE, drug=drug)


RESTARTS = {
    "reset and dose": "0,35,IV,1\n1,0,IV,0\n0,35,IV,4\n1,0,IV,0\n",
    "reset, then dose": "0,35,IV,1\n1,0,IV,0\n24,35,IV,1\n25,0,IV,0\n0,0,IV,3\n0,35,IV,1\n1,0,IV,0\n",
    "to a time that is not the first": "0,35,IV,1\n1,0,IV,0\n9,0,IV,0\n5,35,IV,4\n6,0,IV,0\n",
    "to later than the first dose": "0,35,IV,1\n1,0,IV,0\n0.5,35,IV,4\n1.5,0,IV,0\n",
    "twice": "0,35,IV,1\n1,0,IV,0\n0,0,IV,3\n3,0,IV,0\n0,35,IV,4\n1,0,IV,0\n",
}


@pytest.mark.parametrize("case", RESTARTS)
def test_time_that_starts_anew_at_a_reset_takes_no_dose_away(solved, model, case):
    """An hour after 35 mg IV at once, every occasion is the scenario of that dose."""
    names = ("venous.ketamine", "mood.madrs")
    plain = simulate("ketamine 35 mg IV", model=model, times=[0.0, 1.0]).sel(patient="treated", time=1.0)
    found = solved("TIME,AMT,CMT,EVID\n" + RESTARTS[case], names)
    for name, tolerance in zip(names, (5e-5, 5e-3), strict=True):
        for place in (0, -1):
            assert found[name].iloc[place] == pytest.approx(float(plain[name]), abs=tolerance)


def test_an_occasion_as_short_as_its_dose_shows_it(solved):
    """A bolus and a look at the same time, then a reset at that time."""
    text = "TIME,AMT,CMT,EVID\n0,35,IV,1\n0,0,IV,0\n0,35,IV,4\n0,0,IV,0\n"
    found = solved(text, ("pharmacokinetics.central_s",))["pharmacokinetics.central_s"]
    assert found.to_numpy() == pytest.approx([35 * 500 / KETAMINE] * 2)


def test_the_dose_that_addl_implies_at_the_time_of_a_reset_acts_before_it(solved):
    """As without the reset: doses that ADDL implies act before the rows of their time."""
    text = "TIME,AMT,CMT,EVID,II,ADDL\n0,35,IV,1,24,3\n24,0,IV,0,0,0\n"
    with_reset, without = solved(text + "24,0,IV,3,0,0\n25,0,IV,0,0,0\n"), solved(text)
    assert with_reset.loc[0, LEVELS[0]] == pytest.approx(without.loc[0, LEVELS[0]])
    assert with_reset.loc[1:, LEVELS[0]].tolist() == [0, 0]


def test_infusions_of_one_drug_add_up(solved):
    """Second road: 10 mg over half an hour beside 10 mg an hour are 15 mg in the first half hour, 95 mg afterwards."""
    together = solved(HEAD + "1,0,10,20,IV,1,,,\n1,0,100,10,IV,1,,,\n1,0.25,,,,0,,,\n1,1,,,,0,,,\n1,12,,,,0,,,\n")
    apart = solved(HEAD + "1,0,15,30,IV,1,,,\n1,0.25,,,,0,,,\n1,0.5,95,10,IV,1,,,\n1,1,,,,0,,,\n1,12,,,,0,,,\n")
    for name in LEVELS:
        assert together[name].to_numpy() == pytest.approx(apart[name].to_numpy(), rel=1e-5)
    assert together["venous.ketamine"].iloc[1] == pytest.approx(0.2662, abs=1e-4)


HOURLY = "1,{at},0,1,IV,1,0,0,1\n"
ALWAYS = "1,{at},24,1,IV,1,24,{more},1\n"


def test_an_infusion_as_long_as_its_interval_is_a_constant_one(solved):
    found = solved(HEAD + ALWAYS.format(at=0, more=10) + "1,0,,,,0,,,\n1,7,,,,0,,,\n1,24,,,,0,,,\n1,240,,,,0,,,\n")
    for name in LEVELS:
        level = found[name].to_numpy()
        assert level == pytest.approx(level[0], rel=1e-4)
        assert level[0] > 0


def test_a_constant_infusion_at_steady_state_ends_at_its_time(solved):
    """Second road: the same infusion from rest for 80 days, and after it has been stopped. The hope of its first
    visit is gone by then.
    """
    shown = (*LEVELS, "nmda.occupancy", "plasticity.bdnf")
    found = solved(HEAD + HOURLY.format(at=5) + "1,5,,,,0,,,\n1,6,,,,0,,,\n1,9,,,,0,,,\n", shown)
    long = solved(HEAD + "1,0,1920,1,IV,1,,,\n1,1920,,,,0,,,\n1,1921,,,,0,,,\n1,1924,,,,0,,,\n", shown)
    for name in shown:
        assert found[name].to_numpy() == pytest.approx(long[name].to_numpy(), rel=2e-3), name
    same = solved(HEAD + ALWAYS.format(at=0, more=0) + "1,0,,,,0,,,\n")
    assert found[LEVELS[0]].iloc[0] == pytest.approx(same[LEVELS[0]].iloc[0], rel=1e-4)


def test_what_runs_on_after_a_constant_infusion_is_a_dose_of_its_own(solved):
    found = solved(HEAD + HOURLY.format(at=0) + "1,0,48,1,IV,1,,,\n1,0,,,,0,,,\n1,24,,,,0,,,\n1,50,,,,0,,,\n")
    level = found["venous.ketamine"].to_numpy()
    assert level[1] == pytest.approx(level[0], rel=1e-3)
    assert level[2] < 0.6 * level[0]


MORNING = "1,0,20,,IV,1,24,{more},1\n"
EVENING = "1,12,40,,IV,1,24,{more},2\n"
LOOK = "1,{at},,,,0,,,\n"


@pytest.mark.parametrize("more", [0, 3])
def test_a_frequency_that_is_added_later_acts_from_its_time_on(solved, more):
    """Before it, the first frequency alone. From then on, as after both have been given for 60 days."""
    looks = "".join(LOOK.format(at=at) for at in (12, 13, 23))
    text = HEAD + MORNING.format(more=more) + LOOK.format(at=6) + EVENING.format(more=more) + looks
    alone = solved(HEAD + MORNING.format(more=more) + LOOK.format(at=6))
    days = 24 * 60
    long = "1,0,20,,IV,1,24,99,\n1,12,40,,IV,1,24,99,\n" + "".join(LOOK.format(at=days + h) for h in (12, 13, 23))
    found, both = solved(text), solved(HEAD + long)
    for name in LEVELS:
        assert found[name].iloc[0] == pytest.approx(alone[name].iloc[0], rel=1e-6)
        assert found[name].iloc[1:].to_numpy() == pytest.approx(both[name].to_numpy(), rel=1e-3), name


def test_doses_of_both_frequencies_follow_the_added_one(solved):
    """ADDL of the first frequency goes on at its own hours."""
    looks = "".join(LOOK.format(at=at) for at in (25, 37, 49))
    found = solved(HEAD + MORNING.format(more=2) + LOOK.format(at=6) + EVENING.format(more=1) + looks)
    long = "1,0,20,,IV,1,24,62,\n1,12,40,,IV,1,24,61,\n"
    both = solved(HEAD + long + "".join(LOOK.format(at=24 * 60 + at) for at in (25, 37, 49)))
    for name in LEVELS:
        assert found[name].iloc[1:].to_numpy() == pytest.approx(both[name].to_numpy(), rel=1e-3)


def test_added_at_the_same_time_and_looked_at_in_between(solved):
    """Second road: the steady state of the first alone, and of the sum."""
    second = "1,0,40,,IV,1,24,0,2\n"
    found = solved(HEAD + MORNING.format(more=0) + LOOK.format(at=0) + second + LOOK.format(at=0))
    first = solved(HEAD + MORNING.format(more=0) + LOOK.format(at=0))
    total = solved(HEAD + "1,0,60,,IV,1,24,0,1\n" + LOOK.format(at=0))
    for name in LEVELS:
        assert found[name].to_numpy() == pytest.approx([first[name].iloc[0], total[name].iloc[0]], rel=1e-4)


@pytest.mark.parametrize("first", ["1,0,20,2,IV,1,24,{more},{ss}\n", "1,0,60,2,IV,1,24,{more},{ss}\n"])
def test_an_infusion_that_runs_when_a_frequency_is_added_goes_on(solved, first):
    """For 10 h of a day, or for 30 h: several at a time. Second road: both frequencies for 60 days."""
    looks = (6, 8, 20, 23)
    text = HEAD + first.format(more=0, ss=1) + LOOK.format(at=5) + "1,6,40,,IV,1,24,0,2\n"
    found = solved(text + "".join(LOOK.format(at=at) for at in looks))
    long = first.format(more=60, ss="") + "1,6,40,,IV,1,24,60,\n"
    both = solved(HEAD + long + "".join(LOOK.format(at=24 * 60 + at) for at in looks))
    for name in LEVELS:
        assert found[name].iloc[1:].to_numpy() == pytest.approx(both[name].to_numpy(), rel=1e-3), name


def test_a_steady_state_that_goes_on_is_a_scenario_and_others_are_a_table(folder):
    on = read(folder, HEAD + MORNING.format(more=3) + EVENING.format(more=3) + LOOK.format(at=30))
    (subject,) = on.subjects
    assert scenario_of(on, subject, TABLE).regimen.treatments[0].start == 12
    off = read(folder, HEAD + MORNING.format(more=0) + EVENING.format(more=3) + LOOK.format(at=30))
    with pytest.raises(InputError, match="doses that are not given again"):
        scenario_of(off, off.subjects[0], TABLE)


def test_the_meaning_of_a_start_is_reported_in_words(folder):
    (constant,) = read(folder, HEAD + HOURLY.format(at=0) + LOOK.format(at=0)).subjects[0].occasions
    assert constant.description == "after 1 mg/h racemic ketamine IV"
    (both,) = read(folder, HEAD + MORNING.format(more=0) + EVENING.format(more=0)).subjects[0].occasions
    assert both.description.startswith("after racemic ketamine 20 mg IV at 12 h daily")
    (nothing,) = read(folder, HEAD + LOOK.format(at=0)).subjects[0].occasions
    assert nothing.description == "nothing is given"


REFUSED = {
    "TIME goes back, SS 1": ("0,20,,IV,1,,,\n5,,,,0,,,\n0,20,,IV,1,24,0,1\n", [":4", "TIME goes back from 5 to 0"]),
    "another dose before SS 2": (
        "0,20,,IV,1,24,2,1\n3,20,,IV,1,,,\n12,20,,IV,1,24,2,2\n", [":4", "dose of line 3 is not at steady state"],
    ),
    "SS 2 after the frequency is over": ("0,20,,IV,1,12,0,1\n30,20,,IV,1,12,0,2\n", [":3", "line 2", "within one II"]),
    "SS 2 in another frequency": ("0,20,,IV,1,12,5,1\n6,20,,IV,1,24,5,2\n7,,,,0,,,\n", [":3", "frequency"]),
    "SS without a dose": ("0,20,,IV,1,24,0,1\n1,,,,0,,,1\n", [":3", "SS of 1 in a record without a dose"]),
    "a reset with an amount": ("0,20,,IV,1,,,\n5,20,,IV,3,,,\n", [":3", "a reset with an amount", "EVID 4"]),
    "other with an amount": ("0,20,,IV,1,,,\n5,20,,IV,2,,,\n", [":3", "other than a dose with an amount", "EVID 1"]),
    "constant with II": ("0,0,1,IV,1,24,0,1\n", [":2", "II of 24"]),
    "constant with ADDL": ("0,0,1,IV,1,0,5,1\n", [":2", "ADDL of 5"]),
    "constant by mouth": ("0,0,1,oral,1,0,0,1\n1,,,,0,,,\n", [":2", "infusion by route oral"]),
    "constant without a rate": ("0,0,-1,IV,1,0,0,1\n", [":2", "RATE of -1 with AMT of 0"]),
    "constant without SS": ("0,0,1,IV,1,0,0,0\n", [":2", "an infusion without an end"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_meaning_is_refused_with_its_line(folder, model, case):
    rows, parts = REFUSED[case]
    text = HEAD.removeprefix("ID,") + rows
    with pytest.raises(InputError) as refused:
        solve_table(read(folder, text), model, LEVELS)
    for part in parts:
        assert part in str(refused.value)


def test_nothing_is_lost_by_a_second_occasion(solved):
    """ADDL and a running infusion of the first occasion end at the reset, whatever TIME says then."""
    text = "0,70,7,IV,1,12,9,\n1,,,,0,,,\n0,,,,3,,,\n1,,,,0,,,\n200,,,,0,,,\n"
    found = solved(HEAD.removeprefix("ID,") + text)
    assert found["venous.ketamine"].iloc[0] > 0
    assert np.all(found[list(LEVELS)].iloc[1:].to_numpy() == 0)
