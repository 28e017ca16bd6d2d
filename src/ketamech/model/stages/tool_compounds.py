"""Tool compounds: experimental drugs given in addition to ketamine, each with its own kinetics."""

from __future__ import annotations

from ketamech.model.stage import Stage

COMPOUNDS = {
    "nbqx": "AMPA receptors blocked",
    "rapamycin": "mTORC1 blocked",
    "anti_bdnf": "released BDNF bound by an antibody",
    "trkb_block": "TrkB receptors blocked",
    "naltrexone": "opioid receptors blocked",
    "verapamil": "L-type calcium channels blocked",
    "lamotrigine": "evoked glutamate release inhibited",
    "benzodiazepine": "benzodiazepine sites of GABA-A receptors occupied",
    "muscimol": "pyramidal firing silenced by a GABA-A agonist",
    "glun2b_block": "GluN2B-containing receptors blocked from outside the channel",
    "glycine_site": "glycine sites of NMDA receptors occupied by a facilitating agent",
    "a1_block": "adenosine A1 receptors blocked",
    "d1_block": "dopamine D1 receptors blocked",
    "eef2k_block": "eEF2 kinase inhibited",
    "lithium": "GSK3 inhibited",
    "anisomycin": "translation blocked",
    "actinomycin": "transcription blocked",
    "mglu2_agonist": "mGluR2/3 receptors occupied by an agonist",
}
NMDA_BLOCKERS = {
    "mk801": "NMDA channels blocked by MK-801",
    "cpp": "NMDA glutamate sites occupied by CPP at baseline glutamate",
    "lanicemine": "NMDA channels blocked by lanicemine",
}
OF_UNKNOWN_HALF_LIFE = {"trkb_block", "muscimol", "a1_block", "eef2k_block", "anisomycin", "mglu2_agonist", "cpp"}


def tool_compounds(stage: Stage) -> None:
    """Level at the site of action, relative to the level of half of the effect; elimination of first order.

    An experiment depends on the fraction of a target that is occupied and for how long, so each drug is one
    compartment; dose, route and site are converted to such a level when the drug is given (data/perturbations).
    `perturbation.*` sets a constant fraction instead (a knock-out, a diet, a pump); both together never exceed 1. NMDA
    blockers other than ketamine and memantine are given as doses only. Compounds of unknown half-life share one rate.
    """
    for name, label in (COMPOUNDS | NMDA_BLOCKERS).items():
        elimination = "usual_elimination" if name in OF_UNKNOWN_HALF_LIFE else f"{name}_elimination"
        level = stage.state(f"tool_compounds.{name}", "1", description=f"level relative to half of the effect: {label}")
        stage.rate(
            level, -stage.parameter(f"tool_compounds.{elimination}") * level, because="elimination from the site"
        )
        unoccupied = 1 / (1 + level)
        if name in COMPOUNDS:
            unoccupied *= 1 - stage.parameter(f"perturbation.{name}")
        stage.output(f"tool_compounds.{name}_share", 1 - unoccupied, "1", description=f"share: {label}")
