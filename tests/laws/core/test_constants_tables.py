"""Tables of constants: shipped ones are complete, and a bad cell is named."""

import pytest

from ketamech.core import InputError
from ketamech.core.csv_table import CONSTANT_COLUMNS, read_constants
from ketamech.core.environment import DATA

HEADER = ",".join(CONSTANT_COLUMNS)


@pytest.mark.parametrize("name", ["calibration/model_error", "scorecard/verdict_limits", "variants/likelihood"])
def test_a_shipped_table_holds_positive_numbers(name):
    numbers = read_constants(DATA / f"{name}.csv")
    assert numbers
    assert min(numbers.values()) > 0


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("a,fast,1,assumed,x", "value"),
        ("a,1,,assumed,x", "unit"),
        ("a,1,1,measured,x", "status"),
        ("a,1,1,assumed,", "why"),
        ("a,1,1,assumed,x\na,2,1,assumed,x", "name"),
    ],
)
def test_a_bad_cell_is_named(tmp_path, row, column):
    path = tmp_path / "constants.csv"
    path.write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(InputError, match=f"column '{column}'"):
        read_constants(path)
