"""Cognition and thought: impaired while the drug acts; afterwards a little better, less ruminative, more hopeful."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, exp, hill


def cognition(m: Stage) -> None:
    """Performance, rumination and belief updating, each 1 at the person's own drug-free rest.

    Block of pyramidal NMDA receptors and sedation impair performance for hours at most. Over days performance gains
    with dorsolateral prefrontal cortex and hippocampus (processing speed rose by half an SD after six infusions, Zhou
    2021), and rumination falls as the default mode network goes less with subgenual cingulate (Hamilton 2015) and more
    with dorsolateral control. Beliefs take in good news more readily while the habenula, which signals disappointment,
    is silent, and as medial prefrontal cortex regains strength.
    """
    blocked = m.needs("nmda.blocked_pyramidal", "1")
    reach, half = m.parameter("cognition.block_reach"), m.parameter("cognition.block_half")
    intact = (1 - reach * hill(blocked, half, 1)) * (1 - m.needs("sedation.depth", "1"))
    share = m.parameter("cognition.hippocampus_share")
    memory = share * _relative(m, "areas.hippocampus_tone")
    control = (1 - share) * _relative(m, "areas.dorsolateral_prefrontal_tone")
    gain = _lagging(m, "gain", control + memory, "performance")
    m.offers("cognition.performance", intact * exp(gain), "1", about="speed and memory, fold of own rest")
    loops = _lagging(m, "loops", _caught(m), "rumination")
    m.offers("cognition.rumination", exp(loops), "1", about="ruminative thought, fold of own rest")
    m.offers("cognition.belief_updating", intact * (1 + _open(m)), "1", about="uptake of good news, fold of own rest")


def _caught(m: Stage) -> sympy.Expr:
    """Default mode bound to subgenual cingulate rather than to control: one relative change less the other."""
    return _relative(m, "areas.subgenual_default_mode") - _relative(m, "areas.control_default_mode")


def _open(m: Stage) -> sympy.Expr:
    """Habenular silence as a share of the depressed excess, and medial prefrontal tone regained."""
    quiet = m.resting("habenula.bursting", "1") - m.needs("habenula.bursting", "1")
    silenced = quiet / m.parameter("habenula.bursting_depressed")
    regained = _relative(m, "areas.medial_prefrontal_tone")
    return m.parameter("cognition.belief_habenula") * silenced + m.parameter("cognition.belief_prefrontal") * regained


def _relative(m: Stage, name: str) -> sympy.Expr:
    return m.needs(name, "1") / m.resting(name, "1") - 1


def _lagging(m: Stage, name: str, change: sympy.Expr, words: str) -> sympy.Symbol:
    """Lasting change of a skill of thought, logarithm of its fold: follows the change of a network over days."""
    state = m.state(
        f"cognition.{name}",
        "1",
        within=(None, None),
        scale=0.05,
        about=f"lasting change of {words}, logarithm of the fold of own rest",
    )
    pace = m.parameter("cognition.pace") * m.needs("sedation.consciousness", "1")  # nobody practises asleep
    m.rate(state, +pace * m.parameter(f"cognition.{name}_weight") * change, because="follows the network")
    m.rate(state, -pace * state, because="habits of thought adjust over days")
    return state
