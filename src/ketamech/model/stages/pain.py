"""Pain: wounds and stimuli, wind-up in the dorsal horn, chronic sensitisation, and what relieves them."""

from __future__ import annotations

import sympy

from ketamech.model.functions import exp, hill, log
from ketamech.model.stage import Stage


def pain(stage: Stage) -> None:
    """Pain of a wound, of a test stimulus, and chronic pain, each rated 0 to 10, on clocks of minutes, days and weeks.

    Minutes: S-ketamine at an effect site (half-life 8.3 min, C50 0.51 umol/L, Olofsen 2022), opposed by
    norketamine, which outlasts it (Olofsen 2012). Days: wind-up, built by noxious input and by opioids through
    NMDA receptors of the dorsal horn that are not blocked. Weeks: chronic sensitisation, which sustains itself.
    Both are undone while these receptors are blocked. Morphine is asked for as long as it hurts. Hope relieves
    with a lag. One unit of noxious input is rated 5 by an unsensitised person.
    """
    relief, excess, undone = _acute_relief(stage), _norketamine(stage), _depotentiation(stage)
    _noxious(stage, relief, excess, undone)
    lasting = _chronic(stage, undone)
    top, baseline = stage.parameter("pain.scale_maximum"), stage.parameter("person.baseline_pain")
    raised = top * baseline * excess / (top - baseline + baseline * excess)
    hoped = exp(-stage.parameter("pain.expectancy_weight") * _expectancy_effect(stage))
    felt = raised * (1 - relief) * (1 - lasting) * hoped
    stage.output("pain.score", felt, "points", description="chronic pain, NRS points (0-10)")


def _noxious(stage: Stage, relief: sympy.Expr, excess: sympy.Expr, undone: sympy.Expr) -> None:
    """Pain of a wound and of a brief standard stimulus, both through the same dorsal horn."""
    wound = stage.parameter("pain.wound_input") * stage.input("inflammation.tissue_damage", "1")
    morphine = _morphine(stage)
    gain = 1 + stage.parameter("pain.wind_up_gain") * _wind_up(stage, wound, morphine, undone)
    left = (1 - relief) * (1 - morphine) * stage.input("sedation.consciousness", "1")
    hurts, probe = wound * gain * excess, stage.parameter("pain.test_stimulus") * gain * excess
    scale = stage.parameter("pain.scale_maximum") * left
    about = "pain of a wound, NRS points (0-10)"
    acute = stage.output("pain.acute", scale * hurts / (1 + hurts), "points", description=about)
    about = "pain that a brief standard stimulus would give now, NRS points (0-10)"
    stage.output("pain.evoked", scale * probe / (1 + probe), "points", description=about)
    _demand(stage, acute)


def _acute_relief(stage: Stage) -> sympy.Symbol:
    drug = stage.input("plasma.esketamine", "umol/L")
    pace = log(2) / stage.parameter("pain.acute_effect_half_life")
    about = "S-ketamine at the site of acute relief, plasma-equivalent"
    site = stage.state("pain.acute_site", "umol/L", scale=0.05, description=about)
    stage.rate(site, +pace * drug, because="follows plasma S-ketamine")
    stage.rate(site, -pace * site, because="fades with the half-life of the relief")
    relief = hill(site, stage.parameter("pain.acute_c50"), 1)
    return stage.output("pain.acute_relief", relief, "1", description="share of pain relieved while the drug is there")


def _norketamine(stage: Stage) -> sympy.Expr:
    """How many times norketamine raises the odds of pain, 1 without it."""
    return 1 + stage.parameter("pain.norketamine_gain") * stage.input("plasma.s_norketamine", "umol/L")


def _depotentiation(stage: Stage) -> sympy.Symbol:
    """How fast block in the dorsal horn undoes sensitisation, over the speed at which it comes back; 1 at the C50.

    Odds of block are proportional to drug, so this is plasma S-ketamine over its C50 when only S-ketamine is there.
    B (1 + B) stands for the odds B / (1 - B): 3 % less at 18 % block, and finite when every receptor is blocked.
    """
    blocked = stage.input("nmda.blocked_spinal", "1")
    plasma = blocked * (1 + blocked) / stage.parameter("pain.spinal_odds")
    about = "block of the dorsal horn, over that which holds half of chronic sensitisation down"
    return stage.output("pain.block_over_c50", plasma / stage.parameter("pain.chronic_c50"), "1", description=about)


def _chronic(stage: Stage, undone: sympy.Symbol) -> sympy.Symbol:
    """Chronic sensitisation, 1 at the patient's own rest; returns the share of chronic pain relieved by its loss.

    Logistic growth, undone in proportion to block: under S-ketamine this is, but for that, the slow effect site
    of Dahan 2011 with a Hill exponent of 1, read backwards.
    """
    level = stage.state(
        "pain.sensitisation", "1", initial_guess=1.0, bounds=(0, 1), description="chronic sensitisation, 1 at own rest"
    )
    pace = log(2) / stage.parameter("pain.chronic_effect_half_life")
    stage.rate(level, +pace * level * (1 - level), because="what is left of it recruits the rest again")
    stage.rate(level, -pace * undone * level * level, because="synapses depotentiate while NMDA receptors are blocked")
    stage.output(
        "pain.reversal_odds", (1 - level) / level, "1", description="sensitisation lost over sensitisation left"
    )
    relieved = stage.parameter("pain.lasting_maximum") * (1 - level)
    return stage.output("pain.lasting_relief", relieved, "1", description="share of chronic pain relieved for weeks")


def _wind_up(stage: Stage, wound: sympy.Expr, morphine: sympy.Symbol, undone: sympy.Symbol) -> sympy.Symbol:
    """Acute central sensitisation, 0 at rest: what a wound or opioids leave in the dorsal horn for days."""
    level = stage.state(
        "pain.wind_up", "1", bounds=(0, 1), scale=0.1, description="acute central sensitisation, 0 at rest"
    )
    free = (1 - stage.input("nmda.blocked_spinal", "1")) * (1 - level)
    induction, hyperalgesia = stage.parameter("pain.wind_up_rate"), stage.parameter("pain.opioid_hyperalgesia")
    driven = wound / (1 + wound)
    stage.rate(level, +induction * driven * free, because="noxious input potentiates through free NMDA receptors")
    stage.rate(level, +hyperalgesia * morphine * free, because="opioids sensitise through free NMDA receptors")
    fading = stage.parameter("pain.wind_up_decay_rate")
    stage.rate(level, -fading * level, because="fades over days without input")
    stage.rate(level, -fading * undone * level, because="and faster while block undoes it, as chronic sensitisation")
    return level


def _morphine(stage: Stage) -> sympy.Symbol:
    amount = stage.state("pain.morphine", "umol", scale=10.0, description="morphine in the body")
    stage.rate(amount, -stage.parameter("pain.morphine_elimination") * amount, because="elimination")
    open_share = 1 - stage.parameter("perturbation.naltrexone")
    effect = open_share * hill(amount, stage.parameter("pain.morphine_ec50"), 1)
    return stage.output("pain.morphine_relief", effect, "1", description="share of acute pain that morphine relieves")


def _demand(stage: Stage, acute: sympy.Symbol) -> None:
    """Patient-controlled morphine: asked for in proportion to how much it hurts, up to what the pump allows."""
    allowed = stage.parameter("person.morphine_on_demand") * stage.parameter("pain.demand_maximum")
    asked = allowed * hill(acute, stage.parameter("pain.demand_ec50"), 2)
    taken = stage.state(
        "pain.morphine_taken", "umol", scale=100.0, is_sink=True, description="morphine taken from the pump"
    )
    stage.rate(stage.ref("pain.morphine"), +asked, because="the patient presses the button")
    stage.rate(taken, +asked, because="the pump counts")
    stage.output("pain.morphine_demand", asked, "umol/h", description="morphine asked for")


def _expectancy_effect(stage: Stage) -> sympy.Symbol:
    trust = stage.state(
        "pain.expectancy_effect", "1", scale=0.1, description="hope as pain has felt it so far, above rest"
    )
    hope = stage.input("expectancy.effect", "1") - stage.baseline("expectancy.effect", "1")
    pace = stage.parameter("pain.expectancy_rate_constant")
    stage.rate(trust, +pace * hope, because="relief by hope is learnt day by day")
    stage.rate(trust, -pace * trust, because="and forgotten as slowly")
    return trust
