"""Experimental drugs: what laboratories give beside ketamine, each with its own kinetics."""

from __future__ import annotations

from ketamech.model.functions import hill
from ketamech.model.stage import Stage

COMPOUNDS = {
    "nbqx": "AMPA receptors blocked",
    "rapamycin": "mTORC1 blocked",
    "anti_bdnf": "released BDNF bound by an antibody",
    "trkb_block": "TrkB receptors blocked",
    "naltrexone": "opioid receptors blocked",
    "verapamil": "L-type calcium channels blocked",
    "lamotrigine": "evoked glutamate release held back",
    "benzodiazepine": "benzodiazepine sites of GABA-A receptors filled",
    "muscimol": "pyramidal firing silenced by a GABA-A agonist",
    "glun2b_block": "GluN2B-containing receptors blocked from outside the channel",
    "glycine_site": "glycine sites of NMDA receptors filled by a facilitating agent",
    "a1_block": "adenosine A1 receptors blocked",
    "d1_block": "dopamine D1 receptors blocked",
    "eef2k_block": "eEF2 kinase inhibited",
    "lithium": "GSK3 inhibited",
    "anisomycin": "translation blocked",
    "actinomycin": "transcription blocked",
    "mglu2_agonist": "mGluR2/3 receptors filled by an agonist",
}


def tool_compounds(stage: Stage) -> None:
    """Level at the site of action in usual experimental doses (1 = just after one), gone with one rate; share = Hill.

    What matters for an experiment is how much of a target is held and until when, so each drug is one compartment
    in units of the dose that experimenters take as full; dose, route and site become such a level when the drug is
    given. `perturbation.*` holds a share for good instead (a knock-out, a diet, a pump); both together never exceed 1.
    """
    for name, words in COMPOUNDS.items():
        level = stage.state(f"tool_compounds.{name}", "1", description=f"level in usual experimental doses: {words}")
        stage.rate(
            level, -stage.parameter(f"tool_compounds.{name}_elimination") * level, because="eliminated from the site"
        )
        acute = hill(level, stage.parameter(f"tool_compounds.{name}_ec50"), 1)
        held = stage.parameter(f"perturbation.{name}")
        stage.output(f"tool_compounds.{name}_share", 1 - (1 - held) * (1 - acute), "1", description=f"share: {words}")
