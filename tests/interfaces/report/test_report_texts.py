"""Times and numbers as people say them."""

import csv
import json
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from ketamech.core.environment import PACKAGE
from ketamech.core.units import time_text
from ketamech.report.number_format import number, sentence_case, signed, stage_in_words
from ketamech.report.time_axis import TICKS_TABLE, time_ticks

CASES = json.loads(Path(__file__).with_name("format_cases.json").read_text(encoding="utf-8"))
SCRIPT = """
import { readFileSync } from "node:fs";
const [folder, file] = process.argv.slice(1);
const { formatNumber, formatTime, formatTimeLong, formatWithUnit } = await import(folder + "/js/format.js");
const { times, numbers } = JSON.parse(readFileSync(file, "utf8"));
const found = { times: times.map(({ hours }) => [formatTime(hours ?? NaN), formatTimeLong(hours ?? NaN)]) };
found.ticks = Object.values((await import(folder + "/js/time-slider.js")).RANGES).flatMap(({ ticks }) => ticks);
found.small = ["% of anaesthesia", "rise in mmHg, beats/min", "ng/mL"].map((unit) => formatWithUnit(0.00516, unit));
found.numbers = numbers.map(({ value, digits }) => formatNumber(value, digits));
console.log(JSON.stringify(found));
"""


def test_reports_write_times_and_numbers_as_in_the_table():
    for case in CASES["times"]:
        assert time_text(float("nan") if case["hours"] is None else case["hours"]) == case["text"]
    for case in CASES["numbers"]:
        value = float("nan") if case["value"] is None else case["value"]
        assert number(value, case.get("digits", 3)) == case["text"]
    assert signed(2.5) == "+2.5"


@pytest.fixture(scope="module")
def written_by_page():
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node, which runs the JavaScript modules")
    command = [
        node,
        "--input-type=module",
        "-e",
        SCRIPT,
        PACKAGE / "app" / "static",
        Path(__file__).with_name("format_cases.json"),
    ]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60)
    return json.loads(done.stdout)


def test_the_web_page_writes_times_and_numbers_as_in_the_table(written_by_page):
    found = written_by_page
    assert found["numbers"] == [case["text"] for case in CASES["numbers"]]
    for case, (short, long) in zip(CASES["times"], found["times"], strict=True):
        assert short == case["text"]
        assert long == case.get("long", long)


def test_the_web_page_writes_a_percentage_or_pressure_below_its_display_precision_as_zero(written_by_page):
    assert written_by_page["small"] == ["0 %", "0", "0.00516 ng/mL"]


def test_the_page_labels_a_time_as_in_the_table_of_ticks(written_by_page):
    with TICKS_TABLE.open(encoding="utf-8", newline="") as stream:
        labels = {float(row["hours"]): row["long"] for row in csv.DictReader(stream)}
    shared = [(hours, text) for hours, text in written_by_page["ticks"] if hours in labels]
    assert len({hours for hours, _ in shared}) >= 8
    assert [(hours, labels[hours]) for hours, _ in shared] == shared


def test_ticks_lie_within_the_axis_and_keep_their_distance():
    assert list(time_ticks(1, 672).values()) == ["1 h", "3 h", "6 h", "12 h", "1 d", "3 d", "1 wk", "2 wk", "4 wk"]
    assert list(time_ticks(1 / 60, 672, min_ratio=10, long=True).values()) == ["1 min", "1 h", "1 day", "4 weeks"]
    assert time_ticks(25, 71) == {}
    for ratio in (2, 3, 4, 10):
        hours = list(time_ticks(0.1, 9000, min_ratio=ratio))
        assert hours[-1] == 8766
        assert all(after >= 0.999 * ratio * before for before, after in pairwise(hours))


def test_names_begin_as_the_field_writes_them():
    assert [stage_in_words(name) for name in ("nmda", "memantine", "ampa")] == ["NMDA", "Memantine", "AMPA"]
    assert [sentence_case(words) for words in ("mTORC1 above rest", "share of cells", "IL-6")] == [
        "mTORC1 above rest", "Share of cells", "IL-6",
    ]  # fmt: skip
