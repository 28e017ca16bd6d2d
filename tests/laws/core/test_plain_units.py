"""Units read without Pint are Pint's units, to the last digit."""

import csv
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

import ketamech
from ketamech.core import InputError, units
from ketamech.core.units import COMMON_UNITS, fast_unit

DATA = Path(ketamech.__file__).parent / "data"


def spelled(text):
    """As `unit` hands it on."""
    for pattern, replacement in units.UNIT_SPELLINGS:
        text = units.re.sub(pattern, replacement, text)
    return text.replace("^", "**")


def in_tables():
    found = set()
    for path in sorted((DATA / "parameters").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found |= {row["unit"] for row in csv.DictReader(file)}
    return sorted(found - {"1"})


@pytest.mark.parametrize("text", [*COMMON_UNITS, *map(spelled, in_tables())])
def test_every_usual_unit_is_pints(text):
    plain, pint = fast_unit(text), units.parse_with_pint(text, text)
    assert plain is not None
    assert float(f"{plain[0]:.14g}") == pint.factor
    assert plain[1] == pint.dims


def test_products_and_quotients_are_pints():
    for a, b in product(("mg", "umol", "1", "L", "mM", "points"), ("kg", "L", "min", "molar", "sessions", "percent")):
        for text in (f"{a}/{b}", f"{a}*{b}", f"1/({a}*{b})", f"{a}/{b}/h"):
            plain, pint = fast_unit(text), units.parse_with_pint(text, text)
            assert plain is not None
            assert float(f"{plain[0]:.14g}") == pint.factor, text
            assert plain[1] == pint.dims, text


@pytest.mark.parametrize("text", ["m**2", "mg/m**2", "h**0", "(mg/L)**2/h"])
def test_powers_are_pints(text):
    plain, pint = fast_unit(text), units.parse_with_pint(text, text)
    assert (float(f"{plain[0]:.14g}"), plain[1]) == (pint.factor, pint.dims)
    assert units.unit(text.replace("**", "^")).factor == pint.factor


@pytest.mark.parametrize(
    "text",
    ["", "furlong", "2*h", "h**0.5", "h**-1", "h**99", "h+h", "1.0/h", "True/h", "h h", "f(h)", "(" * 300],
)
def test_anything_else_is_left_to_pint(text):
    assert fast_unit(text) is None


@pytest.mark.parametrize("text", ["furlong/bogus", "h+", "mg/kg/0"])
def test_what_is_no_unit_is_still_refused(text):
    with pytest.raises(InputError):
        units.unit(text)


def test_the_shipped_tables_are_read_without_pint():
    program = "import sys, ketamech; ketamech.load_parameters(); sys.exit('pint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
