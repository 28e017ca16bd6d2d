"""Behaviour of an animal in the forced-swim test: active coping, within minutes and over days."""

from __future__ import annotations

from ketamech.model.functions import exp
from ketamech.model.stage import Stage


def forced_swim(stage: Stage) -> None:
    """Immobility relative to own rest (1): a logistic share of the test in the drive to cope.

    The drive is that of mood, to which AMPA receptors inserted above rest are added: half an hour after a dose
    swimming follows hippocampal and cortical throughput, which needs eEF2 kinase, BDNF, translation, GluA2 and
    adenosine (Autry 2011, Nosyreva 2013), while mood in people waits for the network. An animal cannot float for longer
    than the test lasts. Locomotion is not part of it. Unit: fold of own rest.
    """
    inserted = stage.input("ampa.surface", "1") - stage.baseline("ampa.surface", "1")
    transmitted = 1 - stage.input("tool_compounds.nbqx_share", "1")
    throughput = stage.parameter("forced_swim.ampa_weight") * transmitted * inserted
    coping = stage.output(
        "forced_swim.coping",
        stage.input("mood.log_odds_shift", "1") + throughput,
        "1",
        description="drive to cope, 0 at own rest",
    )
    floating = stage.parameter("forced_swim.baseline_immobility")
    push = exp(stage.parameter("forced_swim.gain") * coping)
    stage.output(
        "forced_swim.immobility",
        1 / (floating + (1 - floating) * push),
        "1",
        description="immobility in the forced-swim test relative to own rest",
    )
