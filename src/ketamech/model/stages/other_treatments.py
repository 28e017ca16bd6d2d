"""Other treatments: oral antidepressant, psychotherapy, electroconvulsive therapy, TMS and midazolam."""

from __future__ import annotations

import sympy

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def other_treatments(stage: Stage) -> None:
    """Each treatment has its own time scale: hours, days, weeks or months; all are 0 at baseline.

    Antidepressant: one dose unit per day; 5-HT1A autoreceptors desensitise over weeks. Psychotherapy: each session
    leaves material from which skill is learnt. ECT and TMS: each session is consolidated over days into plasticity
    that decays over months. Midazolam: hours. Clinical trends: Taylor 2006, Cuijpers 2023, Anderson 2017, Blumberger
    2018.
    """
    _antidepressant(stage)
    _psychotherapy(stage)
    _stimulation(stage, "ect", "electroconvulsive sessions")
    _stimulation(stage, "tms", "magnetic stimulation sessions")
    _midazolam(stage)


def _antidepressant(stage: Stage) -> None:
    level = stage.state("other_treatments.antidepressant", "1", description="antidepressant in the body, daily doses")
    stage.rate(level, -stage.parameter("other_treatments.antidepressant_elimination") * level, because="elimination")
    transporter_block = hill(level, stage.parameter("other_treatments.antidepressant_ec50"), 1)
    rate_constant = stage.parameter("other_treatments.desensitisation_rate_constant")
    desensitised = stage.state(
        "other_treatments.autoreceptor_desensitised",
        "1",
        bounds=(0, 1),
        description="5-HT1A autoreceptors desensitised",
    )
    stage.rate(
        desensitised, +rate_constant * transporter_block, because="raised serotonin desensitises 5-HT1A autoreceptors"
    )
    stage.rate(desensitised, -rate_constant * desensitised, because="autoreceptors recover")
    early_share = stage.parameter("other_treatments.early_serotonin")
    stage.output(
        "other_treatments.serotonin_bias",
        early_share * transporter_block + (1 - early_share) * desensitised,
        "1",
        description="shift of emotional bias by serotonin, 0 at baseline",
    )


def _psychotherapy(stage: Stage) -> None:
    material = stage.state("other_treatments.psychotherapy", "sessions", description="sessions not yet processed")
    skill = stage.state("other_treatments.skill", "1", bounds=(0, 1), description="coping skill learnt, 0 at baseline")
    trkb = stage.input("plasticity.trkb", "1") - stage.baseline("plasticity.trkb", "1")
    learning_factor = 1 + stage.parameter("other_treatments.plasticity_learning") * trkb
    stage.rate(
        material, -stage.parameter("other_treatments.session_decay_rate") * material, because="sessions are forgotten"
    )
    learning = stage.parameter("other_treatments.skill_learning_rate") * learning_factor * material
    stage.rate(
        skill, +learning * (1 - skill), because="practice turns sessions into skill, faster with more plasticity"
    )
    stage.rate(
        skill, -stage.parameter("other_treatments.skill_forgetting_rate") * skill, because="skill decays over a year"
    )


def _stimulation(stage: Stage, name: str, label: str) -> None:
    unconsolidated = stage.state(f"other_treatments.{name}", "sessions", description=f"{label} not yet consolidated")
    plasticity = stage.state(
        f"other_treatments.{name}_plasticity", "1", scale=0.1, description=f"plasticity after {label}"
    )
    consolidation = stage.parameter(f"other_treatments.{name}_consolidation") * unconsolidated
    stage.rate(unconsolidated, -consolidation, because="sessions are consolidated over days")
    stage.rate(
        plasticity,
        +_saturating_gain(stage, name, plasticity) * consolidation,
        because="each session adds plasticity, less near the maximum",
    )
    stage.rate(
        plasticity,
        -stage.parameter(f"other_treatments.{name}_decay_rate") * plasticity,
        because="decay without maintenance sessions",
    )


def _saturating_gain(stage: Stage, name: str, plasticity: sympy.Symbol) -> sympy.Expr:
    return stage.parameter(f"other_treatments.{name}_gain") * (
        1 - plasticity / stage.parameter(f"other_treatments.{name}_ceiling")
    )


def _midazolam(stage: Stage) -> None:
    amount = stage.state("other_treatments.midazolam", "umol", scale=10.0, description="midazolam in the body")
    stage.rate(amount, -stage.parameter("other_treatments.midazolam_elimination") * amount, because="elimination")
    stage.output(
        "other_treatments.midazolam_effect",
        hill(amount, stage.parameter("other_treatments.midazolam_ec50"), 2),
        "1",
        description="midazolam effect, 0 to 1",
    )
