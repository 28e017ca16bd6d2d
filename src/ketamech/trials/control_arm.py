"""A control arm that matches the visits of an active arm."""

from __future__ import annotations

from dataclasses import replace

from ketamech.core import InputError
from ketamech.dosing.drugs import drug
from ketamech.dosing.regimen import Regimen
from ketamech.dosing.treatment import Treatment

PLACEBO = "placebo"


def matched_placebo(regimen: Regimen) -> Regimen:
    """The regimen with placebo in place of every treatment at a visit, at the same times.

    Treatments without a visit (tablets) stay as they are where others are replaced, so that both arms receive them;
    a regimen of such treatments only is replaced as a whole. Raises InputError for a regimen of placebo only.
    """
    if all(treatment.drug == PLACEBO for treatment in regimen.treatments):
        raise InputError("an arm of placebo only has no matched placebo", key="arms", expected="an active arm")
    visits = any(treatment.is_procedure for treatment in regimen.treatments)
    found = [_placebo(one) if one.is_procedure or not visits else one for one in regimen.treatments]
    return Regimen(tuple(dict.fromkeys(found)))


def is_placebo(regimen: Regimen) -> bool:
    """Whether no treatment of a regimen has a drug."""
    return all(treatment.drug == PLACEBO for treatment in regimen.treatments)


def _placebo(treatment: Treatment) -> Treatment:
    """Placebo at the times of a treatment, by its route, or by mouth where placebo has no such route."""
    route = treatment.route if treatment.route in drug(PLACEBO).routes else "oral"
    return replace(
        treatment, drug=PLACEBO, amount=None, unit="", salt="base", route=route, lag=0.0, skipped_doses=(),
        duration=treatment.duration if route == treatment.route else 0.0, miss_probability=0.0,
    )  # fmt: skip
