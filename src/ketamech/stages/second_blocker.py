"""A second open-channel blocker in the same body: memantine by mouth."""

from __future__ import annotations

from ketamech.stages.declaration import Stage


def second_blocker(m: Stage) -> None:
    """Memantine as base, by mouth: one compartment, slow loss, unbound level in brain.

    Doses enter `second_blocker.memantine` in umol. Another uncompetitive blocker is described by
    replacing this table and the memantine rows of the NMDA table. Units: umol, L, h.
    """
    absorption, clearance, volume, brain_ratio = (
        m.parameter(f"second_blocker.{name}") for name in ("absorption_rate", "clearance", "volume", "brain_ratio")
    )
    swallowed = m.state("second_blocker.memantine", "umol", kind="amount", scale=100.0, about="memantine in the gut")
    body = m.state("second_blocker.body", "umol", kind="amount", scale=100.0, about="memantine in the body")
    lost = m.state(
        "second_blocker.eliminated",
        "umol",
        kind="amount",
        scale=100.0,
        accumulates=True,
        about="memantine excreted",
    )
    m.flow(swallowed, body, absorption * swallowed, because="absorption from the gut, complete")
    m.flow(body, lost, clearance / volume * body, because="renal excretion")
    m.offers(
        "second_blocker.brain_unbound",
        brain_ratio * body / volume,
        "umol/L",
        about="unbound memantine in brain",
    )
