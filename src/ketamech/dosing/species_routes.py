"""Treatments that are possible in a species: an animal needs its own kinetics for the drug and the route."""

from __future__ import annotations

from ketamech.core import InputError, closest_match
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Treatment
from ketamech.parameters import HUMAN, Species

ANIMAL_ROUTES = ("IP",)


def require_species_kinetics(regimen: Regimen, species: Species) -> None:
    """Raise InputError for a drug or route without kinetics in this species."""
    for treatment in regimen.treatments:
        if species.name == HUMAN:
            _check_human_route(treatment)
        else:
            _check_animal_kinetics(treatment, species)


def _check_human_route(treatment: Treatment) -> None:
    if treatment.route in ANIMAL_ROUTES and not treatment.substance.is_session:
        what = f"there are no kinetics of {treatment.drug} by route {treatment.route} in humans"
        expected = ", ".join(r for r in treatment.substance.routes if r and r not in ANIMAL_ROUTES) or "an animal"
        raise InputError(what, key="route", expected=expected, type_this="species: rat (in a file) or --species rat")


def _check_animal_kinetics(treatment: Treatment, species: Species) -> None:
    drug, routes = treatment.substance.name, species.routes
    if drug not in routes:
        what = f"there are no kinetics of {drug} in the {species.name}"
        expected = f"one of: {', '.join(routes)}"
        example = "racemic 10 mg/kg IP"
        raise InputError(what, key="species", expected=expected, nearest=closest_match(drug, routes), type_this=example)
    if treatment.route not in routes[drug]:
        what = f"there are no kinetics of {drug} by route {treatment.route or 'none'} in the {species.name}"
        near = closest_match(treatment.route, routes[drug]) or routes[drug][0]
        raise InputError(what, key="route", expected=", ".join(routes[drug]), nearest=near)
