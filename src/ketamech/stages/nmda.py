"""NMDA receptors: use-dependent trapping block at seven sites, by subunit, voltage and magnesium."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, exp, hill

SUBUNITS = ("2a", "2b", "2c", "2d")
SITES = ("pv", "sst", "pyramidal", "extrasynaptic", "resting", "spinal", "habenula")
NAMES = {
    "pv": "parvalbumin interneurons",
    "sst": "somatostatin interneurons",
    "pyramidal": "pyramidal synapses",
}


def nmda(m: Stage) -> None:
    """Open-channel block: drug enters open receptors, is trapped as they close, leaves as they reopen.

    Share trapped B at a site relaxes as koff x open fraction x [C/K (1 - B - M) - B]: how often the
    channel opens sets the pace and, because trapping is complete, not the equilibrium. K follows the
    subunit mix (Kotermanski and Johnson 2009, with and without 1 mM Mg), the Woodhull depth of the site
    and the Jahr-Stevens voltage dependence of Mg. M is the share held by memantine, a fifth of which
    escapes at closure. A GluN2B antagonist silences that share of a site from outside the channel. Unbinding
    from Gilling 2009; binding is implied by koff and K, since the published koff/kon is twice the published
    IC50. Total occupancy is anchored to Shaffer 2014. Units: umol/L racemic-ketamine equivalents, h, shares.
    """
    drug = _equivalent_drug(m)
    memantine = m.needs("second_blocker.brain_unbound", "umol/L")
    blocked = {site: _site(m, site, drug, memantine) for site in SITES}
    for site, share in blocked.items():
        m.offers(f"nmda.blocked_{site}", share, "1", about=f"NMDA receptors blocked: {NAMES.get(site, site)}")
    pv_share = m.parameter("nmda.pv_share")
    interneuron = pv_share * blocked["pv"] + (1 - pv_share) * blocked["sst"]
    m.offers(
        "nmda.blocked_interneuron",
        interneuron,
        "1",
        about="NMDA receptors blocked, mean of both interneurons",
    )
    _overall(m, drug, memantine)
    _by_subunit(m, drug)


def _equivalent_drug(m: Stage) -> sympy.Symbol:
    """Unbound brain blockers as racemic ketamine: each moiety times its affinity relative to the racemate."""
    ratio = m.parameter("nmda.enantiomer_ratio")
    norketamine = m.parameter("nmda.norketamine_affinity")
    hydroxynorketamine = m.parameter("nmda.hydroxynorketamine_affinity")
    s, r = 2 * ratio / (1 + ratio), 2 / (1 + ratio)
    parent = s * m.needs("brain.esketamine", "umol/L") + r * m.needs("brain.arketamine", "umol/L")
    other = m.parameter("nmda.norketamine_ratio")
    first_s, first_r = 2 * other / (1 + other), 2 / (1 + other)
    first = first_s * m.needs("brain.norketamine_s", "umol/L") + first_r * m.needs("brain.norketamine_r", "umol/L")
    second = m.needs("brain.hydroxynorketamine_s", "umol/L") + m.needs("brain.hydroxynorketamine_r", "umol/L")
    total = parent + norketamine * first + hydroxynorketamine * second
    return m.offers("nmda.equivalent_drug", total, "umol/L", about="blockers in brain as racemic ketamine, unbound")


def _half_block(m: Stage, blocker: str, subunit: str, voltage: sympy.Expr, site: str) -> sympy.Expr:
    """Half-blocking concentration (umol/L) of one subunit pair at a membrane voltage, with magnesium."""
    free, with_magnesium = (m.parameter(f"nmda.{blocker}_{subunit}_{mg}") for mg in ("no_magnesium", "magnesium"))
    reference, thermal = m.parameter("nmda.reference_voltage"), m.parameter("nmda.thermal_voltage")
    depth, steepness = m.parameter(f"nmda.{blocker}_depth"), m.parameter("nmda.magnesium_steepness")
    magnesium = m.parameter("nmda.magnesium") / m.parameter("nmda.reference_magnesium")
    shift = voltage - reference
    competition = 1 + (with_magnesium / free - 1) * magnesium * exp(-steepness * shift)
    half = free * exp(depth * shift / thermal) * competition
    words = f"half-blocking {blocker} at GluN1/GluN{subunit.upper()}, voltage and magnesium of {NAMES.get(site, site)}"
    return m.define(f"nmda.{blocker}_half_{subunit}_{site}", half, "umol/L", about=words)


def _affinity(m: Stage, blocker: str, site: str) -> sympy.Expr:
    """Affinity (L/umol) of a site: mean over its subunits; the last subunit makes up the rest of the mix."""
    voltage = m.parameter(f"nmda.voltage_{site}")
    shares = [m.parameter(f"nmda.share_{subunit}_{site}") for subunit in SUBUNITS[:-1]]
    shares.append(1 - sum(shares))
    pairs = zip(SUBUNITS, shares, strict=True)
    mean = sympy.Add(*(share / _half_block(m, blocker, subunit, voltage, site) for subunit, share in pairs))
    words = f"affinity for {blocker}: {NAMES.get(site, site)}"
    return m.define(f"nmda.{blocker}_affinity_{site}", mean, "L/umol", about=words)


def _memantine_held(m: Stage, site: str, memantine: sympy.Expr, ketamine: sympy.Expr) -> sympy.Expr:
    """Share held by memantine among what ketamine leaves, at equilibrium."""
    reach = memantine * _affinity(m, "memantine", site) * m.parameter(f"nmda.memantine_access_{site}")
    return (1 - ketamine) * (1 - m.parameter("nmda.memantine_untrapped")) * reach / (1 + reach)


def _site(m: Stage, site: str, drug: sympy.Expr, memantine: sympy.Expr) -> sympy.Expr:
    """Trapped ketamine at one site; returns the share blocked by either drug."""
    trapped = m.state(f"nmda.trapped_{site}", "1", within=(0, 1), about=f"ketamine trapped: {NAMES.get(site, site)}")
    total = _locked(m, trapped) if site == "habenula" else trapped
    held = _memantine_held(m, site, memantine, total)
    pace = m.parameter("nmda.unbinding_rate") * _openness(m, site)
    m.rate(
        trapped,
        +pace * drug * _affinity(m, "ketamine", site) * (1 - total - held),
        because="binding to channels that are open and free",
    )
    m.rate(trapped, -pace * trapped, because="unbinding, only while the channel is open")
    allosteric = m.parameter(f"nmda.share_2b_{site}") * m.needs("antagonists.glun2b_block_share", "1")
    return total + held + (1 - total - held) * allosteric


def _openness(m: Stage, site: str) -> sympy.Expr:
    """Fraction of time open; in the habenula by the share of cells that burst."""
    if site != "habenula":
        return m.parameter(f"nmda.open_{site}")
    silent, bursting = m.parameter("nmda.open_habenula_silent"), m.parameter("nmda.open_habenula_bursting")
    return silent + bursting * m.needs("habenula.bursting", "1")


def _locked(m: Stage, trapped: sympy.Symbol) -> sympy.Expr:
    """Ketamine in silenced habenular cells, beside what cells that burst take up and let go; returns both together.

    A bursting cell exchanges drug with its surroundings. Once the block is enough to silence it, its channels hardly
    open, and what it holds stays for a day. So a level too low to silence a cell locks nothing in, and no level does
    in cells that are silent anyway. Opening receptors at a high plasma level lengthens the effect and at a low one
    shortens it (Ma 2023).
    """
    locked = m.state("nmda.locked_habenula", "1", within=(0, 1), about="ketamine locked into silenced habenular cells")
    usual, bursting = m.parameter("habenula.bursting_depressed"), m.needs("habenula.bursting", "1")
    enough = hill(trapped, m.parameter("habenula.half_block"), m.parameter("nmda.locking_steepness"))
    falling_silent = m.parameter("nmda.locking_pace") * enough * bursting / usual * trapped
    m.rate(trapped, -falling_silent, because="blocked cells fall silent")
    m.rate(locked, +falling_silent, because="and keep what they hold")
    leak = m.parameter("nmda.unbinding_rate") * m.parameter("nmda.open_habenula_silent")
    m.rate(locked, -leak * locked, because="silent cells hardly open their channels")
    return trapped + locked


def _overall(m: Stage, drug: sympy.Expr, memantine: sympy.Expr) -> None:
    """Occupancy as [3H]MK-801 displacement sees it in the whole forebrain."""
    turnover = m.parameter("nmda.unbinding_rate") * m.parameter("nmda.open_overall")
    half = m.parameter("nmda.half_occupancy")
    held = m.state("nmda.occupied", "1", within=(0, 1), about="MK-801 sites held by ketamine, whole forebrain")
    m.rate(held, +turnover * drug / half * (1 - held), because="binding, affinity as measured in vivo")
    m.rate(held, -turnover * held, because="unbinding")
    reach = memantine / m.parameter("nmda.memantine_half_occupancy")
    total = held + (1 - held) * reach / (1 + reach)
    m.offers("nmda.occupancy", total, "1", about="overall NMDA receptor occupancy, MK-801 site")


def _by_subunit(m: Stage, drug: sympy.Expr) -> None:
    """Equilibrium block of each subunit pair at the voltage of the binding studies, with magnesium."""
    reference = m.parameter("nmda.reference_voltage")
    for subunit in SUBUNITS:
        half = _half_block(m, "ketamine", subunit, reference, "study")
        m.offers(f"nmda.block_{subunit}", drug / (drug + half), "1", about=f"block of GluN1/GluN{subunit.upper()}")
