"""AMPA receptors: receptors at the surface and the current that they carry."""

from __future__ import annotations

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def ampa(stage: Stage) -> None:
    """Surface receptors (relative to baseline 1) inserted by synaptic scaling and by TrkB, lost over days.

    Two pathways insert receptors: synaptic scaling, which starts when eEF2 inhibition is released (within the hour,
    needs BDNF), and TrkB signalling. Insertion draws on a finite reserve and needs synaptic tags. Synaptic protein
    provides slots that retain receptors. Current = glutamate x surface x receptors not blocked by NBQX. Adenosine
    drives insertion through A1 receptors (Homer1a; DPCPX abolishes the effect at half an hour); dopamine D1 receptors
    prime GluA1 through PKA. Active GSK3 keeps PSD-95 phosphorylated, so fewer of the inserted receptors are retained:
    inhibition by Akt or by lithium retains more, and GSK3 that Akt cannot phosphorylate does not (Beurel 2016, Chiu
    2015). Zaytseva 2023, Nosyreva 2013 (sizes recalled), Li 2010.
    """
    glutamate = stage.input("glutamate.extracellular", "1")
    trkb, scaling = stage.input("plasticity.trkb_signal", "1"), stage.input("plasticity.eef2_release_signal", "1")
    bdnf = stage.input("plasticity.bdnf", "1") * (1 - stage.input("tool_compounds.trkb_block_share", "1"))
    protein = stage.input("plasticity.synaptic_protein", "1")
    d1_factor = 1 - stage.parameter("ampa.dopamine_share") * stage.input("tool_compounds.d1_block_share", "1")
    a1_factor = stage.input("glutamate.a1_activation", "1")
    gsk3_share = stage.parameter("ampa.gsk3_share")
    gsk3_factor = (1 - gsk3_share * stage.input("plasticity.gsk3_active", "1")) / (1 - gsk3_share)
    turnover, reserve = stage.parameter("ampa.turnover_rate"), stage.parameter("ampa.surface_reserve")
    surface = stage.state(
        "ampa.surface", "1", initial_guess=1.0, description="AMPA receptors at the surface, relative to baseline"
    )
    free_reserve = (1 + reserve - surface) / reserve
    slots = (protein - 1) * hill(protein - 1, stage.parameter("ampa.smoothing_width"), 1)
    stage.rate(surface, +turnover, because="constitutive insertion")
    tags = stage.input("plasticity.growth_capacity", "1")
    retained = tags * d1_factor * gsk3_factor * free_reserve
    stage.rate(
        surface,
        +stage.parameter("ampa.scaling_insertion") * scaling * bdnf * a1_factor * retained,
        because="synaptic scaling after release of eEF2 inhibition; needs BDNF acting on TrkB and adenosine A1 tone",
    )
    stage.rate(
        surface,
        +stage.parameter("ampa.trkb_insertion") * trkb * retained,
        because="insertion driven by TrkB, retained at tagged synapses while GSK3 is phosphorylated",
    )
    stage.rate(
        surface,
        +turnover * stage.parameter("ampa.slot_gain") * slots * gsk3_factor * free_reserve,
        because="insertion into slots made of synaptic protein",
    )
    stage.rate(surface, -turnover * surface, because="endocytosis and degradation")
    unblocked = 1 - stage.input("tool_compounds.nbqx_share", "1")
    stage.output("ampa.current", glutamate * surface * unblocked, "1", description="AMPA current, relative to baseline")
