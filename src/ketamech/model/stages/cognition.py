"""Cognition and thought: impaired while the drug acts; afterwards a little better, less ruminative, more hopeful."""

from __future__ import annotations

import sympy

from ketamech.model.functions import exp, hill
from ketamech.model.stage import Stage


def cognition(stage: Stage) -> None:
    """Performance, rumination and belief updating, each 1 at the person's own drug-free rest.

    Block of pyramidal NMDA receptors and sedation impair performance for hours at most. Over days performance gains
    with dorsolateral prefrontal cortex and hippocampus (processing speed rose by half an SD after six infusions, Zhou
    2021), and rumination falls as the default mode network goes less with subgenual cingulate (Hamilton 2015) and more
    with dorsolateral control. Beliefs take in good news more readily while the habenula, which signals disappointment,
    is silent, and as medial prefrontal cortex regains strength.
    """
    blocked = stage.input("nmda.blocked_pyramidal", "1")
    reach, half = stage.parameter("cognition.block_emax"), stage.parameter("cognition.block_ec50")
    intact = (1 - reach * hill(blocked, half, 1)) * (1 - stage.input("sedation.depth", "1"))
    share = stage.parameter("cognition.hippocampus_share")
    memory = share * _relative(stage, "brain_network.hippocampus_tone")
    control = (1 - share) * _relative(stage, "brain_network.dorsolateral_prefrontal_tone")
    gain = _first_order_lag(stage, "performance_log_change", control + memory, "performance")
    stage.output("cognition.performance", intact * exp(gain), "1", description="speed and memory, fold of own rest")
    loops = _first_order_lag(stage, "rumination_log_change", _default_mode_imbalance(stage), "rumination")
    stage.output("cognition.rumination", exp(loops), "1", description="ruminative thought, fold of own rest")
    stage.output(
        "cognition.belief_updating",
        intact * (1 + _openness(stage)),
        "1",
        description="uptake of good news, fold of own rest",
    )


def _default_mode_imbalance(stage: Stage) -> sympy.Expr:
    """Default mode bound to subgenual cingulate rather than to control: one relative change less the other."""
    return _relative(stage, "brain_network.subgenual_default_mode") - _relative(
        stage, "brain_network.control_default_mode"
    )


def _openness(stage: Stage) -> sympy.Expr:
    """Habenular silence as a share of the depressed excess, and medial prefrontal tone regained."""
    quiet = stage.baseline("habenula.bursting", "1") - stage.input("habenula.bursting", "1")
    silenced = quiet / stage.parameter("habenula.bursting_depressed")
    regained = _relative(stage, "brain_network.medial_prefrontal_tone")
    return (
        stage.parameter("cognition.belief_habenula") * silenced
        + stage.parameter("cognition.belief_prefrontal") * regained
    )


def _relative(stage: Stage, name: str) -> sympy.Expr:
    return stage.input(name, "1") / stage.baseline(name, "1") - 1


def _first_order_lag(stage: Stage, name: str, change: sympy.Expr, words: str) -> sympy.Symbol:
    """Lasting change of a skill of thought, logarithm of its fold: follows the change of a network over days."""
    state = stage.state(
        f"cognition.{name}",
        "1",
        bounds=(None, None),
        scale=0.05,
        description=f"lasting change of {words}, logarithm of the fold of own rest",
    )
    pace = stage.parameter("cognition.rate_constant") * stage.input(
        "sedation.consciousness", "1"
    )  # nobody practises asleep
    stage.rate(state, +pace * stage.parameter(f"cognition.{name}_weight") * change, because="follows the network")
    stage.rate(state, -pace * state, because="habits of thought adjust over days")
    return state
