"""Dendritic spines of prefrontal pyramidal cells: nascent, mature, stable."""

from __future__ import annotations

import sympy

from ketamech.model.functions import hill, positive_part
from ketamech.model.stage import Stage


def spines(stage: Stage) -> None:
    """Spines form, are lost early or mature, and are eliminated slowly; density relative to a healthy person (1).

    The drug raises formation through synaptic protein and does not change elimination (Phoumthipphavong 2016, two
    labs). Stress slows formation and speeds the loss of mature spines (Radley 2006, Moda-Sava 2019). Density has a
    maximum. Dopamine D1 signalling permits drug-evoked formation (Wu 2021); late, MeCP2-dependent transcription
    consolidates new spines (Kim 2021). Rapamycin spares drug-evoked spines, by an unspecified mechanism, at levels far
    below those that stop synthesis (Abdallah 2020); it does not change the density without a drug.
    """
    stress = stage.input("stress.level", "1")
    stable, maximum_density = stage.parameter("spines.stable"), stage.parameter("spines.maximum_density")
    nascent = stage.state(
        "spines.nascent", "1", initial_guess=0.03, scale=0.1, description="new spines, relative to healthy density"
    )
    mature = stage.state(
        "spines.mature", "1", initial_guess=0.25, scale=0.3, description="mature spines, relative to healthy density"
    )
    density = stable + nascent + mature
    stress_factor = 1 - stage.parameter("spines.stress_formation") * stress
    growth_factor = _growth_factor(stage)
    formation = stage.parameter("spines.formation_rate") * stress_factor * growth_factor * (maximum_density - density)
    loss = _mature_loss(stage, stress)
    stage.rate(
        nascent,
        +formation,
        because="formation, faster with synaptic protein, slower under stress and near maximum density",
    )
    stage.rate(
        nascent, -stage.parameter("spines.nascent_loss_rate") * nascent, because="most new spines are lost within days"
    )
    _maturation(stage, nascent, mature)
    stage.rate(mature, -loss * mature, because="elimination, faster under stress, not changed by the drug")
    for pool, rate_constant in ((nascent, stage.parameter("spines.nascent_loss_rate")), (mature, loss)):
        stage.rate(
            pool,
            +rate_constant * _spared_by_rapamycin(stage, pool),
            because="rapamycin spares spines beyond the density without a drug (Abdallah 2020)",
        )
    relative = stage.output("spines.density", density, "1", description="spine density, relative to healthy")
    change = relative / stage.baseline("spines.density", "1")
    stage.output("spines.density_change", change, "1", description="spine density, relative to own baseline")
    stage.output(
        "spines.formation", formation, "1/h", description="spines formed per hour, fraction of healthy density"
    )
    baseline_mature = stage.baseline("spines.mature", "1")
    elimination = loss * baseline_mature / (stable + baseline_mature)
    stage.output("spines.elimination", elimination, "1/h", description="hourly loss of spines present before treatment")


def _growth_factor(stage: Stage) -> sympy.Expr:
    """Formation relative to baseline: synaptic protein and BDNF raise it, as far as D1 receptors permit."""
    protein, bdnf = stage.input("plasticity.synaptic_protein", "1"), stage.input("plasticity.bdnf", "1")
    growth_signal = stage.parameter("spines.protein_formation") * (protein - 1) + stage.parameter(
        "spines.bdnf_formation"
    ) * (bdnf - 1)
    d1_factor = 1 - stage.parameter("ampa.dopamine_share") * stage.input("tool_compounds.d1_block_share", "1")
    return 1 + growth_signal * d1_factor


def _mature_loss(stage: Stage, stress: sympy.Symbol) -> sympy.Expr:
    """Loss rate of mature spines (1/h): higher under stress and with quinolinate."""
    quinolinate = stage.input("inflammation.quinolinate", "1") - stage.baseline("inflammation.quinolinate", "1")
    stress_loss = 1 + stage.parameter("spines.stress_loss") * stress
    quinolinate_loss = 1 + stage.parameter("spines.quinolinate_loss") * quinolinate
    return stage.parameter("spines.mature_loss_rate") * stress_loss * quinolinate_loss


def _spared_by_rapamycin(stage: Stage, pool: sympy.Symbol) -> sympy.Expr:
    """Spines of a pool that rapamycin protects: a share of those beyond the baseline, relative to healthy density."""
    occupied = hill(stage.input("tool_compounds.rapamycin_share", "1"), stage.parameter("spines.rapamycin_ec50"), 1)
    evoked = positive_part(pool - stage.baseline(pool.name, "1"), stage.parameter("plasticity.threshold_width"))
    return stage.parameter("spines.rapamycin_sparing") * occupied * evoked


def _maturation(stage: Stage, nascent: sympy.Symbol, mature: sympy.Symbol) -> None:
    """Nascent spines mature when consolidated by late transcription, and are lost otherwise."""
    transcription = 1 - stage.parameter("spines.transcription_share") * stage.input(
        "tool_compounds.actinomycin_share", "1"
    )
    rate_constant = stage.parameter("spines.maturation_rate")
    stage.transfer(
        nascent, mature, rate_constant * transcription * nascent, because="maturation, which needs late transcription"
    )
    stage.rate(
        nascent,
        -rate_constant * (1 - transcription) * nascent,
        because="loss of spines that are not consolidated",
    )
