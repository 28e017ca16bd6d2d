"""Memantine: pharmacokinetics of a second open-channel blocker, given by mouth."""

from __future__ import annotations

from ketamech.model.stage import Stage


def memantine(stage: Stage) -> None:
    """Memantine as base, oral: one compartment, slow elimination, unbound level in brain.

    Doses enter `memantine.memantine` in umol. To describe another uncompetitive blocker, replace this table and the
    memantine rows of the NMDA table. Units: umol, L, h.
    """
    absorption, clearance, volume, brain_ratio = (
        stage.parameter(f"memantine.{name}") for name in ("absorption_rate", "clearance", "volume", "brain_ratio")
    )
    gut = stage.state("memantine.memantine", "umol", kind="amount", scale=100.0, description="memantine in the gut")
    amount = stage.state("memantine.amount", "umol", kind="amount", scale=100.0, description="memantine in the body")
    eliminated = stage.state(
        "memantine.eliminated",
        "umol",
        kind="amount",
        scale=100.0,
        is_sink=True,
        description="memantine excreted",
    )
    stage.transfer(gut, amount, absorption * gut, because="absorption from the gut, complete")
    stage.transfer(amount, eliminated, clearance / volume * amount, because="renal excretion")
    stage.output(
        "memantine.brain_unbound",
        brain_ratio * amount / volume,
        "umol/L",
        description="unbound memantine in brain",
    )
