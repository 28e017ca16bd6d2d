"""Published units, and their canonical units (hours, litres, micromoles, kilograms)."""

from __future__ import annotations

import re
from functools import lru_cache

from ketamech.core import InputError, closest_match, convert, unit
from ketamech.core.units import format_dimensions

# Counts, statistics and logarithmic scales: plain numbers, not converted.
DIMENSIONLESS_TERMS = (
    *("1", "dimensionless", "fraction", "ratio", "fold", "flag", "pH", "log units", "decibel"),
    *("patients", "participants", "studies", "cytokines of 19"),
    *("correlation", "Pearson r", "R", "p value", "odds ratio", "relative risk", "hazard ratio"),
    *("SMD", "Cohen's d", "Hedges' g", "effect size", "effect sizes"),
    *("sign of change", "sign of change in rate", "sign of effect"),
)
# Text that stands for a unit.
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
_YES_NO_CODE = re.compile(r"^[01] = ")  # such as "0 = abolished, 1 = intact": a yes-or-no code, not converted
_PERCENT = re.compile(r"^percent (of|change)\b")
_POINTS = re.compile(r"^\S+ points$")
_DOSE_BY_WEIGHT = re.compile(r"^([mu]?g)(/kg.*)$")


def parse_published_unit(published: str) -> str:
    """The unit of a published unit text, as text that `core.unit` can parse ("1" for plain numbers)."""
    if published in DIMENSIONLESS_TERMS or _YES_NO_CODE.match(published):
        return "1"
    if published in PUBLISHED_UNITS:
        return PUBLISHED_UNITS[published]
    if _PERCENT.match(published):
        return "percent"
    return "points" if _POINTS.match(published) else published


@lru_cache(maxsize=1024)
def canonical_unit(published: str, molar_mass: float | None = None) -> tuple[float, str]:
    """Factor and canonical unit of a published unit; with `molar_mass` (g/mol) a mass of drug becomes umol.

    Raises InputError, naming the nearest known unit, when the text is not a unit.
    """
    text = parse_published_unit(published)
    if molar_mass is not None and (match := _DOSE_BY_WEIGHT.match(text)):
        factor, rest = unit(f"1{match[2]}").factor, unit(f"1{match[2]}").dims
        return factor * convert(
            1.0, match[1], "umol", molar_mass=molar_mass
        ), f"umol{format_dimensions(rest).removeprefix('1')}"
    try:
        parsed = unit(text)
    except InputError as error:
        known_units = (*DIMENSIONLESS_TERMS, *PUBLISHED_UNITS, "ng/mL", "umol/L", "L/h", "percent", "points")
        raise InputError(error.what, expected=error.expected, nearest=closest_match(published, known_units)) from error
    dims = dict(parsed.dims)
    if molar_mass is not None and dims.get("kg") == 1 and "umol" not in dims:
        dims["umol"] = dims.pop("kg")
        target_unit = format_dimensions(tuple(sorted(dims.items())))
        return convert(1.0, text, target_unit, molar_mass=molar_mass), target_unit
    return parsed.factor, format_dimensions(parsed.dims)


_ANALYTES = (
    ("dehydronorketamine", re.compile(r"dehydronorketamine|DHNK")),
    ("hydroxynorketamine", re.compile(r"hydroxynorketamine|HNK")),
    ("norketamine", re.compile(r"nor(?:es)?ketamine|\bNK\b")),
    ("ketamine", re.compile(r"ketamine")),
)
_DRUG_QUANTITY = re.compile(r"plasma|Cmax|AUC|C50|concentration|dose|infusion rate|maintenance rate|linear range")


@lru_cache(maxsize=1024)
def analyte(quantity: str, drug: str) -> str | None:
    """The ketamine-family substance that a quantity measures, or None (a cytokine, a rating, another drug)."""
    for name, pattern in _ANALYTES:
        if pattern.search(quantity):
            return name
    if not _DRUG_QUANTITY.search(quantity):
        return None
    return next((name for name, pattern in _ANALYTES if pattern.search(drug)), None)
