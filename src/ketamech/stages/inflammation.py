"""Inflammation: TNF-alpha, IL-6, the IL-10 brake, and the quinolinate branch of kynurenine in brain."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage

CYTOKINES = {"tnf": "TNF-alpha", "il6": "IL-6", "il10": "IL-10"}


def inflammation(m: Stage) -> None:
    """Cytokines relative to a healthy person (1), about a quarter higher in the inflamed depressed.

    Endotoxin raises TNF within 1-2 h, then IL-6, then IL-10, which brakes all production (shape of
    Reynolds and Day 2006). Quinolinate follows the cytokines over days through a saturating step.
    Ketamine lowers production only at levels far above those of an antidepressant dose, so this is a weak
    side branch: findings in people conflict. Challenge: `inflammation.endotoxin` takes single doses (1 =
    a full experimental dose), `perturbation.endotoxin` holds one. Unit: fold of healthy.
    """
    tnf, il6, il10 = (_cytokine(m, name, words) for name, words in CYTOKINES.items())
    brake = m.parameter("inflammation.il10_brake")
    released = _production(m) * (1 + brake) / (1 + brake * il10)
    _follows(m, tnf, "tnf", released, "released by activated monocytes, less what IL-10 brakes")
    _follows(m, il6, "il6", tnf, "induced by TNF-alpha")
    _follows(m, il10, "il10", il6, "induced late, by the cytokines before it")
    _quinolinate(m, (tnf + il6) / 2)


def _production(m: Stage) -> sympy.Expr:
    """Drive of cytokine release, 1 in a healthy person without drug."""
    challenge = m.state("inflammation.endotoxin", "1", about="endotoxin in the body, experimental doses")
    m.rate(
        challenge,
        -m.parameter("inflammation.endotoxin_clearance") * challenge,
        because="cleared and tolerated",
    )
    endotoxin = challenge + m.parameter("perturbation.endotoxin")
    chronic = 1 + m.parameter("inflammation.low_grade") * m.parameter("person.inflammation")
    drug = m.needs("brain.esketamine", "umol/L") + m.needs("brain.arketamine", "umol/L")
    reach = m.parameter("pathway.anti_inflammatory") * m.parameter("inflammation.ketamine_reach")
    held_back = reach * drug / (m.parameter("inflammation.ketamine_half") + drug)
    return chronic * (1 + m.parameter("inflammation.endotoxin_gain") * endotoxin) * (1 - held_back)


def _cytokine(m: Stage, name: str, words: str) -> sympy.Symbol:
    return m.state(f"inflammation.{name}", "1", at_rest=1.0, about=f"{words}, fold of healthy")


def _follows(m: Stage, level: sympy.Symbol, name: str, drive: sympy.Expr, because: str) -> None:
    """The level relaxes to its drive at the cytokine's turnover."""
    pace = m.parameter(f"inflammation.{name}_turnover")
    m.rate(level, +pace * drive, because=because)
    m.rate(level, -pace * level, because="clearance from plasma")


def _quinolinate(m: Stage, cytokines: sympy.Expr) -> None:
    half = m.parameter("inflammation.quinolinate_half")
    level = m.state(
        "inflammation.quinolinate",
        "1",
        at_rest=1.0,
        about="quinolinate in brain (kynurenine branch), fold of healthy",
    )
    pace = m.parameter("inflammation.quinolinate_turnover")
    made = cytokines * (1 + half) / (cytokines + half)
    m.rate(level, +pace * made, because="cytokines induce the kynurenine branch, which saturates")
    m.rate(level, -pace * level, because="broken down and cleared from brain")
