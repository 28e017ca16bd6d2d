"""Opioid tone: an indirect, downstream contribution that naltrexone removes."""

from __future__ import annotations

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def opioid(stage: Stage) -> None:
    """Opioid tone (0 at baseline, 1 at most), raised mainly by S-ketamine, decaying within an hour.

    Direct binding cannot explain it: with Ki 11 (S) and 28 (R) umol/L at the mu receptor, brain levels of an
    antidepressant dose occupy only 2-4 % of receptors (`opioid.direct_occupancy`). The tone therefore represents
    endogenous opioids released downstream. Naltrexone removes it (Williams 2018, 12 patients, contested); S engages mu
    and kappa in rats and R does not (Bonaventura 2021). The trial has two interpretations: tone adds to the effect, or
    unblocked receptors gate it (`opioid.gate`, 1 while the gate is not in use). Drug in umol/L unbound in brain.
    """
    s_ketamine, r_ketamine = stage.input("brain.esketamine", "umol/L"), stage.input("brain.arketamine", "umol/L")
    s_affinity, r_affinity = stage.parameter("opioid.s_affinity"), stage.parameter("opioid.r_affinity")
    bound_over_free = s_ketamine / s_affinity + r_ketamine / r_affinity
    stage.output(
        "opioid.direct_occupancy",
        bound_over_free / (1 + bound_over_free),
        "1",
        description="mu receptors occupied by ketamine itself, without naltrexone",
    )
    s_equivalent = s_ketamine + r_ketamine * s_affinity / r_affinity
    unblocked = stage.parameter("pathway.opioid") * (1 - stage.input("tool_compounds.naltrexone_share", "1"))
    stage.output(
        "opioid.gate",
        1 - stage.parameter("opioid.permissive_gate") * (1 - unblocked),
        "1",
        description="fraction of the antidepressant effect permitted by opioid receptors",
    )
    rate_constant = stage.parameter("opioid.rate_constant")
    tone = stage.state(
        "opioid.tone", "1", bounds=(0, 1), scale=0.1, description="downstream opioid tone, 0 at baseline"
    )
    release = hill(s_equivalent, stage.parameter("opioid.release_ec50"), 1)
    stage.rate(tone, +rate_constant * unblocked * release, because="endogenous opioids released downstream of the drug")
    stage.rate(tone, -rate_constant * tone, because="degradation of peptides, decay of signalling")
