"""Inflammation: endotoxin and wounds, cytokines, the acute-phase response, and the kynurenine pathway."""

from __future__ import annotations

import sympy

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def inflammation(stage: Stage) -> None:
    """Cytokines relative to a healthy person (1), about a quarter higher in depression with inflammation.

    Endotoxin activates monocytes, which release TNF, then IL-6, then IL-10, which inhibits them (order and structure
    of Brady 2018, reduced; Reynolds and Day 2006). A wound raises IL-6 without TNF (Kragsbjerg 1995). C-reactive
    protein follows IL-6 through the liver with a delay of a day. Cytokines induce the steps from tryptophan to
    kynurenine and on to quinolinic acid, not the one to kynurenic acid. Ketamine lowers release only at levels far
    above those of an antidepressant dose: a weak side branch, on which findings in humans conflict. Challenges:
    `inflammation.endotoxin` takes doses of 2 ng/kg, `inflammation.tissue_damage` takes operations,
    `perturbation.endotoxin` is a constant level of endotoxin. Units: fold of healthy; umol/L in the kynurenine
    pathway.
    """
    tnf, il6 = _cytokines(stage, _challenge(stage), _release_factor(stage))
    _acute_phase(stage, il6)
    il6_weight = stage.parameter("inflammation.il6_induction")
    _kynurenine(stage, (1 - il6_weight) * tnf + il6_weight * il6)


def _challenge(stage: Stage) -> sympy.Expr:
    """Endotoxin in the body, in doses of 2 ng/kg."""
    endotoxin = stage.state("inflammation.endotoxin", "1", description="endotoxin in the body, doses of 2 ng/kg")
    stage.rate(
        endotoxin, -stage.parameter("inflammation.endotoxin_clearance") * endotoxin, because="clearance and tolerance"
    )
    return endotoxin + stage.parameter("perturbation.endotoxin")


def _release_factor(stage: Stage) -> sympy.Expr:
    """Fraction of cytokine release that remains under ketamine, 1 without drug."""
    drug = stage.input("brain.esketamine", "umol/L") + stage.input("brain.arketamine", "umol/L")
    emax = stage.parameter("pathway.anti_inflammatory") * stage.parameter("inflammation.ketamine_emax")
    return 1 - emax * drug / (stage.parameter("inflammation.ketamine_ec50") + drug)


def _cytokines(stage: Stage, challenge: sympy.Expr, release_factor: sympy.Expr) -> tuple[sympy.Symbol, sympy.Symbol]:
    chronic_activation = 1 + stage.parameter("inflammation.low_grade") * stage.parameter("person.inflammation")
    monocyte_drive = chronic_activation * (1 + stage.parameter("inflammation.endotoxin_gain") * challenge)
    monocytes = _first_order_lag(
        stage, "monocytes", "activity of monocytes", monocyte_drive, "activated by endotoxin or chronic stress"
    )
    tnf, il6, il10 = (_level(stage, name, f"{label}, fold of healthy") for name, label in _NAMES.items())
    il10_inhibition = stage.parameter("inflammation.il10_inhibition")
    released = monocytes * release_factor * (1 + il10_inhibition) / (1 + il10_inhibition * il10)
    _turnover(stage, tnf, "tnf", released, "released by activated monocytes, inhibited by IL-10")
    tnf_synergy = 1 + stage.parameter("inflammation.il6_synergy_gain") * hill(
        tnf - 1, stage.parameter("inflammation.il6_synergy_ec50"), 3
    )
    wound_drive = stage.parameter("inflammation.wound_gain") * release_factor * _wound(stage)
    _turnover(
        stage,
        il6,
        "il6",
        tnf * tnf_synergy + wound_drive,
        "induced by TNF, more than proportionally at high TNF, and by a wound",
    )
    ec50 = stage.parameter("inflammation.il10_ec50")
    il10_drive = il6 * (1 + ec50) / (il6 + ec50)
    _turnover(stage, il10, "il10", il10_drive, "induced late, by IL-6")
    return tnf, il6


_NAMES = {"tnf": "TNF-alpha", "il6": "IL-6", "il10": "IL-10"}


def _wound(stage: Stage) -> sympy.Symbol:
    damage = stage.state(
        "inflammation.tissue_damage", "1", description="tissue damage, 1 immediately after a major operation"
    )
    stage.rate(damage, -stage.parameter("inflammation.healing_rate") * damage, because="healing")
    return damage


def _acute_phase(stage: Stage, il6: sympy.Symbol) -> None:
    """C-reactive protein: made by the liver with a lag of half a day; its clearance is constant."""
    ec50, gain = stage.parameter("inflammation.liver_ec50"), stage.parameter("inflammation.liver_gain")
    acute_phase_drive = 1 + gain * (il6 - 1) / (il6 + ec50)
    crp = _level(stage, "crp", "C-reactive protein, fold of healthy")
    liver = _first_order_lag(
        stage, "liver", "acute-phase synthesis in the liver", acute_phase_drive, "IL-6 turns on acute-phase genes"
    )
    _turnover(stage, crp, "crp", liver, "secreted by the liver")


def _kynurenine(stage: Stage, cytokines: sympy.Expr) -> None:
    """Tryptophan to kynurenine to two acids with opposite effects on NMDA receptors; every branch conserves mass."""
    ec50 = stage.parameter("inflammation.induction_ec50")
    enzyme_drive = cytokines * (1 + ec50) / (cytokines + ec50)
    enzymes = _first_order_lag(
        stage, "kynurenine_enzymes", "IDO and KMO activity", enzyme_drive, "induction by cytokines, saturating"
    )
    liver_share, ido_share, kynurenic_share = (
        stage.parameter(f"inflammation.{n}_share") for n in ("liver", "induced", "kynurenic")
    )
    healthy_tryptophan = stage.parameter("inflammation.tryptophan_healthy")
    tryptophan_turnover, kynurenine_turnover = (
        stage.parameter(f"inflammation.{n}_turnover") for n in ("tryptophan", "kynurenine")
    )
    healthy_flow = tryptophan_turnover * (liver_share + ido_share) * healthy_tryptophan
    healthy_quinolinic = stage.parameter("inflammation.quinolinic_healthy")
    quinolinic_share = stage.parameter("inflammation.quinolinic_turnover") * healthy_quinolinic / healthy_flow
    tryptophan = stage.state(
        "inflammation.tryptophan", "umol/L", initial_guess=70.0, scale=10.0, description="plasma tryptophan"
    )
    kynurenine = stage.state("inflammation.kynurenine", "umol/L", initial_guess=2.0, description="plasma kynurenine")
    kynurenic = _acid(stage, "kynurenic", "kynurenic acid, blocks NMDA receptors")
    quinolinic = _acid(stage, "quinolinic", "quinolinic acid, opens NMDA receptors")
    stage.rate(tryptophan, +tryptophan_turnover * healthy_tryptophan, because="diet and protein breakdown")
    stage.rate(
        tryptophan,
        -tryptophan_turnover * (1 - liver_share - ido_share) * tryptophan,
        because="protein, serotonin and other uses",
    )
    stage.transfer(tryptophan, kynurenine, tryptophan_turnover * liver_share * tryptophan, because="TDO in the liver")
    stage.transfer(
        tryptophan,
        kynurenine,
        tryptophan_turnover * ido_share * enzymes * tryptophan,
        because="IDO in activated tissue",
    )
    stage.rate(
        kynurenine,
        -kynurenine_turnover * (1 - kynurenic_share - quinolinic_share) * kynurenine,
        because="other uses and excretion",
    )
    stage.transfer(
        kynurenine,
        kynurenic,
        kynurenine_turnover * kynurenic_share * kynurenine,
        because="KAT in astrocytes and muscle",
    )
    stage.transfer(
        kynurenine,
        quinolinic,
        kynurenine_turnover * quinolinic_share * enzymes * kynurenine,
        because="KMO in activated microglia",
    )
    label = "quinolinate in brain (kynurenine pathway), fold of healthy"
    quinolinate = stage.output("inflammation.quinolinate", quinolinic / healthy_quinolinic, "1", description=label)
    stage.output(
        "inflammation.kynurenine_ratio", kynurenine / tryptophan, "1", description="kynurenine over tryptophan"
    )
    healthy_kynurenic = healthy_flow * kynurenic_share / stage.parameter("inflammation.kynurenic_turnover")
    excitotoxic = quinolinate * healthy_kynurenic / kynurenic
    label = "quinolinic over kynurenic acid, fold of healthy"
    stage.output("inflammation.excitotoxic_ratio", excitotoxic, "1", description=label)


def _acid(stage: Stage, name: str, description: str) -> sympy.Symbol:
    acid = stage.state(f"inflammation.{name}_acid", "umol/L", initial_guess=0.4, scale=0.1, description=description)
    stage.rate(acid, -stage.parameter(f"inflammation.{name}_turnover") * acid, because="clearance")
    return acid


def _level(stage: Stage, name: str, description: str) -> sympy.Symbol:
    return stage.state(f"inflammation.{name}", "1", initial_guess=1.0, description=description)


def _first_order_lag(stage: Stage, name: str, label: str, drive: sympy.Expr, because: str) -> sympy.Symbol:
    """A new level, 1 in a healthy person without challenge, that follows its drive."""
    level = _level(stage, name, f"{label}, fold of healthy")
    _turnover(stage, level, name, drive, because)
    return level


def _turnover(stage: Stage, level: sympy.Symbol, name: str, drive: sympy.Expr, because: str) -> None:
    """The level relaxes to its drive with its own turnover rate."""
    turnover = stage.parameter(f"inflammation.{name}_turnover")
    stage.rate(level, +turnover * drive, because=because)
    stage.rate(level, -turnover * level, because="turnover")
