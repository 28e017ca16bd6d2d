"""Compartments of dose tables (CMT, ADM), by name or number: each stands for a route."""

from __future__ import annotations

from ketamech.core import InputError, closest_match
from ketamech.dosing.drugs import ROUTES

# Numbers in tables that KetaMech writes. A name is safer, since other programs number compartments by their own model.
CMT_CODES = ("IV", "oral", "nasal", "IM", "SC", "sublingual", "", "IP")
NO_ROUTE = "none"
_PLACES = {
    "central": "IV",
    "gut": "oral",
    "depot": "oral",
    "nose": "nasal",
    "muscle": "IM",
    "skin": "SC",
    "mouth": "sublingual",
    NO_ROUTE: "",
}
NAMES = {**ROUTES, **_PLACES}
ABSORBED = ("oral", "nasal", "sublingual")  # the duration of absorption is that of the model (RATE -2)


def compartment_number(route: str) -> int:
    """The CMT number of a route, from 1."""
    return CMT_CODES.index(route) + 1


def route_of(compartment: str | int | float) -> str:
    """The route of a compartment name or number. Raises InputError with the nearest name."""
    word = str(compartment).strip().lower()
    try:
        number = float(word)
    except ValueError:
        number = None
    if number is not None and number < 0:
        what = f"CMT {compartment}: a negative compartment switches it off, which a route does not support"
        raise InputError(what, key="CMT", expected="a route")
    if number is not None and number.is_integer() and 1 <= number <= len(CMT_CODES):
        return CMT_CODES[int(number) - 1]
    if word in NAMES:
        return NAMES[word]
    numbers = ", ".join(f"{i} {route or NO_ROUTE}" for i, route in enumerate(CMT_CODES, 1))
    raise InputError(
        f"there is no compartment '{compartment}'",
        key="CMT",
        expected=f"a route by name, or {numbers}",
        nearest=closest_match(word, NAMES),
    )
