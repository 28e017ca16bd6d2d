"""Units as papers print them, and what they are in canonical units (hours, litres, micromoles, kilograms)."""

from __future__ import annotations

import re

from ketamech.core import InputError, closest_match, convert, unit
from ketamech.core.units import format_dimensions

# Counts, statistics and logarithmic scales: plain numbers, kept as printed.
DIMENSIONLESS_TERMS = (
    *("1", "dimensionless", "fraction", "ratio", "fold", "flag", "pH", "log units", "decibel"),
    *("patients", "participants", "studies", "cytokines of 19"),
    *("correlation", "Pearson r", "R", "p value", "odds ratio", "relative risk"),
    *("SMD", "Cohen's d", "Hedges' g", "effect size", "effect sizes"),
    *("sign of change", "sign of change in rate", "sign of effect"),
)
# Prose that means a unit.
PUBLISHED_UNITS = {
    "percent dF/F": "percent",
    "percentage points": "percent",
    "percent (upper)": "percent",
    "mm on 100 mm VAS": "points",
    "NRS 0-10": "points",
    "per second": "1/s",
    "per molar per second": "1/(molar*s)",
    "mg/h per 70 kg": "mg/h",
    "mg morphine equivalent": "mg",
}
_CODE = re.compile(r"^[01] = ")  # such as "0 = abolished, 1 = intact": a yes-or-no code, kept as is
_SHARE = re.compile(r"^percent (of|change)\b")
_POINTS = re.compile(r"^\S+ points$")
_DOSE_BY_WEIGHT = re.compile(r"^([mu]?g)(/kg.*)$")


def parse_published_unit(printed: str) -> str:
    """The unit that printed prose stands for, as text `core.unit` can read ("1" for plain numbers)."""
    if printed in DIMENSIONLESS_TERMS or _CODE.match(printed):
        return "1"
    if printed in PUBLISHED_UNITS:
        return PUBLISHED_UNITS[printed]
    if _SHARE.match(printed):
        return "percent"
    return "points" if _POINTS.match(printed) else printed


def canonical_unit(printed: str, molar_mass: float | None = None) -> tuple[float, str]:
    """Factor and canonical unit of a printed unit; with `molar_mass` (g/mol) a mass of drug becomes umol.

    Raises BadInput, naming the nearest known unit, when the text is not a unit.
    """
    text = parse_published_unit(printed)
    if molar_mass is not None and (found := _DOSE_BY_WEIGHT.match(text)):
        factor, rest = unit(f"1{found[2]}").factor, unit(f"1{found[2]}").dims
        return factor * convert(
            1.0, found[1], "umol", molar_mass=molar_mass
        ), f"umol{format_dimensions(rest).removeprefix('1')}"
    try:
        known = unit(text)
    except InputError as problem:
        pool = (*DIMENSIONLESS_TERMS, *PUBLISHED_UNITS, "ng/mL", "umol/L", "L/h", "percent", "points")
        raise InputError(problem.what, expected=problem.expected, nearest=closest_match(printed, pool)) from problem
    dims = dict(known.dims)
    if molar_mass is not None and dims.get("kg") == 1 and "umol" not in dims:
        dims["umol"] = dims.pop("kg")
        target = format_dimensions(tuple(sorted(dims.items())))
        return convert(1.0, text, target, molar_mass=molar_mass), target
    return known.factor, format_dimensions(known.dims)


_ANALYTES = (
    ("dehydronorketamine", re.compile(r"dehydronorketamine|DHNK")),
    ("hydroxynorketamine", re.compile(r"hydroxynorketamine|HNK")),
    ("norketamine", re.compile(r"nor(?:es)?ketamine|\bNK\b")),
    ("ketamine", re.compile(r"ketamine")),
)
_ABOUT_DRUG = re.compile(r"plasma|Cmax|AUC|C50|concentration|dose|infusion rate|maintenance rate|linear range")


def analyte(quantity: str, drug: str) -> str | None:
    """Which ketamine-family substance a quantity measures, or None (a cytokine, a rating, another drug)."""
    for name, pattern in _ANALYTES:
        if pattern.search(quantity):
            return name
    if not _ABOUT_DRUG.search(quantity):
        return None
    return next((name for name, pattern in _ANALYTES if pattern.search(drug)), None)
