"""What every shipped value promises: a unit, a spread, a status, a source or an honest `assumed`."""

import pytest

from ketamech.core import InputError, UnknownNameError
from ketamech.core.environment import DATA
from ketamech.evidence import load_evidence
from ketamech.parameters import load_parameters


@pytest.fixture(scope="module")
def table():
    return load_parameters()


def test_every_evidence_id_exists(table):
    known = load_evidence().observations
    cited = {name for row in table.values() for name in row.evidence}
    assert cited
    assert cited <= set(known)


def test_only_assumed_values_lack_evidence(table):
    assert all(row.evidence for row in table.values() if row.status != "assumed")


def test_every_value_has_a_reason_a_place_and_a_unit(table):
    for row in table.values():
        assert row.reason
        assert row.locator
        assert row.canonical_unit
        assert row.canonical == row.canonical  # not NaN


def test_pathways_are_on_and_perturbations_off(table):
    assert {row.value for row in table.stage("pathway").values()} == {1.0}
    assert {row.value for row in table.stage("perturbation").values()} == {0.0}


def test_the_person_is_described(table):
    person = table.stage("person")
    assert set(person) >= {"person.weight", "person.age", "person.stress", "person.baseline_madrs"}
    assert person["person.age"].canonical == pytest.approx(40 * 8766)


def test_a_value_is_set_in_the_unit_of_the_table_or_as_text(table):
    changed = table.with_values({"person.weight": 80.0, "person.age": "50 year", "pathway.opioid": "0"})
    assert table.with_values({"person.age": 75})["person.age"].canonical == pytest.approx(75 * 8766)
    assert changed["person.weight"].canonical == 80
    assert changed["person.age"].value == pytest.approx(50)
    assert changed["pathway.opioid"].canonical == 0
    assert changed["person.weight"].status == "set"
    assert table["person.weight"].value == 70
    assert len(changed) == len(table)


def test_text_may_join_number_and_unit(table):
    assert table.with_values({"person.weight": "80000g"})["person.weight"].canonical == pytest.approx(80)


@pytest.mark.parametrize("given", ["80 L", "heavy", "", -5, "400 kg", float("nan"), float("inf"), "nan kg"])
def test_a_value_that_does_not_fit_is_refused(table, given):
    with pytest.raises(InputError, match=r"person\.weight"):
        table.with_values({"person.weight": given})


def test_an_unknown_name_suggests_the_nearest(table):
    with pytest.raises(UnknownNameError, match=r"person\.weight"):
        table["person.weigth"]
    with pytest.raises(UnknownNameError, match=r"pathway\.opioid"):
        table.with_values({"pathway.opiod": 0.0})
    assert "person.weigth" not in table
    assert table.get("person.weigth") is None


def test_the_frame_has_a_line_for_each_parameter(table):
    frame = table.table()
    assert len(frame) == len(table)
    assert frame.loc["person.weight", "canonical_unit"] == "kg"
    assert not frame["file"].str.contains("/").any()


LARGEST_NUMBER_IN_EQUATIONS = 591  # before mechanisms of kinetics, circuit, tags and expectancy were added


def test_every_parameter_is_read(table, model):
    """By a flux or an output, or by name where doses, persons and units are made; and no more than before."""
    system = model.system
    terms = (*(flux.term for flux in system.fluxes), *(output.expression for output in system.outputs))
    in_equations = {symbol.name for term in terms for symbol in term.free_symbols} & set(table)
    assert in_equations == set(system.parameter_names)
    assert len(in_equations) <= LARGEST_NUMBER_IN_EQUATIONS
    files = (path for kind in ("py", "csv") for path in DATA.parent.rglob(f"*.{kind}"))
    values = (DATA / "parameters", DATA / "species", DATA / "calibration")
    texts = [path.read_text(encoding="utf-8") for path in files if path.parent not in values]
    assert [name for name in set(table) - in_equations if not any(name in text for text in texts)] == []
