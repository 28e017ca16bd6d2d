"""Dissociation: CADSS points and hallucinogen ratings, which follow the drug within minutes."""

from __future__ import annotations

import sympy

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def dissociation(stage: Stage) -> None:
    """Both ratings rise with NMDA blockers in brain (racemic equivalents); only a person who is awake reports them.

    Hallucinogen ratings (fraction of the scale) grow about linearly over 50-200 ng/mL venous, to 37-89 % of
    the maximum at 200 (Bowdle 1998). CADSS (points, 0-92) needs more drug before it changes. A brief tolerance
    lowers the sensitivity to the drug within the session: the end of an infusion is milder than its bolus (Goldway
    2025), and dissociation after a spray peaks at 40 min and is over by 1.5 h (label), while the drug falls slowly.
    Both ratings decrease over repeated sessions, by a slow tolerance.
    """
    drug = stage.input("nmda.equivalent_drug", "umol/L")
    rating = hill(drug, stage.parameter("dissociation.rating_ec50"), stage.parameter("dissociation.rating_steepness"))
    effective_drug = drug * (1 - _tolerance(stage, "brief", rating))
    cadss = hill(
        effective_drug, stage.parameter("dissociation.cadss_ec50"), stage.parameter("dissociation.cadss_steepness")
    )
    reported = (1 - _tolerance(stage, "lasting", rating)) * stage.input("sedation.consciousness", "1")
    points = stage.parameter("dissociation.cadss_maximum") * cadss * reported
    stage.output("dissociation.cadss", points, "points", description="dissociation, CADSS points (0-92)")
    stage.output(
        "dissociation.hallucinogen_rating",
        rating * reported,
        "1",
        description="perceptual effects, fraction of the rating scale",
    )


def _tolerance(stage: Stage, kind: str, effect: sympy.Expr) -> sympy.Symbol:
    """Fraction of the sensitivity lost: grows during the effect, decays with its own time constant."""
    tolerance = stage.state(
        f"dissociation.{kind}_tolerance",
        "1",
        bounds=(0, 1),
        scale=0.1,
        description=f"fraction of dissociative sensitivity lost to {kind} tolerance",
    )
    onset_rate = stage.parameter(f"dissociation.{kind}_tolerance_onset_rate")
    stage.rate(tolerance, +onset_rate * effect * (1 - tolerance), because="adaptation during the effect")
    stage.rate(
        tolerance,
        -stage.parameter(f"dissociation.{kind}_tolerance_decay_rate") * tolerance,
        because="recovery of sensitivity",
    )
    return tolerance
