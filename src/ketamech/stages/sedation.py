"""Sedation: depth on an electroencephalogram-like scale and the probability of being awake."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, hill


def sedation(m: Stage) -> None:
    """Depth (0-1) and consciousness (probability of being awake), from both enantiomers and midazolam.

    S-ketamine slows the electroencephalogram 2.3 times as potently as R (Schuttler: 0.8 and 1.8 ug/mL).
    Patients wake near 640 ng/mL racemic and are operated on near 2,200 (Idvall 1979). Norketamine adds a
    little and delays waking after long infusions. The site of anaesthesia equilibrates faster than that
    of the slower effects, because induction takes half a minute. Site: plasma-equivalent S-ketamine,
    umol/L.
    """
    potency = m.parameter("sedation.r_potency")
    parent = m.needs("plasma.esketamine", "umol/L") + potency * m.needs("plasma.arketamine", "umol/L")
    metabolite = m.needs("plasma.s_norketamine", "umol/L") + potency * m.needs("plasma.r_norketamine", "umol/L")
    arterial = parent + m.parameter("sedation.norketamine_potency") * metabolite
    pace = m.parameter("sedation.entry_rate")
    site = m.state("sedation.site", "umol/L", about="drug at the site of anaesthesia, plasma-equivalent S-ketamine")
    m.rate(site, +pace * arterial, because="entry from arterial plasma")
    m.rate(site, -pace * site, because="return to plasma")
    midazolam = m.parameter("sedation.midazolam_weight") * m.needs("comparators.midazolam_effect", "1")
    strength = site / m.parameter("sedation.waking_level") + midazolam + _anaesthetic(m)
    one = m.parameter("sedation.waking_strength")
    depth = hill(strength, one, m.parameter("sedation.depth_steepness"))
    m.offers("sedation.depth", depth, "1", about="depth of sedation: 0 alert, 1 fully anaesthetised")
    asleep = hill(strength, one, m.parameter("sedation.waking_steepness"))
    m.offers("sedation.consciousness", 1 - asleep, "1", about="probability of being awake")
    _restoration(m, asleep)


def _restoration(m: Stage, asleep: sympy.Expr) -> None:
    """Waking is not the end of it: faculties are back only one and a half to three hours later (Mashour 2021)."""
    left = m.state("sedation.aftermath", "1", within=(0, 1), about="what unconsciousness leaves, 0 at rest")
    settling, recovery = m.parameter("sedation.aftermath_onset"), m.parameter("sedation.aftermath_recovery")
    m.rate(left, +settling * asleep * (1 - left), because="the network settles into unconsciousness within minutes")
    m.rate(left, -recovery * left, because="and is itself again an hour or more after waking")
    m.offers("sedation.restored", (1 - asleep) * (1 - left), "1", about="share of the activity of waking that is there")


def _anaesthetic(m: Stage) -> sympy.Expr:
    """A general anaesthetic other than ketamine (propofol, a gas), kept at its usual level while it is given."""
    level = m.state("sedation.anaesthetic", "1", about="other general anaesthetic, share of its usual level")
    m.rate(level, -m.parameter("sedation.anaesthetic_elimination") * level, because="breathed out or cleared")
    held = hill(level, m.parameter("sedation.anaesthetic_half"), m.parameter("sedation.depth_steepness"))
    m.offers("sedation.cortex_silenced", held, "1", about="share of cortex silenced by another general anaesthetic")
    return m.parameter("sedation.anaesthetic_weight") * level
