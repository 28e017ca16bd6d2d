"""Dendritic spines of prefrontal pyramidal cells: nascent, mature, stable."""

from __future__ import annotations

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def spines(stage: Stage) -> None:
    """Spines form, die young or mature, and are lost slowly; density relative to a healthy person (1).

    Drug raises formation through synaptic protein and never touches elimination (Phoumthipphavong 2016,
    two labs). Stress slows formation and speeds the loss of mature spines (Radley 2006, Moda-Sava 2019).
    Room is finite. Dopamine D1 signalling permits the drug-evoked formation (Wu 2021); late, MeCP2-dependent
    transcription consolidates what has formed (Kim 2021). Rapamycin may spare spines: a rival wiring, by whatever
    road, at levels far below those that stop synthesis.
    """
    stress, protein = stage.input("stress.level", "1"), stage.input("plasticity.synaptic_protein", "1")
    bdnf = stage.input("plasticity.bdnf", "1")
    quinolinate = stage.input("inflammation.quinolinate", "1") - stage.baseline("inflammation.quinolinate", "1")
    stable, room = stage.parameter("spines.stable"), stage.parameter("spines.maximum_density")
    nascent = stage.state(
        "spines.nascent", "1", initial_guess=0.03, scale=0.1, description="new spines, relative to healthy density"
    )
    mature = stage.state(
        "spines.mature", "1", initial_guess=0.25, scale=0.3, description="mature spines, relative to healthy density"
    )
    density = stable + nascent + mature
    slowed = 1 - stage.parameter("spines.stress_formation") * stress
    offered = stage.parameter("spines.protein_formation") * (protein - 1) + stage.parameter("spines.bdnf_formation") * (
        bdnf - 1
    )
    pushed = 1 + offered * (
        1 - stage.parameter("spines.dopamine_share") * stage.input("tool_compounds.d1_block_share", "1")
    )
    forming = stage.parameter("spines.formation_rate") * slowed * pushed * (room - density)
    faster = 1 + stage.parameter("spines.stress_loss") * stress
    poison = 1 + stage.parameter("spines.quinolinate_loss") * quinolinate
    rapamycin = hill(stage.input("tool_compounds.rapamycin_share", "1"), stage.parameter("spines.rapamycin_ec50"), 1)
    spared = 1 - stage.parameter("spines.rapamycin_sparing") * rapamycin
    loss = stage.parameter("spines.mature_loss_rate") * faster * poison * spared
    stage.rate(nascent, +forming, because="formation, faster with synaptic protein, slower under stress and crowding")
    stage.rate(
        nascent, -stage.parameter("spines.nascent_loss_rate") * nascent, because="most new spines are lost within days"
    )
    kept = 1 - stage.parameter("spines.transcription_share") * stage.input("tool_compounds.actinomycin_share", "1")
    stage.transfer(
        nascent,
        mature,
        stage.parameter("spines.maturation_rate") * kept * nascent,
        because="survivors mature by late genes",
    )
    stage.rate(
        nascent,
        -stage.parameter("spines.maturation_rate") * (1 - kept) * nascent,
        because="those not consolidated are withdrawn",
    )
    stage.rate(mature, -loss * mature, because="elimination, faster under stress, not changed by the drug")
    now = stage.output("spines.density", density, "1", description="spine density relative to healthy")
    stage.output(
        "spines.density_change",
        now / stage.baseline("spines.density", "1"),
        "1",
        description="density relative to own rest",
    )
    stage.output("spines.formation", forming, "1/h", description="spines formed per hour, share of healthy density")
    usual = stage.baseline("spines.mature", "1")
    stage.output(
        "spines.elimination",
        loss * usual / (stable + usual),
        "1/h",
        description="hourly loss of the spines that were there before treatment",
    )
