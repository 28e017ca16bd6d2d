"""Cognition: impaired while the drug acts, a little better and less ruminative afterwards."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, hill


def cognition(m: Stage) -> None:
    """Performance and rumination, each 1 at the person's own drug-free rest.

    Block of pyramidal NMDA receptors and sedation impair performance for hours at most. Over days
    performance gains with prefrontal connectivity (processing speed rose by half an SD after six
    infusions, Zhou 2021) and rumination falls with the default mode network.
    """
    blocked = m.needs("nmda.blocked_pyramidal", "1")
    reach, half = m.parameter("cognition.block_reach"), m.parameter("cognition.block_half")
    intact = (1 - reach * hill(blocked, half, 1)) * (1 - m.needs("sedation.depth", "1"))
    gain = _lagging(m, "gain", "connectivity.prefrontal", "performance")
    m.offers("cognition.performance", intact * (1 + gain), "1", about="speed and memory, fold of own rest")
    loops = _lagging(m, "loops", "connectivity.default_mode", "rumination")
    m.offers("cognition.rumination", 1 + loops, "1", about="ruminative thought, fold of own rest")


def _lagging(m: Stage, name: str, network: str, words: str) -> sympy.Symbol:
    """Lasting change of a skill of thought: follows the relative change of a network over days."""
    change = m.needs(network, "1") / m.resting(network, "1") - 1
    state = m.state(
        f"cognition.{name}",
        "1",
        within=(-1, None),
        scale=0.05,
        about=f"lasting change of {words}, 0 at own rest",
    )
    pace = m.parameter("cognition.pace")
    m.rate(state, +pace * m.parameter(f"cognition.{name}_weight") * change, because="follows the network")
    m.rate(state, -pace * state, because="habits of thought adjust over days")
    return state
