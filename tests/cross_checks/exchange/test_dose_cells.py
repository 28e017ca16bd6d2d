"""What a pharmacometrician's table may hold beside doses: decimal commas, comments, dates, marks, repeats."""

import pytest

from ketamech.core import InputError
from ketamech.dosing.regimen import Regimen
from ketamech.nonmem.csv_cells import cells_of_source
from ketamech.nonmem.read import doses_in
from ketamech.nonmem.solve_table import solve_table
from ketamech.nonmem.subjects import scenario_of
from ketamech.parameters import load_parameters

TABLE = load_parameters()
BOLUS = "ketamine 20 mg IV"


def read(text, drug="ketamine"):
    return doses_in(text, "doses.csv", TABLE, drug=drug)


def first_scenario(text):
    table = read(text)
    return scenario_of(table, table.subjects[0], TABLE)


def seen(table):
    """TIME of every observation."""
    return [look.time for subject in table.subjects for stay in subject.occasions for look in stay.observations]


MEANING = {
    "decimal commas, semicolons": ("ID;TIME;AMT;CMT;EVID\n1;0;35,5;IV;1\n1;1,5;0;IV;0\n", "ketamine 35.5 mg IV", [1.5]),
    "decimal commas, tabs": ("TIME\tAMT\tCMT\n0\t0,5\tIV\n1,25\t0\tIV\n", "ketamine 0.5 mg IV", [1.25]),
    "decimal commas, blanks": ("TIME AMT CMT\n0 ,5 IV\n", "ketamine 0.5 mg IV", []),
    "decimal commas beside a thousandth": ("TIME;AMT;CMT\n0;2,5;IV\n1,125;0;IV\n", "ketamine 2.5 mg IV", [1.125]),
    "names behind #": ("#ID,TIME,AMT,CMT\n1,0,20,IV\n1,2,0,IV\n", BOLUS, [2]),
    "a comment with a longer line": ("C,TIME,AMT,CMT\nC,the pump stopped, twice, for an hour\n.,0,20,IV\n", BOLUS, []),
    "words in the column C": ("TIME,AMT,CMT,C\n0,20,IV,.\n3,9,IV,spilled\n", BOLUS, []),
    "MDV and a blank DV": ("TIME,AMT,CMT,EVID,MDV,DV\n0,20,IV,1,1,.\n1,,IV,0,1,\n2,,IV,0,0,88.1\n", BOLUS, [1, 2]),
    "EVID 2": ("TIME,AMT,CMT,EVID\n0,20,IV,1\n1,0,IV,2\n", BOLUS, [1]),
    "one date": ("DATE,TIME,AMT,CMT\n2024-05-01,0,20,IV\n2024-05-01,4,0,IV\n", BOLUS, [4]),
    "repeated infusions": (
        "TIME,AMT,RATE,II,ADDL,CMT\n0,20,10,12,3,IV\n", "ketamine 20 mg IV over 2 h every 12 h for 48 h", [],
    ),
    "II without ADDL": ("TIME,AMT,II,ADDL,CMT\n0,20,12,0,IV\n", BOLUS, []),
    "before the first dose": ("TIME,AMT,CMT,EVID\n-2,0,IV,0\n0,20,IV,1\n", "ketamine 20 mg IV at 2 h", [-2]),
    "no route where none is needed": ("TIME,AMT,DRUG\n0,1,ECT\n", "ECT", []),
    "the same record twice": ("TIME,AMT,CMT\n0,10,IV\n0,10,IV\n", "ketamine 10 mg IV; ketamine 10 mg IV", []),
    "a line that names the separator for Excel": ("sep=;\nTIME;AMT;CMT\n0;20;IV\n1;0;IV\n", BOLUS, [1]),
    "a minus sign of a text": (
        "TIME,AMT,CMT,EVID\n\N{MINUS SIGN}2,0,IV,0\n0,20,IV,1\n", "ketamine 20 mg IV at 2 h", [-2],
    ),
    "lines that end as on Windows": ("TIME,AMT,CMT\r\n0,20,IV\r\n1,0,IV\r\n", BOLUS, [1]),
}  # fmt: skip


@pytest.mark.parametrize("case", MEANING)
def test_what_a_table_means(case):
    text, sentence, times = MEANING[case]
    table = read(text)
    (subject,) = table.subjects
    (occasion,) = subject.occasions
    assert occasion.regimen.treatments == Regimen.parse(sentence).treatments
    assert seen(table) == times


REFUSED = {
    "TIME,AMT,CMT\n0,35,5,IV\n": [":2", "4 cells under 3 columns", "decimal comma", "semicolons"],
    "TIME;AMT;CMT\n0;2,5;IV\n1.5;0;IV\n": [":2", "a comma in '2,5' and a point in '1.5' (line 3)"],
    "TIME;AMT;CMT\n0;1,000;IV\n": [":2", "AMT", "may be a thousand", "1000, or 1.000"],
    'TIME,AMT,CMT\n0,"2,5",IV\n': [":2", "'2,5' is not a number", "not a decimal comma"],
    "TIME,AMT,CMT,C\n0,20,IV,.\n1,0,IV,123.4\n": [":3", "C of 123.4", "DV"],
    "TIME,AMT,CMT,C\n0,20,IV,0\n": [":2", "C of 0"],
    "ID,DATE,TIME,AMT,CMT\n1,1,8,20,IV\n1,2,9,0,IV\n": [":3", "DATE changes from 1 to 2", "TIME in hours"],
    "TIME,AMT\n0,20\n": [":2", "CMT", "no route is stated for racemic ketamine", "IV, IM, SC"],
    "TIME,AMT,CMT\n0,20,.\n": [":2", "no route is stated"],
    "TIME,AMT,CMT,II,ADDL\n0,20,IV,0,3\n": [":2", "ADDL without II"],
    "TIME,AMT,CMT,II,ADDL\n0,20,IV,-12,3\n": [":2", "II"],
    "TIME,AMT,CMT,II,ADDL\n0,20,IV,12,-1\n": [":2", "ADDL of -1"],
    "TIME,AMT,CMT,RATE\n0,20,IV,-5\n": [":2", "RATE of -5"],
    "TIME,AMT,CMT,EVID\n0,20,IV,1\n24,20,IV,1\n12,0,IV,0\n": [":4", "TIME goes back from 24 to 12"],
    "CID,TIME,AMT,CMT\n1,5,20,IV\n2,0,20,IV\n": [":3", "TIME goes back from 5 to 0", "a column ID for several persons"],
    "ID,TIME,AMT,CMT\n1,0,20,IV\n2,0,20,IV\n1,24,20,IV\n": [":4", "ID 1 comes back"],
    "TIME,AMT,CMT\n2024-05-01 08:00,20,IV\n": [":2", "TIME", "hours since the first record"],
    "#ID,TIME,CMT\n1,0,IV\n": ["no column TIME"],
    "TIME,AMT,CMT,MDV,EVID\n0,.,IV,1,1\n": [":2", "a dose with AMT of 0"],
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_meant_is_refused_with_file_line_and_column(text):
    with pytest.raises(InputError) as refused:
        first_scenario(text)
    for part in ("doses.csv", *REFUSED[text]):
        assert part in str(refused.value)


def test_a_decimal_comma_is_reported():
    assert "numbers have a decimal comma" in read("TIME;AMT;CMT\n0;2,5;IV\n").notes
    assert read("TIME;AMT;CMT\n0;2;IV\n").notes == read("TIME,AMT,CMT\n0,2,IV\n").notes


def test_columns_keep_their_names_in_notes():
    (note,) = (n for n in read("TIME,AMT,CMT,Study_Day\n0,2,IV,1\n").notes if "not used" in n)
    assert note.endswith("Study_Day")


def test_infusions_repeat_with_their_rate(model):
    """Second road: every infusion in a record of its own."""
    once = "TIME,AMT,RATE,II,ADDL,CMT,EVID\n0,20,10,12,1,IV,1\n13,.,.,.,.,.,0\n"
    each = "TIME,AMT,RATE,CMT,EVID\n0,20,10,IV,1\n12,20,10,IV,1\n13,.,.,.,0\n"
    one, other = (solve_table(read(t), model, ("venous.ketamine",))["venous.ketamine"][0] for t in (once, each))
    assert one == pytest.approx(other, rel=1e-12)


def test_a_table_that_is_no_utf_8_is_told_how_to_be_saved(tmp_path):
    """Excel saves Windows-1252 as CSV, and UTF-16 as text."""
    for encoding in ("cp1252", "utf-16"):
        path = tmp_path / "doses.csv"
        path.write_bytes("TIME,AMT,CMT,NOTE\n0,20,IV,caf\N{LATIN SMALL LETTER E WITH ACUTE}\n".encode(encoding))
        with pytest.raises(InputError, match=r'not text(.|\n)*save it again as "CSV UTF-8"'):
            cells_of_source(path, "a dose table")
