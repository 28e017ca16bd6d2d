"""AMPA receptors: receptors at the surface and the current they carry."""

from __future__ import annotations

from ketamech.stages.declaration import Stage, hill


def ampa(m: Stage) -> None:
    """Surface receptors (relative to rest 1) inserted by synaptic scaling and by TrkB, lost over days.

    Two limbs insert receptors: release of the eEF2 brake (scaling, within the hour, needs BDNF) and TrkB
    signalling. Insertion draws on a finite reserve. Synaptic protein offers slots that keep them. Current
    = glutamate x surface x receptors not blocked by NBQX. Adenosine, released within minutes of a dose
    (Yue 2025), lets receptors be inserted through A1 receptors (Homer1a); dopamine D1 receptors prime GluA1
    through PKA. GSK3 that Akt cannot phosphorylate keeps PSD-95 phosphorylated, which lets receptors go as they come
    (Beurel 2016). Zaytseva 2023, Nosyreva 2013 (sizes recalled), Li 2010.
    """
    glutamate = m.needs("glutamate.extracellular", "1")
    trkb, scaling = m.needs("plasticity.trkb_signal", "1"), m.needs("plasticity.scaling_signal", "1")
    bdnf = m.needs("plasticity.bdnf", "1") * (1 - m.needs("antagonists.trkb_block_share", "1"))
    protein = m.needs("plasticity.synaptic_protein", "1")
    dopamine = 1 - m.parameter("ampa.dopamine_share") * m.needs("antagonists.d1_block_share", "1")
    locked = 1 - m.parameter("ampa.gsk3_share") * m.parameter("perturbation.gsk3_locked")
    adenosine = 1 - m.parameter("ampa.adenosine_share") * m.needs("antagonists.a1_block_share", "1")
    turnover, reserve = m.parameter("ampa.turnover_rate"), m.parameter("ampa.surface_reserve")
    surface = m.state("ampa.surface", "1", at_rest=1.0, about="AMPA receptors at the surface relative to rest")
    room = (1 + reserve - surface) / reserve
    slots = (protein - 1) * hill(protein - 1, m.parameter("ampa.bend"), 1)
    m.rate(surface, +turnover, because="constitutive insertion")
    m.rate(
        surface,
        +m.parameter("ampa.scaling_insertion") * scaling * bdnf * adenosine * dopamine * locked * room,
        because="synaptic scaling by the eEF2 limb, which needs BDNF on TrkB and adenosine A1 tone",
    )
    inserted = m.parameter("ampa.trkb_insertion") * trkb * dopamine * locked * room
    m.rate(surface, +inserted, because="insertion driven by TrkB, held by phosphorylated GSK3")
    m.rate(
        surface,
        +turnover * m.parameter("ampa.slot_gain") * slots * locked * room,
        because="slots made by synaptic protein",
    )
    m.rate(surface, -turnover * surface, because="endocytosis and degradation")
    open_share = 1 - m.needs("antagonists.nbqx_share", "1")
    m.offers("ampa.current", glutamate * surface * open_share, "1", about="AMPA current relative to rest")
