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
    """Open-channel block: drug enters open receptors, is trapped as they close, leaves as they reopen.

    Share trapped B at a site relaxes as koff x open fraction x [C/K (1 - B - M) - B]: how often the
    channel opens sets the pace and, because trapping is complete, not the equilibrium. K follows the
    subunit mix (Kotermanski and Johnson 2009, with and without 1 mM Mg), the Woodhull depth of the site
    and the Jahr-Stevens voltage dependence of Mg. M is the share held by memantine, a fifth of which
    escapes at closure. A GluN2B antagonist silences that share of a site from outside the channel. Unbinding
    from Gilling 2009; binding is implied by koff and K, since the published koff/kon is twice the published
    IC50. Total occupancy is anchored to Shaffer 2014. Units: umol/L racemic-ketamine equivalents, h, shares.
    """
    drug = _equivalent_drug(stage)
    memantine = stage.input("memantine.brain_unbound", "umol/L")
    blocked = {site: _site(stage, site, drug, memantine) for site in SITES}
    for site, share in blocked.items():
        stage.output(f"nmda.blocked_{site}", share, "1", description=f"NMDA receptors blocked: {NAMES.get(site, site)}")
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
    """Unbound brain blockers as racemic ketamine: each moiety times its affinity relative to the racemate."""
    ratio = stage.parameter("nmda.enantiomer_ratio")
    norketamine = stage.parameter("nmda.norketamine_affinity")
    hydroxynorketamine = stage.parameter("nmda.hydroxynorketamine_affinity")
    s, r = 2 * ratio / (1 + ratio), 2 / (1 + ratio)
    parent = s * stage.input("brain.esketamine", "umol/L") + r * stage.input("brain.arketamine", "umol/L")
    other = stage.parameter("nmda.norketamine_ratio")
    first_s, first_r = 2 * other / (1 + other), 2 / (1 + other)
    first = first_s * stage.input("brain.norketamine_s", "umol/L") + first_r * stage.input(
        "brain.norketamine_r", "umol/L"
    )
    second = stage.input("brain.hydroxynorketamine_s", "umol/L") + stage.input("brain.hydroxynorketamine_r", "umol/L")
    total = parent + norketamine * first + hydroxynorketamine * second
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
    half = free * exp(depth * shift / thermal) * competition
    words = f"half-blocking {blocker} at GluN1/GluN{subunit.upper()}, voltage and magnesium of {NAMES.get(site, site)}"
    return stage.constant(f"nmda.{blocker}_half_{subunit}_{site}", half, "umol/L", description=words)


def _affinity(stage: Stage, blocker: str, site: str) -> sympy.Expr:
    """Affinity (L/umol) of a site: mean over its subunits; the last subunit makes up the rest of the mix."""
    voltage = stage.parameter(f"nmda.voltage_{site}")
    shares = [stage.parameter(f"nmda.share_{subunit}_{site}") for subunit in SUBUNITS[:-1]]
    shares.append(1 - sum(shares))
    pairs = zip(SUBUNITS, shares, strict=True)
    mean = sympy.Add(*(share / _half_block(stage, blocker, subunit, voltage, site) for subunit, share in pairs))
    words = f"affinity for {blocker}: {NAMES.get(site, site)}"
    return stage.constant(f"nmda.{blocker}_affinity_{site}", mean, "L/umol", description=words)


def _memantine_occupancy(stage: Stage, site: str, memantine: sympy.Expr, ketamine: sympy.Expr) -> sympy.Expr:
    """Share held by memantine among what ketamine leaves, at equilibrium."""
    reach = memantine * _affinity(stage, "memantine", site) * stage.parameter(f"nmda.memantine_access_{site}")
    return (1 - ketamine) * (1 - stage.parameter("nmda.memantine_untrapped")) * reach / (1 + reach)


def _site(stage: Stage, site: str, drug: sympy.Expr, memantine: sympy.Expr) -> sympy.Expr:
    """Trapped ketamine at one site; returns the share blocked by either drug."""
    trapped = stage.state(
        f"nmda.trapped_{site}", "1", bounds=(0, 1), description=f"ketamine trapped: {NAMES.get(site, site)}"
    )
    total = _trapped_in_silent_cells(stage, trapped) if site == "habenula" else trapped
    held = _memantine_occupancy(stage, site, memantine, total)
    pace = stage.parameter("nmda.unbinding_rate") * _openness(stage, site)
    stage.rate(
        trapped,
        +pace * drug * _affinity(stage, "ketamine", site) * (1 - total - held),
        because="binding to channels that are open and free",
    )
    stage.rate(trapped, -pace * trapped, because="unbinding, only while the channel is open")
    allosteric = stage.parameter(f"nmda.share_2b_{site}") * stage.input("tool_compounds.glun2b_block_share", "1")
    return total + held + (1 - total - held) * allosteric


def _openness(stage: Stage, site: str) -> sympy.Expr:
    """Fraction of time open; in the habenula by the share of cells that burst."""
    if site != "habenula":
        return stage.parameter(f"nmda.open_{site}")
    silent, bursting = stage.parameter("nmda.open_habenula_silent"), stage.parameter("nmda.open_habenula_bursting")
    return silent + bursting * stage.input("habenula.bursting", "1")


def _trapped_in_silent_cells(stage: Stage, trapped: sympy.Symbol) -> sympy.Expr:
    """Ketamine in silenced habenular cells, beside what cells that burst take up and let go; returns both together.

    A bursting cell exchanges drug with its surroundings. Once the block is enough to silence it, its channels hardly
    open, and what it holds stays for a day. So a level too low to silence a cell locks nothing in, and no level does
    in cells that are silent anyway. Opening receptors at a high plasma level lengthens the effect and at a low one
    shortens it (Ma 2023).
    """
    locked = stage.state(
        "nmda.retrapped_habenula", "1", bounds=(0, 1), description="ketamine locked into silenced habenular cells"
    )
    usual, bursting = stage.parameter("habenula.bursting_depressed"), stage.input("habenula.bursting", "1")
    enough = hill(trapped, stage.parameter("habenula.block_ec50"), stage.parameter("nmda.retrapping_steepness"))
    falling_silent = stage.parameter("nmda.retrapping_rate") * enough * bursting / usual * trapped
    stage.rate(trapped, -falling_silent, because="blocked cells fall silent")
    stage.rate(locked, +falling_silent, because="and keep what they hold")
    leak = stage.parameter("nmda.unbinding_rate") * stage.parameter("nmda.open_habenula_silent")
    stage.rate(locked, -leak * locked, because="silent cells hardly open their channels")
    return trapped + locked


def _overall(stage: Stage, drug: sympy.Expr, memantine: sympy.Expr) -> None:
    """Occupancy as [3H]MK-801 displacement sees it in the whole forebrain."""
    turnover = stage.parameter("nmda.unbinding_rate") * stage.parameter("nmda.open_overall")
    half = stage.parameter("nmda.ketamine_ec50")
    held = stage.state(
        "nmda.ketamine_occupancy", "1", bounds=(0, 1), description="MK-801 sites held by ketamine, whole forebrain"
    )
    stage.rate(held, +turnover * drug / half * (1 - held), because="binding, affinity as measured in vivo")
    stage.rate(held, -turnover * held, because="unbinding")
    reach = memantine / stage.parameter("nmda.memantine_ec50")
    total = held + (1 - held) * reach / (1 + reach)
    stage.output("nmda.occupancy", total, "1", description="overall NMDA receptor occupancy, MK-801 site")


def _by_subunit(stage: Stage, drug: sympy.Expr) -> None:
    """Equilibrium block of each subunit pair at the voltage of the binding studies, with magnesium."""
    reference = stage.parameter("nmda.reference_voltage")
    for subunit in SUBUNITS:
        half = _half_block(stage, "ketamine", subunit, reference, "study")
        stage.output(
            f"nmda.block_{subunit}", drug / (drug + half), "1", description=f"block of GluN1/GluN{subunit.upper()}"
        )
