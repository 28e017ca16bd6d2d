"""A second open-channel blocker in the same body: memantine by mouth."""

from __future__ import annotations

from ketamech.model.stage import Stage


def memantine(stage: Stage) -> None:
    """Memantine as base, by mouth: one compartment, slow loss, unbound level in brain.

    Doses enter `memantine.memantine` in umol. Another uncompetitive blocker is described by
    replacing this table and the memantine rows of the NMDA table. Units: umol, L, h.
    """
    absorption, clearance, volume, brain_ratio = (
        stage.parameter(f"memantine.{name}") for name in ("absorption_rate", "clearance", "volume", "brain_ratio")
    )
    swallowed = stage.state(
        "memantine.memantine", "umol", kind="amount", scale=100.0, description="memantine in the gut"
    )
    body = stage.state("memantine.amount", "umol", kind="amount", scale=100.0, description="memantine in the body")
    lost = stage.state(
        "memantine.eliminated",
        "umol",
        kind="amount",
        scale=100.0,
        is_sink=True,
        description="memantine excreted",
    )
    stage.transfer(swallowed, body, absorption * swallowed, because="absorption from the gut, complete")
    stage.transfer(body, lost, clearance / volume * body, because="renal excretion")
    stage.output(
        "memantine.brain_unbound",
        brain_ratio * body / volume,
        "umol/L",
        description="unbound memantine in brain",
    )
