"""Prefrontal microcircuit: pyramidal cells and two kinds of interneuron, as rates."""

from __future__ import annotations

import sympy

from ketamech.stages.declaration import Stage, hill


def circuit(m: Stage) -> None:
    """Interneuron block disinhibits pyramidal cells; block of their own receptors silences them.

    Three rates relative to rest (1). Interneurons are driven by outside input and by pyramidal cells
    through synapses that lean on NMDA receptors; pyramidal cells are excited through AMPA and NMDA
    receptors, held depolarised by HCN1 channels, and inhibited by both interneurons. Nothing in here is
    bell-shaped: the inverted U in dose comes from two blocks of different affinity. Inhibition is
    rescaled over a day to bring the pyramidal rate back (set point), so a steady blocker fades; rates are
    restored by waking activity (Hengen 2016, recalled), so an hour of anaesthesia leaves no rebound. Order of
    events: Homayoun 2007; sign at 1 and 10 umol/L: Gerhard 2020.
    """
    pyramidal = m.state("circuit.pyramidal_rate", "1", at_rest=1.0, about="pyramidal firing relative to rest")
    strength = m.state("circuit.inhibition_strength", "1", at_rest=1.0, about="homeostatic strength of inhibition")
    pv, sst = (_interneuron(m, kind, pyramidal) for kind in ("pv", "sst"))
    share = m.parameter("circuit.pv_weight")
    inhibition = share * pv + (1 - share) * sst
    drive = _pyramidal_drive(m, pyramidal, strength * inhibition)
    pace, set_point = m.parameter("circuit.pyramidal_pace"), m.parameter("circuit.adaptation_rate")
    m.rate(pyramidal, +pace * _response(m, "pyramidal", drive), because="firing follows net synaptic drive")
    m.rate(pyramidal, -pace * pyramidal, because="relaxation")
    m.rate(
        strength,
        +set_point * m.needs("sedation.consciousness", "1") * strength * (pyramidal - 1),
        because="inhibitory synapses scale, while awake, until the pyramidal rate is back at its set point",
    )
    m.offers("circuit.disinhibition", 1 - inhibition, "1", about="share of inhibition lost")
    gamma = pyramidal * (1 + m.parameter("circuit.gamma_gain") * (1 - inhibition))
    m.offers("circuit.gamma_power", gamma, "1", about="gamma-band power relative to rest")


def _interneuron(m: Stage, kind: str, pyramidal: sympy.Expr) -> sympy.Symbol:
    """One interneuron population, losing the NMDA share of its excitation as its receptors are blocked."""
    blocked = m.needs(f"nmda.blocked_{kind}", "1")
    lost = m.parameter("pathway.disinhibition") * m.parameter(f"circuit.nmda_share_{kind}") * blocked
    recurrent, pace = m.parameter(f"circuit.recurrent_{kind}"), m.parameter("circuit.interneuron_pace")
    rate = m.state(
        f"circuit.{kind}_rate", "1", at_rest=1.0, about=f"{kind.upper()} interneuron firing relative to rest"
    )
    drive = (1 - recurrent + recurrent * pyramidal) * (1 - lost)
    m.rate(
        rate,
        +pace * _response(m, "interneuron", drive),
        because="excitation by outside input and pyramidal cells",
    )
    m.rate(rate, -pace * rate, because="relaxation")
    return rate


def _pyramidal_drive(m: Stage, pyramidal: sympy.Expr, inhibition: sympy.Expr) -> sympy.Expr:
    """Excitation (AMPA, NMDA, recurrent, less HCN1 depolarisation or another anaesthetic) minus inhibition; rest 1."""
    weight, recurrent = m.parameter("circuit.inhibition_weight"), m.parameter("circuit.recurrent_pyramidal")
    synaptic = 1 - m.parameter("circuit.nmda_share_pyramidal") * m.needs("nmda.blocked_pyramidal", "1")
    esketamine = m.needs("brain.esketamine", "umol/L")
    channel = esketamine / (esketamine + m.parameter("circuit.hcn1_half_block"))
    intrinsic = 1 - m.parameter("circuit.hcn1_share") * channel
    held = 1 - m.parameter("circuit.anaesthetic_share") * m.needs("sedation.cortex_silenced", "1")
    silent = 1 - m.needs("antagonists.muscimol_share", "1")
    calmed = 1 + m.parameter("circuit.benzodiazepine_gain") * m.needs("antagonists.benzodiazepine_share", "1")
    excitation = silent * (1 + weight) * synaptic * intrinsic * held * (1 - recurrent + recurrent * pyramidal)
    return excitation - weight * calmed * inhibition


def _response(m: Stage, cell: str, drive: sympy.Expr) -> sympy.Expr:
    """Saturating firing curve with a soft threshold, 1 at a drive of 1."""
    half = m.parameter(f"circuit.half_drive_{cell}")
    return hill(drive, half, 2) * (1 + half**2)
