"""Brain: unbound drug at its sites of action, a few minutes behind arterial plasma."""

from __future__ import annotations

from ketamech.stages.declaration import Stage

MOIETIES = {
    "esketamine": ("plasma.esketamine", "parent", "esketamine"),
    "arketamine": ("plasma.arketamine", "parent", "arketamine"),
    "norketamine_s": ("plasma.s_norketamine", "norketamine", "S-norketamine"),
    "norketamine_r": ("plasma.r_norketamine", "norketamine", "R-norketamine"),
    "hydroxynorketamine_s": ("plasma.s_hydroxynorketamine", "hydroxynorketamine", "S-hydroxynorketamine"),
    "hydroxynorketamine_r": ("plasma.r_hydroxynorketamine", "hydroxynorketamine", "R-hydroxynorketamine"),
}


def brain(m: Stage) -> None:
    """Unbound concentration (umol/L) = plasma x unbound share x unbound partition, reached with an effect-site delay.

    Half-life to the effect site 8 min (Olofsen 2022), total brain to plasma about 6.5 (Cohen 1973, Hartvig 1995),
    unbound partition from the CSF ratio. Norketamine enters four to six times less than the parent.
    """
    for name, (plasma, kind, words) in MOIETIES.items():
        ratio = m.parameter(f"brain.{kind}_unbound_share") * m.parameter(f"brain.{kind}_partition")
        pace = m.parameter(f"brain.{kind}_entry_rate")
        site = m.state(f"brain.{name}", "umol/L", scale=0.05, about=f"unbound {words} in brain")
        m.rate(site, pace * ratio * m.needs(plasma, "umol/L"), because="entry from arterial plasma")
        m.rate(site, -pace * site, because="return to plasma")
    parents = m.own("brain.esketamine") + m.own("brain.arketamine")
    free_in_plasma = m.parameter("brain.parent_unbound_share") * m.parameter("brain.parent_partition")
    total = m.parameter("brain.total_ratio") / free_in_plasma * parents
    m.offers("brain.ketamine_total", total, "umol/L", about="ketamine in brain, bound and unbound")
