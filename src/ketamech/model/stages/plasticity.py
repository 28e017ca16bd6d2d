"""The molecular cascade: calcium, BDNF, TrkB, ERK/Akt, mTORC1, eEF2, GSK3 and synaptic protein."""

from __future__ import annotations

import sympy

from ketamech.model.functions import adapt_set_point, hill
from ketamech.model.stage import Stage


def plasticity(stage: Stage) -> None:
    """Two pathways to new synaptic protein, each quantity relative to its own baseline (1).

    Pathway one: block of receptors at rest (and outside synapses) allows dephosphorylation of eEF2, which releases
    translation of BDNF (Autry 2011, Nosyreva 2013). Pathway two: AMPA current opens L-type calcium channels, calcium
    releases BDNF, TrkB drives ERK/Akt and mTORC1, which produce synaptic protein (Li 2010, Lepack). Both pathways
    converge on BDNF: pool times release. TrkB, the eEF2 signal and mTORC1 desensitise, so a small lasting stimulus has
    no lasting effect. Units: 1, h.
    """
    calcium = _calcium(stage)
    scaling = _eef2_release(stage)
    released = _bdnf(stage, calcium, scaling)
    trkb = _trkb(stage, released)
    kinases = _kinases(stage, trkb)
    _synaptic_protein(stage, _mtorc1(stage, kinases), _gsk3(stage, kinases))


def _first_order_lag(
    stage: Stage, name: str, target: sympy.Expr, rate_name: str, description: str, because: str
) -> sympy.Symbol:
    """A state with baseline 1 that follows a target with a first-order rate constant (1/h)."""
    rate_constant = stage.parameter(f"plasticity.{rate_name}")
    level = stage.state(f"plasticity.{name}", "1", initial_guess=1.0, description=description)
    stage.rate(level, +rate_constant * target, because=because)
    stage.rate(level, -rate_constant * level, because="turnover")
    return level


def _above_threshold(stage: Stage, excess: sympy.Expr) -> sympy.Expr:
    """Excess over baseline or set point: 0 below, smooth at 0, the excess itself far above the threshold width."""
    return excess * hill(excess, stage.parameter("plasticity.threshold_width"), 1)


def _calcium(stage: Stage) -> sympy.Symbol:
    """Dendritic calcium: AMPA current opens L-type channels; synaptic NMDA receptors add a fraction."""
    nmda_share = stage.parameter("plasticity.nmda_calcium_share")
    glycine_effect = stage.parameter("plasticity.glycine_site_gain") * stage.input(
        "tool_compounds.glycine_site_share", "1"
    )
    nmda_factor = 1 - nmda_share * stage.input("nmda.blocked_pyramidal", "1") + nmda_share * glycine_effect
    channels = 1 - stage.input("tool_compounds.verapamil_share", "1")
    inactivation = stage.state(
        "plasticity.channel_inactivation", "1", bounds=(None, None), description="inactivation of L-type channels"
    )
    target = stage.input("ampa.current", "1") * nmda_factor * channels / (1 + inactivation)
    level = _first_order_lag(
        stage, "calcium", target, "calcium_rate_constant", "dendritic calcium", "entry through L-type and NMDA channels"
    )
    excess = stage.parameter("plasticity.inactivation_gain") * _above_threshold(stage, level - 1)
    adapt_set_point(
        stage,
        inactivation,
        excess,
        stage.parameter("plasticity.inactivation_rate"),
        because="inactivation of L-type channels while calcium stays above its set point",
    )
    return level


def _eef2_release(stage: Stage) -> sympy.Symbol:
    """Phosphorylated eEF2 and its set point; returns the release of translation beyond the set point.

    GluN2B mediates the inhibition: in a cortex without GluN2B a blocker has no receptors to act on (Miller 2014).
    """
    resting = stage.parameter("pathway.resting_release") * stage.input("nmda.blocked_resting", "1")
    outside = stage.parameter("pathway.extrasynaptic") * stage.input("nmda.blocked_extrasynaptic", "1")
    weight = stage.parameter("plasticity.extrasynaptic_weight")
    glun2b_present = 1 - stage.parameter("perturbation.glun2b_deletion")
    blocked = glun2b_present * ((1 - weight) * resting + weight * outside)
    emax, ec50 = stage.parameter("plasticity.eef2_emax"), stage.parameter("plasticity.eef2_ic50_block")
    kinase_activity = 1 - stage.input("tool_compounds.eef2k_block_share", "1")
    target = kinase_activity * (1 - emax * blocked / (blocked + ec50))
    phosphorylated = _first_order_lag(
        stage,
        "eef2_phosphorylated",
        target,
        "eef2_rate_constant",
        "phosphorylated eEF2",
        "eEF2 kinase is inactive while NMDA receptors are blocked",
    )
    set_point = stage.state(
        "plasticity.eef2_set_point",
        "1",
        bounds=(None, None),
        description="set point of phosphorylated eEF2, below baseline",
    )
    adapt_set_point(
        stage,
        set_point,
        1 - phosphorylated,
        stage.parameter("plasticity.eef2_adaptation"),
        because="synaptic scaling stops: eEF2 kinase adapts to lasting block",
    )
    release = _above_threshold(stage, 1 - phosphorylated - set_point)
    return stage.output(
        "plasticity.eef2_release_signal", release, "1", description="release of translation beyond its set point"
    )


def _bdnf(stage: Stage, calcium: sympy.Expr, scaling: sympy.Expr) -> sympy.Symbol:
    """BDNF: a translated pool and its calcium-dependent release."""
    quinolinate = stage.input("inflammation.quinolinate", "1") - stage.baseline("inflammation.quinolinate", "1")
    serotonin_factor = 1 + stage.parameter("plasticity.serotonin_bdnf") * stage.input(
        "other_treatments.serotonin_bias", "1"
    )
    translation_factor = 1 + stage.parameter("plasticity.translation_gain") * scaling
    synthesis = stage.parameter("plasticity.bdnf_gene") * (1 - stage.input("tool_compounds.anisomycin_share", "1"))
    target = (
        synthesis
        * translation_factor
        * serotonin_factor
        / (1 + stage.parameter("plasticity.quinolinate_bdnf") * quinolinate)
    )
    pool = _first_order_lag(
        stage, "bdnf_pool", target, "bdnf_pool_rate_constant", "BDNF ready for release", "translation released by eEF2"
    )
    ec50 = stage.parameter("plasticity.release_ec50")
    regulated_share = stage.parameter("plasticity.bdnf_secretion")
    evoked_release = calcium * calcium * (1 + ec50) / (ec50 + calcium * calcium)
    release = pool * (1 - regulated_share + regulated_share * evoked_release)
    unbound_bdnf = 1 - stage.input("tool_compounds.anti_bdnf_share", "1")
    return _first_order_lag(
        stage, "bdnf", release * unbound_bdnf, "bdnf_rate_constant", "released BDNF", "release from the pool by calcium"
    )


def _trkb(stage: Stage, released: sympy.Expr) -> sympy.Symbol:
    """TrkB, enhanced directly by drug dissolved in membrane; returns the signal beyond its desensitisation.

    BDNF induces VGF, whose peptide TLQP-62 feeds back on TrkB: without the gene, that fraction of the excess is
    absent.
    """
    parent = stage.input("brain.esketamine", "umol/L") + stage.input("brain.arketamine", "umol/L")
    membrane = stage.parameter("plasticity.membrane_accumulation") * parent
    bound = membrane / (membrane + stage.parameter("plasticity.trkb_binding_ec50"))
    direct_factor = 1 + stage.parameter("pathway.trkb_direct") * stage.parameter("plasticity.trkb_direct_gain") * bound
    ec50 = stage.parameter("plasticity.trkb_ec50")
    stimulus = released * direct_factor
    unblocked = 1 - stage.input("tool_compounds.trkb_block_share", "1")
    vgf_factor = 1 - stage.parameter("plasticity.vgf_share") * (1 - stage.parameter("plasticity.vgf_gene"))
    target = unblocked * stimulus * (1 + ec50) / (ec50 + stimulus)
    active = _first_order_lag(stage, "trkb", target, "trkb_rate_constant", "phosphorylated TrkB", "BDNF binding")
    excess = vgf_factor * _above_threshold(stage, active - 1)
    desensitisation = stage.state(
        "plasticity.trkb_desensitised", "1", bounds=(None, None), description="desensitisation of TrkB"
    )
    adapt_set_point(
        stage,
        desensitisation,
        excess,
        stage.parameter("plasticity.trkb_desensitisation"),
        because="receptor internalisation follows the lasting excess",
    )
    signal = _above_threshold(stage, excess - desensitisation)
    return stage.output("plasticity.trkb_signal", signal, "1", description="TrkB signal beyond desensitisation")


def _kinases(stage: Stage, trkb: sympy.Expr) -> sympy.Symbol:
    """ERK and Akt together, driven by TrkB."""
    target = 1 + stage.parameter("plasticity.kinase_gain") * trkb
    return _first_order_lag(stage, "erk_akt", target, "kinase_rate_constant", "active ERK and Akt", "TrkB signalling")


def _mtorc1(stage: Stage, kinases: sympy.Expr) -> sympy.Symbol:
    """mTORC1: needs ERK and Akt together, hence the square, and is inhibited by S6 kinase, its own product.

    GluN2B receptors inhibit it at baseline; a cortex without them has lasting higher activity (Miller 2014).
    """
    drive = (kinases - 1) * hill(kinases - 1, stage.parameter("plasticity.mtorc1_threshold"), 1)
    feedback = stage.state(
        "plasticity.s6k_feedback", "1", bounds=(None, None), description="S6 kinase feedback on mTORC1"
    )
    target = 1 + stage.parameter("plasticity.mtorc1_gain") * drive / (
        1 + stage.parameter("plasticity.s6k_gain") * feedback
    )
    rapamycin_factor = 1 - stage.input("tool_compounds.rapamycin_share", "1")
    glun2b_disinhibition = stage.parameter("plasticity.glun2b_tone") * stage.parameter("perturbation.glun2b_deletion")
    inhibited_target = (target + glun2b_disinhibition) * rapamycin_factor
    active = _first_order_lag(
        stage, "mtorc1", inhibited_target, "mtorc1_rate_constant", "phosphorylated mTOR", "ERK and Akt signalling"
    )
    excess = _above_threshold(stage, active - 1)
    adapt_set_point(
        stage,
        feedback,
        excess,
        stage.parameter("plasticity.s6k_rate_constant"),
        because="S6 kinase follows mTORC1 activity",
    )
    return stage.output("plasticity.synthesis_signal", excess, "1", description="mTORC1 activity above baseline")


def _gsk3(stage: Stage, kinases: sympy.Expr) -> sympy.Symbol:
    """Active GSK3: inactivated by Akt (not in the knock-in mutant that resists phosphorylation) and by lithium."""
    gsk3_gain = stage.parameter("plasticity.gsk3_gain") * (1 - stage.parameter("perturbation.gsk3_locked"))
    akt_inhibition = 1 + gsk3_gain * _above_threshold(stage, kinases - 1)
    unblocked = 1 - stage.input("tool_compounds.lithium_share", "1")
    return _first_order_lag(
        stage, "gsk3_active", unblocked / akt_inhibition, "gsk3_rate_constant", "active GSK3", "Akt phosphorylates GSK3"
    )


def _synaptic_tags(stage: Stage) -> sympy.Symbol:
    """Synapses that can capture new protein and AMPA receptors, as a fraction of all that can; returns the state.

    Synaptic NMDA receptors set the tags. While they are blocked, tags are lost with the square of the block (calcium
    acts cooperatively), and they recover over days: MK-801, CPP or a high dose of ketamine, all of which block
    pyramidal synapses for hours, prevent a lasting effect although glutamate rises later (Zanos 2023).
    """
    tags = stage.state(
        "plasticity.growth_capacity", "1", initial_guess=1.0, description="synapses that can capture new protein"
    )
    blocked = stage.input("nmda.blocked_pyramidal", "1")
    stage.rate(
        tags,
        -stage.parameter("plasticity.tag_loss_rate") * blocked**2 * tags,
        because="tags need synaptic NMDA receptors and are lost while these are blocked (Zanos 2023)",
    )
    stage.rate(
        tags, +stage.parameter("plasticity.tag_recovery_rate") * (1 - tags), because="recovery of tags over days"
    )
    return tags


def _synaptic_protein(stage: Stage, signal: sympy.Expr, gsk3: sympy.Expr) -> None:
    """Synaptic protein (PSD95, GluA1, synapsin): synthesised locally, delivered over hours, lost over days.

    Active GSK3 limits translation as it limits the retention of AMPA receptors: lithium makes a low dose effective
    (Liu 2013, Chiu 2015), and GSK3 that Akt cannot phosphorylate abolishes the effect (Beurel 2011).
    """
    ec50, delivery = stage.parameter("plasticity.synthesis_ec50"), stage.parameter("plasticity.delivery_rate")
    reserve, turnover = stage.parameter("plasticity.protein_reserve"), stage.parameter("plasticity.protein_turnover")
    gsk3_share = stage.parameter("ampa.gsk3_share")
    gsk3_factor = (1 - gsk3_share * gsk3) / (1 - gsk3_share)
    capacity = _synaptic_tags(stage)
    new = stage.state(
        "plasticity.new_protein", "1", bounds=(None, None), description="synthesised protein not yet at the synapse"
    )
    protein = stage.state(
        "plasticity.synaptic_protein", "1", initial_guess=1.0, description="synaptic protein, relative to baseline"
    )
    translation = 1 - stage.input("tool_compounds.anisomycin_share", "1")
    synthesis = (
        translation * stage.parameter("plasticity.synthesis_rate") * capacity * gsk3_factor * signal / (ec50 + signal)
    )
    stage.rate(new, +synthesis, because="mTORC1-dependent translation in dendrites")
    stage.rate(capacity, -stage.parameter("plasticity.tag_consumption") * synthesis, because="use of tags by growth")
    stage.rate(new, -delivery * new, because="delivery to synapses or loss")
    free_reserve = (1 + reserve - protein) / reserve
    stage.rate(protein, +delivery * new * free_reserve, because="arrival at synapses with free reserve")
    stage.rate(protein, +turnover * (1 - protein), because="turnover towards baseline")
