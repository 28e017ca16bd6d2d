"""Belief in a treatment: the non-specific part of every trial."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, positive_part


def expectancy(m: Stage) -> None:
    """Belief comes with each treatment visit and from feeling a drug; it fades over days and saturates in effect.

    The placebo arm carries two thirds of the change of an active arm in oral trials, and five to nine points
    within a day of a sham infusion or spray (Murrough 2013, Daly 2018). Who feels dissociation or sedation while awake
    concludes that this is the drug (functional unblinding): saline in a crossover does least, midazolam more.
    Scaled by the person's expectancy.
    """
    belief = m.state("expectancy.belief", "1", about="belief in treatments given, one a visit")
    m.rate(belief, -m.parameter("expectancy.fading") * belief, because="belief fades over days")
    doubt = positive_part(m.parameter("expectancy.open_belief") - belief, m.parameter("expectancy.bend"))
    m.rate(
        belief,
        +m.parameter("expectancy.unblinding") * _felt(m) * m.needs("sedation.consciousness", "1") * doubt,
        because="who feels a drug while awake comes to believe as one who was told",
    )
    m.offers(
        "expectancy.hope",
        m.parameter("person.expectancy") * belief / (belief + m.parameter("expectancy.half_belief")),
        "1",
        about="effect of belief, saturating, scaled by the person",
    )


def _felt(m: Stage) -> sympy.Expr:
    """What gives a drug away: dissociation, and the sedation of an active control, as a share of the scale."""
    drowsy = m.parameter("expectancy.sedation_felt") * m.needs("comparators.midazolam_effect", "1")
    return m.needs("dissociation.hallucinogen_rating", "1") + drowsy
