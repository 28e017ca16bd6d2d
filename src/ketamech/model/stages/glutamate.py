"""Extracellular glutamate in prefrontal cortex: release, uptake, autoreceptors."""

from __future__ import annotations

import sympy

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def glutamate(stage: Stage) -> None:
    """Glutamate released by pyramidal firing, taken up by glia, inhibited by mGluR2/3 and A1; relative to baseline (1).

    Part of extracellular glutamate does not come from vesicles and does not follow firing. Bursting cells release more
    per spike. Excess AMPA current releases adenosine, which inhibits release through A1 receptors (Lazarevic 2021), so
    glutamate falls below baseline while inserted AMPA receptors outlast the drug. Hydroxynorketamine may raise
    release, at micromolar levels only (contested, has its own switch). Directions: Moghaddam 1997 (up at 10-30, flat
    at 50, down at 200 mg/kg in rats); LY379268 abolishes the rise. Lamotrigine, riluzole and an mGluR2/3 agonist
    reduce what firing adds to baseline release. Opioid tone facilitates release per spike: naltrexone lowers the Glx
    response (Jelen 2025) and not the rise of blood flow.
    """
    uptake, autoreceptor_inhibition = (
        stage.parameter("glutamate.uptake_rate"),
        stage.parameter("glutamate.autoreceptor_inhibition"),
    )
    extracellular = stage.state(
        "glutamate.extracellular", "1", initial_guess=1.0, description="extracellular glutamate, relative to baseline"
    )
    agonist_inhibition = stage.parameter("glutamate.agonist_emax") * stage.input(
        "tool_compounds.mglu2_agonist_share", "1"
    )
    open_channels = 1 - stage.input("tool_compounds.lamotrigine_share", "1")
    evoked = open_channels * (1 - agonist_inhibition) * (_spike_release(stage) - 1)
    autoreceptor_factor = (1 + autoreceptor_inhibition) / (1 + autoreceptor_inhibition * extracellular)
    vesicular = stage.parameter("glutamate.vesicular_share")
    opioid_factor = 1 + stage.parameter("glutamate.opioid_facilitation") * stage.input("opioid.tone", "1")
    release = stage.output(
        "glutamate.release",
        (1 + evoked) * opioid_factor * autoreceptor_factor * _adenosine_factor(stage),
        "1",
        description="glutamate released by neurons, relative to baseline",
    )
    stage.rate(
        extracellular,
        +uptake * vesicular * release,
        because="release by pyramidal cells under control of mGluR2/3, A1 and opioid receptors",
    )
    stage.rate(extracellular, +uptake * (1 - vesicular), because="release by glia and leak, independent of firing")
    stage.rate(extracellular, -uptake * extracellular, because="uptake by glial transporters")


def _spike_release(stage: Stage) -> sympy.Expr:
    """Vesicular release per time by firing, with more per spike in bursts and with hydroxynorketamine; baseline 1."""
    rate = stage.input("circuit.pyramidal_rate", "1")
    metabolite = stage.input("brain.hydroxynorketamine_r", "umol/L") + stage.input(
        "brain.hydroxynorketamine_s", "umol/L"
    )
    hnk_effect = hill(metabolite, stage.parameter("glutamate.hydroxynorketamine_ec50"), 2)
    hnk_factor = (
        1 + stage.parameter("pathway.hnk_ampa") * stage.parameter("glutamate.hydroxynorketamine_gain") * hnk_effect
    )
    return hnk_factor * rate * (1 + stage.parameter("glutamate.burst_facilitation") * (rate - 1))


def _adenosine_factor(stage: Stage) -> sympy.Expr:
    """Release relative to baseline under adenosine, which follows AMPA current within minutes and acts through A1."""
    rate_constant, inhibition = (
        stage.parameter("glutamate.adenosine_rate_constant"),
        stage.parameter("glutamate.adenosine_inhibition"),
    )
    adenosine = stage.state(
        "glutamate.adenosine", "1", initial_guess=1.0, description="extracellular adenosine, relative to baseline"
    )
    stage.rate(
        adenosine,
        +rate_constant * stage.input("ampa.current", "1"),
        because="retrograde release by cells excited through AMPA receptors (Lazarevic 2021)",
    )
    stage.rate(adenosine, -rate_constant * adenosine, because="uptake and deamination")
    a1_activation = stage.output(
        "glutamate.a1_activation",
        adenosine * (1 - stage.input("tool_compounds.a1_block_share", "1")),
        "1",
        description="activation of adenosine A1 receptors, relative to baseline",
    )
    return (1 + inhibition) / (1 + inhibition * a1_activation)
