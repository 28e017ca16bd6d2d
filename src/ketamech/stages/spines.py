"""Dendritic spines of prefrontal pyramidal cells: nascent, mature, stable."""

from __future__ import annotations

from ketamech.stages.declaration import Stage


def spines(m: Stage) -> None:
    """Spines form, die young or mature, and are lost slowly; density relative to a healthy person (1).

    Drug raises formation through synaptic protein and never touches elimination (Phoumthipphavong 2016,
    two labs). Stress slows formation and speeds the loss of mature spines (Radley 2006, Moda-Sava 2019).
    Room is finite. Rapamycin may spare spines (a rival wiring; autophagy and inflammation are the roads proposed).
    """
    stress, protein = m.parameter("person.stress"), m.needs("plasticity.synaptic_protein", "1")
    bdnf = m.needs("plasticity.bdnf", "1")
    quinolinate = m.needs("inflammation.quinolinate", "1") - m.resting("inflammation.quinolinate", "1")
    stable, room = m.parameter("spines.stable"), m.parameter("spines.room")
    nascent = m.state("spines.nascent", "1", at_rest=0.03, scale=0.1, about="new spines, relative to healthy density")
    mature = m.state("spines.mature", "1", at_rest=0.25, scale=0.3, about="mature spines, relative to healthy density")
    density = stable + nascent + mature
    slowed = 1 - m.parameter("spines.stress_formation") * stress
    pushed = (
        1 + m.parameter("spines.protein_formation") * (protein - 1) + m.parameter("spines.bdnf_formation") * (bdnf - 1)
    )
    forming = m.parameter("spines.formation_rate") * slowed * pushed * (room - density)
    faster = 1 + m.parameter("spines.stress_loss") * stress
    poison = 1 + m.parameter("spines.quinolinate_loss") * quinolinate
    spared = 1 - m.parameter("spines.rapamycin_sparing") * m.parameter("perturbation.rapamycin")
    loss = m.parameter("spines.mature_loss") * faster * poison * spared
    m.rate(nascent, +forming, because="formation, faster with synaptic protein, slower under stress and crowding")
    m.rate(nascent, -m.parameter("spines.nascent_loss") * nascent, because="most new spines are lost within days")
    m.flow(nascent, mature, m.parameter("spines.maturation") * nascent, because="survivors mature")
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
