"""The README's Python example prints what the text beside it says, and its counts are those of the tables."""

import re
from collections import Counter

import pytest
from document_texts import ROOT

import ketamech

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_prints_the_numbers_of_the_text(capsys, model):
    stated = re.search(r"([\d.]+) points with ketamine and ([\d.]+) points with placebo", TEXT)
    exec(re.search(r"^```python\n(.*?)^```", TEXT, flags=re.M | re.S)[1], {})
    printed = dict(re.findall(r"^(treated|control) +([\d.]+)$", capsys.readouterr().out, flags=re.M))
    assert {name: f"{float(value):.1f}" for name, value in printed.items()} == {
        "treated": stated[1],
        "control": stated[2],
    }


def test_the_table_of_doses_is_read_with_two_patients():
    from ketamech.nonmem.read import read_doses

    table = read_doses(ROOT / "examples" / "doses.csv", ketamech.load_parameters())
    assert [subject.name for subject in table.subjects] == ["1", "2"]


def test_the_share_of_assumed_parameters_is_that_of_the_tables():
    total, share = re.search(r"Of (\d+) parameters about (\d+) % are assumed", TEXT).groups()
    counts = Counter(each.status for each in ketamech.load_parameters().values())
    assert counts.total() == int(total)
    assert 100 * counts["assumed"] / counts.total() == pytest.approx(int(share), abs=2)
