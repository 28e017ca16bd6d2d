"""Cognition: impaired while the drug acts; later better performance, less rumination, more belief updating."""

from __future__ import annotations

import sympy

from ketamech.model.functions import exp, hill
from ketamech.model.stage import Stage


def cognition(stage: Stage) -> None:
    """Performance, rumination and belief updating, each 1 at the person's own drug-free baseline.

    Block of pyramidal NMDA receptors and sedation impair performance for hours at most. Over days performance improves
    with dorsolateral prefrontal cortex and hippocampus (processing speed rose by half an SD after six infusions, Zhou
    2021). Rumination falls as coupling of the default mode network with subgenual cingulate falls (Hamilton 2015) and
    coupling with dorsolateral control rises. Good news changes beliefs more while the habenula, which signals
    disappointment, is silent, and as medial prefrontal cortex regains strength.
    """
    blocked = stage.input("nmda.blocked_pyramidal", "1")
    emax, ec50 = stage.parameter("cognition.block_emax"), stage.parameter("cognition.block_ec50")
    acute_factor = (1 - emax * hill(blocked, ec50, 1)) * (1 - stage.input("sedation.depth", "1"))
    hippocampus_share = stage.parameter("cognition.hippocampus_share")
    memory = hippocampus_share * _relative(stage, "brain_network.hippocampus_tone")
    control = (1 - hippocampus_share) * _relative(stage, "brain_network.dorsolateral_prefrontal_tone")
    log_change = _first_order_lag(stage, "performance_log_change", control + memory, "performance")
    stage.output(
        "cognition.performance",
        acute_factor * exp(log_change),
        "1",
        description="processing speed and memory, fold of own baseline",
    )
    log_rumination = _first_order_lag(stage, "rumination_log_change", _default_mode_imbalance(stage), "rumination")
    stage.output("cognition.rumination", exp(log_rumination), "1", description="rumination, fold of own baseline")
    stage.output(
        "cognition.belief_updating",
        acute_factor * (1 + _openness(stage)),
        "1",
        description="belief updating after good news, fold of own baseline",
    )


def _default_mode_imbalance(stage: Stage) -> sympy.Expr:
    """Relative change of default-mode coupling with subgenual cingulate minus that with dorsolateral control."""
    return _relative(stage, "brain_network.subgenual_default_mode") - _relative(
        stage, "brain_network.control_default_mode"
    )


def _openness(stage: Stage) -> sympy.Expr:
    """Silenced bursting of the habenula as a fraction of the depressed value, and regained medial prefrontal tone."""
    bursting_decrease = stage.baseline("habenula.bursting", "1") - stage.input("habenula.bursting", "1")
    silenced_fraction = bursting_decrease / stage.parameter("habenula.bursting_depressed")
    regained = _relative(stage, "brain_network.medial_prefrontal_tone")
    return (
        stage.parameter("cognition.belief_habenula") * silenced_fraction
        + stage.parameter("cognition.belief_prefrontal") * regained
    )


def _relative(stage: Stage, name: str) -> sympy.Expr:
    return stage.input(name, "1") / stage.baseline(name, "1") - 1


def _first_order_lag(stage: Stage, name: str, change: sympy.Expr, label: str) -> sympy.Symbol:
    """Lasting change of a cognitive function, as the logarithm of its ratio to baseline; follows a network slowly."""
    state = stage.state(
        f"cognition.{name}",
        "1",
        bounds=(None, None),
        scale=0.05,
        description=f"lasting change of {label}, natural logarithm of the fold of own baseline",
    )
    rate_constant = stage.parameter("cognition.rate_constant") * stage.input(
        "sedation.consciousness", "1"
    )  # no practice during anaesthesia
    stage.rate(
        state,
        +rate_constant * stage.parameter(f"cognition.{name}_weight") * change,
        because="follows the network change",
    )
    stage.rate(state, -rate_constant * state, because="relaxation over days")
    return state
