"""Drug concentrations in blood are shown in ng/mL: the outputs concerned, and the molar mass of each."""

from __future__ import annotations

from functools import cache

from ketamech.core import convert
from ketamech.core.csv_table import CsvRow, read_table
from ketamech.core.environment import DATA
from ketamech.parameters import load_parameters

FILE = DATA / "levels" / "levels.csv"
COLUMNS = ("output", "molar_mass", "dosed_as")
MODEL_UNIT, DISPLAY_UNIT = "umol/L", "ng/mL"


@cache
def _rows() -> dict[str, CsvRow]:
    return {row["output"]: row for row in read_table(FILE, COLUMNS)}


def molar_masses() -> dict[str, str]:
    """The molar mass parameter of every output that is a concentration in blood."""
    return {name: row["molar_mass"] for name, row in _rows().items()}


@cache
def factors() -> dict[str, float]:
    """ng/mL in 1 umol/L for every output that is a concentration in blood."""
    parameters = load_parameters()
    return {
        n: convert(1.0, MODEL_UNIT, DISPLAY_UNIT, molar_mass=parameters[mass].value)
        for n, mass in molar_masses().items()
    }


def shown(output: str, unit: str) -> tuple[float, str]:
    """The factor and unit in which an output is shown: ng/mL for concentrations in blood, else its own `unit`."""
    return (factors()[output], DISPLAY_UNIT) if output in factors() else (1.0, unit)


def parent_enantiomers(output: str) -> tuple[str, ...]:
    """The enantiomers (s, r) of the dose whose level an output is; none for metabolites and other outputs."""
    return tuple(_rows()[output]["dosed_as"].split()) if output in _rows() else ()
