"""Prefrontal and default-mode connectivity: what the synapses of a network add up to."""

from __future__ import annotations

from ketamech.stages.declaration import Stage


def connectivity(m: Stage) -> None:
    """Prefrontal global connectivity and default-mode coupling, both relative to a healthy person (1).

    Strength is spines times the AMPA receptors on them, plus what magnetic stimulation and seizures add;
    it saturates, because a network cannot grow for ever. It follows over hours. The default mode uncouples
    as prefrontal control returns. Sizes are assumed: imaging findings differ in sign between methods.
    """
    density, surface = m.needs("spines.density", "1"), m.needs("ampa.surface", "1")
    stimulated = m.needs("comparators.tms_plasticity", "1") + m.needs("comparators.ect_plasticity", "1")
    strength = density * (1 + m.parameter("connectivity.surface_gain") * (surface - 1)) + stimulated
    room = m.parameter("connectivity.half_strength")
    pace = m.parameter("connectivity.pace")
    prefrontal = m.state(
        "connectivity.prefrontal", "1", at_rest=0.9, scale=0.3, about="prefrontal connectivity, healthy 1"
    )
    m.rate(
        prefrontal,
        +pace * strength * (1 + room) / (strength + room),
        because="synaptic strength, with diminishing returns",
    )
    m.rate(prefrontal, -pace * prefrontal, because="the network follows over hours")
    coupling = m.state(
        "connectivity.default_mode", "1", at_rest=1.1, scale=0.3, about="default-mode coupling, healthy 1"
    )
    slow = m.parameter("connectivity.default_mode_pace")
    uncoupled = m.parameter("connectivity.default_mode_gain") * (1 - prefrontal)
    m.rate(coupling, +slow * (1 + uncoupled), because="coupled more while prefrontal control is weak")
    m.rate(coupling, -slow * coupling, because="follows over a day")
