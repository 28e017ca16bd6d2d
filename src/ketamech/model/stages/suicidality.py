"""Suicidal ideation: points of the Scale for Suicidal Ideation (SSI), 0 to 38."""

from __future__ import annotations

from ketamech.model.functions import exp, hill
from ketamech.model.stage import Stage


def suicidality(stage: Stage) -> None:
    """Ideation falls within the hour, about a third through mood (Grunebaum 2018), the rest on its own road.

    What is felt of the drug while awake relieves at once (Zarate 2012) and the habenula within hours; what its silence
    leaves behind (relief) fades over days, so the advantage is gone within two weeks (Su 2023). How far ideation
    follows the habenula is a person's own (`suicidality.sensitivity`): some lose it altogether, many keep most. A
    logistic keeps the score on its scale; at rest it is the baseline.
    """
    silenced = (stage.baseline("habenula.bursting", "1") - stage.input("habenula.bursting", "1")) / stage.parameter(
        "habenula.bursting_depressed"
    )
    relief = stage.state("suicidality.relief", "1", scale=0.3, description="what habenular silence leaves for days")
    fading = stage.parameter("suicidality.relief_decay_rate")
    stage.rate(relief, +stage.parameter("suicidality.relief_gain") * silenced, because="hours without bursts")
    stage.rate(relief, -fading * relief, because="relief fades over days")
    better = -stage.input("mood.change", "points") / stage.parameter("mood.scale_maximum")
    felt = hill(stage.input("dissociation.cadss", "points"), stage.parameter("suicidality.acute_effect_ec50"), 1)
    drive = stage.output(
        "suicidality.log_odds_shift",
        stage.parameter("suicidality.mood_weight") * better
        + stage.parameter("suicidality.acute_effect_weight") * felt * stage.input("sedation.consciousness", "1")
        + stage.parameter("suicidality.sensitivity")
        * (
            stage.parameter("suicidality.habenula_weight") * silenced
            + stage.parameter("suicidality.relief_weight") * relief
        ),
        "1",
        description="push away from ideation, 0 at own rest, log odds of the scale",
    )
    baseline, top = stage.parameter("person.baseline_ideation"), stage.parameter("suicidality.scale_maximum")
    pace = stage.parameter("suicidality.rate_constant")
    ideation = stage.state(
        "suicidality.ideation", "points", initial_guess=8.0, bounds=(0, 38), scale=5.0, description="SSI total"
    )
    target = top * baseline / (baseline + (top - baseline) * exp(drive))
    stage.rate(ideation, +pace * target, because="the drive moves the score within its bounds")
    stage.rate(ideation, -pace * ideation, because="ideation follows within hours")
