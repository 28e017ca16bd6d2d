"""Measurements of a table are read with their units, and bad ones give one clear error or flag."""

import sys
from pathlib import Path

import numpy as np
import pytest

from molar_masses import KETAMINE

sys.path.insert(0, str(Path(__file__).parent))
from fit_tables import DOSE, HEADER, UNIT, person, table

from ketamech.core import InputError
from ketamech.fitting.observations import measurements_of
from ketamech.nonmem.read import doses_in

COLUMN = "1,{time},0,.,.,.,{dvid},{dv},{cens}"


def read(model, text, *observe, lloq=()):
    return measurements_of(doses_in(text, "levels.csv", model.parameters), model, observe, lloq)


def row(dv, time=1, dvid="venous.ketamine", cens=0):
    return COLUMN.format(time=time, dvid=dvid, dv=dv, cens=cens)


def test_levels_are_read_in_their_unit(model):
    data = read(model, table(*person()), UNIT)
    assert data.value.tolist() == [150, 165, 80, 45, 24, 9]
    assert data.outputs[0].factor == pytest.approx(KETAMINE, rel=1e-3)
    assert read(model, table(*person()), "venous.ketamine [umol/L]").outputs[0].factor == 1


def test_codes_are_mapped_to_outputs(model):
    rows = [*person(dvid="1"), "1,24,0,.,.,.,2,20,0"]
    data = read(model, table(*rows), "1=venous.ketamine [ng/mL]", "2=mood.madrs")
    assert [one.output for one in data.outputs] == ["venous.ketamine", "mood.madrs"]
    assert data.outputs[1].unit == "points"
    assert data.number.tolist() == [0] * 6 + [1]


def test_values_below_the_limit_are_marked(model):
    header = HEADER + ",LLOQ,BLQ,LIMIT"
    rows = [DOSE.format("1") + ",.,.,.", row(30, 0.5) + ",.,.,.", row(5, 1, cens=1) + ",.,.,2", row("<3", 2) + ",.,.,.",
            row("BLQ", 3) + ",4,.,.", row(".", 4) + ",1.5,1,.", row(7, 5, cens=-1) + ",.,.,."]  # fmt: skip
    data = read(model, table(*rows, header=header), UNIT)
    assert data.value.tolist() == [30, 5, 3, 4, 1.5, 7]
    assert data.censored.tolist() == [0, 1, 1, 1, 1, -1]
    assert data.limit[1] == 2
    assert np.isneginf(data.limit[2])


def test_a_limit_of_the_command_marks_lower_levels_and_limits_that_are_not_stated(model):
    rows = [DOSE.format("1"), row(30, 0.5), row(3, 1), row("BLQ", 2), row("<2", 3), row(0, 4), row(20, 5, "mood.madrs")]
    data = read(model, table(*rows), "venous.ketamine [ng/mL]", "mood.madrs", lloq=("4",))
    assert data.value.tolist() == [30, 4, 4, 2, 4, 20]
    assert data.censored.tolist() == [0, 1, 1, 1, 1, 0]
    named = read(model, table(*rows), UNIT, "mood.madrs", lloq=("1", "venous.ketamine: 5"))
    assert named.value.tolist() == [30, 5, 5, 2, 5, 20]
    with pytest.raises(InputError, match=r"(?s)no measurement is of 'venous\.ketamin'.*nearest: venous"):
        read(model, table(*rows), UNIT, "mood.madrs", lloq=("venous.ketamin: 5", "4"))
    with pytest.raises(InputError, match="'-1' is not a limit of quantification"):
        read(model, table(*rows), UNIT, "mood.madrs", lloq=("-1",))


@pytest.mark.parametrize(
    ("rows", "observe", "words"),
    [
        (person(), (), ["venous.ketamine has no unit", '--observe "venous.ketamine=venous.ketamine [ng/mL]"']),
        (person(), ("venous.ketamine [mmHg]",), ["cannot be measured in mmHg", "ng/mL or umol/L"]),
        (person(), ("plasma.venous.ketamine [ng/mL]",), ["no output 'plasma.venous.ketamine'", ": venous.ketamine"]),
        (person(dvid="3"), ("1=" + UNIT,), ["levels.csv:3: DVID 3 is not an output", "--observe", "mapped: 1"]),
        (person(dvid="3"), (), ["mapped: none", "3=venous.ketamine"]),
        (
            [DOSE.format("1"), row(70, dvid="1"), row(30, dvid="2")], (UNIT,),
            ["levels.csv:4: DVID 1 and 2 cannot both be venous.ketamine", '--observe "1=venous.ketamine [ng/mL]"'],
        ),
        (person(), ("plasma ketamine [ng/mL]",), ["no output 'plasma ketamine'", ": venous.ketamine"]),
        (person(dvid="venous.ketamin"), (UNIT,), ["DVID venous.ketamin is not", "nearest: venous.ketamine"]),
        (person(dvid="ketamine"), (), ["DVID ketamine is not an output", "nearest: venous.ketamine"]),
        (person(dvid="."), (), ["which output does DV measure?"]),
        ([DOSE.format("1"), row(-3)], (UNIT,), ["levels.csv:3: DV of -3 ng/mL", "0 or more ng/mL"]),
        ([DOSE.format("1"), row(70, dvid="mood.madrs")], (), ["DV of 70 points for mood.madrs", "0 to 60 points"]),
        ([DOSE.format("1"), row("1e12")], (UNIT,), ["levels.csv:3: DV of 1e12 ng/mL", "0 to 2.37"]),
        ([DOSE.format("1"), row("high")], (UNIT,), ["'high' is not a number"]),
        ([DOSE.format("1"), row("BLQ")], (UNIT,), ["unknown limit of quantification", "LLOQ"]),
        ([DOSE.format("1"), row(3, cens=2)], (UNIT,), ["CENS of 2"]),
        ([DOSE.format("1")], (UNIT,), ["the table has no measurement"]),
        (["1,0,0,.,.,.,venous.ketamine,5,0", "1,1,35,IV,0.6667,racemic,.,.,."], (UNIT,), ["before the first dose"]),
        (person(dvid="1"), ("1=" + UNIT, "1=mood.madrs"), ["'1' is mapped to venous.ketamine and to mood.madrs"]),
        (person(), ("venous.ketamine ng/mL]",), ["is not an observed output", "DVID=output [unit]"]),
    ],
)  # fmt: skip
def test_bad_input_gives_one_clear_error(model, rows, observe, words):
    with pytest.raises(InputError) as problem:
        read(model, table(*rows), *observe)
    for word in words:
        assert word in str(problem.value)


def test_doubtful_records_are_flagged(model):
    rows = ["1,0,0,.,.,.,venous.ketamine,2,0", DOSE.format("1"), row(80), row(80), row(75), row(0, 3)]
    data = read(model, table(*rows), UNIT)
    flags = {flag.line: flag.text for flag in data.flags}
    assert "before any dose" in flags[2]
    assert "the same level as in line 4" in flags[5]
    assert "a second level at the time of line 4" in flags[6]
    assert "a level of 0" in flags[7]
    assert data.value.tolist() == [80, 75, 0]


def test_a_missing_covariate_is_flagged(model):
    rows = [f"{line},{weight}" for name, weight in (("1", "80"), ("2", ".")) for line in person(name)]
    data = read(model, table(*rows, header=HEADER + ",WT"), UNIT)
    assert [(flag.subject, flag.text) for flag in data.flags] == [("2", "no WT; 70 kg is used")]


def test_a_covariate_that_changes_and_is_missing_at_a_time_is_flagged(model):
    def flags(*weights):
        rows = [f"{line},{weight}" for line, weight in zip(person(), weights, strict=True)]
        return [(flag.line, flag.text) for flag in read(model, table(*rows, header=HEADER + ",WT"), UNIT).flags]

    assert flags(80, 80, ".", 85, 85, ".", 85) == [(4, "no WT; the value before is used")]
    assert flags(80, ".", ".", ".", ".", ".", ".") == []


def test_a_level_at_steady_state_needs_no_dose_before_it(model):
    header = "ID,TIME,AMT,ROUTE,DRUG,II,SS,DV"
    rows = ["1,0,40,oral,esketamine,8,1,.", "1,0,0,.,.,.,.,12", "1,2,0,.,.,.,.,30"]
    assert read(model, table(*rows, header=header), "venous.esketamine [ng/mL]").value.tolist() == [12, 30]


@pytest.mark.parametrize(
    ("dv", "marks", "limit"),
    [("BLOQ", "5,0,0", 5), ("nd", "5,0,0", 5), ("< 5", ".,0,0", 5), ("0", "5,1,0", 5), ("6", "5,1,0", 6),
     ("6", "5,0,1", 5), (".", "5,1,0", 5)],
)  # fmt: skip
def test_every_mark_of_a_value_below_the_limit_is_read(model, dv, marks, limit):
    text = f"ID,TIME,AMT,ROUTE,DRUG,DV,LLOQ,CENS,BLQ\n1,0,35,IV,racemic,.,.,.,.\n1,2,.,.,.,{dv},{marks}\n"
    data = read(model, text, UNIT)
    assert (data.value.tolist(), data.censored.tolist()) == ([limit], [1])


def test_the_unit_of_a_level_is_that_of_its_record(model):
    head = "ID,TIME,AMT,ROUTE,DRUG,DV,UNIT,DVU\n1,0,35,IV,racemic,.,mg,.\n"
    data = read(model, head + "1,1,.,.,.,1,mg,umol/L\n1,2,.,.,.,50,mg,.\n1,3,.,.,.,0.1,umol/L,.\n", UNIT)
    assert data.value.tolist() == pytest.approx([KETAMINE, 50, KETAMINE / 10], rel=1e-3)
    assert read(model, head + "1,1,.,.,.,1,mg,umol/L\n", "venous.ketamine").outputs[0].unit == "umol/L"


def test_two_analytes_are_not_one_output(model):
    text = "ID,TIME,AMT,ROUTE,DRUG,DV,ANALYTE\n1,0,35,IV,racemic,.,.\n1,1,.,.,.,9,norket\n"
    with pytest.raises(InputError, match="norket is not an output"):
        read(model, text, UNIT)
    assert read(model, text, "norket=venous.norketamine [ng/mL]").outputs[0].output == "venous.norketamine"


def test_persons_without_a_measurement_are_flagged(model):
    data = read(model, table(*person(), DOSE.format("2")), UNIT)
    assert [(flag.subject, flag.text) for flag in data.flags] == [("2", "no measurement that can be used; left out")]


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [(HEADER.replace(",DV,", ",CONC,"), person(), ["no column DV", "other columns: CONC"]),
     (HEADER.replace("TIME", "HOURS"), person(), ["no column TIME", "columns of this file are ID, HOURS, AMT"]),
     (HEADER, [DOSE.format("1"), row("<1.2.3")], ["'<1.2.3' is not a limit of quantification"]),
     (HEADER, [DOSE.format("1"), row(0, cens=1)], ["unknown limit of quantification"]),
     (HEADER + ",LIMIT", [DOSE.format("1") + ",.", row(5, cens=1) + ",500"],
      ["levels.csv:3: a value between LIMIT of 500 and DV of 5 ng/mL", "below the limit of quantification"])],
)  # fmt: skip
def test_wrong_columns_and_limits_give_one_clear_error(model, header, rows, words):
    with pytest.raises(InputError) as problem:
        read(model, table(*rows, header=header), UNIT)
    assert all(word in str(problem.value) for word in words)
