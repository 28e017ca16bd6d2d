"""Behaviour of an animal in the forced-swim test: active coping, within minutes and over days."""

from __future__ import annotations

from ketamech.stages.declaration import Stage, exp


def behaviour(m: Stage) -> None:
    """Immobility relative to own rest (1): a logistic share of the test in the drive to cope.

    The drive is that of mood, to which AMPA receptors inserted above rest are added: half an hour after a dose
    swimming follows hippocampal and cortical throughput, which needs eEF2 kinase, BDNF, translation, GluA2 and
    adenosine (Autry 2011, Nosyreva 2013), while mood in people waits for the network. An animal cannot float for longer
    than the test lasts. Locomotion is not part of it. Unit: fold of own rest.
    """
    inserted = m.needs("ampa.surface", "1") - m.resting("ampa.surface", "1")
    transmitted = 1 - m.needs("antagonists.nbqx_share", "1")
    throughput = m.parameter("behaviour.ampa_weight") * transmitted * inserted
    coping = m.offers(
        "behaviour.coping", m.needs("mood.drive", "1") + throughput, "1", about="drive to cope, 0 at own rest"
    )
    floating = m.parameter("behaviour.resting_immobility")
    push = exp(m.parameter("behaviour.gain") * coping)
    m.offers(
        "behaviour.immobility",
        1 / (floating + (1 - floating) * push),
        "1",
        about="immobility in the forced-swim test relative to own rest",
    )
