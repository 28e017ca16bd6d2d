"""Reduced clinical core: two effects of the brain level in place of the chain from receptor to brain areas."""

from __future__ import annotations

from collections.abc import Callable

import sympy

from ketamech.model import kinetics
from ketamech.model.functions import hill
from ketamech.model.stage import Stage
from ketamech.model.stages import all_stages

REPLACED = (
    "tool_compounds", "pharmacokinetics", "brain", "memantine", "nmda", "circuit", "glutamate", "ampa", "plasticity",
    "stress", "spines", "habenula", "inflammation", "opioid", "brain_network", "forced_swim", "pain", "cognition",
)  # fmt: skip
ABSENT = {
    "ampa.current": 1, "inflammation.il6": 1, "opioid.gate": 1, "opioid.tone": 0, "plasticity.trkb": 1,
    "tool_compounds.nbqx_share": 0, "brain_network.subgenual_cingulate_tone": 1,
}  # drug-free values  # fmt: skip


def reduced_core(stage: Stage) -> None:
    """Brain level, block, a fast drive and a slow benefit, under the names by which the clinical stages read them.

    Both enantiomers enter the brain. Block saturates and is released over a day; the fast drive is a steep function of
    it and takes the place of habenular silencing. While the drug is present, a limited capacity is committed to a
    lasting benefit, which forms within a day or two and is lost over days; it takes the place of prefrontal tone.
    Stimulation (ECT, TMS) adds to the same tone. Binding and commitment need waking activity, as in the full model.
    Metabolites, other pathways and stress are absent: their outputs are constant at the drug-free value.
    """
    for name, value in ABSENT.items():
        stage.output(name, sympy.Integer(value), "1", description="absent from the reduced core: drug-free value")
    drug = _equivalent_drug(stage)
    active = stage.input("sedation.recovered_activity", "1")
    _fast_drive(stage, drug * active)
    _slow_benefit(stage, hill(drug, stage.parameter("reduced_core.commitment_ec50"), 1) * active)


def pharmacokinetics(stage: Stage) -> None:
    """Both enantiomers from every route to plasma, as in the full model, without metabolites, urine and peritoneum."""
    kinetics.add_body_size(stage)
    for enantiomer, drug in kinetics.NAMES.items():
        liver = kinetics.well_stirred_liver(stage, enantiomer)
        central, eliminated = (
            stage.state(f"pharmacokinetics.{name}_{enantiomer}", "umol", kind="amount", description=f"{drug} {words}",
                        is_sink=name == "eliminated")
            for name, words in (("central", "in arterial blood"), ("eliminated", "eliminated in any form"))
        )  # fmt: skip
        level = central / kinetics.scaled_volume(stage, "central_volume")
        plasma = stage.output(f"plasma.{drug}", level, "umol/L", description=f"{drug} in arterial plasma")
        kinetics.add_depots(stage, enantiomer, central)
        kinetics.add_oral_depot(stage, enantiomer, central, eliminated, eliminated, liver)
        for tissue in ("shallow", "middle", "deep"):
            flow = kinetics.scaled_flow(stage, f"{tissue}_intercompartmental_clearance")
            kinetics.add_tissue(
                stage,
                f"{tissue}_{enantiomer}",
                central,
                plasma,
                flow,
                kinetics.scaled_volume(stage, f"{tissue}_volume"),
            )
        stage.transfer(central, eliminated, liver["clearance"] * plasma, because="hepatic clearance")
        kinetics.add_vein(stage, drug, plasma)
        stage.output(f"plasma.{enantiomer}_norketamine", sympy.Integer(0), "umol/L", description="not modelled")
    kinetics.add_venous_total(stage, "ketamine")


def reduced_stages() -> tuple[Callable[[Stage], None], ...]:
    """The stage functions of the reduced core: those of the full model, with the replaced ones left out."""
    return (*(stage for stage in all_stages() if stage.__name__ not in REPLACED), pharmacokinetics, reduced_core)


def _equivalent_drug(stage: Stage) -> sympy.Symbol:
    """Unbound ketamine in brain as racemate: each enantiomer times its affinity for NMDA receptors."""
    ratio, levels = stage.parameter("nmda.enantiomer_ratio"), []
    csf_ratio, ke0 = stage.parameter("brain.ketamine_csf_ratio"), stage.parameter("brain.ketamine_ke0")
    for name in ("esketamine", "arketamine"):
        site = stage.state(f"brain.{name}", "umol/L", scale=0.05, description=f"unbound {name} in brain")
        plasma = stage.input(f"plasma.{name}", "umol/L")
        stage.rate(site, ke0 * csf_ratio * plasma, because="entry from arterial plasma")
        stage.rate(site, -ke0 * site, because="return to plasma")
        levels.append(site)
    total = 2 * (ratio * levels[0] + levels[1]) / (1 + ratio)
    return stage.output("nmda.equivalent_drug", total, "umol/L", description="ketamine in brain as racemate, unbound")


def _fast_drive(stage: Stage, active_drug: sympy.Expr) -> None:
    block = stage.state("reduced_core.block", "1", bounds=(0, 1), scale=0.1, description="receptors blocked, fraction")
    binding = stage.parameter("reduced_core.binding_rate") * active_drug
    stage.rate(block, +binding * (1 - block), because="binding to free open channels")
    stage.rate(block, -stage.parameter("reduced_core.unbinding_rate") * block, because="release over a day")
    emax, ec50 = stage.parameter("habenula.bursting_emax"), stage.parameter("reduced_core.block_ec50")
    bursting = stage.parameter("habenula.bursting_depressed") * (1 - emax * hill(block, ec50, 2))
    stage.output("habenula.bursting", bursting, "1", description="fraction of cells bursting: the fast drive")


def _slow_benefit(stage: Stage, drive: sympy.Expr) -> None:
    forming = stage.state("reduced_core.forming", "1", bounds=(0, 1), scale=0.1, description="benefit that is forming")
    benefit = stage.state("reduced_core.benefit", "1", bounds=(0, 1), scale=0.1, description="lasting benefit")
    free = 1 - forming - benefit
    stage.rate(
        forming,
        +stage.parameter("reduced_core.commitment_rate") * drive * free,
        because="the drug commits capacity that is free",
    )
    formation = stage.parameter("brain_network.rate_constant") * forming
    stage.rate(forming, -formation, because="the benefit forms over a day or two")
    stage.rate(benefit, +formation, because="the benefit forms over a day or two")
    stage.rate(benefit, -stage.parameter("plasticity.protein_turnover") * benefit, because="loss over days")
    spread = stage.parameter("brain_network.stimulation_spread") * stage.parameter(
        "coupling.dorsolateral_prefrontal_and_medial_prefrontal"
    )
    stimulation = stage.input("other_treatments.ect_plasticity", "1") + spread * stage.input(
        "other_treatments.tms_plasticity", "1"
    )
    stage.output(
        "brain_network.medial_prefrontal_tone",
        1 + stage.parameter("reduced_core.benefit_gain") * benefit + stimulation,
        "1",
        description="lasting prefrontal tone, 1 without treatment: the slow benefit",
    )
