"""Dissociation: CADSS points and hallucinogen ratings, which follow the drug within minutes."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, hill


def dissociation(m: Stage) -> None:
    """Both ratings rise with blockers in brain (racemic equivalents) and lessen over repeated sessions.

    Hallucinogen ratings (share of the scale) grow about linearly over 50-200 ng/mL venous, to 37-89 % of
    the maximum at 200 (Bowdle 1998). CADSS (points, 0-92) needs more drug before it moves and is over
    within about an hour of the infusion. A brief tolerance within the session makes the end of an
    infusion milder than a bolus (Goldway 2025); a slow one carries over between sessions.
    """
    drug = m.needs("nmda.equivalent_drug", "umol/L")
    cadss = hill(drug, m.parameter("dissociation.cadss_half"), m.parameter("dissociation.cadss_steepness"))
    rating = hill(drug, m.parameter("dissociation.rating_half"), m.parameter("dissociation.rating_steepness"))
    sensitive = 1 - _tolerance(m, "lasting", rating)
    points = m.parameter("dissociation.cadss_maximum") * cadss * (1 - _tolerance(m, "brief", rating)) * sensitive
    m.offers("dissociation.cadss", points, "points", about="dissociation, CADSS points (0-92)")
    m.offers(
        "dissociation.hallucinogen_rating",
        rating * sensitive,
        "1",
        about="perceptual effects, share of the rating scale",
    )


def _tolerance(m: Stage, kind: str, effect: sympy.Expr) -> sympy.Symbol:
    """Share of the effect lost: grows while the effect is felt, fades with its own time constant."""
    lost = m.state(
        f"dissociation.{kind}_tolerance",
        "1",
        within=(0, 1),
        scale=0.1,
        about=f"share of dissociation lost, {kind}",
    )
    onset = m.parameter(f"dissociation.{kind}_tolerance_onset")
    m.rate(lost, +onset * effect * (1 - lost), because="adaptation while the effect is felt")
    m.rate(lost, -m.parameter(f"dissociation.{kind}_tolerance_fading") * lost, because="sensitivity returns")
    return lost
