"""Pain: acute relief that follows S-ketamine by minutes, lasting relief that follows it by weeks."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, exp, hill, log


def pain(m: Stage) -> None:
    """Two clocks and a placebo part; the score is in NRS points (0-10) of chronic pain.

    Acute: S-ketamine alone, effect site half-life 8.3 min, C50 0.51 umol/L (Olofsen 2022), opposed by
    norketamine (Olofsen 2012). Lasting (complex regional pain): onset and offset half-life 10.9 days, C50
    10.5 ng/mL S-ketamine (Dahan 2011). They cannot share a C50. Placebo: hope above the person's own
    rest.
    """
    drug, norketamine = m.needs("plasma.esketamine", "umol/L"), m.needs("plasma.s_norketamine", "umol/L")
    quick = _site(m, "acute", drug, "S-ketamine at the site of acute relief, plasma-equivalent")
    slow = _site(m, "lasting", drug, "slow trace of S-ketamine that carries lasting relief, plasma-equivalent")
    opposed = 1 + norketamine / m.parameter("pain.norketamine_opposition")
    acute = hill(quick, m.parameter("pain.acute_half") * opposed, 1)
    lasting = m.parameter("pain.lasting_maximum") * hill(slow, m.parameter("pain.lasting_half"), 1)
    hope = m.needs("expectancy.hope", "1") - m.resting("expectancy.hope", "1")
    placebo = exp(-m.parameter("pain.placebo_weight") * hope)
    felt = m.parameter("person.baseline_pain") * (1 - acute) * (1 - lasting) * placebo
    m.offers("pain.acute_relief", acute, "1", about="share of pain relieved while the drug is there")
    m.offers("pain.lasting_relief", lasting, "1", about="share of chronic pain relieved for weeks")
    m.offers("pain.score", felt, "points", about="chronic pain, NRS points (0-10)")


def _site(m: Stage, kind: str, drug: sympy.Expr, about: str) -> sympy.Symbol:
    """An effect site that follows plasma with a half-life."""
    pace = log(2) / m.parameter(f"pain.{kind}_half_life")
    site = m.state(f"pain.{kind}_site", "umol/L", scale=0.05, about=about)
    m.rate(site, +pace * drug, because="follows plasma S-ketamine")
    m.rate(site, -pace * site, because="fades with the half-life of the relief")
    return site
