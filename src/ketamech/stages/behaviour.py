"""Behaviour of an animal in the forced-swim test, from the drive that moves mood in people."""

from __future__ import annotations

from ketamech.stages.declaration import Stage, exp


def behaviour(m: Stage) -> None:
    """Immobility relative to own rest (1): a logistic share of the test in the drive towards recovery.

    An animal cannot be immobile for longer than the test lasts. The drive is that of `mood`, whose weights are sized
    on people; one gain translates it, and is calibrated on one size (ketamine 10 mg/kg), so that every other row is a
    prediction. Locomotion is not part of it.
    """
    resting = m.parameter("behaviour.resting_immobility")
    push = exp(m.parameter("behaviour.gain") * m.needs("mood.drive", "1"))
    m.offers(
        "behaviour.immobility",
        1 / (resting + (1 - resting) * push),
        "1",
        about="immobility in the forced-swim test relative to own rest",
    )
