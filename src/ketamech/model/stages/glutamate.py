"""Extracellular glutamate in prefrontal cortex: release, uptake, autoreceptors."""

from __future__ import annotations

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def glutamate(stage: Stage) -> None:
    """Glutamate released by pyramidal firing, taken up by glia, inhibited by mGluR2/3; relative to baseline (1).

    Bursting cells release more per spike. Hydroxynorketamine may raise release, at micromolar levels only (contested,
    has its own switch). Directions: Moghaddam 1997 (up at 10-30, flat at 50, down at 200 mg/kg in rats); LY379268
    abolishes the rise. Lamotrigine, riluzole and an mGluR2/3 agonist reduce what firing adds to baseline release.
    """
    rate = stage.input("circuit.pyramidal_rate", "1")
    metabolite = stage.input("brain.hydroxynorketamine_r", "umol/L") + stage.input(
        "brain.hydroxynorketamine_s", "umol/L"
    )
    uptake, autoreceptor_inhibition = (
        stage.parameter("glutamate.uptake_rate"),
        stage.parameter("glutamate.autoreceptor_inhibition"),
    )
    extracellular = stage.state(
        "glutamate.extracellular", "1", initial_guess=1.0, description="extracellular glutamate, relative to baseline"
    )
    hnk_effect = hill(metabolite, stage.parameter("glutamate.hydroxynorketamine_ec50"), 2)
    hnk_factor = (
        1 + stage.parameter("pathway.hnk_ampa") * stage.parameter("glutamate.hydroxynorketamine_gain") * hnk_effect
    )
    spike_release = rate * (1 + stage.parameter("glutamate.burst_facilitation") * (rate - 1))
    agonist_inhibition = stage.parameter("glutamate.agonist_emax") * stage.input(
        "tool_compounds.mglu2_agonist_share", "1"
    )
    open_channels = 1 - stage.input("tool_compounds.lamotrigine_share", "1")
    evoked = open_channels * (1 - agonist_inhibition) * (spike_release * hnk_factor - 1)
    autoreceptor_factor = (1 + autoreceptor_inhibition) / (1 + autoreceptor_inhibition * extracellular)
    stage.rate(
        extracellular,
        +uptake * (1 + evoked) * autoreceptor_factor,
        because="release by pyramidal cells under mGluR2/3 control",
    )
    stage.rate(extracellular, -uptake * extracellular, because="uptake by glial transporters")
