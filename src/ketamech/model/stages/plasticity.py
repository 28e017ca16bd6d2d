"""The molecular cascade: calcium, BDNF, TrkB, ERK/Akt, mTORC1, eEF2, GSK3 and synaptic protein."""

from __future__ import annotations

import sympy

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def plasticity(stage: Stage) -> None:
    """Two limbs to new synaptic protein, each quantity relative to its own rest (1).

    Limb one: block of receptors at rest (and outside synapses) lets eEF2 dephosphorylate, which frees
    translation of BDNF (Autry 2011, Nosyreva 2013). Limb two: AMPA current opens L-type calcium channels,
    calcium releases BDNF, TrkB drives ERK/Akt and mTORC1, which make synaptic protein (Li 2010, Lepack).
    Both limbs meet at BDNF: pool times release. TrkB, the eEF2 brake and mTORC1 desensitise, so lasting
    small pushes end in nothing. Units: 1, h.
    """
    calcium = _calcium(stage)
    scaling = _translation_brake(stage)
    released = _bdnf(stage, calcium, scaling)
    trkb = _trkb(stage, released)
    kinases = _kinases(stage, trkb)
    _synaptic_protein(stage, _mtorc1(stage, kinases), _gsk3(stage, kinases))


def _first_order_lag(stage: Stage, name: str, target: sympy.Expr, pace: str, about: str, because: str) -> sympy.Symbol:
    """A state at rest at 1 that follows a target with a first-order pace (1/h)."""
    speed = stage.parameter(f"plasticity.{pace}")
    level = stage.state(f"plasticity.{name}", "1", initial_guess=1.0, description=about)
    stage.rate(level, +speed * target, because=because)
    stage.rate(level, -speed * level, because="turnover")
    return level


def _above_threshold(stage: Stage, excess: sympy.Expr) -> sympy.Expr:
    """Excess over rest or set point: 0 below, smooth at 0, the excess itself beyond a small bend."""
    return excess * hill(excess, stage.parameter("plasticity.threshold_width"), 1)


def _calcium(stage: Stage) -> sympy.Symbol:
    """Dendritic calcium: AMPA current opens L-type channels; synaptic NMDA receptors add a share."""
    share = stage.parameter("plasticity.nmda_calcium_share")
    helped = stage.parameter("plasticity.glycine_site_gain") * stage.input("tool_compounds.glycine_site_share", "1")
    open_nmda = 1 - share * stage.input("nmda.blocked_pyramidal", "1") + share * helped
    channels = 1 - stage.input("tool_compounds.verapamil_share", "1")
    inactive = stage.state(
        "plasticity.channel_inactivation", "1", bounds=(None, None), description="calcium entry got used to"
    )
    target = stage.input("ampa.current", "1") * open_nmda * channels / (1 + inactive)
    level = _first_order_lag(
        stage, "calcium", target, "calcium_rate_constant", "dendritic calcium", "entry through L-type and NMDA channels"
    )
    excess = stage.parameter("plasticity.inactivation_gain") * _above_threshold(stage, level - 1)
    stage.rate(
        inactive,
        stage.parameter("plasticity.inactivation_rate") * (excess - inactive),
        because="L-type channels are withdrawn while calcium stays above its set point",
    )
    return level


def _translation_brake(stage: Stage) -> sympy.Symbol:
    """Phosphorylated eEF2 and its set point; returns how far translation is freed beyond the set point.

    GluN2B carries the brake: where a cortex never had any, there is nothing for a blocker to close (Miller 2014).
    """
    resting = stage.parameter("pathway.resting_release") * stage.input("nmda.blocked_resting", "1")
    outside = stage.parameter("pathway.extrasynaptic") * stage.input("nmda.blocked_extrasynaptic", "1")
    weight = stage.parameter("plasticity.extrasynaptic_weight")
    closable = 1 - stage.parameter("perturbation.glun2b_deletion")
    silent = closable * ((1 - weight) * resting + weight * outside)
    depth, half = stage.parameter("plasticity.eef2_emax"), stage.parameter("plasticity.eef2_ic50_block")
    working = 1 - stage.input("tool_compounds.eef2k_block_share", "1")
    target = working * (1 - depth * silent / (silent + half))
    brake = _first_order_lag(
        stage,
        "eef2_phosphorylated",
        target,
        "eef2_rate_constant",
        "phosphorylated eEF2",
        "eEF2 kinase is silent while NMDA is blocked",
    )
    adapted = stage.state(
        "plasticity.eef2_set_point", "1", bounds=(None, None), description="lasting loss of p-eEF2 got used to"
    )
    stage.rate(
        adapted,
        stage.parameter("plasticity.eef2_adaptation") * (1 - brake - adapted),
        because="scaling set point follows the lasting level",
    )
    freed = _above_threshold(stage, 1 - brake - adapted)
    return stage.output(
        "plasticity.eef2_release_signal", freed, "1", description="translation freed beyond its set point"
    )


def _bdnf(stage: Stage, calcium: sympy.Expr, scaling: sympy.Expr) -> sympy.Symbol:
    """BDNF: a translated pool and its calcium-dependent release."""
    quinolinate = stage.input("inflammation.quinolinate", "1") - stage.baseline("inflammation.quinolinate", "1")
    tone = 1 + stage.parameter("plasticity.serotonin_bdnf") * stage.input("other_treatments.serotonin_bias", "1")
    freed = 1 + stage.parameter("plasticity.translation_gain") * scaling
    made = stage.parameter("plasticity.bdnf_gene") * (1 - stage.input("tool_compounds.anisomycin_share", "1"))
    target = made * freed * tone / (1 + stage.parameter("plasticity.quinolinate_bdnf") * quinolinate)
    pool = _first_order_lag(
        stage, "bdnf_pool", target, "bdnf_pool_rate_constant", "BDNF ready for release", "translation freed by eEF2"
    )
    half = stage.parameter("plasticity.release_ec50")
    regulated = stage.parameter("plasticity.bdnf_secretion")
    evoked = calcium * calcium * (1 + half) / (half + calcium * calcium)
    release = pool * (1 - regulated + regulated * evoked)
    kept = 1 - stage.input("tool_compounds.anti_bdnf_share", "1")
    return _first_order_lag(
        stage, "bdnf", release * kept, "bdnf_rate_constant", "released BDNF", "release follows calcium and the pool"
    )


def _trkb(stage: Stage, released: sympy.Expr) -> sympy.Symbol:
    """TrkB, helped directly by drug dissolved in membrane; returns the signal beyond its desensitisation.

    BDNF makes VGF, whose peptide TLQP-62 feeds back on TrkB: without the gene that share of the excess is not there.
    """
    parent = stage.input("brain.esketamine", "umol/L") + stage.input("brain.arketamine", "umol/L")
    membrane = stage.parameter("plasticity.membrane_accumulation") * parent
    bound = membrane / (membrane + stage.parameter("plasticity.trkb_binding_ec50"))
    direct = 1 + stage.parameter("pathway.trkb_direct") * stage.parameter("plasticity.trkb_direct_gain") * bound
    half = stage.parameter("plasticity.trkb_ec50")
    stimulus = released * direct
    free = 1 - stage.input("tool_compounds.trkb_block_share", "1")
    looped = 1 - stage.parameter("plasticity.vgf_share") * (1 - stage.parameter("plasticity.vgf_gene"))
    target = free * stimulus * (1 + half) / (half + stimulus)
    active = _first_order_lag(stage, "trkb", target, "trkb_rate_constant", "phosphorylated TrkB", "BDNF binding")
    excess = looped * _above_threshold(stage, active - 1)
    tired = stage.state("plasticity.trkb_desensitised", "1", bounds=(None, None), description="TrkB signal got used to")
    stage.rate(
        tired,
        stage.parameter("plasticity.trkb_desensitisation") * (excess - tired),
        because="internalised receptors follow the lasting excess",
    )
    signal = _above_threshold(stage, excess - tired)
    return stage.output("plasticity.trkb_signal", signal, "1", description="TrkB signal beyond desensitisation")


def _kinases(stage: Stage, trkb: sympy.Expr) -> sympy.Symbol:
    """ERK and Akt together, driven by TrkB."""
    target = 1 + stage.parameter("plasticity.kinase_gain") * trkb
    return _first_order_lag(stage, "erk_akt", target, "kinase_rate_constant", "active ERK and Akt", "TrkB signalling")


def _mtorc1(stage: Stage, kinases: sympy.Expr) -> sympy.Symbol:
    """mTORC1: needs ERK and Akt together, hence the square, and is braked by S6 kinase, its own product.

    GluN2B receptors hold it down at rest; a cortex without them runs higher for life (Miller 2014).
    """
    drive = (kinases - 1) * hill(kinases - 1, stage.parameter("plasticity.mtorc1_threshold"), 1)
    feedback = stage.state(
        "plasticity.s6k_feedback", "1", bounds=(None, None), description="S6 kinase feedback on mTORC1"
    )
    target = 1 + stage.parameter("plasticity.mtorc1_gain") * drive / (
        1 + stage.parameter("plasticity.s6k_gain") * feedback
    )
    sensitive = 1 - stage.input("tool_compounds.rapamycin_share", "1")
    tonic = stage.parameter("plasticity.glun2b_tone") * stage.parameter("perturbation.glun2b_deletion")
    reached = (target + tonic) * sensitive
    active = _first_order_lag(
        stage, "mtorc1", reached, "mtorc1_rate_constant", "phosphorylated mTOR", "ERK and Akt signalling"
    )
    excess = _above_threshold(stage, active - 1)
    stage.rate(
        feedback,
        stage.parameter("plasticity.s6k_rate_constant") * (excess - feedback),
        because="S6 kinase follows mTORC1 activity",
    )
    return stage.output("plasticity.synthesis_signal", excess, "1", description="mTORC1 activity above rest")


def _gsk3(stage: Stage, kinases: sympy.Expr) -> sympy.Symbol:
    """Active GSK3, phosphorylated away by Akt unless the knock-in mutant cannot be, and held down by lithium."""
    reachable = stage.parameter("plasticity.gsk3_gain") * (1 - stage.parameter("perturbation.gsk3_locked"))
    braked = 1 + reachable * _above_threshold(stage, kinases - 1)
    free = 1 - stage.input("tool_compounds.lithium_share", "1")
    return _first_order_lag(
        stage, "gsk3_active", free / braked, "gsk3_rate_constant", "active GSK3", "Akt phosphorylates GSK3"
    )


def _synaptic_protein(stage: Stage, synthesis: sympy.Expr, gsk3: sympy.Expr) -> None:
    """Synaptic protein (PSD95, GluA1, synapsin): made locally, delivered over hours, lost over days."""
    half, delivery = stage.parameter("plasticity.synthesis_ec50"), stage.parameter("plasticity.delivery_rate")
    reserve, turnover = stage.parameter("plasticity.protein_reserve"), stage.parameter("plasticity.protein_turnover")
    guard = stage.parameter("plasticity.gsk3_turnover_share")
    capacity = stage.state(
        "plasticity.growth_capacity", "1", initial_guess=1.0, description="synaptic tags free to take new protein"
    )
    new = stage.state(
        "plasticity.new_protein", "1", bounds=(None, None), description="protein made but not yet at the synapse"
    )
    protein = stage.state(
        "plasticity.synaptic_protein", "1", initial_guess=1.0, description="synaptic protein relative to rest"
    )
    working = 1 - stage.input("tool_compounds.anisomycin_share", "1")
    made = working * stage.parameter("plasticity.synthesis_rate") * capacity * synthesis / (half + synthesis)
    stage.rate(new, +made, because="mTORC1-dependent translation in dendrites")
    stage.rate(
        capacity, -stage.parameter("plasticity.tag_consumption") * made, because="each round of growth uses up tags"
    )
    stage.rate(
        capacity,
        stage.parameter("plasticity.tag_recovery_rate") * (1 - capacity),
        because="tags recover over days",
    )
    stage.rate(new, -delivery * new, because="delivery to synapses or loss")
    room = (1 + reserve - protein) / reserve
    stage.rate(protein, +delivery * new * room, because="arrival at synapses that still have room")
    speed = turnover * (1 - guard + guard * gsk3)
    stage.rate(protein, +speed * (1 - protein), because="turnover towards rest, quicker while GSK3 is active")
