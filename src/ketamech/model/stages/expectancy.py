"""Expectancy: belief in a treatment, the non-specific part of every trial."""

from __future__ import annotations

import sympy

from ketamech.model.stage import Stage


def expectancy(stage: Stage) -> None:
    """A procedure raises anticipation at once; every visit for a treatment adds conviction, which lasts for weeks.

    After a placebo spray the score is 9.7 points lower at 2 h, 5.7 at a day and 4.9 on day 8 (Daly 2018): anticipation
    of an infusion, spray or operation wanes within a day, and a lasting part remains from each visit. Tablets have the
    lasting part only: placebo tablets lower the score by 4.9 points in a week and 12.0 in six (GEMINI). A patient who
    feels dissociation or sedation while awake concludes that this is the drug (functional unblinding). A patient who is
    unconscious cannot notice the absence of drug effects, so that anticipation of a treatment given during an operation
    lasts for weeks (Lii 2023, placebo arm). The effect saturates and is scaled by the person's expectancy.
    """
    awake = stage.input("sedation.consciousness", "1")
    anticipation = stage.state(
        "expectancy.anticipation", "1", description="anticipation of a procedure, 1 per blinded visit"
    )
    belief = stage.state("expectancy.belief", "1", description="belief that a visit leaves to settle, 1 per visit")
    conviction = stage.state("expectancy.conviction", "1", description="settled belief in the treatment, in visits")
    visit_share = stage.parameter("expectancy.visit_share")
    settling_rate = stage.parameter("expectancy.settling_rate")
    stage.rate(
        anticipation,
        -settling_rate * awake * anticipation,
        because="anticipation wanes within a day while little is felt (Daly 2018)",
    )
    stage.rate(
        anticipation,
        +stage.parameter("expectancy.unblinding")
        * _felt_effect(stage)
        * (stage.parameter("expectancy.open_belief") - anticipation),
        because="functional unblinding: felt drug effects raise it towards that of an open-label patient",
    )
    untested = stage.parameter("expectancy.consolidation_rate") * (1 - awake) * anticipation
    stage.rate(anticipation, -untested, because="an anticipated effect cannot be noticed or missed while unconscious")
    stage.rate(conviction, +untested / visit_share, because="untested anticipation becomes conviction (Lii 2023)")
    stage.rate(belief, -settling_rate * belief, because="the belief of a visit settles over a day")
    doubt = 1 - visit_share * conviction / stage.parameter("expectancy.open_belief")
    stage.rate(
        conviction,
        +settling_rate * belief * doubt,
        because="each visit adds conviction, less near that of one open-label procedure",
    )
    stage.rate(conviction, -stage.parameter("expectancy.decay_rate") * conviction, because="loss over weeks")
    strength = anticipation + visit_share * conviction
    stage.output(
        "expectancy.effect",
        stage.parameter("person.expectancy") * strength / (strength + stage.parameter("expectancy.belief_ec50")),
        "1",
        description="effect of expectancy, saturating, scaled by the person's expectancy",
    )


def _felt_effect(stage: Stage) -> sympy.Expr:
    """Drug effects that unblind while awake: dissociation, and sedation by an active control, as a fraction."""
    sedation = stage.parameter("sedation.midazolam_weight") * stage.input("other_treatments.midazolam_effect", "1")
    return stage.input("mood.felt_effect", "1") + sedation * stage.input("sedation.consciousness", "1")
