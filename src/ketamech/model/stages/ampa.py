"""AMPA receptors: receptors at the surface and the current they carry."""

from __future__ import annotations

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def ampa(stage: Stage) -> None:
    """Surface receptors (relative to rest 1) inserted by synaptic scaling and by TrkB, lost over days.

    Two limbs insert receptors: release of the eEF2 brake (scaling, within the hour, needs BDNF) and TrkB
    signalling. Insertion draws on a finite reserve. Synaptic protein offers slots that keep them. Current
    = glutamate x surface x receptors not blocked by NBQX. Adenosine, released within minutes of a dose
    (Yue 2025), lets receptors be inserted through A1 receptors (Homer1a); dopamine D1 receptors prime GluA1
    through PKA. GSK3 that Akt cannot phosphorylate keeps PSD-95 phosphorylated, which lets receptors go as they come
    (Beurel 2016). Zaytseva 2023, Nosyreva 2013 (sizes recalled), Li 2010.
    """
    glutamate = stage.input("glutamate.extracellular", "1")
    trkb, scaling = stage.input("plasticity.trkb_signal", "1"), stage.input("plasticity.eef2_release_signal", "1")
    bdnf = stage.input("plasticity.bdnf", "1") * (1 - stage.input("tool_compounds.trkb_block_share", "1"))
    protein = stage.input("plasticity.synaptic_protein", "1")
    dopamine = 1 - stage.parameter("ampa.dopamine_share") * stage.input("tool_compounds.d1_block_share", "1")
    locked = 1 - stage.parameter("ampa.gsk3_share") * stage.parameter("perturbation.gsk3_locked")
    adenosine = 1 - stage.parameter("ampa.adenosine_share") * stage.input("tool_compounds.a1_block_share", "1")
    turnover, reserve = stage.parameter("ampa.turnover_rate"), stage.parameter("ampa.surface_reserve")
    surface = stage.state(
        "ampa.surface", "1", initial_guess=1.0, description="AMPA receptors at the surface relative to rest"
    )
    room = (1 + reserve - surface) / reserve
    slots = (protein - 1) * hill(protein - 1, stage.parameter("ampa.smoothing_width"), 1)
    stage.rate(surface, +turnover, because="constitutive insertion")
    stage.rate(
        surface,
        +stage.parameter("ampa.scaling_insertion") * scaling * bdnf * adenosine * dopamine * locked * room,
        because="synaptic scaling by the eEF2 limb, which needs BDNF on TrkB and adenosine A1 tone",
    )
    inserted = stage.parameter("ampa.trkb_insertion") * trkb * dopamine * locked * room
    stage.rate(surface, +inserted, because="insertion driven by TrkB, held by phosphorylated GSK3")
    stage.rate(
        surface,
        +turnover * stage.parameter("ampa.slot_gain") * slots * locked * room,
        because="slots made by synaptic protein",
    )
    stage.rate(surface, -turnover * surface, because="endocytosis and degradation")
    open_share = 1 - stage.input("tool_compounds.nbqx_share", "1")
    stage.output("ampa.current", glutamate * surface * open_share, "1", description="AMPA current relative to rest")
