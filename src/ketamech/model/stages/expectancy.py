"""Belief in a treatment: the non-specific part of every trial."""

from __future__ import annotations

import sympy

from ketamech.model.functions import positive_part
from ketamech.model.stage import Stage


def expectancy(stage: Stage) -> None:
    """Belief comes with each treatment visit and from feeling a drug; it fades over days and saturates in effect.

    The placebo arm carries two thirds of the change of an active arm in oral trials, and five to nine points
    within a day of a sham infusion or spray (Murrough 2013, Daly 2018). Who feels dissociation or sedation while awake
    concludes that this is the drug (functional unblinding): saline in a crossover does least, midazolam more.
    Scaled by the person's expectancy.
    """
    belief = stage.state("expectancy.belief", "1", description="belief in treatments given, one a visit")
    stage.rate(belief, -stage.parameter("expectancy.decay_rate") * belief, because="belief fades over days")
    doubt = positive_part(
        stage.parameter("expectancy.open_belief") - belief, stage.parameter("expectancy.smoothing_width")
    )
    stage.rate(
        belief,
        +stage.parameter("expectancy.unblinding")
        * _perceived_effect(stage)
        * stage.input("sedation.consciousness", "1")
        * doubt,
        because="who feels a drug while awake comes to believe as one who was told",
    )
    stage.output(
        "expectancy.effect",
        stage.parameter("person.expectancy") * belief / (belief + stage.parameter("expectancy.belief_ec50")),
        "1",
        description="effect of belief, saturating, scaled by the person",
    )


def _perceived_effect(stage: Stage) -> sympy.Expr:
    """What gives a drug away: dissociation, and the sedation of an active control, as a share of the scale."""
    drowsy = stage.parameter("expectancy.sedation_felt") * stage.input("other_treatments.midazolam_effect", "1")
    return stage.input("dissociation.hallucinogen_rating", "1") + drowsy
