"""The molecular cascade: calcium, BDNF, TrkB, ERK/Akt, mTORC1, eEF2, GSK3 and synaptic protein."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, hill


def plasticity(m: Stage) -> None:
    """Two limbs to new synaptic protein, each quantity relative to its own rest (1).

    Limb one: block of receptors at rest (and outside synapses) lets eEF2 dephosphorylate, which frees
    translation of BDNF (Autry 2011, Nosyreva 2013). Limb two: AMPA current opens L-type calcium channels,
    calcium releases BDNF, TrkB drives ERK/Akt and mTORC1, which make synaptic protein (Li 2010, Lepack).
    Both limbs meet at BDNF: pool times release. TrkB, the eEF2 brake and mTORC1 desensitise, so lasting
    small pushes end in nothing. Units: 1, h.
    """
    calcium = _calcium(m)
    scaling = _translation_brake(m)
    released = _bdnf(m, calcium, scaling)
    trkb = _trkb(m, released)
    kinases = _kinases(m, trkb)
    _synaptic_protein(m, _mtorc1(m, kinases), _gsk3(m, kinases))


def _follow(m: Stage, name: str, target: sympy.Expr, pace: str, about: str, because: str) -> sympy.Symbol:
    """A state at rest at 1 that follows a target with a first-order pace (1/h)."""
    speed = m.parameter(f"plasticity.{pace}")
    level = m.state(f"plasticity.{name}", "1", at_rest=1.0, about=about)
    m.rate(level, +speed * target, because=because)
    m.rate(level, -speed * level, because="turnover")
    return level


def _above(m: Stage, excess: sympy.Expr) -> sympy.Expr:
    """Excess over rest or set point: 0 below, smooth at 0, the excess itself beyond a small bend."""
    return excess * hill(excess, m.parameter("plasticity.bend"), 1)


def _calcium(m: Stage) -> sympy.Symbol:
    """Dendritic calcium: AMPA current opens L-type channels; synaptic NMDA receptors add a share."""
    share = m.parameter("plasticity.nmda_calcium_share")
    helped = m.parameter("plasticity.glycine_site_gain") * m.needs("antagonists.glycine_site_share", "1")
    open_nmda = 1 - share * m.needs("nmda.blocked_pyramidal", "1") + share * helped
    channels = 1 - m.needs("antagonists.verapamil_share", "1")
    inactive = m.state("plasticity.channel_inactivation", "1", within=(None, None), about="calcium entry got used to")
    target = m.needs("ampa.current", "1") * open_nmda * channels / (1 + inactive)
    level = _follow(m, "calcium", target, "calcium_pace", "dendritic calcium", "entry through L-type and NMDA channels")
    excess = m.parameter("plasticity.inactivation_gain") * _above(m, level - 1)
    m.rate(
        inactive,
        m.parameter("plasticity.inactivation_rate") * (excess - inactive),
        because="L-type channels are withdrawn while calcium stays above its set point",
    )
    return level


def _translation_brake(m: Stage) -> sympy.Symbol:
    """Phosphorylated eEF2 and its set point; returns how far translation is freed beyond the set point.

    GluN2B carries the brake: where a cortex never had any, there is nothing for a blocker to close (Miller 2014).
    """
    resting = m.parameter("pathway.resting_release") * m.needs("nmda.blocked_resting", "1")
    outside = m.parameter("pathway.extrasynaptic") * m.needs("nmda.blocked_extrasynaptic", "1")
    weight = m.parameter("plasticity.extrasynaptic_weight")
    closable = 1 - m.parameter("perturbation.glun2b_deletion")
    silent = closable * ((1 - weight) * resting + weight * outside)
    depth, half = m.parameter("plasticity.eef2_depth"), m.parameter("plasticity.eef2_half_block")
    working = 1 - m.needs("antagonists.eef2k_block_share", "1")
    target = working * (1 - depth * silent / (silent + half))
    brake = _follow(
        m,
        "eef2_phosphorylated",
        target,
        "eef2_pace",
        "phosphorylated eEF2",
        "eEF2 kinase is silent while NMDA is blocked",
    )
    adapted = m.state("plasticity.eef2_set_point", "1", within=(None, None), about="lasting loss of p-eEF2 got used to")
    m.rate(
        adapted,
        m.parameter("plasticity.eef2_adaptation") * (1 - brake - adapted),
        because="scaling set point follows the lasting level",
    )
    freed = _above(m, 1 - brake - adapted)
    return m.offers("plasticity.scaling_signal", freed, "1", about="translation freed beyond its set point")


def _bdnf(m: Stage, calcium: sympy.Expr, scaling: sympy.Expr) -> sympy.Symbol:
    """BDNF: a translated pool and its calcium-dependent release."""
    quinolinate = m.needs("inflammation.quinolinate", "1") - m.resting("inflammation.quinolinate", "1")
    tone = 1 + m.parameter("plasticity.serotonin_bdnf") * m.needs("comparators.serotonin_bias", "1")
    freed = 1 + m.parameter("plasticity.translation_gain") * scaling
    made = m.parameter("plasticity.bdnf_gene") * (1 - m.needs("antagonists.anisomycin_share", "1"))
    target = made * freed * tone / (1 + m.parameter("plasticity.quinolinate_bdnf") * quinolinate)
    pool = _follow(m, "bdnf_pool", target, "bdnf_pool_pace", "BDNF ready for release", "translation freed by eEF2")
    half = m.parameter("plasticity.release_half")
    regulated = m.parameter("plasticity.bdnf_secretion")
    evoked = calcium * calcium * (1 + half) / (half + calcium * calcium)
    release = pool * (1 - regulated + regulated * evoked)
    kept = 1 - m.needs("antagonists.anti_bdnf_share", "1")
    return _follow(m, "bdnf", release * kept, "bdnf_pace", "released BDNF", "release follows calcium and the pool")


def _trkb(m: Stage, released: sympy.Expr) -> sympy.Symbol:
    """TrkB, helped directly by drug dissolved in membrane; returns the signal beyond its desensitisation.

    BDNF makes VGF, whose peptide TLQP-62 feeds back on TrkB: without the gene that share of the excess is not there.
    """
    parent = m.needs("brain.esketamine", "umol/L") + m.needs("brain.arketamine", "umol/L")
    membrane = m.parameter("plasticity.membrane_accumulation") * parent
    bound = membrane / (membrane + m.parameter("plasticity.trkb_half_binding"))
    direct = 1 + m.parameter("pathway.trkb_direct") * m.parameter("plasticity.trkb_direct_gain") * bound
    half = m.parameter("plasticity.trkb_half")
    stimulus = released * direct
    free = 1 - m.needs("antagonists.trkb_block_share", "1")
    looped = 1 - m.parameter("plasticity.vgf_share") * (1 - m.parameter("plasticity.vgf_gene"))
    target = free * stimulus * (1 + half) / (half + stimulus)
    active = _follow(m, "trkb", target, "trkb_pace", "phosphorylated TrkB", "BDNF binding")
    excess = looped * _above(m, active - 1)
    tired = m.state("plasticity.trkb_desensitised", "1", within=(None, None), about="TrkB signal got used to")
    m.rate(
        tired,
        m.parameter("plasticity.trkb_desensitisation") * (excess - tired),
        because="internalised receptors follow the lasting excess",
    )
    signal = _above(m, excess - tired)
    return m.offers("plasticity.trkb_signal", signal, "1", about="TrkB signal beyond desensitisation")


def _kinases(m: Stage, trkb: sympy.Expr) -> sympy.Symbol:
    """ERK and Akt together, driven by TrkB."""
    target = 1 + m.parameter("plasticity.kinase_gain") * trkb
    return _follow(m, "erk_akt", target, "kinase_pace", "active ERK and Akt", "TrkB signalling")


def _mtorc1(m: Stage, kinases: sympy.Expr) -> sympy.Symbol:
    """mTORC1: needs ERK and Akt together, hence the square, and is braked by S6 kinase, its own product.

    GluN2B receptors hold it down at rest; a cortex without them runs higher for life (Miller 2014).
    """
    drive = (kinases - 1) * hill(kinases - 1, m.parameter("plasticity.mtorc1_threshold"), 1)
    feedback = m.state("plasticity.s6k_feedback", "1", within=(None, None), about="S6 kinase feedback on mTORC1")
    target = 1 + m.parameter("plasticity.mtorc1_gain") * drive / (1 + m.parameter("plasticity.s6k_gain") * feedback)
    sensitive = 1 - m.needs("antagonists.rapamycin_share", "1")
    tonic = m.parameter("plasticity.glun2b_tone") * m.parameter("perturbation.glun2b_deletion")
    reached = (target + tonic) * sensitive
    active = _follow(m, "mtorc1", reached, "mtorc1_pace", "phosphorylated mTOR", "ERK and Akt signalling")
    excess = _above(m, active - 1)
    m.rate(
        feedback,
        m.parameter("plasticity.s6k_pace") * (excess - feedback),
        because="S6 kinase follows mTORC1 activity",
    )
    return m.offers("plasticity.synthesis_signal", excess, "1", about="mTORC1 activity above rest")


def _gsk3(m: Stage, kinases: sympy.Expr) -> sympy.Symbol:
    """Active GSK3, phosphorylated away by Akt unless the knock-in mutant cannot be, and held down by lithium."""
    reachable = m.parameter("plasticity.gsk3_gain") * (1 - m.parameter("perturbation.gsk3_locked"))
    braked = 1 + reachable * _above(m, kinases - 1)
    free = 1 - m.needs("antagonists.lithium_share", "1")
    return _follow(m, "gsk3_active", free / braked, "gsk3_pace", "active GSK3", "Akt phosphorylates GSK3")


def _synaptic_protein(m: Stage, synthesis: sympy.Expr, gsk3: sympy.Expr) -> None:
    """Synaptic protein (PSD95, GluA1, synapsin): made locally, delivered over hours, lost over days."""
    half, delivery = m.parameter("plasticity.synthesis_half"), m.parameter("plasticity.delivery_rate")
    reserve, turnover = m.parameter("plasticity.protein_reserve"), m.parameter("plasticity.protein_turnover")
    guard = m.parameter("plasticity.gsk3_turnover_share")
    capacity = m.state("plasticity.growth_capacity", "1", at_rest=1.0, about="synaptic tags free to take new protein")
    new = m.state("plasticity.new_protein", "1", within=(None, None), about="protein made but not yet at the synapse")
    protein = m.state("plasticity.synaptic_protein", "1", at_rest=1.0, about="synaptic protein relative to rest")
    working = 1 - m.needs("antagonists.anisomycin_share", "1")
    made = working * m.parameter("plasticity.synthesis_rate") * capacity * synthesis / (half + synthesis)
    m.rate(new, +made, because="mTORC1-dependent translation in dendrites")
    m.rate(capacity, -m.parameter("plasticity.capacity_use") * made, because="each round of growth uses up tags")
    m.rate(
        capacity,
        m.parameter("plasticity.capacity_recovery") * (1 - capacity),
        because="tags recover over days",
    )
    m.rate(new, -delivery * new, because="delivery to synapses or loss")
    room = (1 + reserve - protein) / reserve
    m.rate(protein, +delivery * new * room, because="arrival at synapses that still have room")
    speed = turnover * (1 - guard + guard * gsk3)
    m.rate(protein, +speed * (1 - protein), because="turnover towards rest, quicker while GSK3 is active")
