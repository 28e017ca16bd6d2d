"""Opioid tone: an indirect, downstream contribution that naltrexone removes."""

from __future__ import annotations

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def opioid(stage: Stage) -> None:
    """Opioid tone (0 at rest, 1 at most), raised mainly by S-ketamine and gone within hours.

    Direct binding cannot carry it: with Ki 11 (S) and 28 (R) umol/L at the mu receptor, brain levels of
    an antidepressant dose occupy only 2-4 % of receptors (`opioid.direct_occupancy`). So the tone stands
    for endogenous opioids released downstream. Naltrexone removes it (Williams 2018, 12 patients,
    contested); S engages mu and kappa in rats and R does not (Bonaventura 2021). Two readings of the trial: tone
    adds to the effect, or intact receptors permit it (`opioid.gate`, 1 while the gate is not in use). Drug in
    umol/L unbound in brain.
    """
    s, r = stage.input("brain.esketamine", "umol/L"), stage.input("brain.arketamine", "umol/L")
    s_affinity, r_affinity = stage.parameter("opioid.s_affinity"), stage.parameter("opioid.r_affinity")
    bound = s / s_affinity + r / r_affinity
    stage.output(
        "opioid.direct_occupancy",
        bound / (1 + bound),
        "1",
        description="mu receptors held by ketamine itself, without naltrexone",
    )
    equivalent = s + r * s_affinity / r_affinity
    open_share = stage.parameter("pathway.opioid") * (1 - stage.input("tool_compounds.naltrexone_share", "1"))
    stage.output(
        "opioid.gate",
        1 - stage.parameter("opioid.permissive_gate") * (1 - open_share),
        "1",
        description="share of the antidepressant effect that opioid receptors let through",
    )
    pace = stage.parameter("opioid.rate_constant")
    tone = stage.state("opioid.tone", "1", bounds=(0, 1), scale=0.1, description="downstream opioid tone, 0 at rest")
    released = hill(equivalent, stage.parameter("opioid.release_ec50"), 1)
    stage.rate(tone, +pace * open_share * released, because="endogenous opioids released downstream of the drug")
    stage.rate(tone, -pace * tone, because="peptides broken down, signalling fades")
