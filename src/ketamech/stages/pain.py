"""Pain: wounds and stimuli, wind-up in the dorsal horn, chronic sensitisation, and what relieves them."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, exp, hill, log


def pain(m: Stage) -> None:
    """Pain of a wound, of a test stimulus, and chronic pain, each rated 0 to 10, on clocks of minutes, days and weeks.

    Minutes: S-ketamine at an effect site (half-life 8.3 min, C50 0.51 umol/L, Olofsen 2022), opposed by
    norketamine, which outlasts it (Olofsen 2012). Days: wind-up, built by noxious input and by opioids through
    NMDA receptors of the dorsal horn that are not blocked. Weeks: chronic sensitisation, which sustains itself.
    Both are undone while these receptors are blocked. Morphine is asked for as long as it hurts. Hope relieves
    with a lag. One unit of noxious input is rated 5 by an unsensitised person.
    """
    relief, excess, undone = _acute_relief(m), _norketamine(m), _undone(m)
    _noxious(m, relief, excess, undone)
    lasting = _chronic(m, undone)
    top, baseline = m.parameter("pain.scale_top"), m.parameter("person.baseline_pain")
    raised = top * baseline * excess / (top - baseline + baseline * excess)
    hoped = exp(-m.parameter("pain.placebo_weight") * _hope(m))
    felt = raised * (1 - relief) * (1 - lasting) * hoped
    m.offers("pain.score", felt, "points", about="chronic pain, NRS points (0-10)")


def _noxious(m: Stage, relief: sympy.Expr, excess: sympy.Expr, undone: sympy.Expr) -> None:
    """Pain of a wound and of a brief standard stimulus, both through the same dorsal horn."""
    wound = m.parameter("pain.wound_input") * m.needs("inflammation.tissue_damage", "1")
    morphine = _morphine(m)
    gain = 1 + m.parameter("pain.wind_up_gain") * _wind_up(m, wound, morphine, undone)
    left = (1 - relief) * (1 - morphine) * m.needs("sedation.consciousness", "1")
    hurts, probe = wound * gain * excess, m.parameter("pain.test_stimulus") * gain * excess
    scale = m.parameter("pain.scale_top") * left
    about = "pain of a wound, NRS points (0-10)"
    acute = m.offers("pain.acute", scale * hurts / (1 + hurts), "points", about=about)
    about = "pain that a brief standard stimulus would give now, NRS points (0-10)"
    m.offers("pain.evoked", scale * probe / (1 + probe), "points", about=about)
    _demand(m, acute)


def _acute_relief(m: Stage) -> sympy.Symbol:
    drug = m.needs("plasma.esketamine", "umol/L")
    pace = log(2) / m.parameter("pain.acute_half_life")
    about = "S-ketamine at the site of acute relief, plasma-equivalent"
    site = m.state("pain.acute_site", "umol/L", scale=0.05, about=about)
    m.rate(site, +pace * drug, because="follows plasma S-ketamine")
    m.rate(site, -pace * site, because="fades with the half-life of the relief")
    relief = hill(site, m.parameter("pain.acute_half"), 1)
    return m.offers("pain.acute_relief", relief, "1", about="share of pain relieved while the drug is there")


def _norketamine(m: Stage) -> sympy.Expr:
    """How many times norketamine raises the odds of pain, 1 without it."""
    return 1 + m.parameter("pain.norketamine_gain") * m.needs("plasma.s_norketamine", "umol/L")


def _undone(m: Stage) -> sympy.Symbol:
    """How fast block in the dorsal horn undoes sensitisation, over the speed at which it comes back; 1 at the C50.

    Odds of block are proportional to drug, so this is plasma S-ketamine over its C50 when only S-ketamine is there.
    B (1 + B) stands for the odds B / (1 - B): 3 % less at 18 % block, and finite when every receptor is blocked.
    """
    blocked = m.needs("nmda.blocked_spinal", "1")
    plasma = blocked * (1 + blocked) / m.parameter("pain.spinal_odds")
    about = "block of the dorsal horn, over that which holds half of chronic sensitisation down"
    return m.offers("pain.depotentiation", plasma / m.parameter("pain.lasting_half"), "1", about=about)


def _chronic(m: Stage, undone: sympy.Symbol) -> sympy.Symbol:
    """Chronic sensitisation, 1 at the patient's own rest; returns the share of chronic pain relieved by its loss.

    Logistic growth, undone in proportion to block: under S-ketamine this is, but for that, the slow effect site
    of Dahan 2011 with a Hill exponent of 1, read backwards.
    """
    level = m.state("pain.sensitisation", "1", at_rest=1.0, within=(0, 1), about="chronic sensitisation, 1 at own rest")
    pace = log(2) / m.parameter("pain.lasting_half_life")
    m.rate(level, +pace * level * (1 - level), because="what is left of it recruits the rest again")
    m.rate(level, -pace * undone * level * level, because="synapses depotentiate while NMDA receptors are blocked")
    m.offers("pain.reversal_odds", (1 - level) / level, "1", about="sensitisation lost over sensitisation left")
    relieved = m.parameter("pain.lasting_maximum") * (1 - level)
    return m.offers("pain.lasting_relief", relieved, "1", about="share of chronic pain relieved for weeks")


def _wind_up(m: Stage, wound: sympy.Expr, morphine: sympy.Symbol, undone: sympy.Symbol) -> sympy.Symbol:
    """Acute central sensitisation, 0 at rest: what a wound or opioids leave in the dorsal horn for days."""
    level = m.state("pain.wind_up", "1", within=(0, 1), scale=0.1, about="acute central sensitisation, 0 at rest")
    free = (1 - m.needs("nmda.blocked_spinal", "1")) * (1 - level)
    induction, hyperalgesia = m.parameter("pain.wind_up_rate"), m.parameter("pain.opioid_hyperalgesia")
    driven = wound / (1 + wound)
    m.rate(level, +induction * driven * free, because="noxious input potentiates through free NMDA receptors")
    m.rate(level, +hyperalgesia * morphine * free, because="opioids sensitise through free NMDA receptors")
    fading = m.parameter("pain.wind_up_fading")
    m.rate(level, -fading * level, because="fades over days without input")
    m.rate(level, -fading * undone * level, because="and faster while block undoes it, as chronic sensitisation")
    return level


def _morphine(m: Stage) -> sympy.Symbol:
    amount = m.state("pain.morphine", "umol", scale=10.0, about="morphine in the body")
    m.rate(amount, -m.parameter("pain.morphine_elimination") * amount, because="elimination")
    open_share = 1 - m.parameter("perturbation.naltrexone")
    effect = open_share * hill(amount, m.parameter("pain.morphine_half"), 1)
    return m.offers("pain.morphine_relief", effect, "1", about="share of acute pain that morphine relieves")


def _demand(m: Stage, acute: sympy.Symbol) -> None:
    """Patient-controlled morphine: asked for in proportion to how much it hurts, up to what the pump allows."""
    allowed = m.parameter("person.morphine_on_demand") * m.parameter("pain.demand_maximum")
    asked = allowed * hill(acute, m.parameter("pain.demand_half"), 2)
    taken = m.state("pain.morphine_taken", "umol", scale=100.0, accumulates=True, about="morphine taken from the pump")
    m.rate(m.own("pain.morphine"), +asked, because="the patient presses the button")
    m.rate(taken, +asked, because="the pump counts")
    m.offers("pain.morphine_demand", asked, "umol/h", about="morphine asked for")


def _hope(m: Stage) -> sympy.Symbol:
    trust = m.state("pain.trust", "1", scale=0.1, about="hope as pain has felt it so far, above rest")
    hope = m.needs("expectancy.hope", "1") - m.resting("expectancy.hope", "1")
    pace = m.parameter("pain.placebo_pace")
    m.rate(trust, +pace * hope, because="relief by hope is learnt day by day")
    m.rate(trust, -pace * trust, because="and forgotten as slowly")
    return trust
