"""Extracellular glutamate in prefrontal cortex: release, uptake, autoreceptors."""

from __future__ import annotations

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def glutamate(stage: Stage) -> None:
    """Glutamate released by pyramidal firing, taken up by glia, braked by mGluR2/3; relative to rest (1).

    Bursting cells release more per spike. Hydroxynorketamine may raise release, in micromolar levels only (contested,
    own switch).
    Directions: Moghaddam 1997 (up at 10-30, flat at 50, down at 200 mg/kg in rats); LY379268 abolishes
    the rise. Lamotrigine, riluzole and an mGluR2/3 agonist hold back what firing adds to resting release.
    """
    rate = stage.input("circuit.pyramidal_rate", "1")
    metabolite = stage.input("brain.hydroxynorketamine_r", "umol/L") + stage.input(
        "brain.hydroxynorketamine_s", "umol/L"
    )
    uptake, brake = stage.parameter("glutamate.uptake_rate"), stage.parameter("glutamate.autoreceptor_inhibition")
    outside = stage.state(
        "glutamate.extracellular", "1", initial_guess=1.0, description="extracellular glutamate relative to rest"
    )
    bound = hill(metabolite, stage.parameter("glutamate.hydroxynorketamine_ec50"), 2)
    boost = 1 + stage.parameter("pathway.hnk_ampa") * stage.parameter("glutamate.hydroxynorketamine_gain") * bound
    spikes = rate * (1 + stage.parameter("glutamate.burst_facilitation") * (rate - 1))
    agonist = stage.parameter("glutamate.agonist_emax") * stage.input("tool_compounds.mglu2_agonist_share", "1")
    channels = 1 - stage.input("tool_compounds.lamotrigine_share", "1")
    evoked = channels * (1 - agonist) * (spikes * boost - 1)
    braked = (1 + brake) / (1 + brake * outside)
    stage.rate(
        outside,
        +uptake * (1 + evoked) * braked,
        because="release by pyramidal cells under mGluR2/3 control",
    )
    stage.rate(outside, -uptake * outside, because="uptake by glial transporters")
