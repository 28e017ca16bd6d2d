"""Brain: unbound drug at its sites of action, which lags arterial plasma by a few minutes."""

from __future__ import annotations

from ketamech.model.stage import Stage

MOIETIES = {
    "esketamine": ("plasma.esketamine", "ketamine", "esketamine"),
    "arketamine": ("plasma.arketamine", "ketamine", "arketamine"),
    "norketamine_s": ("plasma.s_norketamine", "norketamine", "S-norketamine"),
    "norketamine_r": ("plasma.r_norketamine", "norketamine", "R-norketamine"),
    "hydroxynorketamine_s": ("plasma.s_hydroxynorketamine", "hydroxynorketamine", "S-hydroxynorketamine"),
    "hydroxynorketamine_r": ("plasma.r_hydroxynorketamine", "hydroxynorketamine", "R-hydroxynorketamine"),
}


def brain(stage: Stage) -> None:
    """Unbound concentration (umol/L) = plasma x ratio of CSF to plasma, with an effect-site delay.

    Half-life to the effect site 8 min (Olofsen 2022), total brain to plasma about 6.5 (Cohen 1973, Hartvig 1995).
    Norketamine enters the brain four to six times less than the parent drug.
    """
    for name, (plasma, moiety, label) in MOIETIES.items():
        ratio = stage.parameter(f"brain.{moiety}_csf_ratio")
        ke0 = stage.parameter(f"brain.{moiety}_ke0")
        site = stage.state(f"brain.{name}", "umol/L", scale=0.05, description=f"unbound {label} in brain")
        stage.rate(site, ke0 * ratio * stage.input(plasma, "umol/L"), because="entry from arterial plasma")
        stage.rate(site, -ke0 * site, because="return to plasma")
    parent = stage.ref("brain.esketamine") + stage.ref("brain.arketamine")
    total = stage.parameter("brain.total_ratio") / stage.parameter("brain.ketamine_csf_ratio") * parent
    stage.output("brain.ketamine_total", total, "umol/L", description="ketamine in brain, bound and unbound")
