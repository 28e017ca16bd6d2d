"""Pharmacokinetics: both enantiomers and their metabolites, from every route to arterial and venous plasma."""

from __future__ import annotations

import sympy

from ketamech.model.kinetics import (
    MOIETIES,
    NAMES,
    add_body_size,
    add_depots,
    add_first_pass,
    add_oral_depot,
    add_tissue,
    add_vein,
    add_venous_total,
    covariate_factor,
    scaled_flow,
    scaled_volume,
    well_stirred_liver,
)
from ketamech.model.stage import Stage

EXCRETED = ("ketamine", "norketamine", "dehydronorketamine", "hydroxynorketamine")


def pharmacokinetics(stage: Stage) -> None:
    """Amounts (umol) of S and R drug move between depots, blood, tissues and metabolites; mass is conserved.

    Arterial central compartment with a shallow, an intermediate and a deep tissue; a well-stirred liver, so that an
    inhibitor acts on intrinsic clearance and on the gut wall; norketamine after a delay, then dehydronorketamine and
    hydroxynorketamine. Venous samples lag behind the artery. No chiral inversion: the two enantiomers share volumes
    and differ in clearance. Structure after Simons 2022 and Perez-Ruixo 2021; weight by allometry, enzymes of children
    by age. Unconjugated drug and metabolites are collected in urine, both enantiomers together.
    """
    add_body_size(stage)
    for analyte in EXCRETED:
        stage.state(
            f"pharmacokinetics.urine_{analyte}",
            "umol",
            kind="amount",
            is_sink=True,
            description=f"unconjugated {analyte} in urine since the start, both enantiomers",
        )
    liver = {enantiomer: well_stirred_liver(stage, enantiomer) for enantiomer in NAMES}
    for enantiomer in NAMES:
        _enantiomer(stage, enantiomer, liver[enantiomer])
    for moiety in MOIETIES:
        add_venous_total(stage, moiety)


def _enantiomer(stage: Stage, enantiomer: str, liver: dict[str, sympy.Expr]) -> None:
    drug = NAMES[enantiomer]
    central = stage.state(
        f"pharmacokinetics.central_{enantiomer}",
        "umol",
        kind="amount",
        description=f"{drug} in arterial blood and rapidly equilibrating tissue",
    )
    delay = stage.state(
        f"pharmacokinetics.delay_one_{enantiomer}",
        "umol",
        kind="amount",
        description=f"{drug} in the first transit compartment to norketamine",
    )
    eliminated = stage.state(
        f"pharmacokinetics.eliminated_{enantiomer}",
        "umol",
        kind="amount",
        is_sink=True,
        description=f"{drug} eliminated in any form",
    )
    concentration = stage.output(
        f"plasma.{drug}",
        central / scaled_volume(stage, "central_volume"),
        "umol/L",
        description=f"{drug} in arterial plasma",
    )
    add_depots(stage, enantiomer, central)
    add_oral_depot(stage, enantiomer, central, delay, eliminated, liver)
    _peritoneal(stage, enantiomer, central, delay, eliminated, liver)
    for tissue in ("shallow", "middle", "deep"):
        add_tissue(
            stage,
            f"{tissue}_{enantiomer}",
            central,
            concentration,
            scaled_flow(stage, f"{tissue}_intercompartmental_clearance"),
            scaled_volume(stage, f"{tissue}_volume"),
        )
    clearance_rate = liver["clearance"] * concentration
    stage.transfer(
        central, delay, liver["norketamine_share"] * clearance_rate, because="hepatic demethylation to norketamine"
    )
    other_rate, unchanged = (
        (1 - liver["norketamine_share"]) * clearance_rate,
        stage.parameter("pharmacokinetics.ketamine_urine_share"),
    )
    stage.transfer(central, eliminated, (1 - unchanged) * other_rate, because="clearance to other metabolites")
    stage.transfer(
        central, stage.ref("pharmacokinetics.urine_ketamine"), unchanged * other_rate, because="unchanged into urine"
    )
    norketamine = _norketamine(stage, enantiomer, delay)
    _later_metabolites(stage, enantiomer, norketamine, eliminated)
    add_vein(stage, drug, concentration)
    add_vein(stage, f"{enantiomer}_norketamine", stage.ref(f"plasma.{enantiomer}_norketamine"))


def _peritoneal(
    stage: Stage,
    enantiomer: str,
    central: sympy.Symbol,
    delay: sympy.Symbol,
    eliminated: sympy.Symbol,
    liver: dict[str, sympy.Expr],
) -> None:
    """Drug in the peritoneal cavity drains mostly through the portal vein and passes the liver first."""
    peritoneum = stage.state(
        f"pharmacokinetics.peritoneum_{enantiomer}",
        "umol",
        kind="amount",
        description=f"{NAMES[enantiomer]} in the peritoneum",
    )
    absorbed = stage.parameter("pharmacokinetics.peritoneum_ka") * peritoneum
    portal_share = stage.parameter("pharmacokinetics.peritoneal_portal_share")
    bioavailable_fraction = 1 - portal_share + portal_share * liver["escape"]
    to = (central, delay, eliminated)
    add_first_pass(stage, peritoneum, absorbed, bioavailable_fraction, to, liver, "absorption past the liver")


def _norketamine(stage: Stage, enantiomer: str, transit_one: sympy.Symbol) -> sympy.Symbol:
    """Two steps of delay, then norketamine with one tissue."""
    ktr = stage.parameter("pharmacokinetics.norketamine_ktr")
    transit_two = stage.state(
        f"pharmacokinetics.delay_two_{enantiomer}",
        "umol",
        kind="amount",
        description="second transit compartment to norketamine",
    )
    norketamine = stage.state(
        f"pharmacokinetics.norketamine_{enantiomer}",
        "umol",
        kind="amount",
        description=f"{enantiomer.upper()}-norketamine in blood",
    )
    stage.transfer(transit_one, transit_two, ktr * transit_one, because="first step of formation delay")
    stage.transfer(transit_two, norketamine, ktr * transit_two, because="second step of formation delay")
    volume = scaled_volume(stage, "central_volume")
    plasma = stage.output(
        f"plasma.{enantiomer}_norketamine",
        norketamine / volume,
        "umol/L",
        description=f"{enantiomer.upper()}-norketamine in arterial plasma",
    )
    flow, tissue = (
        scaled_flow(stage, "norketamine_intercompartmental_clearance"),
        scaled_volume(stage, "norketamine_tissue_volume"),
    )
    add_tissue(stage, f"norketamine_tissue_{enantiomer}", norketamine, plasma, flow, tissue)
    return norketamine


def _later_metabolites(stage: Stage, enantiomer: str, norketamine: sympy.Symbol, eliminated: sympy.Symbol) -> None:
    """Norketamine is metabolised to dehydro- and hydroxynorketamine or eliminated; both are then eliminated.

    A share of what is eliminated enters the urine unconjugated, more of R than of S (Hasan 2021); the rest is
    conjugated or metabolised further.
    """
    plasma = stage.ref(f"plasma.{enantiomer}_norketamine")
    clearance_rate = (
        scaled_flow(stage, f"norketamine_clearance_{enantiomer}")
        * covariate_factor(stage, "asian_norketamine", "person.asian")
        * plasma
    )
    dehydronorketamine_share = stage.parameter("pharmacokinetics.dehydronorketamine_share")
    hydroxynorketamine_share = stage.parameter("pharmacokinetics.hydroxynorketamine_share")
    dehydronorketamine = stage.state(
        f"pharmacokinetics.dehydronorketamine_{enantiomer}",
        "umol",
        kind="amount",
        description="dehydronorketamine in blood",
    )
    hydroxynorketamine = stage.state(
        f"pharmacokinetics.hydroxynorketamine_{enantiomer}",
        "umol",
        kind="amount",
        description="hydroxynorketamine in blood",
    )
    stage.transfer(
        norketamine, dehydronorketamine, dehydronorketamine_share * clearance_rate, because="dehydrogenation"
    )
    stage.transfer(norketamine, hydroxynorketamine, hydroxynorketamine_share * clearance_rate, because="hydroxylation")
    urine_share = stage.parameter(f"pharmacokinetics.metabolite_urine_share_{enantiomer}")

    def eliminate(name: str, amount: sympy.Symbol, rate: sympy.Expr) -> None:
        stage.transfer(amount, eliminated, (1 - urine_share) * rate, because=f"conjugation and metabolism of {name}")
        urine = stage.ref(f"pharmacokinetics.urine_{name}")
        stage.transfer(amount, urine, urine_share * rate, because=f"{name} into urine")

    eliminate("norketamine", norketamine, (1 - dehydronorketamine_share - hydroxynorketamine_share) * clearance_rate)
    for name, amount in (("dehydronorketamine", dehydronorketamine), ("hydroxynorketamine", hydroxynorketamine)):
        level = stage.output(
            f"plasma.{enantiomer}_{name}",
            amount / scaled_volume(stage, "central_volume"),
            "umol/L",
            description=f"{enantiomer.upper()}-{name} in arterial plasma",
        )
        eliminate(name, amount, scaled_flow(stage, f"{name}_clearance_{enantiomer}") * level)
    flow, volume = (
        scaled_flow(stage, "hydroxynorketamine_intercompartmental_clearance"),
        scaled_volume(stage, "hydroxynorketamine_tissue_volume"),
    )
    add_tissue(
        stage,
        f"hydroxynorketamine_tissue_{enantiomer}",
        hydroxynorketamine,
        stage.ref(f"plasma.{enantiomer}_hydroxynorketamine"),
        flow,
        volume,
    )
