"""Prefrontal microcircuit: pyramidal cells and two kinds of interneuron, as rates."""

from __future__ import annotations

import sympy

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def circuit(stage: Stage) -> None:
    """Block of interneuron receptors disinhibits pyramidal cells; block of their own receptors silences them.

    Three firing rates and the GABA that both kinds of interneuron release, relative to baseline (1). NMDA receptors
    carry a third of the excitation of pyramidal and parvalbumin cells and more of that of somatostatin cells; the size
    of the response comes from the steep firing curve of interneurons and from recurrent excitation. Pyramidal cells
    are depolarised by arousal, and inhibited by GABA through receptors that saturate. No
    equation here is bell-shaped: the inverted U in dose results from blocks of different affinity and from the loss of
    arousal, which returns hours after consciousness (Mashour 2021). Inhibition is rescaled over a day to restore the
    pyramidal rate (set point), so the effect of a steady blocker fades; rates are restored by waking activity (Hengen
    2016, recalled). Order of events: Homayoun 2007; sign at 1 and 10 umol/L: Gerhard 2020.
    """
    pyramidal = stage.state(
        "circuit.pyramidal_rate", "1", initial_guess=1.0, description="pyramidal firing rate, relative to baseline"
    )
    strength = stage.state(
        "circuit.inhibition_strength", "1", initial_guess=1.0, description="homeostatic strength of inhibition"
    )
    gaba = _gaba(stage, pyramidal)
    drive = _pyramidal_drive(stage, pyramidal, strength * _gaba_a_current(stage, gaba))
    rate_constant, adaptation_rate = (
        stage.parameter("circuit.pyramidal_rate_constant"),
        stage.parameter("circuit.adaptation_rate"),
    )
    stage.rate(
        pyramidal, +rate_constant * _response(stage, "pyramidal", drive), because="firing follows net synaptic drive"
    )
    stage.rate(pyramidal, -rate_constant * pyramidal, because="relaxation")
    stage.rate(
        strength,
        +adaptation_rate * stage.input("sedation.recovered_activity", "1") * strength * (pyramidal - 1),
        because="homeostatic scaling of inhibition while awake, towards the set point of the pyramidal rate",
    )
    stage.output("circuit.disinhibition", 1 - gaba, "1", description="share of inhibition lost")
    gamma = pyramidal * (1 + stage.parameter("circuit.gamma_gain") * (1 - gaba))
    stage.output("circuit.gamma_power", gamma, "1", description="gamma-band power, relative to baseline")


def _gaba(stage: Stage, pyramidal: sympy.Expr) -> sympy.Symbol:
    """GABA released by both kinds of interneuron and taken up."""
    pv, sst = (_interneuron(stage, kind, pyramidal) for kind in ("pv", "sst"))
    pv_weight, uptake = stage.parameter("circuit.pv_weight"), stage.parameter("circuit.gaba_uptake_rate")
    gaba = stage.state("circuit.gaba", "1", initial_guess=1.0, description="extracellular GABA, relative to baseline")
    stage.rate(
        gaba,
        +uptake * (pv_weight * pv + (1 - pv_weight) * sst),
        because="release by both kinds of interneuron",
    )
    stage.rate(gaba, -uptake * gaba, because="uptake by GABA transporters")
    return gaba


def _gaba_a_current(stage: Stage, gaba: sympy.Expr) -> sympy.Expr:
    """Current through GABA-A receptors, 1 at baseline without a benzodiazepine.

    A benzodiazepine raises the affinity for GABA: the current is larger, and it depends less on the release of GABA.
    """
    ec50 = stage.parameter("circuit.gaba_ec50")
    occupied = stage.input("tool_compounds.benzodiazepine_share", "1")
    shifted_ec50 = ec50 / (1 + stage.parameter("circuit.benzodiazepine_gain") * occupied)
    return gaba * (1 + ec50) / (gaba + shifted_ec50)


def _interneuron(stage: Stage, kind: str, pyramidal: sympy.Expr) -> sympy.Symbol:
    """One interneuron population, which loses the NMDA fraction of its excitation as its receptors are blocked."""
    blocked = stage.input(f"nmda.blocked_{kind}", "1")
    lost_excitation = stage.parameter("pathway.disinhibition") * stage.parameter(f"circuit.nmda_share_{kind}") * blocked
    recurrent, rate_constant = (
        stage.parameter(f"circuit.recurrent_{kind}"),
        stage.parameter("circuit.interneuron_rate_constant"),
    )
    rate = stage.state(
        f"circuit.{kind}_rate",
        "1",
        initial_guess=1.0,
        description=f"{kind.upper()} interneuron firing rate, relative to baseline",
    )
    drive = (1 - recurrent + recurrent * pyramidal) * (1 - lost_excitation)
    stage.rate(
        rate,
        +rate_constant * _response(stage, "interneuron", drive),
        because="excitation by external input and pyramidal cells",
    )
    stage.rate(rate, -rate_constant * rate, because="relaxation")
    return rate


def _pyramidal_drive(stage: Stage, pyramidal: sympy.Expr, inhibition: sympy.Expr) -> sympy.Expr:
    """Excitation (AMPA, NMDA, recurrent, less without arousal) minus inhibition; baseline 1."""
    weight, recurrent = stage.parameter("circuit.inhibition_weight"), stage.parameter("circuit.recurrent_pyramidal")
    nmda_factor = 1 - stage.parameter("circuit.nmda_share_pyramidal") * stage.input("nmda.blocked_pyramidal", "1")
    arousal_factor = 1 - stage.parameter("circuit.anaesthetic_share") * (
        1 - stage.input("sedation.recovered_activity", "1")
    )
    muscimol_factor = 1 - stage.input("tool_compounds.muscimol_share", "1")
    excitation = muscimol_factor * (1 + weight) * nmda_factor * arousal_factor * (1 - recurrent + recurrent * pyramidal)
    return excitation - weight * inhibition


def _response(stage: Stage, cell: str, drive: sympy.Expr) -> sympy.Expr:
    """Saturating firing curve with a smooth threshold, 1 at a drive of 1."""
    ec50 = stage.parameter(f"circuit.drive_ec50_{cell}")
    return hill(drive, ec50, 2) * (1 + ec50**2)
