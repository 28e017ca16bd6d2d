"""Pharmacokinetics: both enantiomers and their metabolites, from every route to artery and vein."""

from __future__ import annotations

import sympy

from ketamech.model.functions import exp, log, positive_part
from ketamech.model.stage import Stage

NAMES = {"s": "esketamine", "r": "arketamine"}


def pharmacokinetics(stage: Stage) -> None:
    """Amounts (umol) of S and R drug move between depots, blood, tissues and metabolites; nothing is lost.

    Arterial central compartment with a shallow, an intermediate and a deep tissue; a well-stirred liver, so that an
    inhibitor acts on intrinsic clearance and on the gut wall; norketamine after a delay, then dehydronorketamine and
    hydroxynorketamine. Venous samples lag behind the artery. No chiral inversion: the two enantiomers share
    volumes and differ in clearance. Structure after Simons 2022 and Perez-Ruixo 2021; weight by allometry.
    """
    _body(stage)
    liver = {e: _liver(stage, e) for e in NAMES}
    for e in NAMES:
        _enantiomer(stage, e, liver[e])
    for moiety, enantiomers in (
        ("ketamine", ("esketamine", "arketamine")),
        ("norketamine", ("s_norketamine", "r_norketamine")),
    ):
        total = sympy.Add(*(stage.ref(f"venous.{name}") for name in enantiomers))
        stage.output(f"venous.{moiety}", total, "umol/L", description=f"{moiety} in venous plasma, both enantiomers")


def _body(stage: Stage) -> None:
    """Body size relative to the published reference, and what it does to flows."""
    weight, reference = stage.parameter("person.weight"), stage.parameter("pharmacokinetics.reference_weight")
    size = stage.constant(
        "pharmacokinetics.size", weight / reference, "1", description="body weight relative to the reference"
    )
    power = exp(stage.parameter("pharmacokinetics.allometric_exponent") * log(size))
    stage.constant("pharmacokinetics.flow_size", power, "1", description="what body size does to clearances and flows")


def _volume(stage: Stage, name: str) -> sympy.Expr:
    """A volume (L), in proportion to body weight."""
    return stage.parameter(f"pharmacokinetics.{name}") * stage.ref("pharmacokinetics.size")


def _flow(stage: Stage, name: str) -> sympy.Expr:
    """A clearance or flow (L/h), by body weight to the allometric power."""
    return stage.parameter(f"pharmacokinetics.{name}") * stage.ref("pharmacokinetics.flow_size")


def _covariate(stage: Stage, factor: str, flag: str) -> sympy.Expr:
    """`factor` for a person with the flag, 1 without."""
    return 1 + (stage.parameter(f"pharmacokinetics.{factor}") - 1) * stage.parameter(flag)


def _liver(stage: Stage, e: str) -> dict[str, sympy.Expr]:
    """Well-stirred liver: hepatic clearance, extraction, share that becomes norketamine, gut-wall escape."""
    older = positive_part(
        stage.parameter("person.age") - stage.parameter("pharmacokinetics.flow_falls_from_age"),
        stage.parameter("pharmacokinetics.age_smoothing_width"),
    )
    inhibited = stage.parameter("perturbation.cyp3a4_inhibition")
    other = stage.parameter("pharmacokinetics.non_cyp2b6_fraction")
    main = (1 - other) * stage.parameter("person.cyp2b6")
    routes = main + other * _covariate(stage, "asian_non_cyp2b6_ratio", "person.asian")
    active = 1 - stage.parameter("pharmacokinetics.cyp3a4_share_liver") * inhibited
    gut_active = 1 - stage.parameter("pharmacokinetics.cyp3a4_share_gut") * inhibited
    flow = _flow(stage, "hepatic_flow") - _flow(stage, "flow_loss_per_year") * older
    perfusion = _fixed_binding(stage, f"liver_flow_{e}", flow, "L/h", "plasma flow through the liver of this person")
    intrinsic = _flow(stage, f"intrinsic_clearance_{e}") * routes * active
    capacity = _fixed_binding(
        stage, f"liver_capacity_{e}", intrinsic, "L/h", f"intrinsic clearance of {NAMES[e]} now active"
    )
    share = capacity / (perfusion + capacity)
    extraction = _fixed_binding(
        stage, f"liver_extraction_{e}", share, "1", f"share of {NAMES[e]} taken out in one passage"
    )
    escape = 1 / (1 + stage.parameter("pharmacokinetics.gut_extraction_ratio") * gut_active)
    return {
        "clearance": perfusion * extraction,
        "escape": 1 - extraction,
        "norketamine_share": _fixed_binding(
            stage, f"norketamine_share_{e}", main / routes, "1", "share of hepatic metabolism that makes norketamine"
        ),
        "gut_escape": _fixed_binding(
            stage, f"gut_escape_{e}", escape, "1", "share of absorbed drug that the gut wall lets through"
        ),
    }


def _fixed_binding(stage: Stage, name: str, expression: sympy.Expr, unit: str, about: str) -> sympy.Symbol:
    return stage.constant(f"pharmacokinetics.{name}", expression, unit, description=about)


def _enantiomer(stage: Stage, e: str, liver: dict[str, sympy.Expr]) -> None:
    drug = NAMES[e]
    central = stage.state(
        f"pharmacokinetics.central_{e}",
        "umol",
        kind="amount",
        description=f"{drug} in arterial blood and near tissue",
    )
    delay = stage.state(
        f"pharmacokinetics.delay_one_{e}", "umol", kind="amount", description=f"{drug} on its way to norketamine"
    )
    gone = stage.state(
        f"pharmacokinetics.eliminated_{e}",
        "umol",
        kind="amount",
        is_sink=True,
        description=f"{drug} eliminated in any form",
    )
    concentration = stage.output(
        f"plasma.{drug}", central / _volume(stage, "central_volume"), "umol/L", description=f"{drug} in arterial plasma"
    )
    _depots(stage, e, central)
    _oral_depot(stage, e, central, delay, gone, liver)
    _peritoneal(stage, e, central, delay, gone, liver)
    for tissue in ("shallow", "middle", "deep"):
        _tissue(
            stage,
            f"{tissue}_{e}",
            central,
            concentration,
            _flow(stage, f"{tissue}_intercompartmental_clearance"),
            _volume(stage, f"{tissue}_volume"),
        )
    cleared = liver["clearance"] * concentration
    stage.transfer(central, delay, liver["norketamine_share"] * cleared, because="hepatic demethylation to norketamine")
    stage.transfer(
        central,
        gone,
        (1 - liver["norketamine_share"]) * cleared,
        because="hepatic clearance to other metabolites",
    )
    norketamine = _norketamine(stage, e, delay)
    _later_metabolites(stage, e, norketamine, gone)
    _vein(stage, drug, concentration)
    _vein(stage, f"{e}_norketamine", stage.ref(f"plasma.{e}_norketamine"))


def _depots(stage: Stage, e: str, central: sympy.Symbol) -> None:
    """First-order absorption of what a route lets through."""
    for site in ("nose", "mouth", "muscle", "skin"):
        depot = stage.state(
            f"pharmacokinetics.{site}_{e}", "umol", kind="amount", description=f"{NAMES[e]} waiting at the {site}"
        )
        stage.transfer(
            depot,
            central,
            stage.parameter(f"pharmacokinetics.{site}_ka") * depot,
            because=f"absorption from {site}",
        )


def _oral_depot(
    stage: Stage,
    e: str,
    central: sympy.Symbol,
    delay: sympy.Symbol,
    gone: sympy.Symbol,
    liver: dict[str, sympy.Expr],
) -> None:
    """Swallowed drug meets the gut wall, then the liver, before it reaches the blood."""
    gut = stage.state(f"pharmacokinetics.gut_{e}", "umol", kind="amount", description=f"{NAMES[e]} in the gut")
    absorbed = stage.parameter("pharmacokinetics.gut_ka") * gut
    survives = liver["gut_escape"] * liver["escape"]
    stage.transfer(gut, central, survives * absorbed, because="absorption of what gut wall and liver let through")
    lost = (1 - survives) * absorbed
    stage.transfer(gut, delay, liver["norketamine_share"] * lost, because="first pass to norketamine")
    stage.transfer(gut, gone, (1 - liver["norketamine_share"]) * lost, because="first pass to other metabolites")


def _peritoneal(
    stage: Stage,
    e: str,
    central: sympy.Symbol,
    delay: sympy.Symbol,
    gone: sympy.Symbol,
    liver: dict[str, sympy.Expr],
) -> None:
    """Drug in the peritoneal cavity drains mostly through the portal vein and meets the liver first."""
    cavity = stage.state(
        f"pharmacokinetics.peritoneum_{e}", "umol", kind="amount", description=f"{NAMES[e]} in the peritoneum"
    )
    absorbed = stage.parameter("pharmacokinetics.peritoneum_ka") * cavity
    portal = stage.parameter("pharmacokinetics.peritoneal_portal_share")
    survives = 1 - portal + portal * liver["escape"]
    stage.transfer(cavity, central, survives * absorbed, because="absorption of what the liver lets through")
    lost = (1 - survives) * absorbed
    stage.transfer(cavity, delay, liver["norketamine_share"] * lost, because="first pass to norketamine")
    stage.transfer(cavity, gone, (1 - liver["norketamine_share"]) * lost, because="first pass to other metabolites")


def _tissue(
    stage: Stage,
    name: str,
    central: sympy.Symbol,
    concentration: sympy.Expr,
    flow: sympy.Expr,
    volume: sympy.Expr,
) -> None:
    tissue = stage.state(f"pharmacokinetics.{name}", "umol", kind="amount", description=f"drug in tissue, {name}")
    stage.transfer(central, tissue, flow * concentration, because="distribution into tissue")
    stage.transfer(tissue, central, flow * tissue / volume, because="return from tissue")


def _norketamine(stage: Stage, e: str, first: sympy.Symbol) -> sympy.Symbol:
    """Two steps of delay, then norketamine with one tissue."""
    pace = stage.parameter("pharmacokinetics.norketamine_ktr")
    second = stage.state(
        f"pharmacokinetics.delay_two_{e}", "umol", kind="amount", description="norketamine being formed"
    )
    formed = stage.state(
        f"pharmacokinetics.norketamine_{e}", "umol", kind="amount", description=f"{e.upper()}-norketamine in blood"
    )
    stage.transfer(first, second, pace * first, because="first step of formation delay")
    stage.transfer(second, formed, pace * second, because="second step of formation delay")
    volume = _volume(stage, "norketamine_volume")
    plasma = stage.output(
        f"plasma.{e}_norketamine",
        formed / volume,
        "umol/L",
        description=f"{e.upper()}-norketamine in arterial plasma",
    )
    flow, tissue = _flow(stage, "norketamine_intercompartmental_clearance"), _volume(stage, "norketamine_tissue_volume")
    _tissue(stage, f"norketamine_tissue_{e}", formed, plasma, flow, tissue)
    return formed


def _later_metabolites(stage: Stage, e: str, norketamine: sympy.Symbol, gone: sympy.Symbol) -> None:
    """Norketamine becomes dehydro- and hydroxynorketamine or leaves; both leave in turn."""
    plasma = stage.ref(f"plasma.{e}_norketamine")
    cleared = (
        _flow(stage, f"norketamine_clearance_{e}") * _covariate(stage, "asian_norketamine", "person.asian") * plasma
    )
    to_dehydro = stage.parameter("pharmacokinetics.dehydronorketamine_share")
    to_hydroxy = stage.parameter("pharmacokinetics.hydroxynorketamine_share")
    dehydro = stage.state(
        f"pharmacokinetics.dehydronorketamine_{e}", "umol", kind="amount", description="dehydronorketamine in blood"
    )
    hydroxy = stage.state(
        f"pharmacokinetics.hydroxynorketamine_{e}", "umol", kind="amount", description="hydroxynorketamine in blood"
    )
    stage.transfer(norketamine, dehydro, to_dehydro * cleared, because="dehydrogenation")
    stage.transfer(norketamine, hydroxy, to_hydroxy * cleared, because="hydroxylation")
    stage.transfer(norketamine, gone, (1 - to_dehydro - to_hydroxy) * cleared, because="other routes and urine")
    for name, amount in (("dehydronorketamine", dehydro), ("hydroxynorketamine", hydroxy)):
        level = stage.output(
            f"plasma.{e}_{name}",
            amount / _volume(stage, f"{name}_volume"),
            "umol/L",
            description=f"{e.upper()}-{name} in arterial plasma",
        )
        stage.transfer(amount, gone, _flow(stage, f"{name}_clearance_{e}") * level, because=f"elimination of {name}")
    flow, volume = (
        _flow(stage, "hydroxynorketamine_intercompartmental_clearance"),
        _volume(stage, "hydroxynorketamine_tissue_volume"),
    )
    _tissue(stage, f"hydroxynorketamine_tissue_{e}", hydroxy, stage.ref(f"plasma.{e}_hydroxynorketamine"), flow, volume)


def _vein(stage: Stage, name: str, artery: sympy.Expr) -> None:
    """A venous sample lags behind the artery while the arm's tissue takes up or gives back."""
    vein = stage.state(f"venous.{name}", "umol/L", scale=0.1, description=f"{name.replace('_', '-')} in venous plasma")
    stage.rate(
        vein,
        stage.parameter("pharmacokinetics.arteriovenous_ke0") * (artery - vein),
        because="the vein follows the artery",
    )
