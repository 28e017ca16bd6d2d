"""Sedation: depth on an electroencephalogram-like scale and the probability of being awake."""

from __future__ import annotations

import sympy

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def sedation(stage: Stage) -> None:
    """Depth (0-1) and consciousness (probability of being awake), from both enantiomers and midazolam.

    S-ketamine slows the electroencephalogram 2.3 times as potently as R (Schuttler: 0.8 and 1.8 ug/mL). Patients wake
    near 640 ng/mL racemic and undergo surgery near 2,200 (Idvall 1979). Norketamine counts in rats and mice only: in
    humans sedation after a spray is over by 1.5 h (label), when norketamine is at its peak. The site of anaesthesia
    equilibrates faster than that of the slower effects, because induction takes half a minute. Site:
    plasma-equivalent S-ketamine, umol/L.
    """
    r_potency = stage.parameter("sedation.r_potency")
    parent = stage.input("plasma.esketamine", "umol/L") + r_potency * stage.input("plasma.arketamine", "umol/L")
    metabolite = stage.input("plasma.s_norketamine", "umol/L") + r_potency * stage.input(
        "plasma.r_norketamine", "umol/L"
    )
    arterial_equivalent = parent + stage.parameter("sedation.norketamine_potency") * metabolite
    ke0 = stage.parameter("sedation.ke0")
    site = stage.state(
        "sedation.site", "umol/L", description="drug at the site of anaesthesia, plasma-equivalent S-ketamine"
    )
    stage.rate(site, +ke0 * arterial_equivalent, because="entry from arterial plasma")
    stage.rate(site, -ke0 * site, because="return to plasma")
    midazolam = stage.parameter("sedation.midazolam_weight") * stage.input("other_treatments.midazolam_effect", "1")
    waking_ratio = site / stage.parameter("sedation.waking_level")
    strength = waking_ratio + midazolam + _anaesthetic(stage)  # 1: half of the patients are awake
    depth = hill(strength, 1, stage.parameter("sedation.depth_steepness"))
    stage.output("sedation.depth", depth, "1", description="depth of sedation: 0 alert, 1 fully anaesthetised")
    unconscious = hill(strength, 1, stage.parameter("sedation.waking_steepness"))
    stage.output("sedation.consciousness", 1 - unconscious, "1", description="probability of being awake")
    _recovery(stage, unconscious)


def _recovery(stage: Stage, unconscious: sympy.Expr) -> None:
    """Recovery after anaesthesia: full function returns one and a half to three hours after waking (Mashour 2021)."""
    residual = stage.state(
        "sedation.residual", "1", bounds=(0, 1), description="residual impairment after unconsciousness, 0 at baseline"
    )
    onset_rate, recovery_rate = (
        stage.parameter("sedation.recovery_onset_rate"),
        stage.parameter("sedation.recovery_rate"),
    )
    stage.rate(residual, +onset_rate * unconscious * (1 - residual), because="onset within minutes of unconsciousness")
    stage.rate(residual, -recovery_rate * residual, because="recovery over an hour or more after waking")
    stage.output(
        "sedation.recovered_activity",
        (1 - unconscious) * (1 - residual),
        "1",
        description="waking activity, fraction of normal",
    )


def _anaesthetic(stage: Stage) -> sympy.Expr:
    """A general anaesthetic other than ketamine (propofol, a gas), at its usual level while it is given."""
    level = stage.state(
        "sedation.anaesthetic", "1", description="other general anaesthetic, relative to its usual level"
    )
    stage.rate(level, -stage.parameter("sedation.anaesthetic_elimination") * level, because="exhalation or clearance")
    cortex_silenced = hill(
        level, stage.parameter("sedation.anaesthetic_ec50"), stage.parameter("sedation.depth_steepness")
    )
    stage.output(
        "sedation.cortex_silenced",
        cortex_silenced,
        "1",
        description="fraction of cortex silenced by another general anaesthetic",
    )
    return stage.parameter("sedation.anaesthetic_weight") * level
