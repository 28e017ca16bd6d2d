"""Sedation: depth on an electroencephalogram-like scale and the probability of being awake."""

from __future__ import annotations

import sympy

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def sedation(stage: Stage) -> None:
    """Depth (0-1) and consciousness (probability of being awake), from both enantiomers and midazolam.

    S-ketamine slows the electroencephalogram 2.3 times as potently as R (Schuttler: 0.8 and 1.8 ug/mL).
    Patients wake near 640 ng/mL racemic and are operated on near 2,200 (Idvall 1979). Norketamine adds a
    little and delays waking after long infusions. The site of anaesthesia equilibrates faster than that
    of the slower effects, because induction takes half a minute. Site: plasma-equivalent S-ketamine,
    umol/L.
    """
    potency = stage.parameter("sedation.r_potency")
    parent = stage.input("plasma.esketamine", "umol/L") + potency * stage.input("plasma.arketamine", "umol/L")
    metabolite = stage.input("plasma.s_norketamine", "umol/L") + potency * stage.input("plasma.r_norketamine", "umol/L")
    arterial = parent + stage.parameter("sedation.norketamine_potency") * metabolite
    pace = stage.parameter("sedation.ke0")
    site = stage.state(
        "sedation.site", "umol/L", description="drug at the site of anaesthesia, plasma-equivalent S-ketamine"
    )
    stage.rate(site, +pace * arterial, because="entry from arterial plasma")
    stage.rate(site, -pace * site, because="return to plasma")
    midazolam = stage.parameter("sedation.midazolam_weight") * stage.input("other_treatments.midazolam_effect", "1")
    strength = site / stage.parameter("sedation.waking_level") + midazolam + _anaesthetic(stage)
    one = stage.parameter("sedation.waking_strength")
    depth = hill(strength, one, stage.parameter("sedation.depth_steepness"))
    stage.output("sedation.depth", depth, "1", description="depth of sedation: 0 alert, 1 fully anaesthetised")
    asleep = hill(strength, one, stage.parameter("sedation.waking_steepness"))
    stage.output("sedation.consciousness", 1 - asleep, "1", description="probability of being awake")
    _restoration(stage, asleep)


def _restoration(stage: Stage, asleep: sympy.Expr) -> None:
    """Waking is not the end of it: faculties are back only one and a half to three hours later (Mashour 2021)."""
    left = stage.state("sedation.residual", "1", bounds=(0, 1), description="what unconsciousness leaves, 0 at rest")
    settling, recovery = stage.parameter("sedation.recovery_onset_rate"), stage.parameter("sedation.recovery_rate")
    stage.rate(left, +settling * asleep * (1 - left), because="the network settles into unconsciousness within minutes")
    stage.rate(left, -recovery * left, because="and is itself again an hour or more after waking")
    stage.output(
        "sedation.recovered_activity",
        (1 - asleep) * (1 - left),
        "1",
        description="share of the activity of waking that is there",
    )


def _anaesthetic(stage: Stage) -> sympy.Expr:
    """A general anaesthetic other than ketamine (propofol, a gas), kept at its usual level while it is given."""
    level = stage.state("sedation.anaesthetic", "1", description="other general anaesthetic, share of its usual level")
    stage.rate(level, -stage.parameter("sedation.anaesthetic_elimination") * level, because="breathed out or cleared")
    held = hill(level, stage.parameter("sedation.anaesthetic_ec50"), stage.parameter("sedation.depth_steepness"))
    stage.output(
        "sedation.cortex_silenced", held, "1", description="share of cortex silenced by another general anaesthetic"
    )
    return stage.parameter("sedation.anaesthetic_weight") * level
