"""Pharmacokinetics: both enantiomers and their metabolites, from every route to artery and vein."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, exp, log, positive_part

NAMES = {"s": "esketamine", "r": "arketamine"}


def pharmacokinetics(m: Stage) -> None:
    """Amounts (umol) of S and R drug move between depots, blood, tissues and metabolites; nothing is lost.

    Arterial central compartment with a shallow, an intermediate and a deep tissue; a well-stirred liver, so that an
    inhibitor acts on intrinsic clearance and on the gut wall; norketamine after a delay, then dehydronorketamine and
    hydroxynorketamine. Venous samples lag behind the artery. No chiral inversion: the two enantiomers share
    volumes and differ in clearance. Structure after Simons 2022 and Perez-Ruixo 2021; weight by allometry.
    """
    _body(m)
    liver = {e: _liver(m, e) for e in NAMES}
    for e in NAMES:
        _enantiomer(m, e, liver[e])
    for moiety, enantiomers in (
        ("ketamine", ("esketamine", "arketamine")),
        ("norketamine", ("s_norketamine", "r_norketamine")),
    ):
        total = sympy.Add(*(m.own(f"venous.{name}") for name in enantiomers))
        m.offers(f"venous.{moiety}", total, "umol/L", about=f"{moiety} in venous plasma, both enantiomers")


def _body(m: Stage) -> None:
    """Body size relative to the published reference, and what it does to flows."""
    weight, reference = m.parameter("person.weight"), m.parameter("pharmacokinetics.reference_weight")
    size = m.define("pharmacokinetics.size", weight / reference, "1", about="body weight relative to the reference")
    power = exp(m.parameter("pharmacokinetics.flow_exponent") * log(size))
    m.define("pharmacokinetics.flow_size", power, "1", about="what body size does to clearances and flows")


def _volume(m: Stage, name: str) -> sympy.Expr:
    """A volume (L), in proportion to body weight."""
    return m.parameter(f"pharmacokinetics.{name}") * m.own("pharmacokinetics.size")


def _flow(m: Stage, name: str) -> sympy.Expr:
    """A clearance or flow (L/h), by body weight to the allometric power."""
    return m.parameter(f"pharmacokinetics.{name}") * m.own("pharmacokinetics.flow_size")


def _covariate(m: Stage, factor: str, flag: str) -> sympy.Expr:
    """`factor` for a person with the flag, 1 without."""
    return 1 + (m.parameter(f"pharmacokinetics.{factor}") - 1) * m.parameter(flag)


def _liver(m: Stage, e: str) -> dict[str, sympy.Expr]:
    """Well-stirred liver: hepatic clearance, extraction, share that becomes norketamine, gut-wall escape."""
    older = positive_part(
        m.parameter("person.age") - m.parameter("pharmacokinetics.flow_falls_from_age"),
        m.parameter("pharmacokinetics.age_bend"),
    )
    inhibited = m.parameter("perturbation.cyp3a4_inhibition")
    other = m.parameter("pharmacokinetics.other_route_share")
    main = (1 - other) * m.parameter("person.cyp2b6")
    routes = main + other * _covariate(m, "asian_other_route", "person.asian")
    active = 1 - m.parameter("pharmacokinetics.cyp3a4_share_liver") * inhibited
    gut_active = 1 - m.parameter("pharmacokinetics.cyp3a4_share_gut") * inhibited
    flow = _flow(m, "hepatic_flow") - _flow(m, "flow_loss_per_year") * older
    perfusion = _fixed(m, f"liver_flow_{e}", flow, "L/h", "plasma flow through the liver of this person")
    intrinsic = _flow(m, f"intrinsic_clearance_{e}") * routes * active
    capacity = _fixed(m, f"liver_capacity_{e}", intrinsic, "L/h", f"intrinsic clearance of {NAMES[e]} now active")
    share = capacity / (perfusion + capacity)
    extraction = _fixed(m, f"liver_extraction_{e}", share, "1", f"share of {NAMES[e]} taken out in one passage")
    escape = 1 / (1 + m.parameter("pharmacokinetics.gut_wall_metabolism") * gut_active)
    return {
        "clearance": perfusion * extraction,
        "escape": 1 - extraction,
        "norketamine_share": _fixed(
            m, f"norketamine_share_{e}", main / routes, "1", "share of hepatic metabolism that makes norketamine"
        ),
        "gut_escape": _fixed(
            m, f"gut_escape_{e}", escape, "1", "share of absorbed drug that the gut wall lets through"
        ),
    }


def _fixed(m: Stage, name: str, expression: sympy.Expr, unit: str, about: str) -> sympy.Symbol:
    return m.define(f"pharmacokinetics.{name}", expression, unit, about=about)


def _enantiomer(m: Stage, e: str, liver: dict[str, sympy.Expr]) -> None:
    drug = NAMES[e]
    central = m.state(
        f"pharmacokinetics.central_{e}",
        "umol",
        kind="amount",
        about=f"{drug} in arterial blood and near tissue",
    )
    delay = m.state(f"pharmacokinetics.delay_one_{e}", "umol", kind="amount", about=f"{drug} on its way to norketamine")
    gone = m.state(
        f"pharmacokinetics.eliminated_{e}",
        "umol",
        kind="amount",
        accumulates=True,
        about=f"{drug} eliminated in any form",
    )
    concentration = m.offers(
        f"plasma.{drug}", central / _volume(m, "central_volume"), "umol/L", about=f"{drug} in arterial plasma"
    )
    _depots(m, e, central)
    _swallowed(m, e, central, delay, gone, liver)
    _peritoneal(m, e, central, delay, gone, liver)
    for tissue in ("shallow", "middle", "deep"):
        _tissue(
            m,
            f"{tissue}_{e}",
            central,
            concentration,
            _flow(m, f"{tissue}_flow"),
            _volume(m, f"{tissue}_volume"),
        )
    cleared = liver["clearance"] * concentration
    m.flow(central, delay, liver["norketamine_share"] * cleared, because="hepatic demethylation to norketamine")
    m.flow(
        central,
        gone,
        (1 - liver["norketamine_share"]) * cleared,
        because="hepatic clearance to other metabolites",
    )
    norketamine = _norketamine(m, e, delay)
    _later_metabolites(m, e, norketamine, gone)
    _vein(m, drug, concentration)
    _vein(m, f"{e}_norketamine", m.own(f"plasma.{e}_norketamine"))


def _depots(m: Stage, e: str, central: sympy.Symbol) -> None:
    """First-order absorption of what a route lets through."""
    for site in ("nose", "mouth", "muscle", "skin"):
        depot = m.state(
            f"pharmacokinetics.{site}_{e}", "umol", kind="amount", about=f"{NAMES[e]} waiting at the {site}"
        )
        m.flow(
            depot,
            central,
            m.parameter(f"pharmacokinetics.{site}_absorption") * depot,
            because=f"absorption from {site}",
        )


def _swallowed(
    m: Stage,
    e: str,
    central: sympy.Symbol,
    delay: sympy.Symbol,
    gone: sympy.Symbol,
    liver: dict[str, sympy.Expr],
) -> None:
    """Swallowed drug meets the gut wall, then the liver, before it reaches the blood."""
    gut = m.state(f"pharmacokinetics.gut_{e}", "umol", kind="amount", about=f"{NAMES[e]} in the gut")
    absorbed = m.parameter("pharmacokinetics.gut_absorption") * gut
    survives = liver["gut_escape"] * liver["escape"]
    m.flow(gut, central, survives * absorbed, because="absorption of what gut wall and liver let through")
    lost = (1 - survives) * absorbed
    m.flow(gut, delay, liver["norketamine_share"] * lost, because="first pass to norketamine")
    m.flow(gut, gone, (1 - liver["norketamine_share"]) * lost, because="first pass to other metabolites")


def _peritoneal(
    m: Stage,
    e: str,
    central: sympy.Symbol,
    delay: sympy.Symbol,
    gone: sympy.Symbol,
    liver: dict[str, sympy.Expr],
) -> None:
    """Drug in the peritoneal cavity drains mostly through the portal vein and meets the liver first."""
    cavity = m.state(f"pharmacokinetics.peritoneum_{e}", "umol", kind="amount", about=f"{NAMES[e]} in the peritoneum")
    absorbed = m.parameter("pharmacokinetics.peritoneal_absorption") * cavity
    portal = m.parameter("pharmacokinetics.peritoneal_portal_share")
    survives = 1 - portal + portal * liver["escape"]
    m.flow(cavity, central, survives * absorbed, because="absorption of what the liver lets through")
    lost = (1 - survives) * absorbed
    m.flow(cavity, delay, liver["norketamine_share"] * lost, because="first pass to norketamine")
    m.flow(cavity, gone, (1 - liver["norketamine_share"]) * lost, because="first pass to other metabolites")


def _tissue(
    m: Stage,
    name: str,
    central: sympy.Symbol,
    concentration: sympy.Expr,
    flow: sympy.Expr,
    volume: sympy.Expr,
) -> None:
    tissue = m.state(f"pharmacokinetics.{name}", "umol", kind="amount", about=f"drug in tissue, {name}")
    m.flow(central, tissue, flow * concentration, because="distribution into tissue")
    m.flow(tissue, central, flow * tissue / volume, because="return from tissue")


def _norketamine(m: Stage, e: str, first: sympy.Symbol) -> sympy.Symbol:
    """Two steps of delay, then norketamine with one tissue."""
    pace = m.parameter("pharmacokinetics.formation_delay_rate")
    second = m.state(f"pharmacokinetics.delay_two_{e}", "umol", kind="amount", about="norketamine being formed")
    formed = m.state(
        f"pharmacokinetics.norketamine_{e}", "umol", kind="amount", about=f"{e.upper()}-norketamine in blood"
    )
    m.flow(first, second, pace * first, because="first step of formation delay")
    m.flow(second, formed, pace * second, because="second step of formation delay")
    volume = _volume(m, "norketamine_volume")
    plasma = m.offers(
        f"plasma.{e}_norketamine",
        formed / volume,
        "umol/L",
        about=f"{e.upper()}-norketamine in arterial plasma",
    )
    flow, tissue = _flow(m, "norketamine_flow"), _volume(m, "norketamine_tissue_volume")
    _tissue(m, f"norketamine_tissue_{e}", formed, plasma, flow, tissue)
    return formed


def _later_metabolites(m: Stage, e: str, norketamine: sympy.Symbol, gone: sympy.Symbol) -> None:
    """Norketamine becomes dehydro- and hydroxynorketamine or leaves; both leave in turn."""
    plasma = m.own(f"plasma.{e}_norketamine")
    cleared = _flow(m, f"norketamine_clearance_{e}") * _covariate(m, "asian_norketamine", "person.asian") * plasma
    to_dehydro = m.parameter("pharmacokinetics.dehydronorketamine_share")
    to_hydroxy = m.parameter("pharmacokinetics.hydroxynorketamine_share")
    dehydro = m.state(
        f"pharmacokinetics.dehydronorketamine_{e}", "umol", kind="amount", about="dehydronorketamine in blood"
    )
    hydroxy = m.state(
        f"pharmacokinetics.hydroxynorketamine_{e}", "umol", kind="amount", about="hydroxynorketamine in blood"
    )
    m.flow(norketamine, dehydro, to_dehydro * cleared, because="dehydrogenation")
    m.flow(norketamine, hydroxy, to_hydroxy * cleared, because="hydroxylation")
    m.flow(norketamine, gone, (1 - to_dehydro - to_hydroxy) * cleared, because="other routes and urine")
    for name, amount in (("dehydronorketamine", dehydro), ("hydroxynorketamine", hydroxy)):
        level = m.offers(
            f"plasma.{e}_{name}",
            amount / _volume(m, f"{name}_volume"),
            "umol/L",
            about=f"{e.upper()}-{name} in arterial plasma",
        )
        m.flow(amount, gone, _flow(m, f"{name}_clearance_{e}") * level, because=f"elimination of {name}")
    flow, volume = _flow(m, "hydroxynorketamine_flow"), _volume(m, "hydroxynorketamine_tissue_volume")
    _tissue(m, f"hydroxynorketamine_tissue_{e}", hydroxy, m.own(f"plasma.{e}_hydroxynorketamine"), flow, volume)


def _vein(m: Stage, name: str, artery: sympy.Expr) -> None:
    """A venous sample lags behind the artery while the arm's tissue takes up or gives back."""
    vein = m.state(f"venous.{name}", "umol/L", scale=0.1, about=f"{name.replace('_', '-')} in venous plasma")
    m.rate(
        vein,
        m.parameter("pharmacokinetics.venous_rate") * (artery - vein),
        because="the vein follows the artery",
    )
