"""Parts of kinetics that the full model and the reduced core share: body size, liver, depots, tissues, the arm vein."""

from __future__ import annotations

import sympy

from ketamech.model.functions import exp, log, positive_part
from ketamech.model.stage import Stage

NAMES = {"s": "esketamine", "r": "arketamine"}
MOIETIES = {"ketamine": ("esketamine", "arketamine"), "norketamine": ("s_norketamine", "r_norketamine")}
SITES = {"racemic_nose": "nose after a spray of racemic ketamine or drops"}
DEPOTS = {  # depots of the routes, each with the parameter of its first-order absorption
    "nose": "nose_ka", "racemic_nose": "racemic_nose_ka", "mouth": "mouth_ka", "muscle": "muscle_ka",
    "skin": "skin_ka", "rectum": "gut_ka",
}  # fmt: skip


def add_body_size(stage: Stage) -> None:
    """Body size relative to the published reference and its effect on flows and rates; maturity of the enzymes."""
    weight, reference = stage.parameter("person.weight"), stage.parameter("pharmacokinetics.reference_weight")
    size = stage.constant(
        "pharmacokinetics.size", weight / reference, "1", description="body weight relative to the reference"
    )
    flow_size = exp(stage.parameter("pharmacokinetics.allometric_exponent") * log(size))
    stage.constant(
        "pharmacokinetics.flow_size", flow_size, "1", description="factor of body size for clearances and flows"
    )
    rate_size = stage.ref("pharmacokinetics.flow_size") / stage.ref("pharmacokinetics.size")
    stage.constant("pharmacokinetics.rate_size", rate_size, "1", description="factor of body size for absorption")
    at_birth = stage.parameter("pharmacokinetics.enzymes_at_birth")
    halvings = stage.parameter("person.age") / stage.parameter("pharmacokinetics.enzyme_maturation_half_time")
    stage.constant(
        "pharmacokinetics.enzyme_maturity",
        1 - (1 - at_birth) * exp(-log(2) * halvings),
        "1",
        description="activity of the enzymes of the liver at this age, relative to an adult of the same size",
    )


def scaled_volume(stage: Stage, name: str) -> sympy.Expr:
    """A volume (L), in proportion to body weight."""
    return stage.parameter(f"pharmacokinetics.{name}") * stage.ref("pharmacokinetics.size")


def scaled_flow(stage: Stage, name: str) -> sympy.Expr:
    """A clearance or flow (L/h), by body weight to the allometric power."""
    return stage.parameter(f"pharmacokinetics.{name}") * stage.ref("pharmacokinetics.flow_size")


def absorption_rate_constant(stage: Stage, name: str) -> sympy.Expr:
    """A rate constant of absorption (1/h): local blood flow over a volume, so that it is faster in a smaller body."""
    return stage.parameter(f"pharmacokinetics.{name}") * stage.ref("pharmacokinetics.rate_size")


def covariate_factor(stage: Stage, factor: str, flag: str) -> sympy.Expr:
    """`factor` for a person with the flag, 1 without."""
    return 1 + (stage.parameter(f"pharmacokinetics.{factor}") - 1) * stage.parameter(flag)


def well_stirred_liver(stage: Stage, enantiomer: str) -> dict[str, sympy.Expr]:
    """Well-stirred liver: hepatic clearance, extraction, fraction that becomes norketamine, gut-wall escape.

    CYP2B6 and CYP3A4 demethylate to norketamine; other enzymes form other metabolites. An inhibitor or inducer acts on
    the activity of its enzyme, in the liver and, for CYP3A4, in the gut wall. The liver of a newborn has a tenth of the
    activity of an adult, and the missing part halves every year (Johnson 2006).
    """
    years_above_threshold = positive_part(
        stage.parameter("person.age") - stage.parameter("pharmacokinetics.flow_falls_from_age"),
        stage.parameter("pharmacokinetics.age_smoothing_width"),
    )
    cyp3a4_activity = (
        1 - stage.parameter("perturbation.cyp3a4_inhibition") + stage.parameter("perturbation.cyp3a4_induction")
    )
    cyp2b6_activity = stage.parameter("person.cyp2b6") * (1 - stage.parameter("perturbation.cyp2b6_inhibition"))
    other_activity = covariate_factor(stage, "asian_other_enzymes_ratio", "person.asian")
    other_enzymes = stage.parameter("pharmacokinetics.other_enzymes_ratio")
    cyp3a4_share = stage.parameter("pharmacokinetics.cyp3a4_share_liver")
    gut_share = stage.parameter("pharmacokinetics.cyp3a4_share_gut")
    demethylation = (1 - cyp3a4_share) * cyp2b6_activity + cyp3a4_share * cyp3a4_activity
    relative_activity = demethylation + other_enzymes * other_activity
    metabolic_activity = stage.ref("pharmacokinetics.enzyme_maturity") * relative_activity / (1 + other_enzymes)
    flow = scaled_flow(stage, "hepatic_flow") - scaled_flow(stage, "flow_loss_per_year") * years_above_threshold
    perfusion = _patient_constant(stage, f"liver_flow_{enantiomer}", flow, "L/h", "hepatic plasma flow of this person")
    intrinsic = scaled_flow(stage, f"intrinsic_clearance_{enantiomer}") * stage.parameter("person.liver_function")
    capacity = _patient_constant(
        stage,
        f"liver_capacity_{enantiomer}",
        intrinsic * metabolic_activity,
        "L/h",
        f"active intrinsic clearance of {NAMES[enantiomer]}",
    )
    extraction = _patient_constant(
        stage,
        f"liver_extraction_{enantiomer}",
        capacity / (perfusion + capacity),
        "1",
        f"hepatic extraction ratio of {NAMES[enantiomer]}",
    )
    gut_activity = 1 - gut_share + gut_share * cyp3a4_activity
    gut_escape = 1 / (1 + stage.parameter("pharmacokinetics.gut_extraction_ratio") * gut_activity)
    return {
        "clearance": perfusion * extraction,
        "escape": 1 - extraction,
        "norketamine_share": _patient_constant(
            stage,
            f"norketamine_share_{enantiomer}",
            demethylation / relative_activity,
            "1",
            "fraction of hepatic metabolism that forms norketamine",
        ),
        "gut_escape": _patient_constant(
            stage, f"gut_escape_{enantiomer}", gut_escape, "1", "fraction of absorbed drug that passes the gut wall"
        ),
    }


def _patient_constant(stage: Stage, name: str, expression: sympy.Expr, unit: str, description: str) -> sympy.Symbol:
    return stage.constant(f"pharmacokinetics.{name}", expression, unit, description=description)


def add_depots(stage: Stage, enantiomer: str, central: sympy.Symbol) -> None:
    """First-order absorption from the depots of the routes."""
    for site, rate_constant in DEPOTS.items():
        depot = stage.state(
            f"pharmacokinetics.{site}_{enantiomer}",
            "umol",
            kind="amount",
            description=f"{NAMES[enantiomer]} to be absorbed from the {SITES.get(site, site)}",
        )
        stage.transfer(
            depot,
            central,
            absorption_rate_constant(stage, rate_constant) * depot,
            because=f"absorption from {SITES.get(site, site)}",
        )


def add_oral_depot(
    stage: Stage,
    enantiomer: str,
    central: sympy.Symbol,
    delay: sympy.Symbol,
    eliminated: sympy.Symbol,
    liver: dict[str, sympy.Expr],
) -> None:
    """Swallowed drug passes the gut wall, then the liver, before it reaches the systemic circulation."""
    gut = stage.state(
        f"pharmacokinetics.gut_{enantiomer}", "umol", kind="amount", description=f"{NAMES[enantiomer]} in the gut"
    )
    absorbed = absorption_rate_constant(stage, "gut_ka") * gut
    bioavailable_fraction = liver["gut_escape"] * liver["escape"]
    to = (central, delay, eliminated)
    add_first_pass(stage, gut, absorbed, bioavailable_fraction, to, liver, "absorption past gut wall and liver")


def add_first_pass(
    stage: Stage, depot: sympy.Symbol, absorbed: sympy.Expr, bioavailable_fraction: sympy.Expr,
    to: tuple[sympy.Symbol, sympy.Symbol, sympy.Symbol], liver: dict[str, sympy.Expr], because: str,
) -> None:  # fmt: skip
    """Drug absorbed from a depot at the rate `absorbed` (umol/h): a fraction reaches the central compartment, the rest
    becomes norketamine or another metabolite in the liver.

    `to` are the central compartment, the delay before norketamine, and what is eliminated. `because` is the reason of
    the first transfer.
    """
    central, delay, eliminated = to
    norketamine_share, first_pass = liver["norketamine_share"], (1 - bioavailable_fraction) * absorbed
    stage.transfer(depot, central, bioavailable_fraction * absorbed, because=because)
    stage.transfer(depot, delay, norketamine_share * first_pass, because="first pass to norketamine")
    stage.transfer(depot, eliminated, (1 - norketamine_share) * first_pass, because="first pass to other metabolites")


def add_tissue(
    stage: Stage,
    name: str,
    central: sympy.Symbol,
    concentration: sympy.Expr,
    flow: sympy.Expr,
    volume: sympy.Expr,
) -> None:
    """A tissue that exchanges drug with the central compartment; `flow` in L/h, `volume` in L."""
    tissue = stage.state(f"pharmacokinetics.{name}", "umol", kind="amount", description=f"drug in tissue, {name}")
    stage.transfer(central, tissue, flow * concentration, because="distribution into tissue")
    stage.transfer(tissue, central, flow * tissue / volume, because="return from tissue")


def add_vein(stage: Stage, name: str, artery: sympy.Expr) -> None:
    """Venous plasma is a mixture of blood that passed fast (skin, shunts) and slowly (muscle) through the arm.

    Two delays, as in Kamp 2020 (Anesthesiology 133:1192): a bolus is in the vein within two minutes, yet an infusion
    of an hour leaves the vein below the artery until it ends.
    """
    label = name.replace("_", "-")
    parts = []
    for pace, tissue in (("fast", "skin and shunts"), ("slow", "muscle")):
        part = stage.state(
            f"pharmacokinetics.venous_{pace}_{name}",
            "umol/L",
            scale=0.1,
            description=f"{label} in venous blood from {tissue} of the arm",
        )
        stage.rate(
            part,
            stage.parameter(f"pharmacokinetics.arteriovenous_ke0_{pace}") * (artery - part),
            because=f"blood from {tissue} follows arterial blood",
        )
        parts.append(part)
    fast_share = stage.parameter("pharmacokinetics.arteriovenous_fast_share")
    stage.output(
        f"venous.{name}",
        fast_share * parts[0] + (1 - fast_share) * parts[1],
        "umol/L",
        description=f"{label} in venous plasma",
    )


def add_venous_total(stage: Stage, moiety: str, source: str = "both enantiomers") -> None:
    """The level (umol/L) of both enantiomers of ketamine or norketamine in venous plasma; `source`: for its name."""
    total = sympy.Add(*(stage.ref(f"venous.{name}") for name in MOIETIES[moiety]))
    stage.output(f"venous.{moiety}", total, "umol/L", description=f"{moiety} in venous plasma, {source}")
