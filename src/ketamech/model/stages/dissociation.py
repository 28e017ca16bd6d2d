"""Dissociation: CADSS points and hallucinogen ratings, which follow the drug within minutes."""

from __future__ import annotations

import sympy

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def dissociation(stage: Stage) -> None:
    """Both ratings rise with NMDA blockers in brain (racemic equivalents) and decrease over repeated sessions.

    Hallucinogen ratings (fraction of the scale) grow about linearly over 50-200 ng/mL venous, to 37-89 % of
    the maximum at 200 (Bowdle 1998). CADSS (points, 0-92) needs more drug before it changes and is over
    within about an hour of the infusion. A brief tolerance within the session makes the end of an
    infusion milder than a bolus (Goldway 2025); a slow tolerance carries over between sessions.
    """
    drug = stage.input("nmda.equivalent_drug", "umol/L")
    cadss = hill(drug, stage.parameter("dissociation.cadss_ec50"), stage.parameter("dissociation.cadss_steepness"))
    rating = hill(drug, stage.parameter("dissociation.rating_ec50"), stage.parameter("dissociation.rating_steepness"))
    lasting_sensitivity = 1 - _tolerance(stage, "lasting", rating)
    points = (
        stage.parameter("dissociation.cadss_maximum")
        * cadss
        * (1 - _tolerance(stage, "brief", rating))
        * lasting_sensitivity
    )
    stage.output("dissociation.cadss", points, "points", description="dissociation, CADSS points (0-92)")
    stage.output(
        "dissociation.hallucinogen_rating",
        rating * lasting_sensitivity,
        "1",
        description="perceptual effects, fraction of the rating scale",
    )


def _tolerance(stage: Stage, kind: str, effect: sympy.Expr) -> sympy.Symbol:
    """Fraction of the effect lost: grows during the effect, decays with its own time constant."""
    tolerance = stage.state(
        f"dissociation.{kind}_tolerance",
        "1",
        bounds=(0, 1),
        scale=0.1,
        description=f"fraction of dissociation lost to {kind} tolerance",
    )
    onset_rate = stage.parameter(f"dissociation.{kind}_tolerance_onset_rate")
    stage.rate(tolerance, +onset_rate * effect * (1 - tolerance), because="adaptation during the effect")
    stage.rate(
        tolerance,
        -stage.parameter(f"dissociation.{kind}_tolerance_decay_rate") * tolerance,
        because="recovery of sensitivity",
    )
    return tolerance
