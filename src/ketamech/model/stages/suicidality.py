"""Suicidal ideation: points of the Scale for Suicidal Ideation (SSI), 0 to 38."""

from __future__ import annotations

from ketamech.model.functions import exp, hill
from ketamech.model.stage import Stage


def suicidality(stage: Stage) -> None:
    """Ideation falls within the hour, about a third through mood (Grunebaum 2018), the rest independently of mood.

    Perceived drug effects while awake relieve at once (Zarate 2012) and habenular silence within hours; the relief
    after habenular silence decays over days, so the advantage is gone within two weeks (Su 2023). The sensitivity of
    ideation to the habenula differs between people (`suicidality.sensitivity`): in some ideation stops, in many most
    of it remains. A logistic keeps the score within its scale; without deviations it is the baseline.
    """
    silenced_fraction = (
        stage.baseline("habenula.bursting", "1") - stage.input("habenula.bursting", "1")
    ) / stage.parameter("habenula.bursting_depressed")
    relief = stage.state("suicidality.relief", "1", scale=0.3, description="relief after habenular silence")
    decay_rate = stage.parameter("suicidality.relief_decay_rate")
    stage.rate(relief, +stage.parameter("suicidality.relief_gain") * silenced_fraction, because="habenular silence")
    stage.rate(relief, -decay_rate * relief, because="decay over days")
    mood_improvement = -stage.input("mood.change", "points") / stage.parameter("mood.scale_maximum")
    perceived_effect = hill(
        stage.input("dissociation.cadss", "points"), stage.parameter("suicidality.acute_effect_ec50"), 1
    )
    drive = stage.output(
        "suicidality.log_odds_shift",
        stage.parameter("suicidality.mood_weight") * mood_improvement
        + stage.parameter("suicidality.acute_effect_weight")
        * perceived_effect
        * stage.input("sedation.consciousness", "1")
        + stage.parameter("suicidality.sensitivity")
        * (
            stage.parameter("suicidality.habenula_weight") * silenced_fraction
            + stage.parameter("suicidality.relief_weight") * relief
        ),
        "1",
        description="drive away from ideation, 0 at own baseline, log odds of the scale",
    )
    baseline, scale_maximum = stage.parameter("person.baseline_ideation"), stage.parameter("suicidality.scale_maximum")
    rate_constant = stage.parameter("suicidality.rate_constant")
    ideation = stage.state(
        "suicidality.ideation", "points", initial_guess=8.0, bounds=(0, 38), scale=5.0, description="SSI total"
    )
    target = scale_maximum * baseline / (baseline + (scale_maximum - baseline) * exp(drive))
    stage.rate(ideation, +rate_constant * target, because="relaxation towards the score that the drive determines")
    stage.rate(ideation, -rate_constant * ideation, because="relaxation within hours")
