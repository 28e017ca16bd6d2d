"""Suicidal ideation: points of the Scale for Suicidal Ideation (SSI), 0 to 38."""

from __future__ import annotations

import sympy

from ketamech.model.functions import exp, hill
from ketamech.model.stage import Stage


def suicidality(stage: Stage) -> None:
    """Ideation falls within the hour, about a third through mood (Grunebaum 2018), the rest independently of mood.

    The felt drug effect relieves at once (Zarate 2012) and habenular silence within hours; the relief after habenular
    silence decays over days, so the advantage is gone within two weeks (Su 2023). The sensitivity of ideation to the
    habenula differs between people and diagnoses (`suicidality.sensitivity`): largest in bipolar depression (Abbar
    2022). A crisis resolves by itself after admission. A logistic keeps the score within its scale, and far below the
    baseline ideation stops; without deviations the score is the baseline.
    """
    silenced_fraction = (
        stage.baseline("habenula.bursting", "1") - stage.input("habenula.bursting", "1")
    ) / stage.parameter("habenula.bursting_depressed")
    mood_improvement = -stage.input("mood.change", "points") / stage.parameter("mood.scale_maximum")
    drive = stage.output(
        "suicidality.log_odds_shift",
        stage.parameter("suicidality.mood_weight") * mood_improvement
        + stage.parameter("mood.acute_effect_weight") * stage.input("mood.felt_effect", "1")
        + stage.parameter("suicidality.sensitivity")
        * (
            stage.parameter("suicidality.habenula_weight") * silenced_fraction
            + stage.parameter("suicidality.relief_weight") * _relief(stage, silenced_fraction)
        )
        + stage.parameter("suicidality.crisis_weight") * _resolved_crisis(stage),
        "1",
        description="drive away from ideation, 0 at own baseline, log odds of the scale",
    )
    rate_constant = stage.parameter("suicidality.rate_constant")
    ideation = stage.state(
        "suicidality.ideation", "points", initial_guess=8.0, bounds=(0, 38), scale=5.0, description="SSI total"
    )
    stage.rate(
        ideation,
        +rate_constant * _target(stage, drive),
        because="relaxation towards the score that the drive determines",
    )
    stage.rate(ideation, -rate_constant * ideation, because="relaxation within hours")


def _target(stage: Stage, drive: sympy.Expr) -> sympy.Expr:
    """A logistic of the drive that stops far below the baseline: a third of patients rate 0 after 4 h (Su 2023)."""
    baseline, scale_maximum = stage.parameter("person.baseline_ideation"), stage.parameter("suicidality.scale_maximum")
    share = scale_maximum / (baseline + (scale_maximum - baseline) * exp(drive))
    threshold = stage.parameter("suicidality.threshold")
    return baseline * share * hill(share, threshold, 2) * (1 + threshold**2)


def _relief(stage: Stage, silenced_fraction: sympy.Expr) -> sympy.Symbol:
    relief = stage.state("suicidality.relief", "1", scale=0.3, description="relief after habenular silence")
    decay_rate = stage.parameter("suicidality.relief_decay_rate")
    stage.rate(relief, +stage.parameter("suicidality.relief_gain") * silenced_fraction, because="habenular silence")
    stage.rate(relief, -decay_rate * relief, because="decay over days")
    return relief


def _resolved_crisis(stage: Stage) -> sympy.Symbol:
    """Share of a crisis that has resolved since admission, 0 in a person without a crisis.

    Of inpatients on saline 32 % had full remission of ideation at 3 d and 56 % at 6 weeks (Abbar 2022). All of them
    were admitted, so the rows do not separate the natural course from the effect of admission.
    """
    crisis = stage.state("suicidality.crisis", "1", description="unresolved part of a crisis, 1 at admission")
    resolved = stage.state("suicidality.resolved_crisis", "1", description="resolved part of a crisis")
    resolution = stage.parameter("suicidality.crisis_resolution_rate") * crisis
    stage.rate(crisis, -resolution, because="a crisis resolves by itself over days (saline arm of Abbar 2022)")
    stage.rate(resolved, +resolution, because="what is resolved no longer adds to ideation")
    stage.rate(
        resolved,
        -stage.parameter("suicidality.crisis_recurrence_rate") * resolved,
        because="return of the causes over months (assumed)",
    )
    return resolved
