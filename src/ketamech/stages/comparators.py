"""Other treatments: oral antidepressant, psychotherapy, electroconvulsive therapy, TMS and midazolam."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, hill


def comparators(m: Stage) -> None:
    """Each comparator keeps its own clock: hours, days, weeks or months; all rest at zero.

    Antidepressant: one dose unit a day; 5-HT1A autoreceptors desensitise over weeks. Psychotherapy: each
    session leaves material from which skill is learnt. ECT and TMS: each session is consolidated over days
    into plasticity that fades over months. Midazolam: hours. Clinical trends: Taylor 2006, Cuijpers 2023,
    Anderson 2017, Blumberger 2018.
    """
    _antidepressant(m)
    _psychotherapy(m)
    _stimulation(m, "ect", "electroconvulsive sessions")
    _stimulation(m, "tms", "magnetic stimulation sessions")
    _midazolam(m)


def _antidepressant(m: Stage) -> None:
    level = m.state("comparators.antidepressant", "1", about="antidepressant in the body, daily doses")
    m.rate(level, -m.parameter("comparators.antidepressant_elimination") * level, because="elimination")
    blocked = hill(level, m.parameter("comparators.antidepressant_half"), 1)
    pace = m.parameter("comparators.desensitisation_pace")
    desensitised = m.state(
        "comparators.autoreceptor_desensitised", "1", within=(0, 1), about="5-HT1A autoreceptors desensitised"
    )
    m.rate(desensitised, +pace * blocked, because="raised serotonin desensitises 5-HT1A autoreceptors")
    m.rate(desensitised, -pace * desensitised, because="autoreceptors recover")
    early = m.parameter("comparators.early_serotonin")
    m.offers(
        "comparators.serotonin_bias",
        early * blocked + (1 - early) * desensitised,
        "1",
        about="shift of emotional bias by serotonin, 0 at rest",
    )


def _psychotherapy(m: Stage) -> None:
    material = m.state("comparators.psychotherapy", "sessions", about="sessions not yet worked through")
    skill = m.state("comparators.skill", "1", within=(0, 1), about="coping skill learnt, 0 at rest")
    trkb = m.needs("plasticity.trkb", "1") - m.resting("plasticity.trkb", "1")
    faster = 1 + m.parameter("comparators.plasticity_learning") * trkb
    m.rate(material, -m.parameter("comparators.session_fading") * material, because="sessions recede")
    learning = m.parameter("comparators.learning") * faster * material
    m.rate(skill, +learning * (1 - skill), because="practice turns sessions into skill, faster when plastic")
    m.rate(skill, -m.parameter("comparators.forgetting") * skill, because="skill fades over a year")


def _stimulation(m: Stage, name: str, words: str) -> None:
    given = m.state(f"comparators.{name}", "sessions", about=f"{words} not yet consolidated")
    plastic = m.state(f"comparators.{name}_plasticity", "1", scale=0.1, about=f"plasticity left by {words}")
    taking_in = m.parameter(f"comparators.{name}_consolidation") * given
    m.rate(given, -taking_in, because="sessions are consolidated over days")
    m.rate(plastic, +_grown(m, name, plastic) * taking_in, because="each session adds, less near the ceiling")
    m.rate(plastic, -m.parameter(f"comparators.{name}_fading") * plastic, because="fades without maintenance")


def _grown(m: Stage, name: str, plastic: sympy.Symbol) -> sympy.Expr:
    return m.parameter(f"comparators.{name}_gain") * (1 - plastic / m.parameter(f"comparators.{name}_ceiling"))


def _midazolam(m: Stage) -> None:
    amount = m.state("comparators.midazolam", "umol", scale=10.0, about="midazolam in the body")
    m.rate(amount, -m.parameter("comparators.midazolam_elimination") * amount, because="elimination")
    m.offers(
        "comparators.midazolam_effect",
        hill(amount, m.parameter("comparators.midazolam_half"), 2),
        "1",
        about="midazolam effect, 0 to 1",
    )
