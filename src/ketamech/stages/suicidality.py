"""Suicidal ideation: points of the Scale for Suicidal Ideation (SSI), 0 to 38."""

from __future__ import annotations

from ketamech.stages.declaration import Stage, exp


def suicidality(m: Stage) -> None:
    """Ideation falls within hours, about a third through mood (Grunebaum 2018), the rest on its own road.

    The habenula acts at once; what its silence leaves behind (relief) fades over days, so the advantage is
    gone within two weeks (Su 2023). A logistic keeps the score on its scale; at rest it is the baseline.
    """
    silenced = (m.resting("habenula.bursting", "1") - m.needs("habenula.bursting", "1")) / m.parameter(
        "habenula.bursting_depressed"
    )
    relief = m.state("suicidality.relief", "1", scale=0.3, about="what habenular silence leaves for days")
    fading = m.parameter("suicidality.relief_fading")
    m.rate(relief, +m.parameter("suicidality.relief_gain") * silenced, because="hours without bursts")
    m.rate(relief, -fading * relief, because="relief fades over days")
    better = -m.needs("mood.change", "points") / m.parameter("mood.scale_top")
    drive = m.offers(
        "suicidality.drive",
        m.parameter("suicidality.mood_weight") * better
        + m.parameter("person.responsiveness")
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
