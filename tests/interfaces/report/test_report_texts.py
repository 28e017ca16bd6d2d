"""Times and numbers as people say them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from ketamech.app.server import STATIC
from ketamech.core.units import time_text
from ketamech.report.number_format import number, sentence_case, signed, stage_in_words

CASES = json.loads(Path(__file__).with_name("format_cases.json").read_text(encoding="utf-8"))
SCRIPT = """
import { readFileSync } from "node:fs";
const [folder, file] = process.argv.slice(1);
const { formatNumber, formatTime, formatTimeLong } = await import(folder + "/js/format.js");
const { times, numbers } = JSON.parse(readFileSync(file, "utf8"));
const found = { times: times.map(({ hours }) => [formatTime(hours ?? NaN), formatTimeLong(hours ?? NaN)]) };
found.numbers = numbers.map(({ value }) => formatNumber(value));
console.log(JSON.stringify(found));
"""


def test_reports_write_times_and_numbers_as_in_the_table():
    for case in CASES["times"]:
        assert time_text(float("nan") if case["hours"] is None else case["hours"]) == case["text"]
    for case in CASES["numbers"]:
        assert number(float("nan") if case["value"] is None else case["value"]) == case["report"]
    assert signed(2.5) == "+2.50"


def test_the_web_page_writes_times_and_numbers_as_in_the_table():
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node, which runs the JavaScript modules")
    command = [node, "--input-type=module", "-e", SCRIPT, STATIC, Path(__file__).with_name("format_cases.json")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60)
    found = json.loads(done.stdout)
    assert found["numbers"] == [case["page"] for case in CASES["numbers"]]
    for case, (short, long) in zip(CASES["times"], found["times"], strict=True):
        assert short == case["text"]
        assert long == case.get("long", long)


def test_names_begin_as_the_field_writes_them():
    assert [stage_in_words(name) for name in ("nmda", "memantine", "ampa")] == ["NMDA", "Memantine", "AMPA"]
    assert [sentence_case(words) for words in ("mTORC1 above rest", "share of cells", "IL-6")] == [
        "mTORC1 above rest", "Share of cells", "IL-6",
    ]  # fmt: skip
