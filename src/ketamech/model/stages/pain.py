"""Pain: wounds and stimuli, wind-up in the dorsal horn, chronic sensitisation, and analgesia."""

from __future__ import annotations

import sympy

from ketamech.model.functions import exp, hill, log
from ketamech.model.stage import Stage


def pain(stage: Stage) -> None:
    """Pain of a wound, of a test stimulus, and chronic pain, each rated 0 to 10, over minutes, days and weeks.

    Minutes: S-ketamine at an effect site (half-life 8.3 min, C50 0.51 umol/L, Olofsen 2022), opposed by norketamine,
    whose effect lasts longer (Olofsen 2012). Days: wind-up, built by noxious input and by opioids through unblocked
    NMDA receptors of the dorsal horn. Weeks: chronic sensitisation, which sustains itself. Both decrease while these
    receptors are blocked. Demand for morphine follows acute pain. Expectancy relieves pain with a lag. One unit of
    noxious input is rated 5 by an unsensitised person.
    """
    acute_relief, norketamine_odds_ratio, depotentiation = (
        _acute_relief(stage),
        _norketamine_odds_ratio(stage),
        _depotentiation(stage),
    )
    _acute_pain(stage, acute_relief, norketamine_odds_ratio, depotentiation)
    lasting_relief = _chronic(stage, depotentiation)
    scale_maximum, baseline = stage.parameter("pain.scale_maximum"), stage.parameter("person.baseline_pain")
    unrelieved_pain = (
        scale_maximum
        * baseline
        * norketamine_odds_ratio
        / (scale_maximum - baseline + baseline * norketamine_odds_ratio)
    )
    expectancy_factor = exp(-stage.parameter("pain.expectancy_weight") * _expectancy_effect(stage))
    score = unrelieved_pain * (1 - acute_relief) * (1 - lasting_relief) * expectancy_factor
    stage.output("pain.score", score, "points", description="chronic pain, NRS points (0-10)")


def _acute_pain(
    stage: Stage, acute_relief: sympy.Expr, norketamine_odds_ratio: sympy.Expr, depotentiation: sympy.Expr
) -> None:
    """Pain of a wound and of a brief standard stimulus, both through the same dorsal horn."""
    wound = stage.parameter("pain.wound_input") * stage.input("inflammation.tissue_damage", "1")
    morphine = _morphine(stage)
    gain = 1 + stage.parameter("pain.wind_up_gain") * _wind_up(stage, wound, morphine, depotentiation)
    felt_fraction = (1 - acute_relief) * (1 - morphine) * stage.input("sedation.consciousness", "1")
    wound_drive, stimulus_drive = (
        wound * gain * norketamine_odds_ratio,
        stage.parameter("pain.test_stimulus") * gain * norketamine_odds_ratio,
    )
    rated_scale = stage.parameter("pain.scale_maximum") * felt_fraction
    description = "pain of a wound, NRS points (0-10)"
    acute = stage.output("pain.acute", rated_scale * wound_drive / (1 + wound_drive), "points", description=description)
    description = "pain of a brief standard stimulus, NRS points (0-10)"
    stage.output("pain.evoked", rated_scale * stimulus_drive / (1 + stimulus_drive), "points", description=description)
    _morphine_on_demand(stage, acute)


def _acute_relief(stage: Stage) -> sympy.Symbol:
    drug = stage.input("plasma.esketamine", "umol/L")
    rate_constant = log(2) / stage.parameter("pain.acute_effect_half_life")
    description = "S-ketamine at the site of acute relief, plasma-equivalent"
    site = stage.state("pain.acute_site", "umol/L", scale=0.05, description=description)
    stage.rate(site, +rate_constant * drug, because="entry from arterial plasma")
    stage.rate(site, -rate_constant * site, because="loss with the half-life of the acute effect")
    acute_relief = hill(site, stage.parameter("pain.acute_c50"), 1)
    return stage.output(
        "pain.acute_relief", acute_relief, "1", description="fraction of pain relieved while the drug is present"
    )


def _norketamine_odds_ratio(stage: Stage) -> sympy.Expr:
    """Factor by which norketamine raises the odds of pain, 1 without it."""
    return 1 + stage.parameter("pain.norketamine_gain") * stage.input("plasma.s_norketamine", "umol/L")


def _depotentiation(stage: Stage) -> sympy.Symbol:
    """Rate at which block in the dorsal horn reverses sensitisation, relative to its rate of recovery; 1 at the C50.

    Odds of block are proportional to drug, so this equals plasma S-ketamine over its C50 when only S-ketamine is
    present. B (1 + B) approximates the odds B / (1 - B): 3 % less at 18 % block, and finite when every receptor is
    blocked.
    """
    blocked = stage.input("nmda.blocked_spinal", "1")
    block_odds = blocked * (1 + blocked) / stage.parameter("pain.spinal_odds")
    description = "block of the dorsal horn, relative to the block that halves chronic sensitisation"
    return stage.output(
        "pain.block_over_c50", block_odds / stage.parameter("pain.chronic_c50"), "1", description=description
    )


def _chronic(stage: Stage, depotentiation: sympy.Symbol) -> sympy.Symbol:
    """Chronic sensitisation, 1 at the patient's own baseline; returns the fraction of chronic pain relieved.

    Logistic growth, reversed in proportion to block: under S-ketamine this equals, apart from the use of block, the
    slow effect site of Dahan 2011 with a Hill exponent of 1, written in terms of what remains.
    """
    level = stage.state(
        "pain.sensitisation",
        "1",
        initial_guess=1.0,
        bounds=(0, 1),
        description="chronic sensitisation, 1 at own baseline",
    )
    rate_constant = log(2) / stage.parameter("pain.chronic_effect_half_life")
    stage.rate(level, +rate_constant * level * (1 - level), because="self-sustaining regrowth")
    stage.rate(
        level,
        -rate_constant * depotentiation * level * level,
        because="depotentiation while NMDA receptors are blocked",
    )
    stage.output(
        "pain.reversal_odds", (1 - level) / level, "1", description="sensitisation lost over sensitisation remaining"
    )
    lasting_relief = stage.parameter("pain.lasting_maximum") * (1 - level)
    return stage.output(
        "pain.lasting_relief", lasting_relief, "1", description="fraction of chronic pain relieved for weeks"
    )


def _wind_up(stage: Stage, wound: sympy.Expr, morphine: sympy.Symbol, depotentiation: sympy.Symbol) -> sympy.Symbol:
    """Acute central sensitisation, 0 at baseline: lasts for days after a wound or opioids."""
    level = stage.state(
        "pain.wind_up", "1", bounds=(0, 1), scale=0.1, description="acute central sensitisation, 0 at baseline"
    )
    free_receptors = (1 - stage.input("nmda.blocked_spinal", "1")) * (1 - level)
    induction, hyperalgesia = stage.parameter("pain.wind_up_rate"), stage.parameter("pain.opioid_hyperalgesia")
    noxious_drive = wound / (1 + wound)
    stage.rate(
        level,
        +induction * noxious_drive * free_receptors,
        because="potentiation by noxious input through free NMDA receptors",
    )
    stage.rate(
        level,
        +hyperalgesia * morphine * free_receptors,
        because="opioid-induced hyperalgesia through free NMDA receptors",
    )
    decay_rate = stage.parameter("pain.wind_up_decay_rate")
    stage.rate(level, -decay_rate * level, because="decay over days without input")
    stage.rate(level, -decay_rate * depotentiation * level, because="depotentiation while NMDA receptors are blocked")
    return level


def _morphine(stage: Stage) -> sympy.Symbol:
    amount = stage.state("pain.morphine", "umol", scale=10.0, description="morphine in the body")
    stage.rate(amount, -stage.parameter("pain.morphine_elimination") * amount, because="elimination")
    unblocked = 1 - stage.parameter("perturbation.naltrexone")
    effect = unblocked * hill(amount, stage.parameter("pain.morphine_ec50"), 1)
    return stage.output("pain.morphine_relief", effect, "1", description="fraction of acute pain relieved by morphine")


def _morphine_on_demand(stage: Stage, acute: sympy.Symbol) -> None:
    """Patient-controlled morphine: demand rises with acute pain up to the maximum rate of the pump."""
    maximum_rate = stage.parameter("person.morphine_on_demand") * stage.parameter("pain.demand_maximum")
    demand = maximum_rate * hill(acute, stage.parameter("pain.demand_ec50"), 2)
    morphine_taken = stage.state(
        "pain.morphine_taken", "umol", scale=100.0, is_sink=True, description="cumulative patient-controlled morphine"
    )
    stage.rate(stage.ref("pain.morphine"), +demand, because="patient-controlled dose")
    stage.rate(morphine_taken, +demand, because="cumulative dose")
    stage.output("pain.morphine_demand", demand, "umol/h", description="rate of patient-controlled morphine")


def _expectancy_effect(stage: Stage) -> sympy.Symbol:
    expectancy_effect = stage.state(
        "pain.expectancy_effect", "1", scale=0.1, description="lagged effect of expectancy on pain, above baseline"
    )
    expectancy_change = stage.input("expectancy.effect", "1") - stage.baseline("expectancy.effect", "1")
    rate_constant = stage.parameter("pain.expectancy_rate_constant")
    stage.rate(
        expectancy_effect, +rate_constant * expectancy_change, because="relief by expectancy builds up over days"
    )
    stage.rate(expectancy_effect, -rate_constant * expectancy_effect, because="decay over days")
    return expectancy_effect
