"""Extracellular glutamate in prefrontal cortex: release, uptake, autoreceptors."""

from __future__ import annotations

from ketamech.stages.declaration import Stage, hill


def glutamate(m: Stage) -> None:
    """Glutamate released by pyramidal firing, taken up by glia, braked by mGluR2/3; relative to rest (1).

    Bursting cells release more per spike. Hydroxynorketamine may raise release, in micromolar levels only (contested,
    own switch).
    Directions: Moghaddam 1997 (up at 10-30, flat at 50, down at 200 mg/kg in rats); LY379268 abolishes
    the rise. Lamotrigine, riluzole and an mGluR2/3 agonist hold back what firing adds to resting release.
    """
    rate = m.needs("circuit.pyramidal_rate", "1")
    metabolite = m.needs("brain.hydroxynorketamine_r", "umol/L") + m.needs("brain.hydroxynorketamine_s", "umol/L")
    uptake, brake = m.parameter("glutamate.uptake_rate"), m.parameter("glutamate.autoreceptor_brake")
    outside = m.state("glutamate.extracellular", "1", at_rest=1.0, about="extracellular glutamate relative to rest")
    bound = hill(metabolite, m.parameter("glutamate.hydroxynorketamine_half"), 2)
    boost = 1 + m.parameter("pathway.hnk_ampa") * m.parameter("glutamate.hydroxynorketamine_gain") * bound
    spikes = rate * (1 + m.parameter("glutamate.burst_facilitation") * (rate - 1))
    agonist = m.parameter("glutamate.agonist_reach") * m.needs("antagonists.mglu2_agonist_share", "1")
    channels = 1 - m.needs("antagonists.lamotrigine_share", "1")
    evoked = channels * (1 - agonist) * (spikes * boost - 1)
    braked = (1 + brake) / (1 + brake * outside)
    m.rate(
        outside,
        +uptake * (1 + evoked) * braked,
        because="release by pyramidal cells under mGluR2/3 control",
    )
    m.rate(outside, -uptake * outside, because="uptake by glial transporters")
