"""Mood: Montgomery-Asberg Depression Rating Scale (MADRS) points, 0 to 60."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, exp, hill, log


def mood(m: Stage) -> None:
    """Everything that differs from the person's own rest adds to one drive; MADRS follows it.

    Carriers of the drug: minutes (the lift of feeling it), hours (silent habenula, AMPA surface) and days (spines,
    through brain areas). How far a person's mood follows his own brain differs between people (responsiveness): arms
    of trials are bimodal. Recovery feeds on itself once it is large (momentum), so that what a series has gained
    outlasts the drug; strong enough, it holds a person well without any: the double well of Demic and Cheng 2014.
    What the brain does reaches mood as far as opioid receptors permit (wholly, unless a rival wiring shuts that gate).
    A logistic keeps the score within the scale; at rest the drive is zero and the score is the baseline.
    The weights are log odds of the scale per unit of change.
    """
    momentum = m.state("mood.momentum", "1", scale=0.1, about="what recovery itself has set going, share of the most")
    drive = m.offers(
        "mood.drive",
        m.needs("opioid.permission", "1")
        * (m.parameter("person.responsiveness") * (_network(m) + _opioid(m)) + _lift(m))
        - _inflammation(m)
        + _other_treatments(m)
        + m.parameter("mood.momentum_weight") * momentum,
        "1",
        about="push towards recovery, 0 at own rest, log odds of the scale",
    )
    baseline, top = m.parameter("person.baseline_madrs"), m.parameter("mood.scale_top")
    pace = m.parameter("mood.pace")
    madrs = m.state("mood.madrs", "points", at_rest=33.0, within=(0, 60), scale=10.0, about="MADRS total")
    target = top * baseline / (baseline + (top - baseline) * exp(drive))
    m.rate(madrs, +pace * target, because="the drive moves the score within its bounds")
    m.rate(madrs, -pace * madrs, because="mood follows within the hour")
    gathering = m.parameter("mood.momentum_pace")
    rested = m.resting("mood.madrs", "points")  # not the baseline: a rest state among the well must not hold itself up
    enough = m.parameter("mood.momentum_half") * rested
    recovered = hill(rested - madrs, enough, m.parameter("mood.momentum_steepness"))
    m.rate(momentum, +gathering * recovered, because="who is much better sleeps, moves and meets people")
    m.rate(momentum, -gathering * momentum, because="and loses it again over days to weeks")
    m.offers("mood.change", madrs - baseline, "points", about="MADRS change from own baseline")


def _network(m: Stage) -> sympy.Expr:
    """What areas have regained (regulation), and habenular bursting silenced as a share of the depressed excess.

    Regulation: a stronger medial prefrontal cortex and a calmer subgenual cingulate (Mayberg). Their lasting tone
    counts, not the hour of the infusion. A silent habenula frees the cortex, which expresses it through AMPA receptors
    (NBQX abolishes the early effect in rodents as well: Maeng 2008, Koike 2014), or reaches mood on a road of its own,
    by the share that a wiring gives to either.
    """
    regulated = m.parameter("mood.prefrontal_share") * _change(m, "areas.medial_prefrontal_tone")
    regulated -= m.parameter("mood.subgenual_share") * _change(m, "areas.subgenual_cingulate_tone")
    silenced = -_change(m, "habenula.bursting") / m.parameter("habenula.bursting_depressed")
    current, half = m.needs("ampa.current", "1"), m.parameter("mood.expression_half")
    through = m.parameter("mood.habenula_through_cortex")
    expressed = (1 - through + through * current * (1 + half) / (current + half)) * silenced
    regulated *= _transmitted(m)
    return m.parameter("mood.connectivity_weight") * regulated + m.parameter("mood.habenula_weight") * expressed


def _transmitted(m: Stage) -> sympy.Expr:
    """Share of what the network has gained that shows: 1 without an AMPA antagonist, none when all are blocked.

    NBQX half an hour before the test abolishes the effect of ketamine a day later (Koike 2014).
    """
    open_share, half = 1 - m.needs("antagonists.nbqx_share", "1"), m.parameter("mood.expression_half")
    return open_share * (1 + half) / (open_share + half)


def _opioid(m: Stage) -> sympy.Expr:
    return m.parameter("mood.opioid_weight") * _change(m, "opioid.tone")


def _lift(m: Stage) -> sympy.Expr:
    """Acute relief, tied to dissociation while awake and gone with it: 40 min after the start mood is better already.

    Effect sizes of 0.5 and 0.9 against saline (Diazgranados 2010, Zarate 2012). It shows through cortical AMPA
    receptors like the rest: NBQX abolishes the effect of the first half hour too (Maeng 2008).
    """
    felt = hill(m.needs("dissociation.cadss", "points"), m.parameter("mood.lift_half"), 1)
    return m.parameter("mood.lift_weight") * felt * m.needs("sedation.consciousness", "1") * _transmitted(m)


def _inflammation(m: Stage) -> sympy.Expr:
    """IL-6 on a log scale, for inflammation spans orders of magnitude; it is what mood followed (Engler 2017)."""
    cytokine = log(m.needs("inflammation.il6", "1") / m.resting("inflammation.il6", "1"))
    return m.parameter("mood.inflammation_weight") * cytokine


def _other_treatments(m: Stage) -> sympy.Expr:
    """Serotonin's bias, learnt skill, and hope."""
    return (
        m.parameter("mood.serotonin_weight") * m.needs("comparators.serotonin_bias", "1")
        + m.parameter("mood.skill_weight") * m.needs("comparators.skill", "1")
        + m.parameter("mood.hope_weight") * m.needs("expectancy.hope", "1")
    )


def _change(m: Stage, name: str) -> sympy.Expr:
    return m.needs(name, "1") - m.resting(name, "1")
