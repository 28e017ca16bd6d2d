"""Inflammation: endotoxin and wounds, the cytokines they raise, the liver's answer, and the kynurenine branch."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, hill


def inflammation(m: Stage) -> None:
    """Cytokines relative to a healthy person (1), about a quarter higher in the inflamed depressed.

    Endotoxin rouses monocytes, which release TNF, then IL-6, then IL-10, which brakes them (the order and the
    structure of Brady 2018, reduced; Reynolds and Day 2006). A wound raises IL-6 without TNF (Kragsbjerg 1995).
    C-reactive protein follows IL-6 through the liver by a day. Cytokines induce the steps from tryptophan to
    kynurenine and on to quinolinic acid, not the one to kynurenic acid. Ketamine lowers release only at levels
    far above those of an antidepressant dose: a weak side branch, on which findings in people conflict.
    Challenges: `inflammation.endotoxin` takes doses of 2 ng/kg, `inflammation.tissue_damage` takes operations,
    `perturbation.endotoxin` holds endotoxin in the body. Units: fold of healthy; umol/L in the kynurenine branch.
    """
    tnf, il6 = _cytokines(m, _challenge(m), _restraint(m))
    _acute_phase(m, il6)
    weight = m.parameter("inflammation.il6_induction")
    _kynurenine(m, (1 - weight) * tnf + weight * il6)


def _challenge(m: Stage) -> sympy.Expr:
    """Endotoxin in the body, doses of 2 ng/kg."""
    given = m.state("inflammation.endotoxin", "1", about="endotoxin in the body, doses of 2 ng/kg")
    m.rate(given, -m.parameter("inflammation.endotoxin_clearance") * given, because="cleared and tolerated")
    return given + m.parameter("perturbation.endotoxin")


def _restraint(m: Stage) -> sympy.Expr:
    """What ketamine leaves of cytokine release, 1 without drug."""
    drug = m.needs("brain.esketamine", "umol/L") + m.needs("brain.arketamine", "umol/L")
    reach = m.parameter("pathway.anti_inflammatory") * m.parameter("inflammation.ketamine_reach")
    return 1 - reach * drug / (m.parameter("inflammation.ketamine_half") + drug)


def _cytokines(m: Stage, challenge: sympy.Expr, restraint: sympy.Expr) -> tuple[sympy.Symbol, sympy.Symbol]:
    chronic = 1 + m.parameter("inflammation.low_grade") * m.parameter("person.inflammation")
    roused = chronic * (1 + m.parameter("inflammation.endotoxin_gain") * challenge)
    monocytes = _follows(m, "monocytes", "activity of monocytes", roused, "roused by endotoxin or chronic stress")
    tnf, il6, il10 = (_level(m, name, f"{words}, fold of healthy") for name, words in _NAMES.items())
    brake = m.parameter("inflammation.il10_brake")
    released = monocytes * restraint * (1 + brake) / (1 + brake * il10)
    _turnover(m, tnf, "tnf", released, "released by roused monocytes, less what IL-10 brakes")
    flood = 1 + m.parameter("inflammation.il6_flood") * hill(tnf - 1, m.parameter("inflammation.il6_flood_half"), 3)
    wound = m.parameter("inflammation.wound_gain") * restraint * _wound(m)
    _turnover(m, il6, "il6", tnf * flood + wound, "induced by TNF, out of proportion when it floods, and by a wound")
    half = m.parameter("inflammation.il10_half")
    late = il6 * (1 + half) / (il6 + half)
    _turnover(m, il10, "il10", late, "induced late, by the cytokines before it")
    return tnf, il6


_NAMES = {"tnf": "TNF-alpha", "il6": "IL-6", "il10": "IL-10"}


def _wound(m: Stage) -> sympy.Symbol:
    damage = m.state("inflammation.tissue_damage", "1", about="tissue damage, 1 just after a major operation")
    m.rate(damage, -m.parameter("inflammation.healing") * damage, because="the wound heals")
    return damage


def _acute_phase(m: Stage, il6: sympy.Symbol) -> None:
    """C-reactive protein: made by the liver, which takes half a day to answer; its loss is constant."""
    half, gain = m.parameter("inflammation.liver_half"), m.parameter("inflammation.liver_gain")
    made = 1 + gain * (il6 - 1) / (il6 + half)
    crp = _level(m, "crp", "C-reactive protein, fold of healthy")
    liver = _follows(m, "liver", "acute-phase synthesis in the liver", made, "IL-6 turns on acute-phase genes")
    _turnover(m, crp, "crp", liver, "secreted by the liver")


def _kynurenine(m: Stage, cytokines: sympy.Expr) -> None:
    """Tryptophan to kynurenine to two acids of opposite effect on NMDA receptors; every branch a flow."""
    half = m.parameter("inflammation.induction_half")
    induced = cytokines * (1 + half) / (cytokines + half)
    enzymes = _follows(m, "kynurenine_enzymes", "IDO and KMO activity", induced, "cytokines induce them, saturating")
    shares = [m.parameter(f"inflammation.{n}_share") for n in ("liver", "induced", "kynurenic")]
    liver, by_ido, to_kynurenic = shares
    usual = m.parameter("inflammation.tryptophan_healthy")
    used, degraded = (m.parameter(f"inflammation.{n}_turnover") for n in ("tryptophan", "kynurenine"))
    rest, healthy = used * (liver + by_ido) * usual, m.parameter("inflammation.quinolinic_healthy")
    to_quinolinic = m.parameter("inflammation.quinolinic_turnover") * healthy / rest
    tryptophan = m.state("inflammation.tryptophan", "umol/L", at_rest=70.0, scale=10.0, about="plasma tryptophan")
    kynurenine = m.state("inflammation.kynurenine", "umol/L", at_rest=2.0, about="plasma kynurenine")
    kynurenic = _acid(m, "kynurenic", "kynurenic acid, blocks NMDA receptors")
    quinolinic = _acid(m, "quinolinic", "quinolinic acid, opens NMDA receptors")
    m.rate(tryptophan, +used * usual, because="food and protein breakdown")
    m.rate(tryptophan, -used * (1 - liver - by_ido) * tryptophan, because="protein, serotonin and other uses")
    m.flow(tryptophan, kynurenine, used * liver * tryptophan, because="TDO of the liver")
    m.flow(tryptophan, kynurenine, used * by_ido * enzymes * tryptophan, because="IDO of roused tissue")
    m.rate(kynurenine, -degraded * (1 - to_kynurenic - to_quinolinic) * kynurenine, because="other uses and excretion")
    m.flow(kynurenine, kynurenic, degraded * to_kynurenic * kynurenine, because="KAT of astrocytes and muscle")
    m.flow(kynurenine, quinolinic, degraded * to_quinolinic * enzymes * kynurenine, because="KMO of roused microglia")
    words = "quinolinate in brain (kynurenine branch), fold of healthy"
    fold = m.offers("inflammation.quinolinate", quinolinic / healthy, "1", about=words)
    m.offers("inflammation.kynurenine_ratio", kynurenine / tryptophan, "1", about="kynurenine over tryptophan")
    healthy = rest * to_kynurenic / m.parameter("inflammation.kynurenic_turnover")
    words = "quinolinic over kynurenic acid, fold of healthy"
    m.offers("inflammation.excitotoxic_ratio", fold * healthy / kynurenic, "1", about=words)


def _acid(m: Stage, name: str, about: str) -> sympy.Symbol:
    acid = m.state(f"inflammation.{name}_acid", "umol/L", at_rest=0.4, scale=0.1, about=about)
    m.rate(acid, -m.parameter(f"inflammation.{name}_turnover") * acid, because="cleared")
    return acid


def _level(m: Stage, name: str, about: str) -> sympy.Symbol:
    return m.state(f"inflammation.{name}", "1", at_rest=1.0, about=about)


def _follows(m: Stage, name: str, words: str, drive: sympy.Expr, because: str) -> sympy.Symbol:
    """A new level, at rest at 1 in a healthy person, that follows its drive."""
    level = _level(m, name, f"{words}, fold of healthy")
    _turnover(m, level, name, drive, because)
    return level


def _turnover(m: Stage, level: sympy.Symbol, name: str, drive: sympy.Expr, because: str) -> None:
    """The level relaxes to its drive at its own turnover."""
    pace = m.parameter(f"inflammation.{name}_turnover")
    m.rate(level, +pace * drive, because=because)
    m.rate(level, -pace * level, because="lost or cleared")
