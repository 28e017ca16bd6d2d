"""Inflammation: endotoxin and wounds, the cytokines they raise, the liver's answer, and the kynurenine branch."""

from __future__ import annotations

import sympy

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def inflammation(stage: Stage) -> None:
    """Cytokines relative to a healthy person (1), about a quarter higher in the inflamed depressed.

    Endotoxin rouses monocytes, which release TNF, then IL-6, then IL-10, which brakes them (the order and the
    structure of Brady 2018, reduced; Reynolds and Day 2006). A wound raises IL-6 without TNF (Kragsbjerg 1995).
    C-reactive protein follows IL-6 through the liver by a day. Cytokines induce the steps from tryptophan to
    kynurenine and on to quinolinic acid, not the one to kynurenic acid. Ketamine lowers release only at levels
    far above those of an antidepressant dose: a weak side branch, on which findings in people conflict.
    Challenges: `inflammation.endotoxin` takes doses of 2 ng/kg, `inflammation.tissue_damage` takes operations,
    `perturbation.endotoxin` holds endotoxin in the body. Units: fold of healthy; umol/L in the kynurenine branch.
    """
    tnf, il6 = _cytokines(stage, _challenge(stage), _restraint(stage))
    _acute_phase(stage, il6)
    weight = stage.parameter("inflammation.il6_induction")
    _kynurenine(stage, (1 - weight) * tnf + weight * il6)


def _challenge(stage: Stage) -> sympy.Expr:
    """Endotoxin in the body, doses of 2 ng/kg."""
    given = stage.state("inflammation.endotoxin", "1", description="endotoxin in the body, doses of 2 ng/kg")
    stage.rate(given, -stage.parameter("inflammation.endotoxin_clearance") * given, because="cleared and tolerated")
    return given + stage.parameter("perturbation.endotoxin")


def _restraint(stage: Stage) -> sympy.Expr:
    """What ketamine leaves of cytokine release, 1 without drug."""
    drug = stage.input("brain.esketamine", "umol/L") + stage.input("brain.arketamine", "umol/L")
    reach = stage.parameter("pathway.anti_inflammatory") * stage.parameter("inflammation.ketamine_emax")
    return 1 - reach * drug / (stage.parameter("inflammation.ketamine_ec50") + drug)


def _cytokines(stage: Stage, challenge: sympy.Expr, restraint: sympy.Expr) -> tuple[sympy.Symbol, sympy.Symbol]:
    chronic = 1 + stage.parameter("inflammation.low_grade") * stage.parameter("person.inflammation")
    roused = chronic * (1 + stage.parameter("inflammation.endotoxin_gain") * challenge)
    monocytes = _first_order_lag(
        stage, "monocytes", "activity of monocytes", roused, "roused by endotoxin or chronic stress"
    )
    tnf, il6, il10 = (_level(stage, name, f"{words}, fold of healthy") for name, words in _NAMES.items())
    brake = stage.parameter("inflammation.il10_inhibition")
    released = monocytes * restraint * (1 + brake) / (1 + brake * il10)
    _turnover(stage, tnf, "tnf", released, "released by roused monocytes, less what IL-10 brakes")
    flood = 1 + stage.parameter("inflammation.il6_synergy_gain") * hill(
        tnf - 1, stage.parameter("inflammation.il6_synergy_ec50"), 3
    )
    wound = stage.parameter("inflammation.wound_gain") * restraint * _wound(stage)
    _turnover(
        stage, il6, "il6", tnf * flood + wound, "induced by TNF, out of proportion when it floods, and by a wound"
    )
    half = stage.parameter("inflammation.il10_ec50")
    late = il6 * (1 + half) / (il6 + half)
    _turnover(stage, il10, "il10", late, "induced late, by the cytokines before it")
    return tnf, il6


_NAMES = {"tnf": "TNF-alpha", "il6": "IL-6", "il10": "IL-10"}


def _wound(stage: Stage) -> sympy.Symbol:
    damage = stage.state("inflammation.tissue_damage", "1", description="tissue damage, 1 just after a major operation")
    stage.rate(damage, -stage.parameter("inflammation.healing_rate") * damage, because="the wound heals")
    return damage


def _acute_phase(stage: Stage, il6: sympy.Symbol) -> None:
    """C-reactive protein: made by the liver, which takes half a day to answer; its loss is constant."""
    half, gain = stage.parameter("inflammation.liver_ec50"), stage.parameter("inflammation.liver_gain")
    made = 1 + gain * (il6 - 1) / (il6 + half)
    crp = _level(stage, "crp", "C-reactive protein, fold of healthy")
    liver = _first_order_lag(
        stage, "liver", "acute-phase synthesis in the liver", made, "IL-6 turns on acute-phase genes"
    )
    _turnover(stage, crp, "crp", liver, "secreted by the liver")


def _kynurenine(stage: Stage, cytokines: sympy.Expr) -> None:
    """Tryptophan to kynurenine to two acids of opposite effect on NMDA receptors; every branch a flow."""
    half = stage.parameter("inflammation.induction_ec50")
    induced = cytokines * (1 + half) / (cytokines + half)
    enzymes = _first_order_lag(
        stage, "kynurenine_enzymes", "IDO and KMO activity", induced, "cytokines induce them, saturating"
    )
    shares = [stage.parameter(f"inflammation.{n}_share") for n in ("liver", "induced", "kynurenic")]
    liver, by_ido, to_kynurenic = shares
    usual = stage.parameter("inflammation.tryptophan_healthy")
    used, degraded = (stage.parameter(f"inflammation.{n}_turnover") for n in ("tryptophan", "kynurenine"))
    rest, healthy = used * (liver + by_ido) * usual, stage.parameter("inflammation.quinolinic_healthy")
    to_quinolinic = stage.parameter("inflammation.quinolinic_turnover") * healthy / rest
    tryptophan = stage.state(
        "inflammation.tryptophan", "umol/L", initial_guess=70.0, scale=10.0, description="plasma tryptophan"
    )
    kynurenine = stage.state("inflammation.kynurenine", "umol/L", initial_guess=2.0, description="plasma kynurenine")
    kynurenic = _acid(stage, "kynurenic", "kynurenic acid, blocks NMDA receptors")
    quinolinic = _acid(stage, "quinolinic", "quinolinic acid, opens NMDA receptors")
    stage.rate(tryptophan, +used * usual, because="food and protein breakdown")
    stage.rate(tryptophan, -used * (1 - liver - by_ido) * tryptophan, because="protein, serotonin and other uses")
    stage.transfer(tryptophan, kynurenine, used * liver * tryptophan, because="TDO of the liver")
    stage.transfer(tryptophan, kynurenine, used * by_ido * enzymes * tryptophan, because="IDO of roused tissue")
    stage.rate(
        kynurenine, -degraded * (1 - to_kynurenic - to_quinolinic) * kynurenine, because="other uses and excretion"
    )
    stage.transfer(kynurenine, kynurenic, degraded * to_kynurenic * kynurenine, because="KAT of astrocytes and muscle")
    stage.transfer(
        kynurenine, quinolinic, degraded * to_quinolinic * enzymes * kynurenine, because="KMO of roused microglia"
    )
    words = "quinolinate in brain (kynurenine branch), fold of healthy"
    fold = stage.output("inflammation.quinolinate", quinolinic / healthy, "1", description=words)
    stage.output(
        "inflammation.kynurenine_ratio", kynurenine / tryptophan, "1", description="kynurenine over tryptophan"
    )
    healthy = rest * to_kynurenic / stage.parameter("inflammation.kynurenic_turnover")
    words = "quinolinic over kynurenic acid, fold of healthy"
    stage.output("inflammation.excitotoxic_ratio", fold * healthy / kynurenic, "1", description=words)


def _acid(stage: Stage, name: str, about: str) -> sympy.Symbol:
    acid = stage.state(f"inflammation.{name}_acid", "umol/L", initial_guess=0.4, scale=0.1, description=about)
    stage.rate(acid, -stage.parameter(f"inflammation.{name}_turnover") * acid, because="cleared")
    return acid


def _level(stage: Stage, name: str, about: str) -> sympy.Symbol:
    return stage.state(f"inflammation.{name}", "1", initial_guess=1.0, description=about)


def _first_order_lag(stage: Stage, name: str, words: str, drive: sympy.Expr, because: str) -> sympy.Symbol:
    """A new level, at rest at 1 in a healthy person, that follows its drive."""
    level = _level(stage, name, f"{words}, fold of healthy")
    _turnover(stage, level, name, drive, because)
    return level


def _turnover(stage: Stage, level: sympy.Symbol, name: str, drive: sympy.Expr, because: str) -> None:
    """The level relaxes to its drive at its own turnover."""
    pace = stage.parameter(f"inflammation.{name}_turnover")
    stage.rate(level, +pace * drive, because=because)
    stage.rate(level, -pace * level, because="lost or cleared")
