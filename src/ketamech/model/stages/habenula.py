"""Lateral habenula: burst firing, which signals disappointment."""

from __future__ import annotations

from ketamech.model.functions import hill
from ketamech.model.stage import Stage


def habenula(stage: Stage) -> None:
    """Fraction of habenular cells that burst: raised by stress, reduced while ketamine occupies their receptors.

    23 % of cells burst in helpless rats and 7 % in controls (Yang 2018, recalled). Silenced cells retain the drug that
    they hold, so silence outlasts plasma levels by a day (Ma 2023). Cells do not burst and take up no drug during
    sleep, and until recovery from anaesthesia is complete. Unit: fraction of cells.
    """
    healthy, depressed = stage.parameter("habenula.bursting_healthy"), stage.parameter("habenula.bursting_depressed")
    drug_free_bursting = healthy + (depressed - healthy) * stage.input("stress.level", "1")
    blocked = stage.input("nmda.blocked_habenula", "1")
    emax = stage.parameter("pathway.habenula") * stage.parameter("habenula.bursting_emax")
    silenced = emax * hill(blocked, stage.parameter("habenula.block_ec50"), 2)
    wakefulness = 1 - stage.parameter("habenula.anaesthetic_silencing") * (
        1 - stage.input("sedation.recovered_activity", "1")
    )
    rate_constant = stage.parameter("habenula.rate_constant")
    bursting = stage.state(
        "habenula.bursting", "1", initial_guess=0.2, bounds=(0, 1), scale=0.1, description="fraction of cells bursting"
    )
    stage.rate(
        bursting,
        +rate_constant * drug_free_bursting * (1 - silenced) * wakefulness,
        because="bursting under stress while awake, minus cells silenced by NMDA block",
    )
    stage.rate(bursting, -rate_constant * bursting, because="relaxation")
