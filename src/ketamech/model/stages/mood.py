"""Mood: Montgomery-Asberg Depression Rating Scale (MADRS) points, 0 to 60."""

from __future__ import annotations

import sympy

from ketamech.model.functions import exp, hill, log
from ketamech.model.stage import Stage


def mood(stage: Stage) -> None:
    """Everything that differs from the person's own rest adds to one drive; MADRS follows it.

    Carriers of the drug: minutes (the lift of feeling it), hours (silent habenula, AMPA surface) and days (spines,
    through brain areas). How far a person's mood follows his own brain differs between people (responsiveness): arms
    of trials are bimodal. Recovery feeds on itself once it is large (momentum), so that what a series has gained
    outlasts the drug; strong enough, it holds a person well without any: the double well of Demic and Cheng 2014.
    What the brain does reaches mood as far as opioid receptors permit (wholly, unless a rival wiring shuts that gate).
    A logistic keeps the score within the scale; at rest the drive is zero and the score is the baseline.
    The weights are log odds of the scale per unit of change.
    """
    momentum = stage.state(
        "mood.self_maintenance", "1", scale=0.1, description="what recovery itself has set going, share of the most"
    )
    drive = stage.output(
        "mood.log_odds_shift",
        stage.input("opioid.gate", "1")
        * (stage.parameter("person.responsiveness") * (_network(stage) + _opioid(stage)) + _acute_euphoria(stage))
        - _inflammation(stage)
        + _other_treatments(stage)
        + stage.parameter("mood.self_maintenance_weight") * momentum,
        "1",
        description="push towards recovery, 0 at own rest, log odds of the scale",
    )
    baseline, top = stage.parameter("person.baseline_madrs"), stage.parameter("mood.scale_maximum")
    pace = stage.parameter("mood.rate_constant")
    madrs = stage.state(
        "mood.madrs", "points", initial_guess=33.0, bounds=(0, 60), scale=10.0, description="MADRS total"
    )
    target = top * baseline / (baseline + (top - baseline) * exp(drive))
    stage.rate(madrs, +pace * target, because="the drive moves the score within its bounds")
    stage.rate(madrs, -pace * madrs, because="mood follows within the hour")
    gathering = stage.parameter("mood.self_maintenance_rate_constant")
    rested = stage.baseline(
        "mood.madrs", "points"
    )  # not the baseline: a rest state among the well must not hold itself up
    enough = stage.parameter("mood.self_maintenance_ec50") * rested
    recovered = hill(rested - madrs, enough, stage.parameter("mood.self_maintenance_steepness"))
    stage.rate(momentum, +gathering * recovered, because="who is much better sleeps, moves and meets people")
    stage.rate(momentum, -gathering * momentum, because="and loses it again over days to weeks")
    stage.output("mood.change", madrs - baseline, "points", description="MADRS change from own baseline")


def _network(stage: Stage) -> sympy.Expr:
    """What areas have regained (regulation), and habenular bursting silenced as a share of the depressed excess.

    Regulation: a stronger medial prefrontal cortex and a calmer subgenual cingulate (Mayberg). Their lasting tone
    counts, not the hour of the infusion. A silent habenula frees the cortex, which expresses it through AMPA receptors
    (NBQX abolishes the early effect in rodents as well: Maeng 2008, Koike 2014), or reaches mood on a road of its own,
    by the share that a wiring gives to either.
    """
    regulated = stage.parameter("mood.prefrontal_share") * _change(stage, "brain_network.medial_prefrontal_tone")
    regulated -= stage.parameter("mood.subgenual_share") * _change(stage, "brain_network.subgenual_cingulate_tone")
    silenced = -_change(stage, "habenula.bursting") / stage.parameter("habenula.bursting_depressed")
    current, half = stage.input("ampa.current", "1"), stage.parameter("mood.expression_ec50")
    through = stage.parameter("mood.habenula_through_cortex")
    expressed = (1 - through + through * current * (1 + half) / (current + half)) * silenced
    regulated *= _ampa_expression(stage)
    return stage.parameter("mood.connectivity_weight") * regulated + stage.parameter("mood.habenula_weight") * expressed


def _ampa_expression(stage: Stage) -> sympy.Expr:
    """Share of what the network has gained that shows: 1 without an AMPA antagonist, none when all are blocked.

    NBQX half an hour before the test abolishes the effect of ketamine a day later (Koike 2014).
    """
    open_share, half = 1 - stage.input("tool_compounds.nbqx_share", "1"), stage.parameter("mood.expression_ec50")
    return open_share * (1 + half) / (open_share + half)


def _opioid(stage: Stage) -> sympy.Expr:
    return stage.parameter("mood.opioid_weight") * _change(stage, "opioid.tone")


def _acute_euphoria(stage: Stage) -> sympy.Expr:
    """Acute relief, tied to dissociation while awake and gone with it: 40 min after the start mood is better already.

    Effect sizes of 0.5 and 0.9 against saline (Diazgranados 2010, Zarate 2012). It shows through cortical AMPA
    receptors like the rest: NBQX abolishes the effect of the first half hour too (Maeng 2008).
    """
    felt = hill(stage.input("dissociation.cadss", "points"), stage.parameter("mood.acute_effect_ec50"), 1)
    return (
        stage.parameter("mood.acute_effect_weight")
        * felt
        * stage.input("sedation.consciousness", "1")
        * _ampa_expression(stage)
    )


def _inflammation(stage: Stage) -> sympy.Expr:
    """IL-6 on a log scale, for inflammation spans orders of magnitude; it is what mood followed (Engler 2017)."""
    cytokine = log(stage.input("inflammation.il6", "1") / stage.baseline("inflammation.il6", "1"))
    return stage.parameter("mood.inflammation_weight") * cytokine


def _other_treatments(stage: Stage) -> sympy.Expr:
    """Serotonin's bias, learnt skill, and hope."""
    return (
        stage.parameter("mood.serotonin_weight") * stage.input("other_treatments.serotonin_bias", "1")
        + stage.parameter("mood.skill_weight") * stage.input("other_treatments.skill", "1")
        + stage.parameter("mood.expectancy_weight") * stage.input("expectancy.effect", "1")
    )


def _change(stage: Stage, name: str) -> sympy.Expr:
    return stage.input(name, "1") - stage.baseline(name, "1")
