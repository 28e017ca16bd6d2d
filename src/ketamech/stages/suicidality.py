"""Suicidal ideation: points of the Scale for Suicidal Ideation (SSI), 0 to 38."""

from __future__ import annotations

from ketamech.stages.declaration import Stage, exp, hill


def suicidality(m: Stage) -> None:
    """Ideation falls within the hour, about a third through mood (Grunebaum 2018), the rest on its own road.

    What is felt of the drug while awake relieves at once (Zarate 2012) and the habenula within hours; what its silence
    leaves behind (relief) fades over days, so the advantage is gone within two weeks (Su 2023). How far ideation
    follows the habenula is a person's own (`suicidality.sensitivity`): some lose it altogether, many keep most. A
    logistic keeps the score on its scale; at rest it is the baseline.
    """
    silenced = (m.resting("habenula.bursting", "1") - m.needs("habenula.bursting", "1")) / m.parameter(
        "habenula.bursting_depressed"
    )
    relief = m.state("suicidality.relief", "1", scale=0.3, about="what habenular silence leaves for days")
    fading = m.parameter("suicidality.relief_fading")
    m.rate(relief, +m.parameter("suicidality.relief_gain") * silenced, because="hours without bursts")
    m.rate(relief, -fading * relief, because="relief fades over days")
    better = -m.needs("mood.change", "points") / m.parameter("mood.scale_top")
    felt = hill(m.needs("dissociation.cadss", "points"), m.parameter("suicidality.lift_half"), 1)
    drive = m.offers(
        "suicidality.drive",
        m.parameter("suicidality.mood_weight") * better
        + m.parameter("suicidality.lift_weight") * felt * m.needs("sedation.consciousness", "1")
        + m.parameter("suicidality.sensitivity")
        * (m.parameter("suicidality.habenula_weight") * silenced + m.parameter("suicidality.relief_weight") * relief),
        "1",
        about="push away from ideation, 0 at own rest, log odds of the scale",
    )
    baseline, top = m.parameter("person.baseline_ideation"), m.parameter("suicidality.scale_top")
    pace = m.parameter("suicidality.pace")
    ideation = m.state("suicidality.ideation", "points", at_rest=8.0, within=(0, 38), scale=5.0, about="SSI total")
    target = top * baseline / (baseline + (top - baseline) * exp(drive))
    m.rate(ideation, +pace * target, because="the drive moves the score within its bounds")
    m.rate(ideation, -pace * ideation, because="ideation follows within hours")
