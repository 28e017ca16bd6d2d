"""Dendritic spines of prefrontal pyramidal cells: nascent, mature, stable."""

from __future__ import annotations

from ketamech.stages.declaration import Stage, hill


def spines(m: Stage) -> None:
    """Spines form, die young or mature, and are lost slowly; density relative to a healthy person (1).

    Drug raises formation through synaptic protein and never touches elimination (Phoumthipphavong 2016,
    two labs). Stress slows formation and speeds the loss of mature spines (Radley 2006, Moda-Sava 2019).
    Room is finite. Dopamine D1 signalling permits the drug-evoked formation (Wu 2021); late, MeCP2-dependent
    transcription consolidates what has formed (Kim 2021). Rapamycin may spare spines: a rival wiring, by whatever
    road, at levels far below those that stop synthesis.
    """
    stress, protein = m.needs("stress.level", "1"), m.needs("plasticity.synaptic_protein", "1")
    bdnf = m.needs("plasticity.bdnf", "1")
    quinolinate = m.needs("inflammation.quinolinate", "1") - m.resting("inflammation.quinolinate", "1")
    stable, room = m.parameter("spines.stable"), m.parameter("spines.room")
    nascent = m.state("spines.nascent", "1", at_rest=0.03, scale=0.1, about="new spines, relative to healthy density")
    mature = m.state("spines.mature", "1", at_rest=0.25, scale=0.3, about="mature spines, relative to healthy density")
    density = stable + nascent + mature
    slowed = 1 - m.parameter("spines.stress_formation") * stress
    offered = m.parameter("spines.protein_formation") * (protein - 1) + m.parameter("spines.bdnf_formation") * (
        bdnf - 1
    )
    pushed = 1 + offered * (1 - m.parameter("spines.dopamine_share") * m.needs("antagonists.d1_block_share", "1"))
    forming = m.parameter("spines.formation_rate") * slowed * pushed * (room - density)
    faster = 1 + m.parameter("spines.stress_loss") * stress
    poison = 1 + m.parameter("spines.quinolinate_loss") * quinolinate
    rapamycin = hill(m.needs("antagonists.rapamycin_share", "1"), m.parameter("spines.rapamycin_half"), 1)
    spared = 1 - m.parameter("spines.rapamycin_sparing") * rapamycin
    loss = m.parameter("spines.mature_loss") * faster * poison * spared
    m.rate(nascent, +forming, because="formation, faster with synaptic protein, slower under stress and crowding")
    m.rate(nascent, -m.parameter("spines.nascent_loss") * nascent, because="most new spines are lost within days")
    kept = 1 - m.parameter("spines.transcription_share") * m.needs("antagonists.actinomycin_share", "1")
    m.flow(nascent, mature, m.parameter("spines.maturation") * kept * nascent, because="survivors mature by late genes")
    m.rate(
        nascent,
        -m.parameter("spines.maturation") * (1 - kept) * nascent,
        because="those not consolidated are withdrawn",
    )
    m.rate(mature, -loss * mature, because="elimination, faster under stress, not changed by the drug")
    now = m.offers("spines.density", density, "1", about="spine density relative to healthy")
    m.offers(
        "spines.density_change",
        now / m.resting("spines.density", "1"),
        "1",
        about="density relative to own rest",
    )
    m.offers("spines.formation", forming, "1/h", about="spines formed per hour, share of healthy density")
    usual = m.resting("spines.mature", "1")
    m.offers(
        "spines.elimination",
        loss * usual / (stable + usual),
        "1/h",
        about="hourly loss of the spines that were there before treatment",
    )
