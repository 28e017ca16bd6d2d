"""Lateral habenula: burst firing that signals disappointment."""

from __future__ import annotations

from ketamech.stages.declaration import Stage, hill


def habenula(m: Stage) -> None:
    """Share of habenular cells that burst: raised by stress, silenced while drug sits in their receptors.

    23 % of cells burst in helpless rats and 7 % in controls (Yang 2018, recalled). What silenced cells hold they keep,
    so silence outlasts plasma by a day (Ma 2023). Cells that sleep, or have not quite woken from an anaesthetic, do not
    burst and take up no drug. Unit: share of cells.
    """
    healthy, depressed = m.parameter("habenula.bursting_healthy"), m.parameter("habenula.bursting_depressed")
    usual = healthy + (depressed - healthy) * m.needs("stress.level", "1")
    blocked = m.needs("nmda.blocked_habenula", "1")
    antagonist = m.parameter("pathway.opioid") * m.needs("antagonists.naltrexone_share", "1")
    opioid_part = 1 - m.parameter("habenula.naltrexone_loss") * antagonist
    reach = m.parameter("pathway.habenula") * m.parameter("habenula.silencing") * opioid_part
    silenced = reach * hill(blocked, m.parameter("habenula.half_block"), 2)
    awake = 1 - m.parameter("habenula.anaesthetic_silencing") * (1 - m.needs("sedation.restored", "1"))
    pace = m.parameter("habenula.pace")
    bursting = m.state("habenula.bursting", "1", at_rest=0.2, within=(0, 1), scale=0.1, about="share of cells bursting")
    m.rate(
        bursting,
        +pace * usual * (1 - silenced) * awake,
        because="bursts under stress while awake, less those silenced by NMDA block",
    )
    m.rate(bursting, -pace * bursting, because="relaxation")
