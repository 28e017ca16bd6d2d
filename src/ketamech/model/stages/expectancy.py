"""Expectancy: belief in a treatment, the non-specific part of every trial."""

from __future__ import annotations

import sympy

from ketamech.model.functions import positive_part
from ketamech.model.stage import Stage


def expectancy(stage: Stage) -> None:
    """Belief rises with treatment visits and perceived drug effects, decays over days, and saturates in its effect.

    The placebo arm carries two thirds of the change of an active arm in oral trials, and five to nine points within a
    day of a sham infusion or spray (Murrough 2013, Daly 2018). A patient who perceives dissociation or sedation while
    awake concludes that this is the drug (functional unblinding): saline in a crossover does least, midazolam more.
    Scaled by the person's expectancy.
    """
    belief = stage.state("expectancy.belief", "1", description="belief in the treatment, 1 per visit")
    stage.rate(belief, -stage.parameter("expectancy.decay_rate") * belief, because="decay over days")
    belief_deficit = positive_part(
        stage.parameter("expectancy.open_belief") - belief, stage.parameter("expectancy.smoothing_width")
    )
    stage.rate(
        belief,
        +stage.parameter("expectancy.unblinding")
        * _perceived_effect(stage)
        * stage.input("sedation.consciousness", "1")
        * belief_deficit,
        because="functional unblinding: perceived drug effects raise belief towards that of an open-label patient",
    )
    stage.output(
        "expectancy.effect",
        stage.parameter("person.expectancy") * belief / (belief + stage.parameter("expectancy.belief_ec50")),
        "1",
        description="effect of belief, saturating, scaled by the person's expectancy",
    )


def _perceived_effect(stage: Stage) -> sympy.Expr:
    """Drug effects that unblind: dissociation, and sedation by an active control, as a fraction of the scale."""
    perceived_sedation = stage.parameter("expectancy.sedation_felt") * stage.input(
        "other_treatments.midazolam_effect", "1"
    )
    return stage.input("dissociation.hallucinogen_rating", "1") + perceived_sedation
