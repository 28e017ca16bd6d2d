"""Belief in a treatment: the non-specific part of every trial."""

from __future__ import annotations

from ketamech.stages.declaration import Stage


def expectancy(m: Stage) -> None:
    """One unit of belief with each treatment the patient believes in; fades over days, saturates in effect.

    The placebo arm carries two thirds of the change of an active arm in oral trials, and five to nine points
    within a day of a sham infusion or spray (Murrough 2013, Daly 2018). Scaled by the person's expectancy.
    """
    belief = m.state("expectancy.belief", "1", about="belief in treatments given, one a visit")
    m.rate(belief, -m.parameter("expectancy.fading") * belief, because="belief fades over days")
    m.offers(
        "expectancy.hope",
        m.parameter("person.expectancy") * belief / (belief + m.parameter("expectancy.half_belief")),
        "1",
        about="effect of belief, saturating, scaled by the person",
    )
