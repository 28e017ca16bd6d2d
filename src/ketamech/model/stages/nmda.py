"""NMDA receptors: use-dependent trapping block at seven sites, by subunit, voltage and magnesium."""

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


def nmda(stage: Stage) -> None:
    """Open-channel block: drug enters open receptors, is trapped when they close, leaves when they reopen.

    The trapped fraction B at a site relaxes as koff x open fraction x [C/K (1 - B - M) - B]: the frequency of opening
    sets the rate and, because trapping is complete, not the equilibrium. K follows the subunit mix (Kotermanski and
    Johnson 2009, with and without 1 mM Mg), the Woodhull depth of the site and the Jahr-Stevens voltage dependence of
    Mg. M is the fraction occupied by memantine, a fifth of which escapes at closure. A GluN2B antagonist blocks the
    GluN2B fraction of a site from outside the channel. Unbinding from Gilling 2009; binding is implied by koff and K,
    since the published koff/kon is twice the published IC50. Total occupancy is anchored to Shaffer 2014. Units:
    umol/L racemic-ketamine equivalents, h, fractions.
    """
    drug = _equivalent_drug(stage)
    memantine = stage.input("memantine.brain_unbound", "umol/L")
    blocked = {site: _site(stage, site, drug, memantine) for site in SITES}
    for site, fraction in blocked.items():
        stage.output(
            f"nmda.blocked_{site}", fraction, "1", description=f"NMDA receptors blocked: {NAMES.get(site, site)}"
        )
    pv_share = stage.parameter("nmda.pv_share")
    interneuron = pv_share * blocked["pv"] + (1 - pv_share) * blocked["sst"]
    stage.output(
        "nmda.blocked_interneuron",
        interneuron,
        "1",
        description="NMDA receptors blocked, mean of both interneurons",
    )
    _overall(stage, drug, memantine)
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
    magnesium = stage.parameter("nmda.magnesium") / stage.parameter("nmda.reference_magnesium")
    shift = voltage - reference
    competition = 1 + (with_magnesium / free - 1) * magnesium * exp(-steepness * shift)
    ec50 = free * exp(depth * shift / thermal) * competition
    description = (
        f"half-blocking {blocker} at GluN1/GluN{subunit.upper()}, voltage and magnesium of {NAMES.get(site, site)}"
    )
    return stage.constant(f"nmda.{blocker}_half_{subunit}_{site}", ec50, "umol/L", description=description)


def _affinity(stage: Stage, blocker: str, site: str) -> sympy.Expr:
    """Affinity (L/umol) of a site: mean over its subunits; the last subunit is the remainder of the mix."""
    voltage = stage.parameter(f"nmda.voltage_{site}")
    shares = [stage.parameter(f"nmda.share_{subunit}_{site}") for subunit in SUBUNITS[:-1]]
    shares.append(1 - sum(shares))
    pairs = zip(SUBUNITS, shares, strict=True)
    mean = sympy.Add(*(fraction / _half_block(stage, blocker, subunit, voltage, site) for subunit, fraction in pairs))
    description = f"affinity for {blocker}: {NAMES.get(site, site)}"
    return stage.constant(f"nmda.{blocker}_affinity_{site}", mean, "L/umol", description=description)


def _memantine_occupancy(stage: Stage, site: str, memantine: sympy.Expr, ketamine: sympy.Expr) -> sympy.Expr:
    """Fraction of receptors occupied by memantine, at equilibrium with the receptors free of ketamine."""
    memantine_over_ec50 = (
        memantine * _affinity(stage, "memantine", site) * stage.parameter(f"nmda.memantine_access_{site}")
    )
    return (
        (1 - ketamine)
        * (1 - stage.parameter("nmda.memantine_untrapped"))
        * memantine_over_ec50
        / (1 + memantine_over_ec50)
    )


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
    stage.rate(trapped, -unbinding * trapped, because="unbinding while the channel is open")
    glun2b_antagonist_block = stage.parameter(f"nmda.share_2b_{site}") * stage.input(
        "tool_compounds.glun2b_block_share", "1"
    )
    return total + memantine_occupancy + (1 - total - memantine_occupancy) * glun2b_antagonist_block


def _openness(stage: Stage, site: str) -> sympy.Expr:
    """Fraction of time open; in the habenula it depends on the fraction of cells that burst."""
    if site != "habenula":
        return stage.parameter(f"nmda.open_{site}")
    silent, bursting = stage.parameter("nmda.open_habenula_silent"), stage.parameter("nmda.open_habenula_bursting")
    return silent + bursting * stage.input("habenula.bursting", "1")


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


def _overall(stage: Stage, drug: sympy.Expr, memantine: sympy.Expr) -> None:
    """Occupancy of the whole forebrain as measured by displacement of [3H]MK-801."""
    turnover = stage.parameter("nmda.unbinding_rate") * stage.parameter("nmda.open_overall")
    ec50 = stage.parameter("nmda.ketamine_ec50")
    occupied = stage.state(
        "nmda.ketamine_occupancy", "1", bounds=(0, 1), description="MK-801 sites occupied by ketamine, whole forebrain"
    )
    stage.rate(occupied, +turnover * drug / ec50 * (1 - occupied), because="binding, affinity as measured in vivo")
    stage.rate(occupied, -turnover * occupied, because="unbinding")
    memantine_over_ec50 = memantine / stage.parameter("nmda.memantine_ec50")
    total = occupied + (1 - occupied) * memantine_over_ec50 / (1 + memantine_over_ec50)
    stage.output("nmda.occupancy", total, "1", description="overall NMDA receptor occupancy, MK-801 site")


def _by_subunit(stage: Stage, drug: sympy.Expr) -> None:
    """Equilibrium block of each subunit pair at the voltage of the binding studies, with magnesium."""
    reference = stage.parameter("nmda.reference_voltage")
    for subunit in SUBUNITS:
        ec50 = _half_block(stage, "ketamine", subunit, reference, "study")
        stage.output(
            f"nmda.block_{subunit}", drug / (drug + ec50), "1", description=f"block of GluN1/GluN{subunit.upper()}"
        )
