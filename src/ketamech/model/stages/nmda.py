"""NMDA receptors: binding and use-dependent trapping block at seven sites, by subunit, voltage and magnesium."""

from __future__ import annotations

import sympy

from ketamech.model.functions import exp, hill
from ketamech.model.stage import Stage

SUBUNITS = ("2a", "2b", "2c", "2d")
SITES = ("pv", "sst", "pyramidal", "extrasynaptic", "resting", "spinal", "habenula")
NAMES = {
    "pv": "parvalbumin interneurons",
    "sst": "somatostatin interneurons",
    "pyramidal": "pyramidal synapses",
}
SITES_WITH_2C = ("pv", "sst", "habenula")
FIRING = {
    "pv": "circuit.pv_rate",
    "sst": "circuit.sst_rate",
    "pyramidal": "circuit.pyramidal_rate",
    "extrasynaptic": "circuit.pyramidal_rate",
}
OPENINGS = {site: "brief" for site in ("pv", "sst", "resting", "habenula")} | {
    "pyramidal": "slow",
    "extrasynaptic": "tonic",
    "spinal": "tonic",
}


def nmda(stage: Stage) -> None:
    """Open-channel block: drug enters open receptors, is trapped when they close, leaves when they reopen.

    The blocked fraction B at a site relaxes as koff x open fraction x [C/K (1 - B - M) - B / trapped share]: the
    frequency of opening, which follows glutamate and firing, sets the rate. K follows the subunit mix (Kotermanski and
    Johnson 2009, with and without 1 mM Mg), the Woodhull depth of the site and the Jahr-Stevens voltage dependence of
    Mg. M is the fraction occupied by memantine. Other blockers act independently. Unbinding from Gilling 2009; binding
    is implied by koff and K, since the published koff/kon is twice the published IC50.

    Two quantities per site: `blocked` is the fraction of current lost, on the scale of recordings with magnesium;
    `bound` is the fraction of MK-801 sites occupied, on the scale of displacement in vivo (Shaffer 2014), where the
    drug appears several times as potent. `nmda.occupancy` is the mean of the bound fractions over receptors. Units:
    umol/L racemic-ketamine equivalents, h, fractions.
    """
    drug = _equivalent_drug(stage)
    memantine = stage.input("memantine.brain_unbound", "umol/L")
    blocked = {site: _site(stage, site, drug, memantine) for site in SITES}
    for site, fraction in blocked.items():
        stage.output(
            f"nmda.blocked_{site}", fraction, "1", description=f"NMDA receptors blocked: {NAMES.get(site, site)}"
        )
    pv_weight = stage.parameter("circuit.pv_weight")
    interneuron = pv_weight * blocked["pv"] + (1 - pv_weight) * blocked["sst"]
    stage.output(
        "nmda.blocked_interneuron",
        interneuron,
        "1",
        description="NMDA receptors blocked, mean of both interneurons",
    )
    _binding(stage, blocked)
    _by_subunit(stage, drug)


def _equivalent_drug(stage: Stage) -> sympy.Symbol:
    """Unbound blockers in brain as racemic ketamine: each moiety times its affinity relative to the racemate."""
    enantiomer_ratio = stage.parameter("nmda.enantiomer_ratio")
    norketamine = stage.parameter("nmda.norketamine_affinity")
    hydroxynorketamine = stage.parameter("nmda.hydroxynorketamine_affinity")
    s_weight, r_weight = 2 * enantiomer_ratio / (1 + enantiomer_ratio), 2 / (1 + enantiomer_ratio)
    parent = s_weight * stage.input("brain.esketamine", "umol/L") + r_weight * stage.input("brain.arketamine", "umol/L")
    norketamine_enantiomer_ratio = stage.parameter("nmda.norketamine_ratio")
    norketamine_s_weight, norketamine_r_weight = (
        2 * norketamine_enantiomer_ratio / (1 + norketamine_enantiomer_ratio),
        2 / (1 + norketamine_enantiomer_ratio),
    )
    norketamine_level = norketamine_s_weight * stage.input(
        "brain.norketamine_s", "umol/L"
    ) + norketamine_r_weight * stage.input("brain.norketamine_r", "umol/L")
    hydroxynorketamine_level = stage.input("brain.hydroxynorketamine_s", "umol/L") + stage.input(
        "brain.hydroxynorketamine_r", "umol/L"
    )
    total = parent + norketamine * norketamine_level + hydroxynorketamine * hydroxynorketamine_level
    return stage.output(
        "nmda.equivalent_drug", total, "umol/L", description="blockers in brain as racemic ketamine, unbound"
    )


def _half_block(stage: Stage, blocker: str, subunit: str, voltage: sympy.Expr, site: str) -> sympy.Expr:
    """Half-blocking concentration (umol/L) of one subunit pair at a membrane voltage, with magnesium."""
    free, with_magnesium = (stage.parameter(f"nmda.{blocker}_{subunit}_{mg}") for mg in ("no_magnesium", "magnesium"))
    reference, thermal = stage.parameter("nmda.reference_voltage"), stage.parameter("nmda.thermal_voltage")
    depth, steepness = stage.parameter(f"nmda.{blocker}_electrical_depth"), stage.parameter("nmda.magnesium_steepness")
    shift = voltage - reference
    competition = 1 + (with_magnesium / free - 1) * stage.parameter("nmda.magnesium") * exp(-steepness * shift)
    ec50 = free * exp(depth * shift / thermal) * competition
    description = (
        f"half-blocking {blocker} at GluN1/GluN{subunit.upper()}, voltage and magnesium of {NAMES.get(site, site)}"
    )
    return stage.constant(f"nmda.{blocker}_half_{subunit}_{site}", ec50, "umol/L", description=description)


def _affinity(stage: Stage, blocker: str, site: str) -> sympy.Expr:
    """Affinity (L/umol) of a site: mean over its subunits; the last subunit is the remainder of the mix."""
    voltage = stage.parameter(f"nmda.voltage_{site}")
    mix = SUBUNITS if site in SITES_WITH_2C else tuple(subunit for subunit in SUBUNITS if subunit != "2c")
    shares = [stage.parameter(f"nmda.share_{subunit}_{site}") for subunit in mix[:-1]]
    shares.append(1 - sum(shares))
    pairs = zip(mix, shares, strict=True)
    mean = sympy.Add(*(fraction / _half_block(stage, blocker, subunit, voltage, site) for subunit, fraction in pairs))
    description = f"affinity for {blocker}: {NAMES.get(site, site)}"
    return stage.constant(f"nmda.{blocker}_affinity_{site}", mean, "L/umol", description=description)


def _memantine_occupancy(stage: Stage, site: str, memantine: sympy.Expr, ketamine: sympy.Expr) -> sympy.Expr:
    """Fraction of receptors occupied by memantine, at equilibrium with the receptors free of ketamine.

    Memantine leaves a superficial site at each closure (Kotermanski 2009), ketamine does not. So memantine is retained
    in proportion to unbinding during an opening over all unbinding, which is little where openings are brief.
    """
    unbound_in_opening = stage.parameter("nmda.memantine_unbinding_rate") * stage.parameter(
        f"nmda.opening_{OPENINGS[site]}"
    )
    retained = unbound_in_opening / (unbound_in_opening + stage.parameter("nmda.memantine_untrapped"))
    memantine_over_ec50 = memantine * _affinity(stage, "memantine", site) * retained
    return (1 - ketamine) * memantine_over_ec50 / (1 + memantine_over_ec50)


def _site(stage: Stage, site: str, drug: sympy.Expr, memantine: sympy.Expr) -> sympy.Expr:
    """Trapped ketamine at one site; returns the fraction blocked by either drug."""
    trapped = stage.state(
        f"nmda.trapped_{site}", "1", bounds=(0, 1), description=f"ketamine trapped: {NAMES.get(site, site)}"
    )
    total = _trapped_in_silent_cells(stage, trapped) if site == "habenula" else trapped
    memantine_occupancy = _memantine_occupancy(stage, site, memantine, total)
    unbinding = stage.parameter("nmda.unbinding_rate") * _openness(stage, site)
    stage.rate(
        trapped,
        +unbinding * drug * _affinity(stage, "ketamine", site) * (1 - total - memantine_occupancy),
        because="binding to channels that are open and free",
    )
    stage.rate(
        trapped,
        -unbinding * trapped / stage.parameter("nmda.ketamine_trapped_share"),
        because="unbinding while the channel is open, and escape of the part that is not trapped at closure",
    )
    return 1 - (1 - total - memantine_occupancy) * _free_of_other_blockers(stage, site)


def _free_of_other_blockers(stage: Stage, site: str) -> sympy.Expr:
    """Fraction of receptors without a GluN2B antagonist, MK-801, lanicemine or CPP, which act independently.

    CPP competes with glutamate: more glutamate displaces it.
    """
    glun2b_antagonist = stage.parameter(f"nmda.share_2b_{site}") * stage.input("tool_compounds.glun2b_block_share", "1")
    channels = [stage.input(f"tool_compounds.{name}_share", "1") for name in ("mk801", "lanicemine")]
    cpp, glutamate = stage.input("tool_compounds.cpp_share", "1"), stage.input("glutamate.extracellular", "1")
    competitive = cpp / (cpp + (1 - cpp) * glutamate)
    return (1 - glun2b_antagonist) * (1 - channels[0]) * (1 - channels[1]) * (1 - competitive)


def _openness(stage: Stage, site: str) -> sympy.Expr:
    """Fraction of time open: follows glutamate and, where firing removes magnesium, the firing of the cell.

    Spontaneous release acts without firing. In the habenula the fraction of bursting cells counts; the dorsal horn has
    no activity of its own in the model.
    """
    if site == "habenula":
        silent, bursting = stage.parameter("nmda.open_habenula_silent"), stage.parameter("nmda.open_habenula_bursting")
        return silent + bursting * stage.input("habenula.bursting", "1")
    at_baseline = stage.parameter(f"nmda.open_{site}")
    if site == "spinal":
        return at_baseline
    glutamate = stage.input("glutamate.extracellular", "1")
    return at_baseline * glutamate * stage.input(FIRING[site], "1") if site in FIRING else at_baseline * glutamate


def _trapped_in_silent_cells(stage: Stage, trapped: sympy.Symbol) -> sympy.Expr:
    """Ketamine in silenced habenular cells, in addition to drug exchanged by bursting cells; returns the sum of both.

    A bursting cell exchanges drug with its surroundings. Once the block is sufficient to silence it, its channels
    hardly open, and it retains its drug for a day. A concentration too low to silence a cell therefore leaves no
    retained drug, and neither does any concentration in cells that are already silent. Opening receptors at a high
    plasma level prolongs the effect and at a low one shortens it (Ma 2023).
    """
    retained = stage.state(
        "nmda.retrapped_habenula", "1", bounds=(0, 1), description="ketamine retained in silenced habenular cells"
    )
    depressed_bursting, bursting = stage.parameter("habenula.bursting_depressed"), stage.input("habenula.bursting", "1")
    silencing = hill(trapped, stage.parameter("habenula.block_ec50"), stage.parameter("nmda.retrapping_steepness"))
    retention = stage.parameter("nmda.retrapping_rate") * silencing * bursting / depressed_bursting * trapped
    stage.rate(trapped, -retention, because="blocked cells stop bursting and retain their drug")
    stage.rate(retained, +retention, because="drug retained in silenced cells")
    release_rate = stage.parameter("nmda.unbinding_rate") * stage.parameter("nmda.open_habenula_silent")
    stage.rate(retained, -release_rate * retained, because="slow unbinding in silent cells")
    return trapped + retained


def _binding(stage: Stage, blocked: dict[str, sympy.Expr]) -> None:
    """MK-801 sites occupied at each cortical site, and their mean over receptors: the whole-forebrain occupancy."""
    ratio = stage.parameter("nmda.binding_over_block")
    bound = {}
    for site, fraction in blocked.items():
        bound[site] = stage.output(
            f"nmda.bound_{site}",
            ratio * fraction / (1 - fraction + ratio * fraction),
            "1",
            description=f"NMDA receptors occupied (binding, MK-801 site): {NAMES.get(site, site)}",
        )
    pv_weight = stage.parameter("circuit.pv_weight")
    in_interneurons, extrasynaptic = (
        stage.parameter("nmda.receptors_interneuron"),
        stage.parameter("nmda.receptors_extrasynaptic"),
    )
    stage.output(
        "nmda.occupancy",
        in_interneurons * (pv_weight * bound["pv"] + (1 - pv_weight) * bound["sst"])
        + extrasynaptic * bound["extrasynaptic"]
        + (1 - in_interneurons - extrasynaptic) * bound["pyramidal"],
        "1",
        description="NMDA receptor occupancy (binding, MK-801 site), mean over receptors of the forebrain",
    )


def _by_subunit(stage: Stage, drug: sympy.Expr) -> None:
    """Equilibrium block of each subunit pair at the voltage of the binding studies, with magnesium."""
    reference = stage.parameter("nmda.reference_voltage")
    for subunit in SUBUNITS:
        ec50 = _half_block(stage, "ketamine", subunit, reference, "study")
        stage.output(
            f"nmda.block_{subunit}", drug / (drug + ec50), "1", description=f"block of GluN1/GluN{subunit.upper()}"
        )
