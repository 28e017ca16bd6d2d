"""Prefrontal microcircuit: pyramidal cells and two kinds of interneuron, as rates."""

from __future__ import annotations

import sympy

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def circuit(stage: Stage) -> None:
    """Interneuron block disinhibits pyramidal cells; block of their own receptors silences them.

    Three rates relative to rest (1). Interneurons are driven by outside input and by pyramidal cells
    through synapses that lean on NMDA receptors; pyramidal cells are excited through AMPA and NMDA
    receptors, held depolarised by HCN1 channels, and inhibited by both interneurons. Nothing in here is
    bell-shaped: the inverted U in dose comes from two blocks of different affinity. Inhibition is
    rescaled over a day to bring the pyramidal rate back (set point), so a steady blocker fades; rates are
    restored by waking activity (Hengen 2016, recalled), so an hour of anaesthesia leaves no rebound. Order of
    events: Homayoun 2007; sign at 1 and 10 umol/L: Gerhard 2020.
    """
    pyramidal = stage.state(
        "circuit.pyramidal_rate", "1", initial_guess=1.0, description="pyramidal firing relative to rest"
    )
    strength = stage.state(
        "circuit.inhibition_strength", "1", initial_guess=1.0, description="homeostatic strength of inhibition"
    )
    pv, sst = (_interneuron(stage, kind, pyramidal) for kind in ("pv", "sst"))
    share = stage.parameter("circuit.pv_weight")
    inhibition = share * pv + (1 - share) * sst
    drive = _pyramidal_drive(stage, pyramidal, strength * inhibition)
    pace, set_point = stage.parameter("circuit.pyramidal_rate_constant"), stage.parameter("circuit.adaptation_rate")
    stage.rate(pyramidal, +pace * _response(stage, "pyramidal", drive), because="firing follows net synaptic drive")
    stage.rate(pyramidal, -pace * pyramidal, because="relaxation")
    stage.rate(
        strength,
        +set_point * stage.input("sedation.consciousness", "1") * strength * (pyramidal - 1),
        because="inhibitory synapses scale, while awake, until the pyramidal rate is back at its set point",
    )
    stage.output("circuit.disinhibition", 1 - inhibition, "1", description="share of inhibition lost")
    gamma = pyramidal * (1 + stage.parameter("circuit.gamma_gain") * (1 - inhibition))
    stage.output("circuit.gamma_power", gamma, "1", description="gamma-band power relative to rest")


def _interneuron(stage: Stage, kind: str, pyramidal: sympy.Expr) -> sympy.Symbol:
    """One interneuron population, losing the NMDA share of its excitation as its receptors are blocked."""
    blocked = stage.input(f"nmda.blocked_{kind}", "1")
    lost = stage.parameter("pathway.disinhibition") * stage.parameter(f"circuit.nmda_share_{kind}") * blocked
    recurrent, pace = stage.parameter(f"circuit.recurrent_{kind}"), stage.parameter("circuit.interneuron_rate_constant")
    rate = stage.state(
        f"circuit.{kind}_rate",
        "1",
        initial_guess=1.0,
        description=f"{kind.upper()} interneuron firing relative to rest",
    )
    drive = (1 - recurrent + recurrent * pyramidal) * (1 - lost)
    stage.rate(
        rate,
        +pace * _response(stage, "interneuron", drive),
        because="excitation by outside input and pyramidal cells",
    )
    stage.rate(rate, -pace * rate, because="relaxation")
    return rate


def _pyramidal_drive(stage: Stage, pyramidal: sympy.Expr, inhibition: sympy.Expr) -> sympy.Expr:
    """Excitation (AMPA, NMDA, recurrent, less HCN1 depolarisation or another anaesthetic) minus inhibition; rest 1."""
    weight, recurrent = stage.parameter("circuit.inhibition_weight"), stage.parameter("circuit.recurrent_pyramidal")
    synaptic = 1 - stage.parameter("circuit.nmda_share_pyramidal") * stage.input("nmda.blocked_pyramidal", "1")
    esketamine = stage.input("brain.esketamine", "umol/L")
    channel = esketamine / (esketamine + stage.parameter("circuit.hcn1_ic50"))
    intrinsic = 1 - stage.parameter("circuit.hcn1_share") * channel
    held = 1 - stage.parameter("circuit.anaesthetic_share") * stage.input("sedation.cortex_silenced", "1")
    silent = 1 - stage.input("tool_compounds.muscimol_share", "1")
    calmed = 1 + stage.parameter("circuit.benzodiazepine_gain") * stage.input(
        "tool_compounds.benzodiazepine_share", "1"
    )
    excitation = silent * (1 + weight) * synaptic * intrinsic * held * (1 - recurrent + recurrent * pyramidal)
    return excitation - weight * calmed * inhibition


def _response(stage: Stage, cell: str, drive: sympy.Expr) -> sympy.Expr:
    """Saturating firing curve with a soft threshold, 1 at a drive of 1."""
    half = stage.parameter(f"circuit.drive_ec50_{cell}")
    return hill(drive, half, 2) * (1 + half**2)
