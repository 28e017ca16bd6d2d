"""Mood: Montgomery-Asberg Depression Rating Scale (MADRS) points, 0 to 60."""

from __future__ import annotations

import sympy

from ketamech.model.functions import exp, hill, log
from ketamech.model.stage import Stage


def mood(stage: Stage) -> None:
    """MADRS follows one drive: the sum of all deviations from the person's own baseline, as log odds of the scale.

    The drug acts over minutes (acute euphoria), hours (silent habenula, AMPA surface) and days (spines, through brain
    areas). The effect of brain changes on mood differs between people (responsiveness): trial arms are bimodal. A
    large improvement maintains itself (self-maintenance), so that the gain of a series of doses outlasts the drug; if
    strong enough, the well state persists without drug: the double well of Demic and Cheng 2014. Opioid receptors gate
    the effect of the brain on mood (fully open, unless a model variant closes this gate). All treatments share one
    ceiling of the drive: ketamine added to electroconvulsive sessions adds nothing at the end of the course (Anderson
    2017). A logistic keeps the score within the scale; without deviations the drive is zero and the score is the
    baseline. The weights are log odds of the scale per unit of change.
    """
    self_maintenance = stage.state(
        "mood.self_maintenance", "1", scale=0.1, description="self-maintenance of recovery, fraction of its maximum"
    )
    drive = stage.output(
        "mood.log_odds_shift",
        stage.input("opioid.gate", "1")
        * (stage.parameter("person.responsiveness") * (_network(stage) + _opioid(stage)) + _acute_euphoria(stage))
        - _inflammation(stage)
        + _other_treatments(stage)
        + stage.input("course.relief", "1")
        + stage.parameter("mood.self_maintenance_weight") * self_maintenance,
        "1",
        description="drive towards recovery, 0 at own baseline, log odds of the scale before the shared ceiling",
    )
    baseline, scale_maximum = stage.parameter("person.baseline_madrs"), stage.parameter("mood.scale_maximum")
    rate_constant = stage.parameter("mood.rate_constant")
    madrs = stage.state(
        "mood.madrs", "points", initial_guess=33.0, bounds=(0, 60), scale=10.0, description="MADRS total"
    )
    odds_of_recovery = exp(_below_ceiling(stage, drive))
    target = scale_maximum * baseline / (baseline + (scale_maximum - baseline) * odds_of_recovery)
    stage.rate(madrs, +rate_constant * target, because="relaxation towards the score that the drive determines")
    stage.rate(madrs, -rate_constant * madrs, because="relaxation within an hour")
    self_maintenance_rate = stage.parameter("mood.self_maintenance_rate_constant")
    baseline_madrs = stage.baseline(
        "mood.madrs", "points"
    )  # not person.baseline_madrs: a steady state in the well range must not maintain itself
    ec50 = stage.parameter("mood.self_maintenance_ec50") * baseline_madrs
    recovery = hill(baseline_madrs - madrs, ec50, stage.parameter("mood.self_maintenance_steepness"))
    stage.rate(
        self_maintenance, +self_maintenance_rate * recovery, because="improvement feeds back on itself (assumed)"
    )
    stage.rate(self_maintenance, -self_maintenance_rate * self_maintenance, because="decay over days to weeks")
    stage.output("mood.change", madrs - baseline, "points", description="MADRS change from own baseline")


def _below_ceiling(stage: Stage, drive: sympy.Expr) -> sympy.Expr:
    """Hyperbolic tangent: a small drive as it is, a large one (of either sign) up to the ceiling."""
    ceiling = stage.parameter("mood.drive_ceiling")
    return ceiling * (1 - 2 / (1 + exp(2 * drive / ceiling)))


def _network(stage: Stage) -> sympy.Expr:
    """Regained regulation by brain areas, and silenced habenular bursting as a fraction of the depressed value.

    Regulation: higher tone of medial prefrontal cortex and lower tone of subgenual cingulate (Mayberg). Lasting tone
    counts, not activity during the infusion. A silent habenula disinhibits the cortex, which expresses it through AMPA
    receptors (NBQX abolishes the early effect in rodents as well: Maeng 2008, Koike 2014), or it reaches mood
    directly; a parameter sets the share of each path.
    """
    regulation = stage.parameter("mood.prefrontal_share") * _change(stage, "brain_network.medial_prefrontal_tone")
    regulation -= stage.parameter("mood.subgenual_share") * _change(stage, "brain_network.subgenual_cingulate_tone")
    silenced_fraction = -_change(stage, "habenula.bursting") / stage.parameter("habenula.bursting_depressed")
    ampa_current, ec50 = stage.input("ampa.current", "1"), stage.parameter("mood.expression_ec50")
    cortical_share = stage.parameter("mood.habenula_through_cortex")
    habenula_effect = (
        1 - cortical_share + cortical_share * ampa_current * (1 + ec50) / (ampa_current + ec50)
    ) * silenced_fraction
    regulation *= _ampa_expression(stage)
    return (
        stage.parameter("mood.connectivity_weight") * regulation
        + stage.parameter("mood.habenula_weight") * habenula_effect
    )


def _ampa_expression(stage: Stage) -> sympy.Expr:
    """Fraction of the network gain that is expressed: 1 without an AMPA antagonist, 0 when all receptors are blocked.

    NBQX half an hour before the test abolishes the effect of ketamine one day later (Koike 2014).
    """
    unblocked, ec50 = 1 - stage.input("tool_compounds.nbqx_share", "1"), stage.parameter("mood.expression_ec50")
    return unblocked * (1 + ec50) / (unblocked + ec50)


def _opioid(stage: Stage) -> sympy.Expr:
    return stage.parameter("mood.opioid_weight") * _change(stage, "opioid.tone")


def _acute_euphoria(stage: Stage) -> sympy.Expr:
    """Acute relief that accompanies dissociation while awake: mood is better 40 min after the start of an infusion.

    Effect sizes of 0.5 and 0.9 against saline (Diazgranados 2010, Zarate 2012). Expressed through cortical AMPA
    receptors like the network gain: NBQX also abolishes the effect of the first half hour (Maeng 2008).
    """
    felt = stage.output(
        "mood.felt_effect",
        hill(stage.input("dissociation.cadss", "points"), stage.parameter("mood.acute_effect_ec50"), 1),
        "1",
        description="drug effect that a person who is awake feels, fraction of its maximum",
    )
    return stage.parameter("mood.acute_effect_weight") * felt * _ampa_expression(stage)


def _inflammation(stage: Stage) -> sympy.Expr:
    """IL-6 on a log scale, because inflammation spans orders of magnitude; mood correlated with IL-6 (Engler 2017)."""
    cytokine = log(stage.input("inflammation.il6", "1") / stage.baseline("inflammation.il6", "1"))
    return stage.parameter("mood.inflammation_weight") * cytokine


def _other_treatments(stage: Stage) -> sympy.Expr:
    """Serotonergic bias, coping skill and expectancy."""
    return (
        stage.parameter("mood.serotonin_weight") * stage.input("other_treatments.serotonin_bias", "1")
        + stage.parameter("mood.skill_weight") * stage.input("other_treatments.skill", "1")
        + stage.parameter("mood.expectancy_weight") * stage.input("expectancy.effect", "1")
    )


def _change(stage: Stage, name: str) -> sympy.Expr:
    return stage.input(name, "1") - stage.baseline(name, "1")
