"""Lateral habenula: burst firing that signals disappointment."""

from __future__ import annotations

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def habenula(stage: Stage) -> None:
    """Share of habenular cells that burst: raised by stress, silenced while drug sits in their receptors.

    23 % of cells burst in helpless rats and 7 % in controls (Yang 2018, recalled). What silenced cells hold they keep,
    so silence outlasts plasma by a day (Ma 2023). Cells that sleep, or have not quite woken from an anaesthetic, do not
    burst and take up no drug. Unit: share of cells.
    """
    healthy, depressed = stage.parameter("habenula.bursting_healthy"), stage.parameter("habenula.bursting_depressed")
    usual = healthy + (depressed - healthy) * stage.input("stress.level", "1")
    blocked = stage.input("nmda.blocked_habenula", "1")
    antagonist = stage.parameter("pathway.opioid") * stage.input("tool_compounds.naltrexone_share", "1")
    opioid_part = 1 - stage.parameter("habenula.naltrexone_loss") * antagonist
    reach = stage.parameter("pathway.habenula") * stage.parameter("habenula.bursting_emax") * opioid_part
    silenced = reach * hill(blocked, stage.parameter("habenula.block_ec50"), 2)
    awake = 1 - stage.parameter("habenula.anaesthetic_silencing") * (
        1 - stage.input("sedation.recovered_activity", "1")
    )
    pace = stage.parameter("habenula.rate_constant")
    bursting = stage.state(
        "habenula.bursting", "1", initial_guess=0.2, bounds=(0, 1), scale=0.1, description="share of cells bursting"
    )
    stage.rate(
        bursting,
        +pace * usual * (1 - silenced) * awake,
        because="bursts under stress while awake, less those silenced by NMDA block",
    )
    stage.rate(bursting, -pace * bursting, because="relaxation")
