"""A row without what it must have is refused, naming file, line and column."""

import csv

import pytest

from ketamech.core import InputError
from ketamech.evidence import load_evidence
from ketamech.parameters import load_parameters

GOOD = {
    "name": "nmda.unbinding_rate",
    "value": "0.22",
    "unit": "1/s",
    "spread": "lognormal 0.3",
    "status": "measured",
    "evidence": "abbott-hnk-ic50;abbott-hnk-ratio",
    "locator": "Table 1",
    "reason": "Unbinding at -70 mV",
    "bounds": "",
}


@pytest.fixture(scope="module")
def evidence():
    return load_evidence()


@pytest.fixture
def load(tmp_path, evidence):
    def write_and_load(*rows, file="nmda.csv"):
        with (tmp_path / file).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        return load_parameters(tmp_path, evidence)

    return write_and_load


def test_a_good_row_keeps_the_sources_number_and_gives_the_canonical_one(load):
    row = load(GOOD)["nmda.unbinding_rate"]
    assert (row.value, row.unit) == (0.22, "1/s")
    assert row.canonical == pytest.approx(0.22 * 3600)
    assert row.canonical_unit == "1/h"
    assert (row.spread.kind, row.spread.a, row.spread.b) == ("lognormal", 0.3, None)
    assert row.evidence == ("abbott-hnk-ic50", "abbott-hnk-ratio")
    assert row.line == 2


def test_bounds_are_in_the_unit_of_the_row_and_may_be_left_out(load):
    assert load({**GOOD, "bounds": "0 2"})["nmda.unbinding_rate"].bounds == pytest.approx((0.0, 2 * 3600))
    row = load({name: cell for name, cell in GOOD.items() if name != "bounds"})["nmda.unbinding_rate"]
    assert (row.row_bounds, row.is_fraction) == (None, False)
    fraction = load({**GOOD, "bounds": "0 1"})["nmda.unbinding_rate"]
    assert fraction.is_fraction
    with pytest.raises(InputError, match=r"cannot be 1\.1"):
        fraction.with_value(1.1)


@pytest.mark.parametrize("spread", ["normal 0.1", "uniform 0.1 2", "fixed", "lognormal 1e-2"])
def test_each_kind_of_spread_is_read(load, spread):
    assert load({**GOOD, "spread": spread})["nmda.unbinding_rate"].spread.kind == spread.split()[0]


def test_an_assumed_value_needs_no_evidence(load):
    row = load({**GOOD, "status": "assumed", "evidence": "", "locator": "none"})["nmda.unbinding_rate"]
    assert row.evidence == ()


@pytest.mark.parametrize(
    ("column", "text", "said"),
    [
        ("name", "", "empty"),
        ("name", "ampa.unbinding_rate", "nmda.unbinding_rate"),
        ("name", "unbinding_rate", "nmda.unbinding_rate"),
        ("name", "nmda.Unbinding-Rate", "nmda.unbinding_rate"),
        ("name", "nmda.a.b", "nmda.thing"),
        ("value", "", "empty"),
        ("value", "fast", "not a number"),
        ("value", "nan", "not a number"),
        ("unit", "", "empty"),
        ("unit", "L/hx", "nearest: L/h"),
        ("spread", "", "empty"),
        ("spread", "lognorml 0.3", "lognormal"),
        ("spread", "lognormal", "0 numbers"),
        ("spread", "lognormal 0.3 0.4", "2 numbers"),
        ("spread", "lognormal x", "not a number"),
        ("spread", "lognormal -0.3", "above 0"),
        ("spread", "normal nan", "finite"),
        ("spread", "uniform 1 2", "outside"),
        ("spread", "uniform 0.22 0.22", "equal"),
        ("spread", "fixed 3", "1 numbers"),
        ("status", "", "unknown"),
        ("status", "measurd", "measured"),
        ("status", "set", "unknown"),
        ("evidence", "", "without evidence"),
        ("evidence", "abbott-hnk-ic05", "abbott-hnk-ic50"),
        ("evidence", "abbott-hnk-ic50;nobody-at-all", "nobody-at-all"),
        ("locator", "", "empty"),
        ("reason", "", "empty"),
        ("bounds", "0", "not two numbers"),
        ("bounds", "0 x", "not two numbers"),
        ("bounds", "0.3 1", "0.22 is not within"),
    ],
)
def test_a_bad_cell_is_refused(load, column, text, said):
    with pytest.raises(InputError, match=said) as caught:
        load({**GOOD, column: text})
    assert "nmda.csv:2:" in str(caught.value)
    assert f"column '{column}'" in str(caught.value)


@pytest.mark.parametrize("status", ["measured", "derived", "calibrated"])
def test_every_status_but_assumed_needs_evidence(load, status):
    with pytest.raises(InputError, match=f"{status} value without evidence"):
        load({**GOOD, "status": status, "evidence": " ; "})


def test_calibration_may_not_use_rows_held_back(load, evidence):
    held_back = next(row.id for row in evidence.select(use="context") if row.has_public_source)
    with pytest.raises(InputError, match="for comparison only"):
        load({**GOOD, "status": "calibrated", "evidence": held_back})
    assert load({**GOOD, "status": "derived", "evidence": held_back})


@pytest.mark.parametrize("status", ["measured", "calibrated"])
@pytest.mark.parametrize("source", ["recalled", "secondary or mirror page"])
def test_a_value_without_a_row_that_can_be_opened_is_assumed(load, evidence, status, source):
    closed = next(row.id for row in evidence.observations.values() if row.source_location == source)
    opened = next(row.id for row in evidence.select(use="calibrate"))
    with pytest.raises(InputError, match="without an address that can be opened"):
        load({**GOOD, "status": status, "evidence": closed})
    assert load({**GOOD, "status": "assumed", "evidence": closed})
    assert load({**GOOD, "status": status, "evidence": f"{closed};{opened}"})


def test_a_lognormal_value_must_be_above_zero(load):
    with pytest.raises(InputError, match="above 0"):
        load({**GOOD, "value": "0"})


def test_a_name_is_given_once(load):
    with pytest.raises(InputError, match=r"nmda\.csv:3: .* already defined in nmda\.csv:2"):
        load(GOOD, GOOD)


@pytest.mark.parametrize(
    ("file", "name"),
    [("person.csv", "person.w"), ("pathways.csv", "pathway.w"), ("perturbations.csv", "perturbation.w")],
)
def test_files_of_switches_name_one_switch_a_row(load, file, name):
    assert name in load({**GOOD, "name": name}, file=file)


@pytest.mark.parametrize("content", [b"", b"name,value\x00", b"\xff\xfe\x00PK", b"name;value\n", b"\n\n"])
def test_a_file_that_is_no_table_is_refused(tmp_path, evidence, content):
    (tmp_path / "nmda.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"nmda\.csv:"):
        load_parameters(tmp_path, evidence)


def test_an_empty_folder_is_refused(tmp_path, evidence):
    with pytest.raises(InputError, match="no parameter tables"):
        load_parameters(tmp_path, evidence)
